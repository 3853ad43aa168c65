//! The conversations of the suite, and their expected results.
//
// Owns: the peer's frames, and the results of the engine itself, to compare with.
// Must not know: adapters.

use std::io;

use sockless::message::OwnedMessage;
use sockless::{
    AsPayload, Closed, Config, Connection, Event, Input, MessageKind, ProtocolError, Server, TransportAction,
    MAX_CONTROL_FRAME_LEN,
};

use crate::script::{Cut, End, Hold, Script};
use crate::Failure;

/// A script with its expected result.
#[derive(Clone)]
#[non_exhaustive]
pub struct Case {
    /// The name in a report.
    pub name: String,
    /// What the transport does.
    pub script: Script,
    /// What the adapter should do.
    pub expected: Transcript,
}

impl Case {
    /// A case of your own.
    pub fn new(name: impl Into<String>, script: Script, expected: Transcript) -> Self {
        Self { name: name.into(), script, expected }
    }
}

/// What an echo server does with a script.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "whoever adds a case spells it out")]
pub struct Transcript {
    /// The messages that it received.
    pub messages: Vec<OwnedMessage>,
    /// The errors of receiving.
    pub failures: Vec<Failure>,
    /// How the connection ended. Every one does.
    pub closed: Option<Closed>,
    /// What was written to the peer.
    pub written: Vec<u8>,
    /// Whether a part of `written` is enough, because the peer has ended before it could take more.
    pub may_write_less: bool,
    /// Whether the writing direction was ended. `None` if both are fine.
    pub shut: Option<bool>,
}

/// A conversation, as frames of the peer.
struct Conversation {
    name: &'static str,
    frames: Vec<Vec<u8>>,
    /// Whether to fail and to end at every byte. For short conversations only.
    everywhere: bool,
}

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const TEXT_BEGIN: u8 = 0x01;
const BINARY_BEGIN: u8 = 0x02;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

fn conversations() -> Vec<Conversation> {
    let new = |name, frames: &[(u8, &[u8])]| Conversation {
        name,
        frames: frames.iter().map(|(first, payload)| frame(*first, payload)).collect(),
        everywhere: true,
    };
    let mut all = vec![
        new(
            "messages, fragments, a Ping amid them, a Close",
            &[
                (TEXT_BEGIN, b"Hello, \xC3"),
                (PING, b"ping"),
                (MORE, b""),
                (LAST, b"\xB6rld"),
                (BINARY, &[7; 130]),
                (PONG, b"nobody asked"),
                (TEXT, b""),
                (PING, b""),
                (CLOSE, b"\x03\xE8bye"),
            ],
        ),
        new(
            "an empty Close amid a message, and what comes too late",
            &[(TEXT, b"a"), (BINARY_BEGIN, b"half"), (CLOSE, b""), (TEXT, b"late"), (PING, b"?")],
        ),
        new("text that is not UTF-8", &[(TEXT, b"good"), (PING, b"1"), (TEXT, b"\xFF"), (TEXT, b"late")]),
        new(
            "a continuation of nothing",
            &[(BINARY, b"one"), (BINARY, b"two"), (LAST, b"three"), (PING, b"late")],
        ),
        new("a Close with a code that nobody may send", &[(PING, b"?"), (CLOSE, b"\x03\xED")]),
        new("no Close", &[(TEXT, b"last"), (PING, b"words"), (TEXT_BEGIN, b"and half of")]),
    ];
    let unmasked = Conversation {
        name: "a frame without a mask",
        frames: vec![frame(TEXT, b"masked"), vec![TEXT, 3, b'n', b'o', b't'], frame(TEXT, b"late")],
        everywhere: true,
    };
    let mut many: Vec<(u8, &[u8])> = Vec::new();
    for _ in 0..40 {
        many.extend_from_slice(&[(TEXT, b"tick"), (PING, b"tock"), (BINARY_BEGIN, b"ti"), (LAST, b"ck")]);
    }
    many.push((CLOSE, b"\x03\xE9"));
    let many = Conversation { everywhere: false, ..new("many small messages", &many) };
    let big: Vec<u8> = (0..=250).cycle().take(70_000).collect();
    let big = Conversation {
        everywhere: false,
        ..new("a big message", &[(BINARY, &big), (PING, b"?"), (CLOSE, b"\x03\xE8")])
    };
    all.extend([unmasked, many, big]);
    all
}

