//! The scripted peer: a client in this process that connects over loopback and does one thing wrong, so that one sees what the
//! engine answers, and why. Its frames are masked with a key of zeros, so that they can be read.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sockless::frame::{FrameHeader, Opcode};
use sockless::CloseCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::chat::Command;
use crate::Demo;

/// For the whole of a script.
const LIMIT: Duration = Duration::from_secs(60);
/// For its request to be answered.
const SOON: Duration = Duration::from_secs(5);
/// Bytes of an answer's head.
const HEAD: usize = 8 << 10;

/// One thing that a peer does.
pub struct Case {
    pub id: &'static str,
    /// What it does, in a few words.
    pub label: &'static str,
    /// The rule that it breaks, as `tests/requirements.md` numbers it.
    pub rule: &'static str,
    pub group: &'static str,
    pub script: Script,
}

/// What it sends, and how it ends.
#[derive(Clone)]
pub enum Script {
    /// Bytes in hex, a write each, then it behaves.
    Frames(&'static [&'static str]),
    /// The same, where compression is agreed on.
    Compressed(&'static str),
    /// Bytes of the page.
    Own(Vec<u8>),
    /// Nothing, not even the answer to a Ping.
    Silent,
    /// The server closes, and gets no answer.
    NoClose,
    /// Bytes in hex, then the end of the stream.
    Vanishes(&'static str),
    /// Another request: the first line, and the fields after `Host`.
    Request(&'static str, &'static str),
}

const fn case(
    id: &'static str,
    group: &'static str,
    rule: &'static str,
    label: &'static str,
    script: Script,
) -> Case {
    Case { id, label, rule, group, script }
}

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n";

/// All of them, in the order in which they are shown.
pub static CASES: &[Case] = &[
    case(
        "good",
        "To compare",
        "6455-5.4-1",
        "A good client: text, fragments with a Ping between, Close",
        Script::Frames(&[
            "818500000000 48656c6c6f",
            "018300000000 48656c",
            "898200000000 6869",
            "808200000000 6c6f",
            "888500000000 03e8 627965",
        ]),
    ),
    case("unmasked", "Frames", "6455-5.1-2", "A frame without a mask", Script::Frames(&["81026869"])),
    case("rsv2", "Frames", "6455-5.2-3", "A reserved bit", Script::Frames(&["a182000000006869"])),
    case("opcode3", "Frames", "6455-5.2-4", "A reserved opcode", Script::Frames(&["838000000000"])),
    case("ping-fragment", "Frames", "6455-5.4-4", "A Ping without FIN", Script::Frames(&["098000000000"])),
    case(
        "ping-126",
        "Frames",
        "6455-5.5-1",
        "A Ping of 126 bytes: its header is enough",
        Script::Frames(&["89fe007e00000000"]),
    ),
    case(
        "continuation",
        "Frames",
        "6455-5.4-7",
        "A continuation of nothing",
        Script::Frames(&["808000000000"]),
    ),
    case(
        "interleaved",
        "Frames",
        "6455-5.4-6",
        "A new message inside another",
        Script::Frames(&["018100000000 61", "818100000000 62"]),
    ),
    case(
        "long-length",
        "Frames",
        "6455-5.2-7",
        "A length of 5 in 16 bits",
        Script::Frames(&["81fe000500000000 48656c6c6f"]),
    ),
    case(
        "top-bit",
        "Frames",
        "6455-5.2-6",
        "A 64-bit length with its highest bit",
        Script::Frames(&["82ff800000000000000000000000"]),
    ),
    case(
        "bad-text",
        "Messages",
        "6455-8.1-1",
        "Text that is not UTF-8",
        Script::Frames(&["818200000000 c328"]),
    ),
    case(
        "close-1-byte",
        "Messages",
        "6455-5.5.1-2",
        "A Close with half a code",
        Script::Frames(&["888100000000 03"]),
    ),
    case(
        "close-1006",
        "Messages",
        "6455-7.4.1-2",
        "A Close with 1006, which is never sent",
        Script::Frames(&["888200000000 03ee"]),
    ),
    case(
        "close-text",
        "Messages",
        "6455-8.1-2",
        "A Close whose reason is not UTF-8",
        Script::Frames(&["888400000000 03e8c328"]),
    ),
    case(
        "not-deflate",
        "Messages",
        "7692-7.2.2-1",
        "Compressed data that is none",
        Script::Compressed("c18400000000 ffffffff"),
    ),
    case(
        "giant",
        "Limits",
        "6455-10.4-1",
        "A frame of a TiB: its header is enough",
        Script::Frames(&["82ff000001000000000000000000"]),
    ),
    case("bomb", "Limits", "6455-10.4-2", "66,000 zeros in 81 bytes", Script::Compressed(BOMB)),
    case(
        "stalls",
        "Time",
        "6455-10.4-1",
        "Begins a message and stops",
        Script::Frames(&["818500000000 4865"]),
    ),
    case("no-pong", "Time", "6455-5.5.2-2", "Answers no Ping", Script::Silent),
    case("no-close", "Time", "6455-7.1.1-3", "Answers no Close", Script::NoClose),
    case(
        "vanishes",
        "Time",
        "6455-7.1.4-1",
        "Ends TCP in the middle of a message",
        Script::Vanishes("818500000000 4865"),
    ),
    case(
        "version-12",
        "Handshake",
        "6455-4.2.2-20",
        "Asks for version 12",
        Script::Request(
            "GET /chat HTTP/1.1",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 12\r\n",
        ),
    ),
    case(
        "key",
        "Handshake",
        "6455-4.2.1-7",
        "A key without its padding",
        Script::Request(
            "GET /chat HTTP/1.1",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n\
             Sec-WebSocket-Version: 13\r\n",
        ),
    ),
    case(
        "origin",
        "Handshake",
        "6455-4.2.2-10",
        "Comes from a page of another site",
        Script::Request(
            "GET /chat HTTP/1.1",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\nOrigin: http://example.com\r\n",
        ),
    ),
    case(
        "post",
        "Handshake",
        "6455-4.2.1-2",
        "Asks with POST",
        Script::Request(
            "POST /chat HTTP/1.1",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n",
        ),
    ),
    case(
        "no-upgrade",
        "Handshake",
        "6455-4.2.1-4",
        "Asks for no WebSocket: gets the page",
        Script::Request("GET / HTTP/1.1", ""),
    ),
];

/// The frame, and 66,000 zeros as zlib deflates them, without the end that RFC 7692 section 7.2.1 takes off.
const BOMB: &str =
    "c2d100000000 ecc1010d000000c2a0f74f6d0f07140000000000000000000000000000000000000000000000000000000000\
                    00000000000000000000000000000000000000000000000000000000000000000000000000f06600";

/// The case of this name.
pub fn find(id: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.id == id)
}

