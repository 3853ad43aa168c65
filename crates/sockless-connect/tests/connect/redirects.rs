//! Redirects: reported with where they point to, and followed only on request.

use sockless_connect::{Connect, ConnectError, Response, Tls};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::certificates::{open_acceptor, Authority};
use crate::ways::WAYS;
use crate::{answer_to, both, listener, read_head};

/// Answers one request with a redirect to there, and returns its head.
async fn redirect(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), status: u16, location: &str) -> String {
    let head = read_head(stream).await;
    let answer = format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    head
}

/// Answers the next requests with redirects to these places.
async fn redirects(listener: &TcpListener, locations: &[&str]) -> Vec<String> {
    let mut heads = Vec::new();
    for location in locations {
        let (mut stream, _) = listener.accept().await.unwrap();
        heads.push(redirect(&mut stream, 302, location).await);
    }
    heads
}

/// Opens a WebSocket for the next request, and returns its head.
async fn open(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let head = read_head(&mut stream).await;
    stream.write_all(answer_to(&head, "").as_bytes()).await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    head
}

/// With everything that may say who we are, and a subprotocol.
fn known(url: &str) -> Connect {
    let config = sockless_connect::ClientConfig::new().with_field("X-Token", "of-config");
    Connect::new(url)
        .with_config(config)
        .with_bearer("secret")
        .with_cookie("id", "secret")
        .with_field("COOKIE", "secret")
        .with_field("User-Agent", "probe")
        .with_subprotocol("v1")
        .with_redirects(3)
}

#[tokio::test]
async fn a_redirect_is_reported_with_the_whole_url() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (listener, address) = listener().await;
        for (status, location, expected) in [
            (301, "https://b.example", Some("wss://b.example/")),
            (302, "/v2?x", Some("ws://HOST/v2?x")),
            (303, "room", Some("ws://HOST/chat/room")),
            (307, "//c.example:81/a", Some("ws://c.example:81/a")),
            (308, "ws://d.example/", Some("ws://d.example/")),
            (300, "https://b.example", None),
            (304, "https://b.example", None),
            (302, "mailto:a@b.example", None),
            (302, "https://user:secret@b.example/", None),
        ] {
            let server = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                redirect(&mut stream, status, location).await
            };
            let client = async { way.connect(&Connect::new(format!("ws://{address}/chat/"))).await };
            let (_, connected) = both(server, client).await;
            let error = connected.unwrap_err();
            let ConnectError::Rejected(response) = &error else { panic!("{error:?}") };
            assert_eq!((response.status(), response.field("location")), (status, Some(location)));
            let location = response.location().map(|uri| uri.to_string().replace(&address, "HOST"));
            assert_eq!(location.as_deref(), expected);
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    }
}

#[tokio::test]
async fn redirects_within_one_origin_are_followed_with_everything() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (listener, address) = listener().await;
        let whole = format!("http://{address}/c");
        let server = async {
            let mut heads = redirects(&listener, &["b", &whole]).await;
            heads.push(open(&listener).await);
            heads
        };
        let client = async {
            way.connect(&known(&format!("ws://{address}/a"))).await.map(|(_, response)| response.status())
        };
        let (heads, status) = both(server, client).await;
        assert_eq!(status.unwrap(), 101);
        for (head, path) in heads.iter().zip(["/a", "/b", "/c"]) {
            assert!(head.starts_with(&format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n")), "{head}");
            for line in [
                "Authorization: Bearer secret",
                "Cookie: id=secret",
                "X-Token: of-config",
                "User-Agent: probe",
                "Sec-WebSocket-Protocol: v1",
            ] {
                assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
            }
        }
    }
}

#[tokio::test]
async fn req_t_cli_1_another_origin_is_told_no_secrets_and_neither_is_who_comes_after_it() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (first, first_address) = listener().await;
        // Another port is another origin (RFC 6454 section 4).
        let (second, second_address) = listener().await;
        let (to_second, to_first) = (format!("ws://{second_address}/b"), format!("ws://{first_address}/c"));
        let server = async {
            let mut heads = redirects(&first, &[&to_second]).await;
            heads.extend(redirects(&second, &[&to_first]).await);
            heads.push(open(&first).await);
            heads
        };
        let client = async { way.connect(&known(&format!("ws://{first_address}/a"))).await.map(drop) };
        let (heads, connected) = both(server, client).await;
        connected.unwrap();
        let secrets = |head: &str| ["secret", "X-Token"].map(|word| head.contains(word));
        assert_eq!(secrets(&heads[0]), [true, true]);
        for head in &heads[1..] {
            assert_eq!(secrets(head), [false, false], "{head}");
            // Nobody but the caller knows which field is a key: `X-Api-Key` is one.
            assert!(!head.contains("User-Agent"), "{head}");
            assert!(head.contains("Sec-WebSocket-Protocol: v1\r\n"), "{head}");
        }
    }
}

/// What the user name in a URL is, is told to that origin alone.
#[tokio::test]
async fn credentials_of_the_url_stay_with_its_origin() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (first, first_address) = listener().await;
        let (second, second_address) = listener().await;
        let to_second = format!("ws://{second_address}/b");
        let server = async {
            let mut heads = redirects(&first, &[&format!("http://{first_address}/c"), &to_second]).await;
            heads.push(open(&second).await);
            heads
        };
        let connect = Connect::new(format!("ws://user:word@{first_address}/a"))
            .with_url_credentials()
            .with_redirects(2);
        let (heads, connected) = both(server, async { way.connect(&connect).await.map(drop) }).await;
        connected.unwrap();
        let known: Vec<_> =
            heads.iter().map(|head| head.contains("Authorization: Basic dXNlcjp3b3Jk\r\n")).collect();
        assert_eq!(known, [true, true, false]);
    }
}

#[tokio::test]
async fn a_loop_ends_at_the_number_that_was_set() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let (listener, address) = listener().await;
        for most in [1, 3] {
            let locations = vec!["/"; usize::from(most) + 1];
            let connect = Connect::new(format!("ws://{address}/")).with_redirects(most);
            let (heads, connected) = both(redirects(&listener, &locations), way.connect(&connect)).await;
            assert_eq!(heads.len(), locations.len());
            let error = connected.unwrap_err();
            assert!(matches!(error, ConnectError::TooManyRedirects(_)), "{error:?}");
            assert_eq!(error.response().map(Response::status), Some(302));
        }
    }
}

#[tokio::test]
async fn a_redirect_from_tls_to_none_is_not_followed() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let authority = Authority::new();
        let acceptor = open_acceptor(&authority.identity("127.0.0.1"));
        let (secure, secure_address) = listener().await;
        let (plain, plain_address) = listener().await;
        let location = format!("http://{plain_address}/");
        let server = async {
            let (stream, _) = secure.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            redirect(&mut stream, 302, &location).await;
        };
        let tls = Tls::new().with_root_pem(authority.pem()).unwrap().with_added_roots_only();
        let connect = Connect::new(format!("wss://{secure_address}/")).with_tls(tls).with_redirects(5);
        let (_, connected) = both(server, way.connect(&connect)).await;
        let error = connected.unwrap_err();
        assert!(matches!(error, ConnectError::Rejected(_)), "{error:?}");
        let expected = format!("ws://{plain_address}/");
        assert_eq!(error.response().and_then(Response::location).map(ToString::to_string), Some(expected));
        let connected = tokio::time::timeout(std::time::Duration::from_millis(100), plain.accept());
        assert!(connected.await.is_err(), "no connection was made");
    }
}
