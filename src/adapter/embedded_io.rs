//! Blocking transports of firmware: anything that is [`Read`] and [`Write`] of `embedded-io`.
//!
//! Owns: blocking reads and writes. Must not know: the protocol.
//!
//! No allocator: the caller lends two buffers, through which messages of any length pass in pieces. No
//! thread: one task reads and writes, and what is owed to the peer is written before each wait for input.
//!
//! ```
//! # #[cfg(feature = "handshake")] mod example {
//! use embedded_io::{Read, Write};
//! use sockless::adapter::embedded_io::{accept, Buffers, Error, ServerOptions};
//! use sockless::{handshake::OriginPolicy, Event, Payload};
//!
//! /// Echoes messages of any length.
//! fn serve<S: Read + Write>(
//!     stream: &mut S, // kept, to be ended
//!     head: &mut [u8],
//!     buffers: Buffers<'_>,
//! ) -> Result<(), Error<S::Error>> {
//!     let options = ServerOptions::new(OriginPolicy::SameHost); // a choice without a default
//!     let mut socket = accept(stream, &options, head, buffers)?;
//!     while let Some((event, mut outgoing)) = socket.recv_with()? {
//!         let Event::Data(data) = event else { continue };
//!         let Some(payload) = Payload::forward(&data) else { continue };
//!         outgoing.feed_fragment(payload, data.is_last())?; // written before the next wait for input
//!     }
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # The end
//!
//! The traits know no way to end one direction of a transport, so ending it is left to the caller. Once
//! [`recv`](WebSocket::recv) has returned `None`, [`Error::Protocol`], or [`Error::Io`] with anything but a
//! time-out, it does not touch the transport any more. After such an error the next `recv` returns `None`;
//! from then on [`closed`](WebSocket::closed) tells how the connection ended.
//!
//! Take the transport [back](WebSocket::into_inner); end its writing direction, where it can; unless a read
//! has told already that the peer has ended, read on until it does, within a bound, so that the answer to
//! what the peer is still sending is no reset that overtakes our Close (RFC 6455 section 7.1.1); then close
//! it. The same holds after a refused opening handshake: pass `&mut stream` to keep the stream.
//!
//! # Time
//!
//! There is no clock here. A transport with a time limit of its own reports
//! [`TimedOut`](embedded_io::ErrorKind::TimedOut); then is the time to tell the connection [what time it
//! is](WebSocket::handle_timeout). Nothing is lost: call the operation again if it was to receive, to flush
//! or to close. If it was [`feed`](Outgoing::feed), nothing was queued where
//! [`frame_remaining`](Outgoing::frame_remaining) is 0; otherwise so many octets of the message are missing,
//! to be given to [`feed_payload`](Outgoing::feed_payload). [`send`](WebSocket::send) and
//! [`ping`](WebSocket::ping) do not tell whether all was queued already: who must know feeds, then flushes.
//! An opening handshake cannot be resumed.

#[cfg(feature = "handshake")]
super::embedded::opening!([] [] [] embedded_io);

#[cfg(feature = "handshake")]
pub use super::fixed::{Answer, OpeningError, ServerOptions, Settings};
#[cfg(feature = "handshake")]
pub use opening::{accept, accept_with, connect};

pub use super::fixed::{Buffers, Error};

use embedded_io::{Read, Write};

use super::fixed::{Action, Driver, Outbound, Pending, Queued, Ready};
use crate::close::CloseFrame;
use crate::closing::Closed;
use crate::connection::{Config, Connection};
use crate::error::SendError;
use crate::event::Event;
use crate::frame::MessageKind;
use crate::message::{Message, SliceAssembler};
use crate::payload::{ControlPayload, Payload};
use crate::role::Role;
use crate::time::{Timestamp, Wake};

/// A WebSocket on a blocking transport, in buffers that live for `'b`.
pub struct WebSocket<'b, S, R> {
    stream: S,
    #[cfg(feature = "handshake")]
    session: crate::handshake::Negotiated,
    driver: Driver<'b, R>,
}

impl<'b, S: Read + Write, R: Role> WebSocket<'b, S, R> {
    /// After an opening handshake that was done elsewhere.
    pub fn new(stream: S, role: R, config: Config, buffers: Buffers<'b>) -> Self {
        Self {
            stream,
            #[cfg(feature = "handshake")]
            session: crate::handshake::Negotiated::default(),
            driver: Driver::new(role, config, buffers),
        }
    }

