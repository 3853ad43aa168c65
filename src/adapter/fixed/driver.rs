//! A connection with its two buffers, without a transport, for both embedded adapters.
//
// Owns: the order of reading, writing and ending.
// Must not know: any transport, or whether it blocks.

use embedded_io::ErrorKind;

use super::write_queue::{FixedWriteQueue, Pending};
use super::{Error, FixedBuffers, FixedOutbound, FixedReadBuffer};
use crate::connection::closing::{Closed, TransportAction};
use crate::connection::deadline::Output;
use crate::connection::reader::{Next, Reader};
#[cfg(feature = "embedded-io-async")]
use crate::connection::turn::Turn;
use crate::connection::{Config, Connection};
use crate::error::ProtocolError;
use crate::event::Event;
use crate::frame::MessageKind;
use crate::message::{whole, Message, SliceAssembler};
use crate::role::Role;
use crate::time::{Timestamp, Wake};

#[derive(Clone, Copy, Debug)]
pub(in crate::adapter) enum DriverAction {
    /// Take it at once, through [`Driver::split_mut`].
    Take(DriverReady),
    /// Write [`Driver::output`], and report the result to [`Driver::written`].
    Write,
    /// Flush, and report the result to [`Driver::flushed`].
    Flush,
    /// Read into [`Driver::space`], and report the result to [`Driver::received`].
    Read,
    #[cfg(feature = "embedded-io-async")]
    Yield,
    End,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::adapter) enum DriverReady {
    /// In the read buffer.
    Next(Next),
    /// A message in the assembler.
    Joined(MessageKind),
}

/// Everything that one read brought is reported before anything is written, and everything is written before the next
/// wait for input.
pub(in crate::adapter) struct Driver<'b, R> {
    connection: Connection<R>,
    read_buffer: FixedReadBuffer<'b>,
    write_queue: FixedWriteQueue<'b>,
    /// Whether pieces of the current message were taken.
    in_pieces: bool,
    /// Whether the result of writing is not known yet.
    offered: bool,
    #[cfg(feature = "embedded-io-async")]
    turn: Turn,
}

impl<'b, R: Role> Driver<'b, R> {
    pub(in crate::adapter) fn new(role: R, config: Config, buffers: FixedBuffers<'b>) -> Self {
        Self {
            connection: Connection::new(role, config),
            read_buffer: buffers.read,
            write_queue: FixedWriteQueue::new(buffers.write),
            in_pieces: false,
            offered: false,
            #[cfg(feature = "embedded-io-async")]
            turn: Turn::NEW,
        }
    }

    pub(in crate::adapter) fn poll<E>(&mut self) -> Result<DriverAction, Error<E>> {
        match self.receive() {
            Some(next) => Ok(DriverAction::Take(DriverReady::Next(next))),
            None => self.act(),
        }
    }

    /// It is joined in `assembler` if necessary.
    pub(in crate::adapter) fn poll_message<E>(
        &mut self,
        assembler: &mut SliceAssembler<'_>,
    ) -> Result<DriverAction, Error<E>> {
        while let Some(next) = self.receive() {
            match next {
                Next::Data { whole: true, .. } => return Ok(DriverAction::Take(DriverReady::Next(next))),
                Next::Data { .. } => {
                    if let Some(kind) = self.join(assembler) {
                        return Ok(DriverAction::Take(DriverReady::Joined(kind)));
                    }
                }
                Next::Ping | Next::Pong | Next::Close(_) => {}
            }
        }
        self.act()
    }

    /// An answer can be sent while the received data is still borrowed.
    pub(in crate::adapter) fn split_mut(&mut self) -> (FixedInbound<'_, 'b>, FixedOutbound<'_, 'b, R>) {
        let (reader, send_half) = self.connection.halves_mut();
        (
            FixedInbound { reader, read_buffer: &mut self.read_buffer, in_pieces: &mut self.in_pieces },
            FixedOutbound { send_half, write_queue: &mut self.write_queue },
        )
    }

    pub(in crate::adapter) fn output(&self) -> &[u8] {
        self.write_queue.bytes()
    }

