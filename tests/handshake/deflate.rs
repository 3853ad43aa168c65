//! What permessage-deflate is negotiated to (RFC 7692 sections 5 and 7.1): offers, answers, and who refuses which.

use crate::opening;

use opening::deflate::{
    agreed, answer, answer_by, ask, bare, bits, offer, offered, params, plain, policy, Choice, NAME,
};
use opening::{refused, serve, with, Outcome};
use proptest::prelude::*;
use sockless::deflate::{ClientWindow, Offer, Params, Policy, WindowBits};
use sockless::handshake::{parse_deflate_answer, ComposeError, HandshakeError, Negotiated};
use sockless::{
    Client, CloseCode, Config, Connection, EntropyError, Input, Payload, ProtocolError, Side,
    MAX_CONTROL_FRAME_LEN,
};

const INVALID: HandshakeError = HandshakeError::InvalidExtensionParameters;

/// Parameters that neither an offer nor an answer may have.
const UNKNOWN: [&str; 5] =
    ["foo", "foo=1", "Server_No_Context_Takeover", "server_max_window_bits2=10", "x=\"y\""];
const INVALID_VALUE: [&str; 22] = [
    "server_max_window_bits",
    "server_max_window_bits=0",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=99",
    "server_max_window_bits=08",
    "server_max_window_bits=010",
    "server_max_window_bits=+9",
    "server_max_window_bits=-9",
    "server_max_window_bits=1e1",
    "server_max_window_bits=0xa",
    "server_max_window_bits=10.0",
    "server_max_window_bits=256",
    "server_max_window_bits=4294967304",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=09",
    "client_max_window_bits=true",
    "server_no_context_takeover=1",
    "server_no_context_takeover=true",
    "client_no_context_takeover=0",
    "client_no_context_takeover=15",
];
const REPEATED: [&str; 5] = [
    "server_no_context_takeover; server_no_context_takeover",
    "client_no_context_takeover; server_no_context_takeover; client_no_context_takeover",
    "server_max_window_bits=10; server_max_window_bits=10",
    "client_max_window_bits=10; client_max_window_bits=9",
    "client_max_window_bits=10; client_max_window_bits=\"10\"",
];

fn element(parameters: &str) -> String {
    format!("permessage-deflate; {parameters}")
}

/// The offer is passed over, but neither another one nor the request.
fn is_declined(parameters: &str) {
    let bad = element(parameters);
    assert_eq!(answer(&[&bad], &Policy::TAKEOVER), (None, None), "{bad}");
    for offers in [format!("{bad}, permessage-deflate"), format!("x, {bad},permessage-deflate")] {
        let (element, session) = answer(&[&offers], &Policy::TAKEOVER);
        assert_eq!(
            (element.as_deref(), session),
            (Some("permessage-deflate"), Some(Params::DEFAULT)),
            "{offers}"
        );
    }
}

/// The answer fails the handshake of clients that leave everything open.
fn is_refused(parameters: &str) {
    let bad = element(parameters);
    for offers in [&[Offer::DEFAULT][..], &[bare(), Offer::DEFAULT]] {
        assert_eq!(agreed(offers, &bad), Err(INVALID), "{bad}");
    }
    let raw =
        plain().with_extensions("permessage-deflate; client_max_window_bits, permessage-deflate").unwrap();
    assert_eq!(ask(raw, &[&bad]), Err(INVALID), "{bad}");
    assert_eq!(parse_deflate_answer(&bad), None, "{bad}");
}

#[test]
fn req_7692_5_1_an_offer_is_the_name_with_its_parameters() {
    assert_eq!(offered(plain()), None);
    assert_eq!(offered(plain().with_deflate(&[])), None);
    assert_eq!(offered(plain().with_deflate(&[bare()])).unwrap(), "permessage-deflate");
    let usual = "permessage-deflate; client_max_window_bits";
    assert_eq!(offered(plain().with_deflate(&[Offer::DEFAULT])).unwrap(), usual);
    // Before what the caller wrote, in one line.
    let both = plain().with_deflate(&[Offer::DEFAULT]).with_extensions("x; a=1, y").unwrap();
    assert_eq!(offered(both).unwrap(), format!("{usual}, x; a=1, y"));
}

