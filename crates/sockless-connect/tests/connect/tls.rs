//! `wss:`: who is trusted, who we are, and what is agreed on.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sockless_connect::sockless::blocking::BlockingTransport;
use sockless_connect::sockless::handshake::OriginPolicy;
use sockless_connect::sockless::tokio::accept;
use sockless_connect::sockless::ServerConfig;
use sockless_connect::{blocking, CloseCode, Connect, ConnectError, Stage, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_blocking;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, HandshakeKind, ProtocolVersion};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::certificates::{acceptor, open_acceptor, Authority, Identity};
use crate::ways::{Way, WAYS};
use crate::{both, listener, within};

/// What a server saw of one client that was let in.
#[derive(Debug, PartialEq)]
struct Seen {
    alpn: Option<Vec<u8>>,
    version: Option<ProtocolVersion>,
    has_certificate: bool,
    kind: Option<HandshakeKind>,
}

/// Serves one client: what was seen of it, and its messages back.
async fn serve(listener: &TcpListener, acceptor: &TlsAcceptor) -> io::Result<Seen> {
    let (stream, _) = listener.accept().await?;
    let stream = match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => stream,
        Err((error, mut stream)) => {
            // What the client still sends is read, so that closing is no reset, which could overtake our reason.
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return Err(error);
        }
    };
    let tls = stream.get_ref().1;
    let seen = Seen {
        alpn: tls.alpn_protocol().map(<[u8]>::to_vec),
        version: tls.protocol_version(),
        has_certificate: tls.peer_certificates().is_some(),
        kind: tls.handshake_kind(),
    };
    let mut socket = accept(stream, &ServerConfig::new(OriginPolicy::Any)).await.map_err(io::Error::other)?;
    while let Some((message, mut outgoing)) = socket.recv_with().await.map_err(io::Error::other)? {
        outgoing.send(message).await.map_err(io::Error::other)?;
    }
    Ok(seen)
}

/// Sends a message, gets it back, and closes.
async fn talk(way: Way, connect: &Connect) -> Result<(), ConnectError> {
    let (mut socket, response) = way.connect(connect).await?;
    assert_eq!(response.status(), 101);
    let long = "long ".repeat(100_000);
    for text in ["Hello", long.as_str()] {
        socket.send(text).await.unwrap();
        assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some(text));
    }
    assert!(socket.nodelay_and_peer().unwrap().0);
    socket.close(CloseCode::NORMAL).await.unwrap();
    assert!(socket.closed().unwrap().clean);
    Ok(())
}

/// Trusts this authority beside the system's.
fn trusting(authority: &Authority) -> Tls {
    Tls::new().with_root_pem(authority.pem()).unwrap()
}

#[tokio::test]
async fn req_6455_10_6_1_a_server_that_is_trusted_is_talked_to_and_the_session_is_kept() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let authority = Authority::new();
        for (version, expected) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
            let (listener, address) = listener().await;
            let acceptor = acceptor(&authority.identity("127.0.0.1"), None, &[version]);
            let connect = Connect::new(format!("wss://{address}/")).with_tls(trusting(&authority));
            for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
                let (seen, talked) = both(serve(&listener, &acceptor), talk(way, &connect)).await;
                talked.unwrap();
                let alpn = Some(b"http/1.1".to_vec());
                let expected =
                    Seen { alpn, version: Some(expected), has_certificate: false, kind: Some(kind) };
                assert_eq!(seen.unwrap(), expected);
            }
        }
    }
}

#[tokio::test]
async fn a_server_is_asked_for_by_the_name_in_the_url() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let authority = Authority::new();
        let (listener, address) = listener().await;
        let acceptor = open_acceptor(&authority.identity("localhost"));
        let url = format!("https://{}/", address.replace("127.0.0.1", "localhost"));
        let connect = Connect::new(url).with_tls(trusting(&authority).with_added_roots_only());
        let (seen, talked) = both(serve(&listener, &acceptor), talk(way, &connect)).await;
        talked.unwrap();
        seen.unwrap();
    }
}

