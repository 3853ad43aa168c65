//! Defects that other libraries shipped in the server's side of the opening handshake and, for permessage-deflate, in
//! either, each as a test that would have caught it.

use crate::opening;

use std::fmt::Write as _;
use std::time::Instant;

use opening::deflate::{agreed, answer, ask, bits, plain};
use opening::{
    accepted, field, head, refused, rejection, replaced, serve, serve_in, with, without, Outcome, ACCEPT,
    KEY, LINES,
};
use sockless::deflate::{Offer, Params, Policy};
use sockless::handshake::server::{Reject, Request, ServerHandshake, ServerProgress};
use sockless::handshake::{ComposeError, HandshakeError, HeadLimits, OriginPolicy};

/// The shortest of several runs, in nanoseconds.
fn cost(mut run: impl FnMut()) -> u128 {
    let once = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed().as_nanos()
    };
    (0..7).map(|_| once(&mut run)).min().unwrap().max(1)
}

fn is_right(head: &str) -> bool {
    Request::parse(head.as_bytes(), &HeadLimits::DEFAULT).is_ok()
}

/// tungstenite (CVE-2023-43669) parsed a head from its beginning after every read, and its fix took many small
/// reads for an attack. Here a valid head in reads of one octet is accepted, and the limit is exact to the
/// octet.
#[test]
fn cve_2023_43669_a_large_head_in_small_reads_passes_and_one_octet_more_does_not() {
    let large = head(LINES.into_iter().chain([format!("X: {}", "y".repeat(64 << 10)).as_str()]));
    for (size, fits) in [(large.len(), true), (large.len() - 1, false)] {
        let mut storage = vec![0; size];
        let mut handshake = ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
        let refused = large.bytes().position(|byte| handshake.recv(&[byte]).is_err());
        assert_eq!(refused, (!fits).then_some(size));
        assert_eq!(handshake.eof(), if fits { Ok(()) } else { Err(HandshakeError::HeadTooLarge) });
    }
}

/// actix-http (RUSTSEC-2021-0081) took heads that another server reads otherwise.
#[test]
fn rustsec_2021_0081_heads_that_two_servers_read_differently_are_refused() {
    let smuggled = "\r\nGET /admin HTTP/1.1";
    let right = head(LINES);
    for (name, head) in [
        ("bare LF", right.replacen("\r\n", "\n", 2)),
        ("bare LF at the end", format!("{}\n", &right[..right.len() - 2])),
        ("folded line", with("X: a\r\n b: c")),
        ("folded first line", right.replacen("\r\nHost", "\r\n X: y\r\nHost", 1)),
        ("length and coding", with("Content-Length: 4\r\nTransfer-Encoding: chunked")),
        ("coding and length", with("Transfer-Encoding: chunked\r\nContent-Length: 0")),
        ("two lengths", with("Content-Length: 0\r\nContent-Length: 20")),
        ("two lengths in one", with("Content-Length: 0, 20")),
        ("signed length", with("Content-Length: +0")),
        ("hexadecimal length", with("Content-Length: 0x0")),
        ("space in the name of the length", with("Content-Length : 20")),
        ("tab in the name of the coding", with("Transfer-Encoding\t: chunked")),
        ("spoilt coding", with("Transfer-Encoding: xchunked")),
        ("quoted coding", with("Transfer-Encoding: \"chunked\"")),
        ("coding after another", with("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked")),
        ("vertical tab before the coding", with("Transfer-Encoding: \u{B}chunked")),
        ("two hosts", with("Host: other.example")),
        ("two hosts in one", replaced("Host: server.example.com, other.example")),
        ("request in a value", with(&format!("X: a\r{smuggled}"))),
        ("request in the target", replaced("GET /\tHTTP/1.1\tx HTTP/1.1")),
        ("NUL in a name", with("Content-Length\0: 20")),
        ("no name", with(": 20")),
    ] {
        let outcome = serve(&head);
        assert!(matches!(outcome, Outcome::Refused(_, 400, _)), "{name}: {outcome:?}");
    }
    // The second request of a pipeline is no part of the first, and is left.
    let both = format!("{right}{right}");
    assert_eq!(accepted(&both).taken, right.len());
}

