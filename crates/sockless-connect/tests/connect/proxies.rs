//! Through a proxy: what it is asked, what it opens, and how it refuses.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use sockless_connect::sockless::proxy::{Socks5Rejection, Socks5RequestError};
use sockless_connect::{
    ClientConfig, Connect, ConnectError, Proxies, Proxy, ProxyError, Stage, Timeouts, Tls,
};
use tokio::io::{copy_bidirectional, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::certificates::{open_acceptor, Authority};
use crate::ways::{Way, WAYS};
use crate::{answer_to, both, listener, read_head, within};

trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

/// Connects a client of an HTTP proxy to where it asks for. Returns the head.
async fn http_proxy(mut stream: impl Duplex) -> io::Result<String> {
    let head = read_head(&mut stream).await;
    let target = head.strip_prefix("CONNECT ").unwrap().split_once(' ').unwrap().0;
    let mut server = TcpStream::connect(target).await?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n").await?;
    // How the two part is not the proxy's concern.
    let _ = copy_bidirectional(&mut stream, &mut server).await;
    Ok(head)
}

/// Connects a client of a SOCKS5 proxy to this port of this machine, whatever it asks for. Returns what it sent.
async fn socks5_proxy(mut stream: TcpStream, asks_for_password: bool, port: u16) -> io::Result<Vec<Vec<u8>>> {
    let mut sent = Vec::new();
    let mut read = |octets: Vec<u8>| sent.push(octets);
    let mut methods = vec![0; 2];
    stream.read_exact(&mut methods).await?;
    methods.resize(2 + usize::from(methods[1]), 0);
    stream.read_exact(&mut methods[2..]).await?;
    read(methods);
    stream.write_all(&[5, if asks_for_password { 2 } else { 0 }]).await?;
    if asks_for_password {
        let mut credentials = vec![stream.read_u8().await?];
        for _ in 0..2 {
            let len = stream.read_u8().await?;
            let mut text = vec![0; len.into()];
            stream.read_exact(&mut text).await?;
            credentials.push(len);
            credentials.extend(text);
        }
        read(credentials);
        stream.write_all(&[1, 0]).await?;
    }
    let mut request = vec![0; 5];
    stream.read_exact(&mut request).await?;
    // A name, an address of IPv6, or one of IPv4; then the port.
    let len = match request[3] {
        3 => usize::from(request[4]) + 2,
        4 => 15 + 2,
        _ => 3 + 2,
    };
    request.resize(5 + len, 0);
    stream.read_exact(&mut request[5..]).await?;
    read(request);
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80]).await?;
    // How the two part is not the proxy's concern.
    let _ = copy_bidirectional(&mut stream, &mut server).await;
    Ok(sent)
}

/// Opens a WebSocket for one client, sends a message, and reads to the end.
async fn serve(mut stream: impl Duplex) {
    let head = read_head(&mut stream).await;
    stream.write_all(answer_to(&head, "").as_bytes()).await.unwrap();
    stream.write_all(b"\x81\x05Hello\x88\x00").await.unwrap();
    let mut close = [0; 6];
    stream.read_exact(&mut close).await.unwrap();
    assert_eq!(close[..2], [0x88, 0x80]);
    let _ = stream.shutdown().await;
}

/// Gets the message of [`serve`].
async fn talk(way: Way, connect: &Connect) -> Result<(), ConnectError> {
    let (mut socket, _) = way.connect(connect).await?;
    assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("Hello"));
    assert!(socket.recv().await.unwrap().is_none());
    assert_eq!(socket.closed().unwrap().status, 1005);
    Ok(())
}

