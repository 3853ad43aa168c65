//! A tap on a transport, and what it tells of the bytes that pass: heads and frames, read with the crate's own frame layer.
//!
//! It is at the same time an example of that layer. What was read or written is noted after the fact, so the connection never
//! waits for the [`Recorder`]. The verdict on a frame is that of a [`Reader`] in the role of whoever receives.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{ready, Context, Poll};
use std::time::Instant;

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use serde_json::{json, Value};
use sockless::deflate::{InflateStatus, Inflater, Params};
use sockless::frame::{FrameHeader, LengthForm, Masker, MaskingKey, Opcode, Rsv};
use sockless::handshake::{accept_value, parse_deflate_answer, HeadLimits};
use sockless::{Closed, Event, Initiator, Input, Limits, Mailbox, MessageKind, ProtocolError, Reader, Side};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::events::{Hub, Kind};
use crate::rules::verdict;

/// Payload that is kept of a frame.
pub const PREVIEW: usize = 4096;
/// Bytes that wait for the answer to a request, or for it to be known whether they are told.
const WAITING: usize = 64 << 10;
/// Answers before the one that counts.
const INTERIM: u32 = 8;
/// Pings whose Pong may still come.
const PINGS: usize = 20;
/// What RFC 6455 section 1.3 adds to the key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Their values are not shown.
const SECRETS: [&str; 3] = ["cookie", "authorization", "proxy-authorization"];

/// Which way bytes go, as the server sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }

    const fn sender(self) -> Side {
        match self {
            Self::In => Side::Client,
            Self::Out => Side::Server,
        }
    }

    const fn receiver(self) -> Side {
        match self {
            Self::In => Side::Server,
            Self::Out => Side::Client,
        }
    }
}

/// A transport whose bytes are noted.
pub struct Tap<S> {
    stream: S,
    recorder: Recorder,
}

impl<S> Tap<S> {
    pub const fn new(stream: S, recorder: Recorder) -> Self {
        Self { stream, recorder }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        match buf.filled().get(before..) {
            Some([]) | None => this.recorder.ended(Way::In),
            Some(bytes) => this.recorder.passed(Way::In, bytes),
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(Pin::new(&mut this.stream).poll_write(cx, buf))?;
        this.recorder.passed(Way::Out, buf.get(..count).unwrap_or(buf));
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, bufs))?;
        let mut left = count;
        for buf in bufs {
            let taken = buf.len().min(left);
            left = left.saturating_sub(taken);
            this.recorder.passed(Way::Out, buf.get(..taken).unwrap_or(buf));
        }
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        this.recorder.ended(Way::Out);
        Poll::Ready(Ok(()))
    }
}

/// Tells the pages what passes on one connection. Nothing is told before it is [announced](Self::announce).
#[derive(Clone)]
pub struct Recorder {
    recording: Arc<Mutex<Recording>>,
}

struct Recording {
    hub: Arc<Hub>,
    began: Instant,
    limits: Limits,
    shows_secrets: bool,
    /// Nobody here acts on a broken rule: it is told as soon as it is seen.
    passes_on: bool,
    connection: Option<u32>,
    /// What passed before it was announced: the time, and the bytes.
    early: Vec<(u64, Way, Vec<u8>)>,
    frames: u64,
    request: Head,
    interim: u32,
    /// What came from the client before the answer was seen.
    waiting: Vec<u8>,
    input: Direction,
    output: Direction,
}

/// A head as it was, and what of it is needed later.
#[derive(Default)]
pub struct Head {
    pub line: String,
    fields: Vec<(String, String)>,
    bytes: usize,
}

struct Direction {
    stage: Stage,
    /// How many bytes passed.
    offset: u64,
    ended: bool,
    header: Vec<u8>,
    frame: Option<Partial>,
    /// Of the message that is in progress or was the last.
    message: u64,
    part: u64,
    kind: MessageKind,
    compressed: bool,
    reader: Option<Reader>,
    inflater: Option<Inflater>,
    /// The frame that broke a rule.
    fault: Option<u64>,
    /// The frame of which no more will come.
    unfinished: Option<u64>,
    sums: Sums,
    pings: Vec<Ping>,
    close: Option<(u16, String)>,
    /// Its Close came before that of the other.
    closed_first: bool,
}

