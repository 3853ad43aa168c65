//! What may be sent when: a writer beside a model that decides each case by itself, through any sequence of
//! operations. After each operation every data frame is tried, so that all ways to send agree.

use crate::common;

use std::sync::LazyLock;

use common::*;
use proptest::prelude::*;
use sockless::frame::Rsv;
use sockless::{
    Client, CloseFrame, Connection, ControlPayload, Event, Input, Limits, Mailbox, MessageKind, Payload,
    ProtocolError, Reader, Role, SendError, Server, Side, Writer,
};

/// What the peer obliges us to say.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Owed {
    Answer,
    Failure,
    Silence,
}

/// The message in progress.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Begun {
    kind: MessageKind,
    deflated: bool,
}

#[derive(Clone, Debug, Default)]
struct Model {
    over: bool,
    sent: bool,
    owed: Option<Owed>,
    deflates: bool,
    message: Option<Begun>,
    remaining: u64,
    /// Octets of the character that is not whole, where types do not vouch for the text.
    character: Option<Vec<u8>>,
}

impl Model {
    fn is_open(&self) -> bool {
        !self.over && !self.sent && self.owed.is_none()
    }

    fn may_send(&self) -> Result<(), SendError> {
        match (self.is_open(), self.remaining) {
            (false, _) => Err(SendError::Closed),
            (true, 0) => Ok(()),
            (true, _) => Err(SendError::FrameInProgress),
        }
    }

    /// Whether a frame of such a message may be sent, and whether it is a continuation.
    fn data_frame(&self, begun: Begun) -> Result<bool, SendError> {
        self.may_send()?;
        if begun.deflated && !self.deflates {
            return Err(SendError::CompressionNotNegotiated);
        }
        match self.message {
            None => Ok(false),
            Some(message) if message == begun => Ok(true),
            Some(_) => Err(SendError::MessageInProgress),
        }
    }

    /// A whole frame. Returns its first byte.
    fn encode(&mut self, frame: &Frame, fin: bool) -> Result<u8, SendError> {
        let begun = Begun { kind: frame.payload.kind(), deflated: frame.deflated };
        let continues = self.data_frame(begun)?;
        if self.character.is_some() || frame.cut {
            let character = grown(self.character.as_deref().unwrap_or(&[]), frame.payload.as_bytes());
            match character.ok_or(SendError::InvalidUtf8)? {
                whole if whole.is_empty() => self.character = None,
                _ if fin => return Err(SendError::InvalidUtf8),
                part => self.character = Some(part),
            }
        }
        self.message = (!fin).then_some(begun);
        let opcode = match (continues, begun.kind) {
            (true, _) => 0,
            (false, MessageKind::Text) => 1,
            (false, MessageKind::Binary) => 2,
        };
        let rsv1 = if frame.deflated && !continues { 0x40 } else { 0 };
        Ok(if fin { 0x80 } else { 0 } | rsv1 | opcode)
    }

    fn begin(&mut self, kind: MessageKind, fin: bool, len: u64) -> Result<(), SendError> {
        let begun = Begun { kind, deflated: false };
        self.data_frame(begun)?;
        let character = (kind == MessageKind::Text).then(|| self.character.clone().unwrap_or_default());
        let ends = fin && len == 0;
        if ends && character.as_ref().is_some_and(|character| !character.is_empty()) {
            return Err(SendError::InvalidUtf8);
        }
        self.character = character.filter(|_| !ends);
        self.message = (!fin).then_some(begun);
        self.remaining = len;
        Ok(())
    }

    fn mask(&mut self, piece: &[u8]) -> Result<(), SendError> {
        let left = self.remaining.checked_sub(piece.len() as u64).ok_or(SendError::PayloadTooLong)?;
        let ends = left == 0 && self.message.is_none();
        if let Some(character) = &self.character {
            let character = grown(character, piece).ok_or(SendError::InvalidUtf8)?;
            if ends && !character.is_empty() {
                return Err(SendError::InvalidUtf8);
            }
            self.character = Some(character);
        }
        self.remaining = left;
        self.character = self.character.take().filter(|_| !ends);
        Ok(())
    }

    fn transmit(&mut self) {
        if self.over || self.remaining > 0 || self.sent {
            return;
        }
        match self.owed.take() {
            None => {}
            Some(Owed::Answer) => self.sent = true,
            Some(Owed::Failure) => (self.sent, self.over) = (true, true),
            Some(Owed::Silence) => self.over = true,
        }
    }
}

/// The incomplete character at the end, after `octets` were added. `None` if they are not UTF-8.
fn grown(character: &[u8], octets: &[u8]) -> Option<Vec<u8>> {
    let text = [character, octets].concat();
    match std::str::from_utf8(&text) {
        Ok(_) => Some(Vec::new()),
        Err(error) if error.error_len().is_none() => Some(text[error.valid_up_to()..].to_vec()),
        Err(_) => None,
    }
}