    /// What the opening handshake agreed on.
    #[cfg(feature = "handshake")]
    pub const fn negotiated(&self) -> crate::handshake::Negotiated {
        self.session
    }

    /// What the peer did next: pieces of messages as they come, Pings, Pongs, the Close. `None` once nothing
    /// will come; [`closed`](Self::closed) tells how the connection ended.
    ///
    /// Pings and the Close are answered, and everything is written, before each wait for input. After both
    /// Closes a client waits for the end of the stream, a server does not.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`], once, after the peer was told; [`Error::Io`] if the transport failed;
    /// [`Error::Send`] while there is no masking key for an answer.
    pub fn recv(&mut self) -> Result<Option<Event<'_>>, Error<S::Error>> {
        Ok(self.recv_with()?.map(|(event, _)| event))
    }

    /// As [`recv`](Self::recv), with the sending direction, so that an answer can be sent while the piece is
    /// still borrowed: an echo needs no copy but the one into the write buffer.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_with(&mut self) -> Result<Option<Incoming<'_, 'b, S, R>>, Error<S::Error>> {
        let Some(ready) = self.ready(Driver::poll)? else { return Ok(None) };
        let (inbound, outbound) = self.driver.split_mut();
        let mut outgoing = Outgoing { stream: &mut self.stream, outbound };
        match inbound.event(ready, &mut outgoing.outbound) {
            Ok(event) => Ok(event.map(|event| (event, outgoing))),
            Err(error) => {
                outgoing.fail()?;
                Err(error.into())
            }
        }
    }

    /// The next whole message. One that lies whole in the read buffer is lent from there, any other is joined
    /// in `assembler`: the same one until a message comes. The rest of a message of which
    /// [`recv`](Self::recv) took a piece is passed over.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); [`MessageTooBig`](crate::ProtocolError::MessageTooBig) if a message does not
    /// fit.
    pub fn recv_message<'m>(
        &'m mut self,
        assembler: &'m mut SliceAssembler<'_>,
    ) -> Result<Option<Message<'m>>, Error<S::Error>> {
        Ok(self.recv_message_with(assembler)?.map(|(message, _)| message))
    }

    /// As [`recv_message`](Self::recv_message), with the sending direction.
    ///
    /// # Errors
    ///
    /// As [`recv_message`](Self::recv_message).
    pub fn recv_message_with<'m>(
        &'m mut self,
        assembler: &'m mut SliceAssembler<'_>,
    ) -> Result<Option<IncomingMessage<'m, 'b, S, R>>, Error<S::Error>> {
        let Some(ready) = self.ready(|driver| driver.poll_message(assembler))? else { return Ok(None) };
        let (inbound, outbound) = self.driver.split_mut();
        let mut outgoing = Outgoing { stream: &mut self.stream, outbound };
        match inbound.message(ready, assembler, &mut outgoing.outbound) {
            Ok(message) => Ok(message.map(|message| (message, outgoing))),
            Err(error) => {
                outgoing.fail()?;
                Err(error.into())
            }
        }
    }

    /// Sends a message of any length, and everything that waits before it.
    ///
    /// # Errors
    ///
    /// As [`Outgoing::send`].
    pub fn send<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<(), Error<S::Error>> {
        self.outgoing().send(message)
    }

    /// Sends a fragment of a message, the last if `fin`.
    ///
    /// # Errors
    ///
    /// As [`Outgoing::send`].
    pub fn send_fragment<'p>(
        &mut self,
        fragment: impl Into<Payload<'p>>,
        fin: bool,
    ) -> Result<(), Error<S::Error>> {
        self.outgoing().send_fragment(fragment, fin)
    }

    /// Sends a Ping.
    ///
    /// # Errors
    ///
    /// As [`Outgoing::send`].
    pub fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), Error<S::Error>> {
        self.outgoing().ping(payload)
    }

    /// Writes everything that waits.
    ///
    /// # Errors
    ///
    /// As [`Outgoing::flush`].
    pub fn flush(&mut self) -> Result<(), Error<S::Error>> {
        self.outgoing().flush()
    }

    /// Sends a Close; messages can still come until [`recv`](Self::recv) returns `None`.
    ///
    /// # Errors
    ///
    /// As [`Outgoing::start_close`].
    pub fn start_close<'c>(&mut self, frame: impl Into<CloseFrame<'c>>) -> Result<(), Error<S::Error>> {
        self.outgoing().start_close(frame)
    }

    /// Closes: sends a Close if none was sent, drops what still comes, and waits for the end of the
    /// connection.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn close<'c>(&mut self, frame: impl Into<CloseFrame<'c>>) -> Result<Option<Closed>, Error<S::Error>> {
        match self.start_close(frame) {
            Ok(()) | Err(Error::Send(SendError::Closed)) => {}
            Err(error) => return Err(error),
        }
        while self.recv()?.is_some() {}
        Ok(self.closed())
    }

    /// The sending direction, with more ways to send.
    pub fn outgoing(&mut self) -> Outgoing<'_, 'b, S, R> {
        Outgoing { stream: &mut self.stream, outbound: self.driver.split_mut().1 }
    }

    /// Does what the driver asks for until something is ready, or nothing will come.
    fn ready(
        &mut self,
        mut poll: impl FnMut(&mut Driver<'b, R>) -> Result<Action, Error<S::Error>>,
    ) -> Result<Option<Ready>, Error<S::Error>> {
        loop {
            match poll(&mut self.driver)? {
                Action::Take(ready) => return Ok(Some(ready)),
                // There is nobody else.
                #[cfg(feature = "embedded-io-async")]
                Action::Yield => {}
                Action::End => return Ok(None),
                Action::Write => {
                    let result = self.stream.write(self.driver.output());
                    self.driver.written(result)?;
                }
                Action::Flush => {
                    let result = self.stream.flush();
                    self.driver.flushed(result)?;
                }
                Action::Read => {
                    let result = self.stream.read(self.driver.space());
                    self.driver.received(result)?;
                }
            }
        }
    }
}

