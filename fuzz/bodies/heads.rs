//! Heads that an HTTP library has read.

use sockless::deflate::{Offer, Policy};
use sockless::handshake::client::{ClientHandshake, ClientProgress, ClientRequest};
use sockless::handshake::server::{Request, ServerHandshake, ServerProgress};
use sockless::handshake::{
    encode_nonce, Bootstrap, HandshakeError, HeadLimits, Headers, OriginPolicy, ParsedRequest, Uri,
};
use sockless::{Tolerance, Tolerances};

use super::{fields, LIMITS};

/// For comparisons of two heads of different length: no limit may tell them apart.
const ROOM: HeadLimits = HeadLimits::DEFAULT.with_max_start_line(usize::MAX).with_max_fields(usize::MAX);

/// The nonce of the example in RFC 6455 section 1.3, and what belongs to it.
const NONCE: &[u8; 16] = b"the sample nonce";
const UPGRADE: [(&str, &[u8]); 2] = [("upgrade", b"websocket"), ("connection", b"Upgrade")];
const KEY: (&str, &[u8]) = ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==");
const ACCEPT: (&str, &[u8]) = ("sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

/// The parts of a request or of a response, as fields.
///
/// The first byte chooses which, the second the minor version of HTTP/1. Lines follow: method, target, authority,
/// protocol and scheme, or a status; then header fields. 0x1E stands for a line feed in a part.
///
/// What is judged from fields is judged in the same way from the octets of the same head, where one can be written. An
/// extended CONNECT is judged as the upgrade that asks for the same.
pub fn heads(data: &[u8]) {
    let [choice, minor, text @ ..] = data else { return };
    let text = String::from_utf8_lossy(text);
    let mut parts = text.split('\n').map(|part| part.replace('\x1E', "\n"));
    let limits = match (choice >> 2) & 3 {
        0 => HeadLimits::DEFAULT,
        1 => LIMITS,
        2 => HeadLimits::DEFAULT
            .with_tolerances(Tolerance::ALL.into_iter().fold(Tolerances::NONE, Tolerances::with)),
        _ => HeadLimits::DEFAULT.with_strict_key(true),
    };
    let first: Vec<_> = parts.by_ref().take(if choice & 1 == 0 { 5 } else { 1 }).collect();
    let rest: Vec<_> = parts.collect();
    let list: Vec<(&str, &[u8])> = rest
        .iter()
        .map(|line| line.split_once(':').unwrap_or((line, "")))
        .map(|(name, value)| (name, value.as_bytes()))
        .collect();
    let extended = choice & 2 != 0;
    match &first[..] {
        [method, target, authority, protocol, scheme] => {
            let when = |bit: u8, text| (choice & bit != 0).then_some(text);
            let bootstrap = match extended {
                true => Bootstrap::ExtendedConnect {
                    protocol: when(0x20, protocol.as_str()),
                    scheme: when(0x40, scheme.as_str()),
                },
                false => Bootstrap::Upgrade { minor: *minor },
            };
            let authority = when(0x10, authority.as_str());
            let headers = Headers::parsed(&list);
            request(&ParsedRequest { bootstrap, method, target, authority, headers }, &list, &limits);
        }
        [status] => {
            let Ok(status) = status.parse() else { return };
            response(extended, status, &list, &limits);
        }
        _ => {}
    }
}

fn request(parsed: &ParsedRequest<'_>, list: &[(&str, &[u8])], limits: &HeadLimits) {
    let judged = Request::from_parsed(parsed, limits);
    let ParsedRequest { method, target, authority, .. } = *parsed;
    if judged.is_ok() {
        assert!(list.len() <= limits.max_fields && method.len() + target.len() + 10 <= limits.max_start_line);
        assert!(list.iter().all(|(name, value)| name.len() + value.len() < limits.max_field));
        assert!(can_be_written(list) && !method.contains('\n') && !target.contains('\n'));
    }
    match parsed.bootstrap {
        Bootstrap::Upgrade { minor: minor @ 0..=9 } if can_be_written(list) => {
            let line = |target: &str| format!("{method} {target} HTTP/1.{minor}\r\n");
            if method.contains('\n') || target.contains('\n') {
                return;
            }
            match authority {
                None => {
                    let head = written(&line(target), list);
                    let parsed = Request::parse(&head, limits);
                    let said = asked(parsed);
                    agree(&asked(judged), &said);
                    // Only WebSockets: `ServerHandshake` may rewrite the octets of a plain request, to add a path.
                    if said.as_ref().is_ok_and(|said| said.starts_with("request")) {
                        let mut storage = vec![0; 1 << 14];
                        let mut streamed = ServerHandshake::new(&mut storage, *limits);
                        let (taken, progress) = streamed.recv(&head).expect("it was taken before");
                        assert_eq!((taken, asked(Ok(progress))), (head.len(), said));
                    }
                }
                // An absolute target says the same.
                Some(authority) if target.starts_with('/') && !authority.contains(['\n', '/', '?']) => {
                    let head = written(&line(&format!("http://{authority}{target}")), list);
                    let room = ROOM.with_tolerances(limits.tolerances);
                    let judged = asked(Request::from_parsed(parsed, &room));
                    let by_bytes = asked(Request::parse(&head, &room));
                    if [&judged, &by_bytes].into_iter().flatten().any(|said| said.starts_with("request")) {
                        assert_eq!(judged, by_bytes);
                    }
                }
                Some(_) => {}
            }
        }
        Bootstrap::ExtendedConnect { protocol: Some(protocol), scheme: Some("http" | "https") }
            if protocol.eq_ignore_ascii_case("websocket") && method == "CONNECT" =>
        {
            let no_field = authority.is_some_and(|authority| authority.contains(char::is_control));
            if no_field || has(list, &["upgrade", "connection", "sec-websocket-key"]) {
                return assert!(!no_field || judged.is_err());
            }
            let mut upgrade: Vec<_> = list.iter().copied().chain(UPGRADE).chain([KEY]).collect();
            if !has(list, &["host"]) {
                upgrade.extend(authority.map(|authority| ("host", authority.as_bytes())));
            }
            let (bootstrap, headers) = (Bootstrap::Upgrade { minor: 1 }, Headers::parsed(&upgrade));
            let twin = ParsedRequest { bootstrap, method: "GET", headers, ..*parsed };
            let room = ROOM.with_tolerances(limits.tolerances);
            let plain =
                |judged| asked(judged).map(|said| said.split("\nfields").next().unwrap_or("").to_owned());
            assert_eq!(plain(Request::from_parsed(parsed, &room)), plain(Request::from_parsed(&twin, &room)));
        }
        _ => {}
    }
}

/// What a server makes of it, and what it answers.
fn asked(judged: Result<ServerProgress<'_>, HandshakeError>) -> Result<String, HandshakeError> {
    match judged? {
        ServerProgress::Request(request) => {
            assert!(!request.host().is_empty() && request.target().starts_with('/'));
            let accept = request.accept(OriginPolicy::Any).expect("any origin will do");
            let accept = accept.with_deflate(&Policy::TAKEOVER);
            let mut out = [0; 512];
            let answer = fields(accept.fields(&mut out).expect("there is room"));
            let is_101 = answer.iter().any(|(name, _)| name == "sec-websocket-accept");
            assert_eq!(accept.status(), if is_101 { 101 } else { 200 });
            let parts = (request.target(), request.host(), request.origin(), accept.negotiated());
            let subprotocols: Vec<_> = request.subprotocols().iter().collect();
            let extensions: Vec<_> = request.extensions().iter().map(|extension| extension.name()).collect();
            let headers = fields(request.headers());
            Ok(format!("request {parts:?} {subprotocols:?} {extensions:?}\nfields {headers:?} {answer:?}"))
        }
        ServerProgress::Http(plain) => {
            let parts = (plain.method(), plain.target(), plain.minor_version());
            Ok(format!("http {parts:?} {:?}", fields(plain.headers())))
        }
        other => panic!("{other:?}"),
    }
}

fn response(extended: bool, status: u16, list: &[(&str, &[u8])], limits: &HeadLimits) {
    let uri = Uri::parse("ws://example.com/").expect("it is valid");
    let asked = ClientRequest::new(uri)
        .with_subprotocols(&["chat", "superchat"])
        .and_then(|request| request.with_extensions("x-other"))
        .expect("it is valid")
        .with_deflate(&[Offer::DEFAULT]);
    let key = encode_nonce(*NONCE);
    let judge = |key, status, list: &[(&str, &[u8])], limits| {
        answered(asked.judge(key, status, Headers::parsed(list), limits))
    };
    let judged = judge((!extended).then_some(&key), status, list, limits);
    if status != 101 && status < 200 {
        return assert_eq!(judged.as_deref(), Ok("more"));
    }
    if judged.is_ok() {
        assert!(list.len() <= limits.max_fields && can_be_written(list));
    }
    if extended {
        if status == 101 || has(list, &["upgrade", "connection", "sec-websocket-accept"]) {
            return;
        }
        let upgraded: Vec<_> = list.iter().copied().chain(UPGRADE).chain([ACCEPT]).collect();
        let room = ROOM.with_tolerances(limits.tolerances);
        let twin = match status {
            300.. => judge(Some(&key), status, list, &room),
            _ => judge(Some(&key), 101, &upgraded, &room),
        };
        let plain =
            |said: Result<String, _>| said.map(|said| said.split("\nfields").next().unwrap_or("").to_owned());
        assert_eq!(plain(judge(None, status, list, &room)), plain(twin));
    } else if status <= 999 && can_be_written(list) {
        let head = written(&format!("HTTP/1.1 {status} \r\n"), list);
        let mut storage = vec![0; 1 << 14];
        let mut handshake = ClientHandshake::new(asked, *NONCE, &mut storage, *limits);
        match handshake.recv(&head) {
            // Of a refusal at least the begin is told.
            Ok((_, ClientProgress::Rejected(rejected))) if judged.is_err() => {
                assert_eq!(rejected.status(), status)
            }
            // A line that is no field may be passed over. A field that is none has to be left out by the library.
            _ if judged == Err(HandshakeError::MalformedHeader)
                && limits.tolerances.contains(Tolerance::InvalidResponseFields) => {}
            read => agree(&judged, &answered(read.map(|(_, progress)| progress))),
        }
    }
}

fn answered(judged: Result<ClientProgress<'_>, HandshakeError>) -> Result<String, HandshakeError> {
    match judged? {
        ClientProgress::NeedMore => Ok("more".to_owned()),
        ClientProgress::Accepted(accepted) => {
            let extensions: Vec<_> = accepted.extensions().iter().map(|extension| extension.name()).collect();
            let parts = (accepted.negotiated(), accepted.subprotocol(), extensions);
            Ok(format!("accepted {parts:?}\nfields {:?}", fields(accepted.headers())))
        }
        ClientProgress::Rejected(rejected) => {
            Ok(format!("rejected {}\nfields {:?}", rejected.status(), fields(rejected.headers())))
        }
        other => panic!("{other:?}"),
    }
}

/// Where several things are wrong with the fields, either may be named.
fn agree(ours: &Result<String, HandshakeError>, theirs: &Result<String, HandshakeError>) {
    use HandshakeError::{FieldTooLong, MalformedHeader, TooManyFields};
    let of_fields =
        |said: &Result<String, _>| matches!(said, Err(FieldTooLong | MalformedHeader | TooManyFields));
    assert!(ours == theirs || of_fields(ours) && of_fields(theirs), "{ours:?} {theirs:?}");
}

/// Whether each of them is one line, which begins with its name.
fn can_be_written(list: &[(&str, &[u8])]) -> bool {
    list.iter().all(|(name, value)| {
        !name.contains([':', '\n']) && !name.starts_with([' ', '\t']) && !value.contains(&b'\n')
    })
}

fn written(first: &str, list: &[(&str, &[u8])]) -> Vec<u8> {
    let lines = list.iter().flat_map(|(name, value)| [name.as_bytes(), b":", value, b"\r\n"].concat());
    first.bytes().chain(lines).chain(*b"\r\n").collect()
}

fn has(list: &[(&str, &[u8])], names: &[&str]) -> bool {
    list.iter().any(|(name, _)| names.iter().any(|other| name.eq_ignore_ascii_case(other)))
}