enum Stage {
    Head(Vec<u8>),
    /// The request is complete. Its answer is not.
    Waiting,
    Frames,
    /// An HTTP body, or what follows a failure.
    Ignored,
}

/// Of one direction.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub frames: u64,
    pub wire: u64,
    pub plain: u64,
}

struct Ping {
    frame: u64,
    at: u64,
    payload: Vec<u8>,
}

/// A frame whose payload is not complete.
struct Partial {
    number: u64,
    at: u64,
    offset: u64,
    header: FrameHeader,
    bytes: Vec<u8>,
    masker: Option<Masker>,
    raw: Vec<u8>,
    data: Vec<u8>,
    came: u64,
    inflated: Option<(u64, Vec<u8>)>,
}

/// What the recorder knows of the state of a connection.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Seen {
    pub close_sent: Option<(u16, String)>,
    pub close_received: Option<(u16, String)>,
    pub input_ended: bool,
    pub output_ended: bool,
    pub input: Sums,
    pub output: Sums,
}

impl Recorder {
    /// `passes_on` where the bytes are another server's, and no engine here reads them.
    pub fn new(hub: &Arc<Hub>, limits: Limits, shows_secrets: bool, passes_on: bool) -> Self {
        let recording = Recording {
            hub: Arc::clone(hub),
            began: Instant::now(),
            limits,
            shows_secrets,
            passes_on,
            connection: None,
            early: Vec::new(),
            frames: 0,
            request: Head::default(),
            interim: 0,
            waiting: Vec::new(),
            input: Direction::new(),
            output: Direction::new(),
        };
        Self { recording: Arc::new(Mutex::new(recording)) }
    }

    fn recording(&self) -> MutexGuard<'_, Recording> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on everything is told, also what has passed already.
    pub fn announce(&self, connection: u32, peer: &str, kind: &str, tab: Option<&str>) {
        let mut this = self.recording();
        if this.connection.replace(connection).is_some() {
            return;
        }
        let open = json!({"t": "open", "c": connection, "at": 0, "role": "server", "peer": peer, "kind": kind, "tab": tab});
        this.push(Kind::Lasting, &open);
        for (at, way, bytes) in std::mem::take(&mut this.early) {
            this.passed(at, way, &bytes);
        }
    }

    pub fn is_announced(&self) -> bool {
        self.recording().connection.is_some()
    }

    /// The path that was asked for, of a connection that was not announced.
    pub fn asked_for(&self, path: &str) -> bool {
        let this = self.recording();
        let Some((_, Way::In, bytes)) = this.early.first() else { return false };
        let line = bytes.split(|&byte| byte == b'\r').next().unwrap_or(&[]);
        let target = line.split(|&byte| byte == b' ').nth(1).unwrap_or(&[]);
        target.split(|&byte| byte == b'?').next() == Some(path.as_bytes())
    }

    /// Nothing of it will be told.
    pub fn forget_early(&self) {
        let mut this = self.recording();
        if this.connection.is_none() {
            this.early = Vec::new();
            (this.input.stage, this.output.stage) = (Stage::Ignored, Stage::Ignored);
        }
    }

    /// Microseconds since the connection began.
    pub fn now(&self) -> u64 {
        self.recording().now()
    }

    pub fn seen(&self) -> Seen {
        let this = self.recording();
        Seen {
            close_sent: this.output.close.clone(),
            close_received: this.input.close.clone(),
            input_ended: this.input.ended,
            output_ended: this.output.ended,
            input: this.input.sums,
            output: this.output.sums,
        }
    }

    /// The frame that broke a rule, if one did. One that is not complete is told now.
    pub fn fault(&self, way: Way) -> Option<u64> {
        let mut this = self.recording();
        this.cut_off(way);
        this.direction(way).fault
    }

    /// The frame that is not complete, if there is one.
    pub fn unfinished(&self, way: Way) -> Option<u64> {
        let mut this = self.recording();
        this.cut_off(way);
        this.direction(way).unfinished
    }

