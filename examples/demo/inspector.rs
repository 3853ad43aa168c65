//! The connection that feeds the view of one page: events out, the buttons' commands in. Nothing taps it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{json, Value};
use sockless::frame::Opcode;
use sockless::tokio::ServerSocket;
use sockless::{CloseCode, Error, Payload};
use tokio::net::TcpStream;
use tokio::time::{interval, MissedTickBehavior};

use crate::chat::Command;
use crate::events::{Cursor, FRAMES};
use crate::peer::{self, Script};
use crate::tap::{Tap, PREVIEW};
use crate::Demo;

/// The subprotocol.
pub const NAME: &str = "sockless.inspect.1";
/// Bytes of a command.
const COMMAND: usize = 512;
/// Bytes that a page may have a scripted peer send.
const BYTES: usize = 256;
/// How often there may be news.
const PERIOD: Duration = Duration::from_millis(50);
/// Batches in a row before commands are looked at.
const IN_A_ROW: usize = 8;

type Socket = ServerSocket<Tap<TcpStream>>;

/// One page, until it goes.
pub async fn serve(mut socket: Socket, demo: &Arc<Demo>, tab: &str) -> Result<(), Error> {
    demo.hub.add_tab(tab);
    let left = Left { demo, tab };
    let served = talk(&mut socket, demo, tab).await;
    drop(left);
    served
}

/// The page has gone, also where its task is dropped.
struct Left<'d> {
    demo: &'d Demo,
    tab: &'d str,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.demo.hub.remove_tab(self.tab);
    }
}

async fn talk(socket: &mut Socket, demo: &Arc<Demo>, tab: &str) -> Result<(), Error> {
    // Nobody's server but our own gets broken frames.
    let cases = if demo.upstream.is_none() { peer::CASES } else { &[] };
    let cases: Vec<Value> = cases
        .iter()
        .map(|case| json!({"id": case.id, "label": case.label, "rule": case.rule, "group": case.group}))
        .collect();
    let hello = json!({"t": "hello", "v": 1, "tab": tab, "mode": demo.mode(), "remote": demo.site.token.is_some(),
        "name": "sockless", "version": env!("CARGO_PKG_VERSION"), "limits": {"frames": FRAMES, "preview": PREVIEW},
        "cases": cases, "words": words(), "target": demo.upstream.as_ref().map(|upstream| &upstream.url)});
    send(socket, &format!("[{hello}]")).await?;
    let mut page = Page { demo, tab, cursor: demo.hub.cursor(), paired: None, script_runs: Arc::default() };
    let mut news = interval(PERIOD);
    news.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = socket.recv() => {
                let Some(message) = message? else { return Ok(()) };
                let command = message.as_text().filter(|text| text.len() <= COMMAND).unwrap_or("").to_owned();
                // What came before the command is told first: a frame of a paused time is counted as one.
                tell_news(socket, &mut page).await?;
                let answer = page.obey(&command).await;
                send(socket, &format!("[{answer}]")).await?;
            }
            _ = news.tick() => {
                if let Some(paired) = page.newly_paired() {
                    send(socket, &format!("[{paired}]")).await?;
                }
                tell_news(socket, &mut page).await?;
            }
        }
    }
}

async fn tell_news(socket: &mut Socket, page: &mut Page<'_>) -> Result<(), Error> {
    for _ in 0..IN_A_ROW {
        let events = page.demo.hub.batch(&mut page.cursor);
        if events.is_empty() {
            break;
        }
        send(socket, &format!("[{}]", events.join(","))).await?;
    }
    Ok(())
}

/// A page that does not read is waited for here, as long as the engine's timers allow. Nobody else waits.
async fn send(socket: &mut Socket, text: &str) -> Result<(), Error> {
    socket.send(Payload::text(text).with_compression(false)).await
}

struct Page<'d> {
    demo: &'d Arc<Demo>,
    tab: &'d str,
    cursor: Cursor,
    /// What the page knows as its chat connection.
    paired: Option<u32>,
    /// A script of this page runs.
    script_runs: Arc<AtomicBool>,
}

