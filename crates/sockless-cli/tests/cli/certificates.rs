//! A certificate that nobody trusts, in files.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{generate_simple_self_signed, CertifiedKey};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
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
    made(test, None)
}

/// One whose server wants to see the certificate of this other one.
pub fn identity_that_asks_for(test: &str, other: &Identity) -> Identity {
    made(test, Some(other))
}

fn made(test: &str, asks_for: Option<&Identity>) -> Identity {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
    let folder = folder(test);
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match asks_for {
        None => builder.with_no_client_auth(),
        Some(other) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(&other.certificate).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let secret = PrivateKeyDer::from_pem_slice(signing_key.serialize_pem().as_bytes()).unwrap();
    let config = builder.with_single_cert(vec![cert.der().clone()], secret).unwrap();
    Identity { certificate, key, acceptor: TlsAcceptor::from(Arc::new(config)) }
}
