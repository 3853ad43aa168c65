//! One connection as somebody sees it who stands beside it: octets of both sides in, records out.
//
// Owns: where a head ends and frames begin, in each direction, and what is kept of a message.
// Must not know: where the octets come from, or how records are shown.

use std::time::Duration;

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use sockless::deflate::{Inflater, Params};
use sockless::frame::{FrameHeader, Rsv};
use sockless::handshake::client::{ClientHandshake, ClientProgress, ClientRequest};
use sockless::handshake::server::{Request, ServerProgress};
use sockless::handshake::{HeadLimits, Headers, Uri};
use sockless::{CloseCode, Data, Event, Input, Limits, Mailbox, MessageKind, ProtocolError, Reader, Side};

use super::lines::inflate;

/// Octets of a head, and of what comes too early: more than any peer takes.
pub const MAX_HELD: usize = 64 << 10;

/// Something that was seen.
#[derive(Debug, PartialEq)]
pub struct Record {
    /// Since the connection began.
    pub at: Duration,
    /// Who sent it.
    pub from: Side,
    pub what: What,
}

#[derive(Debug, PartialEq)]
pub enum What {
    /// The head of a request, or of an answer.
    Head {
        start: String,
        fields: Vec<(String, String)>,
    },
    Frame(FrameHeader),
    /// A whole message, inflated if it was compressed. Of a long one only the front is kept.
    Message {
        kind: MessageKind,
        len: u64,
        is_compressed: bool,
        front: Vec<u8>,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close {
        code: Option<CloseCode>,
        reason: String,
    },
    /// A rule was broken.
    Fault(String),
    /// From here on this direction is not read: why.
    Unread(String),
    /// The stream ended.
    End,
}

/// Both directions of one connection.
pub struct Conversation {
    limits: Limits,
    /// Octets that are kept of a message.
    max_front: usize,
    client: Direction,
    server: Direction,
    /// The head of the request.
    request: Vec<u8>,
    has_fault: bool,
}

enum Direction {
    /// The head is not complete.
    Head(Vec<u8>),
    /// The request is, and frames may have come before the answer, or even the end.
    Early {
        held: Vec<u8>,
        has_ended: bool,
    },
    Frames(Box<Frames>),
    Unread,
}

impl Conversation {
    pub fn new(limits: Limits, max_front: usize) -> Self {
        Self {
            limits,
            max_front,
            client: Direction::Head(Vec::new()),
            server: Direction::Head(Vec::new()),
            request: Vec::new(),
            has_fault: false,
        }
    }

    /// Whether somebody broke a rule.
    pub const fn has_fault(&self) -> bool {
        self.has_fault
    }