/// A payload, and what is known about it.
#[derive(Clone, Copy)]
struct Frame {
    payload: Payload<'static>,
    cut: bool,
    deflated: bool,
}

/// Each kind of payload that the writer treats differently.
static FRAMES: LazyLock<Vec<Frame>> = LazyLock::new(|| {
    let plain = |payload| Frame { payload, cut: false, deflated: false };
    let deflated = |kind| Frame { payload: Payload::deflated(kind, &[0; 126]), cut: false, deflated: true };
    let cut = |payload| Frame { payload, cut: true, deflated: false };
    let [begin, end] = euro();
    vec![
        plain(Payload::text("")),
        plain(Payload::text("text of some octets")),
        plain(Payload::binary(&[7; 9]).with_compression(false)),
        plain(Payload::binary(&[1; 126])),
        deflated(MessageKind::Text),
        deflated(MessageKind::Binary),
        cut(begin),
        cut(end.with_compression(true)),
    ]
});

/// A character in two pieces, as a peer sent it.
fn euro() -> [Payload<'static>; 2] {
    let bytes = all_to(Side::Client, &[(TEXT_PART, &[0xE2]), (END, &[0x82, 0xAC])]);
    let mut input = Input::new(bytes.leak());
    let mut connection = Connection::new(Client::new(Keys(1)), sockless::Config::new());
    [(); 2].map(|()| match connection.recv(&mut input) {
        Ok(Some(Event::Data(data))) => Payload::forward(&data).expect("no reserved bits"),
        other => panic!("{other:?}"),
    })
}

/// Lets the writer and its model do what these numbers say.
fn step<R: Role + Clone>(writer: &mut Writer<R>, model: &mut Model, (what, which): (u8, u8)) {
    let mut out = [0; 600];
    let fin = which & 1 != 0;
    let kind = if which & 2 == 0 { MessageKind::Text } else { MessageKind::Binary };
    match what {
        0..=8 => {
            let frame = &FRAMES[usize::from(which >> 1) % FRAMES.len()];
            let written = writer.encode(frame.payload, fin, &mut out);
            assert_eq!(written.map(|_| out[0]), model.encode(frame, fin));
        }
        9..=11 => {
            let len = u64::from(which >> 2) % 4;
            assert_eq!(writer.begin(kind, fin, len).map(|_| ()), model.begin(kind, fin, len));
        }
        12..=16 => {
            let mut piece = [[b'a'; 3], [0xE2, 0x82, 0xAC], [0x82, 0xAC, b'a'], [0xAC, b'a', 0xFF]]
                [usize::from(which) % 4];
            let piece = &mut piece[..usize::from(which >> 2) % 4];
            assert_eq!(model.clone().mask(piece), writer.mask_copy(piece, &mut out).map(|_| ()));
            let _ = model.mask(piece);
        }
        17 => {
            let done = writer.close(CloseFrame::EMPTY, &mut out).map(|_| ());
            assert_eq!(done, model.may_send());
            model.sent |= done.is_ok();
        }
        18 => {
            let done = writer.ping(ControlPayload::EMPTY, &mut out).map(|_| ());
            assert_eq!(done, model.may_send());
        }
        19 => {
            let owed = [Owed::Answer, Owed::Failure, Owed::Silence][usize::from(which) % 3];
            let mut reader = Reader::new(writer.side(), Limits::DEFAULT);
            let mut mailbox = Mailbox::new();
            match owed {
                Owed::Answer => hear(&mut reader, CLOSE, writer),
                Owed::Failure => reader.fail(ProtocolError::ReservedBits, &mut mailbox),
                Owed::Silence => reader.fail(ProtocolError::UnexpectedEof, &mut mailbox),
            }
            writer.accept(&mut mailbox);
            model.owed.get_or_insert(owed);
        }
        20 => hear(&mut Reader::new(writer.side(), Limits::DEFAULT), PING, writer),
        21 => writer.keep_alive(),
        22 => {
            while writer.poll_transmit(&mut out).expect("there are keys") > 0 {}
            model.transmit();
        }
        23 => {
            writer.abort();
            (model.over, model.owed) = (true, None);
        }
        _ => {
            *writer = writer.clone().with_allowed_rsv(Rsv::RSV1);
            model.deflates = true;
        }
    }
}

/// An empty control frame comes from the peer.
fn hear<R: Role>(reader: &mut Reader, first: u8, writer: &mut Writer<R>) {
    let mut bytes = to(writer.side(), first, b"");
    let mut mailbox = Mailbox::new();
    let event = reader.next(&mut Input::new(&mut bytes), &mut mailbox);
    writer.accept(&mut mailbox);
    assert!(matches!(event, Ok(Some(Event::Ping | Event::Close(_)))), "{event:?}");
}

