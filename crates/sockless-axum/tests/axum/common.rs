//! What the tests share: a server over loopback, and clients of both versions of HTTP.

use axum::body::Body;
use axum::http::Request;
use axum::Router;
use hyper::client::conn::{http1, http2};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sockless_axum::sockless::handshake::Negotiated;
use sockless_axum::sockless::tokio::{ClientSocket, Tokio};
use sockless_axum::{handshake::OriginPolicy, ClientConfig, Error, ServerConfig, Socket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

pub static SAME_HOST: ServerConfig = ServerConfig::new(OriginPolicy::SameHost);

/// Each message comes back, until the client closes.
pub async fn echo(mut socket: Socket) -> Result<(), Error> {
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        outgoing.feed(message).await?;
    }
    Ok(())
}

/// Serves it over loopback until the test ends. Returns `ADDRESS:PORT`.
pub async fn served(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

pub type Client = ClientSocket<TokioIo<Upgraded>>;

/// A client's WebSocket by extended CONNECT, over a connection of HTTP/2 of its own.
pub async fn over_http2(address: &str, path: &str) -> Result<Client, u16> {
    let stream = TcpStream::connect(address).await.unwrap();
    http2_on(stream, &format!("http://{address}"), path).await
}

/// The same over a connection that is there, to this origin.
pub async fn http2_on<S>(stream: S, origin: &str, path: &str) -> Result<Client, u16>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut send, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    // Its answer comes behind the server's settings.
    let plain = Request::get(format!("{origin}/")).body(Body::empty()).unwrap();
    send.send_request(plain).await.unwrap();
    let request = Request::connect(format!("{origin}{path}"))
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .header("origin", origin)
        .body(Body::empty())
        .unwrap();
    let response = send.send_request(request).await.unwrap();
    if response.status() != 200 {
        return Err(response.status().as_u16());
    }
    let upgraded = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    let endpoint = ClientConfig::new().endpoint(Negotiated::default(), &[]);
    Ok(Client::with_endpoint(Tokio::new(upgraded), endpoint))
}

/// The same by the `Upgrade` of HTTP/1.1.
pub async fn over_http1(address: &str, path: &str) -> Result<Client, u16> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    let request = Request::get(path)
        .header("host", address)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(Body::empty())
        .unwrap();
    let response = send.send_request(request).await.unwrap();
    if response.status() != 101 {
        return Err(response.status().as_u16());
    }
    let upgraded = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    let endpoint = ClientConfig::new().endpoint(Negotiated::default(), &[]);
    Ok(Client::with_endpoint(Tokio::new(upgraded), endpoint))
}
