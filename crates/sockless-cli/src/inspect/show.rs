//! Records as lines for people, or as JSON, one object a line.
//
// Owns: how a record looks. Nothing of a peer can steer a terminal.
// Must not know: how records are made.

use std::io::{self, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde_json::{json, Value};
use sockless::frame::{FrameHeader, Opcode, Rsv};
use sockless::{MessageKind, Side};

use super::conversation::{Record, What};
use super::lines::escaped;
use crate::printable::Printable;
use crate::terminal::{has_colours, BAD};

const CLIENT: Style = AnsiColor::Green.on_default();
const SERVER: Style = AnsiColor::Cyan.on_default();
const DIM: Style = Style::new().dimmed();

/// Writes records to standard output.
pub struct Show {
    is_json: bool,
    has_colours: bool,
}

impl Show {
    pub fn new(is_json: bool) -> Self {
        Self { is_json, has_colours: has_colours(&io::stdout()) }
    }

    /// Something about a whole connection, or about the input.
    pub fn note(&self, connection: u64, what: &str, at: Option<Duration>) -> io::Result<()> {
        if self.is_json {
            let at = at.map(|at| at.as_secs_f64());
            return self.json(json!({ "connection": connection, "time": at, "event": "note", "text": what }));
        }
        write_line(format!("{} #{connection}    {}", time(at.unwrap_or_default()), Printable(what)))
    }

    pub fn records(&self, connection: u64, records: Vec<Record>) -> io::Result<()> {
        records.into_iter().try_for_each(|record| match self.is_json {
            true => self.json(json_of(connection, &record)),
            false => self.text(connection, &record),
        })
    }

    fn json(&self, value: Value) -> io::Result<()> {
        write_line(escaped(&value.to_string()))
    }

    fn text(&self, connection: u64, record: &Record) -> io::Result<()> {
        let style = |style| if self.has_colours { style } else { Style::new() };
        let (arrow, side) = match record.from {
            Side::Client => ("->", style(CLIENT)),
            Side::Server => ("<-", style(SERVER)),
        };
        let (dim, bad) = (style(DIM), style(BAD));
        let front = format!("{dim}{}{dim:#} #{connection} {side}{arrow}{side:#}", time(record.at));
        match &record.what {
            What::Head { start, fields } => {
                write_line(format!("{front} {side}{}{side:#}", Printable(start)))?;
                fields.iter().try_for_each(|(name, value)| {
                    write_line(format!("{:>16}{}: {}", "", Printable(name), Printable(value)))
                })
            }
            What::Frame(header) => write_line(format!("{front} {dim}frame {}{dim:#}", bits(header))),
            What::Message { kind, len, is_compressed, front: octets } => {
                let compressed = if *is_compressed { ", inflated" } else { "" };
                let shown = shown(*kind, octets);
                let more = if octets_len(octets) < *len { " ..." } else { "" };
                let kind = name_of(*kind);
                write_line(format!("{front} {side}{kind}{side:#} of {len} octets{compressed}: {shown}{more}"))
            }
            What::Ping(payload) => write_line(format!("{front} ping {}", hex::encode(payload))),
            What::Pong(payload) => write_line(format!("{front} pong {}", hex::encode(payload))),
            What::Close { code, reason } => {
                let code = code.map_or("without a code".into(), |code| code.to_string());
                let space = if reason.is_empty() { "" } else { " " };
                write_line(format!("{front} close {code}{space}{}", Printable(reason)))
            }
            What::Fault(fault) => write_line(format!("{front} {bad}fault:{bad:#} {}", Printable(fault))),
            What::Unread(why) => write_line(format!("{front} not read from here on: {}", Printable(why))),
            What::End => write_line(format!("{front} end of the stream")),
        }
    }
}

fn write_line(line: String) -> io::Result<()> {
    io::stdout().write_all(format!("{line}\n").as_bytes())
}

fn time(at: Duration) -> String {
    format!("{:>12.6}", at.as_secs_f64())
}

fn octets_len(octets: &[u8]) -> u64 {
    u64::try_from(octets.len()).unwrap_or(u64::MAX)
}

const fn name_of(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Text => "text",
        MessageKind::Binary => "binary",
    }
}

