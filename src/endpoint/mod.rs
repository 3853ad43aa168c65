//! A connection with the buffers that whole messages need, without a socket. Every adapter drives one.
//!
//! An adapter of your own does what [`Endpoint::poll`] says. [`Endpoint::into_split`] gives the two halves for two
//! threads or tasks; [`Directions`] is what both do together.
//
// Owns: the order of reading, writing and closing.
// Must not know: sockets, runtimes, clocks.

mod action;
mod buffer_pool;
mod bytes;
mod compressing;
#[cfg(feature = "deflate")]
mod deflation;
mod directions;
mod inbound;
#[cfg(feature = "deflate")]
mod inflation;
mod inflation_progress;
#[cfg(not(feature = "deflate"))]
mod no_codec;
mod outbound;
mod read_buffer;
mod read_size;
mod write_queue;

pub use action::{Action, Ready, WriteSide};
pub use buffer_pool::BufferPool;
pub use compressing::{Compressing, Fed};
#[cfg(feature = "deflate")]
use deflation::Deflation;
pub use directions::Directions;
pub use inbound::Inbound;
pub use outbound::{Outbound, LONG_PAYLOAD};
pub use write_queue::FeedError;

use core::time::Duration;

use crate::close::CloseFrame;
use crate::connection::closing::{Closed, ReadyState};
use crate::connection::deadline::TimeoutAction;
use crate::connection::parked::Parked;
use crate::connection::Config;
#[cfg(feature = "deflate")]
use crate::deflate::{Deflater, Inflater, Params, Pool, Tuning};
use crate::error::ProtocolError;
use crate::event::Data;
use crate::message::Message;
use crate::role::Role;
use crate::time::{Timestamp, Wake};

/// How much an endpoint buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Buffers {
    /// Bytes of a read. Messages up to about this size need no allocation. Default: 64 KiB, taken only as it is filled.
    pub read: usize,
    /// Bytes of output that may wait for the transport. One message is always taken when none wait. Default: 1 MiB.
    pub max_queued: usize,
}

impl Buffers {
    /// The defaults.
    pub const DEFAULT: Self = Self { read: 64 << 10, max_queued: 1 << 20 };

    /// With another size of a read.
    #[must_use]
    pub const fn with_read(mut self, bytes: usize) -> Self {
        self.read = bytes;
        self
    }

