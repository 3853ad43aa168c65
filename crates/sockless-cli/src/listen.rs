//! `sockless listen`: standard input to all clients, and what they say to standard output; or an echo.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Args;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sockless::deflate::{Policy, Tuning};
use sockless::handshake::OriginPolicy;
use sockless::message::Prepared;
use sockless::tokio::{accept, ServerSocket};
use sockless::{CloseCode, Message, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, Notify, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::client::Bounds;
use crate::failure::{Exit, Failure};
use crate::interrupt::interrupt;
use crate::speech::{Input, Mode, Output, Piece};
use crate::terminal::say;
use crate::values::{duration, file};

/// Wait for clients: standard input goes to all of them, and what they say is written to standard output.
///
/// Each line is a message. Standard input is read while somebody is there, as fast as the slowest client takes it. Its end closes
/// all connections in order, and so does Ctrl-C.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sockless listen 127.0.0.1:9000                 talk with who connects
  sockless listen 127.0.0.1:9000 --echo          say what they say
  sockless listen 127.0.0.1:0 --tls cert.pem key.pem --origin https://example.com")]
pub struct Options {
    /// Where to listen; port 0 picks a free one, which is named on standard error.
    #[arg(value_name = "ADDRESS:PORT")]
    address: String,
    /// Send every message back to who sent it.
    #[arg(long, conflicts_with_all = ["binary", "no_close"])]
    echo: bool,
    /// Standard input goes out as binary messages, as it comes, and what comes is written as it is.
    #[arg(short, long)]
    binary: bool,
    /// Go on to listen where standard input ends.
    #[arg(short, long)]
    no_close: bool,
    /// wss: with this certificate and its private key (PEM).
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"])]
    tls: Vec<String>,
    /// Which web pages may connect: same-host, any, none, or an origin such as https://example.com. Clients that are no browser
    /// always may.
    #[arg(long, value_name = "ORIGIN", default_value = "same-host")]
    origin: Vec<String>,
    /// A subprotocol that is supported, the preferred first.
    #[arg(long = "subprotocol", value_name = "NAME")]
    subprotocols: Vec<String>,
    /// Accept no compression.
    #[arg(long)]
    no_deflate: bool,
    /// At most so many clients at the same time. Others wait.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Limits")]
    max_clients: u16,
    /// The time for a client's TLS, and for its request.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration, help_heading = "Limits")]
    opening_time: Duration,
    #[command(flatten)]
    bounds: Bounds,
}

/// Messages that wait for a client.
const WAITING: usize = 16;
/// How long clients have for the closing handshake in the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Everybody who is there, and what they share.
struct Room {
    /// Who is to be told what standard input says. Without its sender, a client is told that this is the end.
    clients: Mutex<BTreeMap<u64, mpsc::Sender<Prepared>>>,
    output: tokio::sync::Mutex<Output>,
    config: ServerConfig,
    tls: Option<TlsAcceptor>,
    is_echo: bool,
    somebody_came: Notify,
    /// Nobody reads what standard output says.
    unheard: Notify,
}

pub async fn run(options: &Options) -> Result<(), Failure> {
    let mode = if options.binary { Mode::Binary } else { Mode::Lines };
    let tls = acceptor(&options.tls)?;
    let listener = TcpListener::bind(&options.address).await;
    let unbound = |error| Failure::new(Exit::Other, format_args!("{}: {error}", options.address));
    let listener = listener.map_err(unbound)?;
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    say(format_args!("listening on {scheme}://{}/", listener.local_addr()?));
    let room = Arc::new(Room {
        clients: Mutex::default(),
        output: Output::new(mode).into(),
        config: config(options),
        tls,
        is_echo: options.echo,
        somebody_came: Notify::new(),
        unheard: Notify::new(),
    });
    let places = Arc::new(Semaphore::new(options.max_clients.into()));
    let result = tokio::select! {
        () = welcome(&listener, &room, &places) => Ok(()),
        spoken = speak(options, mode, &room) => spoken,
        () = room.unheard.notified() => Ok(()),
        () = interrupt() => Ok(()),
    };
    drop(listener);
    room.clients().clear();
    // All of them are gone once all places are free.
    let _ = timeout(LAST_WORDS, places.acquire_many(options.max_clients.into())).await;
    result
}

fn config(options: &Options) -> ServerConfig {
    let mut policy = OriginPolicy::NonBrowser;
    let mut origins = Vec::new();
    for origin in &options.origin {
        match origin.as_str() {
            "any" => policy = OriginPolicy::Any,
            "same-host" => policy = OriginPolicy::SameHost,
            "none" => {}
            origin => origins.push(origin),
        }
    }
    let mut config = ServerConfig::new(policy)
        .with_keep_alive(options.bounds.ping_interval, options.bounds.ping_interval)
        .with_max_message_size(options.bounds.max_message_size);
    config.timeouts.opening = Some(options.opening_time);
    config.deflate = (!options.no_deflate).then_some(Policy::DEFAULT);
    for origin in origins {
        config = config.with_origin(origin);
    }
    for name in &options.subprotocols {
        config = config.with_subprotocol(name);
    }
    config
}

fn acceptor(paths: &[String]) -> Result<Option<TlsAcceptor>, Failure> {
    let [certificate, key] = paths else { return Ok(None) };
    let failed = |path: &str, error: &dyn std::fmt::Display| Failure::usage(format_args!("{path}: {error}"));
    let chain = CertificateDer::pem_slice_iter(&file(certificate)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| failed(certificate, &error))?;
    let secret = PrivateKeyDer::from_pem_slice(&file(key)?).map_err(|error| failed(key, &error))?;
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret));
    let mut config = config.map_err(|error| failed(certificate, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// Lets clients in, without end.
async fn welcome(listener: &TcpListener, room: &Arc<Room>, places: &Arc<Semaphore>) {
    let mut number: u64 = 0;
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return };
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            // One connection that failed, or too many open files: neither is a reason to end.
            Err(error) => {
                say(format_args!("no connection: {error}"));
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        number = number.saturating_add(1);
        let (room, number) = (Arc::clone(room), number);
        tokio::spawn(async move {
            say(format_args!("#{number} from {address}"));
            match room.serve(stream, number).await {
                Ok(()) => say(format_args!("#{number} closed")),
                Err(failure) => say(format_args!("#{number} {failure}")),
            }
            drop(place);
        });
    }
}

/// Tells all clients what standard input says, until it ends.
async fn speak(options: &Options, mode: Mode, room: &Room) -> Result<(), Failure> {
    if !options.echo {
        let mut input = Input::new(mode, options.bounds.max_message_size);
        while let Some(piece) = input.next().await? {
            let message = match &piece {
                Piece::Text(text) | Piece::Fragment { text, .. } => Message::from(text.as_str()),
                Piece::Binary(octets) => Message::from(octets.as_slice()),
            };
            let message = match room.config.deflate {
                Some(policy) => Prepared::deflated(message, policy.server_max_window_bits, Tuning::DEFAULT)
                    .map_err(|error| Failure::new(Exit::Other, error))?,
                None => Prepared::new(message),
            };
            while room.clients().is_empty() {
                room.somebody_came.notified().await;
            }
            let clients: Vec<_> = room.clients().values().cloned().collect();
            for client in clients {
                // Who is gone hears nothing.
                let _ = client.send(message.clone()).await;
            }
        }
        if !options.no_close {
            return Ok(());
        }
    }
    std::future::pending().await
}

impl Room {
    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, mpsc::Sender<Prepared>>> {
        // Each change of it is whole.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(&self, stream: TcpStream, number: u64) -> Result<(), Failure> {
        stream.set_nodelay(true)?;
        let Some(acceptor) = &self.tls else {
            return self.talk(accept(stream, &self.config).await?, number).await;
        };
        let limit = self.config.timeouts.opening.unwrap_or(LAST_WORDS);
        let stream = match timeout(limit, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Failure::new(Exit::Tls, format_args!("TLS: {error}"))),
            Err(_) => return Err(Failure::new(Exit::TimedOut, "setting up TLS took too long")),
        };
        self.talk(accept(stream, &self.config).await?, number).await
    }

    async fn talk<S>(&self, socket: ServerSocket<S>, number: u64) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (sender, queue) = mpsc::channel(WAITING);
        self.clients().insert(number, sender);
        self.somebody_came.notify_one();
        let ended = match self.is_echo {
            true => echo(socket, queue).await,
            false => self.chat(socket, queue, number).await,
        };
        self.clients().remove(&number);
        ended
    }

    /// Writes what this client says, and tells it what is in the queue.
    async fn chat<S>(
        &self,
        socket: ServerSocket<S>,
        mut queue: mpsc::Receiver<Prepared>,
        number: u64,
    ) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut receiver, mut sender) = socket.into_split();
        let from = format!("#{number} ");
        let heard = {
            let mut hearing = pin!(async {
                while let Some(message) = receiver.recv().await? {
                    match self.output.lock().await.write(&from, message).await {
                        Err(error) if error.kind() == ErrorKind::BrokenPipe => self.unheard.notify_one(),
                        written => written?,
                    }
                }
                Ok::<_, Failure>(())
            });
            let mut telling = pin!(async {
                while let Some(message) = queue.recv().await {
                    if sender.send_prepared(&message).await.is_err() {
                        return;
                    }
                }
                // Whether that went well, the receiving half knows.
                let _ = sender.start_close(CloseCode::NORMAL).await;
            });
            let mut is_telling = true;
            loop {
                tokio::select! {
                    heard = &mut hearing => break heard,
                    () = &mut telling, if is_telling => is_telling = false,
                }
            }
        };
        heard.and_then(|()| Failure::of_end(receiver.closed(), receiver.close_reason()))
    }
}

/// Sends back what comes, until the queue is over.
async fn echo<S>(mut socket: ServerSocket<S>, mut queue: mpsc::Receiver<Prepared>) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut is_open = true;
    loop {
        tokio::select! {
            incoming = socket.recv_with() => match incoming? {
                Some((message, mut outgoing)) if is_open => outgoing.feed(message).await?,
                Some(_) => {}
                None => break,
            },
            _ = queue.recv(), if is_open => {
                is_open = false;
                socket.start_close(CloseCode::GOING_AWAY).await?;
            }
        }
    }
    Failure::of_end(socket.closed(), socket.close_reason())
}