/// Tries each data frame on a copy of the writer, in each way that there is to send it whole.
fn check<R: Role + Clone>(writer: &Writer<R>, model: &Model, slices: Slices<R>) {
    assert_eq!(writer.is_open(), model.is_open());
    assert_eq!(writer.sent_close().is_some(), model.sent);
    assert_eq!(writer.frame_remaining(), model.remaining);
    for (frame, fin) in FRAMES.iter().flat_map(|frame| [(frame, false), (frame, true)]) {
        let octets = frame.payload.as_bytes();
        let first = model.clone().encode(frame, fin);
        let mut out = vec![0xEE; writer.encoded_len(octets.len())];
        let encoded = writer.clone().encode(frame.payload, fin, &mut out);
        assert_eq!(encoded, first.map(|_| out.len()));
        match first {
            Ok(first) => assert_eq!(sent(writer.side(), &out), (first, octets.to_vec())),
            Err(_) => assert!(out.iter().all(|&octet| octet == 0xEE)),
        }
        if let Some(slices) = slices {
            assert_eq!(slices(writer.clone(), frame.payload, fin), encoded.map(|_| out.clone()));
        }
        let short = out.len() - 1;
        let refused = writer.clone().encode(frame.payload, fin, &mut out[..short]);
        match (first, refused) {
            (Ok(_), Err(SendError::BufferTooSmall(error))) => assert_eq!(error.required, short + 1),
            (first, refused) => assert_eq!(refused.err(), first.err()),
        }
    }
}

/// The one frame that `side` wrote: first byte and payload.
fn sent(side: Side, bytes: &[u8]) -> (u8, Vec<u8>) {
    let frame = parse(bytes).remove(0);
    assert_eq!(frame.key.is_some(), side == Side::Client);
    (frame.first, frame.payload)
}

/// A frame in slices, joined, if a writer of this role gives them.
type Slices<R> = Option<fn(Writer<R>, Payload<'static>, bool) -> Result<Vec<u8>, SendError>>;

fn sliced(mut writer: Writer<Server>, payload: Payload<'static>, fin: bool) -> Result<Vec<u8>, SendError> {
    writer.frame(payload, fin).map(|frame| frame.as_slices().concat())
}

fn run<R: Role + Clone>(role: R, steps: &[(u8, u8)], slices: Slices<R>) {
    let (mut writer, mut model) = (Writer::new(role), Model::default());
    check(&writer, &model, slices);
    for &numbers in steps {
        step(&mut writer, &mut model, numbers);
        check(&writer, &model, slices);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_may_be_sent_is_what_a_model_says_after_any_operations(
        steps in proptest::collection::vec((0_u8..25, any::<u8>()), 0..24),
    ) {
        run(Server, &steps, Some(sliced));
        run(Client::new(Keys(1)), &steps, None);
    }
}

/// Lengths of each way to copy and mask, and those around them.
fn lengths() -> impl Iterator<Item = usize> {
    (0..300).chain(65_530..65_540)
}

#[test]
fn a_message_of_any_length_is_written_as_it_is_by_both_sides_and_in_slices() {
    let octets: Vec<u8> = (0..70_000_u32).map(|i| (i % 251) as u8).collect();
    let (mut server, mut client) = (Writer::new(Server), Writer::new(Client::new(Keys(1))));
    for len in lengths() {
        let payload = &octets[..len];
        assert_eq!(encoded(&mut server, payload, true), (BINARY, payload.to_vec()), "{len}");
        assert_eq!(encoded(&mut client, payload, true), (BINARY, payload.to_vec()), "{len}");
        let frame = server.frame(Payload::binary(payload), true).unwrap();
        assert_eq!(sent(Side::Server, &frame.as_slices().concat()), (BINARY, payload.to_vec()), "{len}");
    }
}

#[test]
fn a_fragment_of_any_length_is_written_as_it_is_by_both_sides() {
    let octets: Vec<u8> = (0..70_000_u32).map(|i| (i % 251) as u8).collect();
    let (mut server, mut client) = (Writer::new(Server), Writer::new(Client::new(Keys(1))));
    for len in lengths() {
        let payload = &octets[..len];
        for (first, fin) in [(BINARY_PART, false), (MORE, false), (END, true)] {
            assert_eq!(encoded(&mut server, payload, fin), (first, payload.to_vec()), "{len}");
            assert_eq!(encoded(&mut client, payload, fin), (first, payload.to_vec()), "{len}");
        }
    }
}

/// The one frame of these octets that `writer` encodes: first byte and payload.
fn encoded<R: Role>(writer: &mut Writer<R>, octets: &[u8], fin: bool) -> (u8, Vec<u8>) {
    let mut out = vec![0; writer.encoded_len(octets.len())];
    assert_eq!(writer.encode(Payload::binary(octets), fin, &mut out), Ok(out.len()));
    sent(writer.side(), &out)
}