#[tokio::test]
async fn req_6455_4_1_10_a_server_that_is_not_trusted_is_told_nothing() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (authority, other) = (Authority::new(), Authority::named("another"));
        let (good, misnamed, expired) = (
            authority.identity("127.0.0.1"),
            authority.identity("localhost"),
            authority.expired("127.0.0.1"),
        );
        let cases: [(&str, &Identity, Tls, &str); 5] = [
            ("of an authority that the system does not know", &good, Tls::new(), "UnknownIssuer"),
            ("of another authority", &good, trusting(&other).with_added_roots_only(), "UnknownIssuer"),
            ("for another name", &misnamed, trusting(&authority), "not valid for name"),
            ("expired", &expired, trusting(&authority), "expired"),
            ("nobody is trusted", &good, Tls::new().with_added_roots_only(), "UnknownIssuer"),
        ];
        for (case, identity, tls, reason) in cases {
            let (listener, address) = listener().await;
            let acceptor = open_acceptor(identity);
            let connect = Connect::new(format!("wss://{address}/")).with_tls(tls);
            let (seen, connected) = both(serve(&listener, &acceptor), way.connect(&connect)).await;
            let error = connected.unwrap_err();
            assert!(matches!(&error, ConnectError::Tls(_)), "{case}: {error:?}");
            assert_eq!(error.stage(), Some(Stage::Tls), "{case}");
            assert!(error.to_string().contains(reason), "{case}: {error}");
            assert!(seen.is_err(), "{case}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn a_client_shows_its_certificate_where_it_has_one() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let authority = Authority::new();
        let (us, stranger) = (authority.identity("us"), Authority::named("another").identity("us"));
        let server = authority.identity("127.0.0.1");
        for version in [&TLS12, &TLS13] {
            for (identity, reason) in
                [(Some(&us), None), (None, Some("CertificateRequired")), (Some(&stranger), Some("UnknownCA"))]
            {
                let (listener, address) = listener().await;
                let acceptor = acceptor(&server, Some(&authority), &[version]);
                let mut tls = trusting(&authority);
                if let Some(identity) = identity {
                    tls = tls.with_client_certificate_pem(&identity.chain, &identity.key).unwrap();
                }
                let connect = Connect::new(format!("wss://{address}/")).with_tls(tls);
                let (seen, talked) = both(serve(&listener, &acceptor), talk(way, &connect)).await;
                assert_eq!(
                    seen.as_ref().is_ok_and(|seen| seen.has_certificate),
                    reason.is_none(),
                    "{seen:?}"
                );
                let Some(reason) = reason else {
                    talked.unwrap();
                    continue;
                };
                // In TLS 1.3 the client is done before the server has judged its certificate (RFC 8446 section 4.4.2.4).
                let error = talked.unwrap_err();
                assert!(matches!(&error, ConnectError::Tls(_)), "{error:?}");
                assert!(error.to_string().contains(reason), "{error}");
            }
        }
    }
}

/// Passes on what both sides send, and returns it.
async fn recorded(client: &mut TcpStream, server: &mut TcpStream) -> [Vec<u8>; 2] {
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    let record = async |mut from: ReadHalf<'_>, mut to: WriteHalf<'_>| {
        let (mut all, mut buf) = (Vec::new(), [0; 4096]);
        while let Ok(len @ 1..) = from.read(&mut buf).await {
            all.extend_from_slice(&buf[..len]);
            // The other side may be gone first.
            let _ = to.write_all(&buf[..len]).await;
        }
        let _ = to.shutdown().await;
        all
    };
    let (sent, received) = both(record(from_client, to_server), record(from_server, to_client)).await;
    [sent, received]
}

