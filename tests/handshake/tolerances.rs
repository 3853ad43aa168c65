//! What a head may be where a tolerance of that name is on, and that nothing else becomes possible by it.

use crate::opening;

use opening::{head, replaced, serve_in, with, Outcome as Served};
use proptest::prelude::*;
use sockless::handshake::client::{ClientHandshake, ClientProgress, ClientRequest};
use sockless::handshake::{HandshakeError, HeadLimits, Uri};
use sockless::{Tolerance, Tolerances};

use HandshakeError::{
    FieldTooLong, HeadTooLarge, InvalidAccept, InvalidConnection, InvalidExtensions, InvalidSubprotocols,
    InvalidTarget, InvalidUpgrade, MalformedHeader, MalformedStartLine, SubprotocolRequired, TooManyFields,
    UnofferedSubprotocol,
};

const RIGHT: [&str; 4] = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];

/// What a client made of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    More,
    Open { subprotocol: Option<String>, extensions: Vec<String>, fields: Vec<(String, String)>, taken: usize },
    Rejected { status: u16, fields: Vec<(String, String)>, taken: usize },
}

fn run(
    bytes: &[u8],
    cuts: impl IntoIterator<Item = usize>,
    limits: HeadLimits,
    size: usize,
) -> Result<Outcome, HandshakeError> {
    let request = ClientRequest::new(Uri::parse("ws://server.example.com/chat").unwrap())
        .with_subprotocols(&["chat"])
        .unwrap()
        .with_extensions("x-other")
        .unwrap();
    run_for(request, bytes, cuts, limits, size)
}

