//! The opening handshake in buffers that the caller lends, for both embedded adapters.
//
// Owns: turning received bytes into an answer to write.
// Must not know: any transport.

use embedded_io::ErrorKind;

use super::write_queue::{FixedWriteQueue, Pending};
use super::{Error, FixedBuffers, FixedReadBuffer};
use crate::adapter::opening_error::{OpeningError, Rejection};
use crate::adapter::{Answer, ClientConfig, ServerConfig};
use crate::handshake::client::{self, ClientRequest};
use crate::handshake::server::{Reject, Request, ServerHandshake, ServerProgress};
use crate::handshake::{ComposeError, HandshakeError, Negotiated};
use crate::role::Entropy;

#[derive(Clone, Copy, Debug, Default)]
pub(in crate::adapter) struct FixedAgreed<'b> {
    pub(in crate::adapter) negotiated: Negotiated,
    /// It stands in the end of the write buffer.
    pub(in crate::adapter) subprotocol: Option<&'b str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::adapter) enum OpeningStep {
    /// Read into [`Opening::space`], and report the result to [`Opening::received`].
    Read,
    /// Give what was read to [`Opening::serve`] or [`Opening::ask`].
    Judge,
    /// Write [`Opening::output`], and report the result to [`Opening::written`].
    Write,
    /// Flush, and report the result to [`Opening::flushed`].
    Flush,
    /// Take the result from [`Opening::end`].
    Done,
}

#[derive(Debug)]
pub(in crate::adapter) struct Opening<'b> {
    read_buffer: FixedReadBuffer<'b>,
    write_queue: FixedWriteQueue<'b>,
    outcome: Option<Result<FixedAgreed<'b>, OpeningError>>,
}

impl<'b> Opening<'b> {
    pub(in crate::adapter) fn new(buffers: FixedBuffers<'b>) -> Self {
        Self { read_buffer: buffers.read, write_queue: FixedWriteQueue::new(buffers.write), outcome: None }
    }

    /// An answer is written before its result is reported.
    pub(in crate::adapter) fn step(&self) -> OpeningStep {
        match (self.write_queue.pending(), &self.outcome) {
            (Some(Pending::Write), _) => OpeningStep::Write,
            (Some(Pending::Flush), _) => OpeningStep::Flush,
            (None, Some(_)) => OpeningStep::Done,
            (None, None) if self.read_buffer.unread().is_empty() => OpeningStep::Read,
            (None, None) => OpeningStep::Judge,
        }
    }

    pub(in crate::adapter) fn serve<'r>(
        &mut self,
        handshake: &mut ServerHandshake<'_>,
        config: &ServerConfig,
        decide: impl FnOnce(&Request<'_>) -> Result<Answer<'r>, Reject<'r>>,
    ) {
        let result = match handshake.recv(self.read_buffer.unread()) {
            Ok((taken, ServerProgress::NeedMore)) => return self.read_buffer.consume(taken),
            Ok((_, ServerProgress::Http(_))) => Err(OpeningError::NotWebSocket),
            Ok((taken, ServerProgress::Request(request))) => {
                self.read_buffer.consume(taken);
                self.answer(&request, config, decide)
            }
            Err(error) => Err(error.into()),
        };
        if let Some(reject) = result.as_ref().err().and_then(OpeningError::answer) {
            let _ = self.write_queue.fill(|out| reject.write(out));
        }
        self.outcome = Some(result);
    }