/// Where the demo can be reached from here.
fn own_address(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}

/// A script whose request was answered.
pub struct Playing {
    pub connection: u32,
    demo: Arc<Demo>,
    stream: TcpStream,
    script: Script,
    /// What came and was not looked at.
    received: Vec<u8>,
    /// The first line of the answer.
    line: String,
}

/// Connects to this demo, and nowhere else, and asks for what the script wants.
pub async fn start(demo: &Arc<Demo>, script: Script) -> io::Result<Playing> {
    let address = own_address(demo.site.listens);
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(address.ip(), 0))?;
    let own = socket.local_addr()?;
    let connection = demo.hub.next_connection();
    // Before it connects, so that the server knows who comes.
    demo.hub.expect(own, connection);
    let asked = timeout(SOON, async {
        let stream = socket.connect(address).await?;
        let line = String::new();
        let mut playing =
            Playing { connection, demo: Arc::clone(demo), stream, script, received: Vec::new(), line };
        playing.ask(&address.to_string()).await?;
        Ok(playing)
    });
    let playing = asked.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    demo.hub.take_expected(own);
    playing
}

impl Playing {
    async fn ask(&mut self, host: &str) -> io::Result<()> {
        let (line, fields) = match &self.script {
            Script::Request(line, fields) => (*line, (*fields).to_owned()),
            script => ("GET /chat HTTP/1.1", open_fields(matches!(script, Script::Compressed(_)))),
        };
        let line = match &self.demo.site.token {
            Some(token) => line.replacen(" HTTP", &format!("?t={token} HTTP"), 1),
            None => line.to_owned(),
        };
        self.stream.write_all(format!("{line}\r\nHost: {host}\r\n{fields}\r\n").as_bytes()).await?;
        self.read_head().await
    }