fn run_for(
    request: ClientRequest<'_>,
    mut bytes: &[u8],
    cuts: impl IntoIterator<Item = usize>,
    limits: HeadLimits,
    size: usize,
) -> Result<Outcome, HandshakeError> {
    let mut storage = vec![0; size];
    let mut handshake = ClientHandshake::new(request, *b"the sample nonce", &mut storage, limits);
    let mut cuts = cuts.into_iter().chain(std::iter::repeat(usize::MAX));
    let mut taken = 0;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    while !bytes.is_empty() {
        let (chunk, rest) = bytes.split_at(cuts.next().unwrap().clamp(1, bytes.len()));
        bytes = rest;
        let (more, progress) = handshake.recv(chunk)?;
        taken += more;
        match progress {
            ClientProgress::NeedMore => assert_eq!(more, chunk.len()),
            ClientProgress::Accepted(accepted) => {
                return Ok(Outcome::Open {
                    subprotocol: accepted.subprotocol().map(str::to_owned),
                    extensions: accepted.extensions().iter().map(|e| e.name().to_owned()).collect(),
                    fields: accepted.headers().iter().map(|(n, v)| (n.to_owned(), text(v))).collect(),
                    taken,
                })
            }
            ClientProgress::Rejected(rejected) => {
                return Ok(Outcome::Rejected {
                    status: rejected.status(),
                    fields: rejected.headers().iter().map(|(n, v)| (n.to_owned(), text(v))).collect(),
                    taken,
                })
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(Outcome::More)
}

/// Read whole, octet by octet, and cut in two at each place: all must come to the same.
fn ask_in(response: &[u8], limits: HeadLimits, size: usize) -> Result<Outcome, HandshakeError> {
    let whole = run(response, [], limits, size);
    let octets = std::iter::repeat_n(1, response.len());
    assert_eq!(whole, run(response, octets, limits, size), "{}", response.escape_ascii());
    for cut in 1..response.len() {
        assert_eq!(whole, run(response, [cut], limits, size), "{cut} of {}", response.escape_ascii());
    }
    whole
}

fn ask(tolerances: Tolerances, response: impl AsRef<[u8]>) -> Result<Outcome, HandshakeError> {
    ask_in(response.as_ref(), HeadLimits::DEFAULT.with_tolerances(tolerances), 2048)
}

/// The response with these tolerances opens, with these fields besides the three that it needs.
fn opens(tolerances: Tolerances, response: impl AsRef<[u8]>, more: &[(&str, &str)]) {
    let response = response.as_ref();
    let outcome = ask(tolerances, response);
    let Ok(Outcome::Open { fields, taken, .. }) = outcome else {
        panic!("{outcome:?} for {}", response.escape_ascii())
    };
    assert_eq!(taken, response.len());
    let others = fields.iter().filter(|(name, _)| !RIGHT.iter().any(|line| line.starts_with(name.as_str())));
    let others: Vec<(&str, &str)> = others.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(others, more, "{}", response.escape_ascii());
    assert_eq!(fields.len(), more.len() + 3);
}

fn only(tolerance: Tolerance) -> Tolerances {
    Tolerances::NONE.with(tolerance)
}

fn all() -> Tolerances {
    Tolerance::ALL.into_iter().fold(Tolerances::NONE, Tolerances::with)
}

/// The right response with one more line, at each place.
fn with_line(line: &[u8]) -> Vec<Vec<u8>> {
    (1..=RIGHT.len())
        .map(|at| {
            let mut lines: Vec<&[u8]> = RIGHT.iter().map(|line| line.as_bytes()).collect();
            lines.insert(at, line);
            let mut response = lines.join(&b"\r\n"[..]);
            response.extend_from_slice(b"\r\n\r\n");
            response
        })
        .collect()
}

/// The right response with this line in place of the one at that place.
fn instead(at: usize, line: &str) -> String {
    head(RIGHT.into_iter().enumerate().map(|(n, old)| if n == at { line } else { old }))
}

#[test]
fn each_is_for_one_thing_and_off_by_default_but_for_folded_fields() {
    assert_eq!(HeadLimits::DEFAULT.tolerances, Tolerances::DEFAULT);
    for tolerance in Tolerance::ALL {
        let by_default = tolerance == Tolerance::FoldedResponseFields;
        assert_eq!(Tolerances::DEFAULT.contains(tolerance), by_default, "{tolerance}");
    }
    let bare_lf = head(RIGHT).replace("\r\n", "\n");
    let cases: [(Tolerance, &str); 4] = [
        (Tolerance::InvalidResponseFields, &instead(0, &format!("{}\r\nno field", RIGHT[0]))),
        (Tolerance::FoldedResponseFields, &instead(0, &format!("{}\r\nX: a\r\n b", RIGHT[0]))),
        (Tolerance::BareLfInResponses, &bare_lf),
        (Tolerance::EmptyLists, &instead(0, &format!("{}\r\nSec-WebSocket-Extensions:", RIGHT[0]))),
    ];
    for (needed, response) in cases {
        for given in Tolerance::ALL {
            let opened = ask(only(given), response).is_ok();
            // A folded line that begins with a space is one that is no field, too.
            let also = needed == Tolerance::FoldedResponseFields && given == Tolerance::InvalidResponseFields;
            assert_eq!(opened, given == needed || also, "{given} for {needed}");
        }
    }
}

/// Lines that are no fields.
const NO_FIELDS: [&[u8]; 22] = [
    b"no colon",
    b"X Foo: 1",
    b"X : 1",
    b"X\t: 1",
    b" X: 1",
    b"\tX: 1",
    b": 1",
    b":",
    b"Warning in line 7 of /srv/x.php: Undefined: y",
    b"<br />",
    b"X: a\x01b",
    b"X: \x1B[31m",
    b"X: a\x7F",
    b"X\x02: 1",
    b"X\xFFY: 1",
    b"(X): 1",
    b"\"X\": 1",
    b"X: \x0B",
    b"X: \x0Cb",
    b"{\"a\": 1}",
    b"Date Server: x",
    b"\x08",
];

#[test]
fn lines_of_a_response_that_are_no_fields_are_passed_over() {
    let tolerances = only(Tolerance::InvalidResponseFields);
    for line in NO_FIELDS {
        for response in with_line(line) {
            assert_eq!(ask(Tolerances::NONE, &response), Err(MalformedHeader), "{}", line.escape_ascii());
            opens(tolerances, &response, &[]);
        }
    }
    // Several, one after the other. What stands between them is kept.
    let lines = NO_FIELDS.join(&b"\r\nA: b\r\n"[..]);
    for response in with_line(&lines) {
        opens(tolerances, &response, &[("A", "b"); 21]);
    }
    for response in with_line(&NO_FIELDS.join(&b"\r\n"[..])) {
        opens(tolerances, &response, &[]);
    }
}

#[test]
fn no_line_that_is_passed_over_could_be_one_that_the_handshake_judges() {
    let tolerances = only(Tolerance::InvalidResponseFields);
    let names = [
        "Connection",
        "Upgrade",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Anything",
    ];
    for name in names {
        for spelled in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
            for line in [
                format!("{spelled} : x"),
                format!("{spelled}\t: x"),
                format!(" {spelled}: x"),
                format!("\t{spelled} : x"),
                format!("{spelled}: \u{1}x"),
                format!("{spelled}\u{1}: x"),
                format!("\u{7F}{spelled}: x"),
                spelled.clone(),
                format!("{} {}: x", &spelled[..3], &spelled[3..]),
                format!("({spelled}): x"),
            ] {
                for response in with_line(line.as_bytes()) {
                    assert_eq!(ask(tolerances, &response), Err(MalformedHeader), "{line:?}");
                    assert!(ask(all(), &response).is_err(), "{line:?}");
                }
            }
        }
    }
    // In place of the right one nothing of the kind opens anything.
    for (at, line) in RIGHT.iter().enumerate().skip(1) {
        let (name, value) = line.split_once(": ").unwrap();
        for line in
            [format!("{name} : {value}"), format!(" {line}"), format!("X {line}"), format!("X: {line}")]
        {
            for tolerances in [tolerances, all()] {
                assert!(ask(tolerances, instead(at, &line)).is_err(), "{line:?}");
            }
        }
    }
}

#[test]
fn a_bare_cr_and_nul_are_in_no_line_that_is_passed_over() {
    // Some readers end a line or a text there: they would see what follows, and this one would not.
    let tolerances = only(Tolerance::InvalidResponseFields);
    for line in [
        &b"X: a\rb"[..],
        b"X: a\rUpgrade: websocket",
        b"X: a\r\r\nY: b",
        b"X: \0",
        b"no colon\0",
        b"X: a\nY: b",
        b"X: a\x01\nUpgrade: websocket",
        b"\r",
    ] {
        for response in with_line(line) {
            assert_eq!(ask(tolerances, &response), Err(MalformedHeader), "{}", line.escape_ascii());
        }
    }
    // With bare LF besides, a line ends there and the rest is judged as one.
    let both = tolerances.with(Tolerance::BareLfInResponses);
    for response in with_line(b"X: a\x01\nUpgrade: websocket") {
        assert_eq!(ask(both, &response), Err(InvalidUpgrade));
    }
    for response in with_line(b"X: a\x01\nY: b\n\tc") {
        assert!(ask(both, &response).is_ok());
        opens(both.with(Tolerance::FoldedResponseFields), &response, &[("Y", "b \tc")]);
    }
}

#[test]
fn lines_that_are_passed_over_count_for_every_limit() {
    let tolerances = only(Tolerance::InvalidResponseFields);
    let limits = HeadLimits::DEFAULT.with_tolerances(tolerances);
    for line in [&b"no colon"[..], b"X: a\x01b"] {
        let response = &with_line(line)[2];
        assert!(ask_in(response, limits.with_max_fields(4), 2048).is_ok());
        assert_eq!(ask_in(response, limits.with_max_fields(3), 2048), Err(TooManyFields));
        assert!(ask_in(response, limits, response.len()).is_ok());
        assert_eq!(ask_in(response, limits, response.len() - 1), Err(HeadTooLarge));
    }
    for (len, fits) in [(60, true), (61, false)] {
        for line in [vec![b'x'; len], vec![0x01; len], [vec![b'x'; len - 1], vec![0x01]].concat()] {
            for response in with_line(&line) {
                let result = ask_in(&response, limits.with_max_field(60), 2048);
                assert_eq!(result.is_ok(), fits);
                assert!(fits || result == Err(FieldTooLong), "{result:?}");
            }
        }
    }
    // Lines without end, of which nothing is kept, are no way around the storage.
    let endless = [RIGHT[0].as_bytes(), &b"\r\n:".repeat(2000)].concat();
    let result = run(&endless, [], limits.with_max_fields(usize::MAX), 1000);
    assert_eq!(result, Err(HeadTooLarge));
}

#[test]
fn a_field_of_a_response_may_go_on_in_the_next_line() {
    for (line, value) in [
        ("X: a\r\n b", "a   b"),
        ("X: a\r\n\tb", "a  \tb"),
        ("X: a\r\n b\r\n c", "a   b   c"),
        ("X:\r\n b", "b"),
        ("X: a\r\n ", "a"),
        ("X: a\r\n \r\n\t\r\n b", "a     \t   b"),
        ("X: a\r\n Upgrade: h2c", "a   Upgrade: h2c"),
        ("X: a\r\n :", "a   :"),
    ] {
        for response in with_line(line.as_bytes()) {
            opens(Tolerances::DEFAULT, &response, &[("X", value)]);
            assert_eq!(ask(Tolerances::NONE, &response), Err(MalformedHeader));
        }
    }
}

#[test]
fn what_is_joined_is_judged_as_one_value_and_makes_no_field() {
    let accept = RIGHT[3].split_once(": ").unwrap().1;
    let (front, back) = accept.split_at(9);
    for (at, line, error) in [
        // A field after a space is part of the one before.
        (1, "X: y\r\n Upgrade: websocket".to_owned(), InvalidUpgrade),
        (2, "X: y\r\n Connection: Upgrade".to_owned(), InvalidConnection),
        (3, format!("X: y\r\n\t{}", RIGHT[3]), InvalidAccept),
        // Whitespace is part of the value.
        (1, "Upgrade: web\r\n socket".to_owned(), InvalidUpgrade),
        (1, "Upgrade: websocket\r\n , h2c".to_owned(), InvalidUpgrade),
        (2, "Connection: close\r\n Upgrade".to_owned(), InvalidConnection),
        (2, "Connection: Up\r\n grade".to_owned(), InvalidConnection),
        (3, format!("Sec-WebSocket-Accept: {front}\r\n {back}"), InvalidAccept),
        (3, format!("Sec-WebSocket-Accept: {accept}\r\n ,{accept}"), InvalidAccept),
    ] {
        for tolerances in [Tolerances::DEFAULT, all()] {
            assert_eq!(ask(tolerances, instead(at, &line)), Err(error), "{line:?}");
        }
    }
    for line in ["Sec-WebSocket-Protocol: ch\r\n at", "Sec-WebSocket-Protocol: chat\r\n , chat"] {
        for response in with_line(line.as_bytes()) {
            assert_eq!(ask(Tolerances::DEFAULT, &response), Err(UnofferedSubprotocol));
        }
    }
    // By RFC 9112 these are the right values.
    opens(Tolerances::DEFAULT, instead(1, "Upgrade:\r\n websocket"), &[]);
    opens(Tolerances::DEFAULT, instead(2, "Connection: keep-alive,\r\n\tUpgrade"), &[]);
    let Ok(Outcome::Open { extensions, .. }) = ask(
        Tolerances::DEFAULT,
        instead(2, "Connection: Upgrade\r\nSec-WebSocket-Extensions:\r\n x-other;\r\n a"),
    ) else {
        panic!()
    };
    assert_eq!(extensions, ["x-other"]);
}

#[test]
fn a_line_is_joined_to_a_field_alone_and_to_what_is_passed_over() {
    // Behind the status line there is no field that could go on (RFC 9112 section 2.2).
    for line in [" X: y", "\tX: y", " ", " \r\n X: y"] {
        assert_eq!(
            ask(Tolerances::DEFAULT, instead(0, &format!("{}\r\n{line}", RIGHT[0]))),
            Err(MalformedHeader)
        );
    }
    // It is passed over with the line that it is joined to, and so can be no field of its own.
    let both = Tolerances::DEFAULT.with(Tolerance::InvalidResponseFields);
    for line in ["no colon\r\n X: y", "X y: z\r\n Upgrade: websocket", "X: \u{1}\r\n\tConnection: close"] {
        for response in with_line(line.as_bytes()) {
            opens(both, &response, &[]);
        }
    }
    // If a control octet stands after the fold, the beginning of the field is left out too.
    for response in with_line(b"X: a\r\n \x01") {
        opens(both, &response, &[]);
    }
    for response in with_line(b"Sec-WebSocket-Protocol: chat\r\n \x01") {
        assert_eq!(ask(both, &response), Err(MalformedHeader));
    }
}

#[test]
fn joined_lines_are_one_field_for_every_limit() {
    let limits = HeadLimits::DEFAULT;
    let response = &with_line(b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")[0];
    let joined = 31 + 2 + 34;
    assert!(ask_in(response, limits.with_max_field(joined), 2048).is_ok());
    assert_eq!(ask_in(response, limits.with_max_field(joined - 1), 2048), Err(FieldTooLong));
    assert!(ask_in(response, limits.with_max_fields(4), response.len()).is_ok());
    assert_eq!(ask_in(response, limits, response.len() - 1), Err(HeadTooLarge));
    let endless = [RIGHT[0].as_bytes(), b"\r\nX: y", &b"\r\n z".repeat(2000)].concat();
    assert_eq!(run(&endless, [], limits, 1000), Err(HeadTooLarge));
}

#[test]
fn a_request_is_never_joined_nor_passed_over_nor_does_lf_end_its_lines() {
    let limits = HeadLimits::DEFAULT.with_tolerances(all());
    for request in [
        with("X: a\r\n b"),
        with("no colon"),
        with("X : y"),
        with("X: \u{1}"),
        with("X: a\nY: b"),
        head(opening::LINES).replace("\r\n", "\n"),
        format!("\n{}", head(opening::LINES)),
    ] {
        for chunk in [1, request.len()] {
            let outcome = serve_in(request.as_bytes(), chunk, limits, 4096);
            assert!(matches!(outcome, Served::Refused(_, 400, _)), "{outcome:?} for {request:?}");
        }
    }
}

#[test]
fn req_9112_2_2_4_lines_of_a_response_may_end_in_lf_where_that_is_tolerated() {
    let tolerances = only(Tolerance::BareLfInResponses);
    let right = head(RIGHT);
    opens(tolerances, right.replace("\r\n", "\n"), &[]);
    let more = instead(3, &format!("X: a\nY: b\r\n{}", RIGHT[3]));
    opens(tolerances, more, &[("X", "a"), ("Y", "b")]);
    // Each line for itself, and one blank line of either kind before the status line.
    for (at, _) in right.match_indices("\r\n") {
        let mut one = right.clone();
        one.remove(at);
        opens(tolerances, &one, &[]);
        assert!(ask(Tolerances::DEFAULT, &one).is_err());
    }
    opens(tolerances, format!("\n{right}"), &[]);
    // A list over several lines is found with any line ends.
    for (first, second) in [("\n", "\n"), ("\r\n", "\n"), ("\n", "\r\n")] {
        let response = right.replace(
            "Connection: Upgrade\r\n",
            &format!("Connection: keep-alive{first}X: y{second}Connection: Upgrade{second}"),
        );
        let Ok(Outcome::Open { fields, .. }) = ask(tolerances, response) else { panic!() };
        assert_eq!(fields.len(), 5);
    }
    // What follows the blank line is the peer's first frame.
    let glued = [right.replace("\r\n", "\n").as_bytes(), b"\n\x81\x00"].concat();
    let Ok(Outcome::Open { taken, .. }) = ask(tolerances, &glued) else { panic!() };
    assert_eq!(taken, glued.len() - 3);
}

#[test]
fn lf_ends_lines_and_changes_nothing_else() {
    let tolerances = only(Tolerance::BareLfInResponses);
    for (response, error) in [
        (head(RIGHT).replace("\r\n", "\r"), MalformedStartLine),
        (instead(1, "Upgrade: websocket\rX: y"), MalformedHeader),
        (instead(1, "Upgrade: websocket\r\r\nX: y"), MalformedHeader),
        (instead(1, "Upgrade: websocket\n h2c"), MalformedHeader),
        (instead(1, "Upgrade: websocket\nUpgrade: websocket"), InvalidUpgrade),
        (instead(1, "X: y\nUpgrade : websocket"), MalformedHeader),
    ] {
        assert_eq!(ask(tolerances, response), Err(error));
    }
    let limits = HeadLimits::DEFAULT.with_tolerances(tolerances);
    let response = head(RIGHT).replace("\r\n", "\n");
    let longest = RIGHT[3].len();
    for (limits, size, result) in [
        (limits.with_max_field(longest), 2048, None),
        (limits.with_max_field(longest - 1), 2048, Some(FieldTooLong)),
        (limits.with_max_start_line(RIGHT[0].len()), 2048, None),
        (limits.with_max_start_line(RIGHT[0].len() - 1), 2048, Some(HandshakeError::StatusLineTooLong)),
        (limits.with_max_fields(3), 2048, None),
        (limits.with_max_fields(2), 2048, Some(TooManyFields)),
        (limits, response.len(), None),
        (limits, response.len() - 1, Some(HeadTooLarge)),
    ] {
        assert_eq!(ask_in(response.as_bytes(), limits, size).err(), result);
    }
}

#[test]
fn an_empty_list_in_a_response_is_no_list_where_that_is_tolerated() {
    let tolerances = only(Tolerance::EmptyLists);
    for value in ["", " ", "\t "] {
        for response in with_line(format!("Sec-WebSocket-Protocol:{value}").as_bytes()) {
            assert_eq!(ask(Tolerances::DEFAULT, &response), Err(UnofferedSubprotocol));
            let Ok(Outcome::Open { subprotocol: None, .. }) = ask(tolerances, &response) else { panic!() };
        }
        for response in with_line(format!("Sec-WebSocket-Extensions:{value}").as_bytes()) {
            assert_eq!(ask(Tolerances::DEFAULT, &response), Err(InvalidExtensions));
            let Ok(Outcome::Open { extensions, .. }) = ask(tolerances, &response) else { panic!() };
            assert!(extensions.is_empty());
        }
    }
    // Anything else is checked as before, and an empty choice counts as none if a subprotocol is required.
    for (line, error) in [
        ("Sec-WebSocket-Protocol: ,", UnofferedSubprotocol),
        ("Sec-WebSocket-Protocol: \"\"", UnofferedSubprotocol),
        ("Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: chat", UnofferedSubprotocol),
        ("Sec-WebSocket-Protocol: other", UnofferedSubprotocol),
        ("Sec-WebSocket-Extensions: ;", InvalidExtensions),
        ("Sec-WebSocket-Extensions: \"\"", InvalidExtensions),
        ("Sec-WebSocket-Extensions: y", HandshakeError::UnofferedExtension),
        ("Upgrade:", InvalidUpgrade),
        ("Sec-WebSocket-Accept:", InvalidAccept),
    ] {
        for response in with_line(line.as_bytes()) {
            assert_eq!(ask(tolerances, &response), Err(error), "{line}");
        }
    }
    assert_eq!(ask(tolerances, instead(2, "Connection:")), Err(InvalidConnection));
    let request = ClientRequest::new(Uri::parse("ws://server.example.com/chat").unwrap());
    let request = request.with_subprotocols(&["chat"]).unwrap().with_required_subprotocol(true);
    let response = instead(1, "Upgrade: websocket\r\nSec-WebSocket-Protocol:");
    let limits = HeadLimits::DEFAULT.with_tolerances(tolerances);
    assert_eq!(run_for(request, response.as_bytes(), [], limits, 2048), Err(SubprotocolRequired));
}

fn serve(tolerances: Tolerances, request: impl AsRef<[u8]>) -> Served {
    let request = request.as_ref();
    let limits = HeadLimits::DEFAULT.with_tolerances(tolerances);
    let whole = serve_in(request, request.len(), limits, 4096);
    for chunk in [1, 2, 7] {
        assert_eq!(whole, serve_in(request, chunk, limits, 4096));
    }
    whole
}

/// The request is refused for this.
fn refused(tolerances: Tolerances, request: impl AsRef<[u8]>, want: HandshakeError) {
    match serve(tolerances, request.as_ref()) {
        Served::Refused(error, _, _) => assert_eq!(error, want, "{}", request.as_ref().escape_ascii()),
        other => panic!("{other:?} for {}", request.as_ref().escape_ascii()),
    }
}

#[test]
fn one_rule_holds_for_both_lists_of_a_request() {
    let tolerances = only(Tolerance::EmptyLists);
    for value in ["", " ", ",", " , ,\t"] {
        let subprotocols = replaced(&format!("Sec-WebSocket-Protocol:{value}"));
        let extensions = with(&format!("Sec-WebSocket-Extensions:{value}"));
        for tolerances in [Tolerances::NONE, Tolerances::DEFAULT] {
            refused(tolerances, &subprotocols, InvalidSubprotocols);
            refused(tolerances, &extensions, InvalidExtensions);
        }
        let Served::Accepted(seen) = serve(tolerances, &subprotocols) else { panic!("{value}") };
        assert!(seen.subprotocols.is_empty() && !seen.response.contains("WebSocket-Protocol"));
        let Served::Accepted(seen) = serve(tolerances, &extensions) else { panic!("{value}") };
        assert!(seen.extensions.is_empty() && !seen.response.contains("WebSocket-Extensions"));
    }
    // Of several lines each is judged.
    for at in 0..3 {
        let mut values = ["a", "b, c", "d"];
        values[at] = ",";
        let lines = |name: &str| values.map(|value| format!("{name}: {value}")).join("\r\n");
        let subprotocols = replaced(&lines("Sec-WebSocket-Protocol"));
        let extensions = with(&lines("Sec-WebSocket-Extensions"));
        refused(Tolerances::DEFAULT, &subprotocols, InvalidSubprotocols);
        refused(Tolerances::DEFAULT, &extensions, InvalidExtensions);
        let want: Vec<&str> =
            values.iter().flat_map(|value| value.split(", ")).filter(|name| *name != ",").collect();
        let Served::Accepted(seen) = serve(tolerances, &subprotocols) else { panic!() };
        assert_eq!(seen.subprotocols, want);
        let Served::Accepted(seen) = serve(tolerances, &extensions) else { panic!() };
        assert_eq!(seen.extensions, want);
    }
    refused(tolerances, with("Sec-WebSocket-Extensions: ;"), InvalidExtensions);
    refused(tolerances, replaced("Sec-WebSocket-Protocol: a, a"), InvalidSubprotocols);
    refused(tolerances, replaced("Sec-WebSocket-Protocol: a b"), InvalidSubprotocols);
    refused(tolerances, replaced("Connection:"), InvalidConnection);
}

#[test]
fn a_target_may_be_raw_where_that_is_tolerated() {
    let tolerances = only(Tolerance::RawTargets);
    for target in [
        "/\u{17C}",
        "/a\"b\"",
        "/<a>",
        "/x?q=\"\u{4E2D}\u{6587}\"",
        "/\u{80}",
        "/?<>\"",
        "/\u{1F600}/\u{E9}#",
    ] {
        let request = replaced(&format!("GET {target} HTTP/1.1"));
        refused(Tolerances::DEFAULT, &request, MalformedStartLine);
        if target.ends_with('#') {
            refused(tolerances, &request, MalformedStartLine);
            continue;
        }
        let Served::Accepted(seen) = serve(tolerances, &request) else { panic!("{target}") };
        assert_eq!(seen.target, target);
        let plain = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(serve(tolerances, plain), Served::Http("GET".into(), target.into()));
    }
    let Served::Accepted(seen) = serve(tolerances, replaced("GET http://h/\u{17C} HTTP/1.1")) else {
        panic!()
    };
    assert_eq!((seen.target.as_str(), seen.host.as_str()), ("/\u{17C}", "h"));
}

#[test]
fn a_raw_target_ends_where_any_target_does() {
    let tolerances = only(Tolerance::RawTargets);
    for target in ["/a b", "/a\tb", "/a\u{1}", "/a\u{7F}", "/\rX: y", "/\nX: y", "/a#b", "/\0", "", "\" \""] {
        refused(tolerances, replaced(&format!("GET {target} HTTP/1.1")), MalformedStartLine);
    }
    // It is text, as every target is.
    for octets in [&b"/\xFF"[..], b"/\xC3", b"/\xC0\x80", b"/\xED\xA0\x80", b"/\xE9"] {
        let mut request = head(opening::LINES).into_bytes();
        request.splice(4..9, octets.iter().copied());
        refused(tolerances, &request, MalformedStartLine);
    }
    for target in ["http://\u{17C}/", "http://a\"b/", "http://<a>/", "\u{17C}", "*\"", "<a>", "ws://h/"] {
        refused(tolerances, replaced(&format!("GET {target} HTTP/1.1")), InvalidTarget);
    }
    refused(tolerances, replaced("Host: \u{17C}"), HandshakeError::InvalidHost);
    let (limit, line) = (9, "GET /\u{17C} HTTP/1.1");
    let limits = HeadLimits::DEFAULT.with_tolerances(tolerances).with_max_start_line(line.len() - limit);
    let outcome = serve_in(replaced(line).as_bytes(), 1, limits, 4096);
    assert!(matches!(outcome, Served::Refused(HandshakeError::TargetTooLong, 414, _)));
}

#[test]
fn a_target_may_be_a_websocket_uri_where_that_is_tolerated() {
    let tolerances = only(Tolerance::WebSocketTargets);
    for (target, host, resource) in [
        ("ws://h/x", "h", "/x"),
        ("wss://h/x?y", "h", "/x?y"),
        ("WS://h:81", "h:81", "/"),
        ("wSs://[::1]:9/", "[::1]:9", "/"),
        ("ws://h?x=1", "h", "/?x=1"),
        ("wss://h?", "h", "/?"),
        ("http://h/x", "h", "/x"),
    ] {
        let request = replaced(&format!("GET {target} HTTP/1.1"));
        let Served::Accepted(seen) = serve(tolerances, &request) else { panic!("{target}") };
        // The authority is used instead of `Host` (RFC 9112 section 3.2.2).
        assert_eq!((seen.host.as_str(), seen.target.as_str()), (host, resource));
        if !target.starts_with("http") {
            refused(Tolerances::DEFAULT, &request, InvalidTarget);
        }
    }
    for target in
        ["ws:h/x", "ws:/h/x", "ws:///x", "ws://u@h/", "ws://a b/", "wsx://h/", "ftp://h/", "ws://h:99999/"]
    {
        let request = replaced(&format!("GET {target} HTTP/1.1"));
        let outcome = serve(tolerances, request);
        assert!(matches!(outcome, Served::Refused(_, 400, _)), "{outcome:?} for {target}");
    }
    // The field is still required.
    let request = head(["GET ws://h/x HTTP/1.1"].into_iter().chain(opening::LINES.into_iter().skip(2)));
    refused(tolerances, request, HandshakeError::InvalidHost);
}

/// The response as it would be if its peer kept the RFC, or `None` where no tolerance helps.
fn by_the_letter(response: &[u8], tolerances: Tolerances) -> Option<Vec<u8>> {
    let has = |tolerance| tolerances.contains(tolerance);
    let refusal = response.get(9).is_some_and(|digit| *digit >= b'2');
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let (mut rest, mut ended_in_cr) = (response, false);
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, cr) = match rest[..end].strip_suffix(b"\r") {
            Some(line) => (line, true),
            None => (&rest[..end], false),
        };
        rest = &rest[end + 1..];
        if !cr && !refusal && !has(Tolerance::BareLfInResponses) {
            return None;
        }
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\0')) && !refusal {
            return None;
        }
        if line.is_empty() {
            break;
        }
        let goes_on = matches!(line[0], b' ' | b'\t') && (refusal || has(Tolerance::FoldedResponseFields));
        let joins = goes_on && lines.len() > 1;
        match lines.last_mut().filter(|_| joins) {
            Some(last) => {
                last.extend_from_slice(if ended_in_cr { b"  " } else { b" " });
                last.extend_from_slice(line);
            }
            None => lines.push(line.to_vec()),
        }
        ended_in_cr = cr;
    }
    let mut kept = lines[0].clone();
    for line in &lines[1..] {
        let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let name = line.split(|byte| *byte == b':').next().unwrap();
        let is_field = name.len() < line.len()
            && !name.is_empty()
            && name.iter().all(token)
            && !line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
        if is_field {
            kept.extend_from_slice(b"\r\n");
            kept.extend_from_slice(line);
            continue;
        }
        let name: Vec<u8> =
            name.iter().copied().filter(token).map(|byte| byte.to_ascii_lowercase()).collect();
        let judged = name == b"connection" || name == b"upgrade" || name.starts_with(b"sec-websocket-");
        if !refusal && (judged || !has(Tolerance::InvalidResponseFields)) {
            return None;
        }
    }
    kept.extend_from_slice(b"\r\n\r\n");
    Some(kept)
}

