// The opening handshake of both adapters alike: `adapter` is one of the two, `go!` brings an operation to an end.

use adapter::{accept, accept_with, client, Answer, FixedBuffers, Error, OpeningError, ServerConfig, ClientConfig};
use embedded_io::ErrorKind;
use sockless::deflate::{Offer, Policy};
use sockless::handshake::client::ClientRequest;
use sockless::handshake::server::Reject;
use sockless::handshake::{ComposeError, HandshakeError, HeadLimits, OriginPolicy, Uri};
use sockless::{EntropyError, Event, Limits};

use crate::common::{to, Keys, PING, TEXT};
use crate::script::Script;
use sockless::Side;

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Origin: https://h\r\nSec-WebSocket-Protocol: b, a\r\n\r\n";

/// The example of RFC 6455 section 1.2.
const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

/// Lends buffers of these sizes.
macro_rules! lend {
    ($buffers:ident, $read:expr, $write:expr) => {
        let (mut read, mut write) = (vec![0; $read], vec![0; $write]);
        let $buffers = FixedBuffers::new(&mut read, &mut write).unwrap();
    };
}

/// The result of accepting this request, and the answer.
macro_rules! refused {
    ($request:expr, $options:expr, $storage:expr) => {{
        let mut script = Script::new($request, 7);
        lend!(buffers, 16, FixedBuffers::MIN_WRITE);
        let error = go!(accept(&mut script, $options, &mut vec![0; $storage], buffers)).unwrap_err();
        assert_eq!(script.flushed, script.written.len());
        (error, String::from_utf8(script.written).unwrap())
    }};
}

fn same_host() -> ServerConfig {
    ServerConfig::new(OriginPolicy::SameHost)
}

#[test]
fn a_server_accepts_whatever_the_buffers_and_leaves_the_frames_behind_the_head() {
    let input =
        [REQUEST.as_bytes(), &to(Side::Server, TEXT, b"early"), &to(Side::Server, PING, b"")].concat();
    for (read, grain) in [(1, 1), (16, 3), (4096, 4096)] {
        lend!(buffers, read, 160);
        let mut limits = Limits::DEFAULT;
        limits.max_message_size = 5;
        let options = same_host()
            .with_subprotocols(&["c", "b"])
            .with_limits(limits);
        let mut script = Script::new(&input, grain);
        let mut socket = go!(accept(&mut script, &options, &mut [0; 512], buffers)).unwrap();
        assert_eq!(socket.subprotocol(), Some("b"));
        let mut heard = Vec::new();
        while let Some(Event::Data(data)) = go!(socket.recv()).unwrap() {
            heard.extend_from_slice(data.as_bytes());
        }
        assert_eq!(heard, b"early");
        assert_eq!(socket.connection().reader().limits(), limits);
        let want = format!("{RESPONSE}Sec-WebSocket-Protocol: b\r\n\r\n");
        assert_eq!(socket.into_inner().written, want.as_bytes());
    }
}

#[test]
fn the_end_of_the_stream_at_any_byte_of_the_request_is_an_error() {
    for cut in 0..REQUEST.len() {
        let (error, written) = refused!(&REQUEST.as_bytes()[..cut], &same_host(), 512);
        assert_eq!(error, Error::Opening(OpeningError::Handshake(HandshakeError::UnexpectedEof)));
        assert_eq!(written, "", "there is nobody to answer");
    }
    let mut script = Script::new(&REQUEST.as_bytes()[..20], 7);
    script.end = Some(ErrorKind::TimedOut);
    lend!(buffers, 16, FixedBuffers::MIN_WRITE);
    let error = go!(accept(&mut script, &same_host(), &mut [0; 512], buffers)).unwrap_err();
    assert_eq!(error, Error::Io(ErrorKind::TimedOut));
}