/// A frame of a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    let mut bytes = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ ..=125), _) => bytes.push(0x80 | len),
        (_, Ok(len)) => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(octet, key)| octet ^ key));
    bytes
}

/// All cases of the suite: each conversation in each [`Cut`]. For the short ones also: the end of the stream
/// and a reset after every byte of the input, and failing writes after every byte. The last case is a peer that
/// always has more to send: the task that serves it must let other tasks run.
pub fn cases() -> impl Iterator<Item = Case> {
    conversations().into_iter().flat_map(each_cut).chain(std::iter::once_with(flood))
}

/// More messages than one turn takes.
fn flood() -> Case {
    // More than two turns' worth, but no more messages than an outcome can hold.
    let messages = vec![frame(BINARY, &[7; 512]); 5000];
    let conversation = Conversation {
        name: "a flood",
        frames: vec![messages.concat(), frame(CLOSE, b"\x03\xE8")],
        everywhere: false,
    };
    let beginning = Beginning::new(&conversation, &conversation.frames.concat());
    beginning.case("end of the stream", Cut::WHOLE, beginning.script(Cut::WHOLE), beginning.ended.clone())
}

/// The cases of one conversation.
fn each_cut(conversation: Conversation) -> impl Iterator<Item = Case> {
    let input = conversation.frames.concat();
    let from = if conversation.everywhere { 0 } else { input.len() };
    let beginnings: Vec<_> = (from..=input.len())
        .filter_map(|len| input.get(..len).map(|input| Beginning::new(&conversation, input)))
        .collect();
    Cut::EACH.into_iter().flat_map(move |cut| {
        let mut cases: Vec<_> = beginnings.iter().flat_map(|beginning| beginning.cases(cut)).collect();
        if let (Some(whole), true, false) = (beginnings.last(), conversation.everywhere, cut.buffered) {
            cases.extend(whole.broken_writes(cut));
        }
        cases
    })
}

/// The first bytes of a conversation.
struct Beginning {
    name: &'static str,
    input: Vec<u8>,
    /// The expected result if the stream ends or fails there.
    ended: Transcript,
    reset: Transcript,
    /// The answer to each frame.
    answers: Vec<Hold>,
}

const RESET: End = End::Error(io::ErrorKind::ConnectionReset);

impl Beginning {
    fn new(conversation: &Conversation, input: &[u8]) -> Self {
        let (mut answers, mut at) = (Vec::new(), 0_usize);
        for frame in &conversation.frames {
            at = at.saturating_add(frame.len());
            let Some(before) = input.get(..at) else { break };
            answers.push(Hold { at, written: echo(before, End::Eof).written.len(), shut: false });
        }
        let (ended, reset) = (echo(input, End::Eof), echo(input, RESET));
        Self { name: conversation.name, input: input.to_vec(), ended, reset, answers }
    }

    /// The stream ends: at once, and after the peer got its answers. And it is reset after that.
    fn cases(&self, cut: Cut) -> Vec<Case> {
        let mut cases = Vec::new();
        // If nothing ever waits, everything is written before the end is read.
        if cut.pending {
            let mut expected = self.ended.clone();
            let unexpected = Failure::Protocol(ProtocolError::UnexpectedEof);
            expected.may_write_less = expected.failures.contains(&unexpected);
            cases.push(self.case("end of the stream", cut, self.script(cut), expected));
        }
        for (what, end, expected) in
            [("end of the stream, awaited,", End::Eof, &self.ended), ("reset", RESET, &self.reset)]
        {
            let (at, written) = (self.input.len(), expected.written.len());
            let hold = Hold { at, written, shut: expected.shut == Some(true) };
            let script = self.script(cut).with_end(end).with_hold(hold);
            cases.push(self.case(what, cut, script, expected.clone()));
        }
        cases
    }

