//! The body of a response that is no 101: where it ends, in any split of the input, and never beyond its bound.

use proptest::prelude::*;
use sockless::handshake::client::{ClientHandshake, ClientProgress, ClientRequest};
use sockless::handshake::{BodyError, BodyReader, HeadLimits, Uri};

/// The result of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Came {
    body: Vec<u8>,
    end: End,
    /// How many octets were taken after the head.
    taken: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Complete,
    CutOff,
    Failed(BodyError),
    /// It needs more.
    Open,
}

use End::{Complete, CutOff, Failed, Open};

/// Reads a response with these fields and this body, given in pieces of these sizes, over and over.
fn read_with(
    method: &str,
    status: u16,
    fields: &str,
    body: &[u8],
    sizes: &[usize],
    max: u64,
    eof: bool,
) -> Came {
    let head = format!("HTTP/1.1 {status} x\r\n{fields}\r\n");
    let mut storage = vec![0; 4096];
    let request = ClientRequest::new(Uri::parse("ws://a/").unwrap());
    let mut handshake = ClientHandshake::new(request, [0; 16], &mut storage, HeadLimits::DEFAULT);
    let (taken, progress) = handshake.recv(head.as_bytes()).unwrap();
    assert_eq!(taken, head.len());
    let ClientProgress::Rejected(rejected) = progress else { panic!("not rejected") };
    let mut came = Came { body: Vec::new(), end: Open, taken: 0 };
    let mut reader = match BodyReader::new(method, status, rejected.headers(), max) {
        Ok(reader) => reader,
        Err(error) => return Came { end: Failed(error), ..came },
    };
    let mut sizes = sizes.iter().cycle();
    let mut rest = body;
    let result = 'read: loop {
        let (mut piece, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
        while !piece.is_empty() && !reader.is_over() {
            match reader.recv(piece) {
                Ok((taken, octets)) => {
                    assert!(taken <= piece.len() && octets.len() <= taken);
                    came.body.extend_from_slice(octets);
                    came.taken += taken;
                    piece = &piece[taken..];
                }
                Err(error) => break 'read Err(error),
            }
        }
        rest = after;
        // A body that ends with the transport may never end: what it waits for is limited, and nothing else is.
        let ends_with_transport = !reader.is_over() && reader.clone().eof().is_ok();
        assert_eq!(reader.idle_limit().is_some(), ends_with_transport);
        if rest.is_empty() || reader.is_over() {
            break if eof { reader.eof() } else { Ok(()) };
        }
    };
    assert!(came.body.len() as u64 <= max);
    came.end = match (result, reader.is_complete(), reader.is_cut_off(), reader.is_over()) {
        (Ok(()), true, false, true) => Complete,
        (Ok(()), false, true, true) => CutOff,
        (Ok(()), false, false, false) => Open,
        (Err(error), false, false, true) => {
            assert_eq!(reader.recv(b"x"), Err(error), "a failure stays one");
            assert_eq!(reader.eof(), Err(error));
            Failed(error)
        }
        (Ok(()), false, false, true) => Failed(reader.recv(b"").unwrap_err()),
        other => panic!("{other:?}"),
    };
    came
}

/// The same of any split: whole, octet by octet, and cut once at every place.
#[track_caller]
fn read_as(method: &str, status: u16, fields: &str, body: &[u8], max: u64, eof: bool) -> Came {
    let whole = read_with(method, status, fields, body, &[usize::MAX], max, eof);
    for cut in 1..body.len().clamp(2, 200) {
        let again = read_with(method, status, fields, body, &[cut, usize::MAX], max, eof);
        assert_eq!(again.body, whole.body, "cut at {cut}");
        assert_eq!(again.end, whole.end, "cut at {cut}");
    }
    for size in [1, 2, 3, 7] {
        let again = read_with(method, status, fields, body, &[size], max, eof);
        assert_eq!((&again.body, again.end), (&whole.body, whole.end), "in pieces of {size}");
    }
    whole
}

