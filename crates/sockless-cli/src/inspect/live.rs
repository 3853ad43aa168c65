//! A connection while it lives: we stand between a client and a server.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sockless::handshake::Uri;
use sockless::Side;
use sockless_connect::{Connect, Stream, UriBuf};
use tokio::io::{split, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};

use super::conversation::{head_end, Conversation, Record, MAX_HELD};
use super::show::Show;
use super::{judged, Options};
use crate::failure::{Exit, Failure};
use crate::interrupt::interrupt;
use crate::terminal::say;

/// Octets that are passed on at once.
const PIECE: usize = 16 << 10;

/// What all connections share.
struct Between {
    connect: Connect,
    uri: UriBuf,
    opening_time: Duration,
    show: Show,
    has_fault: AtomicBool,
    /// Nobody reads what is shown.
    unread: Notify,
}

pub async fn run(options: &Options, listen: &str, to: &str) -> Result<(), Failure> {
    let uri = UriBuf::parse(to).map_err(|error| Failure::usage(format_args!("--to: {error}")))?;
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| Failure::new(Exit::Other, format_args!("{listen}: {error}")))?;
    say(format_args!("listening on ws://{}/", listener.local_addr()?));
    let between = Arc::new(Between {
        connect: options.reach.connect(to)?,
        uri,
        opening_time: options.reach.opening_time,
        show: Show::new(options.json),
        has_fault: AtomicBool::new(false),
        unread: Notify::new(),
    });
    tokio::select! {
        () = welcome(&listener, &between, options) => {}
        () = between.unread.notified() => {}
        () = interrupt() => {}
    }
    judged(!between.has_fault.load(Relaxed))
}

/// Lets clients in, without end.
async fn welcome(listener: &TcpListener, between: &Arc<Between>, options: &Options) {
    let places = Arc::new(Semaphore::new(options.max_clients.into()));
    let mut number: u64 = 0;
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
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
        let seen = Seen {
            between: Arc::clone(between),
            number,
            began: Instant::now(),
            conversation: Mutex::new(Conversation::new(options.limits(), options.max_front())),
        };
        tokio::spawn(async move {
            seen.note(&format!("from {address}"));
            let what = match seen.serve(stream).await {
                Ok(()) => "closed".into(),
                Err(error) => format!("lost: {error}"),
            };
            seen.note(&what);
            if locked(&seen.conversation).has_fault() {
                seen.between.has_fault.store(true, Relaxed);
            }
            drop(place);
        });
    }
}

/// One connection, and what was seen of it.
struct Seen {
    between: Arc<Between>,
    number: u64,
    began: Instant,
    conversation: Mutex<Conversation>,
}

impl Seen {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let head = timeout(self.between.opening_time, self.head(&mut client)).await??;
        let server = match self.between.connect.stream().await {
            Ok(server) => server,
            Err(error) => {
                let _ = client.write_all(UNREACHED).await;
                return Err(io::Error::other(error));
            }
        };
        self.pass(client, server, &head).await
    }

    /// The head of the request, and what came with it.
    async fn head(&self, client: &mut TcpStream) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        let mut piece = vec![0; PIECE];
        while head_end(&head).is_none() {
            let read = client.read(&mut piece).await?;
            let octets = piece.get(..read).unwrap_or(&[]);
            if octets.is_empty() {
                self.ended(Side::Client);
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.received(Side::Client, octets);
            head.extend_from_slice(octets);
            if head.len() > MAX_HELD {
                return Err(io::Error::other("the head of the request is too long"));
            }
        }
        Ok(head)
    }

    /// Passes everything on, in both directions, until both have ended.
    async fn pass(&self, client: TcpStream, server: Stream, head: &[u8]) -> io::Result<()> {
        let (from_client, to_client) = client.into_split();
        let (from_server, mut to_server) = split(server);
        to_server.write_all(&asked_of(head, self.between.uri.as_uri())).await?;
        to_server.flush().await?;
        let there = self.pass_on(Side::Client, from_client, to_server);
        let back = self.pass_on(Side::Server, from_server, to_client);
        tokio::try_join!(there, back).map(drop)
    }

    async fn pass_on(
        &self,
        from: Side,
        mut source: impl AsyncRead + Unpin,
        mut target: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            let read = source.read(&mut piece).await?;
            let octets = piece.get(..read).unwrap_or(&[]);
            if octets.is_empty() {
                self.ended(from);
                // The other side may have gone meanwhile.
                let _ = target.shutdown().await;
                return Ok(());
            }
            self.received(from, octets);
            target.write_all(octets).await?;
            target.flush().await?;
        }
    }

    fn received(&self, from: Side, octets: &[u8]) {
        // Both directions are shown in the order of their times.
        let mut conversation = locked(&self.conversation);
        let mut records = Vec::new();
        conversation.received(from, octets, self.began.elapsed(), &mut records);
        self.show(records);
    }

    fn ended(&self, from: Side) {
        let mut conversation = locked(&self.conversation);
        let mut records = Vec::new();
        conversation.ended(from, self.began.elapsed(), &mut records);
        self.show(records);
    }

    fn show(&self, records: Vec<Record>) {
        if self.between.show.records(self.number, records).is_err() {
            self.between.unread.notify_one();
        }
    }

    fn note(&self, what: &str) {
        if self.between.show.note(self.number, what, Some(self.began.elapsed())).is_err() {
            self.between.unread.notify_one();
        }
    }
}

/// What the client is told where the server cannot be reached.
const UNREACHED: &[u8] = b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// The request as the server is to see it: for its own host, and for the path of its URL, if that has one. Everything else, and
/// what follows the head, stays as it is.
fn asked_of(request: &[u8], uri: Uri<'_>) -> Vec<u8> {
    let end = head_end(request).unwrap_or(request.len());
    let (head, rest) = request.split_at_checked(end).unwrap_or((request, &[]));
    let target = uri.resource_name().to_string();
    let host = match uri.is_default_port() {
        true => uri.host().to_owned(),
        false => format!("{}:{}", uri.host(), uri.port()),
    };
    let mut asked = Vec::new();
    for (at, line) in head.split_inclusive(|octet| *octet == b'\n').enumerate() {
        let mut words = line.splitn(3, |octet| *octet == b' ');
        match (at, words.next(), words.next(), words.next()) {
            (0, Some(method), Some(_), Some(version)) if target != "/" => {
                asked.extend_from_slice(method);
                asked.extend_from_slice(format!(" {target} ").as_bytes());
                asked.extend_from_slice(version);
            }
            (1.., ..) if line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"Host:")) => {
                asked.extend_from_slice(format!("Host: {host}\r\n").as_bytes());
            }
            _ => asked.extend_from_slice(line),
        }
    }
    asked.extend_from_slice(rest);
    asked
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
