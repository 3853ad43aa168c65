//! What a writer writes a reader reads: any messages, fragmented any way, with control frames in between.

use crate::common;

use common::*;
use proptest::prelude::*;
use proptest::sample::Index;
use sockless::{
    Client, Config, Connection, ControlPayload, MessageKind, Payload, Role, Server, Side, Writer,
    MAX_CONTROL_FRAME_LEN,
};

/// The ways to write a frame of data.
#[derive(Clone, Copy, Debug)]
enum How {
    Encode,
    /// Without a copy: servers only, others encode.
    Frame,
    /// Begun, and masked in place in pieces of this size.
    Mask(usize),
    /// Begun, and masked into another buffer.
    MaskCopy(usize),
}

#[derive(Clone, Debug)]
enum Message {
    Text(String),
    Binary(Vec<u8>),
}

impl Message {
    fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(octets) => octets,
        }
    }
}

#[derive(Clone, Debug)]
enum Control {
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    KeepAlive,
}

type Plan = Vec<(Message, Vec<(Index, How, Option<Control>)>, How)>;

fn plan() -> impl Strategy<Value = Plan> {
    let how = prop_oneof![
        Just(How::Encode),
        Just(How::Frame),
        (1_usize..50).prop_map(How::Mask),
        (1_usize..50).prop_map(How::MaskCopy),
    ];
    let payload = || prop::collection::vec(any::<u8>(), 0..=125);
    let control = prop_oneof![
        payload().prop_map(Control::Ping),
        payload().prop_map(Control::Pong),
        Just(Control::KeepAlive),
    ];
    let message = prop_oneof![
        "[ -~é€😀]{0,80}".prop_map(Message::Text),
        prop::collection::vec(any::<u8>(), 0..400).prop_map(Message::Binary),
        Just(Message::Binary(vec![0xAB; 65_535])),
        Just(Message::Binary(vec![0xCD; 65_536])),
    ];
    let cuts = prop::collection::vec((any::<Index>(), how.clone(), prop::option::of(control)), 0..5);
    prop::collection::vec((message, cuts, how), 0..5)
}

