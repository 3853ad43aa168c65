//! In place of the codec where the feature `deflate` is off. It has no values, so the compiler removes the code that
//! would use it.
//
// Owns: functions with the names and the parameters of those in `inflation` and `deflation`.
// Must not know: how compression works.

use alloc::vec::Vec;

use super::compressing::Compressing;
use super::inflation_progress::InflationProgress;
use super::read_buffer::ReadBuffer;
use super::write_queue::WriteQueue;
use super::BufferPool;
use crate::connection::writer::Writer;
use crate::error::{ProtocolError, SendError};
use crate::event::Data;
use crate::frame::{EncodedHeader, MessageKind};
use crate::message::Message;
use crate::payload::Payload;
use crate::role::Role;

#[derive(Debug)]
pub(super) enum NoCodec {}

impl NoCodec {
    pub(super) fn is_active(&self) -> bool {
        match *self {}
    }

    pub(super) fn is_done(&self) -> bool {
        match *self {}
    }

    pub(super) fn push(&mut self, _: MessageKind, _: bool) {
        match *self {}
    }

    pub(super) fn inflated(&self) -> usize {
        match *self {}
    }

    pub(super) fn run(
        &mut self,
        _: &mut ReadBuffer,
        _: bool,
        _: usize,
    ) -> Result<InflationProgress, ProtocolError> {
        match *self {}
    }

    pub(super) fn message(&mut self) -> Result<Message<'_>, ProtocolError> {
        match *self {}
    }

    pub(super) fn piece(&mut self) -> Result<Data<'_>, ProtocolError> {
        match *self {}
    }

    pub(super) fn is_idle(&self) -> bool {
        match *self {}
    }

    pub(super) fn restart(&mut self) {
        match *self {}
    }

    pub(super) fn pass_over(&mut self) -> Result<(), ProtocolError> {
        match *self {}
    }

    pub(super) fn clear_message(&mut self) {
        match *self {}
    }

    pub(super) fn acquire(&mut self, _: &mut BufferPool) {
        match *self {}
    }

    pub(super) fn release(&mut self, _: &mut BufferPool) {
        match *self {}
    }

    pub(super) fn release_context(&mut self) {
        match *self {}
    }

    pub(super) fn wants<R: Role>(&self, _: &Writer<R>, _: &Payload<'_>, _: bool) -> bool {
        match *self {}
    }

    pub(super) fn append<R: Role>(
        &mut self,
        _: &mut Writer<R>,
        _: &mut WriteQueue,
        _: Payload<'_>,
        _: bool,
    ) -> Result<(), SendError> {
        match *self {}
    }

    pub(super) fn takes_turns<R: Role>(&self, _: &Writer<R>, _: &Payload<'_>, _: bool) -> bool {
        match *self {}
    }

    pub(super) fn advance(
        &mut self,
        _: &Payload<'_>,
        _: bool,
        _: &mut Compressing,
    ) -> Result<(usize, bool), SendError> {
        match *self {}
    }

    pub(super) fn begin_ahead<R: Role>(
        &mut self,
        _: &mut Writer<R>,
        _: Payload<'_>,
        _: bool,
        _: &mut Compressing,
    ) -> Result<(EncodedHeader, Vec<u8>), SendError> {
        match *self {}
    }
}