    /// With another bound on output that waits.
    #[must_use]
    pub const fn with_max_queued(mut self, bytes: usize) -> Self {
        self.max_queued = bytes;
        self
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A connection with the buffers that whole messages need, without a socket. Every adapter drives one.
///
/// Everything that one read brought is returned before anything is written, and everything is written before the next
/// wait for input.
///
/// ```
/// use std::io::{Read, Write};
/// use sockless::endpoint::{Action, Buffers, Endpoint, WriteSide};
/// use sockless::{Config, Server};
///
/// /// Echoes messages over a blocking transport until the connection ends.
/// fn echo(mut stream: impl Read + Write) -> Result<(), Box<dyn std::error::Error>> {
///     let mut endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
///     loop {
///         match endpoint.poll(WriteSide::Ready)? {
///             Action::Take(ready) => {
///                 let (inbound, outbound) = endpoint.split_mut();
///                 if let Some(message) = inbound.message(ready)? {
///                     outbound.feed(message)?;
///                 }
///             }
///             Action::Write => {
///                 let count = stream.write(endpoint.output())?;
///                 endpoint.wrote(count);
///             }
///             Action::Read => match stream.read(endpoint.space())? {
///                 0 => endpoint.eof(),
///                 count => endpoint.filled(count),
///             },
///             Action::ShutdownWrite => endpoint.write_ended(), // such a transport cannot end one direction
///             Action::Yield => {} // no other connection waits for this thread
///             Action::Close => return Ok(()),
///         }
///     }
/// }
/// ```
pub struct Endpoint<R> {
    inbound: Inbound,
    outbound: Outbound<R>,
}

impl<R: Role> Endpoint<R> {
    /// After the opening handshake. `received` are the bytes that were read together with its end.
    pub fn new(role: R, config: Config, buffers: Buffers, received: &[u8]) -> Self {
        let inbound = Inbound::new(role.side(), config.limits, buffers.read, received);
        let mut outbound = Outbound::new(role, config.timeouts, buffers.max_queued);
        if !received.is_empty() {
            outbound.did_read();
        }
        Self { inbound, outbound }
    }

    /// With permessage-deflate as it was agreed on. Contexts that are not kept between messages come from `pool`, if
    /// there is one.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, params: &Params, tuning: Tuning, pool: Option<&Pool>) -> Self {
        let side = self.outbound.side();
        let mut inflater = Inflater::new(params, side.peer(), self.inbound.limits());
        let mut deflater = Deflater::new(params, side, tuning);
        if let Some(pool) = pool {
            inflater = inflater.with_pool(pool.clone());
            deflater = deflater.with_pool(pool.clone());
        }
        self.inbound.set_inflation(inflater);
        let deflation = Deflation::new(deflater, tuning.threshold, params.window_bits(side));
        self.outbound.set_deflation(deflation);
        self
    }

    /// What to do next towards a whole message.
    ///
    /// A message of which pieces were taken is passed over.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], once, after its Close was written and the writing direction ended, if the transport let us.
    pub fn poll(&mut self, write: WriteSide) -> Result<Action, ProtocolError> {
        self.directions().poll(write)
    }

    /// What to do next towards a piece of a message.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], once, after its Close was written and the writing direction ended, if the transport let us.
    pub fn poll_piece(&mut self, write: WriteSide) -> Result<Action, ProtocolError> {
        self.directions().poll_piece(write)
    }

    /// A message that can be taken at once, if that can be told at a glance: it is short, was read already and stands
    /// next. `None` says nothing: ask [`poll`](Self::poll) or [`poll_piece`](Self::poll_piece), which look for this
    /// first.
    pub fn ready(&mut self) -> Option<Ready> {
        self.inbound.ready(self.outbound.side())
    }

    /// The message that is ready; `None`, and nothing is lost, if it is not whole, or [out of date](Ready).
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if its text is not UTF-8: the connection has failed, and its Close waits in
    /// [`output`](Self::output).
    pub fn message(&mut self, ready: Ready) -> Result<Option<Message<'_>>, ProtocolError> {
        let message = self.inbound.message(ready);
        if let Err(error) = message {
            self.outbound.fail(error);
            self.outbound.take_failure();
        }
        message
    }