const MAX: u64 = 64;

#[track_caller]
fn read(fields: &str, body: &[u8], eof: bool) -> (Vec<u8>, End) {
    let came = read_as("GET", 403, fields, body, MAX, eof);
    (came.body, came.end)
}

fn chunked(body: &str, eof: bool) -> (Vec<u8>, End) {
    read("Transfer-Encoding: chunked\r\n", body.as_bytes(), eof)
}

#[test]
fn a_length_ends_the_body_whatever_stands_behind_it() {
    let came = read_as("GET", 401, "Content-Length: 4\r\n", b"goneHTTP/1.1 200 OK", MAX, false);
    assert_eq!(came, Came { body: b"gone".to_vec(), end: Complete, taken: 4 });
    assert_eq!(read("content-length:4\r\n", b"gone", false), (b"gone".to_vec(), Complete));
    assert_eq!(read("Content-Length: 0\r\n", b"no more", false), (vec![], Complete));
    assert_eq!(read("Content-Length: 5\r\n", b"gone", false), (b"gone".to_vec(), Open));
    assert_eq!(
        read("Content-Length: 5\r\n", b"gone", true),
        (b"gone".to_vec(), Failed(BodyError::UnexpectedEof))
    );
}

#[test]
fn lengths_that_are_the_same_are_one_and_others_are_an_error() {
    for fields in [
        "Content-Length: 4, 4\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4 ,004\r\n",
        "Content-Length: 0000000000000000000000000000004\r\n",
    ] {
        assert_eq!(read(fields, b"gone", false), (b"gone".to_vec(), Complete), "{fields}");
    }
    for fields in [
        "Content-Length: 4, 5\r\n",
        "Content-Length: 4\r\nX: y\r\nContent-Length: 5\r\n",
        "Content-Length: \r\n",
        "Content-Length: 4,\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -4\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length: 4 4\r\n",
        "Content-Length: four\r\n",
        "Content-Length: 18446744073709551616\r\n",
    ] {
        assert_eq!(read(fields, b"gone", true), (vec![], Failed(BodyError::InvalidLength)), "{fields}");
    }
    let largest = read("Content-Length: 18446744073709551615\r\n", b"gone", false);
    assert_eq!(largest, (b"gone".to_vec(), Open));
}

#[test]
fn without_a_length_the_body_ends_with_the_transport() {
    for fields in [
        "",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: gzip\r\nContent-Length: 2\r\n",
    ] {
        assert_eq!(read(fields, b"4\r\ngone", true), (b"4\r\ngone".to_vec(), Complete), "{fields}");
        assert_eq!(read(fields, b"4\r\ngone", false), (b"4\r\ngone".to_vec(), Open), "{fields}");
        assert_eq!(read(fields, b"", true), (vec![], Complete), "{fields}");
    }
}

#[test]
fn some_responses_have_no_body_whatever_their_fields_say() {
    for fields in
        ["", "Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: nonsense\r\n"]
    {
        for (method, status) in
            [("HEAD", 403), ("HEAD", 200), ("GET", 204), ("GET", 304), ("CONNECT", 200), ("CONNECT", 299)]
        {
            let came = read_as(method, status, fields, b"gone", MAX, false);
            assert_eq!(came, Came { body: vec![], end: Complete, taken: 0 }, "{method} {status} {fields}");
        }
    }
    // Methods have their case, and a proxy that refuses says why.
    for (method, status) in [("head", 403), ("CONNECT", 407), ("GET", 200), ("GET", 999)] {
        let came = read_as(method, status, "Content-Length: 4\r\n", b"gone", MAX, false);
        assert_eq!((came.body, came.end), (b"gone".to_vec(), Complete), "{method} {status}");
    }
}