    /// A failure that this frame is to blame for, if one is. `verdict` has the members that follow from the error.
    pub fn fail(&self, frame: Option<u64>, verdict: Value) {
        let this = self.recording();
        let mut event = json!({"t": "fail", "c": this.connection, "at": this.now(), "n": frame});
        if let (Some(event), Value::Object(verdict)) = (event.as_object_mut(), verdict) {
            event.extend(verdict);
        }
        this.push(Kind::Lasting, &event);
    }

    /// The state of the connection, as whoever drives it knows it.
    pub fn state(&self, ready: &str, transport: &str, timer: &Value, queued: usize, seen: &Seen) {
        let this = self.recording();
        let sums = |sums: Sums| json!({"frames": sums.frames, "wire": sums.wire, "plain": sums.plain});
        let event = json!({"t": "state", "c": this.connection, "at": this.now(), "ready": ready,
            "close_sent": seen.close_sent, "close_received": seen.close_received, "transport": transport,
            "timer": timer, "queued": queued, "in": sums(seen.input), "out": sums(seen.output)});
        this.push(Kind::State, &event);
    }

    /// The end of the connection. Without what the engine says it was none yet.
    pub fn closed(&self, closed: Option<Closed>, error: Option<&str>, reason: &str) {
        let this = self.recording();
        let by = closed.and_then(|closed| closed.by).map(|by| match by {
            Initiator::Local => "local",
            Initiator::Peer => "peer",
        });
        let event = json!({"t": "closed", "c": this.connection, "at": this.now(),
            "status": closed.map_or(1006, |closed| closed.status), "clean": closed.is_some_and(|closed| closed.clean),
            "by": by, "error": error, "reason": reason});
        this.push(Kind::Lasting, &event);
    }

    /// The end of a connection that was passed on. `vanished` if a side ended without the end of its stream.
    pub fn end_of_passing(&self, vanished: bool) {
        for way in [Way::In, Way::Out] {
            self.recording().cut_off(way);
        }
        let seen = self.seen();
        self.state("closed", "close", &Value::Null, 0, &seen);
        let status =
            seen.close_sent.as_ref().or(seen.close_received.as_ref()).map_or(1006, |(code, _)| *code);
        let clean = seen.close_sent.is_some() && seen.close_received.is_some() && !vanished;
        let this = self.recording();
        let (by, reason) = match (&seen.close_sent, &seen.close_received) {
            (Some((_, reason)), received) if received.is_none() || this.output.closed_first => {
                ("local", reason.as_str())
            }
            (_, Some((_, reason))) => ("peer", reason.as_str()),
            _ => ("", ""),
        };
        let event = json!({"t": "closed", "c": this.connection, "at": this.now(), "status": status, "clean": clean,
            "by": (!by.is_empty()).then_some(by), "error": null, "reason": reason});
        this.push(Kind::Lasting, &event);
    }

    pub fn connection(&self) -> Option<u32> {
        self.recording().connection
    }

    /// These bytes passed.
    pub fn passed(&self, way: Way, bytes: &[u8]) {
        let mut this = self.recording();
        let at = this.now();
        if this.connection.is_some() {
            this.passed(at, way, bytes);
        } else if !matches!(this.direction(way).stage, Stage::Ignored) {
            // A head and its answer are less. The engine reads more of a client that it refuses.
            let waiting: usize = this.early.iter().map(|(_, _, bytes)| bytes.len()).sum();
            if waiting.saturating_add(bytes.len()) <= WAITING {
                this.early.push((at, way, bytes.into()));
            }
        }
    }

    /// This direction of the transport has ended.
    pub fn ended(&self, way: Way) {
        let mut this = self.recording();
        this.direction(way).ended = true;
        this.cut_off(way);
    }
}

impl Recording {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn push(&self, kind: Kind, event: &Value) {
        if let Some(connection) = self.connection {
            self.hub.push(connection, kind, event);
        }
    }

    fn direction(&mut self, way: Way) -> &mut Direction {
        match way {
            Way::In => &mut self.input,
            Way::Out => &mut self.output,
        }
    }

