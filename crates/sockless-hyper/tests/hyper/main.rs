//! WebSockets behind hyper: octets in, events out, over pipes. HTTP/1.1 is written by hand, HTTP/2 by `h2`.

#![expect(clippy::result_large_err, reason = "a refusal is a response")]

#[macro_use]
#[path = "../../../../tests/common/watchdog.rs"]
mod watchdog;

mod answers;
mod http1;
mod http2;

use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use sockless::handshake::OriginPolicy;
use sockless::{Error, ServerConfig};
use sockless_hyper::{upgrade, Socket, Upgrade};
use tokio::io::{duplex, AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn config() -> ServerConfig {
    ServerConfig::new(OriginPolicy::SameHost)
}

async fn echo(mut socket: Socket) -> (Socket, Result<(), Error>) {
    loop {
        match socket.recv_with().await {
            Ok(Some((message, mut outgoing))) => {
                if let Err(error) = outgoing.send(message).await {
                    return (socket, Err(error));
                }
            }
            Ok(None) => return (socket, Ok(())),
            Err(error) => return (socket, Err(error)),
        }
    }
}

/// How one WebSocket of a server has ended.
type Ends = UnboundedReceiver<(Socket, Result<(), Error>)>;

/// A server that echoes, on one end of a pipe. Returns the other end, and how each of its sockets ends.
fn serve(config: ServerConfig) -> (DuplexStream, Ends) {
    serve_with(move |request| upgrade(request, &config).map_err(|refusal| refusal.into_response()))
}

fn serve_with(
    decide: impl Fn(&mut Request<Incoming>) -> Result<(Response<()>, Upgrade), Response<Full<Bytes>>>
        + Clone
        + Send
        + Sync
        + 'static,
) -> (DuplexStream, Ends) {
    let (client, server) = duplex(1 << 20);
    let (tell, ends) = unbounded_channel();
    tokio::spawn(async move {
        let service = service_fn(|mut request| {
            let (tell, decide) = (tell.clone(), decide.clone());
            async move { Ok::<_, Infallible>(answer(&mut request, &decide, tell)) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        let windows = (64 << 10, 8 << 20);
        builder.http2().enable_connect_protocol().initial_stream_window_size(windows.0);
        builder.http2().initial_connection_window_size(windows.1);
        let _ = builder.serve_connection_with_upgrades(TokioIo::new(server), service).await;
    });
    (client, ends)
}

fn answer(
    request: &mut Request<Incoming>,
    decide: &impl Fn(&mut Request<Incoming>) -> Result<(Response<()>, Upgrade), Response<Full<Bytes>>>,
    tell: UnboundedSender<(Socket, Result<(), Error>)>,
) -> Response<Full<Bytes>> {
    match decide(request) {
        Ok((response, opening)) => {
            tokio::spawn(async move {
                if let Ok(socket) = opening.await {
                    let _ = tell.send(echo(socket).await);
                }
            });
            response.map(|()| Full::default())
        }
        Err(response) => response,
    }
}

/// A request of HTTP/1.1 for a WebSocket, with further lines.
fn head(lines: &[&str]) -> String {
    let mut head = format!(
        "GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
    );
    for line in lines {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head + "\r\n"
}

/// A frame of a client with the masking key 0, of less than 126 octets.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

/// What is sent, and what comes back: the head with its lines in order, and what follows it, up to `body` octets.
async fn exchange(stream: &mut DuplexStream, sent: &[u8], body: usize) -> (Vec<String>, Vec<u8>) {
    stream.write_all(sent).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a whole head"));
    }
    let mut rest = vec![0; body];
    stream.read_exact(&mut rest).await.unwrap();
    let head = String::from_utf8(head).unwrap();
    (head.trim_end().lines().filter(|line| !line.starts_with("date: ")).map(String::from).collect(), rest)
}