    /// The piece that is ready, or a whole message; `None`, and nothing is lost, if it is [out of date](Ready).
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if its text is not UTF-8: the connection has failed, and its Close waits in
    /// [`output`](Self::output).
    pub fn piece(&mut self, ready: Ready) -> Result<Option<Data<'_>>, ProtocolError> {
        let piece = self.inbound.piece(ready);
        if let Err(error) = piece {
            self.outbound.fail(error);
            self.outbound.take_failure();
        }
        piece
    }

    /// The two directions, so that an answer can be queued while the message is still borrowed.
    pub fn split_mut(&mut self) -> (&mut Inbound, &mut Outbound<R>) {
        (&mut self.inbound, &mut self.outbound)
    }

    fn directions(&mut self) -> Directions<'_, R> {
        Directions::new(&mut self.inbound, &mut self.outbound)
    }

    /// The sending direction.
    pub fn outbound(&mut self) -> &mut Outbound<R> {
        &mut self.outbound
    }

    /// Space to read into, never empty.
    pub fn space(&mut self) -> &mut [u8] {
        self.inbound.space()
    }

    /// `count` bytes were read into [`space`](Self::space).
    pub fn filled(&mut self, count: usize) {
        self.inbound.filled(count);
        self.outbound.did_read();
    }

    /// The transport ended; [`poll`](Self::poll) reports it in its turn.
    pub fn eof(&mut self) {
        self.directions().eof();
    }

    /// The transport failed: nothing more can be read or written. Whether the adapter reports how: not if the
    /// connection had failed before, nor after both Closes.
    #[must_use]
    pub fn lost(&mut self) -> bool {
        self.directions().lost()
    }

    /// The bytes to write, in order.
    pub fn output(&mut self) -> &[u8] {
        self.outbound.output()
    }

    /// The transport took the first `count` bytes of [`output`](Self::output).
    pub fn wrote(&mut self, count: usize) {
        self.outbound.wrote(count);
    }

    /// The writing direction of the transport was ended.
    pub fn write_ended(&mut self) {
        self.outbound.write_ended();
    }

    /// Open, closing or closed.
    pub fn ready_state(&self) -> ReadyState {
        self.outbound.ready_state()
    }

    /// How the connection ended: `None` until it did.
    pub fn closed(&self) -> Option<Closed> {
        self.outbound.closed()
    }

    /// Why the connection failed, as soon as it did, whatever becomes of the transport.
    pub fn failure(&self) -> Option<ProtocolError> {
        self.outbound.failure()
    }

    /// The Close that came, as soon as it did. Its reason is the peer's text.
    pub fn received_close(&self) -> Option<CloseFrame<'_>> {
        self.inbound.received_close()
    }

    /// The reason of the Close that came, empty if there is none. It is the peer's text.
    pub fn close_reason(&self) -> &str {
        self.inbound.close_reason()
    }

    /// How long the Pong took that answered a Ping last. See [`Outbound::latency`].
    pub fn latency(&self) -> Option<Duration> {
        self.outbound.latency()
    }

    /// Whether a Ping was sent whose Pong has not come.
    pub fn awaits_pong(&self) -> bool {
        self.outbound.awaits_pong()
    }

    /// Drops the connection: nothing more is sent or reported.
    pub fn abort(&mut self) {
        self.directions().abort();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Wake {
        self.outbound.poll_read_timeout(self.inbound.message_progress())
    }

    /// What happens when [`poll_timeout`](Self::poll_timeout) is due: which timer that is. For logs and tools.
    #[must_use]
    pub fn next_timer(&self) -> Option<TimeoutAction> {
        self.outbound.next_timer(self.inbound.message_progress())
    }

    /// Tells the time; [`poll`](Self::poll) reports in its turn if a deadline has failed the connection.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.directions().handle_timeout(now);
    }

    /// Takes of `pool` what the next read, and what is queued, need. See [`BufferPool`].
    pub fn acquire(&mut self, pool: &mut BufferPool) {
        self.inbound.acquire(pool);
        self.outbound.acquire(pool);
    }

    /// Gives back to `pool` what is not needed: all of it, where nothing is in progress, ready or queued.
    pub fn release(&mut self, pool: &mut BufferPool) {
        self.inbound.release(pool);
        self.outbound.release(pool);
    }

    /// Frees the buffers that hold nothing, or little of a message, which moves to storage of its own; and compression
    /// contexts that remember nothing.
    pub fn shrink(&mut self) {
        self.inbound.shrink();
        self.outbound.shrink();
    }

    /// What to keep of this connection while it waits, if it is idle: open, between messages in both directions, with
    /// nothing to take, to write or to work through, and no compression context that remembers earlier messages.
    /// [`unpark`](Self::unpark) goes on with it.
    #[must_use]
    pub fn park(&mut self) -> Option<Parked> {
        self.directions().park()
    }

    /// Goes on with a connection that was parked, in this one's place: with the same role, settings and buffers, and
    /// the same compression or none.
    pub fn unpark(&mut self, parked: Parked) {
        self.outbound.unpark(parked);
        self.inbound.unpark(parked.allowed_rsv());
    }

    /// What another endpoint has to be made with, besides its role, to go on with what is [parked](Self::park) of this
    /// one; `None` if that is not all, as with compression.
    #[must_use]
    pub fn settings(&self) -> Option<(Config, Buffers)> {
        let (limits, read) = self.inbound.settings()?;
        let (timeouts, max_queued) = self.outbound.settings()?;
        Some((Config { limits, timeouts }, Buffers { read, max_queued }))
    }

    /// Whether it has a buffer for more than short messages: [release](Self::release) it for others.
    #[must_use]
    pub fn has_large_buffer(&self) -> bool {
        self.inbound.is_large() || self.outbound.is_large()
    }

    /// The two directions, for two tasks.
    pub fn into_split(self) -> (Inbound, Outbound<R>) {
        (self.inbound, self.outbound)
    }

    /// Joins the directions of one connection.
    pub const fn from_split(inbound: Inbound, outbound: Outbound<R>) -> Self {
        Self { inbound, outbound }
    }
}

debug_states!([R] Endpoint<R>, |this| { inbound: this.inbound, outbound: this.outbound });
