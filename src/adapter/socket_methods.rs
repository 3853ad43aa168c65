//! The methods that a WebSocket and its halves have on polled and on blocking transports alike.
//
// Owns: what they are called, and their documentation.
// Must not know: any transport, or who waits how.

/// The methods of a WebSocket, for its `impl`. Tasks give `[async]` and `[.await]`, threads give `[]` for both. `$queue`
/// is what the documentation of `feed` says first.
macro_rules! socket_methods {
    ([$($async:ident)?] [$($await:tt)*] [$($cancel_safety:literal)?] $(#[$queue:meta])+) => {
        /// The next message; `None` once the connection has ended, of which [`closed`](Self::closed) tells how.
        ///
        /// The message is borrowed until the next call. [`Message::into_owned`] keeps it, and
        /// [`recv_with`](Self::recv_with) answers while it is borrowed.
        ///
        /// Pings are answered and what is queued is written before each wait for input.
        ///
        /// # Errors
        ///
        /// [`Error::Protocol`], once, after the peer was told; [`Error::Io`] if the transport failed.
        $(
            #[doc = $cancel_safety]
            /// Cancel safe: dropped at any await, nothing received or queued is lost.
        )?
        pub $($async)? fn recv(&mut self) -> Result<Option<Message<'_>>, Error> {
            Ok(self.recv_with()$($await)*?.map(|(message, _)| message))
        }

        /// The next piece of a message, for messages of any size in constant memory. The rest of a message of
        /// which a piece was taken is passed over by [`recv`](Self::recv).
        ///
        /// # Errors
        ///
        /// [`Error::Protocol`], once, after the peer was told; [`Error::Io`] if the transport failed.
        $(
            #[doc = $cancel_safety]
            /// Cancel safe: dropped at any await, nothing received or queued is lost.
        )?
        pub $($async)? fn recv_piece(&mut self) -> Result<Option<Data<'_>>, Error> {
            Ok(self.recv_piece_with()$($await)*?.map(|(piece, _)| piece))
        }

        /// Sends a message and everything queued before it.
        ///
        /// # Errors
        ///
        /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
        $(
            #[doc = $cancel_safety]
            /// Dropped while it waits for room, or while the message is compressed, nothing was queued; dropped later,
            /// the message is queued whole and is written by the next operation. A frame is never cut.
        )?
        pub $($async)? fn send(&mut self, message: impl AsPayload) -> Result<(), Error> {
            self.outgoing().send(message)$($await)*
        }

        $(#[$queue])+
        ///
        /// # Errors
        ///
        /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
        $(
            #[doc = $cancel_safety]
            /// Cancel safe: dropped, the message was not queued.
        )?
        pub $($async)? fn feed(&mut self, message: impl AsPayload) -> Result<(), Error> {
            self.outgoing().feed(message)$($await)*
        }

        /// Sends a fragment of a message, the last if `fin`: a message of any size in constant memory. Pings of the
        /// peer are answered by receiving: where sending takes long, do both, with [`into_split`](Self::into_split).
        ///
        /// # Errors
        ///
        /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
        $(
            #[doc = $cancel_safety]
            /// Dropped while it waits for room, or while the fragment is compressed, nothing was queued; dropped later,
            /// the fragment is queued whole and is written by the next operation. A frame is never cut.
        )?
        pub $($async)? fn send_fragment(&mut self, fragment: impl AsPayload, fin: bool) -> Result<(), Error> {
            self.outgoing().send_fragment(fragment, fin)$($await)*
        }

        /// Sends a Ping. [`latency`](Self::latency) tells how long its Pong took.
        ///
        /// # Errors
        ///
        /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
        $(
            #[doc = $cancel_safety]
            /// Dropped while it waits for room, nothing was queued; dropped later, the Ping is queued and is written by
            /// the next operation.
        )?
        pub $($async)? fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), Error> {
            self.outgoing().ping(payload)$($await)*
        }

        /// Writes everything that is queued.
        ///
        /// # Errors
        ///
        /// [`Error::Io`] if the transport failed; [`Error::Protocol`] if the peer took nothing for longer than a
        /// deadline allows, or the connection failed for another reason before all was written; [`Error::Send`] if it
        /// ended before.
        $(
            #[doc = $cancel_safety]
            /// Cancel safe: what was not written stays queued.
        )?
        pub $($async)? fn flush(&mut self) -> Result<(), Error> {
            self.outgoing().flush()$($await)*
        }

        /// Sends a Close; messages can still come until [`recv`](Self::recv) returns `None`. Where the connection is
        /// closing already, only what is queued is written.
        ///
        /// # Errors
        ///
        /// [`Error::Io`] if the transport failed; [`Error::Protocol`] if the peer took nothing for longer than a
        /// deadline allows, or the connection failed for another reason before all was written; [`Error::Send`] if it
        /// ended before.
        $(
            #[doc = $cancel_safety]
            /// Cancel safe: the Close is queued at the first poll, once.
        )?
        pub $($async)? fn start_close<'c>(&mut self, frame: impl Into<CloseFrame<'c>>) -> Result<(), Error> {
            self.outgoing().start_close(frame)$($await)*
        }

        /// Closes: sends a Close if none was sent, drops what still comes, and waits for the end of the connection, for
        /// [`Timeouts::closing`](crate::Timeouts::closing) at most. Without that timer the peer may never answer.
        ///
        /// # Errors
        ///
        /// [`Error::Protocol`], once, after the peer was told; [`Error::Io`] if the transport failed.
        $(
            #[doc = $cancel_safety]
            /// Cancel safe: call it again to go on waiting; a second Close is never sent.
        )?
        pub $($async)? fn close<'c>(
            &mut self,
            frame: impl Into<CloseFrame<'c>>,
        ) -> Result<Option<Closed>, Error> {
            match self.start_close(frame)$($await)* {
                // A deadline that has passed is reported below.
                Ok(()) | Err(Error::Send(SendError::Closed) | Error::Protocol(_)) => {}
                // What the peer sent before tells how the connection ended.
                Err(Error::Io(error)) if !Self::is_passing(&error) => self.endpoint().write_ended(),
                Err(error) => return Err(error),
            }
            while self.recv_piece()$($await)*?.is_some() {}
            Ok(self.closed())
        }

        /// The peer's Close, as soon as it came, whether or not the transport has ended. Its reason is the peer's
        /// text: do not show it to end users.
        pub fn received_close(&self) -> Option<CloseFrame<'_>> {
            self.awake()?.received_close()
        }

        /// How the connection ended: `None` until it did.
        pub fn closed(&self) -> Option<Closed> {
            self.awake()?.closed()
        }

        /// The reason of the Close that came, empty if there is none. It is the peer's text.
        pub fn close_reason(&self) -> &str {
            self.awake().map_or("", Endpoint::close_reason)
        }
    };
}

