//! What a client sends: each setting is seen in the head, and what no head can hold is found out before.

use sockless_connect::sockless::handshake::{ComposeError, UriError};
use sockless_connect::{Connect, ConnectError};

use crate::ways::{Way, WAYS};
use crate::{both, listener, read_head};

/// The head that a client sends.
async fn head_of(way: Way, set: impl FnOnce(Connect) -> Connect, user_info: &str) -> String {
    let (listener, address) = listener().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await
    };
    let connect = set(Connect::new(format!("ws://{user_info}{address}/chat?room=1")));
    let (head, connected) = both(server, way.connect(&connect)).await;
    assert!(matches!(connected, Err(ConnectError::Handshake(_))), "nobody answers: {connected:?}");
    head.replace(&address, "HOST")
}

/// The values of the fields with this name.
fn values<'h>(head: &'h str, name: &str) -> Vec<&'h str> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[tokio::test]
async fn without_settings_compression_is_offered_and_nothing_else() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let head = head_of(way, |connect| connect, "").await;
        assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\nHost: HOST\r\n"), "{head}");
        let names: Vec<_> = head.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
        let expected = [
            "Host",
            "Upgrade",
            "Connection",
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Extensions",
        ];
        assert_eq!(names, expected);
        assert_eq!(values(&head, "Sec-WebSocket-Extensions"), ["permessage-deflate; client_max_window_bits"]);

        let head = head_of(way, Connect::without_deflate, "").await;
        assert_eq!(values(&head, "Sec-WebSocket-Extensions"), [""; 0]);
    }
}

#[tokio::test]
async fn each_setting_is_seen_in_the_request() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let set = |connect: Connect| {
            connect
                .with_field("User-Agent", "probe/1")
                .with_field("X-Twice", "a")
                .with_field("X-Twice", "b")
                .with_cookie("id", "7")
                .with_cookie("theme", "\"dark\"")
                .with_bearer("abc.def")
                .with_subprotocol("v2")
                .with_subprotocol("v1")
                .with_origin("https://example.com")
        };
        let head = head_of(way, set, "").await;
        for (name, expected) in [
            ("User-Agent", &["probe/1"][..]),
            ("X-Twice", &["a", "b"]),
            ("Cookie", &["id=7; theme=\"dark\""]),
            ("Authorization", &["Bearer abc.def"]),
            ("Sec-WebSocket-Protocol", &["v2, v1"]),
            ("Origin", &["https://example.com"]),
        ] {
            assert_eq!(values(&head, name), expected, "{name}");
        }
    }
}

/// What a case sets, the user info of its URL, and the values of `Authorization`.
type Credentials = (fn(Connect) -> Connect, &'static str, &'static [&'static str]);

#[tokio::test]
async fn the_credentials_that_were_set_last_are_sent_once() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let cases: [Credentials; 5] = [
            (
                |connect| connect.with_basic("Aladdin", "open sesame"),
                "",
                &["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="],
            ), // RFC 7617 section 2
            (|connect| connect.with_basic("test", "123\u{a3}"), "", &["Basic dGVzdDoxMjPCow=="]), // section 2.1
            (|connect| connect.with_basic("a", "b").with_bearer("c"), "", &["Bearer c"]),
            (
                Connect::with_url_credentials,
                "Aladdin:open%20sesame@",
                &["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="],
            ),
            (|connect| connect.with_url_credentials().with_bearer("c"), "a:b@", &["Bearer c"]),
        ];
        for (set, user_info, expected) in cases {
            let head = head_of(way, set, user_info).await;
            assert_eq!(values(&head, "Authorization"), expected, "{head}");
            assert!(
                head.starts_with("GET /chat?room=1 HTTP/1.1\r\nHost: HOST\r\n"),
                "they are sent nowhere else"
            );
        }
    }
}

#[tokio::test]
async fn what_no_request_can_hold_is_refused_before_a_connection_is_made() {
    let _watchdog = watchdog!();
    for way in WAYS {
        type Set = fn(Connect) -> Connect;
        let cases: [(Set, ComposeError); 11] = [
            (|connect| connect.with_field("X", "a\r\nb"), ComposeError::InvalidValue),
            (|connect| connect.with_field("X Y", "a"), ComposeError::InvalidName),
            (|connect| connect.with_field("Host", "a"), ComposeError::ReservedField),
            (|connect| connect.with_cookie("a", "b; admin=1"), ComposeError::InvalidValue),
            (|connect| connect.with_cookie("a", "b\r\nX: c"), ComposeError::InvalidValue),
            (|connect| connect.with_cookie("a b", "c"), ComposeError::InvalidName),
            (|connect| connect.with_cookie("", "c"), ComposeError::InvalidName),
            (|connect| connect.with_basic("a:b", "c"), ComposeError::InvalidValue),
            (|connect| connect.with_basic("a", "b\nc"), ComposeError::InvalidValue),
            (|connect| connect.with_subprotocol("a").with_subprotocol("a"), ComposeError::InvalidSubprotocol),
            (|connect| connect.with_origin("a\r\nb"), ComposeError::InvalidValue),
        ];
        let (listener, address) = listener().await;
        for (at, (set, expected)) in cases.into_iter().enumerate() {
            let error = way.connect(&set(Connect::new(format!("ws://{address}/")))).await.unwrap_err();
            assert!(matches!(error, ConnectError::InvalidRequest(met) if met == expected), "{at}: {error:?}");
            assert_eq!(error.stage(), None);
        }
        for token in ["", " ", "a\r\nb", "a b", "a\n", "caf\u{e9}"] {
            let connect = Connect::new(format!("ws://{address}/")).with_bearer(token);
            let error = way.connect(&connect).await.unwrap_err();
            assert!(matches!(error, ConnectError::InvalidToken), "{token:?}: {error:?}");
            assert_eq!((error.stage(), error.is_temporary()), (None, false));
        }
        for (url, expected) in [
            (format!("ws://user:secret@{address}/"), UriError::UserInfo),
            (format!("ws://{address}/#a"), UriError::Fragment),
            (format!("ftp://{address}/"), UriError::Scheme),
            ("ws:///".into(), UriError::Host),
            ("ws://127.0.0.1:0/".into(), UriError::Port),
        ] {
            let error = way.connect(&Connect::new(&url)).await.unwrap_err();
            assert!(matches!(error, ConnectError::InvalidUrl(met) if met == expected), "{url}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
        let connected = tokio::time::timeout(std::time::Duration::from_millis(100), listener.accept());
        assert!(connected.await.is_err(), "no connection was made");
    }
}

#[test]
fn nothing_secret_is_printed() {
    let connect = Connect::new("wss://me:secret@example.com/secret?secret")
        .with_url_credentials()
        .with_field("X", "secret")
        .with_cookie("secret", "secret")
        .with_bearer("secret")
        .with_origin("secret")
        .with_subprotocol("secret");
    let printed = format!("{connect:?}");
    assert!(!printed.contains("secret"), "{printed}");
    assert!(printed.contains("example.com"), "{printed}");
}
