//! Connecting on blocking sockets: a thread for each connection, and no runtime.
//!
//! ```no_run
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let (mut socket, response) = sockless_connect::blocking::connect("ws://example.com/feed")?;
//! println!("{:?}", response.field("Server"));
//! while let Some(message) = socket.recv()? {
//!     println!("{}", message.as_text().unwrap_or("(bytes)"));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Everything is as on tokio: the settings ([`Connect`]), the errors, and the one time for all stages.
//! [`Connect::connect_blocking`] is for settings, [`Connect::client_blocking`] for a stream that is there already, and
//! [`Connect::stream_blocking`] for a stream without a WebSocket.
//!
//! The socket is [`sockless::blocking::WebSocket`], and can do all that this one can. Only a stream that another library
//! has made ([`Connect::with_tls_by_blocking`]) cannot be used by two threads:
//! [`into_split`](sockless::blocking::WebSocket::into_split) fails there with [`Unsupported`](io::ErrorKind::Unsupported).
//!
//! Nothing stays behind, with one exception. The system's resolver cannot be interrupted, so it runs on a thread of its
//! own if there is an opening time, and that thread ends when it has answered. A host that is an address needs none.
//
// Owns: how one waits on blocking sockets.
// Must not know: what is done, and in which order.

mod reconnect;
mod stream;
#[cfg(feature = "rustls")]
mod tls;

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::pin::pin;
use std::sync::{mpsc, Arc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use sockless::blocking::{client_with, BlockingTransport, ClientSocket};
use sockless::handshake::UriBuf;
use sockless::{Client, ClientConfig, Error, SystemEntropy};

use crate::gate::Turn;
use crate::layer::Layer;
use crate::net::{literal, look_up, Net};
use crate::open::failed;
use crate::staggered::Attempts;
use crate::{Connect, ConnectError, Response, Stage};

pub use reconnect::Reconnect;
pub use stream::Stream;

/// A WebSocket that was connected. Its methods are those of [`blocking::WebSocket`](sockless::blocking::WebSocket).
pub type Socket = ClientSocket<Stream>;

/// The receiving half of a [`Socket`] that was split.
pub type Receiver = sockless::blocking::Receiver<Stream, Client<SystemEntropy>>;

/// The sending half of a [`Socket`] that was split.
pub type Sender = sockless::blocking::Sender<Stream, Client<SystemEntropy>>;

/// Connects to this URL: `ws:`, or `wss:` with TLS. Returns the WebSocket, and the answer that opened it.
///
/// [`Connect`] says what else can be set.
///
/// # Errors
///
/// [`ConnectError`].
pub fn connect(url: &str) -> Result<(Socket, Response), ConnectError> {
    Connect::new(url).connect_blocking()
}

impl Connect {
    /// Connects on blocking sockets. Returns the WebSocket, and the answer that opened it.
    ///
    /// All of it is done within [`Timeouts::opening`](sockless::Timeouts::opening). If the host has several addresses,
    /// the next one is tried after 250 ms, or when one has failed, and the first that answers is taken (RFC 8305).
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub fn connect_blocking(&self) -> Result<(Socket, Response), ConnectError> {
        done(self.dial::<Blocking>())
    }

    /// Connects on blocking sockets, through the proxy and through TLS, but asks nothing of the server. All of it is done
    /// within [`Timeouts::opening`](sockless::Timeouts::opening), and no time limit is left on the stream.
    ///
    /// For proxies and test tools, which write a request of their own.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub fn stream_blocking(&self) -> Result<Stream, ConnectError> {
        let uri = self.uri()?;
        let mut stream = done(self.reach::<Blocking>(&uri, self.until::<Blocking>(), &mut Vec::new()))?;
        stream.limit_read(None).map_err(ConnectError::Connect)?;
        Ok(stream)
    }

    /// Opens the WebSocket on a blocking stream that is connected already, through TLS if the URL is `wss:`. The opening
    /// time begins here, and it is the server's answer alone that it limits.
    ///
    /// For what this crate does not connect to: a Unix socket, a tunnel, a stream in memory.
    ///
    /// # Errors
    ///
    /// [`ConnectError`].
    pub fn client_blocking<S: BlockingTransport>(
        &self,
        stream: S,
    ) -> Result<(ClientSocket<S>, Response), ConnectError> {
        let (uri, config) = self.request()?;
        client_with(stream, &uri, &config, Response::of_accepted).map_err(|error| failed(error, &uri))
    }
}

/// What a future of [`Blocking`] results in: it waits while it is polled, and never for a waker.
fn done<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Sockets that block.
struct Blocking;

impl Net for Blocking {
    type Stream = Stream;
    type Socket = Socket;

    fn now() -> Instant {
        Instant::now()
    }

    async fn in_time<T>(
        until: Option<Instant>,
        stage: Stage,
        operation: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        // Each wait in it ends with an error when the time is up.
        let result = operation.await;
        match until {
            Some(until) if result.is_err() && Instant::now() >= until => Err(ConnectError::TimedOut(stage)),
            _ => result,
        }
    }