/// The types of the records (RFC 8446 section 5.1), if there is nothing but records.
fn record_types(mut octets: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [kind, 3, _, high, low, rest @ ..] = octets {
        types.push(*kind);
        octets = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    assert_eq!(octets, b"", "behind {types:?}");
    types
}

#[tokio::test]
async fn req_6455_4_1_9_req_6455_4_1_11_req_6455_4_2_2_1_tls_comes_first_and_all_else_is_in_it() {
    let _watchdog = watchdog!();
    const HANDSHAKE: u8 = 22;
    const APPLICATION_DATA: u8 = 23;
    let authority = Authority::new();
    let identity = authority.identity("127.0.0.1");
    for (way, version) in WAYS.into_iter().flat_map(|way| [(way, &TLS12), (way, &TLS13)]) {
        let ((outer, address), (inner, inner_address)) = (listener().await, listener().await);
        let acceptor = acceptor(&identity, None, &[version]);
        let connect = Connect::new(format!("wss://{address}/path")).with_tls(trusting(&authority));
        let relay = async {
            let (mut client, _) = outer.accept().await.unwrap();
            let mut server = TcpStream::connect(inner_address).await.unwrap();
            recorded(&mut client, &mut server).await
        };
        let ((seen, talked), directions) =
            both(both(serve(&inner, &acceptor), talk(way, &connect)), relay).await;
        talked.unwrap();
        seen.unwrap();
        for octets in directions {
            let types = record_types(&octets);
            assert_eq!(types.first(), Some(&HANDSHAKE));
            assert!(
                types.iter().all(|kind| (20..=23).contains(kind)) && types.contains(&APPLICATION_DATA),
                "{types:?}"
            );
            for word in ["/path", "ebSocket", "long"] {
                let is_there = octets.windows(word.len()).any(|part| part == word.as_bytes());
                assert!(!is_there, "{word} can be read");
            }
        }
    }
}

#[tokio::test]
async fn req_6455_4_1_12_a_name_is_told_before_the_certificate_is_chosen_and_an_address_is_not() {
    let _watchdog = watchdog!();
    let hosts = [("localhost", Some("localhost")), ("127.0.0.1", None)];
    for (way, (host, expected)) in WAYS.into_iter().flat_map(|way| hosts.map(|host| (way, host))) {
        let (listener, address) = listener().await;
        let url = format!("wss://{}/", address.replace("127.0.0.1", host));
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.unwrap();
            start.client_hello().server_name().map(str::to_owned)
        };
        let (name, connected) = both(server, way.connect(&Connect::new(url))).await;
        assert_eq!(name.as_deref(), expected);
        assert!(matches!(connected, Err(ConnectError::Tls(_))), "{way:?}: {connected:?}");
    }
}

#[tokio::test]
async fn req_t_tls_1_http_1_1_is_the_only_protocol_on_offer() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (listener, address) = listener().await;
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.unwrap();
            let offered =
                start.client_hello().alpn().map(|names| names.map(<[u8]>::to_vec).collect::<Vec<_>>());
            offered
        };
        let (offered, connected) =
            both(server, way.connect(&Connect::new(format!("wss://{address}/")))).await;
        assert_eq!(offered, Some(vec![b"http/1.1".to_vec()]), "{way:?}");
        assert!(matches!(connected, Err(ConnectError::Tls(_))), "{way:?}: {connected:?}");
    }
}