#[test]
fn chunks_are_put_together_and_what_stands_between_is_passed_over() {
    for body in [
        "4\r\ngone\r\n0\r\n\r\n",
        "1\r\ng\r\n3\r\none\r\n0\r\n\r\n",
        "0004\r\ngone\r\n00\r\n\r\n",
        "4;name=value;other=\"quoted\"\r\ngone\r\n0;x\r\n\r\n",
        "4  \r\ngone\r\n0 \r\n\r\n",
        "4\t;\x20x\r\ngone\r\n0\r\n\r\n",
        "4\r\ngone\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n",
    ] {
        let came = read_as(
            "GET",
            500,
            "Transfer-Encoding: chunked\r\n",
            format!("{body}HTTP/1.1").as_bytes(),
            MAX,
            false,
        );
        assert_eq!(came, Came { body: b"gone".to_vec(), end: Complete, taken: body.len() }, "{body}");
    }
    assert_eq!(
        chunked("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", false).0,
        b"01234567890123456789a"
    );
    assert_eq!(chunked("0\r\n\r\n", false), (vec![], Complete));
    for fields in [
        "transfer-encoding: CHUNKED\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: ,chunked,\r\n",
        // RFC 9112 section 6.3: it overrides any length.
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: two, 3\r\nTransfer-Encoding: chunked\r\n",
    ] {
        assert_eq!(read(fields, b"4\r\ngone\r\n0\r\n\r\n", false), (b"gone".to_vec(), Complete), "{fields}");
    }
}

#[test]
fn what_is_no_chunk_fails_and_what_came_before_counts() {
    let invalid = |octets: &str| (octets.as_bytes().to_vec(), Failed(BodyError::InvalidChunk));
    for body in [
        "\r\n",
        ";x\r\n",
        " 4\r\ngone",
        "-4\r\ngone",
        "0x4\r\ngone",
        "g\r\n",
        "4\ngone",
        "4\rgone",
        "4;\x01\r\ngone",
        "4;x\ny\r\n",
        "11111111111111111\r\n",
        "4\x00\r\n",
    ] {
        assert_eq!(chunked(body, false), invalid(""), "{}", body.escape_debug());
    }
    for body in [
        "4\r\ngonex",
        "4\r\ngone\n",
        "4\r\ngone\rx",
        "4\r\ngone\r\n\r\n",
        "4\r\ngone\r\n0\r\nX: \x00",
        "4\r\ngone\r\n0\r\n\n",
        "4\r\ngone\r\n0\r\nX: y\rz",
        "4\r\ngone\r\n0\r\n\rx",
    ] {
        assert_eq!(chunked(body, false), invalid("gone"), "{}", body.escape_debug());
    }
    for body in [
        "4\r\ngone",
        "4\r\ngone\r",
        "4\r\ngone\r\n",
        "4\r\ngone\r\n0",
        "4\r\ngone\r\n0\r\n",
        "4\r\ngone\r\n0\r\nX: y\r\n",
    ] {
        assert_eq!(chunked(body, false), (b"gone".to_vec(), Open), "{}", body.escape_debug());
        assert_eq!(
            chunked(body, true),
            (b"gone".to_vec(), Failed(BodyError::UnexpectedEof)),
            "{}",
            body.escape_debug()
        );
    }
}

