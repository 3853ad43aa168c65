//! The chat: one task for each connection. It also does what the buttons of its page ask for, and tells the state of its engine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{json, Value};
use sockless::endpoint::FeedError;
use sockless::tokio::ServerSocket;
use sockless::{
    CloseCode, CloseFrame, ControlPayload, Error, Payload, ProtocolError, ReadyState, SendError, Timeout,
    TimeoutAction, Wake,
};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc, OwnedSemaphorePermit};
use tokio::time::{interval, Instant, MissedTickBehavior};

use crate::rules::{name_of, verdict};
use crate::tap::{Recorder, Seen, Tap, Way};

/// Lines that a connection may be behind.
const RING: usize = 64;
/// Bytes of a line.
const LINE: usize = 2000;
/// Characters of a name.
const NAME: usize = 24;
/// Lines a second, and how many at once.
const RATE: f64 = 10.0;
const BURST: f64 = 20.0;
/// How often the state is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Commands that may wait.
pub const COMMANDS: usize = 8;

/// What a page asks its connection to do.
#[derive(Clone, Copy)]
pub enum Command {
    Ping,
    Fragments { with_ping: bool },
    Compressed,
    Close(CloseCode),
}

/// Everybody who hears what one says.
pub struct Room {
    said: broadcast::Sender<Arc<str>>,
    here: AtomicUsize,
    guests: AtomicUsize,
}

impl Room {
    pub fn new() -> Self {
        Self { said: broadcast::Sender::new(RING), here: AtomicUsize::new(0), guests: AtomicUsize::new(0) }
    }

    /// Nobody may be there.
    fn say(&self, line: &Value) {
        let _ = self.said.send(Arc::from(line.to_string()));
    }
}

/// Somebody who is in the room, until this is dropped.
struct Member<'r>(&'r Room);

impl<'r> Member<'r> {
    fn enter(room: &'r Room) -> Self {
        let here = room.here.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        room.say(&json!({"here": here}));
        Self(room)
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        let here = self.0.here.fetch_sub(1, Ordering::Relaxed).saturating_sub(1);
        self.0.say(&json!({"here": here}));
    }
}

/// A place in the room, taken before the handshake is answered.
pub struct Seat {
    pub commands: mpsc::Receiver<Command>,
    pub recorder: Recorder,
    /// One of our own scripts: it is not in the room, and hears its echo only.
    pub is_script: bool,
    pub permit: OwnedSemaphorePermit,
}

type Socket = ServerSocket<Tap<TcpStream>>;

/// How many lines one may still say at once.
struct Allowance {
    lines: f64,
    at: Instant,
}

impl Allowance {
    fn take(&mut self) -> bool {
        let now = Instant::now();
        let earned = now.duration_since(self.at).as_secs_f64() * RATE;
        (self.lines, self.at) = ((self.lines + earned).min(BURST), now);
        let may = self.lines >= 1.0;
        if may {
            self.lines -= 1.0;
        }
        may
    }
}

/// Why the loop goes on or ends.
enum Turn {
    Go,
    Over,
}