#[test]
fn req_7692_5_2_the_first_of_several_offers_that_can_be_taken_is_taken() {
    let small = offer(|offer| offer.server_max_window_bits = Some(bits(9)));
    let line = offered(plain().with_deflate(&[small, bare()])).unwrap();
    assert_eq!(
        line,
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits, permessage-deflate"
    );
    let large_only = policy(|policy| policy.min_server_window_bits = bits(12));
    let first = params(|params| params.server_max_window_bits = Some(bits(9)));
    for (policy, want) in [(Policy::TAKEOVER, first), (large_only, Params::DEFAULT)] {
        let (element, session) = answer(&[&line], &policy);
        assert_eq!(session, Some(want));
        // The client takes either.
        assert_eq!(agreed(&[small, bare()], &element.unwrap()), Ok(want));
    }
    // The offers are in several lines, among others, in the same order.
    let lines =
        ["x, permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=10"];
    assert_eq!(answer(&lines, &Policy::TAKEOVER).1, Some(first));
}

#[test]
fn req_7692_5_3_req_6455_9_3_an_acceptance_is_one_element_with_the_agreed_parameters() {
    let line =
        "permessage-deflate; client_max_window_bits, permessage-deflate; server_no_context_takeover, x";
    let small = policy(|policy| {
        policy.server_no_context_takeover = true;
        policy.client_no_context_takeover = true;
        policy.server_max_window_bits = bits(11);
        policy.client_max_window_bits = bits(8);
    });
    let all = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
               server_max_window_bits=11; client_max_window_bits=8";
    let (element, session) = answer(&[line], &small);
    assert_eq!(element.as_deref(), Some(all));
    assert_eq!(session, parse_deflate_answer(all));
    let (element, session) = answer(&[line], &Policy::DEFAULT);
    let few = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!((element.as_deref(), session), (Some(few), parse_deflate_answer(few)));
    assert_eq!(
        answer(&[line], &Policy::TAKEOVER),
        (Some("permessage-deflate".into()), Some(Params::DEFAULT))
    );
}

#[test]
fn req_7692_5_4_req_7692_5_6_req_6455_9_1_9_it_is_not_accepted_together_with_another() {
    let offers = ["x-rsv1, permessage-deflate, y"];
    for both in ["permessage-deflate, x-rsv1", "x-rsv1, permessage-deflate", "x-rsv1, y, permessage-deflate"]
    {
        let chosen = answer_by(&offers, &[Choice::Raw(both)]);
        assert_eq!(chosen.unwrap_err(), ComposeError::InvalidExtensions, "{both}");
    }
    // Others are their own affair, and the later choice replaces the earlier.
    let (others, deflate) = (Choice::Raw("x-rsv1, y"), Choice::By(&Policy::TAKEOVER));
    for (choices, line, agreed) in [
        (&[others][..], "x-rsv1, y", None),
        (&[deflate, others], "x-rsv1, y", None),
        (&[others, deflate], "permessage-deflate", Some(Params::DEFAULT)),
        (&[Choice::Raw("permessage-deflate")], "permessage-deflate", Some(Params::DEFAULT)),
        (&[Choice::Raw("permessage-deflate"), others], "x-rsv1, y", None),
    ] {
        let (element, session) = answer_by(&offers, choices).unwrap();
        assert_eq!((element.as_deref(), session.deflate), (Some(line), agreed), "{choices:?}");
    }
    // Also a choice that comes to nothing.
    assert_eq!(answer_by(&["x"], &[Choice::Raw("x"), deflate]), Ok((None, Negotiated::default())));
}

#[test]
fn req_7692_5_5_req_7692_5_7_a_client_fails_on_a_combination_with_another() {
    let request = plain().with_deflate(&[Offer::DEFAULT]).with_extensions("x, y").unwrap();
    let raw = plain().with_extensions("permessage-deflate, x, y").unwrap();
    for request in [request, raw] {
        for values in [
            &["permessage-deflate, x"][..],
            &["x, permessage-deflate"],
            &["x, y; a=1, permessage-deflate"],
            &["permessage-deflate", "x"],
            &["x", "permessage-deflate"],
        ] {
            assert_eq!(ask(request, values), Err(HandshakeError::ConflictingExtensions), "{values:?}");
        }
        let agreed = |value| ask(request, &[value]).unwrap().deflate;
        assert_eq!((agreed("x, y"), agreed("permessage-deflate")), (None, Some(Params::DEFAULT)));
    }
}