    fn passed(&mut self, at: u64, way: Way, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let stage = &mut self.direction(way).stage;
            let taken = match stage {
                Stage::Head(head) => {
                    let before = head.len();
                    head.extend_from_slice(bytes);
                    if let Some(end) = end_of_head(head) {
                        head.truncate(end);
                        let head = std::mem::take(head);
                        self.head(at, way, &head);
                        end.saturating_sub(before)
                    } else {
                        if head.len() > HeadLimits::STORAGE << 1 {
                            *stage = Stage::Ignored;
                        }
                        bytes.len()
                    }
                }
                Stage::Waiting => {
                    if self.waiting.len().saturating_add(bytes.len()) > WAITING {
                        // It cannot be read as frames without all of it.
                        (self.waiting, self.input.stage) = (Vec::new(), Stage::Ignored);
                        bytes.len()
                    } else {
                        self.waiting.extend_from_slice(bytes);
                        return;
                    }
                }
                Stage::Frames => self.frame_bytes(at, way, bytes),
                Stage::Ignored => bytes.len(),
            };
            let offset = &mut self.direction(way).offset;
            *offset = offset.saturating_add(taken as u64);
            bytes = bytes.get(taken..).unwrap_or(&[]);
        }
    }

    fn head(&mut self, at: u64, way: Way, bytes: &[u8]) {
        let head = Head::parse(bytes);
        let mut hidden = Vec::new();
        let fields: Vec<[String; 2]> = head
            .fields
            .iter()
            .map(|(name, value)| {
                let is_secret = SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
                if is_secret && !self.shows_secrets {
                    hidden.push(name.clone());
                    return [name.clone(), format!("{} bytes, hidden", value.len())];
                }
                [name.clone(), value.clone()]
            })
            .collect();
        self.push(
            Kind::Lasting,
            &json!({"t": "head", "c": self.connection, "at": at, "dir": way.name(), "line": head.line, "fields": fields,
                "hidden": hidden, "bytes": head.bytes}),
        );
        match way {
            Way::In => {
                self.request = head;
                self.input.stage = Stage::Waiting;
            }
            Way::Out if head.line.split(' ').nth(1) == Some("101") => self.opened(at, &head),
            Way::Out => {
                // Interim answers come before the one that counts.
                let interim = head.line.split(' ').nth(1).is_some_and(|status| status.starts_with('1'));
                self.interim = self.interim.saturating_add(u32::from(interim));
                if interim && self.interim <= INTERIM {
                    self.output.stage = Stage::Head(Vec::new());
                } else {
                    (self.input.stage, self.output.stage) = (Stage::Ignored, Stage::Ignored);
                    self.waiting = Vec::new();
                }
            }
        }
    }

    /// Frames follow the answer.
    fn opened(&mut self, at: u64, answer: &Head) {
        let key = self.request.field("Sec-WebSocket-Key").unwrap_or("");
        let value = accept_value(key).map(|value| value.as_str().to_owned()).unwrap_or_default();
        let sha1 = STANDARD.decode(&value).map(hex::encode).unwrap_or_default();
        let sent = answer.field("Sec-WebSocket-Accept");
        let accept = json!({"t": "accept", "c": self.connection, "key": key, "guid": GUID, "sha1": sha1, "value": value, "sent": sent});
        self.push(Kind::Lasting, &accept);

        let agreed = answer.field("Sec-WebSocket-Extensions");
        let params = agreed.and_then(parse_deflate_answer);
        let terms = |sender: Side| {
            params.map(|params| json!({"bits": params.window_bits(sender).get(), "kept": params.context_takeover(sender)}))
        };
        let offer = self.request.field("Sec-WebSocket-Extensions");
        let deflate = params.map(|_| json!({"offer": offer, "answer": agreed, "in": terms(Side::Client), "out": terms(Side::Server)}));
        let origin = self.request.field("Origin");
        let policy = if self.passes_on { "the server's own" } else { "same host" };
        let agreed = json!({"t": "agreed", "c": self.connection, "subprotocol": answer.field("Sec-WebSocket-Protocol"),
            "origin": {"value": origin, "policy": policy, "ok": true}, "deflate": deflate});
        self.push(Kind::Lasting, &agreed);

        let limits = self.limits;
        self.output.open(Way::Out, limits, params);
        if matches!(self.input.stage, Stage::Waiting) {
            self.input.open(Way::In, limits, params);
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.passed(at, Way::In, &waiting);
    }

    /// Takes bytes of one frame at most. Returns how many.
    fn frame_bytes(&mut self, at: u64, way: Way, bytes: &[u8]) -> usize {
        let next = self.frames.saturating_add(1);
        let direction = self.direction(way);
        let mut taken = 0_usize;
        let mut fault = None;
        if direction.frame.is_none() {
            let header = loop {
                if let Some((header, _)) = FrameHeader::decode(&direction.header) {
                    break header;
                }
                let Some(byte) = bytes.get(taken) else { return taken };
                direction.header.push(*byte);
                taken = taken.saturating_add(1);
            };
            let header_bytes = std::mem::take(&mut direction.header);
            let before = header_bytes.len().saturating_sub(taken) as u64;
            let offset = direction.offset.saturating_sub(before);
            direction.begin(next, at, offset, header, header_bytes.clone());
            fault = direction.judge(header_bytes);
            self.frames = next;
        }
        let direction = self.direction(way);
        let Some(frame) = &mut direction.frame else { return taken };
        let rest = bytes.get(taken..).unwrap_or(&[]);
        let missing =
            usize::try_from(frame.header.payload_len.saturating_sub(frame.came)).unwrap_or(usize::MAX);
        let piece = rest.get(..missing.min(rest.len())).unwrap_or(&[]);
        taken = taken.saturating_add(piece.len());
        frame.add(piece);
        let is_complete = frame.came == frame.header.payload_len;
        if fault.is_none() {
            fault = direction.judge(piece.to_vec());
        }
        if fault.is_some() {
            direction.fault = direction.frame.as_ref().map(|frame| frame.number);
        }
        let number = direction.fault;
        if is_complete || fault.is_some() {
            self.finish(at, way);
        }
        if let (Some(error), true) = (fault, self.passes_on) {
            let mut event =
                json!({"t": "fail", "c": self.connection, "at": at, "dir": way.name(), "n": number});
            if let (Some(event), Value::Object(mut verdict)) = (event.as_object_mut(), verdict(error)) {
                // Whether the receiver closes is seen in the other direction.
                verdict.insert("code".into(), Value::Null);
                event.extend(verdict);
            }
            self.push(Kind::Lasting, &event);
        }
        taken
    }

    /// Tells of the frame that was begun.
    fn finish(&mut self, at: u64, way: Way) {
        let (connection, passes_on) = (self.connection, self.passes_on);
        let other_closed = self.input.close.is_some() || self.output.close.is_some();
        let direction = self.direction(way);
        let Some(frame) = direction.frame.take() else { return };
        if direction.fault.is_some() {
            direction.stage = Stage::Ignored;
        }
        let opcode = frame.header.opcode;
        let is_data = !opcode.is_control();
        let sums = &mut direction.sums;
        sums.frames = sums.frames.saturating_add(1);
        if is_data {
            sums.wire = sums.wire.saturating_add(frame.came);
            let plain = frame.inflated.as_ref().map_or(frame.came, |(len, _)| *len);
            sums.plain = sums.plain.saturating_add(plain);
        }
        let event = direction.frame_event(connection, way, &frame, passes_on);
        if opcode == Opcode::CLOSE && direction.close.is_none() {
            let code = frame.data.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
            let reason = String::from_utf8_lossy(frame.data.get(2..).unwrap_or(&[])).into_owned();
            direction.close = Some((code, reason));
            direction.closed_first = !other_closed;
        }
        self.push(Kind::Frame(frame.came), &event);
        match opcode {
            Opcode::PING => {
                let pings = &mut self.direction(way).pings;
                if pings.len() >= PINGS {
                    pings.remove(0);
                }
                pings.push(Ping { frame: frame.number, at, payload: frame.data });
            }
            Opcode::PONG => self.pong(at, way, &frame),
            _ => {}
        }
    }

    /// The last Ping of the other side with the same payload.
    fn pong(&mut self, at: u64, way: Way, frame: &Partial) {
        let pings = match way {
            Way::In => &mut self.output.pings,
            Way::Out => &mut self.input.pings,
        };
        let Some(place) = pings.iter().rposition(|ping| ping.payload == frame.data) else { return };
        // An answer to a later Ping answers the earlier ones too (RFC 6455 section 5.5.3).
        let Some(ping) = pings.drain(..=place).next_back() else { return };
        let micros = at.saturating_sub(ping.at);
        let event =
            json!({"t": "rtt", "c": self.connection, "ping": ping.frame, "pong": frame.number, "us": micros});
        self.push(Kind::RoundTrip, &event);
    }

    /// Nothing more comes of the frame that was begun.
    fn cut_off(&mut self, way: Way) {
        let at = self.now();
        let number = self.direction(way).frame.as_ref().map(|frame| frame.number);
        if number.is_some() {
            self.finish(at, way);
            let direction = self.direction(way);
            (direction.stage, direction.unfinished) = (Stage::Ignored, number);
        }
    }
}