async fn accepted(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

#[tokio::test]
async fn an_http_proxy_is_asked_and_the_server_is_not_told() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let ((server, server_address), (proxy, proxy_address)) = (listener().await, listener().await);
        let settings = Proxy::new(&format!("http://me:pass%20word@{proxy_address}")).unwrap();
        let connect = Connect::new(format!("ws://{server_address}/chat"))
            .with_proxy(settings.with_field("User-Agent", "probe"))
            .with_bearer("secret");
        let proxying = async { http_proxy(accepted(&proxy).await).await.unwrap() };
        let serving = async {
            let mut stream = accepted(&server).await;
            let head = read_head(&mut stream).await;
            stream.write_all(answer_to(&head, "").as_bytes()).await.unwrap();
            head
        };
        let client = async { way.connect(&connect).await.map(|(_, response)| response.status()) };
        let ((asked, head), status) = both(async { tokio::join!(proxying, serving) }, client).await;
        assert_eq!(status.unwrap(), 101);
        let expected = format!(
            "CONNECT {server_address} HTTP/1.1\r\nHost: {server_address}\r\n\
         Proxy-Authorization: Basic bWU6cGFzcyB3b3Jk\r\nUser-Agent: probe\r\n\r\n"
        );
        assert_eq!(asked, expected, "and nothing that is the server's");
        assert!(head.contains("Authorization: Bearer secret\r\n") && !head.contains("Proxy-"), "{head}");
    }
}

#[tokio::test]
async fn tls_goes_through_a_proxy_that_is_over_tls_itself() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (authority, of_proxy) = (Authority::new(), Authority::named("proxy"));
        let acceptor = open_acceptor(&authority.identity("127.0.0.1"));
        let proxy_acceptor = open_acceptor(&of_proxy.identity("127.0.0.1"));
        let trusting = |authority: &Authority| {
            Tls::new().with_root_pem(authority.pem()).unwrap().with_added_roots_only()
        };
        for scheme in ["http", "https"] {
            let ((server, server_address), (proxy, proxy_address)) = (listener().await, listener().await);
            let settings =
                Proxy::new(&format!("{scheme}://{proxy_address}")).unwrap().with_tls(trusting(&of_proxy));
            let connect = Connect::new(format!("wss://{server_address}/"))
                .with_tls(trusting(&authority))
                .with_proxy(settings);
            let proxying = async {
                let stream = accepted(&proxy).await;
                let _ = match scheme {
                    "http" => http_proxy(stream).await,
                    _ => http_proxy(proxy_acceptor.accept(stream).await.unwrap()).await,
                };
            };
            let serving = async { serve(acceptor.accept(accepted(&server).await).await.unwrap()).await };
            let (_, talked) = both(async { tokio::join!(proxying, serving) }, talk(way, &connect)).await;
            talked.unwrap();
        }
    }
}

#[tokio::test]
async fn a_proxy_over_tls_that_is_not_trusted_is_not_asked() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let acceptor = open_acceptor(&Authority::new().identity("127.0.0.1"));
        let (proxy, proxy_address) = listener().await;
        let connect = Connect::new("ws://server.invalid/")
            .with_proxy(Proxy::new(&format!("https://{proxy_address}")).unwrap());
        let proxying = async { acceptor.accept(accepted(&proxy).await).await.is_err() };
        let (failed, connected) = both(proxying, way.connect(&connect)).await;
        let error = connected.unwrap_err();
        assert!(matches!(error, ConnectError::Proxy(ProxyError::Tls(_))), "{error:?}");
        assert!(failed);
    }
}

