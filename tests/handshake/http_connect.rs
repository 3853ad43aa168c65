//! The tunnel through an HTTP proxy (RFC 9110 section 9.3.6).

use base64::prelude::{Engine, BASE64_STANDARD};
use proptest::prelude::*;
use sockless::handshake::client::{ClientHandshake, ClientRequest};
use sockless::handshake::{basic_authorization, BodyReader, ComposeError, HandshakeError, HeadLimits, Uri};
use sockless::proxy::{HttpConnect, HttpConnectProgress};

fn tunnel(uri: &str) -> (Uri<'_>, String) {
    let uri = Uri::parse(uri).unwrap();
    let mut storage = [0; 16];
    let tunnel = HttpConnect::new(uri, &mut storage, HeadLimits::DEFAULT);
    let mut out = [0; 512];
    let len = tunnel.write_request(&mut out).unwrap();
    (uri, String::from_utf8(out[..len].to_vec()).unwrap())
}

#[test]
fn req_6455_4_1_5_req_9110_9_3_6_1_a_proxy_is_asked_for_host_and_port() {
    for (uri, authority) in [("wss://h", "h:443"), ("ws://h/a?b", "h:80"), ("ws://[::1]:9", "[::1]:9")] {
        let want = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        assert_eq!(tunnel(uri).1, want);
    }
}

/// What a proxy's answer comes to, whole and octet by octet: its status if it refused, and how many octets were taken.
fn answered(answer: &str) -> Result<(Option<u16>, usize), HandshakeError> {
    answered_bytes(answer.as_bytes())
}

fn answered_bytes(answer: &[u8]) -> Result<(Option<u16>, usize), HandshakeError> {
    let run = |chunk: usize| {
        let mut storage = [0; 1024];
        let mut tunnel = HttpConnect::new(Uri::parse("ws://h").unwrap(), &mut storage, HeadLimits::DEFAULT);
        let mut taken = 0;
        for chunk in answer.chunks(chunk) {
            match tunnel.recv(chunk)? {
                (more, HttpConnectProgress::NeedMore) => taken += more,
                (more, HttpConnectProgress::Open) => return Ok((None, taken + more)),
                (more, HttpConnectProgress::Rejected(rejected)) => {
                    return Ok((Some(rejected.status()), taken + more))
                }
                (_, other) => panic!("{other:?}"),
            }
        }
        panic!("the answer has no end")
    };
    let whole = run(answer.len());
    assert_eq!(whole, run(1));
    whole
}

#[test]
fn req_9110_9_3_6_2_req_t_proxy_2_the_tunnel_begins_after_the_head() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(answered(&format!("{head}\u{16}\u{3}\u{1}")), Ok((None, head.len())));
}

#[test]
fn req_9110_9_3_6_3_any_2xx_opens_the_tunnel_and_nothing_else_does() {
    for status in [200, 204, 299] {
        assert!(matches!(answered(&format!("HTTP/1.1 {status} x\r\n\r\n")), Ok((None, _))));
    }
    for status in [300, 302, 403, 407, 502, 600] {
        let got = answered(&format!("HTTP/1.1 {status} x\r\nProxy-Authenticate: Basic\r\n\r\n"));
        assert_eq!(got.unwrap().0, Some(status));
    }
    assert_eq!(answered("HTTP/1.1 101 x\r\n\r\n"), Err(HandshakeError::InvalidProxyResponse));
    assert_eq!(answered("HTTP/2.0 200 x\r\n\r\n"), Err(HandshakeError::UnsupportedHttpVersion));
    // The challenge is readable.
    let mut storage = [0; 1024];
    let mut tunnel = HttpConnect::new(Uri::parse("ws://h").unwrap(), &mut storage, HeadLimits::DEFAULT);
    let answer = b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"p\"\r\n\r\n";
    let Ok((_, HttpConnectProgress::Rejected(rejected))) = tunnel.recv(answer) else { panic!() };
    assert_eq!(rejected.headers().get("proxy-authenticate"), Some(&b"Basic realm=\"p\""[..]));
}