/// One connection, from its first message to its end.
pub async fn serve(mut socket: Socket, seat: Seat, room: &Room) {
    let Seat { mut commands, recorder, is_script, permit: _permit } = seat;
    let mut heard = room.said.subscribe();
    let mut guest = String::from("Guest");
    let mut member = None;
    if !is_script {
        member = Some(Member::enter(room));
        let number = room.guests.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        guest = format!("Guest {number}");
        feed(&mut socket, &greeting(&guest, room));
    }
    let mut state = State::new(recorder.clone());
    let mut allowance = Allowance { lines: BURST, at: Instant::now() };
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // All are cancel safe. Receiving writes what is queued, as far as the peer reads.
        let turn = tokio::select! {
            message = socket.recv_with() => match message {
                Ok(Some((message, mut reply))) => match message.as_text().and_then(Said::parse) {
                    Some(said) if !is_script => {
                        if let Some(name) = said.name {
                            guest = name.chars().take(NAME).collect();
                            feed(&mut socket, &greeting(&guest, room));
                        }
                        if let Some(line) = said.line {
                            hear(&mut socket, room, &guest, &line, &mut allowance);
                        }
                        Ok(Turn::Go)
                    }
                    // No line of the chat: back to whoever sent it.
                    _ => reply.feed(message).await.map(|()| Turn::Go),
                },
                Ok(None) => Ok(Turn::Over),
                Err(error) => Err(error),
            },
            line = heard.recv(), if member.is_some() => {
                match line {
                    Ok(line) => feed_text(&mut socket, &line),
                    Err(broadcast::error::RecvError::Lagged(lines)) => {
                        feed(&mut socket, &json!({"note": format!("You were too slow for {lines} lines.")}));
                    }
                    Err(broadcast::error::RecvError::Closed) => member = None,
                }
                Ok(Turn::Go)
            }
            Some(command) = commands.recv() => {
                obey(&mut socket, command);
                Ok(Turn::Go)
            }
            _ = looks.tick() => Ok(Turn::Go),
        };
        match turn {
            Ok(Turn::Go) => state.tell(&mut socket, false),
            Ok(Turn::Over) => break,
            // Its Close was sent. What follows is the end of the transport.
            Err(Error::Protocol(error)) if state.failed.is_none() => {
                state.fail(error);
                state.tell(&mut socket, true);
            }
            Err(Error::Send(SendError::Closed)) => state.tell(&mut socket, false),
            Err(_) => break,
        }
    }
    drop(member);
    state.tell(&mut socket, true);
    state.closed(&socket);
}

/// What a page says.
struct Said {
    line: Option<String>,
    name: Option<String>,
}

impl Said {
    /// `None` if it is no line of the chat.
    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let member = |name| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let (line, name) = (member("say"), member("name"));
        (line.is_some() || name.is_some())
            .then_some(Self { line, name: name.filter(|name| !name.trim().is_empty()) })
    }
}

fn greeting(guest: &str, room: &Room) -> Value {
    json!({"you": guest, "here": room.here.load(Ordering::Relaxed)})
}

/// Says it to everybody, within the limits.
fn hear(socket: &mut Socket, room: &Room, guest: &str, line: &str, allowance: &mut Allowance) {
    if !allowance.take() {
        close(socket, CloseCode::POLICY_VIOLATION, "too many messages");
    } else if line.len() > LINE {
        feed(socket, &json!({"note": format!("A line has at most {LINE} bytes. This one was not sent.")}));
    } else {
        room.say(&json!({"from": guest, "say": line}));
    }
}

fn feed(socket: &mut Socket, line: &Value) {
    feed_text(socket, &line.to_string());
}

/// Nothing waits for room: who reads too slowly is closed.
fn feed_text(socket: &mut Socket, text: &str) {
    if let Err(FeedError::Full { .. }) = socket.endpoint().outbound().feed(text) {
        close(socket, CloseCode::POLICY_VIOLATION, "too slow");
    }
}

/// Nothing happens where it is closing already.
fn close(socket: &mut Socket, code: CloseCode, reason: &str) {
    let _ = socket.endpoint().outbound().close(CloseFrame::from((code, reason)));
}