#[tokio::test]
async fn socks5_looks_names_up_there_or_here() {
    let _watchdog = watchdog!();
    for way in WAYS {
        for (scheme, with_password) in [("socks5h", false), ("socks5h", true), ("socks5", false)] {
            let ((server, _), (proxy, proxy_address)) = (listener().await, listener().await);
            let port = server.local_addr().unwrap().port();
            // Only the proxy can know this name.
            let host = if scheme == "socks5" { "localhost" } else { "server.invalid" };
            let mut settings = Proxy::new(&format!("{scheme}://{proxy_address}")).unwrap();
            if with_password {
                settings = settings.with_credentials("me", "word");
            }
            let connect = Connect::new(format!("ws://{host}:{port}/")).with_proxy(settings);
            let proxying = async { socks5_proxy(accepted(&proxy).await, with_password, port).await.unwrap() };
            let serving = async { serve(accepted(&server).await).await };
            let ((sent, ()), talked) =
                both(async { tokio::join!(proxying, serving) }, talk(way, &connect)).await;
            talked.unwrap();
            assert_eq!(sent[0], if with_password { &[5, 2, 0, 2][..] } else { &[5, 1, 0] });
            if with_password {
                assert_eq!(sent[1], b"\x01\x02me\x04word");
            }
            let asked = sent.last().unwrap();
            let expected = match scheme {
                "socks5h" => [&b"\x05\x01\x00\x03\x0eserver.invalid"[..], &port.to_be_bytes()].concat(),
                _ => [&b"\x05\x01\x00\x01\x7f\x00\x00\x01"[..], &port.to_be_bytes()].concat(),
            };
            // The name may stand for ::1 as well.
            let for_v6 =
                [&b"\x05\x01\x00\x04"[..], &std::net::Ipv6Addr::LOCALHOST.octets(), &port.to_be_bytes()]
                    .concat();
            assert!(*asked == expected || scheme == "socks5" && *asked == for_v6, "{scheme}: {asked:?}");
        }
    }
}

#[tokio::test]
async fn each_refusal_of_a_proxy_is_its_own() {
    let _watchdog = watchdog!();
    for way in WAYS {
        type Check = fn(&ProxyError) -> bool;
        let cases: [(&str, &[u8], Check); 8] = [
            (
                "http",
                b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"a\"\r\nContent-Length: 0\r\n\r\n",
                |error| {
                    matches!(error, ProxyError::Rejected(response)
                if response.status() == 407 && response.field("Proxy-Authenticate") == Some("Basic realm=\"a\""))
                },
            ),
            (
                "http",
                b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>",
                |error| matches!(error, ProxyError::Rejected(response) if response.status() == 502),
            ),
            (
                "http",
                b"HTTP/1.1 403 No\r\nServer: a\r\nX",
                |error| matches!(error, ProxyError::Rejected(response) if response.status() == 403),
            ),
            ("http", b"SSH-2.0-OpenSSH\r\n", |error| matches!(error, ProxyError::Failed(_))),
            (
                "http",
                b"HTTP/1.1 200 OK\r\n\r\nmore",
                |error| matches!(error, ProxyError::Failed(error) if error.kind() == io::ErrorKind::InvalidData),
            ),
            (
                "http",
                b"",
                |error| matches!(error, ProxyError::Failed(error) if error.kind() == io::ErrorKind::UnexpectedEof),
            ),
            ("socks5h", b"\x05\xff", |error| {
                matches!(error, ProxyError::Socks5(Socks5Rejection::NoAcceptableMethod))
            }),
            ("socks5h", b"HTTP/1.1 400 Bad Request\r\n\r\n", |error| matches!(error, ProxyError::Failed(_))),
        ];
        for (at, (scheme, answer, is_right)) in cases.into_iter().enumerate() {
            let (proxy, address) = listener().await;
            let connect = Connect::new("ws://server.invalid/")
                .with_proxy(Proxy::new(&format!("{scheme}://{address}")).unwrap());
            let proxying = async {
                let mut stream = accepted(&proxy).await;
                let mut asked = [0; 1024];
                assert_ne!(stream.read(&mut asked).await.unwrap(), 0);
                // Whoever has seen enough may be gone.
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            };
            let (_, connected) = both(proxying, way.connect(&connect)).await;
            let error = connected.unwrap_err();
            assert_eq!(error.stage(), Some(Stage::Proxy), "{at}: {error:?}");
            let ConnectError::Proxy(error) = error else { panic!("{at}: {error:?}") };
            assert!(is_right(&error), "{at}: {error:?}");
            assert!(!format!("{error:?}").contains("realm"));
        }
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_from_a_server_that_is_not_there() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (gone, address) = listener().await;
        drop(gone);
        let proxy = Proxy::new(&format!("http://{address}")).unwrap();
        let error = way.connect(&Connect::new("ws://server.invalid/").with_proxy(proxy)).await.unwrap_err();
        assert!(
            matches!(&error, ConnectError::Proxy(ProxyError::Unreachable(error)) if error.kind() == io::ErrorKind::ConnectionRefused),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_silent_proxy_is_given_up_in_time() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let limit = Duration::from_millis(400);
        for scheme in ["http", "https", "socks5h"] {
            let (proxy, address) = listener().await;
            let connect = within(limit, "ws://server.invalid/")
                .with_proxy(Proxy::new(&format!("{scheme}://{address}")).unwrap());
            let began = Instant::now();
            let silence = async {
                let stream = accepted(&proxy).await;
                tokio::time::sleep(limit * 3).await;
                drop(stream);
            };
            let client = async { (way.connect(&connect).await.unwrap_err(), began.elapsed()) };
            let ((), (error, took)) = both(silence, client).await;
            assert!(matches!(error, ConnectError::TimedOut(Stage::Proxy)), "{scheme}: {error:?}");
            assert!(took >= limit && took < limit + Duration::from_secs(1), "{took:?}");
        }
    }
}

/// RFC 1929 section 2: neither is empty.
#[tokio::test]
async fn credentials_that_socks5_cannot_hold_are_not_sent() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (proxy, address) = listener().await;
        let settings = Proxy::new(&format!("socks5h://{address}")).unwrap().with_credentials("", "word");
        let connect = Connect::new("ws://server.invalid/").with_proxy(settings);
        let proxying = async {
            let mut octets = Vec::new();
            accepted(&proxy).await.read_to_end(&mut octets).await.unwrap();
            octets
        };
        let (octets, connected) = both(proxying, way.connect(&connect)).await;
        let error = connected.unwrap_err();
        let expected = Socks5RequestError::UsernameLength;
        assert!(
            matches!(error, ConnectError::Proxy(ProxyError::Request(met)) if met == expected),
            "{error:?}"
        );
        assert_eq!(octets, b"");
    }
}

