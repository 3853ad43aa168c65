//! The tunnel through an HTTP proxy (RFC 9110 section 9.3.6).

use sockless::handshake::client::{ClientRequest, Handshake};
use sockless::handshake::proxy::{Tunnel, TunnelProgress};
use sockless::handshake::{HandshakeError, HeadLimits, Uri};

fn tunnel(uri: &str) -> (Uri<'_>, String) {
    let uri = Uri::parse(uri).unwrap();
    let mut storage = [0; 16];
    let tunnel = Tunnel::new(uri, &mut storage, HeadLimits::DEFAULT);
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
    let run = |chunk: usize| {
        let mut storage = [0; 1024];
        let mut tunnel = Tunnel::new(Uri::parse("ws://h").unwrap(), &mut storage, HeadLimits::DEFAULT);
        let mut taken = 0;
        for chunk in answer.as_bytes().chunks(chunk) {
            match tunnel.recv(chunk)? {
                (more, TunnelProgress::NeedMore) => taken += more,
                (more, TunnelProgress::Open) => return Ok((None, taken + more)),
                (more, TunnelProgress::Rejected(rejected)) => {
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
    for status in [302, 403, 407, 502] {
        let got = answered(&format!("HTTP/1.1 {status} x\r\nProxy-Authenticate: Basic\r\n\r\n"));
        assert_eq!(got.unwrap().0, Some(status));
    }
    assert_eq!(answered("HTTP/1.1 101 x\r\n\r\n"), Err(HandshakeError::InvalidProxyResponse));
    assert_eq!(answered("HTTP/2.0 200 x\r\n\r\n"), Err(HandshakeError::UnsupportedHttpVersion));
    // The challenge is readable.
    let mut storage = [0; 1024];
    let mut tunnel = Tunnel::new(Uri::parse("ws://h").unwrap(), &mut storage, HeadLimits::DEFAULT);
    let answer = b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"p\"\r\n\r\n";
    let Ok((_, TunnelProgress::Rejected(rejected))) = tunnel.recv(answer) else { panic!() };
    assert_eq!(rejected.headers().get("proxy-authenticate"), Some(&b"Basic realm=\"p\""[..]));
}

#[test]
fn req_t_proxy_1_the_proxy_s_credentials_stay_with_the_proxy() {
    let uri = Uri::parse("ws://h").unwrap();
    let mut storage = [0; 16];
    let tunnel = Tunnel::new(uri, &mut storage, HeadLimits::DEFAULT).authorization("Basic YTpi").unwrap();
    let mut out = [0; 512];
    let len = tunnel.write_request(&mut out).unwrap();
    assert!(String::from_utf8_lossy(&out[..len]).contains("\r\nProxy-Authorization: Basic YTpi\r\n"));
    let mut other = [0; 16];
    let handshake = Handshake::new(ClientRequest::new(uri), [7; 16], &mut other, HeadLimits::DEFAULT);
    let len = handshake.write_request(&mut out).unwrap();
    assert!(!String::from_utf8_lossy(&out[..len]).contains("Authorization"));
    let mut storage = [0; 16];
    assert!(Tunnel::new(uri, &mut storage, HeadLimits::DEFAULT).authorization("a\r\nb: c").is_err());
}