fn obey(socket: &mut Socket, command: Command) {
    let ping = ControlPayload::new(b"from the button").unwrap_or(ControlPayload::EMPTY);
    let outbound = socket.endpoint().outbound();
    // Where it is closing, nothing can be sent any more: the page sees why.
    let _ = match command {
        Command::Ping => outbound.ping(ping),
        Command::Fragments { with_ping } => {
            let pieces = [r#"{"note":"One message "#, "in three ", r#"fragments."}"#];
            let mut sent = Ok(());
            for (at, piece) in pieces.iter().enumerate() {
                let payload = Payload::text(piece).with_compression(false);
                sent = sent.and_then(|()| outbound.feed_fragment(payload, at == 2));
                if with_ping && at == 0 {
                    sent = sent.and_then(|()| outbound.ping(ping));
                }
            }
            sent
        }
        Command::Compressed => {
            let text = "The same words again and again are what compression is good at. ".repeat(16);
            let line = json!({"note": text}).to_string();
            outbound.feed(Payload::text(&line).with_compression(true))
        }
        Command::Close(code) => {
            close(socket, code, "as asked");
            Ok(())
        }
    };
}

/// What was told of the state of a connection.
struct State {
    recorder: Recorder,
    last: Option<Facts>,
    told: Option<Instant>,
    failed: Option<ProtocolError>,
}

/// A new event is due when one of them changes.
#[derive(PartialEq)]
struct Facts {
    ready: &'static str,
    transport: &'static str,
    seen: Seen,
    wake: Wake,
    timer: Option<TimeoutAction>,
    queued: usize,
}

/// The page has a sentence for each.
const fn timer_name(timer: TimeoutAction) -> Option<&'static str> {
    Some(match timer {
        TimeoutAction::SendPing => "ping",
        TimeoutAction::Fail(Timeout::Pong) => "pong",
        TimeoutAction::Fail(Timeout::Idle) => "idle",
        TimeoutAction::Fail(Timeout::StalledFragment) => "stalled",
        TimeoutAction::Fail(Timeout::SlowMessage) => "slow",
        TimeoutAction::Fail(Timeout::BlockedOutput) => "blocked",
        TimeoutAction::Fail(Timeout::ClosingHandshake) => "closing",
        _ => return None,
    })
}

impl State {
    const fn new(recorder: Recorder) -> Self {
        Self { recorder, last: None, told: None, failed: None }
    }

    /// If it has changed, and at most four times a second unless it is `urgent`.
    fn tell(&mut self, socket: &mut Socket, urgent: bool) {
        if !urgent && self.told.is_some_and(|told| told.elapsed() < LOOK) {
            return;
        }
        let seen = self.recorder.seen();
        let endpoint = socket.endpoint();
        let ready = match endpoint.ready_state() {
            ReadyState::Open => "open",
            ReadyState::Closing => "closing",
            ReadyState::Closed => "closed",
        };
        let transport = match ready {
            "open" => "open",
            "closed" => "close",
            _ if seen.output_ended => "await_eof",
            _ => "shutdown_write",
        };
        let wake = endpoint.poll_timeout();
        // A timer is about to be started.
        if wake == Wake::Now && !urgent {
            return;
        }
        let timer = endpoint.next_timer();
        let facts = Facts { ready, transport, seen, wake, timer, queued: endpoint.outbound().queued() };
        if self.last.as_ref() == Some(&facts) {
            return;
        }
        let now = self.recorder.now();
        let in_ms = match wake {
            Wake::Now => Some(0),
            Wake::At(at) => Some(at.as_micros().saturating_sub(now) / 1000),
            Wake::Never => None,
        };
        let kind = timer.and_then(timer_name);
        let timer = in_ms.map(|in_ms| json!({"kind": kind, "in_ms": in_ms}));
        self.recorder.state(ready, transport, &json!(timer), facts.queued, &facts.seen);
        (self.last, self.told) = (Some(facts), Some(Instant::now()));
    }

    /// The engine has failed the connection.
    fn fail(&mut self, error: ProtocolError) {
        self.failed = Some(error);
        let unfinished = self.recorder.unfinished(Way::In);
        let fault = self.recorder.fault(Way::In);
        let frame = match error {
            ProtocolError::UnexpectedEof | ProtocolError::TimedOut(_) => unfinished,
            _ => fault.or(unfinished),
        };
        self.recorder.fail(frame, verdict(error));
    }

    fn closed(&self, socket: &Socket) {
        let closed = socket.closed();
        let error = closed.and_then(|closed| closed.error).or(self.failed).map(name_of);
        self.recorder.closed(closed, error.as_deref(), socket.close_reason());
    }
}