/// A server that knows nothing of ALPN speaks HTTP/1.1. One that speaks HTTP/2 alone has nothing to say to us: that is an
/// error of TLS, before any request.
#[tokio::test]
async fn a_server_that_knows_no_alpn_is_talked_to_and_one_without_http_1_1_is_not() {
    let _watchdog = watchdog!();
    let authority = Authority::new();
    let identity = authority.identity("127.0.0.1");
    for (way, version) in WAYS.into_iter().flat_map(|way| [(way, &TLS12), (way, &TLS13)]) {
        for (speaks, chosen) in [
            (&[][..], Some(None)),
            (&["http/1.1"], Some(Some("http/1.1"))),
            (&["h2"], None),
            (&["h2", "http/1.0"], None),
        ] {
            let mut config = rustls::ServerConfig::clone(acceptor(&identity, None, &[version]).config());
            config.alpn_protocols = speaks.iter().map(|name| name.as_bytes().to_vec()).collect();
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let (listener, address) = listener().await;
            let connect = Connect::new(format!("wss://{address}/")).with_tls(trusting(&authority));
            let (seen, talked) = both(serve(&listener, &acceptor), talk(way, &connect)).await;
            let Some(chosen) = chosen else {
                let error = talked.unwrap_err();
                assert!(matches!(&error, ConnectError::Tls(_)), "{way:?} {speaks:?}: {error:?}");
                assert_eq!(error.stage(), Some(Stage::Tls));
                assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
                assert!(seen.is_err(), "{seen:?}");
                continue;
            };
            talked.unwrap();
            assert_eq!(seen.unwrap().alpn.as_deref(), chosen.map(str::as_bytes), "{way:?} {speaks:?}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_not_that_of_the_certificate_is_our_mistake() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let authority = Authority::new();
        let (one, two) = (authority.identity("a"), authority.identity("b"));
        let (listener, address) = listener().await;
        let tls = trusting(&authority).with_client_certificate_pem(&one.chain, &two.key).unwrap();
        let connect = Connect::new(format!("wss://{address}/")).with_tls(tls);
        let accepted = async { listener.accept().await.map(drop) };
        let (_, connected) = both(accepted, way.connect(&connect)).await;
        assert!(matches!(connected, Err(ConnectError::Tls(_))), "{connected:?}");
    }
}

#[test]
fn texts_that_are_no_certificates_are_refused() {
    let identity = Authority::new().identity("a");
    let kind = |result: io::Result<Tls>| result.unwrap_err().kind();
    for text in
        ["", "no certificate", "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n", &identity.key]
    {
        assert_eq!(kind(Tls::new().with_root_pem(text)), io::ErrorKind::InvalidData, "{text}");
        let with = Tls::new().with_client_certificate_pem(text, &identity.key);
        assert_eq!(kind(with), io::ErrorKind::InvalidData, "{text}");
    }
    let without_key = Tls::new().with_client_certificate_pem(&identity.chain, &identity.chain);
    assert_eq!(kind(without_key), io::ErrorKind::InvalidData);
    let tls = Tls::new().with_client_certificate_pem(&identity.chain, &identity.key).unwrap();
    let printed = format!("{tls:?}");
    assert!(printed.contains("has_client_certificate: true") && printed.len() < 200, "{printed}");
}

#[tokio::test]
async fn a_config_of_rustls_is_plugged_in() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let authority = Authority::new();
        let (listener, address) = listener().await;
        let acceptor = open_acceptor(&authority.identity("127.0.0.1"));
        let connect = Connect::new(format!("wss://{address}/")).with_rustls_0_23(own_rustls(&authority));
        let (seen, talked) = both(serve(&listener, &acceptor), talk(way, &connect)).await;
        talked.unwrap();
        assert_eq!(seen.unwrap().version, Some(ProtocolVersion::TLSv1_2));
    }
}

/// The server answers while it is sent to, so that whoever does not read meanwhile would wait for ever.
#[tokio::test]
async fn one_thread_sends_over_tls_while_another_one_receives() {
    let _watchdog = watchdog!();
    let authority = Authority::new();
    let (listener, address) = listener().await;
    let acceptor = open_acceptor(&authority.identity("127.0.0.1"));
    let connect = Connect::new(format!("wss://{address}/")).without_deflate().with_tls(trusting(&authority));
    let text = |at: usize| format!("{at} ").repeat(at * 40);
    let client = spawn_blocking(move || {
        let (socket, _) = connect.connect_blocking().unwrap();
        let (mut receiver, mut sender) = socket.into_split().unwrap();
        let sending = thread::spawn(move || {
            (0..400).for_each(|at| sender.send(text(at).as_str()).unwrap());
            sender
        });
        for at in 0..400 {
            assert_eq!(receiver.recv().unwrap().unwrap().as_text(), Some(text(at).as_str()));
        }
        let mut socket = receiver.reunite(sending.join().unwrap()).unwrap();
        socket.close(CloseCode::NORMAL).unwrap();
        assert!(socket.closed().unwrap().clean);
    });
    let (seen, client) = both(serve(&listener, &acceptor), client).await;
    client.unwrap();
    seen.unwrap();
}

