//! TLS for both versions of HTTP.

use std::error::Error;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::{pem::PemObject as _, CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, crypto::ring};
use tokio_rustls::TlsAcceptor;

/// With a certificate chain and its key, as PEM files.
pub fn acceptor(files: &[String]) -> Result<TlsAcceptor, Box<dyn Error>> {
    let [certificates, key] = files else { return Err("--tls takes two files".into()) };
    let certificates = CertificateDer::pem_file_iter(certificates)?.collect::<Result<_, _>>()?;
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec!["h2".into(), "http/1.1".into()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