#[test]
fn more_than_there_is_room_for_is_cut_off_and_not_waited_for() {
    let full = vec![b'x'; MAX as usize];
    let chunk = |len: usize| format!("{len:x}\r\n{}\r\n", "x".repeat(len));
    // As much as there is room for, in each form.
    assert_eq!(read("Content-Length: 64\r\n", &full, false), (full.clone(), Complete));
    assert_eq!(read("", &full, true), (full.clone(), Complete));
    assert_eq!(chunked(&(chunk(64) + "0\r\n\r\n"), false), (full.clone(), Complete));
    assert_eq!(chunked(&(chunk(60) + &chunk(4) + "0\r\n\r\n"), false), (full.clone(), Complete));
    // One octet more: do not wait for what was announced.
    assert_eq!(read("Content-Length: 65\r\n", &full, false), (full.clone(), CutOff));
    let over = vec![b'x'; MAX as usize + 1];
    assert_eq!(read("", &over, false), (full.clone(), CutOff));
    assert_eq!(chunked(&format!("41\r\n{}", "x".repeat(64)), false), (full.clone(), CutOff));
    assert_eq!(chunked(&(chunk(64) + "1\r\n"), false), (full.clone(), CutOff));
    // And no room at all.
    for (fields, body) in
        [("Content-Length: 1\r\n", "x"), ("", "x"), ("Transfer-Encoding: chunked\r\n", "1\r\nx")]
    {
        let came = read_as("GET", 403, fields, body.as_bytes(), 0, false);
        assert_eq!((came.body, came.end), (vec![], CutOff), "{fields}");
    }
    assert_eq!(read_as("GET", 403, "Content-Length: 0\r\n", b"", 0, false).end, Complete);
    // Then the end of the transport is not waited for.
    assert_eq!(read_as("GET", 403, "", b"", 0, false).end, CutOff);
}

#[test]
fn what_is_passed_over_is_bounded() {
    let long = "x".repeat(16 << 10);
    let fields = "Transfer-Encoding: chunked\r\n";
    for body in [
        format!("4;{long}"),
        format!("{}4\r\n", "0".repeat(17 << 10)),
        format!("0\r\nX: {long}"),
        format!("0\r\n{}", "X: y\r\n".repeat(4 << 10)),
        format!("4;{}\r\ngone\r\n0\r\nX: {}", &long[..10_000], &long[..10_000]),
    ] {
        for size in [1, 100, usize::MAX] {
            let came = read_with("GET", 403, fields, body.as_bytes(), &[size], MAX, false);
            assert_eq!(came.end, Failed(BodyError::TooMuchBesides), "{:.10}", body);
            assert!(came.taken <= body.len());
        }
    }
    // In proportion to the body there may be more: sizes of eight digits, an extension for each chunk.
    let body = "00000010;ab=cd\r\n0123456789abcdef\r\n".repeat(5000) + "0\r\n\r\n";
    let came = read_with("GET", 403, fields, body.as_bytes(), &[1000], u64::MAX, false);
    assert_eq!((came.body.len(), came.end), (80_000, Complete));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever comes, any split comes to the same, nothing panics, and no bound is passed.
    #[test]
    fn any_input_comes_to_the_same_however_it_is_cut(
        fields in prop_oneof![
            Just("Transfer-Encoding: chunked\r\n"), Just("Content-Length: 20\r\n"), Just(""),
            Just("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), Just("Content-Length: 1,1\r\n"),
        ],
        parts in proptest::collection::vec(prop_oneof![
            4 => (0_usize..20).prop_map(|len| format!("{len:x}\r\n{}\r\n", "b".repeat(len)).into_bytes()),
            1 => Just(b"0\r\n\r\n".to_vec()),
            1 => Just(b"3;ext\r\nabc\r\n".to_vec()),
            1 => proptest::collection::vec(any::<u8>(), 0..8),
        ], 0..8),
        noise in any::<Option<(u16, u8)>>(),
        sizes in proptest::collection::vec(1_usize..30, 1..5),
        max in prop_oneof![Just(0_u64), 1_u64..40, Just(u64::MAX)],
        eof: bool,
    ) {
        let mut body = parts.concat();
        if let (Some((at, byte)), false) = (noise, body.is_empty()) {
            let at = usize::from(at) % body.len();
            body[at] = byte;
        }
        let whole = read_with("GET", 403, fields, &body, &[usize::MAX], max, eof);
        let cut = read_with("GET", 403, fields, &body, &sizes, max, eof);
        prop_assert_eq!((&whole.body, whole.end), (&cut.body, cut.end));
        let octets = read_with("GET", 403, fields, &body, &[1], max, eof);
        prop_assert_eq!((&whole.body, whole.end), (&octets.body, octets.end));
    }
}