    /// These octets came from this side.
    pub fn received(&mut self, from: Side, octets: &[u8], at: Duration, records: &mut Vec<Record>) {
        let mut report = Report { from, at, records, has_fault: &mut self.has_fault };
        let direction = match from {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        match direction {
            Direction::Head(held) | Direction::Early { held, .. } => {
                if held.len().saturating_add(octets.len()) > MAX_HELD {
                    report.fault("a head that is too long, or much before the answer");
                    return self.unread(from, "no frames can be told here", at, records);
                }
                held.extend_from_slice(octets);
            }
            Direction::Frames(frames) => return frames.received(octets, &mut report),
            Direction::Unread => return,
        }
        match from {
            Side::Client => self.request_received(at, records),
            Side::Server => self.answer_received(at, records),
        }
    }

    /// The stream of this side ended.
    pub fn ended(&mut self, from: Side, at: Duration, records: &mut Vec<Record>) {
        let mut report = Report { from, at, records, has_fault: &mut self.has_fault };
        let direction = match from {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        match direction {
            Direction::Head(held) if held.is_empty() => {}
            Direction::Head(_) => report.fault("the stream ended within the head"),
            Direction::Frames(frames) => frames.ended(&mut report),
            // What came before it is told when the answer comes.
            Direction::Early { has_ended, .. } => {
                *has_ended = true;
                return;
            }
            Direction::Unread => {}
        }
        report.put(What::End);
        *direction = Direction::Unread;
    }

    /// This direction cannot be read any more.
    pub fn unread(&mut self, from: Side, why: &str, at: Duration, records: &mut Vec<Record>) {
        let direction = match from {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        if !matches!(direction, Direction::Unread) {
            *direction = Direction::Unread;
            records.push(Record { at, from, what: What::Unread(why.into()) });
        }
    }

    fn request_received(&mut self, at: Duration, records: &mut Vec<Record>) {
        let Direction::Head(held) = &mut self.client else { return };
        let Some(end) = head_end(held) else { return };
        let rest = held.split_off(end);
        let head = std::mem::take(held);
        let from = Side::Client;
        let mut report = Report { from, at, records, has_fault: &mut self.has_fault };
        match Request::parse(&head, &head_limits()) {
            Ok(ServerProgress::Request(request)) => report.head(&head, request.headers()),
            Ok(ServerProgress::Http(request)) => {
                report.head(&head, request.headers());
                return self.unread(from, "the request does not ask for a WebSocket", at, records);
            }
            Ok(_) => return self.unread(from, "the request is not whole", at, records),
            Err(error) => {
                report.raw_head(&head);
                report.fault(&error.to_string());
                return self.unread(from, "no frames are told after such a request", at, records);
            }
        }
        self.request = head;
        self.client = Direction::Early { held: rest, has_ended: false };
    }

    fn answer_received(&mut self, at: Duration, records: &mut Vec<Record>) {
        let Direction::Head(held) = &self.server else { return };
        let Some(end) = head_end(held) else { return };
        let from = Side::Server;
        let mut report = Report { from, at, records, has_fault: &mut self.has_fault };
        let agreed = if self.request.is_empty() {
            report.raw_head(held.get(..end).unwrap_or(&[]));
            Err("no request for a WebSocket came before".into())
        } else {
            answer(&self.request, held, end, &mut report)
        };
        let agreed = match agreed {
            Ok(agreed) => agreed,
            Err(why) => {
                self.unread(Side::Client, &why, at, records);
                return self.unread(Side::Server, &why, at, records);
            }
        };
        let rest = held.get(end..).unwrap_or(&[]).to_vec();
        let frames = |side| Box::new(Frames::new(side, self.limits, agreed, self.max_front));
        let mut of_server = frames(Side::Server);
        let mut of_client = frames(Side::Client);
        of_server.received(&rest, &mut report);
        report.from = Side::Client;
        if let Direction::Early { held, has_ended } = &self.client {
            of_client.received(held, &mut report);
            self.client = match has_ended {
                false => Direction::Frames(of_client),
                true => {
                    of_client.ended(&mut report);
                    report.put(What::End);
                    Direction::Unread
                }
            };
        }
        self.server = Direction::Frames(of_server);
    }
}

/// What was agreed on, or why there are no frames.
fn answer(
    request: &[u8],
    held: &[u8],
    end: usize,
    report: &mut Report<'_>,
) -> Result<Option<Params>, String> {
    let Ok(ServerProgress::Request(request)) = Request::parse(request, &head_limits()) else {
        return Err("the request is not whole".into());
    };
    // The request once more, as the client must have made it, so that the answer can be judged.
    let key = request.headers().get("Sec-WebSocket-Key").unwrap_or_default();
    let nonce = STANDARD.decode(key).ok().and_then(|nonce| <[u8; 16]>::try_from(nonce).ok());
    let offered: Vec<&str> = request.subprotocols().iter().collect();
    let extensions = request.headers().get_all("Sec-WebSocket-Extensions").map(String::from_utf8_lossy);
    let extensions = extensions.collect::<Vec<_>>().join(", ");
    let asked = Uri::parse("ws://observed/").map_err(|error| error.to_string()).and_then(|uri| {
        let asked = ClientRequest::new(uri).with_subprotocols(&offered).map_err(|error| error.to_string())?;
        match extensions.as_str() {
            "" => Ok(asked),
            value => asked.with_extensions(value).map_err(|error| error.to_string()),
        }
    });
    let head = held.get(..end).unwrap_or(&[]);
    let (Some(nonce), Ok(asked)) = (nonce, asked) else {
        report.raw_head(head);
        return Err("the request cannot be read well enough to judge the answer".into());
    };
    let mut storage = vec![0; MAX_HELD];
    let mut handshake = ClientHandshake::new(asked, nonce, &mut storage, head_limits());
    match handshake.recv(head) {
        Ok((_, ClientProgress::Accepted(accepted))) => {
            report.head(head, accepted.headers());
            Ok(accepted.negotiated().deflate)
        }
        Ok((_, ClientProgress::Rejected(rejected))) => {
            report.head(head, rejected.headers());
            Err("the server refused".into())
        }
        Ok(_) => Err("the answer is not whole".into()),
        Err(error) => {
            report.raw_head(head);
            report.fault(&error.to_string());
            Err("no frames are told after such an answer".into())
        }
    }
}

/// Where the head ends, if it does.
pub fn head_end(held: &[u8]) -> Option<usize> {
    let at = held.windows(4).position(|octets| octets == b"\r\n\r\n")?;
    Some(at.saturating_add(4))
}

fn head_limits() -> HeadLimits {
    HeadLimits::DEFAULT.with_max_start_line(MAX_HELD).with_max_field(MAX_HELD)
}

/// Where records go.
struct Report<'r> {
    from: Side,
    at: Duration,
    records: &'r mut Vec<Record>,
    has_fault: &'r mut bool,
}

impl Report<'_> {
    fn put(&mut self, what: What) {
        self.records.push(Record { at: self.at, from: self.from, what });
    }

    fn fault(&mut self, what: &str) {
        *self.has_fault = true;
        self.put(What::Fault(what.into()));
    }

    fn head(&mut self, head: &[u8], headers: Headers<'_>) {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let start = head.split(|octet| *octet == b'\n').next().unwrap_or_default();
        let fields = headers.iter().map(|(name, value)| (name.to_owned(), text(value))).collect();
        self.put(What::Head { start: text(start).trim_end().into(), fields });
    }

    /// A head that breaks a rule, line by line.
    fn raw_head(&mut self, head: &[u8]) {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let start = lines.next().unwrap_or_default().into();
        let fields = lines.filter(|line| !line.is_empty()).map(|line| match line.split_once(':') {
            Some((name, value)) => (name.into(), value.trim().into()),
            None => (line.into(), String::new()),
        });
        self.put(What::Head { start, fields: fields.collect() });
    }
}

/// The frames of one direction.
struct Frames {
    /// The side that receives them, as far as their rules go. It answers nothing.
    reader: Reader,
    unsent: Mailbox,
    inflater: Option<Inflater>,
    max_front: usize,
    /// A header that is not complete.
    header: Vec<u8>,
    /// Octets of the payload that have not come.
    payload: u64,
    /// The message that is coming.
    front: Vec<u8>,
    len: u64,
    is_compressed: bool,
    has_failed: bool,
}

impl Frames {
    fn new(from: Side, limits: Limits, agreed: Option<Params>, max_front: usize) -> Self {
        let mut reader = Reader::new(from.peer(), limits);
        if agreed.is_some() {
            reader = reader.with_allowed_rsv(Rsv::RSV1);
        }
        Self {
            reader,
            unsent: Mailbox::new(),
            inflater: agreed.map(|params| Inflater::new(&params, from, limits)),
            max_front,
            header: Vec::new(),
            payload: 0,
            front: Vec::new(),
            len: 0,
            is_compressed: false,
            has_failed: false,
        }
    }