#[tokio::test]
async fn what_a_proxy_says_in_a_refusal_is_read_up_to_a_bound_and_in_time() {
    let _watchdog = watchdog!();
    let page = "<html>".repeat(1000);
    let head = "HTTP/1.1 502 Bad Gateway\r\n";
    // The rest of the answer, whether the proxy ends then, and what is read of the body.
    let cases = [
        (String::from("Content-Length: 6\r\n\r\n<html>"), false, "<html>", true),
        (
            String::from("Transfer-Encoding: chunked\r\n\r\n3\r\n<ht\r\n3\r\nml>\r\n0\r\n\r\n"),
            false,
            "<html>",
            true,
        ),
        (format!("\r\n{page}"), true, &page, true),
        (String::from("Content-Length: 9\r\n\r\n<html>"), true, "<html>", false),
        // It is silent then.
        (String::from("Content-Length: 9\r\n\r\n<html>"), false, "<html>", false),
        (format!("Content-Length: 60000\r\n\r\n{page}{page}"), false, &page[..], false),
        // And nothing says where the body ends: then it does not take the whole time.
        (String::from("\r\n<html>"), false, "<html>", false),
    ];
    for way in WAYS {
        for (at, (rest, ends, body, is_complete)) in cases.iter().enumerate() {
            let (limit, most) = if at == 6 { (15_000, 6000) } else { (400, 1400) };
            let (proxy, address) = listener().await;
            let mut timeouts = Timeouts::NONE;
            timeouts.opening = Some(Duration::from_millis(limit));
            let config = ClientConfig::new().with_timeouts(timeouts).with_max_rejection_body(page.len());
            let connect = Connect::new("ws://server.invalid/")
                .with_config(config)
                .with_proxy(Proxy::new(&format!("http://{address}")).unwrap());
            let proxying = async {
                let mut stream = accepted(&proxy).await;
                read_head(&mut stream).await;
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(rest.as_bytes()).await.unwrap();
                if *ends {
                    stream.shutdown().await.unwrap();
                }
                let _ = stream.read_to_end(&mut Vec::new()).await;
            };
            let began = Instant::now();
            let (_, connected) = both(proxying, way.connect(&connect)).await;
            let error = connected.unwrap_err();
            let ConnectError::Proxy(ProxyError::Rejected(response)) = error else {
                panic!("{at}: {error:?}")
            };
            let text = std::str::from_utf8(response.body()).unwrap();
            assert_eq!(
                (response.status(), text, response.is_complete()),
                (502, *body, *is_complete),
                "{way:?}, {at}"
            );
            assert!(began.elapsed() < Duration::from_millis(most), "{way:?}, {at}");
        }
    }
}