#[test]
fn req_7692_5_8_where_nothing_is_accepted_there_is_no_element() {
    let none: &[&str] = &[];
    for offers in [none, &["x"], &["Permessage-Deflate"], &["permessage-deflate; foo", "x"]] {
        assert_eq!(answer(offers, &Policy::DEFAULT), (None, None), "{offers:?}");
    }
    // Nor unasked, nor for a policy that accepts none of them.
    let large_only = policy(|policy| policy.min_server_window_bits = WindowBits::MAX);
    assert_eq!(answer(&["permessage-deflate; server_max_window_bits=14"], &large_only), (None, None));
    let (element, session) = answer_by(&["permessage-deflate"], &[]).unwrap();
    assert_eq!((element, session), (None, Negotiated::default()));
}

#[test]
fn req_7692_5_9_an_acceptance_that_was_not_offered_or_stands_twice_fails() {
    let unoffered = Err(HandshakeError::UnofferedExtension);
    assert_eq!(ask(plain(), &["permessage-deflate"]), unoffered);
    assert_eq!(ask(plain().with_deflate(&[]), &["permessage-deflate"]), unoffered);
    assert_eq!(ask(plain().with_extensions("x").unwrap(), &["permessage-deflate"]), unoffered);
    let offers = [Offer::DEFAULT, bare()];
    let request = plain().with_deflate(&offers);
    for values in [
        &["permessage-deflate, permessage-deflate"][..],
        &["permessage-deflate", "permessage-deflate"],
        &["permessage-deflate; server_no_context_takeover, permessage-deflate"],
        &["Permessage-Deflate"],
    ] {
        assert_eq!(ask(request, values), unoffered, "{values:?}");
    }
    let chosen = answer_by(&["x"], &[Choice::Raw("permessage-deflate")]);
    assert_eq!(chosen.unwrap_err(), ComposeError::UnofferedExtension);
}

#[test]
fn req_7692_5_10_what_was_agreed_on_is_what_the_answer_says() {
    let hint = offer(|offer| {
        offer.client_no_context_takeover = true;
        offer.client_max_window_bits = ClientWindow::AtMost(bits(12));
        offer.server_max_window_bits = Some(bits(12));
    });
    let got = agreed(&[hint], "permessage-deflate; server_max_window_bits=10").unwrap();
    assert_eq!(got, params(|params| params.server_max_window_bits = Some(bits(10))));
    assert!(got.context_takeover(Side::Client) && got.context_takeover(Side::Server));
    assert_eq!((got.window_bits(Side::Client), got.window_bits(Side::Server)), (WindowBits::MAX, bits(10)));
    // What the server has negotiated is in its own answer, whoever wrote that.
    let offers = [&*offered(plain().with_deflate(&[hint])).unwrap()];
    let own = element("server_max_window_bits=10; client_max_window_bits=9; server_no_context_takeover");
    let (line, session) = answer_by(&offers, &[Choice::Raw(&own)]).unwrap();
    assert_eq!((line.as_ref(), session.deflate), (Some(&own), agreed(&[hint], &own).ok()));
    for refused in [
        "server_max_window_bits=13",
        "client_max_window_bits=10",
        "server_max_window_bits=10; client_max_window_bits=13",
        "server_max_window_bits=10; client_max_window_bits",
        "server_max_window_bits=10; foo",
    ] {
        let chosen = answer_by(&offers, &[Choice::Raw(&element(refused))]);
        assert_eq!(chosen.unwrap_err(), ComposeError::InvalidExtensions, "{refused}");
    }
}