impl<S, R: Role> WebSocket<'_, S, R> {
    /// How the connection ended: `None` until it did.
    pub fn closed(&self) -> Option<Closed> {
        self.driver.closed()
    }

    /// The engine, for what it knows: its state, the payload of the control frame that came last, the reason
    /// of the Close.
    pub const fn connection(&self) -> &Connection<R> {
        self.driver.connection()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Wake {
        self.driver.poll_timeout()
    }

    /// Tells the time. A keep-alive Ping that is due goes out with the next operation; a deadline that has
    /// failed the connection is reported by the next [`recv`](Self::recv), once the peer was told.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.driver.handle_timeout(now);
    }

    /// Drops the connection: nothing more is sent or reported. End the transport.
    pub fn abort(&mut self) {
        self.driver.abort();
    }

    /// The transport.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The transport, such as to change its time limit. Do not read from it or write to it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The transport, to be ended.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

/// An event, and the sending direction to answer it.
pub type Incoming<'w, 'b, S, R> = (Event<'w>, Outgoing<'w, 'b, S, R>);

/// A message, and the sending direction to answer it.
pub type IncomingMessage<'w, 'b, S, R> = (Message<'w>, Outgoing<'w, 'b, S, R>);

/// The sending direction of a [`WebSocket`].
pub struct Outgoing<'w, 'b, S, R> {
    stream: &'w mut S,
    outbound: Outbound<'w, 'b, R>,
}

impl<S: Write, R: Role> Outgoing<'_, '_, S, R> {
    /// As [`WebSocket::send`].
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection does not allow it, [`Error::Io`] if the transport failed.
    pub fn send<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<(), Error<S::Error>> {
        self.send_fragment(message, true)
    }

    /// As [`WebSocket::send_fragment`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_fragment<'p>(
        &mut self,
        fragment: impl Into<Payload<'p>>,
        fin: bool,
    ) -> Result<(), Error<S::Error>> {
        self.feed_fragment(fragment, fin)?;
        self.flush()
    }

    /// Queues a message; writes first what does not fit the buffer together with it. The rest is written
    /// before the next wait for input.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn feed<'p>(&mut self, message: impl Into<Payload<'p>>) -> Result<(), Error<S::Error>> {
        self.feed_fragment(message, true)
    }

    /// As [`feed`](Self::feed), for a fragment of a message, the last if `fin`. It is one frame of its own.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn feed_fragment<'p>(
        &mut self,
        fragment: impl Into<Payload<'p>>,
        fin: bool,
    ) -> Result<(), Error<S::Error>> {
        let payload = fragment.into();
        match self.queue(|outbound| outbound.feed(payload, fin))? {
            Queued::Header => self.feed_payload(payload.as_bytes()),
            Queued::Whole | Queued::NoRoom => Ok(()),
        }
    }

    /// Begins a frame of `len` octets, whose payload is not there yet: it follows through
    /// [`feed_payload`](Self::feed_payload), in pieces of any size. Until it is complete no other frame can
    /// be sent, and no Ping is answered.
    ///
    /// The header of a client names the masking key, and may go out now: do not let who chooses the payload
    /// see it before the payload is there (RFC 6455 section 10.3).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn begin_frame(&mut self, kind: MessageKind, fin: bool, len: u64) -> Result<(), Error<S::Error>> {
        self.queue(|outbound| outbound.begin(kind, fin, len)).map(|_| ())
    }

    /// Queues the next octets of the frame begun last, and writes as it must to make room.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`frame_remaining`](Self::frame_remaining) tells how many were queued.
    pub fn feed_payload(&mut self, octets: &[u8]) -> Result<(), Error<S::Error>> {
        let mut rest = octets;
        while !rest.is_empty() {
            match self.outbound.payload(rest)? {
                0 => self.write()?,
                count => rest = rest.get(count..).unwrap_or(&[]),
            }
        }
        Ok(())
    }

    /// Octets of the frame begun last that were not queued yet.
    pub fn frame_remaining(&self) -> u64 {
        self.outbound.frame_remaining()
    }

    /// As [`WebSocket::ping`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), Error<S::Error>> {
        self.queue(|outbound| outbound.ping(payload))?;
        self.flush()
    }

    /// Sends a Pong that nobody asked for.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn pong(&mut self, payload: ControlPayload<'_>) -> Result<(), Error<S::Error>> {
        self.queue(|outbound| outbound.pong(payload))?;
        self.flush()
    }

    /// As [`WebSocket::start_close`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::Closed`] if the connection is closing already.
    pub fn start_close<'c>(&mut self, frame: impl Into<CloseFrame<'c>>) -> Result<(), Error<S::Error>> {
        let frame = frame.into();
        self.queue(|outbound| outbound.close(frame))?;
        self.flush()
    }

    /// As [`WebSocket::flush`]; also what is owed to the peer.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn flush(&mut self) -> Result<(), Error<S::Error>> {
        while let Some(pending) = self.outbound.pending()? {
            self.put(pending)?;
        }
        Ok(())
    }

    /// Queues a frame, making room first if it must.
    fn queue(
        &mut self,
        mut queue: impl FnMut(&mut Outbound<'_, '_, R>) -> Result<Queued, SendError>,
    ) -> Result<Queued, Error<S::Error>> {
        loop {
            match queue(&mut self.outbound)? {
                Queued::NoRoom => self.write()?,
                queued => return Ok(queued),
            }
        }
    }

    /// Tells the peer that the connection failed, as far as the transport lets us. Where time runs out, the
    /// failure is left to the next call.
    fn fail(&mut self) -> Result<(), Error<S::Error>> {
        while let Ok(Some(pending)) = self.outbound.pending() {
            let result = self.put(pending);
            self.outbound.told(result)?;
        }
        self.outbound.reported();
        Ok(())
    }

    fn put(&mut self, pending: Pending) -> Result<(), Error<S::Error>> {
        match pending {
            Pending::Write => self.write(),
            Pending::Flush => {
                let result = self.stream.flush();
                self.outbound.flushed(result)
            }
        }
    }

    fn write(&mut self) -> Result<(), Error<S::Error>> {
        let result = self.stream.write(self.outbound.output());
        self.outbound.written(result)
    }
}

debug_states!([S, R] WebSocket<'_, S, R>, |this| { driver: this.driver });

debug_states!([S, R] Outgoing<'_, '_, S, R>, |this| { outbound: this.outbound });