/// A line of a response, right or sloppy, with its end.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        3 => (1..RIGHT.len()).prop_map(|at| RIGHT[at].as_bytes().to_vec()),
        2 => (0..NO_FIELDS.len()).prop_map(|at| NO_FIELDS[at].to_vec()),
        1 => Just(b"Sec-WebSocket-Protocol: chat".to_vec()),
        1 => Just(b"Sec-WebSocket-Protocol".to_vec()),
        1 => Just(b"Connection : Upgrade".to_vec()),
        2 => "[A-Z]{1,3}: [ -~]{0,8}".prop_map(String::into_bytes),
        2 => "[ \t][ -~]{0,12}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 1..8),
    ];
    (line, prop_oneof![4 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r\n ")])
        .prop_map(|(line, end)| [&line, end.as_bytes()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Any faulty response means the same as that response without its faults, however it is cut.
    #[test]
    fn a_tolerated_response_is_the_one_that_a_right_peer_would_have_sent(
        status in prop_oneof![3 => Just(101), 1 => Just(403), 1 => Just(200)],
        lf in prop_oneof![3 => Just("\r\n"), 1 => Just("\n")],
        before in proptest::collection::vec(any_line(), 0..4),
        after in proptest::collection::vec(any_line(), 0..3),
        chosen in proptest::collection::vec(any::<bool>(), 3),
        cuts in proptest::collection::vec(1_usize..40, 0..12),
    ) {
        let three = [
            Tolerance::InvalidResponseFields,
            Tolerance::FoldedResponseFields,
            Tolerance::BareLfInResponses,
        ];
        let tolerances = three.into_iter().zip(chosen).filter(|(_, on)| *on);
        let tolerances = tolerances.fold(Tolerances::NONE, |all, (one, _)| all.with(one));
        let mut response = format!("HTTP/1.1 {status} x{lf}").into_bytes();
        response.extend(before.concat());
        for line in &RIGHT[1..] {
            response.extend_from_slice(line.as_bytes());
            response.extend_from_slice(lf.as_bytes());
        }
        response.extend(after.concat());
        response.extend_from_slice(b"\r\n\r\n");
        let limits = HeadLimits::DEFAULT.with_tolerances(tolerances);
        let result = run(&response, [], limits, 4096);
        prop_assert_eq!(&result, &run(&response, cuts, limits, 4096));
        prop_assert_eq!(&result, &run(&response, std::iter::repeat_n(1, response.len()), limits, 4096));
        let strict = HeadLimits::DEFAULT.with_tolerances(Tolerances::NONE);
        let outcome = |result: Result<Outcome, HandshakeError>| result.map(|outcome| match outcome {
            Outcome::Open { subprotocol, extensions, fields, .. } => (101, subprotocol, extensions, fields),
            Outcome::Rejected { status, fields, .. } => (status, None, Vec::new(), fields),
            Outcome::More => (0, None, Vec::new(), Vec::new()),
        });
        match by_the_letter(&response, tolerances) {
            Some(right) => prop_assert_eq!(outcome(result), outcome(run(&right, [], strict, 4096))),
            None => prop_assert!(result.is_err(), "{:?}", result),
        }
    }
}
