//! The program as a process, and servers for it.

use std::future::Future;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use sockless_connect::sockless::handshake::OriginPolicy;
use sockless_connect::sockless::tokio::{accept, ServerSocket};
use sockless_connect::sockless::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{spawn, spawn_blocking};

/// What came of the program.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

/// The program with these arguments, and nothing of our environment that it would use.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockless"));
    command.args(arguments).env_remove("SOCKLESS_BEARER").env_remove("SOCKLESS_BASIC").env_remove("NO_COLOR");
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
}

/// Starts it with pipes at all three ends.
pub fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Gives it this input, and waits for its end.
pub async fn finish(mut child: Child, input: &[u8]) -> Ran {
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may end before it has read all.
    let writing = spawn_blocking(move || drop(stdin.write_all(&input)));
    let ran = waited(child).await;
    writing.await.unwrap();
    ran
}

/// Waits for its end. Its input stays open meanwhile, if it was not taken.
pub async fn waited(mut child: Child) -> Ran {
    let _stdin = child.stdin.take();
    let Output { status, stdout, stderr } =
        spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    Ran { status: status.code().unwrap_or(-1), stdout, stderr: String::from_utf8(stderr).unwrap() }
}

pub async fn run(arguments: &[&str], input: &[u8]) -> Ran {
    finish(start(&mut command(arguments)), input).await
}

/// The first line on standard error.
pub fn first_line(child: &mut Child) -> String {
    let mut line = Vec::new();
    let stderr = child.stderr.as_mut().unwrap();
    let mut octet = [0];
    while stderr.read(&mut octet).unwrap() == 1 && octet != *b"\n" {
        line.push(octet[0]);
    }
    String::from_utf8(line).unwrap()
}

/// A folder for the files of this test.
pub fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A server that does this with each TCP connection; its address.
pub async fn tcp_server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            spawn(serve(stream));
        }
    });
    address
}

pub static OPEN: ServerConfig = ServerConfig::new(OriginPolicy::Any);

/// A server that does this with each WebSocket; its URL.
pub async fn server<F>(serve: impl Fn(ServerSocket) -> F + Clone + Send + Sync + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let address = tcp_server(move |stream| {
        let serve = serve.clone();
        async move { serve(accept(stream, &OPEN).await.unwrap()).await }
    });
    format!("ws://{}/", address.await)
}

/// One that echoes.
pub async fn echo() -> String {
    server(|mut socket| async move {
        while let Ok(Some((message, mut outgoing))) = socket.recv_with().await {
            if outgoing.feed(message).await.is_err() {
                break;
            }
        }
    })
    .await
}
