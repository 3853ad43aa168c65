//! The example `axum_echo`, as a process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use sockless_axum::sockless::deflate::Offer;
use sockless_axum::sockless::tokio::{client, ClientSocket};
use sockless_axum::{ClientConfig, CloseCode, Error, OpeningError};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{self, crypto::ring, pki_types::CertificateDer};
use tokio_rustls::TlsConnector;

use crate::common::{http2_on, over_http2};

/// It ends with the test.
struct Echo {
    process: Child,
    address: String,
}

impl Echo {
    fn start(arguments: &[&str]) -> Self {
        let test = std::env::current_exe().unwrap();
        let program = test.parent().unwrap().parent().unwrap().join("examples/axum_echo");
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the examples are built");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { process, address }
    }

    async fn connect(&self, config: &ClientConfig) -> Result<ClientSocket, Error> {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        client(stream, &*format!("ws://{}/", self.address), config).await
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn origins_are_as_the_command_line_says() {
    let _watchdog = watchdog!();
    for (arguments, origin, allowed) in [
        (&[][..], "http://other.example", true),
        (&["--origin", "same-host"], "http://other.example", false),
        (&["--origin", "none"], "http://other.example", false),
        (
            &["--origin", "https://a.example", "--origin", "http://other.example"],
            "http://other.example",
            true,
        ),
        (&["--origin", "https://a.example"], "http://other.example", false),
    ] {
        let echo = Echo::start(arguments);
        let config = ClientConfig::new().with_origin(origin).with_deflate(Offer::DEFAULT);
        match echo.connect(&config).await {
            Ok(mut socket) => {
                assert!(allowed, "{arguments:?}");
                assert!(socket.negotiated().deflate.is_some());
                socket.send("Hello").await.unwrap();
                assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("Hello"));
            }
            Err(Error::Opening(OpeningError::Rejected(answer))) => {
                assert_eq!((allowed, answer.status()), (false, 403), "{arguments:?}");
            }
            Err(error) => panic!("{arguments:?}: {error}"),
        }
    }
}

/// A connection with TLS that speaks this protocol.
async fn tls(address: &str, certificate: &CertificateDer<'static>, protocol: &str) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await.unwrap()
}

#[tokio::test]
async fn both_versions_of_http_share_a_port_with_tls() {
    let _watchdog = watchdog!();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = std::env::temp_dir().join(format!("axum_echo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let echo = Echo::start(&["--tls", certificate.to_str().unwrap(), key.to_str().unwrap()]);
    std::fs::remove_dir_all(&folder).unwrap();

    let stream = tls(&echo.address, made.cert.der(), "http/1.1").await;
    let mut socket = client(stream, "wss://localhost/", &ClientConfig::new()).await.unwrap();
    socket.send("Hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("Hello"));

    let stream = tls(&echo.address, made.cert.der(), "h2").await;
    let mut socket = http2_on(stream, "https://localhost", "/").await.unwrap();
    socket.send("Hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("Hello"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_closes_all_with_1001_and_ends_the_process() {
    let _watchdog = watchdog!();
    let mut echo = Echo::start(&[]);
    let mut by_1 = echo.connect(&ClientConfig::new()).await.unwrap();
    let mut by_2 = over_http2(&echo.address, "/").await.unwrap();
    for text in ["Hello", "again"] {
        by_1.send(text).await.unwrap();
        assert_eq!(by_1.recv().await.unwrap().unwrap().as_text(), Some(text));
        by_2.send(text).await.unwrap();
        assert_eq!(by_2.recv().await.unwrap().unwrap().as_text(), Some(text));
    }
    let signalled = Command::new("kill").args(["-INT", &echo.process.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    let (one, two) = tokio::join!(by_1.recv(), by_2.recv());
    assert!(one.unwrap().is_none() && two.unwrap().is_none());
    for close in [by_1.received_close(), by_2.received_close()] {
        assert_eq!(close.unwrap().code(), Some(CloseCode::GOING_AWAY));
    }
    drop((by_1, by_2));
    let ended = tokio::task::spawn_blocking(move || echo.process.wait().unwrap());
    assert!(ended.await.unwrap().success());
}
