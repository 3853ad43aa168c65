//! The grammar of extensions in the opening handshake (RFC 6455 section 9.1).

use crate::opening;

use opening::{accepted, head, refused, with, LINES};
use sockless::handshake::server::{Request, ServerProgress};
use sockless::handshake::{HeadLimits, OriginPolicy};

type Parsed = Vec<(String, Vec<(String, Option<String>)>)>;

/// The extensions of a request with these lines.
fn parse(values: &[&str]) -> Parsed {
    let lines = values.iter().map(|value| format!("Sec-WebSocket-Extensions: {value}"));
    let head = head(LINES.into_iter().map(str::to_owned).chain(lines));
    let Ok(ServerProgress::Request(request)) = Request::parse(head.as_bytes(), &HeadLimits::DEFAULT) else {
        panic!("{head}")
    };
    let extensions = request.extensions();
    assert_eq!(extensions.is_empty(), values.is_empty());
    extensions
        .iter()
        .map(|extension| {
            let parameters = extension.parameters().map(|p| {
                let value = p.has_value().then(|| String::from_utf8(p.value().collect()).unwrap());
                if let Some(value) = &value {
                    assert!(p.value_is(value));
                }
                (p.name().to_owned(), value)
            });
            (extension.name().to_owned(), parameters.collect())
        })
        .collect()
}

fn extension(name: &str, parameters: &[(&str, Option<&str>)]) -> (String, Vec<(String, Option<String>)>) {
    let parameters = parameters.iter().map(|(n, v)| ((*n).to_owned(), v.map(str::to_owned)));
    (name.to_owned(), parameters.collect())
}

#[test]
fn req_6455_9_1_1_names_parameters_and_values() {
    let got = parse(&["a; b; c=d ,e;f=\"g\""]);
    let want = [extension("a", &[("b", None), ("c", Some("d"))]), extension("e", &[("f", Some("g"))])];
    assert_eq!(got, want);
    assert_eq!(parse(&[]), []);
}

#[test]
fn req_6455_9_1_2_what_is_malformed_is_refused_at_once() {
    for value in [
        ";a",
        "a;",
        "a;=1",
        "a;b=",
        "a b",
        "a;b=\"",
        "\"a\"",
        "",
        ",",
        "a;b=c d",
        "a;b=\"c\"d",
        "a;b=\"c\\",
        "a;;b",
        "a;b=\"c\"\"d\"",
        "a=b",
        "a;b==c",
        "a/b",
    ] {
        refused(&with(&format!("Sec-WebSocket-Extensions: {value}")), 400);
    }
    // Also in a line of its own beside one that is right.
    refused(&with("Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: ;"), 400);
}

#[test]
fn req_6455_9_1_3_lines_split_and_combine() {
    let want = parse(&["a; x=1, b, c; y"]);
    assert_eq!(parse(&["a; x=1", "b, c; y"]), want);
    assert_eq!(parse(&["a; x=1", "b", "c; y"]), want);
}

#[test]
fn req_6455_9_1_6_a_quoted_value_is_a_token_without_its_quotes() {
    assert_eq!(parse(&["a; x=\"10\""]), parse(&["a; x=10"]));
    for value in
        ["a; x=\"a b\"", "a; x=\"\"", "a; x=\"a,b\"", "a; x=\"a;b\"", "a; x=\"\\ \"", "a; x=\"\u{E9}\""]
    {
        refused(&with(&format!("Sec-WebSocket-Extensions: {value}")), 400);
    }
}

#[test]
fn req_9110_5_6_4_1_a_quoted_pair_stands_for_its_octet() {
    assert_eq!(parse(&["a; x=\"1\\0\""]), parse(&["a; x=10"]));
    assert_eq!(parse(&["a; x=\"\\1\\0\", b"]), parse(&["a; x=10, b"]));
    // The quote that a backslash escapes ends nothing, and is in no token.
    refused(&with("Sec-WebSocket-Extensions: a; x=\"\\\"\""), 400);
}

#[test]
fn req_9110_5_6_3_1_whitespace_around_the_signs_is_borne() {
    assert_eq!(parse(&["a ; b = 1\t,\t c"]), parse(&["a;b=1,c"]));
}

#[test]
fn req_6455_9_1_8_order_is_kept() {
    let names: Vec<_> = parse(&["c, a", "b"]).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["c", "a", "b"]);
}

#[test]
fn req_6455_9_1_none_one_several_req_t_ext_1_req_iana_ext_1_unknown_offers_are_carried_and_skipped() {
    let offers = "x-webkit-deflate-frame, bbf-usp-protocol; eid=\"x\", permessage-deflate";
    let seen = accepted(&with(&format!("Sec-WebSocket-Extensions: {offers}")));
    assert_eq!(seen.extensions, ["x-webkit-deflate-frame", "bbf-usp-protocol", "permessage-deflate"]);
    // Names are compared with case.
    assert_eq!(
        accepted(&with("Sec-WebSocket-Extensions: Permessage-Deflate")).extensions,
        ["Permessage-Deflate"]
    );
}

#[test]
fn req_6455_9_2_1_an_extension_defined_elsewhere_can_be_negotiated_by_the_caller() {
    let head = with("Sec-WebSocket-Extensions: x-mine; level=3");
    let Ok(ServerProgress::Request(request)) = Request::parse(head.as_bytes(), &HeadLimits::DEFAULT) else {
        panic!()
    };
    let offer = request.extensions().iter().next().unwrap();
    assert!(offer.parameters().any(|parameter| parameter.name() == "level" && parameter.value_is("3")));
    let accept = request.accept(OriginPolicy::Any).unwrap().with_extensions("x-mine; level=2").unwrap();
    let mut out = [0; 512];
    let (len, _) = accept.write(&mut out).unwrap();
    assert!(
        String::from_utf8_lossy(&out[..len]).contains("\r\nSec-WebSocket-Extensions: x-mine; level=2\r\n")
    );
}

#[test]
fn req_t_ext_2_offers_and_parameters_are_bounded() {
    let offers = vec!["a"; 10_000].join(",");
    refused(&with(&format!("Sec-WebSocket-Extensions: {offers}")), 400);
    let parameters = vec!["a"; 10_000].join(";");
    refused(&with(&format!("Sec-WebSocket-Extensions: {parameters}")), 400);
    // Over many lines as well.
    let lines = vec!["Sec-WebSocket-Extensions: a; b; c"; 60].join("\r\n");
    refused(&with(&lines), 400);
}