#[test]
fn req_6455_9_1_7_what_was_offered_is_not_used_until_it_was_accepted() {
    assert_eq!(ask(plain().with_deflate(&[Offer::DEFAULT]), &[]), Ok(Negotiated::default()));
    let keys = |key: &mut [u8]| -> Result<(), EntropyError> {
        key.fill(0);
        Ok(())
    };
    let mut connection = Connection::new(Client::new(keys), Config::new());
    let mut out = [0; MAX_CONTROL_FRAME_LEN];
    connection.writer().encode(Payload::text("Hello"), true, &mut out).unwrap();
    assert_eq!(out[0], 0x81, "no reserved bit");
    // D1 of RFC 7692 section 7.2.3.1, from a server that never accepted.
    let mut compressed = *b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
    let error = connection.recv(&mut Input::new(&mut compressed)).unwrap_err();
    assert_eq!(error.close_code(), Some(CloseCode::PROTOCOL_ERROR));
    assert!(matches!(error, ProtocolError::ReservedBits), "{error:?}");
}

#[test]
fn req_7692_7_1_req_6455_9_1_5_an_offer_with_an_unknown_parameter_is_passed_over() {
    UNKNOWN.into_iter().for_each(is_declined);
}

#[test]
fn req_7692_7_2_an_offer_with_an_invalid_value_is_passed_over() {
    INVALID_VALUE.into_iter().for_each(is_declined);
    // What is no value at all breaks the grammar of the field (RFC 6455 section 9.1).
    for value in ["client_max_window_bits=", "server_max_window_bits=\"\"", "server_max_window_bits=1 0"] {
        refused(&with(&format!("{NAME}: {}", element(value))), 400);
    }
}

#[test]
fn req_7692_7_3_an_offer_with_a_repeated_parameter_is_passed_over() {
    REPEATED.into_iter().for_each(is_declined);
    is_declined("client_max_window_bits; client_max_window_bits");
    is_declined("client_max_window_bits; client_max_window_bits=10");
}

#[test]
fn req_7692_7_4_an_offer_that_the_policy_does_not_support_is_passed_over() {
    let policy = policy(|policy| policy.min_server_window_bits = bits(12));
    for (demanded, accepted) in [(8, false), (11, false), (12, true), (15, true)] {
        let line = element(&format!("server_max_window_bits={demanded}"));
        let (got, _) = answer(&[&line], &policy);
        assert_eq!(got, accepted.then_some(line));
    }
}

#[test]
fn req_7692_7_5_req_6455_9_1_5_a_client_fails_on_an_answer_with_parameters_that_are_none() {
    UNKNOWN.into_iter().for_each(is_refused);
    INVALID_VALUE.into_iter().for_each(is_refused);
    REPEATED.into_iter().for_each(is_refused);
    is_refused("client_max_window_bits");
    // Not as offered.
    assert_eq!(agreed(&[bare()], &element("client_max_window_bits=10")), Err(INVALID));
}

#[test]
fn req_7692_5_1_1_a_client_fails_on_an_answer_that_it_cannot_go_on_with() {
    let demanding = offer(|offer| {
        offer.server_no_context_takeover = true;
        offer.server_max_window_bits = Some(bits(10));
        offer.client_max_window_bits = ClientWindow::AtMost(bits(12));
    });
    let right = "server_no_context_takeover; server_max_window_bits=10";
    let offers = [demanding];
    agreed(&offers, &element(right)).unwrap();
    for parameters in [
        "server_max_window_bits=10".to_owned(),
        "server_no_context_takeover".to_owned(),
        "server_no_context_takeover; server_max_window_bits=11".to_owned(),
        format!("{right}; client_max_window_bits=13"),
    ] {
        assert_eq!(agreed(&offers, &element(&parameters)), Err(INVALID), "{parameters}");
        // Another offer may admit it.
        agreed(&[demanding, Offer::DEFAULT], &element(&parameters)).unwrap();
        let raw = plain()
            .with_deflate(&offers)
            .with_extensions("permessage-deflate; client_max_window_bits")
            .unwrap();
        ask(raw, &[&element(&parameters)]).unwrap();
    }
}

const SERVER_TAKEOVER: &str = "permessage-deflate; server_no_context_takeover";
const CLIENT_TAKEOVER: &str = "permessage-deflate; client_no_context_takeover";