impl Direction {
    const fn new() -> Self {
        Self {
            stage: Stage::Head(Vec::new()),
            offset: 0,
            ended: false,
            header: Vec::new(),
            frame: None,
            message: 0,
            part: 0,
            kind: MessageKind::Binary,
            compressed: false,
            reader: None,
            inflater: None,
            fault: None,
            unfinished: None,
            sums: Sums { frames: 0, wire: 0, plain: 0 },
            pings: Vec::new(),
            close: None,
            closed_first: false,
        }
    }

    fn open(&mut self, way: Way, limits: Limits, params: Option<Params>) {
        let rsv = if params.is_some() { Rsv::RSV1 } else { Rsv::NONE };
        self.stage = Stage::Frames;
        self.reader = Some(Reader::new(way.receiver(), limits).with_allowed_rsv(rsv));
        self.inflater = params.map(|params| Inflater::new(&params, way.sender(), limits));
    }

    fn begin(&mut self, number: u64, at: u64, offset: u64, header: FrameHeader, bytes: Vec<u8>) {
        if header.opcode == Opcode::CONTINUATION {
            self.part = self.part.saturating_add(1);
        } else if !header.opcode.is_control() {
            self.message = self.message.saturating_add(1);
            self.part = 0;
            self.compressed = self.inflater.is_some() && header.rsv.contains(Rsv::RSV1);
            self.kind = if header.opcode == Opcode::TEXT { MessageKind::Text } else { MessageKind::Binary };
        }
        let inflated = (self.compressed && !header.opcode.is_control()).then(|| (0, Vec::new()));
        self.frame = Some(Partial {
            number,
            at,
            offset,
            header,
            bytes,
            masker: header.masking_key.map(Masker::new),
            raw: Vec::new(),
            data: Vec::new(),
            came: 0,
            inflated,
        });
    }

