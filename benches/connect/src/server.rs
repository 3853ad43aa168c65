//! The server: a plain port, and one with TLS. It opens each WebSocket, and reads until it ends.

use std::io::Read;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::Result;

pub fn serve() -> Result {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der())?;
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (plain, tls) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let ports = (plain.local_addr()?.port(), tls.local_addr()?.port(), cert.pem());
    println!("{}", serde_json::to_string(&ports)?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = plain.accept().await {
            tokio::spawn(talk(stream));
        }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = tls.accept().await {
            let accepting = acceptor.accept(stream);
            tokio::spawn(async move {
                if let Ok(stream) = accepting.await {
                    talk(stream).await;
                }
            });
        }
    });
    // Whoever started this ends it.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

/// No client is one too many: nothing but the end is waited for.
async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let config = sockless::ServerConfig::new(sockless::handshake::OriginPolicy::Any).without_timeouts();
    if let Ok(mut socket) = sockless::tokio::accept(stream, &config).await {
        while let Ok(Some(_)) = socket.recv().await {}
    }
}
