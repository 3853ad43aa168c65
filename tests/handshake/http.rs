//! Heads of HTTP/1.1, strictly (RFC 9110 and RFC 9112), and the limits on them.

use crate::opening;

use std::time::Instant;

use opening::{
    accepted, head, refused, replaced, serve, serve_bytes, serve_in, with, without, Outcome, LINES,
};
use proptest::prelude::*;
use sockless::handshake::client::{self, ClientRequest};
use sockless::handshake::server::ServerHandshake;
use sockless::handshake::{HandshakeError, HeadLimits, Uri};

/// A response, judged by a client.
fn response(head: &str) -> Result<(), HandshakeError> {
    let mut storage = [0; 4096];
    let request = ClientRequest::new(Uri::parse("ws://h/").unwrap());
    let mut handshake =
        client::ClientHandshake::new(request, *b"the sample nonce", &mut storage, HeadLimits::DEFAULT);
    handshake.recv(head.as_bytes()).map(|_| ())
}

#[test]
fn req_9112_2_2_3_req_9110_5_5_3_octets_beyond_ascii_are_opaque_in_unknown_fields() {
    let mut bytes = with("X: y").into_bytes();
    let at = bytes.windows(2).position(|w| w == b"y\r").unwrap();
    bytes[at] = 0xFF;
    let Outcome::Accepted(seen) = serve_bytes(&bytes) else { panic!() };
    assert!(seen.fields.contains(&("X".into(), vec![0xFF])));
    // In our own they break the grammar.
    refused(&replaced("Sec-WebSocket-Protocol: \u{17C}"), 400);
    refused(&replaced("Host: \u{17C}"), 400);
}

#[test]
fn req_9112_2_2_4_a_bare_lf_never_ends_a_line() {
    refused(&head(LINES).replace("\r\n", "\n"), 400);
    for (at, _) in head(LINES).match_indices("\r\n") {
        let mut one = head(LINES);
        one.remove(at);
        refused(&one, 400);
    }
}

#[test]
fn req_9112_2_2_5_a_bare_cr_is_refused() {
    refused(&replaced("Host: a\rb"), 400);
    refused(&replaced("GET /a\rb HTTP/1.1"), 400);
    refused(&with("X: a\r\r\nY: b"), 400);
}

#[test]
fn req_9112_2_2_6_a_few_blank_lines_come_before_a_request() {
    accepted(&format!("\r\n{}", head(LINES)));
    accepted(&format!("\r\n\r\n{}", head(LINES)));
    refused(&"\r\n".repeat(100), 400);
}

#[test]
fn req_9112_2_2_7_no_whitespace_begins_the_first_field() {
    refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", 400);
}