#[test]
fn every_refusal_is_written_through_the_smallest_buffer() {
    let altered = |from: &str, to: &str| REQUEST.replace(from, to).into_bytes();
    let cases = [
        (altered("Upgrade: websocket\r\n", ""), OpeningError::NotWebSocket, 426),
        (altered("Version: 13", "Version: 12"), HandshakeError::UnsupportedVersion.into(), 426),
        (altered("dGhl", ""), HandshakeError::InvalidKey.into(), 400),
        (altered("https://h", "https://evil"), HandshakeError::OriginRefused.into(), 403),
        (altered("GET", "PUT"), HandshakeError::MethodNotAllowed.into(), 405),
        (
            altered("Host: h", "Host: h\r\nExpect: 100-continue"),
            HandshakeError::ExpectationFailed.into(),
            417,
        ),
        (altered("HTTP/1.1", "HTTP/1.0"), HandshakeError::UnsupportedHttpVersion.into(), 505),
        (altered("HTTP/1.1", "HTTP/2.0"), HandshakeError::UnsupportedHttpVersion.into(), 505),
        (altered("/chat", &"/x".repeat(50)), HandshakeError::TargetTooLong.into(), 414),
        (
            altered("Host: h", &format!("Host: h{}", "\r\nA: b".repeat(20))),
            HandshakeError::TooManyFields.into(),
            431,
        ),
        (altered("Host: h", &format!("A: {}", "b".repeat(600))), HandshakeError::HeadTooLarge.into(), 431),
        (b"\x16\x03\x01".to_vec(), HandshakeError::MalformedStartLine.into(), 400),
    ];
    for (request, error, status) in cases {
        let mut limits = HeadLimits::DEFAULT;
        (limits.max_start_line, limits.max_fields) = (60, 20);
        let options = same_host().with_head_limits(limits);
        let (met, written) = refused!(&request, &options, 512);
        assert_eq!(met, Error::Opening(error.clone()), "{}", String::from_utf8_lossy(&request));
        assert!(written.starts_with(&format!("HTTP/1.1 {status} ")), "{error}: {written}");
        assert!(written.ends_with("\r\n\r\n"));
    }
}

#[test]
fn an_application_refuses_with_an_answer_of_its_own() {
    let mut script = Script::new(REQUEST.as_bytes(), 100);
    lend!(buffers, 16, 256);
    let error = go!(accept_with(&mut script, &same_host(), &mut [0; 512], buffers, |request| {
        assert_eq!(request.target(), "/chat");
        Err::<(), _>(Reject::new(404).unwrap().with_body(b"no such room"))
    }));
    assert_eq!(error.unwrap_err(), Error::Opening(OpeningError::Refused(404)));
    let written = String::from_utf8(script.written).unwrap();
    assert!(written.starts_with("HTTP/1.1 404 Not Found\r\n") && written.ends_with("\r\n\r\nno such room"));
}

/// The head of the answer that such a decision makes, and the name of the subprotocol.
macro_rules! decided {
    ($answer:expr) => {{
        let mut script = Script::new(REQUEST.as_bytes(), 1);
        lend!(buffers, 16, 512);
        let options = same_host().with_subprotocols(&["b"]).with_fields(&[("X-Of", "options")]);
        let socket = go!(accept_with(&mut script, &options, &mut [0; 512], buffers, |_| Ok($answer)));
        let result = socket.map(|socket| socket.subprotocol().map(str::to_owned));
        (result, String::from_utf8(script.written).unwrap())
    }};
}

