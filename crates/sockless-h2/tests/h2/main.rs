//! WebSockets over HTTP/2 in memory: both roles against each other, and each against a peer that says what a test wants.

#[macro_use]
#[path = "../../../../tests/common/watchdog.rs"]
mod watchdog;

#[path = "../../../../tests/common/counting.rs"]
#[allow(dead_code, reason = "each test crate uses its own part of this module")]
mod counting;

mod ends;
mod opening;
mod settings;
mod windows;

use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{Method, Request, Response, Uri};
use sockless::handshake::OriginPolicy;
use sockless::{ClientConfig, ServerConfig, Timeouts};
use sockless_h2::{client_builder, server_builder, ClientSocket, ServerSocket};
use tokio::sync::mpsc;
use tokio::time::sleep;

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

const STREAMS: u32 = 4;

/// A request at a server, and the way to answer it.
type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// A connection of HTTP/2, both ends of it.
struct Link {
    send: SendRequest<Bytes>,
    asked: mpsc::UnboundedReceiver<Asked>,
    server: tokio::task::JoinHandle<()>,
}

impl Link {
    async fn new() -> Self {
        Self::with(server_builder(STREAMS), client_builder(STREAMS), Duration::ZERO).await
    }

    async fn with(server: h2::server::Builder, client: h2::client::Builder, late: Duration) -> Self {
        let (here, there) = tokio::io::duplex(64 << 10);
        let (tell, asked) = mpsc::unbounded_channel();
        let server = tokio::spawn(async move {
            sleep(late).await;
            let mut connection = server.handshake(there).await.expect("a client");
            while let Some(Ok(stream)) = connection.accept().await {
                let _ = tell.send(stream);
            }
        });
        let (send, connection) = client.handshake(here).await.expect("a server");
        tokio::spawn(connection);
        Self { send, asked, server }
    }

    async fn asked(&mut self) -> Asked {
        self.asked.recv().await.expect("a request")
    }

    /// Sends an extended CONNECT as it stands here.
    async fn ask(
        &mut self,
        protocol: &str,
        fields: &[(&'static str, &str)],
    ) -> (ResponseFuture, SendStream<Bytes>) {
        while !self.send.is_extended_connect_protocol_enabled() {
            sleep(Duration::from_millis(1)).await;
        }
        let mut request = Request::new(());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = Uri::from_static("http://server.example/chat?room=1");
        request.extensions_mut().insert(Protocol::from(protocol));
        for (name, value) in fields {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        self.send.clone().ready().await.unwrap().send_request(request, false).unwrap()
    }

    /// A server's socket, and the stream of its client.
    async fn server(&mut self) -> (ServerSocket, Raw) {
        let (response, send) = self.ask("websocket", &[("sec-websocket-version", "13")]).await;
        let (request, respond) = self.asked().await;
        let socket = sockless_h2::accept(request, respond, &SERVER).unwrap();
        (socket, Raw { send, recv: response.await.unwrap().into_body() })
    }

    /// A client's socket, and the stream of its server.
    async fn client(&mut self) -> (ClientSocket, Raw) {
        let send = self.send.clone();
        let opening =
            tokio::spawn(async move { sockless_h2::connect(&send, "ws://server.example/", &CLIENT).await });
        let (request, mut respond) = self.asked().await;
        let send = respond.send_response(Response::new(()), false).unwrap();
        let (socket, _) = opening.await.unwrap().unwrap();
        (socket, Raw { send, recv: request.into_body() })
    }
}

/// A stream whose frames the test writes and reads itself.
struct Raw {
    send: SendStream<Bytes>,
    recv: RecvStream,
}

impl Raw {
    fn put(&mut self, octets: &[u8], end: bool) {
        self.send.send_data(Bytes::copy_from_slice(octets), end).unwrap();
    }

    /// What comes, up to END_STREAM or a reset.
    async fn rest(&mut self) -> (Vec<u8>, Option<h2::Reason>) {
        let mut octets = Vec::new();
        while let Some(data) = self.recv.data().await {
            match data {
                Ok(data) => {
                    octets.extend_from_slice(&data);
                    self.recv.flow_control().release_capacity(data.len()).unwrap();
                }
                Err(error) => return (octets, Some(error.reason().expect("a reset"))),
            }
        }
        (octets, None)
    }
}

static SERVER: ServerConfig = ServerConfig::new(OriginPolicy::SameHost).with_timeouts(Timeouts::NONE);
static CLIENT: ClientConfig = ClientConfig::new().with_timeouts(Timeouts::NONE);

/// Gives every message back, until the end.
async fn echo(mut socket: ServerSocket) -> ServerSocket {
    while let Ok(Some((message, mut outgoing))) = socket.recv_with().await {
        let _ = outgoing.feed(message).await;
    }
    socket
}

/// A socket at each end.
async fn both(
    link: &mut Link,
    server: &ServerConfig,
    client: &'static ClientConfig,
) -> (ServerSocket, ClientSocket) {
    let send = link.send.clone();
    let opening =
        tokio::spawn(async move { sockless_h2::connect(&send, "ws://server.example/chat", client).await });
    let (request, respond) = link.asked().await;
    let socket = sockless_h2::accept(request, respond, server).unwrap();
    (socket, opening.await.unwrap().unwrap().0)
}