#[test]
fn req_7692_7_1_1_1_1_a_client_may_demand_that_the_server_keeps_no_context() {
    let mut demand = bare();
    demand.server_no_context_takeover = true;
    assert_eq!(offered(plain().with_deflate(&[demand])).unwrap(), SERVER_TAKEOVER);
}

#[test]
fn req_7692_7_1_1_1_3_whoever_accepts_that_demand_repeats_it() {
    let (element, session) = answer(&[SERVER_TAKEOVER], &Policy::TAKEOVER);
    assert_eq!(element.as_deref(), Some(SERVER_TAKEOVER));
    assert!(!session.unwrap().context_takeover(Side::Server));
    assert!(session.unwrap().context_takeover(Side::Client));
    let demand = offer(|offer| offer.server_no_context_takeover = true);
    assert_eq!(agreed(&[demand], SERVER_TAKEOVER), Ok(session.unwrap()));
    for lacking in ["permessage-deflate", CLIENT_TAKEOVER] {
        assert_eq!(agreed(&[demand], lacking), Err(INVALID), "{lacking}");
        let raw = answer_by(&[SERVER_TAKEOVER], &[Choice::Raw(lacking)]);
        assert_eq!(raw.unwrap_err(), ComposeError::InvalidExtensions);
    }
}

#[test]
fn req_7692_7_1_1_1_4_a_server_may_say_unasked_that_it_keeps_no_context() {
    let own = policy(|policy| policy.server_no_context_takeover = true);
    assert_eq!(answer(&["permessage-deflate"], &own).0.as_deref(), Some(SERVER_TAKEOVER));
    let got = agreed(&[bare()], SERVER_TAKEOVER).unwrap();
    assert!(!got.context_takeover(Side::Server) && got.context_takeover(Side::Client));
}

#[test]
fn req_7692_7_1_1_2_1_a_client_may_hint_that_it_keeps_no_context() {
    let mut hint = bare();
    hint.client_no_context_takeover = true;
    assert_eq!(offered(plain().with_deflate(&[hint])).unwrap(), CLIENT_TAKEOVER);
    // The server may ignore it.
    let got = agreed(&[hint], "permessage-deflate").unwrap();
    assert!(got.context_takeover(Side::Client));
}

#[test]
fn req_7692_7_1_1_2_2_a_server_may_tell_the_client_to_keep_no_context() {
    let own = policy(|policy| policy.client_no_context_takeover = true);
    for (offer, policy) in
        [("permessage-deflate", own), (CLIENT_TAKEOVER, own), (CLIENT_TAKEOVER, Policy::TAKEOVER)]
    {
        let (element, session) = answer(&[offer], &policy);
        assert_eq!(element.as_deref(), Some(CLIENT_TAKEOVER));
        assert!(!session.unwrap().context_takeover(Side::Client));
    }
    let got = agreed(&[bare()], CLIENT_TAKEOVER).unwrap();
    assert!(!got.context_takeover(Side::Client) && got.context_takeover(Side::Server));
}

#[test]
fn req_7692_7_1_2_1_1_a_client_may_demand_any_window_of_the_server() {
    for most in 8..=15 {
        let mut demand = bare();
        demand.server_max_window_bits = Some(bits(most));
        let line = offered(plain().with_deflate(&[demand])).unwrap();
        assert_eq!(line, element(&format!("server_max_window_bits={most}")));
        // Tokens and quoted strings are the same value.
        let quoted = element(&format!("server_max_window_bits=\"{most}\""));
        for written in [&line, &quoted] {
            assert_eq!(answer(&[written], &Policy::TAKEOVER).0.as_ref(), Some(&line));
        }
    }
}

#[test]
fn req_7692_7_1_2_1_2_whoever_accepts_that_demand_answers_with_as_much_or_less() {
    for (demanded, answered) in (8..=15).flat_map(|most| (8..=15).map(move |own| (most, own))) {
        let demand = offer(|offer| offer.server_max_window_bits = Some(bits(demanded)));
        let own = policy(|policy| policy.server_max_window_bits = bits(answered));
        let (element, _) = answer(&[&offered(plain().with_deflate(&[demand])).unwrap()], &own);
        let want = format!("permessage-deflate; server_max_window_bits={}", demanded.min(answered));
        assert_eq!(element, Some(want));
        let value = format!("permessage-deflate; server_max_window_bits={answered}");
        assert_eq!(agreed(&[demand], &value).is_ok(), answered <= demanded, "{demanded} {answered}");
        assert_eq!(agreed(&[demand], "permessage-deflate"), Err(INVALID));
    }
}

