//! Receives the response to our request (RFC 9110 section 15).
//
// Owns: skipping interim responses, and that a failure is final.
// Must not know: what the request asked for.

use super::error::HandshakeError;
use super::head::ResponseHead;
use super::head_index::Fields;
use super::http1::HttpVersion;
use super::HeadLimits;
use crate::tolerance::Tolerances;

/// How many responses may come before the final one (RFC 9110 section 15.2).
const MAX_INTERIM_RESPONSES: u8 = 8;

/// Its head is complete, and its HTTP major version is 1.
#[derive(Clone, Copy)]
pub(crate) struct Response<'h> {
    pub(crate) fields: Fields<'h, 'h>,
    pub(crate) version: HttpVersion,
    pub(crate) status: u16,
    pub(crate) is_truncated: bool,
    pub(crate) tolerances: Tolerances,
}

/// The final response has a status of 101, or of 200 and above.
#[derive(Debug)]
pub(crate) struct ResponseReader<'s> {
    head: ResponseHead<'s>,
    interim: u8,
    failed: Option<HandshakeError>,
}

impl<'s> ResponseReader<'s> {
    /// A status of `refused_from` or above is a refusal.
    pub(crate) fn new(refused_from: u16, storage: &'s mut [u8], limits: &HeadLimits) -> Self {
        Self { head: ResponseHead::new(refused_from, storage, limits), interim: 0, failed: None }
    }

    /// A refusal, with the fields that came so far.
    pub(crate) fn refusal(&self) -> Option<Response<'_>> {
        parse(&self.head).ok().filter(|_| self.head.is_refusal())
    }

    /// Takes bytes up to the blank line of the final response, then calls `judge`. Returns how many, and what `judge`
    /// returned. After a failure it returns the same failure again.
    pub(crate) fn recv<'r, T: 'r>(
        &'r mut self,
        input: &[u8],
        judge: impl FnOnce(Response<'r>) -> Result<T, HandshakeError>,
    ) -> Result<(usize, Option<T>), HandshakeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.collect(input).and_then(|(taken, complete)| {
            if !complete {
                return Ok((taken, None));
            }
            judge(parse(&self.head)?).map(|judgement| (taken, Some(judgement)))
        });
        if let Err(error) = result {
            self.failed = Some(error);
        }
        result
    }

    pub(crate) fn eof(&self) -> Result<(), HandshakeError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.head.is_complete() => Ok(()),
            None => Err(HandshakeError::UnexpectedEof),
        }
    }

    /// Skips interim responses.
    fn collect(&mut self, input: &[u8]) -> Result<(usize, bool), HandshakeError> {
        let mut taken = 0_usize;
        loop {
            let rest = input.get(taken..).unwrap_or(&[]);
            let (more, complete) = self.head.recv(rest)?;
            taken = taken.saturating_add(more);
            if !complete {
                return Ok((taken, false));
            }
            let status = parse(&self.head)?.status;
            if status == 101 || status >= 200 {
                return Ok((taken, true));
            }
            self.interim = self.interim.saturating_add(1);
            if self.interim > MAX_INTERIM_RESPONSES {
                return Err(HandshakeError::TooManyInterimResponses);
            }
            self.head.restart();
        }
    }
}

fn parse<'h>(head: &'h ResponseHead<'_>) -> Result<Response<'h>, HandshakeError> {
    let (version, status) = head.status().ok_or(HandshakeError::MalformedStartLine)?;
    head.check_fields()?;
    let fields = Fields::new(head.bytes(), head.head_index());
    let (is_truncated, tolerances) = (head.is_truncated(), head.limits().tolerances);
    Ok(Response { fields, version, status, is_truncated, tolerances })
}

debug_states!([] Response<'_>, |this| { version: this.version, status: this.status, fields: this.fields });