impl Page<'_> {
    /// Once for each chat connection of the page.
    fn newly_paired(&mut self) -> Option<Value> {
        let paired = self.demo.hub.paired(self.tab);
        let is_new = paired.is_some() && paired != self.paired;
        self.paired = paired.or(self.paired);
        is_new.then(|| json!({"t": "paired", "c": paired}))
    }

    /// What became of a command.
    async fn obey(&mut self, text: &str) -> Value {
        let command: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        let member = |name: &str| command.get(name);
        let verb = member("do").and_then(Value::as_str).unwrap_or("");
        let (mut id, mut connection, mut line) = (None, None, None);
        let outcome = match verb {
            "ping" => self.command(Command::Ping),
            "fragments" => {
                let with_ping = member("ping").and_then(Value::as_bool).unwrap_or(false);
                self.command(Command::Fragments { with_ping })
            }
            "compressed" => self.command(Command::Compressed),
            "close" => {
                let code = member("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
                match code.and_then(CloseCode::new).filter(|code| *code != CloseCode::MANDATORY_EXTENSION) {
                    Some(code) => self.command(Command::Close(code)),
                    None => Err("A server must not send this code."),
                }
            }
            "case" => {
                id = member("id").and_then(Value::as_str).map(str::to_owned);
                match id.as_deref().and_then(peer::find) {
                    Some(case) => self.run(case.script.clone(), &mut connection, &mut line).await,
                    None => Err("There is no such case."),
                }
            }
            "hex" => match member("bytes").and_then(Value::as_str).map(hex::decode) {
                Some(Ok(bytes)) if bytes.len() <= BYTES => {
                    self.run(Script::Own(bytes), &mut connection, &mut line).await
                }
                Some(Ok(_)) => Err("At most 256 bytes."),
                _ => Err("This is no hex."),
            },
            "follow" => match member("c") {
                Some(Value::Array(list)) => {
                    let numbers = list.iter().filter_map(Value::as_u64);
                    let these: BTreeSet<u32> = numbers.filter_map(|c| u32::try_from(c).ok()).collect();
                    self.cursor.follow(Some(these));
                    Ok(())
                }
                Some(Value::String(all)) if all == "all" => {
                    self.cursor.follow(None);
                    Ok(())
                }
                _ => Err("Which connections?"),
            },
            "pause" => {
                self.cursor.pause(member("on").and_then(Value::as_bool).unwrap_or(true));
                Ok(())
            }
            _ => Err("This server does not know that command."),
        };
        let says = outcome.err().map(str::to_owned);
        json!({"t": "answer", "do": verb, "id": id, "c": connection, "ok": says.is_none(), "says": says.or(line)})
    }

    /// On the connection of this page.
    fn command(&self, command: Command) -> Result<(), &'static str> {
        let Some(connection) = self.demo.hub.paired(self.tab) else {
            return Err("This page has no chat connection.");
        };
        if self.demo.hub.command(connection, command) {
            Ok(())
        } else {
            Err("The chat connection has ended, or too much waits for it.")
        }
    }

    /// Runs a script beside this page, one at a time. `line` is the first line of an answer that opens nothing.
    async fn run(
        &self,
        script: Script,
        connection: &mut Option<u32>,
        line: &mut Option<String>,
    ) -> Result<(), &'static str> {
        if self.demo.upstream.is_some() {
            return Err("Only our own server gets broken frames.");
        }
        if self.script_runs.swap(true, Ordering::AcqRel) {
            return Err("One at a time.");
        }
        let running = Running(Arc::clone(&self.script_runs));
        match peer::start(self.demo, script).await {
            Ok(playing) => {
                *connection = Some(playing.connection);
                *line = playing.refused_with();
                tokio::spawn(async move {
                    playing.play().await;
                    drop(running);
                });
                Ok(())
            }
            Err(_) => Err("The scripted peer could not connect."),
        }
    }
}

/// What each field of a header means. The page has no words of its own for that.
fn words() -> Value {
    let op: Vec<&str> = (0..16_u8)
        .map(|value| match Opcode::from_low_bits(value) {
            Opcode::CONTINUATION => "continuation: the next part of a message",
            Opcode::TEXT => "text: a message of UTF-8, or its first part",
            Opcode::BINARY => "binary: a message of any bytes, or its first part",
            Opcode::CLOSE => "close: nothing more will be sent",
            Opcode::PING => "ping: asks for a Pong with the same payload",
            Opcode::PONG => "pong: answers a Ping",
            opcode if opcode.is_control() => "reserved, for a control frame of the future",
            _ => "reserved, for data of the future",
        })
        .collect();
    let unused = ["0: not used.", "1: no extension here uses this bit."];
    json!({
        "fin": ["0: more parts of this message follow.", "1: the last, or only, part of its message."],
        "rsv1": ["0: this frame does not begin a compressed message.", "1: this message is compressed."],
        "rsv2": unused, "rsv3": unused, "op": op,
        "mask": ["0: the payload is as it is. Servers never mask.", "1: the payload is masked. Clients always mask."],
        "form": {"7": "the length itself.", "16": "126: the next 2 bytes hold the length.",
            "64": "127: the next 8 bytes hold the length."},
        "key": "byte i of the payload was XORed with byte i mod 4 of this key.",
    })
}

/// The script of a page runs, until this is dropped.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