#[test]
fn req_7692_7_1_2_1_3_the_server_s_window_in_an_answer_is_8_to_15() {
    for parameters in ["=7", "=16", "=010", "=08", "", "=\"16\""] {
        is_refused(&format!("server_max_window_bits{parameters}"));
    }
    for window in 8..=15 {
        let got = agreed(&[bare()], &element(&format!("server_max_window_bits={window}")));
        assert_eq!(got.unwrap().window_bits(Side::Server), bits(window));
    }
}

#[test]
fn req_7692_7_1_2_1_4_a_server_may_name_its_window_unasked() {
    let own = policy(|policy| policy.server_max_window_bits = bits(10));
    let (named, session) = answer(&["permessage-deflate"], &own);
    assert_eq!(named, Some(element("server_max_window_bits=10")));
    let got = agreed(&[bare()], &named.unwrap()).unwrap();
    assert_eq!((Some(got), got.window_bits(Side::Server)), (session, bits(10)));
    // The whole window needs no name.
    assert_eq!(answer(&["permessage-deflate"], &Policy::TAKEOVER).0.as_deref(), Some("permessage-deflate"));
}

/// Offers of the client's window in every form, as they are written.
fn client_windows() -> impl Iterator<Item = (ClientWindow, String)> {
    let any = (ClientWindow::Any, element("client_max_window_bits"));
    let unnamed = (ClientWindow::Unnamed, "permessage-deflate".to_owned());
    let at_most = (8..=15)
        .map(|most| (ClientWindow::AtMost(bits(most)), element(&format!("client_max_window_bits={most}"))));
    [any, unnamed].into_iter().chain(at_most)
}

#[test]
fn req_7692_7_1_2_2_1_a_client_may_offer_its_window_with_and_without_a_value() {
    for (window, line) in client_windows() {
        let offer = offer(|offer| offer.client_max_window_bits = window);
        assert_eq!(offered(plain().with_deflate(&[offer])), Some(line));
    }
}

#[test]
fn req_7692_7_1_2_2_2_a_value_of_the_client_s_window_is_8_to_15() {
    for value in ["7", "16", "0", "08", "015", "+9", "1e1", "\"16\"", "\"\\08\"", "1500000000000000000000"] {
        is_declined(&format!("client_max_window_bits={value}"));
    }
    for (window, line) in client_windows() {
        let ClientWindow::AtMost(most) = window else { continue };
        assert_eq!(answer(&[&line], &Policy::TAKEOVER).0, Some(line));
        let quoted = element(&format!("client_max_window_bits=\"\\{most}\"", most = most.get()));
        assert_eq!(answer(&[&quoted], &Policy::TAKEOVER).1.unwrap().window_bits(Side::Client), most);
    }
}

#[test]
fn req_7692_7_1_2_2_3_req_7692_7_1_2_2_5_a_server_bounds_the_client_s_window_only_as_offered() {
    for (window, line) in client_windows() {
        let offer = offer(|offer| offer.client_max_window_bits = window);
        for own in 8..=15 {
            let bound = policy(|policy| policy.client_max_window_bits = bits(own));
            let got = answer(&[&line], &bound).1.unwrap().client_max_window_bits;
            let value = element(&format!("client_max_window_bits={own}"));
            let allowed = match window {
                ClientWindow::Unnamed => {
                    assert_eq!(got, None);
                    false
                }
                ClientWindow::Any => {
                    assert_eq!(got.unwrap_or(WindowBits::MAX), bits(own));
                    true
                }
                ClientWindow::AtMost(most) => {
                    assert_eq!(got, Some(most.min(bits(own))));
                    bits(own) <= most
                }
            };
            assert_eq!(agreed(&[offer], &value).is_ok(), allowed, "{line}: {value}");
            let raw = answer_by(&[&line], &[Choice::Raw(&value)]);
            assert_eq!(raw.is_ok(), allowed, "{line}: {value}");
        }
        // Nothing said is nothing bounded.
        assert_eq!(
            agreed(&[offer], "permessage-deflate").unwrap().window_bits(Side::Client),
            WindowBits::MAX
        );
    }
}