    /// Writing fails after each byte.
    fn broken_writes(&self, cut: Cut) -> Vec<Case> {
        let fails = (0..self.ended.written.len()).map(|after| {
            let mut expected = self.ended.clone();
            expected.written.truncate(after);
            // What the peer sent before it stopped reading is still received. Our Close was not sent.
            if let Some(closed) = &mut expected.closed {
                closed.clean = false;
            }
            expected.shut = None;
            let script = self.script(cut).with_write_error(after, io::ErrorKind::BrokenPipe);
            self.case(&format!("no more than {after} bytes can be written"), cut, script, expected)
        });
        fails.collect()
    }

    fn script(&self, cut: Cut) -> Script {
        let mut script = Script::new(self.input.as_slice()).with_cut(cut);
        if cut.lockstep {
            script.holds.clone_from(&self.answers);
        }
        script
    }

    fn case(&self, what: &str, cut: Cut, script: Script, expected: Transcript) -> Case {
        let name = format!("{}, {what} after {} bytes, {}", self.name, self.input.len(), cut.name);
        Case::new(name, script, expected)
    }
}

/// What the engine itself makes of the input.
fn echo(input: &[u8], end: End) -> Transcript {
    let mut connection = Connection::new(Server, Config::new());
    let (mut messages, mut failures, mut written) = (Vec::new(), Vec::new(), Vec::new());
    let mut message = Vec::new();
    let mut bytes = input.to_vec();
    let mut input = Input::new(&mut bytes);
    loop {
        match connection.recv(&mut input) {
            Ok(Some(Event::Data(data))) => {
                message.extend_from_slice(data.as_bytes());
                if data.is_last() {
                    let message = whole(data.kind(), std::mem::take(&mut message));
                    let payload = message.as_payload();
                    let mut frame = vec![0; connection.writer().encoded_len(payload.as_bytes().len())];
                    let len = connection.writer().encode(payload, true, &mut frame).unwrap_or(0);
                    written.extend_from_slice(frame.get(..len).unwrap_or(&[]));
                    messages.push(message);
                }
            }
            Ok(Some(_)) => transmit(&mut connection, &mut written),
            Ok(None) => break,
            Err(error) => {
                failures.push(Failure::Protocol(error));
                transmit(&mut connection, &mut written);
            }
        }
    }
    let shut = Some(connection.transport() == TransportAction::ShutdownWrite);
    if let Err(error) = connection.eof() {
        failures.push(match end {
            End::Eof => Failure::Protocol(error),
            End::Error(kind) => Failure::Io(kind),
        });
    }
    let closed = connection.closed();
    Transcript { messages, failures, closed, written, may_write_less: false, shut }
}

/// Writes the replies that are owed after an event.
fn transmit(connection: &mut Connection<Server>, written: &mut Vec<u8>) {
    let mut owed = [0; MAX_CONTROL_FRAME_LEN];
    while let Ok(len @ 1..) = connection.poll_transmit(&mut owed) {
        written.extend_from_slice(owed.get(..len).unwrap_or(&[]));
    }
}

fn whole(kind: MessageKind, octets: Vec<u8>) -> OwnedMessage {
    match kind {
        // The engine has checked that it is UTF-8.
        MessageKind::Text => OwnedMessage::Text(String::from_utf8(octets).unwrap_or_default()),
        MessageKind::Binary => OwnedMessage::Binary(octets),
    }
}

debug_states!(Case, |this| { name: this.name, script: this.script, expected: this.expected });

debug_states!(Transcript, |this| { messages: this.messages.len(), failures: this.failures.len(), closed: this.closed, written: this.written.len(), shut: this.shut });