/// What these variables say, and no others.
fn variables(set: &[(&str, &str)]) -> Proxies {
    let set: HashMap<_, _> = set.iter().copied().collect();
    Proxies::from_variables(|name| set.get(name).map(Into::into))
}

#[tokio::test]
async fn variables_choose_the_proxy_for_each_server() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let ((server, server_address), (proxy, proxy_address)) = (listener().await, listener().await);
        let url = format!("ws://{server_address}/");
        let through = Connect::new(&url).with_proxies(variables(&[("http_proxy", &proxy_address)]));
        let proxying = async { http_proxy(accepted(&proxy).await).await.unwrap() };
        let serving = async { serve(accepted(&server).await).await };
        let ((head, ()), talked) = both(async { tokio::join!(proxying, serving) }, talk(way, &through)).await;
        talked.unwrap();
        assert!(head.starts_with(&format!("CONNECT {server_address} ")), "{head}");
        // Nobody is behind this proxy.
        let excepted = [("http_proxy", "127.0.0.1:1"), ("no_proxy", &server_address)];
        let direct = Connect::new(&url).with_proxies(variables(&excepted));
        let (_, talked) = both(async { serve(accepted(&server).await).await }, talk(way, &direct)).await;
        talked.unwrap();
    }
}

#[tokio::test]
async fn variables_that_cannot_be_read_are_an_error_before_connecting() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (server, address) = listener().await;
        let unusable = variables(&[("ALL_PROXY", "socks4://127.0.0.1:1")]);
        let connect = Connect::new(format!("ws://{address}/")).with_proxies(unusable);
        let error = way.connect(&connect).await.unwrap_err();
        let ConnectError::ProxyVariable(problem) = &error else { panic!("{error:?}") };
        assert_eq!((problem.name(), error.stage()), ("ALL_PROXY", None));
        assert!(error.to_string().contains("SOCKS4"), "{error}");
        let connected = tokio::time::timeout(Duration::from_millis(100), server.accept());
        assert!(connected.await.is_err(), "no connection was made");
    }
}

/// This program is started again with another environment, since it cannot change its own safely.
#[tokio::test]
async fn the_environment_of_the_process_is_read() {
    const IS_CHILD: &str = "SOCKLESS_CONNECT_TEST_CHILD";
    let _watchdog = watchdog!();
    if std::env::var_os(IS_CHILD).is_some() {
        let connect = Connect::new("ws://server.invalid/").with_proxy_from_environment();
        for way in WAYS {
            let error = way.connect(&connect).await.unwrap_err();
            assert!(matches!(error, ConnectError::ProxyVariable(_)), "{error:?}");
        }
        return;
    }
    let name = "proxies::the_environment_of_the_process_is_read";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name]).env(IS_CHILD, "1").env("ws_proxy", "socks4://127.0.0.1");
    let output = child.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}