/// ws (CVE-2024-37890) failed on a head with more fields than its limit.
#[test]
fn cve_2024_37890_more_fields_than_the_limit_are_refused_with_431() {
    for (more, fits) in [(121, true), (122, false), (5000, false)] {
        let mut head = head(LINES);
        head.truncate(head.len() - 2);
        for at in 0..more {
            write!(head, "X-{at}: y\r\n").unwrap();
        }
        head += "\r\n";
        if fits {
            accepted(&head);
        } else {
            refused(&head, 431);
        }
    }
}

/// ws (CVE-2021-32640) and websocket-extensions (CVE-2020-7662, CVE-2020-7663) took time that grew faster than a value.
#[test]
fn cve_2021_32640_cve_2020_7662_work_grows_with_the_length_of_a_value() {
    let spaces = |len: usize| replaced(&format!("Sec-WebSocket-Protocol: a{}b", " ".repeat(len)));
    let unclosed = |len: usize| with(&format!("Sec-WebSocket-Extensions: a; b=\"{}", "\\c".repeat(len / 2)));
    let commas = |len: usize| with(&format!("Sec-WebSocket-Extensions: a{}", ", ".repeat(len / 2)));
    let parameters = |len: usize| with(&format!("Sec-WebSocket-Extensions: a{}", ";b".repeat(len / 2)));
    let make: [(&str, &dyn Fn(usize) -> String); 4] =
        [("spaces", &spaces), ("unclosed", &unclosed), ("commas", &commas), ("parameters", &parameters)];
    for (name, make) in make {
        let (small, great) = (make(4 << 10), make(64 << 10));
        let (few, many) = (cost(|| assert!(!is_right(&small))), cost(|| assert!(!is_right(&great))));
        // Quadratic work would be 256 times as much.
        assert!(many < few * 80, "{name}: {few} ns for 4 KiB, {many} ns for 64 KiB");
    }
}

/// Our own: each subprotocol was compared with those before it by going through the lines again.
#[test]
fn a_list_of_many_long_subprotocols_costs_little_more_than_any_other_list() {
    let names: Vec<String> = (0..127).map(|at| format!("{}{at:03}", "p".repeat(400))).collect();
    let names = names.join(",");
    let (list, other) = (
        replaced(&format!("Sec-WebSocket-Protocol: {names}")),
        replaced(&format!("Connection: {names},Upgrade")),
    );
    let (list, other) = (cost(|| assert!(is_right(&list))), cost(|| assert!(is_right(&other))));
    println!("{list} ns for subprotocols, {other} ns for another list");
    // Going through the lines for each is 60 times as much.
    assert!(list < other * 12, "{list} ns for subprotocols, {other} ns for another list");
}

/// ws (NSP-550): an extension named like something that every object has brought the server down.
#[test]
fn nsp_550_an_extension_may_have_any_token_for_its_name() {
    let names = "constructor, __proto__, toString, hasOwnProperty, 0, -, !#$%&'*+-.^_`|~";
    let seen = accepted(&with(&format!("Sec-WebSocket-Extensions: {names}; constructor=__proto__")));
    assert_eq!(seen.extensions.join(", "), names);
    assert_eq!(field(&seen.response, "Sec-WebSocket-Extensions"), None);
}

