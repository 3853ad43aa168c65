//! What connecting needs of the system.
//
// Owns: the names of the operations that wait.
// Must not know: what they are done for, or how one waits.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::Instant;

use sockless::handshake::UriBuf;
use sockless::{ClientConfig, Error};

use crate::gate::Turn;
use crate::layer::Layer;
use crate::{ConnectError, Response, Stage};

/// Names, sockets and time: on tokio, or on blocking sockets. What is done with them stands once.
///
/// On blocking sockets an operation waits while it is polled, so that one poll is the whole.
pub(crate) trait Net {
    type Stream;
    /// A WebSocket on it.
    type Socket;

    fn now() -> Instant;

    /// Does this, but not past the time.
    async fn in_time<T>(
        until: Option<Instant>,
        stage: Stage,
        operation: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError>;

    /// The addresses of a host, the best one first.
    async fn resolve(host: (&str, u16), until: Option<Instant>) -> io::Result<Vec<SocketAddr>>;

    /// Waits until it is the turn of this.
    async fn wait_for(turn: &Turn, until: Option<Instant>) -> io::Result<()>;

    /// A TCP connection to one of these, on which small messages do not wait for others. What is read and written is
    /// bounded by the time until [`open`](Self::open).
    async fn connect(addresses: Vec<SocketAddr>, until: Option<Instant>) -> io::Result<Self::Stream>;

    /// Whether TLS can be set up in this way here.
    fn takes(layer: &Layer) -> bool;

    /// Sets TLS up.
    async fn wrap(stream: Self::Stream, layer: Layer, host: &str) -> io::Result<Self::Stream>;

    /// Reads once. 0 is the end.
    async fn read(stream: &mut Self::Stream, buf: &mut [u8]) -> io::Result<usize>;

    /// The same, but not past the time.
    async fn read_until(
        stream: &mut Self::Stream,
        buf: &mut [u8],
        until: Option<Instant>,
    ) -> io::Result<usize>;

    /// Writes all of it.
    async fn write(stream: &mut Self::Stream, octets: &[u8]) -> io::Result<()>;

    /// The opening handshake.
    async fn open(
        stream: Self::Stream,
        uri: &UriBuf,
        config: &ClientConfig,
    ) -> Result<(Self::Socket, Response), Error>;
}

/// The address that this host is already, if it is no name.
pub(crate) fn literal((host, port): (&str, u16)) -> Option<Vec<SocketAddr>> {
    host.parse::<IpAddr>().ok().map(|address| vec![(address, port).into()])
}

/// Looks a name up on a thread of its own, and passes the addresses on. The system's resolver cannot be interrupted, so
/// nobody may have to wait for that thread: not whoever's time is up, and not a runtime that ends.
pub(crate) fn look_up(
    (host, port): (&str, u16),
    pass_on: impl FnOnce(io::Result<Vec<SocketAddr>>) + Send + 'static,
) -> io::Result<()> {
    let host = String::from(host);
    let looking = move || pass_on((host.as_str(), port).to_socket_addrs().map(Vec::from_iter));
    thread::Builder::new().name("resolver".into()).spawn(looking).map(drop)
}
