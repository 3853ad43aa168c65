//! Measures both chats in one run: `cargo build --release && cargo run --release`. Its README says how.

use std::io::{self, BufRead, BufReader};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use sockless::deflate::Offer;
use sockless::tokio::{client, ClientSocket};
use sockless::ClientConfig;
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

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(name: &str, variable: Option<(&str, &str)>) -> Self {
        let program = std::env::current_exe().unwrap().with_file_name(name);
        let mut command = Command::new(program);
        command.env_remove("DEFLATE").env_remove("BUFFER").envs(variable).stdout(Stdio::piped());
        let mut process = command.spawn().expect("cargo build --release comes first");
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { process, address: address.trim().to_owned() }
    }

    async fn join(&self, room: u64) -> ClientSocket<Counted> {
        let config = ClientConfig::new().with_deflate(Offer::DEFAULT).without_timeouts();
        let stream = TcpStream::connect(&self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let url = format!("ws://{}/rooms/{room}", self.address);
        client(Counted(stream), &*url, &config).await.unwrap()
    }

    /// KiB that are resident.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// CPU time of all threads, user and system.
    fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let nanoseconds = tasks.map(|task| {
            let schedstat = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            schedstat.split(' ').next().unwrap().parse::<u64>().unwrap()
        });
        Duration::from_nanos(nanoseconds.sum())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// KiB that one of the idle connections takes.
async fn memory(server: &Server) -> f64 {
    let before = server.resident();
    let mut sockets = Vec::new();
    for at in 0..IDLE {
        sockets.push(server.join(at / 10).await);
    }
    // One of every ten has said something, and all ten have heard it.
    for at in (0..IDLE as usize).step_by(10) {
        sockets[at].send("Hello, everybody").await.unwrap();
        for socket in &mut sockets[at..at + 10] {
            socket.recv().await.unwrap().unwrap();
        }
    }
    sleep(Duration::from_secs(1)).await;
    (server.resident() - before) as f64 / IDLE as f64
}

/// Microseconds of CPU, and octets that are received, for each message that is delivered.
async fn talk(server: &Server) -> (f64, f64) {
    let mut sockets = Vec::new();
    for at in 0..ROOMS * IN_A_ROOM {
        sockets.push((at, server.join(at / IN_A_ROOM).await));
    }
    sleep(Duration::from_millis(200)).await;
    let (received, cpu) = (RECEIVED.load(Relaxed), server.cpu());
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
    let cpu = (server.cpu() - cpu).as_secs_f64() * 1e6 / delivered;
    (cpu, (RECEIVED.load(Relaxed) - received) as f64 / delivered)
}

#[tokio::main]
async fn main() {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let rounds = std::env::args().nth(1).map_or(3, |rounds| rounds.parse().expect("a number of rounds"));
    let chats: [(&str, &str, Option<(&str, &str)>); 5] = [
        ("axum's own", "theirs", None),
        ("axum's own, buffers of 4 KiB", "theirs", Some(("BUFFER", "4096"))),
        ("sockless", "ours", None),
        ("sockless, compression", "ours", Some(("DEFLATE", "1"))),
        ("sockless, compression with context", "context", None),
    ];
    println!("| chat over | KiB an idle connection | µs of CPU a message | octets a message |\n|---|---:|---:|---:|");
    let mut best = [(f64::MAX, f64::MAX, 0.0); 5];
    for _ in 0..rounds {
        for ((_, program, variable), best) in chats.iter().zip(&mut best) {
            best.0 = memory(&Server::start(program, *variable)).await.min(best.0);
            let (cpu, octets) = talk(&Server::start(program, *variable)).await;
            *best = (best.0, cpu.min(best.1), octets);
        }
    }
    for ((name, ..), (memory, cpu, octets)) in chats.iter().zip(best) {
        println!("| {name} | {memory:.2} | {cpu:.2} | {octets:.0} |");
    }
}