#[test]
fn req_7692_7_1_2_2_4_the_client_s_window_in_an_answer_has_a_value_of_8_to_15() {
    for parameters in ["", "=7", "=16", "=010", "=\"7\""] {
        is_refused(&format!("client_max_window_bits{parameters}"));
    }
    for window in 8..=15 {
        let got = agreed(&[Offer::DEFAULT], &element(&format!("client_max_window_bits={window}")));
        assert_eq!(got.unwrap().window_bits(Side::Client), bits(window));
    }
}

/// An offer binds however it was made.
#[test]
fn req_7692_7_3_1_the_defaults_bound_no_window_below_1024_octets() {
    for policy in [Policy::DEFAULT, Policy::TAKEOVER] {
        assert!(policy.server_max_window_bits.window_size() >= 1024);
        assert!(policy.client_max_window_bits.window_size() >= 1024);
        let (_, session) = answer(&[&offered(plain().with_deflate(&[Offer::DEFAULT])).unwrap()], &policy);
        let params = session.unwrap();
        assert!([Side::Server, Side::Client]
            .iter()
            .all(|side| params.window_bits(*side).window_size() >= 1024));
    }
    assert_eq!(Offer::DEFAULT.server_max_window_bits, None);
    assert_eq!(Offer::DEFAULT.client_max_window_bits, ClientWindow::Any);
}

#[test]
fn a_raw_offer_is_held_against_the_answer() {
    let raw = plain().with_extensions("x, permessage-deflate; server_max_window_bits=\"10\", y").unwrap();
    let got = ask(raw, &[&element("server_max_window_bits=9")]).unwrap().deflate.unwrap();
    assert_eq!(got.window_bits(Side::Server), bits(9));
    for refused in ["server_max_window_bits=11", "server_max_window_bits=10; client_max_window_bits=10"] {
        assert_eq!(ask(raw, &[&element(refused)]), Err(INVALID), "{refused}");
    }
    assert_eq!(ask(raw, &["permessage-deflate"]), Err(INVALID));
}

/// A raw offer that no server may accept says nothing that an answer could be held against, but an answer is an answer.
#[test]
fn an_invalid_raw_offer_binds_nobody() {
    let raw = plain().with_extensions("permessage-deflate; foo; server_max_window_bits=7").unwrap();
    for parameters in ["client_max_window_bits=9", "server_max_window_bits=15", "server_no_context_takeover"]
    {
        ask(raw, &[&element(parameters)]).unwrap();
    }
    assert_eq!(ask(raw, &[&element("foo")]), Err(INVALID));
}

#[test]
fn an_answer_is_read_by_itself() {
    let want = params(|params| params.client_max_window_bits = Some(bits(10)));
    for value in [
        "permessage-deflate; client_max_window_bits=10",
        "permessage-deflate;client_max_window_bits=\"10\"",
        " permessage-deflate ; client_max_window_bits = 10\t",
        ", permessage-deflate; client_max_window_bits=10,",
    ] {
        assert_eq!(parse_deflate_answer(value), Some(want), "{value}");
    }
    for value in [
        "",
        ",",
        "x",
        "permessage-deflate;",
        "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate, x",
        "x, permessage-deflate",
        "Permessage-Deflate",
    ] {
        assert_eq!(parse_deflate_answer(value), None, "{value}");
    }
}

fn any_bits() -> impl Strategy<Value = WindowBits> {
    (8..=15_u8).prop_map(bits)
}