    fn received(&mut self, mut octets: &[u8], report: &mut Report<'_>) {
        while let Some((first, rest)) = octets.split_first() {
            if self.payload == 0 {
                self.header.push(*first);
                octets = rest;
                if let Some((header, _)) = FrameHeader::decode(&self.header) {
                    report.put(What::Frame(header));
                    self.payload = header.payload_len;
                    let header = std::mem::take(&mut self.header);
                    self.read(header, report);
                }
            } else {
                let most = usize::try_from(self.payload).unwrap_or(usize::MAX).min(octets.len());
                let (piece, rest) = octets.split_at_checked(most).unwrap_or((octets, &[]));
                self.payload = self.payload.saturating_sub(u64::try_from(most).unwrap_or(u64::MAX));
                octets = rest;
                self.read(piece.to_vec(), report);
            }
        }
    }

    fn ended(&mut self, report: &mut Report<'_>) {
        if let Err(error) = self.reader.eof() {
            self.failed(error, report);
        }
    }

    /// What the engine makes of these octets.
    fn read(&mut self, mut octets: Vec<u8>, report: &mut Report<'_>) {
        let mut input = Input::new(&mut octets);
        loop {
            match self.reader.next(&mut input, &mut self.unsent) {
                Ok(None) => return,
                Ok(Some(Event::Data(data))) => {
                    if let Err(error) = self.data(&data, report) {
                        self.reader.fail(error, &mut self.unsent);
                        self.failed(error, report);
                    }
                }
                Ok(Some(Event::Ping)) => report.put(What::Ping(self.reader.control_payload().to_vec())),
                Ok(Some(Event::Pong)) => report.put(What::Pong(self.reader.control_payload().to_vec())),
                Ok(Some(Event::Close(code))) => {
                    report.put(What::Close { code, reason: self.reader.close_reason().into() });
                }
                Ok(Some(_)) => {}
                Err(error) => self.failed(error, report),
            }
        }
    }

    fn data(&mut self, data: &Data<'_>, report: &mut Report<'_>) -> Result<(), ProtocolError> {
        let Self { inflater, front, len, max_front, is_compressed, .. } = self;
        if data.is_first() {
            *is_compressed = data.rsv().contains(Rsv::RSV1);
        }
        inflate(inflater.as_mut(), data, |octets| {
            *len = len.saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
            let room = max_front.saturating_sub(front.len());
            front.extend_from_slice(octets.get(..room).unwrap_or(octets));
        })?;
        if data.is_last() {
            let (front, len) = (std::mem::take(front), std::mem::take(len));
            report.put(What::Message { kind: data.kind(), len, is_compressed: *is_compressed, front });
        }
        Ok(())
    }

    /// A rule was broken. The frames behind are still told, but what they say is not.
    fn failed(&mut self, error: ProtocolError, report: &mut Report<'_>) {
        if !std::mem::replace(&mut self.has_failed, true) {
            report.fault(&error.to_string());
        }
    }
}