/// Nothing of the opening time is left on it: the answer comes later than that.
#[tokio::test]
async fn a_blocking_stream_over_tls_on_which_nothing_was_asked() {
    let _watchdog = watchdog!();
    let authority = Authority::new();
    let (listener, address) = listener().await;
    let acceptor = open_acceptor(&authority.identity("127.0.0.1"));
    let limit = Duration::from_millis(1500);
    let connect = within(limit, &format!("wss://{address}/")).with_tls(trusting(&authority));
    let server = async {
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        let mut asked = [0; 4];
        stream.read_exact(&mut asked).await.unwrap();
        tokio::time::sleep(limit).await;
        stream.write_all(b"yours").await.unwrap();
        stream.shutdown().await.unwrap();
        asked
    };
    let client = spawn_blocking(move || {
        let mut stream = connect.stream_blocking().unwrap();
        stream.write_all(b"mine").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let (asked, answer) = both(server, client).await;
    assert_eq!((&asked, answer.unwrap().as_str()), (b"mine", "yours"));
}

/// Another library of TLS, as far as the crate can see.
#[tokio::test]
async fn another_library_is_plugged_in() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let authority = Authority::new();
        let (listener, address) = listener().await;
        let acceptor = open_acceptor(&authority.identity("127.0.0.1"));
        let connector = tokio_rustls::TlsConnector::from(own_rustls(&authority));
        let config = own_rustls(&authority);
        let connect = Connect::new(format!("wss://{address}/"));
        let connect = match way {
            Way::Tokio => connect.with_tls_by(move |stream, host| {
                assert_eq!(host, "127.0.0.1");
                let connector = connector.clone();
                async move { connector.connect(host.try_into().unwrap(), stream).await }
            }),
            Way::Blocking => connect.with_tls_by_blocking(move |stream, host| {
                assert_eq!(host, "127.0.0.1");
                let session =
                    rustls::ClientConnection::new(config.clone(), host.try_into().unwrap()).unwrap();
                let mut stream = rustls::StreamOwned::new(session, stream);
                stream.flush()?; // does the handshake
                Ok(Other(stream))
            }),
        };
        let client = async {
            let (mut socket, _) = way.connect(&connect).await?;
            socket.send("Hello").await.unwrap();
            assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("Hello"));
            assert!(socket.nodelay_and_peer().is_none(), "what that library has below is unknown");
            socket.close(CloseCode::NORMAL).await.unwrap();
            Ok::<_, ConnectError>(())
        };
        let (seen, talked) = both(serve(&listener, &acceptor), client).await;
        talked.unwrap();
        assert_eq!(seen.unwrap().version, Some(ProtocolVersion::TLSv1_2));
    }
}

/// What a program has to write for another library: how time and the end are passed on.
struct Other(rustls::StreamOwned<rustls::ClientConnection, blocking::Stream>);

impl Read for Other {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Other {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl BlockingTransport for Other {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.conn.send_close_notify();
        self.0.flush()?;
        self.0.sock.shutdown_write()
    }

    fn limit_read(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.0.sock.limit_read(limit)
    }

    fn limit_write(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.0.sock.limit_write(limit)
    }
}

/// Nothing would end a wait there.
#[tokio::test]
async fn another_stream_that_cannot_limit_its_reads_is_refused() {
    let _watchdog = watchdog!();
    struct Unlimited(blocking::Stream);

    impl Read for Unlimited {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read(buf)
        }
    }

    impl Write for Unlimited {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.0.write(buf)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    impl BlockingTransport for Unlimited {
        fn shutdown_write(&mut self) -> io::Result<()> {
            self.0.shutdown_write()
        }
    }

    let (listener, address) = listener().await;
    let connect =
        Connect::new(format!("wss://{address}/")).with_tls_by_blocking(|stream, _| Ok(Unlimited(stream)));
    let server = async { listener.accept().await.map(drop).unwrap() };
    let ((), connected) = both(server, Way::Blocking.connect(&connect)).await;
    let error = connected.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Tls(error) if error.kind() == io::ErrorKind::Unsupported),
        "{error:?}"
    );
    // It is for the other way, and that has no TLS then.
    let connected = Way::Tokio.connect(&connect).await;
    assert!(matches!(connected, Err(ConnectError::TlsUnavailable)), "{connected:?}");
}

/// A config that is told from ours: TLS 1.2 alone.
fn own_rustls(authority: &Authority) -> Arc<rustls::ClientConfig> {
    use rustls::pki_types::{pem::PemObject, CertificateDer};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS12]).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}
