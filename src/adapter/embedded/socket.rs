//! The WebSocket of `embedded_io` and of `embedded_io_async`.
//
// Owns: reads and writes, blocking or awaited.
// Must not know: the protocol.

/// The items of one adapter. The arguments are those of [`embedded`](super).
macro_rules! socket {
    ([$($async:ident)?] [$($await:tt)*] [$($cancel_safety:literal)?] $io:ident) => {
        #[cfg(feature = "handshake")]
        crate::adapter::embedded::opening!([$($async)?] [$($await)*] [$($cancel_safety)?] $io);

        #[cfg(feature = "handshake")]
        pub use crate::adapter::{Answer, ClientConfig, OpeningError, ServerConfig};
        #[cfg(feature = "handshake")]
        pub use opening::{accept, accept_with, client};

        pub use crate::adapter::fixed::{FixedBuffers, Error};

        use $io::{Read, Write};

        use crate::adapter::fixed::{DriverAction, Driver, FixedOutbound, Pending, Queued, DriverReady};
        use crate::close::CloseFrame;
        use crate::connection::closing::Closed;
        use crate::connection::{Config, Connection};
        use crate::error::SendError;
        use crate::event::Event;
        use crate::frame::MessageKind;
        use crate::message::{Message, SliceAssembler};
        use crate::payload::{AsPayload, ControlPayload};
        use crate::role::Role;
        use crate::time::{Timestamp, Wake};

        /// A WebSocket on a transport of firmware, in buffers that live for `'b`.
        ///
        /// # The end
        ///
        /// [`Read`] and [`Write`] cannot end one direction of a transport. The connection has ended when
        /// [`recv`](Self::recv) has returned `None`, [`Error::Protocol`], or [`Error::Io`] with anything but a
        /// time-out, and [`closed`](Self::closed) tells how. Then do this:
        ///
        /// 1. Take the transport [back](Self::into_inner).
        /// 2. End its writing direction, if it can.
        /// 3. Read until the peer ends, up to a limit, unless a read has returned 0 already. Otherwise the peer may get
        ///    a reset before our Close, because it was still sending (RFC 6455 section 7.1.1).
        /// 4. Close it.
        ///
        /// Do the same after a refused opening handshake. To keep the stream for that, pass `&mut stream`.
        pub struct WebSocket<'b, S, R> {
            stream: S,
            #[cfg(feature = "handshake")]
            agreed: crate::adapter::fixed::FixedAgreed<'b>,
            driver: Driver<'b, R>,
        }

        impl<'b, S: Read + Write, R: Role> WebSocket<'b, S, R> {
            /// With an opening handshake that was done elsewhere.
            pub fn new(stream: S, role: R, config: Config, buffers: FixedBuffers<'b>) -> Self {
                Self {
                    stream,
                    #[cfg(feature = "handshake")]
                    agreed: crate::adapter::fixed::FixedAgreed::default(),
                    driver: Driver::new(role, config, buffers),
                }
            }

            /// The subprotocol that the opening handshake agreed on, if it did.
            #[cfg(feature = "handshake")]
            pub const fn subprotocol(&self) -> Option<&str> {
                self.agreed.subprotocol
            }

            /// What the opening handshake agreed on beside it.
            #[cfg(feature = "handshake")]
            pub const fn negotiated(&self) -> crate::handshake::Negotiated {
                self.agreed.negotiated
            }

            /// The next thing that the peer did: a piece of a message, a Ping, a Pong, or a Close. `None` once the
            /// connection has ended: [`closed`](Self::closed) tells how.
            ///
            /// Pings and the Close are answered, and everything is written, before each wait for input. After both
            /// Closes a client waits for the end of the stream; a server does not.
            ///
            /// # Errors
            ///
            /// [`Error::Protocol`] once, after the peer was told. [`Error::Io`] if the transport failed.
            /// [`Error::Send`] while no masking key can be drawn for an answer.
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: if it is dropped, nothing that was received or queued is lost. The transport's own
                /// `read`, `write` and `flush` must be cancel safe.
            )?
            pub $($async)? fn recv(&mut self) -> Result<Option<Event<'_>>, Error<S::Error>> {
                Ok(self.recv_with()$($await)*?.map(|(event, _)| event))
            }

            /// The next thing that the peer did, with the sending direction, so that an answer can be sent while the piece is still borrowed.
            ///
            /// # Errors
            ///
            /// [`Error::Protocol`] once, after the peer was told. [`Error::Io`] if the transport failed.
            /// [`Error::Send`] while no masking key can be drawn for an answer.
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: if it is dropped, nothing that was received or queued is lost.
            )?
            pub $($async)? fn recv_with(
                &mut self,
            ) -> Result<Option<Incoming<'_, 'b, S, R>>, Error<S::Error>> {
                let Some(ready) = self.ready(Driver::poll)$($await)*? else { return Ok(None) };
                let (inbound, outbound) = self.driver.split_mut();
                let mut outgoing = Outgoing { stream: &mut self.stream, outbound };
                match inbound.event(ready, &mut outgoing.outbound) {
                    Ok(event) => Ok(event.map(|event| (event, outgoing))),
                    Err(error) => {
                        outgoing.fail()$($await)*?;
                        Err(error.into())
                    }
                }
            }

            /// The next whole message, borrowed from the read buffer, or joined in `assembler`: pass the same one until
            /// a message is returned. The rest of a message of which [`recv`](Self::recv) took a piece is passed over.
            ///
            /// # Errors
            ///
            /// [`Error::Protocol`] once, after the peer was told;
            /// [`MessageTooBig`](crate::ProtocolError::MessageTooBig) if a message does not fit the assembler.
            /// [`Error::Io`] if the transport failed. [`Error::Send`] while no masking key can be drawn for an
            /// answer.
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: if it is dropped, nothing that was received or queued is lost. What was joined
                /// stays in `assembler`.
            )?
            pub $($async)? fn recv_message<'m>(
                &'m mut self,
                assembler: &'m mut SliceAssembler<'_>,
            ) -> Result<Option<Message<'m>>, Error<S::Error>> {
                Ok(self.recv_message_with(assembler)$($await)*?.map(|(message, _)| message))
            }

            /// The same as [`recv_message`](Self::recv_message), with the sending direction, so that an answer can be
            /// sent while the message is still borrowed.
            ///
            /// # Errors
            ///
            /// [`Error::Protocol`] once, after the peer was told;
            /// [`MessageTooBig`](crate::ProtocolError::MessageTooBig) if a message does not fit the assembler.
            /// [`Error::Io`] if the transport failed. [`Error::Send`] while no masking key can be drawn for an
            /// answer.
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: if it is dropped, nothing that was received or queued is lost. What was joined
                /// stays in `assembler`.
            )?
            pub $($async)? fn recv_message_with<'m>(
                &'m mut self,
                assembler: &'m mut SliceAssembler<'_>,
            ) -> Result<Option<IncomingMessage<'m, 'b, S, R>>, Error<S::Error>> {
                let ready = self.ready(|driver| driver.poll_message(assembler))$($await)*?;
                let Some(ready) = ready else { return Ok(None) };
                let (inbound, outbound) = self.driver.split_mut();
                let mut outgoing = Outgoing { stream: &mut self.stream, outbound };
                match inbound.message(ready, assembler, &mut outgoing.outbound) {
                    Ok(message) => Ok(message.map(|message| (message, outgoing))),
                    Err(error) => {
                        outgoing.fail()$($await)*?;
                        Err(error.into())
                    }
                }
            }

            /// Sends a message of any length, after everything that was queued before.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] if the message cannot be sent now; nothing of it was queued. [`Error::Io`] if
            /// the transport failed.
            $(
                #[doc = $cancel_safety]
                /// If it is dropped before the message was queued, see [`Outgoing::feed`] for what is missing. If it is
                /// dropped later, the next operation writes the message. To know which, call [`Outgoing::feed`], then
                /// [`flush`](Self::flush).
            )?
            pub $($async)? fn send(
                &mut self,
                message: impl AsPayload,
            ) -> Result<(), Error<S::Error>> {
                self.outgoing().send(message)$($await)*
            }

            /// Sends a fragment of a message. `fin` marks the last one.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] if the fragment cannot be sent now; nothing of it was queued. [`Error::Io`] if
            /// the transport failed.
            $(
                #[doc = $cancel_safety]
                /// If it is dropped before the fragment was queued, see [`Outgoing::feed_fragment`] for what is
                /// missing. If it is dropped later, the next operation writes the fragment.
            )?
            pub $($async)? fn send_fragment(
                &mut self,
                fragment: impl AsPayload,
                fin: bool,
            ) -> Result<(), Error<S::Error>> {
                self.outgoing().send_fragment(fragment, fin)$($await)*
            }

            /// Sends a Ping.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] if no Ping can be sent now. [`Error::Io`] if the transport failed.
            $(
                #[doc = $cancel_safety]
                /// If it is dropped while it waits for room, the Ping was not queued. If it is dropped later,
                /// the next operation writes the Ping.
            )?
            pub $($async)? fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), Error<S::Error>> {
                self.outgoing().ping(payload)$($await)*
            }

            /// Writes everything that is queued or owed.
            ///
            /// # Errors
            ///
            /// [`Error::Io`] if the transport failed. [`Error::Send`] while no masking key can be drawn for a
            /// reply.
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: call it again.
            )?
            pub $($async)? fn flush(&mut self) -> Result<(), Error<S::Error>> {
                self.outgoing().flush()$($await)*
            }

            /// Sends a Close. Messages can still be received until [`recv`](Self::recv) returns `None`.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] with [`SendError::Closed`] if the connection is closing already. [`Error::Io`]
            /// if the transport failed.
            $(
                #[doc = $cancel_safety]
                /// If it is dropped while it waits for room, the Close was not queued. If it is dropped later,
                /// the next operation writes the Close. It is never sent twice.
            )?
            pub $($async)? fn start_close<'c>(
                &mut self,
                frame: impl Into<CloseFrame<'c>>,
            ) -> Result<(), Error<S::Error>> {
                self.outgoing().start_close(frame)$($await)*
            }

            /// Closes: sends a Close if none was sent, drops what still comes, and waits for the end.
            ///
            /// # Errors
            ///
            /// [`Error::Protocol`] once, after the peer was told. [`Error::Io`] if the transport failed.
            /// [`Error::Send`] while no masking key can be drawn.
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: call it again. The Close is not sent twice.
            )?
            pub $($async)? fn close<'c>(
                &mut self,
                frame: impl Into<CloseFrame<'c>>,
            ) -> Result<Option<Closed>, Error<S::Error>> {
                match self.start_close(frame)$($await)* {
                    Ok(()) | Err(Error::Send(SendError::Closed)) => {}
                    Err(error) => return Err(error),
                }
                while self.recv()$($await)*?.is_some() {}
                Ok(self.closed())
            }

            /// The sending direction, which has more ways to send.
            pub fn outgoing(&mut self) -> Outgoing<'_, 'b, S, R> {
                Outgoing { stream: &mut self.stream, outbound: self.driver.split_mut().1 }
            }

            /// Until something is ready, or the connection has ended (`None`).
            $($async)? fn ready(
                &mut self,
                mut poll: impl FnMut(&mut Driver<'b, R>) -> Result<DriverAction, Error<S::Error>>,
            ) -> Result<Option<DriverReady>, Error<S::Error>> {
                loop {
                    match poll(&mut self.driver)? {
                        DriverAction::Take(ready) => return Ok(Some(ready)),
                        #[cfg(feature = "embedded-io-async")]
                        DriverAction::Yield => yield_now()$($await)*,
                        DriverAction::End => return Ok(None),
                        DriverAction::Write => {
                            let result = self.stream.write(self.driver.output())$($await)*;
                            self.driver.written(result)?;
                        }
                        DriverAction::Flush => {
                            let result = self.stream.flush()$($await)*;
                            self.driver.flushed(result)?;
                        }
                        DriverAction::Read => {
                            let result = self.stream.read(self.driver.space())$($await)*;
                            self.driver.received(result)?;
                        }
                    }
                }
            }
        }

        impl<S, R: Role> WebSocket<'_, S, R> {
            /// How the connection ended. `None` before that.
            pub fn closed(&self) -> Option<Closed> {
                self.driver.closed()
            }

            /// The engine: its state, the payload of the last control frame, the reason of the Close,
            /// [how long](Connection::latency) the Pong of keep-alive took.
            pub const fn connection(&self) -> &Connection<R> {
                self.driver.connection()
            }

            /// When to call [`handle_timeout`](Self::handle_timeout), unless something else happens first.
            #[must_use]
            pub fn poll_timeout(&self) -> Wake {
                self.driver.poll_timeout()
            }

            /// Tells the time. If a keep-alive Ping is due, the next operation sends it. If a timer has failed the
            /// connection, the next [`recv`](Self::recv) reports that.
            pub fn handle_timeout(&mut self, now: Timestamp) {
                self.driver.handle_timeout(now);
            }

            /// Drops the connection: nothing more is sent or reported. Close the transport.
            pub fn abort(&mut self) {
                self.driver.abort();
            }

            /// The transport.
            pub const fn get_ref(&self) -> &S {
                &self.stream
            }

            /// The transport, for example to change its time limit. Do not read from it or write to it.
            pub fn get_mut(&mut self) -> &mut S {
                &mut self.stream
            }

            /// The transport, to be closed.
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
            outbound: FixedOutbound<'w, 'b, R>,
        }

        impl<S: Write, R: Role> Outgoing<'_, '_, S, R> {
            /// Sends a message of any length, after everything that was queued before.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] if the message cannot be sent now; nothing of it was queued. [`Error::Io`] if
            /// the transport failed.
            $(
                #[doc = $cancel_safety]
                /// If it is dropped before the message was queued, see [`feed`](Self::feed) for what is missing. If it
                /// is dropped later, the next operation writes the message. To know which, call `feed`, then
                /// [`flush`](Self::flush).
            )?
            pub $($async)? fn send(
                &mut self,
                message: impl AsPayload,
            ) -> Result<(), Error<S::Error>> {
                self.send_fragment(message, true)$($await)*
            }

            /// Sends a fragment of a message. `fin` marks the last one.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] if the fragment cannot be sent now; nothing of it was queued. [`Error::Io`] if
            /// the transport failed.
            $(
                #[doc = $cancel_safety]
                /// If it is dropped before the fragment was queued, see [`feed_fragment`](Self::feed_fragment)
                /// for what is missing. If it is dropped later, the next operation writes the fragment.
            )?
            pub $($async)? fn send_fragment(
                &mut self,
                fragment: impl AsPayload,
                fin: bool,
            ) -> Result<(), Error<S::Error>> {
                self.feed_fragment(fragment, fin)$($await)*?;
                self.flush()$($await)*
            }

            /// Queues a message. What does not fit the write buffer is written now, everything else before the next
            /// wait for input.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] if the message cannot be sent now; nothing of it was queued. [`Error::Io`] if
            /// the transport failed.
            $(
                #[doc = $cancel_safety]
                /// Nothing is lost. [`frame_remaining`](Self::frame_remaining) octets are missing: give those to
                /// [`feed_payload`](Self::feed_payload). If 0, nothing of the message was queued.
            )?
            pub $($async)? fn feed(
                &mut self,
                message: impl AsPayload,
            ) -> Result<(), Error<S::Error>> {
                self.feed_fragment(message, true)$($await)*
            }

            /// Queues a fragment of a message, in a frame of its own. `fin` marks the last one. What does not fit the
            /// write buffer is written now, everything else before the next wait for input.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] if the fragment cannot be sent now; nothing of it was queued. [`Error::Io`] if
            /// the transport failed.
            $(
                #[doc = $cancel_safety]
                /// Nothing is lost. [`frame_remaining`](Self::frame_remaining) octets are missing: give those to
                /// [`feed_payload`](Self::feed_payload). If 0, nothing of the fragment was queued.
            )?
            pub $($async)? fn feed_fragment(
                &mut self,
                fragment: impl AsPayload,
                fin: bool,
            ) -> Result<(), Error<S::Error>> {
                let payload = fragment.as_payload();
                match self.queue(|outbound| outbound.feed(payload, fin))$($await)*? {
                    Queued::Header => self.feed_payload(payload.as_bytes())$($await)*,
                    Queued::Whole | Queued::NoRoom => Ok(()),
                }
            }

            /// Begins a frame of `len` octets. The payload follows through [`feed_payload`](Self::feed_payload), in
            /// pieces of any size. Until it is complete, no other frame can be sent, and no Ping is answered.
            ///
            /// A client's header contains the masking key, and may be sent at once. Who knows it and can choose the
            /// payload can choose what is on the wire (RFC 6455 section 10.3).
            ///
            /// # Errors
            ///
            /// [`Error::Send`] if no frame can be begun now. [`Error::Io`] if the transport failed.
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: if it is dropped, the frame was not begun.
            )?
            pub $($async)? fn begin_frame(
                &mut self,
                kind: MessageKind,
                fin: bool,
                len: u64,
            ) -> Result<(), Error<S::Error>> {
                self.queue(|outbound| outbound.begin(kind, fin, len))$($await)*.map(|_| ())
            }

            /// Queues the next octets of the begun frame's payload. It writes to make room.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] if the frame has less left. [`Error::Io`] if the transport failed.
            /// [`frame_remaining`](Self::frame_remaining) tells how many octets were not queued.
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: [`frame_remaining`](Self::frame_remaining) tells how many octets were not queued.
            )?
            pub $($async)? fn feed_payload(&mut self, octets: &[u8]) -> Result<(), Error<S::Error>> {
                let mut rest = octets;
                while !rest.is_empty() {
                    match self.outbound.payload(rest)? {
                        0 => self.write()$($await)*?,
                        count => rest = rest.get(count..).unwrap_or(&[]),
                    }
                }
                Ok(())
            }

            /// How many octets of the begun frame's payload were not queued.
            pub fn frame_remaining(&self) -> u64 {
                self.outbound.frame_remaining()
            }

            /// Sends a Ping.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] if no Ping can be sent now. [`Error::Io`] if the transport failed.
            $(
                #[doc = $cancel_safety]
                /// If it is dropped while it waits for room, the Ping was not queued. If it is dropped later,
                /// the next operation writes the Ping.
            )?
            pub $($async)? fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), Error<S::Error>> {
                self.queue(|outbound| outbound.ping(payload))$($await)*?;
                self.flush()$($await)*
            }

            /// Sends an unsolicited Pong.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] if no Pong can be sent now. [`Error::Io`] if the transport failed.
            $(
                #[doc = $cancel_safety]
                /// If it is dropped while it waits for room, the Pong was not queued. If it is dropped later,
                /// the next operation writes the Pong.
            )?
            pub $($async)? fn pong(&mut self, payload: ControlPayload<'_>) -> Result<(), Error<S::Error>> {
                self.queue(|outbound| outbound.pong(payload))$($await)*?;
                self.flush()$($await)*
            }

            /// Sends a Close. Messages can still be received until [`WebSocket::recv`] returns `None`.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] with [`SendError::Closed`] if the connection is closing already. [`Error::Io`]
            /// if the transport failed.
            $(
                #[doc = $cancel_safety]
                /// If it is dropped while it waits for room, the Close was not queued. If it is dropped later,
                /// the next operation writes the Close. It is never sent twice.
            )?
            pub $($async)? fn start_close<'c>(
                &mut self,
                frame: impl Into<CloseFrame<'c>>,
            ) -> Result<(), Error<S::Error>> {
                let frame = frame.into();
                self.queue(|outbound| outbound.close(frame))$($await)*?;
                self.flush()$($await)*
            }

            /// Writes everything that is queued or owed.
            ///
            /// # Errors
            ///
            /// [`Error::Io`] if the transport failed. [`Error::Send`] while no masking key can be drawn for a
            /// reply.
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: call it again.
            )?
            pub $($async)? fn flush(&mut self) -> Result<(), Error<S::Error>> {
                while let Some(pending) = self.outbound.pending()? {
                    self.put(pending)$($await)*?;
                }
                Ok(())
            }

            /// If there is no room, it writes first.
            $($async)? fn queue(
                &mut self,
                mut queue: impl FnMut(&mut FixedOutbound<'_, '_, R>) -> Result<Queued, SendError>,
            ) -> Result<Queued, Error<S::Error>> {
                loop {
                    match queue(&mut self.outbound)? {
                        Queued::NoRoom => self.write()$($await)*?,
                        queued => return Ok(queued),
                    }
                }
            }

            /// As far as the transport lets us. On a time-out, the failure is left to the next call.
            $($async)? fn fail(&mut self) -> Result<(), Error<S::Error>> {
                while let Ok(Some(pending)) = self.outbound.pending() {
                    let result = self.put(pending)$($await)*;
                    self.outbound.told(result)?;
                }
                self.outbound.reported();
                Ok(())
            }

            $($async)? fn put(&mut self, pending: Pending) -> Result<(), Error<S::Error>> {
                match pending {
                    Pending::Write => self.write()$($await)*,
                    Pending::Flush => {
                        let result = self.stream.flush()$($await)*;
                        self.outbound.flushed(result)
                    }
                }
            }

            $($async)? fn write(&mut self) -> Result<(), Error<S::Error>> {
                let result = self.stream.write(self.outbound.output())$($await)*;
                self.outbound.written(result)
            }
        }

        debug_states!([S, R] WebSocket<'_, S, R>, |this| { driver: this.driver });

        debug_states!([S, R] Outgoing<'_, '_, S, R>, |this| { outbound: this.outbound });
    };
}

pub(in crate::adapter) use socket;
