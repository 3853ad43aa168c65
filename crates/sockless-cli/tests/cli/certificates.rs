//! A certificate that nobody trusts, in files.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{generate_simple_self_signed, CertifiedKey};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{pem::PemObject, PrivateKeyDer};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use crate::support::folder;

/// A server's certificate and key as files, and an acceptor that has them.
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub acceptor: TlsAcceptor,
}

/// For 127.0.0.1. The test names its folder.
pub fn identity(test: &str) -> Identity {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
    let folder = folder(test);
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    std::fs::write(&certificate, cert.pem()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![cert.der().clone()],
            PrivateKeyDer::from_pem_slice(signing_key.serialize_pem().as_bytes()).unwrap(),
        );
    Identity { certificate, key, acceptor: TlsAcceptor::from(Arc::new(config.unwrap())) }
}