/// The methods of the sending half. The arguments are those of `socket_methods`.
macro_rules! sender_methods {
    ([$($async:ident)?] [$($await:tt)*] [$($cancel_safety:literal)?] $(#[$queue:meta])+) => {
        /// Sends a message and everything queued before it.
        ///
        /// # Errors
        ///
        /// [`Error::Send`] if the connection does not allow it, [`Error::Io`] if the transport failed.
        $(
            #[doc = $cancel_safety]
            /// Dropped while it waits for room, or while the message is compressed, nothing was queued; dropped later,
            /// the message is queued whole and is written by the next operation. A frame is never cut.
        )?
        pub $($async)? fn send(&mut self, message: impl AsPayload) -> Result<(), Error> {
            self.feed(message)$($await)*?;
            self.flush()$($await)*
        }

        $(#[$queue])+
        ///
        /// # Errors
        ///
        /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
        $(
            #[doc = $cancel_safety]
            /// Cancel safe: dropped, the message was not queued.
        )?
        pub $($async)? fn feed(&mut self, message: impl AsPayload) -> Result<(), Error> {
            self.queue(message.as_payload(), true)$($await)*
        }

        /// Sends a fragment of a message, the last if `fin`: a message of any size in constant memory.
        ///
        /// # Errors
        ///
        /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
        $(
            #[doc = $cancel_safety]
            /// Dropped while it waits for room, or while the fragment is compressed, nothing was queued; dropped later,
            /// the fragment is queued whole and is written by the next operation. A frame is never cut.
        )?
        pub $($async)? fn send_fragment(&mut self, fragment: impl AsPayload, fin: bool) -> Result<(), Error> {
            self.queue(fragment.as_payload(), fin)$($await)*?;
            self.flush()$($await)*
        }

        /// Sends a Ping.
        ///
        /// # Errors
        ///
        /// [`Error::Send`] if the connection does not allow it; [`Error::Io`] if the transport failed.
        $(
            #[doc = $cancel_safety]
            /// Dropped while it waits for room, nothing was queued; dropped later, the Ping is queued and is written by
            /// the next operation.
        )?
        pub $($async)? fn ping(&mut self, payload: ControlPayload<'_>) -> Result<(), Error> {
            self.queue_ping(payload)$($await)*?;
            self.flush()$($await)*
        }

        /// Sends a Close; the receiving half gives what still comes, and then the end, for which
        /// [`ended`](Self::ended) waits. Where the connection is closing already, only what is queued is written.
        ///
        /// # Errors
        ///
        /// [`Error::Io`] if the transport failed; [`Error::Protocol`] if the peer took nothing for longer than a
        /// deadline allows, or the connection failed for another reason before all was written; [`Error::Send`] if it
        /// ended before.
        $(
            #[doc = $cancel_safety]
            /// Cancel safe: the Close is queued at the first poll, once.
        )?
        pub $($async)? fn start_close<'c>(&mut self, frame: impl Into<CloseFrame<'c>>) -> Result<(), Error> {
            self.queue_close(frame.into())?;
            self.flush()$($await)*
        }

        /// Writes everything that is queued.
        ///
        /// # Errors
        ///
        /// [`Error::Io`] if the transport failed; [`Error::Protocol`] if the peer took nothing for longer than a
        /// deadline allows, or the connection failed for another reason before all was written; [`Error::Send`] if it
        /// ended before.
        $(
            #[doc = $cancel_safety]
            /// Cancel safe: what was not written stays queued.
        )?
        pub $($async)? fn flush(&mut self) -> Result<(), Error> {
            self.write_all()$($await)*
        }

        /// The peer's Close, as soon as the receiving half has read it. Its reason is the peer's text: do not show it
        /// to end users.
        pub fn received_close(&mut self) -> Option<CloseFrame<'_>> {
            let both = self.shared.lock();
            Some(both.close.as_ref()?.copy(&mut self.reason))
        }

        /// How the connection ended: `None` until it did.
        pub fn closed(&self) -> Option<Closed> {
            self.shared.lock().outbound.closed()
        }

        /// How long the last Pong took that answered a Ping, also of keep-alive; `None` before. Too long where nobody
        /// receives. The peer can make it too short ([`Outbound::latency`](crate::endpoint::Outbound::latency)).
        pub fn latency(&self) -> Option<Duration> {
            self.shared.lock().outbound.latency()
        }

        /// Whether a Ping was sent whose Pong has not come.
        pub fn awaits_pong(&self) -> bool {
            self.shared.lock().outbound.awaits_pong()
        }
    };
}

/// The methods of the receiving half that wait for nothing.
macro_rules! receiver_methods {
    () => {
        /// The peer's Close, as soon as it came, whether or not the transport has ended. Its reason is the peer's
        /// text: do not show it to end users.
        pub fn received_close(&self) -> Option<CloseFrame<'_>> {
            self.inbound.received_close()
        }

        /// How the connection ended: `None` until it did.
        pub fn closed(&self) -> Option<Closed> {
            self.shared.lock().outbound.closed()
        }

        /// The reason of the Close that came, empty if there is none. It is the peer's text.
        pub fn close_reason(&self) -> &str {
            self.inbound.close_reason()
        }
    };
}

pub(super) use {receiver_methods, sender_methods, socket_methods};