#[test]
fn an_application_adds_fields_and_chooses_the_subprotocol() {
    let cookies = [("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")];
    let (name, head) = decided!(());
    assert!(head.contains("X-Of: options\r\n") && head.contains("Sec-WebSocket-Protocol: b\r\n"), "{head}");
    assert_eq!(name.unwrap().as_deref(), Some("b"));
    let (name, head) = decided!(Answer::new().with_fields(&cookies).with_subprotocol("a"));
    assert!(head.contains("Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n") && head.contains("X-Of: options\r\n"), "{head}");
    assert!(head.contains("Sec-WebSocket-Protocol: a\r\n"), "{head}");
    assert_eq!(name.unwrap().as_deref(), Some("a"));
    let (name, head) = decided!(Answer::new().without_subprotocol());
    assert!(head.contains("X-Of: options\r\n") && !head.contains("Sec-WebSocket-Protocol"), "{head}");
    assert_eq!(name.unwrap(), None);
    let printed = format!("{:?}", Answer::new().with_fields(&cookies));
    assert!(!printed.contains("a=b"), "{printed}");
    // What is invalid is our mistake.
    for (answer, error) in [
        (Answer::new().with_subprotocol("c"), ComposeError::UnofferedSubprotocol),
        (Answer::new().with_fields(&[("Connection", "close")]), ComposeError::ReservedField),
        (Answer::new().with_fields(&[("X", "a\r\nY: b")]), ComposeError::InvalidValue),
    ] {
        let (result, head) = decided!(answer);
        assert_eq!(result.unwrap_err(), Error::Opening(OpeningError::Compose(error)));
        assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    }
}

#[test]
fn no_answer_of_an_application_makes_an_adapter_compress_that_has_no_codec() {
    let request = REQUEST.replace("Host: h\r\n", "Host: h\r\nSec-WebSocket-Extensions: permessage-deflate\r\n");
    let options = same_host().with_deflate(Policy::DEFAULT);
    for answer in [Answer::new(), Answer::new().with_deflate(Policy::DEFAULT), Answer::new().without_deflate()] {
        let mut script = Script::new(request.as_bytes(), 1);
        lend!(buffers, 16, 512);
        let socket = go!(accept_with(&mut script, &options, &mut [0; 512], buffers, |_| Ok(answer.clone()))).unwrap();
        assert_eq!(socket.negotiated().deflate, None);
        assert_eq!(String::from_utf8(script.written).unwrap(), format!("{RESPONSE}\r\n"));
    }
}

#[test]
fn options_that_make_no_head_are_answered_by_500() {
    let options = same_host().with_fields(&[("Upgrade", "x")]);
    let (error, written) = refused!(REQUEST.as_bytes(), &options, 512);
    assert_eq!(error, Error::Opening(OpeningError::Compose(ComposeError::ReservedField)));
    assert!(written.starts_with("HTTP/1.1 500 "));

    // An answer that does not fit the write buffer.
    let options = same_host().with_fields(&[("Server", "a sensor with a long name")]);
    let (error, written) = refused!(REQUEST.as_bytes(), &options, 512);
    assert!(matches!(error, Error::Opening(OpeningError::Compose(ComposeError::BufferTooSmall(_)))));
    assert!(written.starts_with("HTTP/1.1 500 "));

    // A refusal that does not fit.
    let mut script = Script::new(REQUEST.as_bytes(), 100);
    lend!(buffers, 16, FixedBuffers::MIN_WRITE);
    let error = go!(accept_with(&mut script, &same_host(), &mut [0; 512], buffers, |_| {
        Err::<(), _>(Reject::new(404).unwrap().with_body(&[b'x'; 500]))
    }));
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Opening(OpeningError::Compose(ComposeError::BufferTooSmall(_)))));
    assert!(script.written.starts_with(b"HTTP/1.1 500 "));
}

fn request() -> ClientRequest<'static> {
    ClientRequest::new(Uri::parse("ws://h/chat").unwrap())
}

/// Entropy whose nonce is that of the example in RFC 6455 section 1.2.
fn sample(dest: &mut [u8]) -> Result<(), EntropyError> {
    for (slot, octet) in dest.iter_mut().zip(b"the sample nonce") {
        *slot = *octet;
    }
    Ok(())
}

