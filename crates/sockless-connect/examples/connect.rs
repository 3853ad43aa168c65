//! Connects to a server, checks that it echoes, closes, and says in one line of JSON what became of it.
//!
//! `cargo run -p sockless-connect --example connect -- wss://127.0.0.1:9001 --cacert ca.pem --echo 3`
//!
//! For trying a server, a certificate or a proxy from a script: each way to fail has a name of its own. Exits with 0 if the
//! WebSocket was opened and closed as it should be, else with 1.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{json, Value};
use sockless_connect::{
    ClientConfig, CloseCode, Connect, ConnectError, Message, Proxy, ProxyError, Response, Socket, Stage,
    Timeouts, Tls,
};
use tokio::time::timeout;

#[derive(Parser)]
#[command(about = "Connects to a WebSocket server, and says what became of it")]
struct Options {
    /// A `ws:` or `wss:` URL.
    url: String,
    /// A header field to send.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// A subprotocol to offer, the preferred first.
    #[arg(long = "subprotocol", value_name = "NAME")]
    subprotocols: Vec<String>,
    /// `http:`, `https:`, `socks5:` or `socks5h:`, with a user name and a password if it wants them.
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Trust these authorities instead of the system's, of the server and of an `https:` proxy.
    #[arg(long, value_name = "PEM")]
    cacert: Option<String>,
    /// Show this certificate to a server that asks for one.
    #[arg(long, value_name = "PEM", requires = "key")]
    cert: Option<String>,
    /// The private key of that certificate.
    #[arg(long, value_name = "PEM", requires = "cert")]
    key: Option<String>,
    /// Follow so many redirects.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    redirects: u8,
    /// All of connecting has this time, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    opening_time: u64,
    /// Offer no compression.
    #[arg(long)]
    no_deflate: bool,
    /// Send text and binary messages of several sizes so many times, and expect them back.
    #[arg(long, value_name = "TIMES", default_value_t = 0)]
    echo: usize,
    /// Send this text after that.
    #[arg(long, value_name = "TEXT")]
    say: Option<String>,
    /// Stay connected so long before closing, in milliseconds, unless the server closes.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    stay: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse();
    let connect = settings(&options)?;
    let began = Instant::now();
    let connected = connect.connect().await;
    let ms = began.elapsed().as_millis();
    let (mut report, is_good) = match connected {
        Err(error) => (failure(&error), false),
        Ok((mut socket, response)) => {
            let result = converse(&mut socket, &options).await;
            let closed = socket.closed();
            let report = json!({
                "result": "opened",
                "status": response.status(),
                "subprotocol": socket.subprotocol(),
                "close": closed.map(|closed| closed.status),
                "clean": closed.is_some_and(|closed| closed.clean),
                "error": result.as_ref().err().map(ToString::to_string),
            });
            (report, result.is_ok())
        }
    };
    report["ms"] = json!(u64::try_from(ms)?);
    println!("{report}");
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn settings(options: &Options) -> Result<Connect, Box<dyn Error>> {
    let mut timeouts = Timeouts::CLIENT;
    timeouts.opening = Some(Duration::from_millis(options.opening_time));
    let mut tls = Tls::new();
    if let Some(path) = &options.cacert {
        tls = tls.with_added_roots_only().with_root_pem(std::fs::read(path)?)?;
    }
    let mut connect = Connect::new(&options.url)
        .with_config(ClientConfig::new().with_timeouts(timeouts))
        .with_redirects(options.redirects);
    if let Some(url) = &options.proxy {
        // Its certificate may be of the same authority. It is not told who we are.
        connect = connect.with_proxy(Proxy::new(url)?.with_tls(tls.clone()));
    }
    if let (Some(chain), Some(key)) = (&options.cert, &options.key) {
        tls = tls.with_client_certificate_pem(std::fs::read(chain)?, std::fs::read(key)?)?;
    }
    connect = connect.with_tls(tls);
    for line in &options.headers {
        let (name, value) = line.split_once(':').ok_or("a header is NAME: VALUE")?;
        connect = connect.with_field(name, value.trim());
    }
    for name in &options.subprotocols {
        connect = connect.with_subprotocol(name);
    }
    if options.no_deflate {
        connect = connect.without_deflate();
    }
    Ok(connect)
}

/// Sends messages, gets them back, and closes.
async fn converse(socket: &mut Socket, options: &Options) -> Result<(), Box<dyn Error>> {
    for time in 0..options.echo {
        for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
            let text: String = ('a'..='z').cycle().skip(time).take(size).collect();
            echoed(socket, Message::Text(&text)).await?;
            let octets: Vec<u8> = (0..=u8::MAX).cycle().skip(time).take(size).collect();
            echoed(socket, Message::Binary(&octets)).await?;
        }
    }
    if let Some(text) = &options.say {
        socket.send(text.as_str()).await?;
    }
    let until_closed = async {
        while socket.recv().await?.is_some() {}
        Ok::<_, sockless_connect::Error>(())
    };
    match timeout(Duration::from_millis(options.stay), until_closed).await {
        Ok(result) => result?,
        Err(_) => drop(socket.close(CloseCode::NORMAL).await?),
    }
    Ok(())
}

async fn echoed(socket: &mut Socket, message: Message<'_>) -> Result<(), Box<dyn Error>> {
    socket.send(message).await?;
    match socket.recv().await? {
        Some(echo) if echo == message => Ok(()),
        Some(_) => Err("another message came back".into()),
        None => Err("the server closed".into()),
    }
}

/// What is known of a failure.
fn failure(error: &ConnectError) -> Value {
    let (result, response) = match error {
        ConnectError::InvalidUrl(_) => ("invalid URL", None),
        ConnectError::InvalidRequest(_) => ("invalid request", None),
        ConnectError::TlsUnavailable => ("no TLS", None),
        ConnectError::TimedOut(_) => ("timed out", None),
        ConnectError::Resolve(_) => ("not found", None),
        ConnectError::Connect(_) => ("unreachable", None),
        ConnectError::Proxy(ProxyError::Unreachable(_)) => ("proxy: unreachable", None),
        ConnectError::Proxy(ProxyError::Tls(_)) => ("proxy: TLS", None),
        ConnectError::Proxy(ProxyError::Rejected(response)) => ("proxy: rejected", Some(response)),
        ConnectError::Proxy(ProxyError::Socks5(_)) => ("proxy: refused", None),
        ConnectError::Proxy(_) => ("proxy: failed", None),
        ConnectError::Tls(_) => ("TLS", None),
        ConnectError::Rejected(response) => ("rejected", Some(response)),
        ConnectError::TooManyRedirects(response) => ("too many redirects", Some(response)),
        ConnectError::Handshake(_) => ("handshake", None),
        _ => ("failed", None),
    };
    let challenges = response.map(Response::challenges).unwrap_or_default();
    json!({
        "result": result,
        "stage": error.stage().map(|stage| match stage {
            Stage::Resolving => "resolving",
            Stage::Connecting => "connecting",
            Stage::Proxy => "proxy",
            Stage::Tls => "tls",
            Stage::Handshake => "handshake",
            _ => "another",
        }),
        "error": error.to_string(),
        "status": response.map(Response::status),
        "location": response.and_then(Response::location).map(ToString::to_string),
        "challenges": challenges.iter().map(|challenge| challenge.scheme()).collect::<Vec<_>>(),
        "body": response.map(|response| String::from_utf8_lossy(response.body())),
        "is_complete": response.map(Response::is_complete),
    })
}
