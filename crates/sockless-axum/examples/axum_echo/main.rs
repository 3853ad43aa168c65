//! Echoes every message, over HTTP/1.1 and HTTP/2 on one port: `cargo run --release -p sockless-axum --example axum_echo`.
//!
//! The loop over connections stands in the place of `axum::serve`, which has neither TLS nor HTTP/2 windows that fit WebSockets:
//! by default one client that does not read holds up all others of its connection.

use std::error::Error;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clap::Parser;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::{
    conn::auto::Builder,
    graceful::{GracefulShutdown, Watcher},
};
use hyper_util::service::TowerToHyperService;
use sockless_axum::{handshake::OriginPolicy, Policy, ServerConfig, Socket, Sockets, WebSocketUpgrade};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

mod tls;

#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    /// TLS, with a certificate chain and its key, as PEM files.
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"])]
    tls: Option<Vec<String>>,
    /// Which web pages may connect: `any`, `same-host`, `none`, or an origin such as `https://example.com`, also repeated.
    #[arg(long, value_name = "ORIGIN", default_value = "any")]
    origin: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut config = ServerConfig::new(OriginPolicy::NonBrowser).with_deflate(Policy::DEFAULT);
    for origin in &options.origin {
        match &**origin {
            "any" => config.origin = OriginPolicy::Any,
            "same-host" => config.origin = OriginPolicy::SameHost,
            "none" => {}
            origin => config = config.with_origin(origin),
        }
    }
    let (config, sockets, graceful) = (Arc::new(config), Sockets::new(), GracefulShutdown::new());
    let of_handler = sockets.clone();
    let handler = async move |ws: WebSocketUpgrade| ws.with_sockets(&of_handler).on_upgrade(&config, echo);
    let app = Router::new().fallback(handler);
    let tls = options.tls.as_deref().map(tls::acceptor).transpose()?;
    let listener = TcpListener::bind(&options.listen).await?;
    let _ = writeln!(io::stdout(), "listening on {}", listener.local_addr()?);
    let mut signal = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut signal => break,
        };
        let Ok((stream, _)) = accepted else {
            sleep(Duration::from_millis(50)).await; // too many open files, perhaps
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (app, tls, watcher) = (app.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let Some(tls) = tls else { return serve(stream, app, watcher).await };
            if let Ok(Ok(stream)) = timeout(Duration::from_secs(10), tls.accept(stream)).await {
                serve(stream, app, watcher).await;
            }
        });
    }
    drop(listener);
    sockets.close_after(async {}, Duration::from_secs(5)).await;
    let _ = tokio::join!(timeout(Duration::from_secs(6), graceful.shutdown()), sockets.ended());
    Ok(())
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, app: Router, watcher: Watcher) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    let mut http2 = builder.http2();
    http2.enable_connect_protocol().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(20));
    http2.initial_stream_window_size(64 << 10).initial_connection_window_size(8 << 20);
    let service = TowerToHyperService::new(app);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let _ = watcher.watch(connection.into_owned()).await; // one that failed concerns no other
}

async fn echo(mut socket: Socket) -> Result<(), sockless_axum::Error> {
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        outgoing.feed(message).await?;
    }
    Ok(())
}