    /// If the peer does not read any more, it may have told why.
    pub(in crate::adapter) fn written<E: embedded_io::Error>(
        &mut self,
        result: Result<usize, E>,
    ) -> Result<(), Error<E>> {
        self.offered = result.is_err();
        if matches!(result, Ok(1..)) {
            self.connection.halves_mut().1.deadlines.wrote();
        }
        let result = self.write_queue.written(result);
        self.split_mut().1.unless_lost(result)
    }

    pub(in crate::adapter) fn flushed<E: embedded_io::Error>(
        &mut self,
        result: Result<(), E>,
    ) -> Result<(), Error<E>> {
        let result = self.write_queue.flushed(result);
        self.split_mut().1.unless_lost(result)
    }

    /// Never empty.
    pub(in crate::adapter) fn space(&mut self) -> &mut [u8] {
        self.read_buffer.space()
    }

    pub(in crate::adapter) fn received<E: embedded_io::Error>(
        &mut self,
        result: Result<usize, E>,
    ) -> Result<(), Error<E>> {
        match result {
            Ok(0) => {
                if self.connection.eof().is_err() {
                    // It will not read any more.
                    self.split_mut().1.end();
                }
                Ok(())
            }
            Ok(count) => {
                self.read_buffer.filled(count);
                #[cfg(feature = "embedded-io-async")]
                self.turn.read(count);
                self.connection.halves_mut().1.deadlines.received();
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(Error::Io(error)),
            Err(error) => {
                if self.connection.eof().is_err() {
                    self.split_mut().1.reported(); // this very error is the report
                }
                self.split_mut().1.end();
                match self.closed() {
                    Some(closed) if closed.clean => Ok(()),
                    _ => Err(Error::Io(error)),
                }
            }
        }
    }

    pub(in crate::adapter) fn poll_timeout(&self) -> Wake {
        self.connection.poll_timeout_with(self.progress())
    }

    fn progress(&self) -> Output {
        if self.output().is_empty() && !self.connection.wants_transmit() {
            Output::Taken
        } else if self.offered {
            Output::Waits
        } else {
            Output::Queued
        }
    }

    /// The next [`poll`](Self::poll) reports a failure.
    pub(in crate::adapter) fn handle_timeout(&mut self, now: Timestamp) {
        let _ = self.connection.handle_timeout_with(now, self.progress());
        self.drop_if_given_up();
    }

    pub(in crate::adapter) fn abort(&mut self) {
        self.connection.abort();
        self.split_mut().1.end();
        self.split_mut().1.reported();
    }

    /// If the transport is to be dropped.
    fn drop_if_given_up(&mut self) {
        let mut outbound = self.split_mut().1;
        if outbound.send_half.gave_up() {
            outbound.end();
        }
    }

    pub(in crate::adapter) fn closed(&self) -> Option<Closed> {
        self.connection.closed()
    }

    pub(in crate::adapter) const fn connection(&self) -> &Connection<R> {
        &self.connection
    }

    /// Until something is to be reported or nothing is left.
    fn receive(&mut self) -> Option<Next> {
        loop {
            let (inbound, mut outbound) = self.split_mut();
            let mailbox = outbound.send_half.writer.mailbox();
            let next = inbound.read_buffer.take(|input| inbound.reader.advance(input, mailbox));
            if let Some(digest) = mailbox.take_answer() {
                outbound.send_half.deadlines.round_trip.pong(digest);
            }
            outbound.send_half.writer.settle();
            match next {
                // Everything that follows is discarded.
                Err(_) => continue,
                // Section 5.5.2: while there is room, and a masking key.
                Ok(Some(Next::Ping)) => {
                    let _ = outbound.queue_owed();
                }
                Ok(None) => self.drop_if_given_up(),
                Ok(_) => {}
            }
            #[cfg(feature = "embedded-io-async")]
            if let Ok(Some(_)) = next {
                self.turn.delivered();
            }
            return next.unwrap_or(None);
        }
    }

    /// Returns the kind of the message if it is complete.
    fn join(&mut self, assembler: &mut SliceAssembler<'_>) -> Option<MessageKind> {
        let (inbound, outbound) = self.split_mut();
        let FixedInbound { reader, read_buffer, in_pieces } = inbound;
        let mailbox = outbound.send_half.writer.mailbox();
        let joined = read_buffer.take(|input| reader.take_data(input, mailbox)).and_then(|data| {
            if *in_pieces {
                // A piece was taken before.
                *in_pieces = !data.is_last();
                return Ok(None);
            }
            assembler.append(data)
        });
        joined.unwrap_or_else(|error| {
            reader.fail(error, outbound.send_half.writer.mailbox());
            outbound.send_half.writer.settle();
            None
        })
    }

    fn act<E>(&mut self) -> Result<DriverAction, Error<E>> {
        let stuck = self.connection.wants_transmit() && self.connection.writer().frame_remaining() > 0;
        if stuck && self.connection.transport() != TransportAction::Open {
            // Nobody will complete the frame that the Close waits for.
            self.split_mut().1.end();
            self.connection.abort();
        }
        match self.split_mut().1.pending() {
            Ok(Some(Pending::Write)) => {
                self.offered = true;
                return Ok(DriverAction::Write);
            }
            Ok(Some(Pending::Flush)) => return Ok(DriverAction::Flush),
            Ok(None) => {}
            Err(error) => {
                let failure = self.connection.halves_mut().1.writer.close_state.take_failure();
                return Err(failure.map_or(error.into(), Into::into));
            }
        }
        if let Some(error) = self.connection.halves_mut().1.writer.close_state.take_failure() {
            return Err(error.into());
        }
        Ok(match self.connection.transport() {
            #[cfg(feature = "embedded-io-async")]
            TransportAction::Open | TransportAction::AwaitEof if self.turn.is_over() => {
                self.turn = Turn::NEW;
                DriverAction::Yield
            }
            TransportAction::Open | TransportAction::AwaitEof => DriverAction::Read,
            // These traits cannot end one direction.
            TransportAction::ShutdownWrite | TransportAction::Close => {
                self.connection.abort();
                self.split_mut().1.end();
                DriverAction::End
            }
        })
    }
}

/// Takes what its `poll` has reported as ready.
pub(in crate::adapter) struct FixedInbound<'e, 'b> {
    reader: &'e mut Reader,
    read_buffer: &'e mut FixedReadBuffer<'b>,
    in_pieces: &'e mut bool,
}

impl<'e> FixedInbound<'e, '_> {
    pub(in crate::adapter) fn event<R: Role>(
        self,
        ready: DriverReady,
        outbound: &mut FixedOutbound<'_, '_, R>,
    ) -> Result<Option<Event<'e>>, ProtocolError> {
        Ok(match ready {
            DriverReady::Next(Next::Data { .. }) => {
                let Self { reader, read_buffer, in_pieces } = self;
                let data =
                    read_buffer.take(|input| reader.take_data(input, outbound.send_half.writer.mailbox()));
                outbound.send_half.writer.settle();
                let data = data?;
                *in_pieces = !data.is_last();
                Some(Event::Data(data))
            }
            DriverReady::Next(Next::Ping) => Some(Event::Ping),
            DriverReady::Next(Next::Pong) => Some(Event::Pong),
            DriverReady::Next(Next::Close(code)) => Some(Event::Close(code)),
            DriverReady::Joined(_) => None,
        })
    }

    pub(in crate::adapter) fn message<R: Role>(
        self,
        ready: DriverReady,
        assembler: &'e SliceAssembler<'_>,
        outbound: &mut FixedOutbound<'_, '_, R>,
    ) -> Result<Option<Message<'e>>, ProtocolError> {
        let Self { reader, read_buffer, .. } = self;
        let mailbox = outbound.send_half.writer.mailbox();
        let message = match ready {
            DriverReady::Joined(kind) => assembler.joined(kind),
            DriverReady::Next(Next::Data { .. }) => {
                read_buffer.take(|input| reader.take_data(input, mailbox)).and_then(whole)
            }
            DriverReady::Next(_) => return Ok(None),
        };
        message.map(Some).inspect_err(|error| {
            reader.fail(*error, outbound.send_half.writer.mailbox());
            outbound.send_half.writer.settle();
        })
    }
}

debug_states!([R] Driver<'_, R>, |this| { connection: this.connection, read_buffer: this.read_buffer, write_queue: this.write_queue });

debug_states!([] FixedInbound<'_, '_>, |this| { reader: this.reader, read_buffer: this.read_buffer });
