//! Whether a connection compresses, where the application decides that for one request: on each adapter, in one step and
//! in two, and from fields that an HTTP library has read.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use sockless::deflate::{Params, Policy};
use sockless::handshake::server::{Request, ServerProgress};
use sockless::handshake::{Bootstrap, Headers, ParsedRequest};
use sockless::{blocking, Answer, Error, ProtocolError, Refusal, ServerConfig};

use crate::answer::{any_origin, came, on_adapter, soon, streams, upgrade, Adapter, ALL};

/// "Hello" of RFC 7692 section 7.2.3.1, masked with a key of zeros.
const COMPRESSED: &[u8] = b"\xC1\x87\0\0\0\0\xF2\x48\xCD\xC9\xC9\x07\0";

const KEEPS_CONTEXTS: Policy = Policy::TAKEOVER;

type Decide = fn(&Request<'_>) -> Result<Answer<'static>, Refusal>;

fn by_path(request: &Request<'_>) -> Result<Answer<'static>, Refusal> {
    Ok(match request.path() {
        "/as-config" => Answer::new(),
        "/none" => Answer::new().without_deflate(),
        "/keeps" => Answer::new().with_deflate(KEEPS_CONTEXTS),
        "/none-at-last" => Answer::new().with_deflate(KEEPS_CONTEXTS).without_deflate(),
        "/keeps-at-last" => Answer::new().without_deflate().with_deflate(KEEPS_CONTEXTS),
        _ => return Err(Refusal::new(404)),
    })
}

/// What a config and a path come to: the field of the answer.
fn cases() -> Vec<(ServerConfig, &'static str, Option<&'static str>)> {
    let (plain, compresses) = (any_origin(), any_origin().with_deflate(Policy::DEFAULT));
    let default = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    vec![
        (compresses.clone(), "/as-config", Some(default)),
        (compresses.clone(), "/none", None),
        (compresses.clone(), "/keeps", Some("permessage-deflate")),
        (compresses.clone(), "/none-at-last", None),
        (compresses, "/keeps-at-last", Some("permessage-deflate")),
        (plain.clone(), "/as-config", None),
        (plain.clone(), "/none", None),
        (plain, "/keeps", Some("permessage-deflate")),
    ]
}

/// What a server that echoes agreed on, and how it takes one message.
type Served = Result<(Option<Params>, Result<Vec<u8>, Error>), Error>;

fn serve(adapter: Adapter, steps: usize, stream: TcpStream, config: &ServerConfig, decide: Decide) -> Served {
    macro_rules! served {
        ([$($module:tt)+], $stream:expr $(, $wait:tt)*) => {{
            let mut socket = if steps == 1 {
                $($module)+::accept_with($stream, config, decide)$(.$wait)*?
            } else {
                let pending = $($module)+::receive($stream, config)$(.$wait)*?;
                let answer = decide(&pending.request()?).expect("an answer");
                pending.accept(config, answer)$(.$wait)*?
            };
            let received = socket.recv()$(.$wait)*.map(|message| message.expect("one").as_bytes().to_vec());
            if let Ok(payload) = &received {
                socket.send(payload.as_slice())$(.$wait)*?;
            }
            Ok((socket.negotiated().deflate, received))
        }};
    }
    on_adapter!(adapter, stream, served)
}

fn field_of(head: &str) -> Option<&str> {
    head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "))
}

#[test]
fn req_7692_5_8_an_answer_decides_on_compression_whatever_the_config_says() {
    let _watchdog = watchdog!();
    for adapter in ALL {
        for (steps, (config, path, field)) in
            [1, 2].into_iter().flat_map(|n| cases().into_iter().map(move |c| (n, c)))
        {
            let said = format!("{adapter:?}, {steps}, {:?}, {path}", config.deflate);
            let (ours, mut peer) = streams();
            let server = soon(move || serve(adapter, steps, ours, &config, by_path));
            let offer = "Host: a\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
            peer.write_all(upgrade(path).replace("Host: a\r\n", offer).as_bytes()).unwrap();
            peer.write_all(COMPRESSED).unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            let mut got = Vec::new();
            peer.read_to_end(&mut got).unwrap();
            let end = got.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
            let (head, frames) = (str::from_utf8(&got[..end]).unwrap(), &got[end..]);
            assert!(head.starts_with("HTTP/1.1 101 "), "{said}: {head}");
            assert_eq!(field_of(head), field, "{said}");
            let (agreed, received) = came(&server).unwrap();
            assert_eq!(agreed.is_some(), field.is_some(), "{said}");
            assert_eq!(
                agreed.is_some_and(|agreed| agreed.server_no_context_takeover),
                field.is_some_and(|field| field.contains("server_no")),
                "{said}"
            );
            if field.is_some() {
                // A message of five octets is not worth compressing.
                assert_eq!(
                    (received.unwrap().as_slice(), &frames[..7]),
                    (&b"Hello"[..], &b"\x82\x05Hello"[..]),
                    "{said}"
                );
            } else {
                assert!(
                    matches!(received, Err(Error::Protocol(ProtocolError::ReservedBits))),
                    "{said}: {received:?}"
                );
                assert_eq!(&frames[..4], b"\x88\x02\x03\xEA", "{said}");
            }
        }
    }
}

#[test]
fn without_an_offer_no_answer_can_agree_on_it() {
    let _watchdog = watchdog!();
    for (config, path, _) in cases() {
        let (ours, mut peer) = streams();
        peer.write_all(upgrade(path).as_bytes()).unwrap();
        let server =
            soon(move || blocking::accept_with(ours, &config, by_path).unwrap().negotiated().deflate);
        assert_eq!(came(&server), None, "{path}");
    }
}

/// RFC 8441, and whatever else hands over fields.
#[test]
fn a_request_of_fields_is_answered_in_the_same_way() {
    let _watchdog = watchdog!();
    for (config, path, field) in cases() {
        let fields =
            [("sec-websocket-version", &b"13"[..]), ("sec-websocket-extensions", b"permessage-deflate")];
        let request = ParsedRequest {
            bootstrap: Bootstrap::ExtendedConnect { protocol: Some("websocket"), scheme: Some("https") },
            method: "CONNECT",
            target: path,
            authority: Some("a"),
            headers: Headers::parsed(&fields),
        };
        let Ok(ServerProgress::Request(request)) = Request::from_parsed(&request, &config.head_limits) else {
            panic!("it is valid");
        };
        let answer = by_path(&request).unwrap();
        let accept = config.complete(config.accept(&request).unwrap(), &answer).unwrap();
        let mut room = [0; 512];
        let written = accept.fields(&mut room).unwrap();
        let found = written.iter().find(|(name, _)| *name == "sec-websocket-extensions");
        assert_eq!(found.map(|(_, value)| str::from_utf8(value).unwrap()), field, "{path}");
        assert_eq!(accept.negotiated().deflate.is_some(), field.is_some(), "{path}");
    }
}

/// It may be a constant, and what it says is compared and printed.
#[test]
fn an_answer_says_what_it_decides() {
    let _watchdog = watchdog!();
    const NONE: Answer<'static> = Answer::new().without_deflate();
    const KEEPS: Answer<'static> = Answer::new().with_deflate(KEEPS_CONTEXTS);
    assert!(NONE != Answer::new() && NONE != KEEPS && KEEPS != Answer::new().with_deflate(Policy::DEFAULT));
    let printed = [Answer::new(), NONE, KEEPS].map(|answer| format!("{answer:?}"));
    assert!(printed[0] != printed[1] && printed[1] != printed[2] && printed[0] != printed[2], "{printed:?}");
}