    /// The answer, if it opens no WebSocket.
    pub fn refused_with(&self) -> Option<String> {
        (!self.line.starts_with("HTTP/1.1 101 ")).then(|| self.line.clone())
    }

    /// Does the rest. That the server ends the connection is what most scripts are about.
    pub async fn play(mut self) {
        let _ = timeout(LIMIT, self.follow_script()).await;
    }

    async fn follow_script(&mut self) -> io::Result<()> {
        if self.refused_with().is_some() {
            return self.read_to_end().await;
        }
        let mut answers = true;
        match self.script.clone() {
            Script::Frames(writes) => {
                for write in writes {
                    self.stream.write_all(&bytes(write)).await?;
                    // Each is seen by itself.
                    sleep(Duration::from_millis(20)).await;
                }
            }
            Script::Compressed(write) => self.stream.write_all(&bytes(write)).await?,
            Script::Own(bytes) => self.stream.write_all(&bytes).await?,
            Script::Silent | Script::Request(..) => {}
            Script::NoClose => {
                answers = false;
                self.demo.hub.command(self.connection, Command::Close(CloseCode::NORMAL));
            }
            Script::Vanishes(write) => {
                self.stream.write_all(&bytes(write)).await?;
                return self.stream.shutdown().await;
            }
        }
        while let Some(opcode) = self.read_frame().await? {
            if opcode == Opcode::CLOSE && answers {
                self.stream.write_all(&bytes("888200000000 03e8")).await?;
                return self.read_to_end().await;
            }
        }
        Ok(())
    }

    /// What follows the head stays in `received`.
    async fn read_head(&mut self) -> io::Result<()> {
        loop {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(self.received.get(..end).unwrap_or(&[])).into_owned();
                self.line = head.lines().next().unwrap_or("").to_owned();
                self.received.drain(..end.saturating_add(4).min(self.received.len()));
                return Ok(());
            }
            if self.received.len() > HEAD || !self.read_more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// `None` at the end of the stream.
    async fn read_frame(&mut self) -> io::Result<Option<Opcode>> {
        loop {
            if let Some((header, len)) = FrameHeader::decode(&self.received) {
                let end =
                    usize::try_from(header.payload_len).ok().and_then(|payload| payload.checked_add(len));
                if let Some(end) = end.filter(|end| *end <= self.received.len()) {
                    self.received.drain(..end);
                    return Ok(Some(header.opcode));
                }
            }
            if !self.read_more().await? {
                return Ok(None);
            }
        }
    }

    async fn read_more(&mut self) -> io::Result<bool> {
        let mut buf = [0; 4096];
        let count = self.stream.read(&mut buf).await?;
        self.received.extend_from_slice(buf.get(..count).unwrap_or(&[]));
        Ok(count > 0)
    }

    async fn read_to_end(&mut self) -> io::Result<()> {
        while self.stream.read(&mut [0; 4096]).await? > 0 {}
        Ok(())
    }
}

/// The fields of a good request, after `Host`.
fn open_fields(compressed: bool) -> String {
    let offer = if compressed { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    format!("{UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}")
}

/// Of hex with spaces. The tests show that every script has valid hex.
pub fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    hex::decode(digits).unwrap_or_default()
}