#[test]
fn req_t_proxy_1_the_proxy_s_credentials_stay_with_the_proxy() {
    let uri = Uri::parse("ws://h").unwrap();
    let mut storage = [0; 16];
    let tunnel =
        HttpConnect::new(uri, &mut storage, HeadLimits::DEFAULT).with_authorization("Basic YTpi").unwrap();
    let mut out = [0; 512];
    let len = tunnel.write_request(&mut out).unwrap();
    assert!(String::from_utf8_lossy(&out[..len]).contains("\r\nProxy-Authorization: Basic YTpi\r\n"));
    assert!(!format!("{tunnel:?}").contains("YTpi"));
    let mut other = [0; 16];
    let handshake = ClientHandshake::new(ClientRequest::new(uri), [7; 16], &mut other, HeadLimits::DEFAULT);
    let len = handshake.write_request(&mut out).unwrap();
    assert!(!String::from_utf8_lossy(&out[..len]).contains("Authorization"));
    let mut storage = [0; 16];
    assert!(HttpConnect::new(uri, &mut storage, HeadLimits::DEFAULT)
        .with_authorization("a\r\nb: c")
        .is_err());
}

/// What follows `Host` in a request that was changed like this.
fn added<'c>(
    storage: &'c mut [u8],
    change: impl FnOnce(HttpConnect<'c>) -> Result<HttpConnect<'c>, ComposeError>,
) -> Result<String, ComposeError> {
    let uri = Uri::parse("ws://h").unwrap();
    let connect = change(HttpConnect::new(uri, storage, HeadLimits::DEFAULT))?;
    let mut out = [0; 1024];
    let len = connect.write_request(&mut out).unwrap();
    for size in 0..len {
        assert_eq!(connect.write_request(&mut vec![0; size]).unwrap_err().required, len);
    }
    let text = String::from_utf8(out[..len].to_vec()).unwrap();
    Ok(text.strip_prefix("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n").unwrap().to_owned())
}

