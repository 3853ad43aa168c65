//! Connections that mean no harm, thousands of them: they talk, rest, leave in every way, and come back.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use sockless::deflate::Offer;
use sockless::handshake::client::ClientRequest;
use sockless::handshake::Uri;
use sockless::tokio::{client, WebSocket};
use sockless::ClientConfig;
use sockless::{Client, CloseCode, Message, Payload, SystemEntropy};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::flood::Load;
use crate::Result;

/// Opening handshakes at a time: more would find the backlog of the listener full.
const OPENING: usize = 64;
/// For an answer, while thousands ask.
const PATIENCE: Duration = Duration::from_secs(10);

type Socket = WebSocket<TcpStream, Client<SystemEntropy>>;

/// So many connections at a time.
pub fn start(address: SocketAddr, count: usize) -> Load {
    Load::start(1, move |stop| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(talk(address, count, stop)),
            Err(error) => vec![error.to_string()],
        }
    })
}

async fn talk(address: SocketAddr, count: usize, stop: &AtomicBool) -> Vec<String> {
    let opening = Arc::new(Semaphore::new(OPENING));
    let stopped = Arc::new(AtomicBool::new(false));
    let start = |index| {
        let (opening, stopped) = (Arc::clone(&opening), Arc::clone(&stopped));
        tokio::spawn(async move {
            let mut dice = Dice(index as u64 + 1);
            let mut complaints = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                if let Err(error) = life(address, &mut dice, &opening, &stopped).await {
                    complaints.push(format!("mixed: {error}"));
                    sleep(Duration::from_millis(100)).await;
                }
            }
            complaints
        })
    };
    let lives: Vec<_> = (0..count).map(start).collect();
    while !stop.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(20)).await;
    }
    stopped.store(true, Ordering::Relaxed);
    let mut complaints = Vec::new();
    for life in lives {
        complaints.extend(life.await.unwrap_or_else(|error| vec![error.to_string()]));
    }
    complaints
}

/// One connection from its beginning to its end.
async fn life(address: SocketAddr, dice: &mut Dice, opening: &Semaphore, stopped: &AtomicBool) -> Result<()> {
    let mut socket = {
        let _turn = opening.acquire().await?;
        timeout(PATIENCE, open(address, dice.below(2) == 0)).await??
    };
    for _ in 0..dice.below(12) {
        if stopped.load(Ordering::Relaxed) {
            break;
        }
        timeout(PATIENCE, exchange(&mut socket, dice)).await.map_err(|_| "no echo in time")??;
        sleep(Duration::from_millis(dice.below(600))).await;
    }
    match dice.below(5) {
        0 => drop(socket),
        1 => socket.get_ref().set_zero_linger()?, // a reset
        2 => {
            let mut stream = socket.into_inner().into_inner();
            stream.write_all(&[0x82, 0xFE, 0x10, 0x00, 1, 2]).await?;
        }
        _ => {
            let closed = timeout(PATIENCE, socket.close(CloseCode::NORMAL))
                .await
                .map_err(|_| "no Close in time")??;
            if !closed.is_some_and(|closed| closed.clean) {
                return Err("a Close was not answered".into());
            }
        }
    }
    Ok(())
}

async fn open(address: SocketAddr, compressed: bool) -> Result<Socket> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let url = format!("ws://{address}/");
    let mut request = ClientRequest::new(Uri::parse(&url)?);
    if compressed {
        request = request.with_deflate(&[Offer::DEFAULT]);
    }
    Ok(client(stream, request, &ClientConfig::new()).await?)
}

/// Some messages, whose echoes must be what was sent, in order.
async fn exchange(socket: &mut Socket, dice: &mut Dice) -> Result<()> {
    let messages: Vec<Vec<u8>> = (0..=dice.below(3)).map(|_| dice.message()).collect();
    let text = dice.below(2) == 0;
    for message in &messages {
        match std::str::from_utf8(message).ok().filter(|_| text) {
            Some(text) => socket.send(text).await?,
            None => socket.send(Payload::binary(message)).await?,
        }
    }
    for message in &messages {
        let echo = socket.recv().await?.ok_or("ended amid a conversation")?;
        let as_sent = match echo {
            Message::Text(echo) => text && echo.as_bytes() == message,
            Message::Binary(echo) => !text && echo == message,
        };
        if !as_sent {
            return Err("an echo is not what was sent".into());
        }
    }
    Ok(())
}

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Mostly short, seldom long; ASCII, so that it may be text.
    fn message(&mut self) -> Vec<u8> {
        let len = match self.below(20) {
            0 => self.below(100_000),
            1..=4 => self.below(4_000),
            _ => self.below(200),
        };
        (0..len).map(|_| b'a' + self.below(16) as u8).collect()
    }
}
