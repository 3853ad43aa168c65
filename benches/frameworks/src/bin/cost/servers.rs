//! The servers, each as its library is used at its best: they echo until they are killed.

use std::future::Future;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::{Router, routing::any};
use fastwebsockets::{FragmentCollector, OpCode, upgrade};
use http_body_util::{Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1::Builder;
use hyper::{Request, Response, service::service_fn};
use hyper_util::rt::TokioIo;
use sockless_axum::handshake::OriginPolicy;
use sockless_axum::{ServerConfig, Socket};

use crate::{Result, batches, cores};

/// Their names, and what the table calls them.
pub const ALL: [(&str, &str); 5] = [
    ("axum", "axum's own"),
    ("axum-batches", "axum's own, buffers of 16 KiB, answers in batches"),
    ("axum-sockless", "axum with sockless"),
    ("hyper-fastwebsockets", "hyper with fastwebsockets"),
    ("hyper-sockless", "hyper with sockless"),
];

/// With its default timers: a limit on the handshake, keep-alive and the close. The others have none.
static CONFIG: ServerConfig = ServerConfig::new(OriginPolicy::SameHost);

/// On one thread, and one core.
#[tokio::main(flavor = "current_thread")]
pub async fn serve(name: &str) -> Result {
    cores::pin(cores::SERVER)?;
    match name {
        "axum" => on_axum(any(async |ws: WebSocketUpgrade| ws.on_upgrade(|socket| answer(socket, 0)))).await,
        "axum-batches" => {
            let ws = async |ws: WebSocketUpgrade| {
                let ws = ws.read_buffer_size(16 << 10).write_buffer_size(16 << 10);
                ws.on_upgrade(|socket| answer(socket, batches::MOST))
            };
            on_axum(any(ws)).await
        }
        "axum-sockless" => {
            let ws = async |ws: sockless_axum::WebSocketUpgrade| ws.on_upgrade(&CONFIG, sockless);
            on_axum(any(ws)).await
        }
        "hyper-fastwebsockets" => on_hyper(with_fastwebsockets).await,
        "hyper-sockless" => on_hyper(with_sockless).await,
        _ => Err(format!("no server is called {name}").into()),
    }
}

async fn on_axum(route: axum::routing::MethodRouter) -> Result {
    Ok(frameworks::serve(Router::new().route("/", route)).await?)
}

async fn on_hyper<F, B>(service: impl Fn(Request<Incoming>) -> F + Copy + Send + 'static) -> Result
where
    F: Future<Output = Result<Response<B>>> + Send + 'static,
    B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static,
{
    let listener = frameworks::listen().await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = Builder::new().serve_connection(TokioIo::new(stream), service_fn(service));
        tokio::spawn(connection.with_upgrades());
    }
}

/// A flush for each message that is answered, and for up to `most` more that are ready.
async fn answer(socket: WebSocket, most: usize) {
    // After an error the stream ends.
    let data = |message: Result<Message, axum::Error>| {
        message.ok().filter(|message| matches!(message, Message::Text(_) | Message::Binary(_)))
    };
    let _ = batches::echo(socket, most, data).await;
}

async fn with_fastwebsockets(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>> {
    let (response, opening) = upgrade::upgrade(&mut request)?;
    tokio::spawn(async move {
        let mut socket = FragmentCollector::new(opening.await?);
        loop {
            let frame = socket.read_frame().await?;
            match frame.opcode {
                OpCode::Close => return Ok::<_, fastwebsockets::WebSocketError>(()),
                OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
                _ => {}
            }
        }
    });
    Ok(response)
}

async fn with_sockless(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    Ok(match sockless_hyper::upgrade(&mut request, &CONFIG) {
        Ok((response, opening)) => {
            tokio::spawn(async { sockless(opening.await?).await });
            response.map(|()| Full::default())
        }
        Err(refusal) => refusal.into_response(),
    })
}

async fn sockless(mut socket: Socket) -> Result<(), sockless_axum::Error> {
    loop {
        // Not `while let`: that holds what it matched as long as the body waits.
        let Some((message, mut outgoing)) = socket.recv_with().await? else { return Ok(()) };
        outgoing.feed(message).await?;
    }
}