/// undici (CVE-2026-1527) and sockudo-ws #78: a value from the caller became another line of the head.
#[test]
fn cve_2026_1527_sockudo_78_nothing_that_is_passed_in_makes_another_line() {
    let request = with("Sec-WebSocket-Extensions: x");
    let Ok(ServerProgress::Request(request)) = Request::parse(request.as_bytes(), &HeadLimits::DEFAULT)
    else {
        panic!()
    };
    let accept = request.accept(OriginPolicy::Any).unwrap();
    let lines = |head: &[u8]| head.windows(2).filter(|pair| *pair == b"\r\n").count();
    let mut out = [0; 1024];
    let plain = accept.write(&mut out).map(|(len, _)| lines(&out[..len])).unwrap();
    for byte in 0..=0x7F_u8 {
        let hostile = format!("x{}y", char::from(byte));
        let fields = [(hostile.as_str(), "v")];
        if let Ok(accept) = accept.with_fields(&fields) {
            let (len, _) = accept.write(&mut out).unwrap();
            assert_eq!(lines(&out[..len]), plain + 1, "name {byte:#x}");
            assert!(byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        }
        let fields = [("X", hostile.as_str())];
        match accept.with_fields(&fields) {
            Ok(accept) => {
                let (len, _) = accept.write(&mut out).unwrap();
                assert_eq!(lines(&out[..len]), plain + 1, "value {byte:#x}");
            }
            Err(error) => {
                assert_eq!(error, ComposeError::InvalidValue);
                assert!(byte.is_ascii_control() && byte != b'\t', "{byte:#x}");
            }
        }
        assert!(accept.with_subprotocol(&hostile).is_err(), "it was not offered");
        // `x;y` is an extension that was offered, with a parameter.
        assert_eq!(accept.with_extensions(&hostile).is_ok(), byte == b';', "{byte:#x}");
        let reject = Reject::new(400).unwrap();
        assert_eq!(reject.with_fields(&fields).is_err(), accept.with_fields(&fields).is_err());
    }
}

/// websocket-driver (CVE-2026-54466) still spoke the drafts 75 and 76.
#[test]
fn cve_2026_54466_the_drafts_are_not_spoken() {
    let draft_76 = head([
        "GET /demo HTTP/1.1",
        "Host: example.com",
        "Connection: Upgrade",
        "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00",
        "Upgrade: WebSocket",
        "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5",
        "Origin: http://example.com",
    ]);
    assert_eq!(field(&refused(&draft_76, 426), "Sec-WebSocket-Version"), Some("13"));
    for version in ["0", "4", "6", "7", "8"] {
        refused(&replaced(&format!("Sec-WebSocket-Version: {version}")), 426);
    }
}

/// tungstenite looked at the first `Connection` alone.
#[test]
fn tungstenite_upgrade_may_stand_in_any_line_of_connection() {
    for lines in [
        "Connection: keep-alive\r\nConnection: Upgrade",
        "Connection: keep-alive\r\nX: y\r\nconnection: foo, upgrade",
        "Connection:\r\nConnection: Upgrade",
    ] {
        accepted(&replaced(lines));
    }
    // The same for the other lists.
    accepted(&replaced("Upgrade: h2c\r\nUpgrade: websocket"));
}

/// tungstenite PR #543: keys of any length were hashed.
#[test]
fn tungstenite_543_a_key_has_24_characters() {
    for len in (0..=64).filter(|len| *len != KEY.len()) {
        let key: String = KEY.chars().cycle().take(len).collect();
        refused(&replaced(&format!("Sec-WebSocket-Key: {key}")), 400);
    }
}

/// sockudo-ws #83: repeated fields were not refused, and which of them counted was chance.
#[test]
fn sockudo_83_repeated_keys_and_versions_are_refused_and_an_accept_value_is_not_looked_at() {
    for line in [
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-key: AQIDBAUGBwgJCgsMDQ4PEA==",
        "SEC-WEBSOCKET-KEY:",
        "Sec-WebSocket-Version: 13",
        "sec-websocket-version: 8",
        "Host: server.example.com",
        "Origin: http://example.com",
    ] {
        refused(&with(line), 400);
    }
    let seen = accepted(&with("Sec-WebSocket-Accept: a\r\nSec-WebSocket-Accept: b"));
    assert_eq!(field(&seen.response, "Sec-WebSocket-Accept"), Some(ACCEPT));
}

/// sockudo-ws #82: a request to upgrade with a body was accepted, and its body read as frames.
#[test]
fn sockudo_82_a_body_is_never_read_as_frames() {
    for line in ["Content-Length: 1", "Content-Length: 00000001", "Transfer-Encoding: chunked"] {
        let answer = refused(&with(line), 400);
        assert_eq!(field(&answer, "Connection"), Some("close"));
    }
    assert_eq!(accepted(&with("Content-Length: 000")).taken, with("Content-Length: 000").len());
}

/// sockudo-ws #77: frames that arrived with the request counted towards the limit of its head.
#[test]
fn sockudo_77_frames_do_not_count_as_head() {
    let request = head(LINES);
    let glued = format!("{request}{}", "\u{1}".repeat(100_000));
    for chunk in [glued.len(), request.len() + 1, request.len(), request.len() - 1, 1] {
        let Outcome::Accepted(seen) = serve_in(glued.as_bytes(), chunk, HeadLimits::DEFAULT, request.len())
        else {
            panic!("{chunk}")
        };
        assert_eq!(seen.taken, request.len());
    }
}

/// shiguredo_websocket 0003: quoted strings were split at the commas and semicolons in them, so that a part became an
/// offer of its own.
#[test]
fn shiguredo_0003_a_quoted_string_is_one_value() {
    // Its value is no token, and so the whole field is malformed; nothing in it is an offer.
    for value in ["a; b=\"c, permessage-deflate\"", "a; b=\"c; permessage-deflate\"", "a; b=\"\\\", x\""] {
        refused(&with(&format!("Sec-WebSocket-Extensions: {value}")), 400);
    }
}

/// shiguredo_websocket 0022: of several lines of extensions only one was seen.
#[test]
fn shiguredo_0022_every_line_of_extensions_is_seen() {
    let line = "Sec-WebSocket-Extensions: a\r\nX: y\r\nsec-websocket-extensions: b, c\r\nSec-WebSocket-Extensions: d";
    assert_eq!(accepted(&with(line)).extensions, ["a", "b", "c", "d"]);
}

/// undici (CVE-2026-2229): of `server_max_window_bits` only the digits were checked, and the decompressor that it was given
/// to brought the client down.
#[test]
fn cve_2026_2229_a_window_that_is_none_fails_the_handshake() {
    let bad = Err(HandshakeError::InvalidExtensionParameters);
    for value in ["0", "7", "16", "99", "08", "+9", "4294967304", "18446744073709551624", "\"16\"", "\"\\7\""]
    {
        let value = format!("permessage-deflate; server_max_window_bits={value}");
        assert_eq!(agreed(&[Offer::DEFAULT], &value), bad, "{value}");
        assert_eq!(answer(&[&value], &Policy::DEFAULT), (None, None), "{value}");
    }
    // What is no value is malformed already.
    for value in ["", "\"\"", "\"8", "8 9"] {
        let value = format!("permessage-deflate; server_max_window_bits={value}");
        assert_eq!(agreed(&[Offer::DEFAULT], &value), Err(HandshakeError::InvalidExtensions), "{value}");
    }
}

/// websockets PR 1757: an offer of the smallest window, which its compressor cannot keep, was answered with 500.
#[test]
fn websockets_1757_an_offer_of_8_bits_is_accepted() {
    let small = Some(bits(8));
    let (element, session) = answer(&["permessage-deflate; server_max_window_bits=8"], &Policy::TAKEOVER);
    assert_eq!(element.as_deref(), Some("permessage-deflate; server_max_window_bits=8"));
    assert_eq!(session.unwrap().server_max_window_bits, small);
    let (element, session) = answer(&["permessage-deflate; client_max_window_bits=8"], &Policy::TAKEOVER);
    assert_eq!(element.as_deref(), Some("permessage-deflate; client_max_window_bits=8"));
    assert_eq!(session.unwrap().client_max_window_bits, small);
    // Whoever cannot keep it may decline, which is no failure either.
    let mut policy = Policy::DEFAULT;
    policy.min_server_window_bits = bits(9);
    assert_eq!(answer(&["permessage-deflate; server_max_window_bits=8"], &policy), (None, None));
}

/// shiguredo_websocket 0003, for the parameters of permessage-deflate: a quoted value is the value in it.
#[test]
fn shiguredo_0003_a_quoted_window_is_that_window() {
    for value in ["10", "\"10\"", "\"1\\0\"", "\"\\1\\0\""] {
        let value = format!("permessage-deflate; client_max_window_bits={value}, x");
        let (element, _) = answer(&[&value], &Policy::TAKEOVER);
        assert_eq!(element.as_deref(), Some("permessage-deflate; client_max_window_bits=10"), "{value}");
    }
}

/// shiguredo_websocket 0005: windows with leading zeros were taken.
#[test]
fn shiguredo_0005_leading_zeros_are_refused() {
    for (name, digits) in ["server_max_window_bits", "client_max_window_bits"]
        .into_iter()
        .flat_map(|name| ["08", "010", "0015", "\"09\""].map(|digits| (name, digits)))
    {
        let value = format!("permessage-deflate; {name}={digits}");
        assert_eq!(answer(&[&value], &Policy::DEFAULT), (None, None), "{value}");
        let got = agreed(&[Offer::DEFAULT], &value);
        assert_eq!(got, Err(HandshakeError::InvalidExtensionParameters), "{value}");
    }
}

/// shiguredo_websocket 0015: an answer that accepts it twice was taken.
#[test]
fn shiguredo_0015_an_answer_accepts_it_once() {
    let request = plain().with_deflate(&[Offer::DEFAULT, Offer::DEFAULT]);
    for values in [
        &["permessage-deflate, permessage-deflate"][..],
        &["permessage-deflate; client_max_window_bits=10, permessage-deflate; client_max_window_bits=9"],
        &["permessage-deflate", "permessage-deflate"],
    ] {
        assert_eq!(ask(request, values), Err(HandshakeError::UnofferedExtension), "{values:?}");
    }
}

/// shiguredo_websocket 0022, for permessage-deflate: offers and answers count in every line of the field.
#[test]
fn shiguredo_0022_deflate_is_seen_in_every_line() {
    let (element, session) =
        answer(&["x", "y; a=1, permessage-deflate; foo", "permessage-deflate"], &Policy::TAKEOVER);
    assert_eq!((element.as_deref(), session), (Some("permessage-deflate"), Some(Params::DEFAULT)));
    let request = plain().with_deflate(&[Offer::DEFAULT]).with_extensions("x").unwrap();
    assert_eq!(ask(request, &["x", "permessage-deflate"]), Err(HandshakeError::ConflictingExtensions));
}

/// shiguredo_websocket 0004: a refusal for the version did not name the right one.
#[test]
fn shiguredo_0004_a_refusal_for_the_version_names_ours() {
    for head in [
        without("Sec-WebSocket-Version"),
        replaced("Sec-WebSocket-Version: 12"),
        replaced("Sec-WebSocket-Version: 13, 13"),
        with("Sec-WebSocket-Version: 13"),
    ] {
        let Outcome::Refused(error, _, answer) = serve(&head) else { panic!() };
        assert_eq!(field(&answer, "Sec-WebSocket-Version"), Some("13"), "{error:?}");
    }
    assert_eq!(field(&rejection(&Reject::new(426).unwrap()), "Sec-WebSocket-Version"), Some("13"));
}

/// shiguredo_websocket 0007: what arrived while the application was deciding was lost.
#[test]
fn shiguredo_0007_what_comes_while_the_application_decides_is_left_to_the_caller() {
    let request = head(LINES);
    let mut storage = [0; 4096];
    let mut handshake = ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
    assert!(matches!(handshake.recv(request.as_bytes()), Ok((_, ServerProgress::Request(_)))));
    // The request stays the same, and nothing that follows is taken.
    for _ in 0..3 {
        let Ok((0, ServerProgress::Request(request))) = handshake.recv(b"\x81\x80\0\0\0\0") else { panic!() };
        assert_eq!(request.target(), "/chat");
    }
}