    async fn resolve(host: (&str, u16), until: Option<Instant>) -> io::Result<Vec<SocketAddr>> {
        if let Some(addresses) = literal(host) {
            return Ok(addresses);
        }
        let Some(until) = until else { return Ok(host.to_socket_addrs()?.collect()) };
        let (sender, receiver) = mpsc::sync_channel(1);
        look_up(host, move |addresses| {
            // Nobody may wait for it any more.
            let _ = sender.send(addresses);
        })?;
        let left = until.saturating_duration_since(Instant::now());
        receiver.recv_timeout(left).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn wait_for(turn: &Turn, until: Option<Instant>) -> io::Result<()> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        while turn.poll(&Context::from_waker(&waker)).is_pending() {
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => return Err(io::ErrorKind::TimedOut.into()),
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
        }
        Ok(())
    }

    async fn connect(addresses: Vec<SocketAddr>, until: Option<Instant>) -> io::Result<Stream> {
        let stream = first_of(addresses, until)?;
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        let mut stream = Stream::tcp(stream);
        stream.end_at(until);
        Ok(stream)
    }

    fn takes(layer: &Layer) -> bool {
        match layer {
            #[cfg(feature = "tokio")]
            Layer::Tokio(_) => false,
            _ => true,
        }
    }

    async fn wrap(stream: Stream, layer: Layer, host: &str) -> io::Result<Stream> {
        match layer {
            #[cfg(feature = "rustls")]
            Layer::Tls(tls) => Stream::tls(tls.client_config()?, stream, host),
            #[cfg(feature = "rustls")]
            Layer::Rustls(config) => Stream::tls(config, stream, host),
            #[cfg(feature = "tokio")]
            Layer::Tokio(_) => Err(io::ErrorKind::Unsupported.into()),
            Layer::Blocking(wrap) => {
                let mut stream = wrap(stream, host.into())?;
                // Where that fails, nothing would end a wait.
                stream.limit_read(None)?;
                stream.limit_write(None)?;
                Ok(stream)
            }
        }
    }

    async fn read(stream: &mut Stream, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match stream.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    async fn read_until(stream: &mut Stream, buf: &mut [u8], until: Option<Instant>) -> io::Result<usize> {
        stream.end_at(until);
        Self::read(stream, buf).await
    }

    async fn write(stream: &mut Stream, octets: &[u8]) -> io::Result<()> {
        stream.write_all(octets)?;
        stream.flush()
    }

    async fn open(stream: Stream, uri: &UriBuf, config: &ClientConfig) -> Result<(Socket, Response), Error> {
        // From here on the engine limits each wait.
        client_with(stream, uri, config, Response::of_accepted)
    }
}

/// The connection to the first of these addresses that answers. It does not block yet.
///
/// # Errors
///
/// The first error, if all fail. [`io::ErrorKind::TimedOut`] if the time was up.
fn first_of(addresses: Vec<SocketAddr>, until: Option<Instant>) -> io::Result<TcpStream> {
    let mut plan = Attempts::new(addresses);
    let mut attempts = Vec::new();
    let mut poll = mio::Poll::new()?;
    let mut events = mio::Events::with_capacity(8);
    loop {
        let turn = plan.next()?;
        if let Some(address) = turn.begin {
            match begin(&poll, address) {
                Ok(attempt) => attempts.push(attempt),
                Err(error) => {
                    plan.failed(error);
                    continue;
                }
            }
        }
        let next = turn.wait.and_then(|wait| Instant::now().checked_add(wait));
        loop {
            let mut ended =
                attempts.iter().enumerate().filter_map(|(at, attempt)| Some((at, state(attempt)?)));
            if let Some((at, result)) = ended.next() {
                drop(ended);
                let attempt = attempts.swap_remove(at);
                match result {
                    Ok(()) => return Ok(attempt.into()),
                    Err(error) => plan.failed(error),
                }
                break;
            }
            let now = Instant::now();
            if until.is_some_and(|until| until <= now) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let wake = until.into_iter().chain(next).min();
            let left = wake.map(|wake| wake.saturating_duration_since(now));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            match poll.poll(&mut events, left) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }
}

/// Begins to connect to this address.
fn begin(poll: &mio::Poll, address: SocketAddr) -> io::Result<mio::net::TcpStream> {
    let mut attempt = mio::net::TcpStream::connect(address)?;
    // All are looked at, whichever has an event.
    poll.registry().register(&mut attempt, mio::Token(0), mio::Interest::WRITABLE)?;
    Ok(attempt)
}

/// How an attempt has ended. `None` if it goes on.
fn state(attempt: &mio::net::TcpStream) -> Option<io::Result<()>> {
    match attempt.take_error() {
        // Systems say in different ways that there is no peer yet.
        Ok(None) => attempt.peer_addr().is_ok().then_some(Ok(())),
        Ok(Some(error)) | Err(error) => Some(Err(error)),
    }
}

#[cfg(test)]
mod tests;
