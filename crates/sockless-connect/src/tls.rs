//! TLS by rustls.
//
// Owns: who is trusted, our own certificate, and what rustls is told of them.
// Must not know: WebSocket.

use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
#[cfg(feature = "tokio")]
use tokio::task::spawn_blocking;

/// How TLS is done for `wss:`: whom to trust, and who we are.
///
/// Without more it trusts whom the operating system trusts, if the feature `platform-verifier` is on. Else it trusts
/// Mozilla's list of authorities, if `webpki-roots` is on, and else nobody but whom
/// [`with_root_pem`](Self::with_root_pem) adds.
///
/// The first connection reads the list of authorities, which takes tens of milliseconds. A clone shares what was read,
/// and the sessions, so that another connection to the same server is quicker. So make one, and keep it.
#[derive(Clone, Default)]
pub struct Tls {
    trust: Trust,
    roots: Vec<CertificateDer<'static>>,
    identity: Option<Arc<Identity>>,
    /// Made of the others when it is first needed.
    made: Arc<OnceLock<Arc<ClientConfig>>>,
}

/// Who is trusted beside the roots that were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    #[cfg(feature = "platform-verifier")]
    System,
    #[cfg(feature = "webpki-roots")]
    Mozilla,
    Nobody,
}

impl Default for Trust {
    fn default() -> Self {
        #[cfg(feature = "platform-verifier")]
        return Self::System;
        #[cfg(all(feature = "webpki-roots", not(feature = "platform-verifier")))]
        return Self::Mozilla;
        #[cfg(not(any(feature = "webpki-roots", feature = "platform-verifier")))]
        return Self::Nobody;
    }
}

/// The certificate by which a server knows us.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Tls {
    /// Trusts whom the features say, and has no certificate of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// What all connections use that set nothing else.
    pub(crate) fn of_process() -> &'static Self {
        static SHARED: LazyLock<Tls> = LazyLock::new(Tls::new);
        &SHARED
    }

    /// Trusts the certificates in this text as well: authorities, or the certificate of one server.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] if the text is not PEM, or has no certificate.
    pub fn with_root_pem(self, pem: impl AsRef<[u8]>) -> io::Result<Self> {
        let mut roots = self.roots.clone();
        roots.extend(certificates(pem.as_ref())?);
        Ok(Self { roots, ..self.changed() })
    }

    /// Trusts nobody but whom [`with_root_pem`](Self::with_root_pem) adds, before or after this.
    #[must_use]
    pub fn with_added_roots_only(self) -> Self {
        Self { trust: Trust::Nobody, ..self.changed() }
    }

    /// Trusts Mozilla's list of authorities, as it was when the program was built, in place of the operating system's. For
    /// systems that have none. The program must be built anew to take changes of the list.
    #[cfg(feature = "webpki-roots")]
    #[must_use]
    pub fn with_webpki_roots(self) -> Self {
        Self { trust: Trust::Mozilla, ..self.changed() }
    }

    /// Shows this certificate to servers that ask for one. `chain` has it first, and then those that certify it; `key` is
    /// the private key of the first.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] if a text is not PEM, or has no certificate or no private key. Whether they belong
    /// together is seen when connecting.
    pub fn with_client_certificate_pem(
        self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> io::Result<Self> {
        let chain = certificates(chain.as_ref())?;
        let key = PrivateKeyDer::from_pem_slice(key.as_ref()).map_err(invalid)?;
        Ok(Self { identity: Some(Arc::new(Identity { chain, key })), ..self.changed() })
    }

    /// The same, to be changed: what was made before does not count.
    fn changed(self) -> Self {
        Self { made: Arc::default(), ..self }
    }

    /// What rustls is told. Reading the system's authorities may take a while.
    pub(crate) fn client_config(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.made.get() {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.make().map_err(io::Error::other)?);
        Ok(Arc::clone(self.made.get_or_init(|| config)))
    }

    /// The same, on another thread where it may take a while.
    #[cfg(feature = "tokio")]
    pub(crate) async fn client_config_in_background(&self) -> io::Result<Arc<ClientConfig>> {
        if self.made.get().is_some() {
            return self.client_config();
        }
        let this = self.clone();
        spawn_blocking(move || this.client_config()).await?
    }

    fn make(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = provider()?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions()?;
        let mut store = RootCertStore::empty();
        let builder = match self.trust {
            #[cfg(feature = "platform-verifier")]
            Trust::System => {
                let verifier = system_verifier(self.roots.clone(), provider)?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
            trust => {
                #[cfg(feature = "webpki-roots")]
                if trust == Trust::Mozilla {
                    store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                }
                let _ = trust;
                for root in &self.roots {
                    store.add(root.clone())?;
                }
                builder.with_root_certificates(store)
            }
        };
        let mut config = match &self.identity {
            Some(identity) => {
                builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())?
            }
            None => builder.with_no_client_auth(),
        };
        // A server that also speaks HTTP/2 would choose that otherwise, and the request could not be read there.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

#[cfg(all(feature = "platform-verifier", not(target_os = "android")))]
fn system_verifier(
    roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<rustls_platform_verifier::Verifier, rustls::Error> {
    rustls_platform_verifier::Verifier::new_with_extra_roots(roots, provider)
}

/// Android's verifier takes no roots: they are installed on the device.
#[cfg(all(feature = "platform-verifier", target_os = "android"))]
fn system_verifier(
    roots: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<rustls_platform_verifier::Verifier, rustls::Error> {
    match roots.is_empty() {
        true => rustls_platform_verifier::Verifier::new(provider),
        false => Err(rustls::Error::General("roots cannot be added to those of Android".into())),
    }
}

/// The cryptography that the features say, and else what the program has installed as the default.
fn provider() -> Result<Arc<CryptoProvider>, rustls::Error> {
    #[cfg(feature = "ring")]
    return Ok(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
    return Ok(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    CryptoProvider::get_default()
        .cloned()
        .ok_or_else(|| rustls::Error::General("no provider of cryptography is installed".into()))
}

/// The certificates in this text.
fn certificates(pem: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(invalid)?;
    match certificates.is_empty() {
        true => Err(invalid("there is no certificate in it")),
        false => Ok(certificates),
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("trust", &self.trust)
            .field("added_roots", &self.roots.len())
            .field("has_client_certificate", &self.identity.is_some())
            .finish_non_exhaustive()
    }
}