fn any_offer() -> impl Strategy<Value = Offer> {
    let client = prop_oneof![
        Just(ClientWindow::Unnamed),
        Just(ClientWindow::Any),
        any_bits().prop_map(ClientWindow::AtMost)
    ];
    let parts = (any::<bool>(), any::<bool>(), proptest::option::of(any_bits()), client);
    parts.prop_map(|(server_takeover, client_takeover, server, client)| {
        offer(|offer| {
            offer.server_no_context_takeover = server_takeover;
            offer.client_no_context_takeover = client_takeover;
            offer.server_max_window_bits = server;
            offer.client_max_window_bits = client;
        })
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let least = prop_oneof![2 => Just(WindowBits::MIN), 1 => any_bits()];
    (any::<bool>(), any::<bool>(), any_bits(), any_bits(), least).prop_map(
        |(server_takeover, client_takeover, server, client, least)| {
            policy(|policy| {
                policy.server_no_context_takeover = server_takeover;
                policy.client_no_context_takeover = client_takeover;
                policy.server_max_window_bits = server;
                policy.client_max_window_bits = client;
                policy.min_server_window_bits = least;
            })
        },
    )
}

/// Values of the field that are almost valid, and random ones.
fn any_value() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        6 => proptest::sample::select(&["permessage-deflate", "x", "x-other"][..]).prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
    ];
    let parameter = prop_oneof![
        8 => (
            proptest::sample::select(&[
                "server_no_context_takeover",
                "client_no_context_takeover",
                "server_max_window_bits",
                "client_max_window_bits",
            ][..]),
            prop_oneof![3 => Just(String::new()), 2 => "=[0-9]{1,2}", 2 => "=1[0-5]", 1 => "=\"[\\\\ -~]{0,3}\""],
        )
            .prop_map(|(name, value)| format!("{name}{value}")),
        1 => "[ -~\t]{0,12}",
    ];
    let element = (name, proptest::collection::vec(parameter, 0..4)).prop_map(|(name, parameters)| {
        parameters.into_iter().fold(name, |element, parameter| format!("{element}; {parameter}"))
    });
    prop_oneof![
        4 => proptest::collection::vec(element, 1..3).prop_map(|elements| elements.join(", ")),
        1 => "[ -~\t\\xE0-\\xFF]{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// This client and this server always agree on something that the offer allows, and both know the same.
    #[test]
    fn whatever_a_policy_answers_the_client_reads_and_admits(
        offers in proptest::collection::vec(any_offer(), 1..4), policy in any_policy(),
    ) {
        let (element, session) = answer(&[&offered(plain().with_deflate(&offers)).unwrap()], &policy);
        let taken = offers.iter().find_map(|offer| Some((offer, policy.answer(offer)?)));
        prop_assert_eq!(session, taken.map(|(_, answer)| answer));
        prop_assert_eq!(element.is_some(), session.is_some());
        if let (Some(element), Some((offer, params))) = (element, taken) {
            prop_assert!(offer.admits(&params));
            prop_assert_eq!(parse_deflate_answer(&element), Some(params));
            prop_assert_eq!(agreed(&offers, &element), Ok(params));
            prop_assert_eq!(agreed(&[*offer], &element), Ok(params));
        }
    }

    /// Any value of the field, offered or answered, comes to an outcome that keeps the rules.
    #[test]
    fn any_value_of_the_field_is_read_without_harm(
        value in any_value(), other in any_value(), offers in proptest::collection::vec(any_offer(), 0..3),
    ) {
        let alone = parse_deflate_answer(&value);
        let request = plain().with_deflate(&offers).with_extensions("x, x-other").unwrap();
        match ask(request, &[&value]) {
            Ok(Negotiated { deflate: Some(params), .. }) => {
                prop_assert_eq!(alone, Some(params));
                prop_assert!(offers.iter().any(|offer| offer.admits(&params)));
            }
            Ok(_) => prop_assert_eq!(alone, None),
            Err(HandshakeError::ConflictingExtensions) => prop_assert_eq!(alone, None),
            Err(_) => {}
        }
        let lines = format!("{NAME}: {value}\r\n{NAME}: {other}");
        if let Outcome::Accepted(_) = serve(&with(&lines)) {
            let (element, session) = answer(&[&value, &other], &Policy::DEFAULT);
            prop_assert_eq!(element.as_deref().and_then(parse_deflate_answer), session);
            if let Ok((element, session)) = answer_by(&[&value], &[Choice::Raw(&other)]) {
                prop_assert_eq!(element.as_deref().and_then(parse_deflate_answer), session.deflate);
            }
        }
    }
}