/// A message as people read it. The front of a text may end inside of a character.
fn shown(kind: MessageKind, octets: &[u8]) -> String {
    match kind {
        MessageKind::Text => Printable(text(octets)).to_string(),
        MessageKind::Binary => hex::encode(octets),
    }
}

fn text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Err(error) if error.error_len().is_none() => {
            String::from_utf8_lossy(octets.get(..error.valid_up_to()).unwrap_or(&[])).into_owned()
        }
        _ => String::from_utf8_lossy(octets).into_owned(),
    }
}

/// The header of a frame: `FIN RSV1 text, 5 octets, masked with 37fa213d`.
fn bits(header: &FrameHeader) -> String {
    let mut words = Vec::new();
    if header.fin {
        words.push("FIN".into());
    }
    for (bit, name) in [(Rsv::RSV1, "RSV1"), (Rsv::RSV2, "RSV2"), (Rsv::RSV3, "RSV3")] {
        if header.rsv.contains(bit) {
            words.push(name.into());
        }
    }
    words.push(opcode(header.opcode));
    let masked =
        header.masking_key.map_or(String::new(), |key| format!(", masked with {}", hex::encode(key.0)));
    format!("{}, {} octets{masked}", words.join(" "), header.payload_len)
}

fn opcode(opcode: Opcode) -> String {
    match opcode {
        Opcode::CONTINUATION => "continuation".into(),
        Opcode::TEXT => "text".into(),
        Opcode::BINARY => "binary".into(),
        Opcode::CLOSE => "close".into(),
        Opcode::PING => "ping".into(),
        Opcode::PONG => "pong".into(),
        other => format!("opcode {}", other.value()),
    }
}

fn json_of(connection: u64, record: &Record) -> Value {
    let mut object = json!({
        "connection": connection,
        "time": record.at.as_secs_f64(),
        "from": match record.from { Side::Client => "client", Side::Server => "server" },
    });
    let what = match &record.what {
        What::Head { start, fields } => json!({ "event": "head", "start": start, "fields": fields }),
        What::Frame(header) => json!({
            "event": "frame",
            "fin": header.fin,
            "rsv1": header.rsv.contains(Rsv::RSV1),
            "rsv2": header.rsv.contains(Rsv::RSV2),
            "rsv3": header.rsv.contains(Rsv::RSV3),
            "opcode": header.opcode.value(),
            "name": opcode(header.opcode),
            "octets": header.payload_len,
            "mask": header.masking_key.map(|key| hex::encode(key.0)),
        }),
        What::Message { kind, len, is_compressed, front } => {
            let mut message = json!({
                "event": "message",
                "kind": name_of(*kind),
                "octets": len,
                "compressed": is_compressed,
                "whole": octets_len(front) == *len,
            });
            match kind {
                MessageKind::Text => put(&mut message, "text", text(front).into()),
                MessageKind::Binary => put(&mut message, "hex", hex::encode(front).into()),
            }
            message
        }
        What::Ping(payload) => json!({ "event": "ping", "hex": hex::encode(payload) }),
        What::Pong(payload) => json!({ "event": "pong", "hex": hex::encode(payload) }),
        What::Close { code, reason } => {
            json!({ "event": "close", "code": code.map(u16::from), "reason": reason })
        }
        What::Fault(fault) => json!({ "event": "fault", "text": fault }),
        What::Unread(why) => json!({ "event": "unread", "text": why }),
        What::End => json!({ "event": "end" }),
    };
    if let Value::Object(what) = what {
        what.into_iter().for_each(|(name, value)| put(&mut object, &name, value));
    }
    object
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(object) = object {
        object.insert(name.into(), value);
    }
}
