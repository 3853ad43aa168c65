//! Measures both chats in one run: `cargo build --release && cargo run --release`. Its README says how.

use std::io;
use std::pin::Pin;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use frameworks::Server;
use sockless::ClientConfig;
use sockless::deflate::Offer;
use sockless::tokio::{ClientSocket, client};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

const IDLE: u64 = 10_000;
const ROOMS: u64 = 16;
const IN_A_ROOM: u64 = 4;
const SAID: u64 = 2_000;

static RECEIVED: AtomicU64 = AtomicU64::new(0);

/// Counts what comes from the server.
struct Counted(TcpStream);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.0).poll_read(cx, buf);
        RECEIVED.fetch_add((buf.filled().len() - before) as u64, Relaxed);
        result
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Of the environment of a chat, with its value.
type Variable = (&'static str, &'static str);

/// Starts one of the chats.
fn start(name: &str, variable: Option<Variable>) -> Server {
    let mut command = Command::new(std::env::current_exe().unwrap().with_file_name(name));
    command.env_remove("DEFLATE").env_remove("BUFFER").envs(variable);
    Server::start(&mut command).expect("cargo build --release comes first")
}

async fn join(server: &Server, room: u64) -> ClientSocket<Counted> {
    let config = ClientConfig::new().with_deflate(Offer::DEFAULT).without_timeouts();
    let stream = TcpStream::connect(&server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let url = format!("ws://{}/rooms/{room}", server.address);
    client(Counted(stream), &*url, &config).await.unwrap()
}

/// KiB that one of the idle connections takes.
async fn memory(server: &Server) -> f64 {
    let before = server.resident().unwrap();
    let mut sockets = Vec::new();
    for at in 0..IDLE {
        sockets.push(join(server, at / 10).await);
    }
    // One of every ten has said something, and all ten have heard it.
    for at in (0..IDLE as usize).step_by(10) {
        sockets[at].send("Hello, everybody").await.unwrap();
        for socket in &mut sockets[at..at + 10] {
            socket.recv().await.unwrap().unwrap();
        }
    }
    sleep(Duration::from_secs(1)).await;
    (server.resident().unwrap() - before) as f64 / IDLE as f64
}

/// Microseconds of CPU, and octets that are received, for each message that is delivered.
async fn talk(server: &Server) -> (f64, f64) {
    let mut sockets = Vec::new();
    for at in 0..ROOMS * IN_A_ROOM {
        sockets.push((at, join(server, at / IN_A_ROOM).await));
    }
    sleep(Duration::from_millis(200)).await;
    let (received, cpu) = (RECEIVED.load(Relaxed), server.cpu().unwrap());
    let mut tasks = JoinSet::new();
    for (at, mut socket) in sockets {
        tasks.spawn(async move {
            for number in 0..SAID {
                let text = format!(
                    "{{\"type\":\"message\",\"room\":\"lobby\",\"from\":{{\"id\":{at},\"name\":\"Member {at}\"}},\
                     \"number\":{number},\"time\":\"2026-12-01T03:{:02}:{:02}Z\",\"text\":\"The quick brown fox jumps over \
                     the lazy dog, and the dog does not mind it at all; it is number {number} of that kind today.\",\
                     \"reactions\":[],\"edited\":false}}",
                    number / 60 % 60,
                    number % 60
                );
                socket.send(&text).await.unwrap();
                for _ in 0..IN_A_ROOM {
                    socket.recv().await.unwrap().unwrap();
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let delivered = (ROOMS * IN_A_ROOM * SAID * IN_A_ROOM) as f64;
    let cpu = (server.cpu().unwrap() - cpu).as_secs_f64() * 1e6 / delivered;
    (cpu, (RECEIVED.load(Relaxed) - received) as f64 / delivered)
}

#[tokio::main]
async fn main() {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let rounds = std::env::args().nth(1).map_or(3, |rounds| rounds.parse().expect("a number of rounds"));
    let chats: [(&str, &str, Option<Variable>); 5] = [
        ("axum's own", "theirs", None),
        ("axum's own, buffers of 4 KiB", "theirs", Some(("BUFFER", "4096"))),
        ("sockless", "ours", None),
        ("sockless, compression", "ours", Some(("DEFLATE", "1"))),
        ("sockless, compression with context", "context", None),
    ];
    println!(
        "| chat over | KiB an idle connection | µs of CPU a message | octets a message |\n|---|---:|---:|---:|"
    );
    let mut best = [(f64::MAX, f64::MAX, 0.0); 5];
    for _ in 0..rounds {
        for ((_, program, variable), best) in chats.iter().zip(&mut best) {
            best.0 = memory(&start(program, *variable)).await.min(best.0);
            let (cpu, octets) = talk(&start(program, *variable)).await;
            *best = (best.0, cpu.min(best.1), octets);
        }
    }
    for ((name, ..), (memory, cpu, octets)) in chats.iter().zip(best) {
        println!("| {name} | {memory:.2} | {cpu:.2} | {octets:.0} |");
    }
}
