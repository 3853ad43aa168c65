//! One message for many connections.
//
// Owns: a frame that was encoded once.
// Must not know: who receives it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::connection::parked::Parked;
#[cfg(feature = "deflate")]
use crate::deflate::{Deflater, Flush, Params, Tuning, WindowBits};
use crate::frame::{FrameHeader, MessageKind, Rsv};
use crate::payload::AsPayload;
#[cfg(feature = "deflate")]
use crate::role::Side;

/// A message that is encoded once, for a server to send to any number of connections. Clones share the bytes.
///
/// Only servers can send it, because a client masks every frame with another key.
#[derive(Clone)]
pub struct Prepared {
    kind: MessageKind,
    frame: Arc<[u8]>,
    #[cfg(feature = "deflate")]
    deflated: Option<(WindowBits, Arc<[u8]>)>,
}

impl Prepared {
    /// Encodes the message.
    pub fn new(message: impl AsPayload) -> Self {
        let payload = message.as_payload();
        Self {
            kind: payload.kind(),
            frame: frame(payload.kind(), Rsv::NONE, payload.as_bytes()),
            #[cfg(feature = "deflate")]
            deflated: None,
        }
    }

    /// Encodes the message, and also compresses it once, for connections that have agreed on permessage-deflate
    /// with a server's window of at least `window`. Other connections get it uncompressed.
    ///
    /// It is compressed with an empty window, which ends the context that a server may keep on a connection. So for one
    /// connection alone, normal messages compress better.
    ///
    /// # Errors
    ///
    /// [`SendError::CompressionFailed`](crate::SendError::CompressionFailed), a defect of the codec.
    #[cfg(feature = "deflate")]
    pub fn deflated(
        message: impl AsPayload,
        window: WindowBits,
        tuning: Tuning,
    ) -> Result<Self, crate::SendError> {
        let payload = message.as_payload();
        let mut prepared = Self::new(payload);
        if payload.compression().unwrap_or(payload.as_bytes().len() >= tuning.threshold) {
            let params = Params { server_max_window_bits: Some(window), ..Params::DEFAULT };
            let mut input = payload.as_bytes();
            let mut out = alloc::vec![0; Deflater::bound(input.len())];
            let mut deflater = Deflater::new(&params, Side::Server, tuning);
            let len = deflater.deflate(&mut input, Flush::Message, &mut out)?.written;
            if len < payload.as_bytes().len() || tuning.threshold == 0 {
                let octets = out.get(..len).unwrap_or(&[]);
                prepared.deflated = Some((window, frame(payload.kind(), Rsv::RSV1, octets)));
            }
        }
        Ok(prepared)
    }

    /// Whether it is text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The whole frame, uncompressed.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// The bytes that a parked server connection sends for this message, without being
    /// [unparked](crate::Connection::unpark). `None` if an extension may change them.
    pub fn frame_for_parked(&self, parked: &Parked) -> Option<&[u8]> {
        (parked.allowed_rsv() == Rsv::NONE).then_some(&*self.frame)
    }

    /// And the window that it needs.
    #[cfg(feature = "deflate")]
    pub(crate) fn deflated_frame(&self) -> Option<(WindowBits, &[u8])> {
        self.deflated.as_ref().map(|(window, frame)| (*window, &**frame))
    }
}

fn frame(kind: MessageKind, rsv: Rsv, octets: &[u8]) -> Arc<[u8]> {
    let header = FrameHeader { rsv, ..FrameHeader::new(true, kind.opcode(), octets.len() as u64, None) };
    let header = header.encode();
    let mut frame = Vec::with_capacity(header.as_bytes().len().saturating_add(octets.len()));
    frame.extend_from_slice(header.as_bytes());
    frame.extend_from_slice(octets);
    frame.into()
}

debug_states!([] Prepared, |this| { kind: this.kind, frame: this.frame.len() });
