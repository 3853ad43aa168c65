//! Connects to a server, checks that it echoes, closes, and says in one line of JSON what became of it.
//!
//! `cargo run -p sockless-connect --example connect -- wss://127.0.0.1:9001 --cacert ca.pem --echo 3`
//!
//! For trying a server, a certificate or a proxy from a script: each way to fail has a name of its own. Exits with 0 if the
//! WebSocket was opened and closed as it should be, else with 1.

use std::error::Error;
use std::io::ErrorKind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{json, Value};
use sockless_connect::{
    blocking, ClientConfig, CloseCode, Closed, Connect, ConnectError, Message, OwnedMessage, Proxy,
    ProxyError, Response, Socket, Stage, Timeouts, Tls,
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
    /// Connect on blocking sockets, without tokio.
    #[arg(long)]
    blocking: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse();
    let connect = settings(&options)?;
    let (report, is_good) = match options.blocking {
        true => on_blocking_sockets(&connect, &options),
        false => on_tokio(&connect, &options)?,
    };
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

#[tokio::main(flavor = "current_thread")]
async fn on_tokio(connect: &Connect, options: &Options) -> Result<(Value, bool), Box<dyn Error>> {
    let began = Instant::now();
    let connected = connect.connect().await;
    let took = began.elapsed();
    Ok(match connected {
        Err(error) => (failure(&error, took), false),
        Ok((mut socket, response)) => {
            let result = converse(&mut socket, options).await;
            let report = success(&response, socket.subprotocol(), socket.closed(), &result, took);
            (report, result.is_ok())
        }
    })
}

fn on_blocking_sockets(connect: &Connect, options: &Options) -> (Value, bool) {
    let began = Instant::now();
    let connected = connect.connect_blocking();
    let took = began.elapsed();
    match connected {
        Err(error) => (failure(&error, took), false),
        Ok((mut socket, response)) => {
            let result = converse_blocking(&mut socket, options);
            let report = success(&response, socket.subprotocol(), socket.closed(), &result, took);
            (report, result.is_ok())
        }
    }
}

/// Sends messages, gets them back, and closes.
async fn converse(socket: &mut Socket, options: &Options) -> Result<(), Box<dyn Error>> {
    for message in messages(options.echo) {
        socket.send(message.as_message()).await?;
        compare(message.as_message(), socket.recv().await?)?;
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

/// The same.
fn converse_blocking(socket: &mut blocking::Socket, options: &Options) -> Result<(), Box<dyn Error>> {
    for message in messages(options.echo) {
        socket.send(message.as_message())?;
        compare(message.as_message(), socket.recv()?)?;
    }
    if let Some(text) = &options.say {
        socket.send(text.as_str())?;
    }
    let (began, stay) = (Instant::now(), Duration::from_millis(options.stay));
    loop {
        match socket.recv_timeout(stay.saturating_sub(began.elapsed())) {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(sockless_connect::Error::Io(error)) if error.kind() == ErrorKind::TimedOut => break,
            Err(error) => return Err(error.into()),
        }
    }
    socket.close(CloseCode::NORMAL)?;
    Ok(())
}

/// Text and binary messages of several sizes, so many times.
fn messages(times: usize) -> impl Iterator<Item = OwnedMessage> {
    let sizes = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];
    (0..times).flat_map(move |time| sizes.map(|size| (time, size))).flat_map(|(time, size)| {
        let text: String = ('a'..='z').cycle().skip(time).take(size).collect();
        let octets: Vec<u8> = (0..=u8::MAX).cycle().skip(time).take(size).collect();
        [text.into(), octets.into()]
    })
}

fn compare(message: Message<'_>, echo: Option<Message<'_>>) -> Result<(), Box<dyn Error>> {
    match echo {
        Some(echo) if echo == message => Ok(()),
        Some(_) => Err("another message came back".into()),
        None => Err("the server closed".into()),
    }
}

/// What is known of a connection that was opened.
fn success(
    response: &Response,
    subprotocol: Option<&str>,
    closed: Option<Closed>,
    result: &Result<(), Box<dyn Error>>,
    took: Duration,
) -> Value {
    json!({
        "result": "opened",
        "status": response.status(),
        "subprotocol": subprotocol,
        "close": closed.map(|closed| closed.status),
        "clean": closed.is_some_and(|closed| closed.clean),
        "error": result.as_ref().err().map(ToString::to_string),
        "ms": took.as_secs_f64() * 1e3,
    })
}

/// What is known of a failure.
fn failure(error: &ConnectError, took: Duration) -> Value {
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
        "ms": took.as_secs_f64() * 1e3,
    })
}