#[test]
fn a_client_opens_whatever_the_buffers_and_takes_the_frames_behind_the_head() {
    let input = [RESPONSE.as_bytes(), b"\r\n", &to(Side::Client, TEXT, b"early")].concat();
    for (read, grain) in [(1, 1), (16, 3), (4096, 4096)] {
        let mut script = Script::new(&input, grain);
        lend!(buffers, read, 256);
        let socket = go!(client(&mut script, request(), sample, &ClientConfig::new(), &mut [0; 512], buffers));
        let mut socket = socket.unwrap();
        let mut heard = Vec::new();
        while let Ok(Some(Event::Data(data))) = go!(socket.recv()) {
            heard.extend_from_slice(data.as_bytes());
        }
        assert_eq!(heard, b"early");
        let written = String::from_utf8(socket.into_inner().written.clone()).unwrap();
        assert!(written.starts_with("GET /chat HTTP/1.1\r\nHost: h\r\n"), "{written}");
        assert!(written.contains("\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "{written}");
    }
}

#[test]
fn a_client_is_told_what_came_instead() {
    let ask = |response: &[u8], end| {
        let mut script = Script::new(response, 9);
        script.end = end;
        lend!(buffers, 16, 256);
        let socket = go!(client(&mut script, request(), sample, &ClientConfig::new(), &mut [0; 512], buffers));
        socket.map(|_| ()).unwrap_err()
    };
    let whole = [RESPONSE.as_bytes(), b"\r\n"].concat();
    for cut in 0..whole.len() {
        let eof = OpeningError::Handshake(HandshakeError::UnexpectedEof);
        assert_eq!(ask(&whole[..cut], None), Error::Opening(eof));
        assert_eq!(ask(&whole[..cut], Some(ErrorKind::TimedOut)), Error::Io(ErrorKind::TimedOut));
    }
    let rejected = ask(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", None);
    assert!(matches!(&rejected, Error::Opening(OpeningError::Rejected(answer)) if answer.status() == 302));
    // Its status line is enough, whatever ends it.
    for cut in [b"HTTP/1.1 403 x\r\n".as_slice(), b"HTTP/1.1 403 x\nX y", b"HTTP/1.1 403 x\r\nA: b\r\n"] {
        for error in [None, Some(ErrorKind::TimedOut)] {
            let met = ask(cut, error);
            assert!(
                matches!(&met, Error::Opening(OpeningError::Rejected(answer)) if answer.status() == 403),
                "{met:?}"
            );
        }
    }
    let wrong = ask(&whole.to_ascii_lowercase(), None);
    assert!(matches!(wrong, Error::Opening(OpeningError::Handshake(_))));
    let compressed = [RESPONSE.as_bytes(), b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"].concat();
    let unoffered = OpeningError::Handshake(HandshakeError::UnofferedExtension);
    assert_eq!(ask(&compressed, None), Error::Opening(unoffered));
}

#[test]
fn a_client_that_offers_compression_asks_nothing_since_it_has_none() {
    let offers = [Offer::DEFAULT];
    let plain = request();
    for request in [
        plain.with_deflate(&offers),
        plain.with_extensions("permessage-deflate").unwrap(),
        plain.with_extensions("x, permessage-deflate; client_max_window_bits").unwrap(),
    ] {
        let mut script = Script::new(&[], 100);
        lend!(buffers, 16, 512);
        let socket = go!(client(&mut script, request, sample, &ClientConfig::new(), &mut [0; 512], buffers));
        let error = OpeningError::Compose(ComposeError::NoCodec);
        assert_eq!(socket.map(|_| ()), Err(Error::Opening(error)));
        assert_eq!(script.written, b"");
    }
}

#[test]
fn a_client_without_nonce_or_room_asks_nothing() {
    let mut script = Script::new(&[], 100);
    lend!(buffers, 16, 256);
    let none = |_: &mut [u8]| Err(EntropyError);
    let socket = go!(client(&mut script, request(), none, &ClientConfig::new(), &mut [0; 512], buffers));
    assert_eq!(socket.map(|_| ()), Err(Error::Opening(OpeningError::Entropy)));

    lend!(buffers, 16, FixedBuffers::MIN_WRITE);
    let socket = go!(client(&mut script, request(), Keys(1), &ClientConfig::new(), &mut [0; 512], buffers));
    let error = socket.unwrap_err();
    assert!(matches!(error, Error::Opening(OpeningError::Compose(ComposeError::BufferTooSmall(_)))));
    assert_eq!(script.written, b"");
}