    /// Which rule the next bytes break, for whoever receives them.
    fn judge(&mut self, mut bytes: Vec<u8>) -> Option<ProtocolError> {
        let Self { reader, inflater, frame, compressed, kind, .. } = self;
        let reader = reader.as_mut()?;
        let mut input = Input::new(&mut bytes);
        // What would have to be answered is not ours to answer.
        let mut mailbox = Mailbox::new();
        loop {
            match reader.next(&mut input, &mut mailbox) {
                Ok(Some(Event::Data(data))) if *compressed => {
                    let inflated = frame.as_mut().and_then(|frame| frame.inflated.as_mut());
                    if let (Some(inflater), Some(inflated)) = (inflater.as_mut(), inflated) {
                        let outcome = inflate(inflater, *kind, data.as_bytes(), data.is_last(), inflated);
                        if let Err(error) = outcome {
                            return Some(error);
                        }
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => return Some(error),
            }
        }
    }

    fn frame_event(&self, connection: Option<u32>, way: Way, frame: &Partial, passes_on: bool) -> Value {
        let FrameHeader { fin, rsv, opcode, payload_len, length_form, .. } = frame.header;
        let is_control = opcode.is_control();
        let form = match length_form {
            LengthForm::Bits7 => 7,
            LengthForm::Bits16 => 16,
            LengthForm::Bits64 => 64,
        };
        let is_cut = (frame.raw.len() as u64) < payload_len;
        let inflated = frame.inflated.as_ref().map(|(len, kept)| {
            json!({"len": len, "data": STANDARD.encode(kept), "cut": (kept.len() as u64) < *len})
        });
        let shown = frame.inflated.as_ref().map_or(&frame.data, |(_, kept)| kept);
        let note = if self.close.is_some() {
            Some(String::from("Not read: nothing follows a Close (section 5.5.1)."))
        } else if self.fault == Some(frame.number) && passes_on {
            Some(String::from("Passed on unchanged. What follows cannot be read as frames any more."))
        } else if frame.came == payload_len {
            None
        } else if frame.came == 0 {
            Some(String::from("Only the header came."))
        } else {
            Some(format!("Only {} of {payload_len} bytes of the payload came.", frame.came))
        };
        json!({"t": "frame", "c": connection, "n": frame.number, "at": frame.at, "dir": way.name(), "off": frame.offset,
            "h": hex::encode(&frame.bytes), "fin": fin, "rsv": rsv.as_first_byte() >> 4, "op": opcode.value(),
            "name": name(opcode), "key": frame.header.masking_key.map(|MaskingKey(key)| hex::encode(key)),
            "len": payload_len, "form": form,
            "msg": (!is_control).then_some(self.message), "part": (!is_control).then_some(self.part),
            "raw": STANDARD.encode(&frame.raw), "data": STANDARD.encode(&frame.data), "cut": is_cut,
            "inflated": inflated, "text": is_text(shown), "note": note})
    }
}

impl Partial {
    fn add(&mut self, piece: &[u8]) {
        let room = PREVIEW.saturating_sub(self.raw.len()).min(piece.len());
        let kept = piece.get(..room).unwrap_or(&[]);
        self.raw.extend_from_slice(kept);
        let mut data = kept.to_vec();
        if let Some(masker) = &mut self.masker {
            masker.apply(&mut data);
        }
        self.data.extend_from_slice(&data);
        self.came = self.came.saturating_add(piece.len() as u64);
    }
}

/// The next octets of a message. Keeps the first of what comes out.
fn inflate(
    inflater: &mut Inflater,
    kind: MessageKind,
    mut input: &[u8],
    last: bool,
    (len, kept): &mut (u64, Vec<u8>),
) -> Result<(), ProtocolError> {
    let mut out = [0; PREVIEW];
    loop {
        let inflated = inflater.inflate(kind, &mut input, last, &mut out)?;
        let octets = inflated.as_bytes();
        *len = len.saturating_add(octets.len() as u64);
        let room = PREVIEW.saturating_sub(kept.len()).min(octets.len());
        kept.extend_from_slice(octets.get(..room).unwrap_or(&[]));
        if inflated.status() != InflateStatus::OutputFull {
            return Ok(());
        }
    }
}

impl Head {
    /// Lines as they are. What is no field has an empty value.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap_or("").to_owned();
        let fields = lines
            .take_while(|line| !line.is_empty())
            .map(|line| match line.split_once(':') {
                Some((name, value)) => (name.to_owned(), value.trim().to_owned()),
                None => (line.to_owned(), String::new()),
            })
            .collect();
        Self { line, fields, bytes: bytes.len() }
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Where what follows a head begins.
pub fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at.saturating_add(4))
}

/// What people call it.
fn name(opcode: Opcode) -> &'static str {
    match opcode {
        Opcode::CONTINUATION => "continuation",
        Opcode::TEXT => "text",
        Opcode::BINARY => "binary",
        Opcode::CLOSE => "close",
        Opcode::PING => "ping",
        Opcode::PONG => "pong",
        _ => "reserved",
    }
}

/// Whether it can be shown as text. Its end may be cut.
fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}