/// How each role offers the way that only servers have.
trait Frame: Role {
    fn frame(writer: &mut Writer<Self>, payload: Payload<'_>, fin: bool) -> Vec<u8>
    where
        Self: Sized;
}

impl Frame for Server {
    fn frame(writer: &mut Writer<Self>, payload: Payload<'_>, fin: bool) -> Vec<u8> {
        writer.frame(payload, fin).unwrap().as_slices().concat()
    }
}

impl Frame for Client<Keys> {
    fn frame(writer: &mut Writer<Self>, payload: Payload<'_>, fin: bool) -> Vec<u8> {
        encoded(writer, payload, fin)
    }
}

fn encoded<R: Role>(writer: &mut Writer<R>, payload: Payload<'_>, fin: bool) -> Vec<u8> {
    let mut out = vec![0; writer.encoded_len(payload.as_bytes().len())];
    assert_eq!(writer.encode(payload, fin, &mut out), Ok(out.len()));
    out
}

fn fragment<R: Frame>(
    writer: &mut Writer<R>,
    message: &Message,
    range: [usize; 2],
    fin: bool,
    how: How,
) -> Vec<u8> {
    let [from, to] = range;
    let octets = &message.as_bytes()[from..to];
    let payload = match message {
        // Text that is cut inside a character can only be sent as raw octets.
        Message::Text(text) => text.get(from..to).map(Payload::text),
        Message::Binary(_) => Some(Payload::binary(octets)),
    };
    let (size, copies) = match (how, payload) {
        (How::Encode, Some(payload)) => return encoded(writer, payload, fin),
        (How::Frame, Some(payload)) => return R::frame(writer, payload, fin),
        (How::Mask(size), _) => (size, false),
        (How::MaskCopy(size), _) => (size, true),
        (How::Encode | How::Frame, None) => (7, true),
    };
    let mut out = writer.begin(message.kind(), fin, octets.len() as u64).unwrap().as_bytes().to_vec();
    for piece in octets.chunks(size) {
        let mut wire = piece.to_vec();
        if copies {
            wire.fill(0);
            assert_eq!(writer.mask_copy(piece, &mut wire), Ok(piece.len()));
        } else {
            writer.mask(&mut wire).unwrap();
        }
        out.extend(wire);
    }
    assert_eq!(writer.frame_remaining(), 0);
    out
}

/// Writes `plan`. Returns the bytes, and what the other end must see.
fn write<R: Frame>(role: R, plan: &Plan) -> (Vec<u8>, Vec<Seen>) {
    let mut conn = Connection::new(role, Config::new());
    let (mut wire, mut expected) = (Vec::new(), Vec::new());
    for (message, cuts, last_how) in plan {
        let octets = message.as_bytes();
        let mut cuts = cuts.clone();
        cuts.sort_by_key(|(cut, ..)| cut.index(octets.len() + 1));
        let (mut from, mut seen) = (0, false);
        for (cut, how, control) in cuts {
            let cut = cut.index(octets.len() + 1);
            wire.extend(fragment(conn.writer(), message, [from, cut], false, how));
            if from < cut {
                // An empty fragment that is not the last is not seen.
                expected.push(part(message.kind(), !seen, &octets[from..cut], false));
                seen = true;
            }
            from = cut;
            let mut out = [0; MAX_CONTROL_FRAME_LEN];
            let len = match control {
                None => 0,
                Some(Control::Ping(octets)) => {
                    expected.push(Seen::Ping(octets.clone()));
                    conn.writer().ping(ControlPayload::new(&octets).unwrap(), &mut out).unwrap()
                }
                Some(Control::Pong(octets)) => {
                    expected.push(Seen::Pong(octets.clone()));
                    conn.writer().pong(ControlPayload::new(&octets).unwrap(), &mut out).unwrap()
                }
                Some(Control::KeepAlive) => {
                    expected.push(Seen::Ping(vec![]));
                    conn.writer().keep_alive();
                    conn.poll_transmit(&mut out).unwrap()
                }
            };
            wire.extend_from_slice(&out[..len]);
        }
        wire.extend(fragment(conn.writer(), message, [from, octets.len()], true, *last_how));
        expected.push(part(message.kind(), !seen, &octets[from..], true));
    }
    let mut out = [0; MAX_CONTROL_FRAME_LEN];
    let len = conn.writer().close(code(1000), &mut out).unwrap();
    wire.extend_from_slice(&out[..len]);
    expected.push(Seen::Close(Some(1000), String::new()));
    (wire, joined(expected))
}

proptest! {
    #[test]
    fn what_is_written_is_read(plan in plan(), sizes in prop::collection::vec(1_usize..2000, 1..6)) {
        let both = [(Side::Server, write(Server, &plan)), (Side::Client, write(Client::new(Keys(7)), &plan))];
        for (side, (wire, expected)) in both {
            // Masks, reserved bits and lengths are as they must be.
            sent_by(side, &wire);
            let mut reader = connection(other(side), Config::new());
            let (mut seen, mut rest) = (Vec::new(), &wire[..]);
            for size in sizes.iter().cycle() {
                let (chunk, after) = rest.split_at((*size).min(rest.len()));
                seen.extend(feed(&mut reader, chunk));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert!(joined(seen) == expected);
        }
    }

    #[test]
    fn any_close_arrives(
        code in prop_oneof![1000_u16..=1003, 1007_u16..=1009, 1011_u16..=1014, 3000_u16..=4999],
        reason in ".{0,60}",
    ) {
        let reason = sockless::CloseReason::truncated(&reason);
        for side in BOTH {
            let frame = sockless::CloseFrame::new(sockless::CloseCode::new(code).unwrap(), reason);
            let wire = close(&mut connection(side, Config::new()), frame);
            let seen = see_all(other(side), &wire);
            prop_assert_eq!(seen, [Seen::Close(Some(code), reason.as_str().to_owned())]);
        }
    }
}
