//! The opening handshake on transports that are polled.
//
// Owns: reading and writing it.
// Must not know: its rules.

use alloc::boxed::Box;
use core::future::{poll_fn, Future};
use core::pin::pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;

use super::{PollTransport, WebSocket};
use crate::adapter::agreed::Agreed;
use crate::adapter::opening::{
    ask, client_handshake, cut_off, parting_time, request, serve, too_late, until_end, ClientStep, Plain,
    Refused, Unanswered, LATE, MAX_DRAINED, SHORT_PARTING,
};
use crate::adapter::{Answer, ClientConfig, Connections, Error, Opened, Refusal, ServerConfig};
use crate::entropy::SystemEntropy;
use crate::handshake::client::{Accepted, ClientRequest};
use crate::handshake::server::{Request, ServerHandshake};
use crate::role::{Client, Server};
use crate::time::Timestamp;

/// Bytes of a read, at most: most heads are shorter.
const READ: usize = 4096;

/// The functions that open a WebSocket on transports of one kind.
///
/// `S` is what a caller gives. `$wrap` makes a [`PollTransport`] of it, and `$unwrap` gives it back. `$time` says what
/// bounds an opening handshake in time.
macro_rules! opening_functions {
    (
        $(#[$time:meta])+
        S: [$($bound:tt)+], pending: $pending:ty, server: $server:ty, client: $client:ty,
        wrap: $wrap:expr, unwrap: $unwrap:expr $(,)?
    ) => {
        /// Accepts a WebSocket on a stream that a listener has given. A plain HTTP request is answered with 426.
        ///
        $(#[$time])+
        /// After a refusal this waits until the client ends as well, or has sent 1 MiB more, so that the refusal is
        /// not lost.
        ///
        /// # Errors
        ///
        /// [`Error::Opening`](crate::Error::Opening) after the client was told, as far as it read that;
        /// [`Error::Protocol`](crate::Error::Protocol) if it was too slow; [`Error::Io`](crate::Error::Io) if the
        /// transport failed.
        ///
        /// # Cancel safety
        ///
        /// Not cancel safe: dropped, the transport is dropped with it.
        pub async fn accept<S: $($bound)+>(
            stream: S,
            config: &crate::ServerConfig,
        ) -> Result<$server, crate::Error> {
            accept_with(stream, config, |_| Ok(())).await
        }

        /// Accepts a WebSocket once `decide` has looked at the request.
        ///
        /// `decide` refuses the request with a [`Refusal`](crate::Refusal), a 404 for example, or adds to the
        /// [`Answer`](crate::Answer) that opens the WebSocket, a cookie for example. `Ok(())` adds nothing. All else
        /// is as for [`accept`].
        ///
        /// # Errors
        ///
        /// [`Error::Opening`](crate::Error::Opening) after the client was told, as far as it read that;
        /// [`Error::Protocol`](crate::Error::Protocol) if it was too slow; [`Error::Io`](crate::Error::Io) if the
        /// transport failed.
        ///
        /// # Cancel safety
        ///
        /// Not cancel safe: dropped, the transport is dropped with it.
        pub async fn accept_with<'a, S: $($bound)+, A: Into<crate::Answer<'a>>>(
            stream: S,
            config: &crate::ServerConfig,
            decide: impl FnOnce(&crate::handshake::server::Request<'_>) -> Result<A, crate::Refusal>,
        ) -> Result<$server, crate::Error> {
            let plain = crate::adapter::opening::Plain::Refused;
            let opened = crate::adapter::polled::open($wrap(stream), &[], config, decide, plain);
            Box::pin(opened).await?.websocket()
        }

        /// Reads a request and leaves the answer to you, which may wait for a database:
        /// [`PendingRequest`](crate::polled::PendingRequest) accepts or refuses it. A plain HTTP request, and one of a
        /// page that may not ask, are refused here, as by [`accept`]. The opening time goes on until the answer.
        ///
        /// # Errors
        ///
        /// Those of [`accept`].
        ///
        /// # Cancel safety
        ///
        /// Not cancel safe: dropped, the transport is dropped with it.
        pub async fn receive<S: $($bound)+>(
            stream: S,
            config: &crate::ServerConfig,
        ) -> Result<$pending, crate::Error> {
            let plain = crate::adapter::opening::Plain::Refused;
            Box::pin(crate::adapter::polled::receive_request($wrap(stream), &[], config, plain)).await?.websocket()
        }

        /// Does what [`receive`] does, where the port serves plain HTTP too: as [`accept_buffered`] does, of which this
        /// is the first step.
        ///
        /// # Errors
        ///
        /// Those of [`accept`].
        ///
        /// # Cancel safety
        ///
        /// Not cancel safe: dropped, the transport is dropped with it.
        pub async fn receive_buffered<S: $($bound)+>(
            stream: S,
            received: &[u8],
            config: &crate::ServerConfig,
        ) -> Result<crate::Opened<$pending, S>, crate::Error> {
            let plain = crate::adapter::opening::Plain::HandedBack;
            let request = crate::adapter::polled::receive_request($wrap(stream), received, config, plain);
            Ok(Box::pin(request).await?.map_stream($unwrap))
        }

        /// Accepts a WebSocket, or hands a plain HTTP request back, so that one port can serve pages as well.
        ///
        /// `decide` sees only requests for a WebSocket, as for [`accept_with`]. [`Opened`](crate::Opened) shows how to
        /// read the plain request. Where the connection is kept after the answer, the next request may ask for a
        /// WebSocket: give the stream to [`accept_buffered`] then.
        ///
        /// # Errors
        ///
        /// [`Error::Opening`](crate::Error::Opening) after the client was told, as far as it read that;
        /// [`Error::Protocol`](crate::Error::Protocol) if it was too slow; [`Error::Io`](crate::Error::Io) if the
        /// transport failed.
        ///
        /// # Cancel safety
        ///
        /// Not cancel safe: dropped, the transport is dropped with it.
        pub async fn accept_or_http<'a, S: $($bound)+, A: Into<crate::Answer<'a>>>(
            stream: S,
            config: &crate::ServerConfig,
            decide: impl FnOnce(&crate::handshake::server::Request<'_>) -> Result<A, crate::Refusal>,
        ) -> Result<crate::Opened<$server, S>, crate::Error> {
            accept_buffered(stream, &[], config, decide).await
        }

        /// Does what [`accept_or_http`] does, on a stream of which some bytes were read already: `received` comes
        /// first.
        ///
        /// This is for connections that are kept: a server that has answered a plain request gives the stream back
        /// for the next one, which may ask for a WebSocket. `received` is what it has read of that, perhaps nothing.
        /// Nothing of the request that was answered may be in it. The opening time begins anew.
        ///
        /// # Errors
        ///
        /// [`Error::Opening`](crate::Error::Opening) after the client was told, as far as it read that;
        /// [`Error::Protocol`](crate::Error::Protocol) if it was too slow; [`Error::Io`](crate::Error::Io) if the
        /// transport failed.
        ///
        /// # Cancel safety
        ///
        /// Not cancel safe: dropped, the transport is dropped with it.
        pub async fn accept_buffered<'a, S: $($bound)+, A: Into<crate::Answer<'a>>>(
            stream: S,
            received: &[u8],
            config: &crate::ServerConfig,
            decide: impl FnOnce(&crate::handshake::server::Request<'_>) -> Result<A, crate::Refusal>,
        ) -> Result<crate::Opened<$server, S>, crate::Error> {
            let plain = crate::adapter::opening::Plain::HandedBack;
            let opened = crate::adapter::polled::open($wrap(stream), received, config, decide, plain);
            Ok(Box::pin(opened).await?.map_stream($unwrap))
        }

        /// Opens a WebSocket on a transport that is connected already, with TLS if the URI asks for it. The opening
        /// time begins here: who has spent a part of it on connecting and on TLS sets what is left of it.
        ///
        /// # Errors
        ///
        /// [`Error::Opening`](crate::Error::Opening), with the server's answer if it was no 101, of which the body is
        /// read as well, as far as it comes in time; [`Error::Protocol`](crate::Error::Protocol) if the server was
        /// too slow; [`Error::Io`](crate::Error::Io) if the transport failed.
        ///
        /// # Cancel safety
        ///
        /// Not cancel safe: dropped, the transport is dropped with it.
        pub async fn client<'c, S: $($bound)+>(
            stream: S,
            request: impl TryInto<crate::handshake::client::ClientRequest<'c>, Error: Into<crate::OpeningError>>,
            config: &crate::ClientConfig,
        ) -> Result<$client, crate::Error> {
            Ok(client_with(stream, request, config, |_| ()).await?.0)
        }

        /// Does what [`client`] does, and shows the response to `look` before the WebSocket is open. What `look`
        /// returns is returned beside the WebSocket, such as the cookies that the server sets:
        /// [`Accepted::headers`](crate::handshake::client::Accepted::headers) has all fields.
        ///
        /// # Errors
        ///
        /// [`Error::Opening`](crate::Error::Opening), with the server's answer if it was no 101, of which the body is
        /// read as well, as far as it comes in time; [`Error::Protocol`](crate::Error::Protocol) if the server was
        /// too slow; [`Error::Io`](crate::Error::Io) if the transport failed.
        ///
        /// # Cancel safety
        ///
        /// Not cancel safe: dropped, the transport is dropped with it.
        pub async fn client_with<'c, S: $($bound)+, T>(
            stream: S,
            request: impl TryInto<crate::handshake::client::ClientRequest<'c>, Error: Into<crate::OpeningError>>,
            config: &crate::ClientConfig,
            look: impl FnOnce(&crate::handshake::client::Accepted<'_>) -> T,
        ) -> Result<($client, T), crate::Error> {
            let request = request.try_into().map_err(Into::<crate::OpeningError>::into)?;
            let limit = config.timeouts.opening;
            Box::pin(crate::adapter::polled::open_client($wrap(stream), request, config, limit, look)).await
        }
    };
}

pub(in crate::adapter) use opening_functions;

opening_functions! {
    /// Where the transport has a clock, [`Timeouts::opening`](crate::Timeouts::opening) bounds the whole; a client
    /// that is too slow is answered with 408. A refusal may take what is left of that time, but a second at least, and
    /// 5 s if none is set.
    S: [PollTransport], pending: PendingRequest<S>, server: WebSocket<S, Server>,
    client: WebSocket<S, Client<SystemEntropy>>,
    wrap: core::convert::identity, unwrap: core::convert::identity,
}

// In a box, so that the task which goes on with the socket is small: each function between holds a transport as well.

pub(in crate::adapter) async fn open<'a, S: PollTransport, A: Into<Answer<'a>>>(
    stream: S,
    received: &[u8],
    config: &ServerConfig,
    decide: impl FnOnce(&Request<'_>) -> Result<A, Refusal>,
    plain: Plain,
) -> Result<Opened<WebSocket<S, Server>, S>, Error> {
    match receive_request(stream, received, config, plain).await? {
        Opened::WebSocket(pending) => {
            let decision = decide(&pending.request()?);
            match decision {
                Ok(answer) => pending.accept(config, answer).await.map(Opened::WebSocket),
                Err(refusal) => Err(pending.refuse(refusal).await),
            }
        }
        Opened::Http { stream, received } => Ok(Opened::Http { stream, received }),
    }
}

pub(in crate::adapter) async fn receive_request<S: PollTransport>(
    mut stream: S,
    mut received: &[u8],
    config: &ServerConfig,
    plain: Plain,
) -> Result<Opened<PendingRequest<S>, S>, Error> {
    let mut storage = alloc::vec![0; config.head_size];
    let mut handshake = ServerHandshake::new(&mut storage, config.head_limits);
    let mut buf = alloc::vec![0; config.buffers.read.clamp(1, READ)];
    let mut timed = TimedTransport::new(&mut stream, config.timeouts.opening);
    loop {
        let input = match core::mem::take(&mut received) {
            [] => match timed.read(&mut buf).await {
                Err(Error::Protocol(LATE)) => return Err(timed.refuse(too_late(408)).await),
                read => until_end(read?)?,
            },
            received => received,
        };
        match serve(&mut handshake, input, config, plain) {
            Ok(None) => {}
            Ok(Some(Ok(request))) => {
                let until = timed.until;
                return Ok(Opened::WebSocket(PendingRequest { stream, request, until }));
            }
            Ok(Some(Err(received))) => return Ok(Opened::Http { stream, received }),
            Err(refused) => return Err(timed.refuse(refused).await),
        }
    }
}

/// A request for a WebSocket that waits for an answer. It is valid, and its origin is one of the config's.
///
/// Dropped, it drops the transport: the client sees the connection end without an answer.
///
/// ```no_run
/// # #[cfg(feature = "tokio")] mod example {
/// use sockless::{tokio::receive, Answer, Error, Refusal, ServerConfig};
/// # async fn user_of(token: String) -> Option<String> { Some(token) }
///
/// async fn greet(stream: tokio::net::TcpStream, config: &ServerConfig) -> Result<(), Error> {
///     let pending = receive(stream, config).await?;
///     let token = pending.request()?.query().unwrap_or_default().to_owned();
///     let (pending, user) = pending.wait_for(user_of(token)).await?; // a database
///     let Some(user) = user else {
///         return Err(pending.refuse(Refusal::new(403).with_body("who are you?")).await);
///     };
///     let answer = Answer::new().with_field("Set-Cookie", "seen=1");
///     pending.accept(config, answer).await?.send(user).await
/// }
/// # }
/// ```
pub struct PendingRequest<S> {
    stream: S,
    request: Unanswered,
    until: Option<Timestamp>,
}

impl<S: PollTransport> PendingRequest<S> {
    /// The request. Its head is parsed anew: call this once, and copy what is needed later.
    ///
    /// # Errors
    ///
    /// None that is known: the same head was valid before.
    pub fn request(&self) -> Result<Request<'_>, Error> {
        Ok(self.request.request()?)
    }

    /// Waits for `decision`, as long as the opening time lasts; then the client gets a 503. Without this a future that
    /// never ends keeps the connection.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] if the time was up.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: dropped, the transport is dropped with it.
    pub async fn wait_for<T>(mut self, decision: impl Future<Output = T>) -> Result<(Self, T), Error> {
        let mut decision = pin!(decision);
        let mut timed = self.timed();
        match timed.poll(|_, cx| decision.as_mut().poll(cx).map(Ok)).await {
            Ok(decided) => Ok((self, decided)),
            Err(_) => Err(timed.refuse(too_late(503)).await),
        }
    }

    /// Opens the WebSocket. `config` may be another than the one before, such as without compression or with larger
    /// limits: its origins are asked as well. If the opening time is over, the client gets a 503.
    ///
    /// # Errors
    ///
    /// [`Error::Opening`] after the client was told, as far as it read that; [`Error::Protocol`] if the time was up;
    /// [`Error::Io`] if the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: dropped, the transport is dropped with it.
    pub async fn accept<'a>(
        self,
        config: &ServerConfig,
        answer: impl Into<Answer<'a>>,
    ) -> Result<WebSocket<S, Server>, Error> {
        Box::pin(self.accepted(config, answer.into())).await
    }

    async fn accepted(
        mut self,
        config: &ServerConfig,
        answer: Answer<'_>,
    ) -> Result<WebSocket<S, Server>, Error> {
        let mut timed = TimedTransport { stream: &mut self.stream, until: self.until };
        let left = timed.left();
        match self.request.accept(config, &answer, left) {
            Ok((response, endpoint, agreed)) => {
                // Before the client knows: whoever closes all connections from now on closes this one as well.
                let member = config.connections().map(Connections::enter);
                timed.write(&response).await?;
                let socket = WebSocket::with_endpoint(self.stream, endpoint);
                Ok(socket.with_member(member).with_agreed(agreed))
            }
            Err(refused) => Err(timed.refuse(refused).await),
        }
    }

    /// Refuses the request, and waits until the client ends as well, as [`accept`] does. Returns what `accept_with`
    /// would: [`Error::Opening`] with [`OpeningError::Refused`](crate::OpeningError::Refused), if the refusal itself
    /// is valid.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: dropped, the transport is dropped with it.
    pub async fn refuse(mut self, refusal: Refusal) -> Error {
        self.timed().refuse(refusal.into()).await
    }

    fn timed(&mut self) -> TimedTransport<'_, S> {
        TimedTransport { stream: &mut self.stream, until: self.until }
    }
}

debug_states!([S] PendingRequest<S>, |this| { received: this.request.len(), limited: this.until.is_some() });

/// A part of the opening time is used up already.
pub(in crate::adapter) async fn open_client<S: PollTransport, T>(
    mut stream: S,
    request_for: ClientRequest<'_>,
    config: &ClientConfig,
    limit: Option<Duration>,
    look: impl FnOnce(&Accepted<'_>) -> T,
) -> Result<(WebSocket<S, Client<SystemEntropy>>, T), Error> {
    let mut storage = alloc::vec![0; config.head_size];
    let mut handshake = client_handshake(request_for, &mut storage, config)?;
    let mut timed = TimedTransport::new(&mut stream, limit);
    let sent = timed.write(&request(&handshake)?).await;
    sent.map_err(|error| cut_off(&handshake, error, config))?;
    let mut buf = alloc::vec![0; config.buffers.read.clamp(1, READ)];
    loop {
        let received = timed.read(&mut buf).await.and_then(until_end);
        let received = received.map_err(|error| cut_off(&handshake, error, config))?;
        match ask(&mut handshake, received, config)? {
            ClientStep::NeedMore => {}
            ClientStep::Open { accepted, taken } => {
                let (agreed, seen) = (Agreed::of(&accepted), look(&accepted));
                let rest = received.get(taken..).unwrap_or(&[]);
                let socket = WebSocket::with_endpoint(stream, config.endpoint(agreed.negotiated, rest));
                return Ok((socket.with_agreed(agreed), seen));
            }
            ClientStep::Rejected(mut rejected) => {
                timed.part(Duration::ZERO);
                while rejected.needs_more() {
                    let limit = rejected.limit(timed.left());
                    let mut timed = TimedTransport::new(timed.stream, limit);
                    // The refusal is the news.
                    let Ok(received) = timed.read(&mut buf).await else { break };
                    rejected.read(received);
                }
                return Err(rejected.into_error().into());
            }
        }
    }
}

struct TimedTransport<'s, S> {
    stream: &'s mut S,
    until: Option<Timestamp>,
}

impl<'s, S: PollTransport> TimedTransport<'s, S> {
    fn new(stream: &'s mut S, limit: Option<Duration>) -> Self {
        let until = limit.and_then(|limit| Some(stream.now()?.after(limit)));
        Self { stream, until }
    }

    /// Within the time that is left.
    async fn poll<T>(
        &mut self,
        mut operation: impl FnMut(&mut S, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Result<T, Error> {
        poll_fn(|cx| {
            if let Poll::Ready(result) = operation(self.stream, cx) {
                return Poll::Ready(result.map_err(Error::from));
            }
            match self.until {
                Some(until) => self.stream.poll_sleep(cx, until).map(|()| Err(LATE.into())),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Reads once. An empty slice is the end of the transport.
    async fn read<'b>(&mut self, buf: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let count = self.poll(|stream, cx| stream.poll_read(cx, buf)).await?;
        Ok(buf.get(..count).unwrap_or(&[]))
    }

    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            match self.poll(|stream, cx| stream.poll_write(cx, bytes)).await? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                count => bytes = bytes.get(count..).unwrap_or(&[]),
            }
        }
        self.poll(|stream, cx| stream.poll_flush(cx)).await
    }

    fn left(&mut self) -> Option<Duration> {
        Some(self.until?.since(self.stream.now()?))
    }

    /// Bounds what is still done by the time that a refusal may take.
    fn part(&mut self, at_least: Duration) {
        if let Some(now) = self.stream.now() {
            self.until = Some(now.after(parting_time(self.left(), at_least)));
        }
    }

    /// Writes a refusal, ends the writing direction, and reads on, within bounds: a reset for what the client is still
    /// sending must not overtake the refusal.
    ///
    /// What goes wrong meanwhile is no news: the client was refused.
    async fn refuse(&mut self, refused: Refused) -> Error {
        self.part(SHORT_PARTING);
        if self.write(&refused.response).await.is_err() {
            return refused.error;
        }
        // A transport that has ended is as good.
        let _ = self.poll(|stream, cx| stream.poll_shutdown(cx)).await;
        let mut buf = alloc::vec![0; READ];
        let mut left = MAX_DRAINED;
        while let (Ok(read @ [_, ..]), 1..) = (self.read(&mut buf).await, left) {
            left = left.saturating_sub(read.len());
        }
        refused.error
    }
}