#[test]
fn req_9112_2_2_8_what_is_not_http_is_refused_at_once() {
    // A ClientHello of TLS, before its end.
    let Outcome::Refused(HandshakeError::MalformedStartLine, 400, _) =
        serve_bytes(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
    else {
        panic!()
    };
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    refused("HELO example.com\r\n\r\n", 400);
    // The handshake of the drafts 75 and 76 has no version, and octets after its head that are no frames.
    refused(&without("Sec-WebSocket-Version").replace("Key:", "Key1:"), 426);
}

#[test]
fn req_9112_3_1_one_space_stands_between_the_parts() {
    for line in ["GET  /chat HTTP/1.1", "GET\t/chat HTTP/1.1", "GET /chat  HTTP/1.1", " GET /chat HTTP/1.1"] {
        refused(&head([line].into_iter().chain(LINES[1..].iter().copied())), 400);
    }
}

#[test]
fn req_9112_3_2_req_9112_3_3_a_target_may_have_8000_octets_and_then_its_limit() {
    accepted(&replaced(&format!("GET /{} HTTP/1.1", "a".repeat(8000))));
    refused(&replaced(&format!("GET /{} HTTP/1.1", "a".repeat(9000))), 414);
    // Exact to the octet: the limit is for the line without its CRLF.
    let line = "GET /chat HTTP/1.1";
    for (limit, fits) in [(line.len(), true), (line.len() - 1, false)] {
        let limits = HeadLimits::DEFAULT.with_max_start_line(limit);
        for chunk in [1, 1000] {
            let outcome = serve_in(head(LINES).as_bytes(), chunk, limits, 4096);
            assert_eq!(matches!(outcome, Outcome::Accepted(_)), fits);
            assert_eq!(matches!(outcome, Outcome::Refused(_, 414, _)), !fits);
        }
    }
}

#[test]
fn req_9112_3_2_2_an_invalid_target_is_not_corrected() {
    for target in ["/a#b", "/a b", "/<a>", "/a\"b", "/\u{17C}"] {
        refused(&replaced(&format!("GET {target} HTTP/1.1")), 400);
    }
}

#[test]
fn req_9112_3_2_3_there_is_one_valid_host() {
    refused(&without("Host"), 400);
    refused(&with("Host: server.example.com"), 400);
    for host in [
        "", "a b", "a/b", "u@a", "a:b", "a:65536", "a:123456", "a:+80", "a:-1", "[::1", "[]", "[x]",
        "a:80:80", "a,b c",
    ] {
        refused(&replaced(&format!("Host: {host}")), 400);
    }
}

#[test]
fn req_9112_3_2_2_1_the_authority_of_a_whole_uri_goes_before_host() {
    let seen = accepted(&replaced("GET http://a:81/x HTTP/1.1"));
    assert_eq!((seen.host.as_str(), seen.target.as_str()), ("a:81", "/x"));
}

#[test]
fn req_9112_5_1_1_req_9112_5_1_2_no_whitespace_stands_before_the_colon() {
    refused(&replaced("Host: a").replace("Host:", "Host :"), 400);
    refused(&with("X\t: a"), 400);
    let bad = "HTTP/1.1 101 x\r\nUpgrade : websocket\r\n\r\n";
    assert_eq!(response(bad), Err(HandshakeError::MalformedHeader));
}

#[test]
fn req_9112_5_2_3_a_folded_line_is_refused() {
    refused(&with("X: a\r\n b"), 400);
    refused(&with("X: a\r\n\tb"), 400);
}

#[test]
fn req_9112_6_1_2_req_9112_6_3_1_req_t_body_1_nothing_of_a_body_is_taken_for_frames() {
    for lines in [
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: identity",
        "Transfer-Encoding:",
    ] {
        refused(&with(lines), 400);
    }
    accepted(&with("Content-Length: 0"));
    // In a plain request: bodies whose length is not clear.
    let plain = |lines: &str| serve(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n"));
    assert!(matches!(plain("Content-Length: 5"), Outcome::Http(..)));
    assert!(matches!(plain("Transfer-Encoding: gzip, chunked"), Outcome::Http(..)));
    for lines in ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked\r\nContent-Length: 5"] {
        assert!(matches!(plain(lines), Outcome::Refused(_, 400, _)), "{lines}");
    }
}

#[test]
fn req_9112_6_3_2_a_length_is_a_number() {
    for length in ["5, 6", "+5", "abc", "-0", "0x0", "", "0\r\nContent-Length: 1", "0, 00"] {
        refused(&with(&format!("Content-Length: {length}")), 400);
    }
    accepted(&with("Content-Length: 0\r\nContent-Length: 0"));
}

#[test]
fn req_9110_5_1_1_req_9110_5_6_2_1_names_are_tokens_of_any_case() {
    for byte in 0..=255_u8 {
        let legal = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let mut bytes = with("X?: y").into_bytes();
        let at = bytes.windows(3).position(|w| w == b"X?:").unwrap() + 1;
        bytes[at] = byte;
        let outcome = serve_bytes(&bytes);
        // A colon ends the name; the rest is its value.
        let want = legal || byte == b':';
        assert_eq!(matches!(outcome, Outcome::Accepted(_)), want, "{byte:#x}: {outcome:?}");
    }
    refused(&head(LINES).replace("Sec-WebSocket-Key", "Sec WebSocket-Key"), 400);
    refused(&with(": no name"), 400);
    refused(&with("no colon"), 400);
    accepted(&head(LINES).replace("Sec-WebSocket-Key", "SEC-WEBSOCKET-KEY"));
}

#[test]
fn req_9110_5_3_1_lines_of_one_name_combine_in_order() {
    accepted(&replaced("Connection: keep-alive\r\nConnection: Upgrade"));
    let seen = accepted(&replaced("Sec-WebSocket-Protocol: c\r\nX: y\r\nSec-WebSocket-Protocol: a, b"));
    assert_eq!(seen.subprotocols, ["c", "a", "b"]);
}

#[test]
fn req_9110_5_3_2_req_9112_8_1_nothing_is_decided_before_the_blank_line() {
    let request = head(LINES);
    for end in 0..request.len() {
        assert_eq!(serve(&request[..end]), Outcome::More);
        let mut storage = [0; 4096];
        let mut handshake = ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
        handshake.recv(&request.as_bytes()[..end]).unwrap();
        assert_eq!(handshake.eof(), Err(HandshakeError::UnexpectedEof));
    }
}

#[test]
fn req_9112_9_5_1_a_slow_head_is_known_to_be_incomplete() {
    let mut storage = [0; 4096];
    let mut handshake = ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
    handshake.recv(b"GET / HTTP/1.1\r\nHost: a\r\nX:").unwrap();
    // The caller has the clock, and answers 408.
    assert_eq!(handshake.eof(), Err(HandshakeError::UnexpectedEof));
    let answer = opening::rejection(&sockless::handshake::server::Reject::new(408).unwrap());
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
}

#[test]
fn req_9110_2_3_1_req_9110_5_4_1_every_limit_has_its_status() {
    refused(&with(&format!("X: {}", "y".repeat(70_000))), 431);
    refused(&head(LINES.into_iter().chain(std::iter::repeat_n("X: y", 1000))), 431);
    // At the very octet, frames after the head not counted.
    let request = head(LINES);
    let glued = format!("{request}{}", "frames".repeat(1000));
    for (size, fits) in [(request.len(), true), (request.len() - 1, false)] {
        for chunk in [1, 7, 100_000] {
            let outcome = serve_in(glued.as_bytes(), chunk, HeadLimits::DEFAULT, size);
            assert_eq!(matches!(outcome, Outcome::Accepted(_)), fits);
            assert_eq!(matches!(outcome, Outcome::Refused(_, 431, _)), !fits);
        }
    }
    for (fields, fits) in [(7, true), (6, false)] {
        let limits = HeadLimits::DEFAULT.with_max_fields(fields);
        let outcome = serve_in(request.as_bytes(), 1000, limits, 4096);
        assert_eq!(matches!(outcome, Outcome::Accepted(_)), fits);
        assert_eq!(matches!(outcome, Outcome::Refused(HandshakeError::TooManyFields, 431, _)), !fits);
    }
}

#[test]
fn req_9110_5_5_1_outer_whitespace_is_trimmed() {
    let seen = accepted(&with("X: \t a b \t "));
    assert!(seen.fields.contains(&("X".into(), b"a b".to_vec())));
    assert!(accepted(&with("X:")).fields.contains(&("X".into(), Vec::new())));
}

#[test]
fn req_9110_5_5_2_control_octets_are_refused() {
    for byte in (0..=0x1F_u8).chain([0x7F]).filter(|&byte| byte != b'\t') {
        let mut bytes = with("X: a?b").into_bytes();
        let at = bytes.iter().rposition(|&b| b == b'?').unwrap();
        bytes[at] = byte;
        assert!(matches!(serve_bytes(&bytes), Outcome::Refused(_, 400, _)), "{byte:#x}");
    }
    accepted(&with("X: a\tb"));
}

#[test]
fn req_9110_5_6_1_2_empty_elements_are_borne_within_reason() {
    accepted(&replaced("Upgrade: , websocket,"));
    assert_eq!(accepted(&replaced("Sec-WebSocket-Protocol: a,,b ,\t, c")).subprotocols, ["a", "b", "c"]);
    refused(&replaced(&format!("Sec-WebSocket-Protocol: a{}", ",".repeat(10_000))), 400);
    refused(&replaced(&format!("Connection: Upgrade{}", ",".repeat(10_000))), 400);
}

/// CVE-2023-43669 read a head from its front again for every octet; a legal head in small reads must pass, and the work
/// must grow with its length.
#[test]
fn req_t_head_1_a_large_head_in_one_octet_reads_costs_linear_work() {
    let limits = HeadLimits::DEFAULT.with_max_fields(20_000);
    let large = |size: usize| head(LINES.into_iter().chain(std::iter::repeat_n("X: y", size / 6)));
    let cost = |head: &str| {
        let mut best = u128::MAX;
        for _ in 0..20 {
            let start = Instant::now();
            assert!(matches!(serve_in(head.as_bytes(), 1, limits, 1 << 20), Outcome::Accepted(_)));
            best = best.min(start.elapsed().as_nanos());
        }
        best
    };
    // Quadratic work would be 256 times as much for 16 times the length.
    let (small, great) = (cost(&large(4 << 10)), cost(&large(64 << 10)));
    assert!(great < small * 80, "{small} ns for 4 KiB, {great} ns for 64 KiB");
}

/// CVE-2021-32640, CVE-2020-7662: work on a field's value must grow with its length.
#[test]
fn long_and_odd_values_cost_linear_work() {
    let spaces = replaced(&format!("Sec-WebSocket-Protocol: a{}b", " ".repeat(60_000)));
    let quotes = with(&format!("Sec-WebSocket-Extensions: a; b=\"{}", "\\c".repeat(30_000)));
    let start = Instant::now();
    refused(&spaces, 400);
    refused(&quotes, 400);
    assert!(start.elapsed().as_secs() < 2);
}

/// What httparse makes of a request: its fields.
fn by_httparse(head: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut fields = [httparse::EMPTY_HEADER; 200];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Complete(len)) => {
            assert!(len <= head.len());
            Some(request.headers.iter().map(|h| (h.name.to_owned(), h.value.to_vec())).collect())
        }
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_accepted_httparse_accepts_with_the_same_fields(
        at in 0_usize..400, byte in any::<u8>(), line in "[ -~\t]{0,30}", insert in any::<bool>(),
    ) {
        let mut bytes = with(&line).into_bytes();
        let at = at % bytes.len();
        if insert { bytes.insert(at, byte) } else { bytes[at] = byte }
        if let Outcome::Accepted(seen) = serve_bytes(&bytes) {
            // httparse knows the versions 1.0 and 1.1 alone.
            if bytes.windows(8).any(|w| w == b"HTTP/1.1") {
                let fields = by_httparse(&bytes);
                // It trims the end of values alone where only whitespace is left.
                prop_assert_eq!(Some(seen.fields), fields);
            }
        }
    }

    #[test]
    fn any_cut_of_any_head_comes_to_the_same(
        noise in proptest::collection::vec(any::<u8>(), 0..40), at in 0_usize..300, chunk in 1_usize..60, glue in "[a-z]{0,5}",
    ) {
        let mut bytes = head(LINES).into_bytes();
        let at = at % bytes.len();
        if !noise.is_empty() {
            bytes.splice(at..(at + noise.len() / 2).min(bytes.len()), noise);
        }
        bytes.extend_from_slice(glue.as_bytes());
        let whole = serve_in(&bytes, bytes.len(), HeadLimits::DEFAULT, 2000);
        prop_assert_eq!(&whole, &serve_in(&bytes, chunk, HeadLimits::DEFAULT, 2000));
        prop_assert_eq!(&whole, &serve_in(&bytes, 1, HeadLimits::DEFAULT, 2000));
    }
}
