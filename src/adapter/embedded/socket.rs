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
        pub use crate::adapter::fixed::{Answer, OpeningError, ServerOptions, Settings};
        #[cfg(feature = "handshake")]
        pub use opening::{accept, accept_with, client};

        pub use crate::adapter::fixed::{Buffers, Error};

        use $io::{Read, Write};

        use crate::adapter::fixed::{DriverAction, Driver, FixedOutbound, Pending, Queued, DriverReady};
        use crate::close::CloseFrame;
        use crate::closing::Closed;
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
        /// [`Read`] and [`Write`] cannot end one direction of a transport, so the caller ends it. Once
        /// [`recv`](Self::recv) has returned `None`, [`Error::Protocol`], or [`Error::Io`] with anything but
        /// a time-out, it does not touch the transport any more. After such an error the next `recv` returns
        /// `None`. From then on [`closed`](Self::closed) tells how the connection ended. Then:
        ///
        /// 1. Take the transport [back](Self::into_inner).
        /// 2. End its writing direction, if it can.
        /// 3. Read on until the peer ends, within a bound, unless a read has told already that it did.
        ///    Without this, what the peer is still sending can be answered by a reset, which overtakes our
        ///    Close (RFC 6455 section 7.1.1).
        /// 4. Close it.
        ///
        /// The same holds after a refused opening handshake: pass `&mut stream` to keep the stream.
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

            /// What the peer did next: pieces of messages as they come, Pings, Pongs, the Close. `None` once
            /// nothing will come; [`closed`](Self::closed) tells how the connection ended.
            ///
            /// Pings and the Close are answered, and everything is written, before each wait for input. After
            /// both Closes a client waits for the end of the stream, a server does not.
            ///
            /// # Errors
            ///
            /// [`Error::Protocol`], once, after the peer was told; [`Error::Io`] if the transport failed;
            /// [`Error::Send`] while there is no masking key for an answer.
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: if it is dropped, nothing that was received or queued is lost. This needs, as
                /// all such sections here do, a transport whose own `read`, `write` and `flush` are cancel
                /// safe.
            )?
            pub $($async)? fn recv(&mut self) -> Result<Option<Event<'_>>, Error<S::Error>> {
                Ok(self.recv_with()$($await)*?.map(|(event, _)| event))
            }

            /// As [`recv`](Self::recv), with the sending direction, so that an answer can be sent while the
            /// piece is still borrowed: an echo needs no copy but the one into the write buffer.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv).
            $(
                #[doc = $cancel_safety]
                /// Cancel safe, as [`recv`](Self::recv).
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

            /// The next whole message. One that lies whole in the read buffer is lent from there, any other
            /// is joined in `assembler`: the same one until a message comes. The rest of a message of which
            /// [`recv`](Self::recv) took a piece is passed over.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv); [`MessageTooBig`](crate::ProtocolError::MessageTooBig) if a message
            /// does not fit.
            $(
                #[doc = $cancel_safety]
                /// Cancel safe, as [`recv`](Self::recv): what was joined stays in `assembler`.
            )?
            pub $($async)? fn recv_message<'m>(
                &'m mut self,
                assembler: &'m mut SliceAssembler<'_>,
            ) -> Result<Option<Message<'m>>, Error<S::Error>> {
                Ok(self.recv_message_with(assembler)$($await)*?.map(|(message, _)| message))
            }

            /// As [`recv_message`](Self::recv_message), with the sending direction.
            ///
            /// # Errors
            ///
            /// As [`recv_message`](Self::recv_message).
            $(
                #[doc = $cancel_safety]
                /// Cancel safe, as [`recv_message`](Self::recv_message).
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

            /// Sends a message of any length, and everything that waits before it.
            ///
            /// # Errors
            ///
            /// As [`Outgoing::send`].
            $(
                #[doc = $cancel_safety]
                /// As [`Outgoing::send`].
            )?
            pub $($async)? fn send(
                &mut self,
                message: impl AsPayload,
            ) -> Result<(), Error<S::Error>> {
                self.outgoing().send(message)$($await)*
            }

            /// Sends a fragment of a message, the last if `fin`.
            ///
            /// # Errors
            ///
            /// As [`Outgoing::send`].
            $(
                #[doc = $cancel_safety]
                /// As [`Outgoing::send`], for the fragment.
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
            /// As [`Outgoing::send`].
            $(
                #[doc = $cancel_safety]
                /// As [`Outgoing::ping`].
            )?
            pub $($async)? fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), Error<S::Error>> {
                self.outgoing().ping(payload)$($await)*
            }

            /// Writes everything that waits.
            ///
            /// # Errors
            ///
            /// As [`Outgoing::flush`].
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: call it again.
            )?
            pub $($async)? fn flush(&mut self) -> Result<(), Error<S::Error>> {
                self.outgoing().flush()$($await)*
            }

            /// Sends a Close; messages can still come until [`recv`](Self::recv) returns `None`.
            ///
            /// # Errors
            ///
            /// As [`Outgoing::start_close`].
            $(
                #[doc = $cancel_safety]
                /// As [`Outgoing::start_close`].
            )?
            pub $($async)? fn start_close<'c>(
                &mut self,
                frame: impl Into<CloseFrame<'c>>,
            ) -> Result<(), Error<S::Error>> {
                self.outgoing().start_close(frame)$($await)*
            }

            /// Closes: sends a Close if none was sent, drops what still comes, and waits for the end of the
            /// connection.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv).
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: call it again; a second Close is not sent.
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

            /// The sending direction, with more ways to send.
            pub fn outgoing(&mut self) -> Outgoing<'_, 'b, S, R> {
                Outgoing { stream: &mut self.stream, outbound: self.driver.split_mut().1 }
            }

            /// Does what the driver asks for until something is ready, or nothing will come.
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
            /// How the connection ended: `None` until it did.
            pub fn closed(&self) -> Option<Closed> {
                self.driver.closed()
            }

            /// The engine, for what it knows: its state, the payload of the control frame that came last, the
            /// reason of the Close.
            pub const fn connection(&self) -> &Connection<R> {
                self.driver.connection()
            }

            /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens before.
            #[must_use]
            pub fn poll_timeout(&self) -> Wake {
                self.driver.poll_timeout()
            }

            /// Tells the time. A keep-alive Ping that is due goes out with the next operation; a deadline
            /// that has failed the connection is reported by the next [`recv`](Self::recv), once the peer was
            /// told.
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
            outbound: FixedOutbound<'w, 'b, R>,
        }

        impl<S: Write, R: Role> Outgoing<'_, '_, S, R> {
            /// As [`WebSocket::send`].
            ///
            /// # Errors
            ///
            /// [`Error::Send`] if the connection does not allow it, [`Error::Io`] if the transport failed.
            $(
                #[doc = $cancel_safety]
                /// As [`feed`](Self::feed) until the message is queued. If it is dropped later, the next
                /// operation writes the message. To know which, call `feed`, then [`flush`](Self::flush).
            )?
            pub $($async)? fn send(
                &mut self,
                message: impl AsPayload,
            ) -> Result<(), Error<S::Error>> {
                self.send_fragment(message, true)$($await)*
            }

            /// As [`WebSocket::send_fragment`].
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send).
            $(
                #[doc = $cancel_safety]
                /// As [`send`](Self::send), for the fragment.
            )?
            pub $($async)? fn send_fragment(
                &mut self,
                fragment: impl AsPayload,
                fin: bool,
            ) -> Result<(), Error<S::Error>> {
                self.feed_fragment(fragment, fin)$($await)*?;
                self.flush()$($await)*
            }

            /// Queues a message; writes first what does not fit the buffer together with it. The rest is
            /// written before the next wait for input.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send).
            $(
                #[doc = $cancel_safety]
                /// Nothing is lost. If it is dropped and [`frame_remaining`](Self::frame_remaining) is 0,
                /// nothing of the message was queued. Otherwise the message was longer than the write buffer,
                /// and that many of its octets are missing: give them to
                /// [`feed_payload`](Self::feed_payload).
            )?
            pub $($async)? fn feed(
                &mut self,
                message: impl AsPayload,
            ) -> Result<(), Error<S::Error>> {
                self.feed_fragment(message, true)$($await)*
            }

            /// As [`feed`](Self::feed), for a fragment of a message, the last if `fin`. It is one frame of
            /// its own.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send).
            $(
                #[doc = $cancel_safety]
                /// As [`feed`](Self::feed), for the fragment.
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

            /// Begins a frame of `len` octets, whose payload is not there yet: it follows through
            /// [`feed_payload`](Self::feed_payload), in pieces of any size. Until it is complete no other
            /// frame can be sent, and no Ping is answered.
            ///
            /// The header of a client names the masking key, and may go out now: do not let who chooses the
            /// payload see it before the payload is there (RFC 6455 section 10.3).
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send).
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

            /// Queues the next octets of the frame begun last, and writes as it must to make room.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send); [`frame_remaining`](Self::frame_remaining) tells how many were
            /// queued.
            $(
                #[doc = $cancel_safety]
                /// Cancel safe: [`frame_remaining`](Self::frame_remaining) tells how many octets were not
                /// queued; go on with those.
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

            /// Octets of the frame begun last that were not queued yet.
            pub fn frame_remaining(&self) -> u64 {
                self.outbound.frame_remaining()
            }

            /// As [`WebSocket::ping`].
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send).
            $(
                #[doc = $cancel_safety]
                /// If it is dropped while it waits for room, the Ping was not queued. If it is dropped later,
                /// the next operation writes the Ping.
            )?
            pub $($async)? fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), Error<S::Error>> {
                self.queue(|outbound| outbound.ping(payload))$($await)*?;
                self.flush()$($await)*
            }

            /// Sends a Pong that nobody asked for.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send).
            $(
                #[doc = $cancel_safety]
                /// As [`ping`](Self::ping).
            )?
            pub $($async)? fn pong(&mut self, payload: ControlPayload<'_>) -> Result<(), Error<S::Error>> {
                self.queue(|outbound| outbound.pong(payload))$($await)*?;
                self.flush()$($await)*
            }

            /// As [`WebSocket::start_close`].
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send); [`SendError::Closed`] if the connection is closing already.
            $(
                #[doc = $cancel_safety]
                /// As [`ping`](Self::ping), for the Close, which is queued once.
            )?
            pub $($async)? fn start_close<'c>(
                &mut self,
                frame: impl Into<CloseFrame<'c>>,
            ) -> Result<(), Error<S::Error>> {
                let frame = frame.into();
                self.queue(|outbound| outbound.close(frame))$($await)*?;
                self.flush()$($await)*
            }

            /// As [`WebSocket::flush`]; also what is owed to the peer.
            ///
            /// # Errors
            ///
            /// As [`send`](Self::send).
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

            /// Queues a frame, making room first if it must.
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

            /// Tells the peer that the connection failed, as far as the transport lets us. Where time runs
            /// out, the failure is left to the next call.
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