    /// The 101, or the application's refusal.
    fn answer<'r>(
        &mut self,
        request: &Request<'_>,
        config: &ServerConfig,
        decide: impl FnOnce(&Request<'_>) -> Result<Answer<'r>, Reject<'r>>,
    ) -> Result<FixedAgreed<'b>, OpeningError> {
        let mut accept = request.accept(config.policy_for(request.origin()))?;
        let answer = match decide(request) {
            Ok(answer) => answer,
            Err(reject) => {
                self.write_queue.fill(|out| reject.write(out))?;
                return Err(OpeningError::Refused(reject.status()));
            }
        };
        answer.apply(config, &mut accept)?;
        let kept = accept.chosen_subprotocol().map(|name| self.write_queue.keep(name)).transpose();
        let subprotocol = kept.map_err(ComposeError::from)?;
        let mut negotiated = Negotiated::default();
        self.write_queue.fill(|out| {
            let (len, agreed) = accept.write(out)?;
            negotiated = agreed;
            Ok::<_, ComposeError>(len)
        })?;
        Ok(FixedAgreed { negotiated, subprotocol })
    }

    pub(in crate::adapter) fn request(
        &mut self,
        handshake: &client::ClientHandshake<'_>,
    ) -> Result<(), OpeningError> {
        handshake.check_without_codec()?;
        match self.write_queue.fill(|out| handshake.write_request(out)) {
            Ok(_) => Ok(()),
            Err(error) => Err(OpeningError::Compose(error.into())),
        }
    }

    pub(in crate::adapter) fn ask(&mut self, handshake: &mut client::ClientHandshake<'_>) {
        self.outcome = Some(match handshake.recv(self.read_buffer.unread()) {
            Ok((taken, client::ClientProgress::NeedMore)) => return self.read_buffer.consume(taken),
            Ok((taken, client::ClientProgress::Accepted(accepted))) => {
                self.read_buffer.consume(taken);
                let negotiated = accepted.negotiated();
                let kept = accepted.subprotocol().map(|name| self.write_queue.keep(name)).transpose();
                kept.map(|subprotocol| FixedAgreed { negotiated, subprotocol })
                    .map_err(|error| OpeningError::Compose(error.into()))
            }
            Ok((_, client::ClientProgress::Rejected(rejected))) => {
                Err(OpeningError::Rejected(Rejection::of_status(rejected.status())))
            }
            Err(error) => Err(error.into()),
        });
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
            Ok(0) => Err(OpeningError::Handshake(HandshakeError::UnexpectedEof).into()),
            Ok(count) => {
                self.read_buffer.filled(count);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(Error::Io(error)),
        }
    }

    pub(in crate::adapter) fn output(&self) -> &[u8] {
        self.write_queue.bytes()
    }

    pub(in crate::adapter) fn written<E: embedded_io::Error>(
        &mut self,
        result: Result<usize, E>,
    ) -> Result<(), Error<E>> {
        self.write_queue.written(result)
    }

    pub(in crate::adapter) fn flushed<E: embedded_io::Error>(
        &mut self,
        result: Result<(), E>,
    ) -> Result<(), Error<E>> {
        self.write_queue.flushed(result)
    }

    /// Bytes that followed the head are the first input of the connection.
    pub(in crate::adapter) fn end(self) -> Result<(FixedAgreed<'b>, FixedBuffers<'b>), OpeningError> {
        let agreed = self.outcome.unwrap_or(Err(HandshakeError::UnexpectedEof.into()))?;
        Ok((agreed, FixedBuffers { read: self.read_buffer, write: self.write_queue.into_buffer() }))
    }
}

/// The head is not whole: this error, unless the server's refusal is known.
pub(in crate::adapter) fn cut_off<E>(handshake: &client::ClientHandshake<'_>, error: Error<E>) -> Error<E> {
    match handshake.rejected() {
        Some(rejected) => OpeningError::Rejected(Rejection::of_status(rejected.status())).into(),
        None => error,
    }
}

pub(in crate::adapter) fn nonce(entropy: &mut impl Entropy) -> Result<[u8; 16], OpeningError> {
    let mut nonce = [0; 16];
    entropy.fill(&mut nonce).map_err(|_| OpeningError::Entropy)?;
    Ok(nonce)
}

pub(in crate::adapter) fn client_handshake<'c>(
    request: ClientRequest<'c>,
    nonce: [u8; 16],
    storage: &'c mut [u8],
    config: &'c ClientConfig,
) -> Result<client::ClientHandshake<'c>, OpeningError> {
    Ok(client::ClientHandshake::new(config.complete(request)?, nonce, storage, config.head_limits))
}
