//! Payloads as applications have them: `Bytes`, and values as JSON.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use sockless::endpoint::{Buffers, Endpoint};
use sockless::message::{JsonError, OwnedMessage};
use sockless::{AsPayload, Config, Error, Message, MessageKind, Server};

fn sent(message: impl AsPayload) -> Vec<u8> {
    let mut endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    endpoint.outbound().feed(message).unwrap();
    endpoint.output().to_vec()
}

#[test]
fn bytes_are_sent_as_binary() {
    let octets = Bytes::from_static(b"\xFFoctets");
    let frame = b"\x82\x07\xFFoctets";
    assert_eq!(sent(&octets), frame);
    assert_eq!(sent(BytesMut::from(&octets[..])), frame);
    assert_eq!(sent(octets), frame);
    assert_eq!(Bytes::new().as_payload().kind(), MessageKind::Binary);
}

#[test]
fn what_is_owned_moves_without_a_copy() {
    // Longer and with spare room, as a vector mostly is.
    let mut octets = Vec::with_capacity(100);
    octets.extend_from_slice(b"octets");
    let place = octets.as_ptr();
    let bytes = Bytes::from(OwnedMessage::Binary(octets));
    assert_eq!((&bytes[..], bytes.as_ptr()), (&b"octets"[..], place));
    let OwnedMessage::Binary(octets) = OwnedMessage::from(bytes) else { panic!() };
    assert_eq!((&octets[..], octets.as_ptr()), (&b"octets"[..], place));

    let text = String::from("text");
    let place = text.as_ptr();
    let bytes = Bytes::from(OwnedMessage::Text(text));
    assert_eq!((&bytes[..], bytes.as_ptr()), (&b"text"[..], place));

    // One of two handles is a copy, and a borrowed message is.
    let other = bytes.clone();
    assert_eq!(OwnedMessage::from(other).as_bytes(), b"text");
    assert_eq!(Bytes::from(Message::Text("text")), "text");
}

#[test]
fn a_value_comes_back_from_json() {
    let value = HashMap::from([("price", 5_u32)]);
    let message = OwnedMessage::from_json(&value).unwrap();
    assert_eq!(sent(&message), b"\x81\x0B{\"price\":5}");
    // Strings borrow from the message.
    assert_eq!(message.json::<HashMap<&str, u32>>().unwrap(), value);
    assert_eq!(Message::Binary(message.as_bytes()).json::<HashMap<&str, u32>>().unwrap(), value);
}

#[test]
fn an_error_says_what_is_wrong_and_not_what_was_sent() {
    let number = |text: &'static str| Message::Text(text).json::<u32>().unwrap_err();
    for (error, text) in [
        (number("\"hunter2\""), "the JSON is not the value that is expected: line 1, column 9"),
        (number("[hunter2]"), "the JSON is not the value that is expected: line 1, column 0"),
        (number("hunter2"), "it is not JSON: line 1, column 1"),
        (number(""), "the JSON is cut off: line 1, column 0"),
        (
            Message::Binary(b"\"hunter2\xFF\"").json::<String>().unwrap_err(),
            "it is not JSON: line 1, column 9",
        ),
        (
            OwnedMessage::from_json(&HashMap::from([((1, "hunter2"), 2)])).unwrap_err(),
            "the value cannot be written as JSON",
        ),
    ] {
        assert_eq!((error.to_string(), format!("{error:?}")), (text.into(), format!("JsonError({text})")));
        let _: serde_json::Error = error.into_inner();
    }
    // Nesting has an end.
    let deep = "[".repeat(100_000);
    assert!(Message::Text(&deep).json::<serde_json::Value>().is_err());
    // Where serde has read it into a value of its own first, nobody knows the place any more.
    #[derive(Debug, serde::Deserialize)]
    #[serde(tag = "type")]
    enum Asked {
        Say { _text: String },
    }
    let error = Message::Text(r#"{"type":"Say"}"#).json::<Asked>().unwrap_err();
    assert_eq!(error.to_string(), "the JSON is not the value that is expected");
    let error: Result<(), Error> = (|| Ok(Message::Text("x").json::<()>()?))();
    assert_eq!(error.unwrap_err().to_string(), "it is not JSON: line 1, column 1");
    let _: fn(JsonError) -> Error = Error::from;
}