/// The vectors of RFC 7617 sections 2 and 2.1, and each remainder of three.
#[test]
fn req_7617_2_1_req_7617_2_2_a_user_name_and_a_password_are_sent_as_basic() {
    for (username, password, base64) in [
        ("Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("test", "123\u{A3}", "dGVzdDoxMjPCow=="),
        ("", "", "Og=="),
        ("", "a:", "OmE6"),
        ("ab", "", "YWI6"),
        ("ab", "c", "YWI6Yw=="),
        ("ab", "cd", "YWI6Y2Q="),
    ] {
        let got = added(&mut [], |c| {
            c.with_authorization("Bearer x")?.with_basic_authorization(username, password)
        });
        assert_eq!(got.unwrap(), format!("Proxy-Authorization: Basic {base64}\r\n\r\n"));
        assert_eq!(basic_authorization(username, password), Ok(format!("Basic {base64}")));
    }
    for (username, password) in [("a:b", "c"), ("a\r\n", "c"), ("a", "\u{7F}"), ("a", "b\n"), ("\0", "")] {
        let got = added(&mut [], |c| c.with_basic_authorization(username, password));
        assert_eq!(got, Err(ComposeError::InvalidValue));
        assert_eq!(basic_authorization(username, password), Err(ComposeError::InvalidValue));
    }
}

#[test]
fn further_fields_are_checked_and_written_in_order() {
    let fields = added(&mut [], |c| {
        c.with_fields(&[("User-Agent", "x/1"), ("Proxy-Connection", "keep-alive")])?
            .with_authorization("Bearer y")?
            .with_fields(&[("X-Team", "\u{DF} \u{2603}")])
    });
    let want = "Proxy-Authorization: Bearer y\r\nUser-Agent: x/1\r\nProxy-Connection: keep-alive\r\n\
                X-Team: \u{DF} \u{2603}\r\n\r\n";
    assert_eq!(fields.unwrap(), want);
    for (field, error) in [
        (("A", "b\r\nHost: evil"), ComposeError::InvalidValue),
        (("A", " b"), ComposeError::InvalidValue),
        (("A: b\r\nC", "d"), ComposeError::InvalidName),
        (("", "d"), ComposeError::InvalidName),
        (("host", "evil"), ComposeError::ReservedField),
        (("Content-Length", "4"), ComposeError::ReservedField),
        (("proxy-authorization", "Basic x"), ComposeError::ReservedField),
    ] {
        let fields = [("A", "b"), field];
        assert_eq!(added(&mut [], |c| c.with_fields(&fields)), Err(error));
    }
    let five = added(&mut [], |c| (0..5).try_fold(c, |c, _| c.with_fields(&[("A", "b")])));
    assert_eq!(five, Err(ComposeError::TooManySets));
}

/// What a proxy says about its refusal is read up to a limit, and not what follows it.
#[test]
fn the_body_of_a_refusal_can_be_read() {
    for (fields, body) in
        [("Content-Length: 6", "no waynext"), ("Transfer-Encoding: chunked", "6\r\nno way\r\n0\r\n\r\nnext")]
    {
        let head = format!("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"p\"\r\n{fields}\r\n\r\n");
        let answer = format!("{head}{body}");
        for (max, want) in [(5, "no wa"), (6, "no way"), (7, "no way")] {
            let mut storage = [0; 1024];
            let uri = Uri::parse("ws://h").unwrap();
            let mut connect = HttpConnect::new(uri, &mut storage, HeadLimits::DEFAULT);
            let (taken, progress) = connect.recv(answer.as_bytes()).unwrap();
            assert_eq!(taken, head.len());
            let HttpConnectProgress::Rejected(rejected) = progress else { panic!("{progress:?}") };
            let mut reader = BodyReader::new("CONNECT", rejected.status(), rejected.headers(), max).unwrap();
            let (mut rest, mut came) = (body.as_bytes(), Vec::new());
            while !reader.is_over() {
                let (taken, piece) = reader.recv(rest).unwrap();
                came.extend_from_slice(piece);
                rest = &rest[taken..];
            }
            assert_eq!((came.as_slice(), reader.is_complete()), (want.as_bytes(), max > 5));
        }
    }
}

/// A proxy may say something before its answer, as any server may (RFC 9110 section 15.2).
#[test]
fn req_9110_15_2_1_req_9110_15_2_2_a_proxy_s_interim_responses_are_passed_over_within_reason() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: </a>\r\n\r\n";
    let open = format!("{interim}HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(answered(&format!("{open}tunnel")), Ok((None, open.len())));
    let refused = format!("{interim}HTTP/1.1 407 x\r\n\r\n");
    assert_eq!(answered(&refused), Ok((Some(407), refused.len())));
    let many = |count| "HTTP/1.1 102 x\r\n\r\n".repeat(count) + "HTTP/1.1 200 x\r\n\r\n";
    assert!(answered(&many(8)).is_ok());
    assert_eq!(answered(&many(9)), Err(HandshakeError::TooManyInterimResponses));
}

#[test]
fn req_6455_4_1_8_a_proxy_that_fails_opens_nothing() {
    assert_eq!(answered("HTTP/1.1 502 Bad Gateway\r\n\r\n").unwrap().0, Some(502));
    assert_eq!(answered("HTTP/1.1 200 OK\n\n"), Err(HandshakeError::MalformedStartLine));
    assert_eq!(answered("HTTP/1.1 200 OK\r\nX : y\r\n\r\n"), Err(HandshakeError::MalformedHeader));
    assert_eq!(answered(&format!("HTTP/1.1 200 {}", "x".repeat(2000))), Err(HandshakeError::HeadTooLarge));
    // A failure stays one, and the end of the transport before the answer is one.
    let mut storage = [0; 1024];
    let mut tunnel = HttpConnect::new(Uri::parse("ws://h").unwrap(), &mut storage, HeadLimits::DEFAULT);
    assert_eq!(tunnel.eof(), Err(HandshakeError::UnexpectedEof));
    assert!(matches!(tunnel.recv(b"HTTP/1.1 200"), Ok((12, HttpConnectProgress::NeedMore))));
    assert_eq!(tunnel.eof(), Err(HandshakeError::UnexpectedEof));
    assert!(tunnel.recv(b"\0").is_err());
    assert!(matches!(tunnel.recv(b" OK\r\n\r\n"), Err(HandshakeError::MalformedStartLine)));
    assert_eq!(tunnel.eof(), Err(HandshakeError::MalformedStartLine));
}

#[test]
fn for_a_buffer_that_is_too_small_the_error_says_what_is_needed() {
    let full = tunnel("wss://h").1.len();
    let mut storage = [0; 16];
    let tunnel = HttpConnect::new(Uri::parse("wss://h").unwrap(), &mut storage, HeadLimits::DEFAULT);
    for size in 0..full {
        let mut out = vec![0; size];
        assert_eq!(tunnel.write_request(&mut out).unwrap_err().required, full);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn whatever_is_accepted_as_credentials_is_one_request(
        credentials in prop_oneof!["[\\x00-\\xFF]{0,8}", "Basic [!-~]{0,20}"],
        authority in prop_oneof!["[!-~]{1,12}", "[a-z.]{1,9}(:[0-9]{0,5})?", Just("[::1]:9".to_owned())],
    ) {
        let text = format!("wss://{authority}/");
        let Ok(uri) = Uri::parse(&text) else { return Ok(()) };
        let mut storage = [0; 16];
        let tunnel = HttpConnect::new(uri, &mut storage, HeadLimits::DEFAULT).with_authorization(&credentials);
        let Ok(tunnel) = tunnel else { return Ok(()) };
        let mut out = [0; 512];
        let len = tunnel.write_request(&mut out).unwrap();
        let mut fields = [httparse::EMPTY_HEADER; 4];
        let mut parsed = httparse::Request::new(&mut fields);
        prop_assert_eq!(parsed.parse(&out[..len]), Ok(httparse::Status::Complete(len)));
        let target = format!("{}:{}", uri.host(), uri.port());
        prop_assert_eq!((parsed.method, parsed.path), (Some("CONNECT"), Some(target.as_str())));
        let got: Vec<_> = parsed.headers.iter().map(|header| (header.name, header.value)).collect();
        prop_assert_eq!(
            got,
            [("Host", target.as_bytes()), ("Proxy-Authorization", credentials.as_bytes())]
        );
    }

    #[test]
    fn a_user_name_a_password_and_a_field_arrive_as_they_are_or_are_refused(
        username in "[ -~\u{A0}-\u{FF}\\x00-\\x1F]{0,9}", password in "[ -~\u{A0}-\u{FF}]{0,9}\\PC{0,2}",
        name in "[!-~]{1,9}", value in "[!-~][ -~]{0,8}[!-~\\r\\n]",
    ) {
        let mut storage = [0; 16];
        let fields = [(name.as_str(), value.as_str())];
        let connect = HttpConnect::new(Uri::parse("ws://h").unwrap(), &mut storage, HeadLimits::DEFAULT)
            .with_basic_authorization(&username, &password)
            .and_then(|connect| connect.with_fields(&fields));
        let Ok(connect) = connect else { return Ok(()) };
        let mut out = [0; 512];
        let len = connect.write_request(&mut out).unwrap();
        let mut slots = [httparse::EMPTY_HEADER; 4];
        let mut parsed = httparse::Request::new(&mut slots);
        prop_assert_eq!(parsed.parse(&out[..len]), Ok(httparse::Status::Complete(len)));
        let got: Vec<_> = parsed.headers.iter().map(|header| (header.name, header.value)).collect();
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}")));
        prop_assert_eq!(
            got,
            [
                ("Host", &b"h:80"[..]),
                ("Proxy-Authorization", basic.as_bytes()),
                (name.as_str(), value.as_bytes()),
            ]
        );
    }

    #[test]
    fn any_cut_of_any_answer_comes_to_the_same(
        noise in proptest::collection::vec(any::<u8>(), 0..12), at in 0_usize..100, status in 0_u16..1000,
    ) {
        let interim = "HTTP/1.1 100 x\r\n\r\n";
        let mut bytes = format!("{interim}HTTP/1.1 {status:03} x\r\nContent-Length: 5\r\n\r\n").into_bytes();
        let at = at % bytes.len();
        bytes.splice(at..(at + noise.len() / 2).min(bytes.len()), noise);
        // Whatever it is, it ends.
        bytes.extend_from_slice(b"\r\n\r\n\0\0\r\n");
        bytes.extend_from_slice(&[0; 1100]);
        // Whole and octet by octet are compared in there.
        let _ = answered_bytes(&bytes);
    }
}
