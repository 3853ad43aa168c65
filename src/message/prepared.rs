//! One message for many connections.
//
// Owns: a frame that was encoded once.
// Must not know: who receives it.

use alloc::sync::Arc;
use alloc::vec::Vec;

#[cfg(feature = "deflate")]
use crate::deflate::{Deflater, Flush, Params, Tuning, WindowBits};
use crate::frame::{FrameHeader, MessageKind, Rsv};
use crate::parked::Parked;
use crate::payload::Payload;
#[cfg(feature = "deflate")]
use crate::role::Side;

/// A message encoded once, to be sent by a server to any number of connections. Cloning shares the bytes.
///
/// Only servers can send it: a client masks every frame with a key of its own.
#[derive(Clone)]
pub struct Prepared {
    kind: MessageKind,
    frame: Arc<[u8]>,
    #[cfg(feature = "deflate")]
    deflated: Option<(WindowBits, Arc<[u8]>)>,
}

impl Prepared {
    /// Encodes the message.
    pub fn new<'p>(message: impl Into<Payload<'p>>) -> Self {
        let payload = message.into();
        Self {
            kind: payload.kind(),
            frame: frame(payload.kind(), Rsv::NONE, payload.as_bytes()),
            #[cfg(feature = "deflate")]
            deflated: None,
        }
    }

    /// Encodes the message, and compresses it once as well, for connections that have agreed on
    /// permessage-deflate with a server's window of at least `window`; others get it as it is.
    ///
    /// It is compressed with an empty window. Where the server may take its context over, the context is
    /// given up with it: messages of one connection alone compress better by themselves.
    ///
    /// # Errors
    ///
    /// [`SendError::CompressionFailed`](crate::SendError::CompressionFailed), which is a defect of the codec.
    #[cfg(feature = "deflate")]
    pub fn deflated<'p>(
        message: impl Into<Payload<'p>>,
        window: WindowBits,
        tuning: Tuning,
    ) -> Result<Self, crate::SendError> {
        let payload = message.into();
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

    /// Text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The whole frame, as it goes on the wire where it is not compressed.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// The bytes that a parked server connection sends for it. Sending them does not change its state: whoever keeps the [`Parked`] need not
    /// [unpark](crate::Connection::unpark) it to write these bytes. `None` where an extension may change them.
    pub fn frame_for_parked(&self, parked: &Parked) -> Option<&[u8]> {
        (parked.allowed_rsv() == Rsv::NONE).then_some(&*self.frame)
    }

    /// The whole frame with compressed payload, and the window that it needs.
    #[cfg(feature = "deflate")]
    pub(super) fn deflated_frame(&self) -> Option<(WindowBits, &[u8])> {
        self.deflated.as_ref().map(|(window, frame)| (*window, &**frame))
    }
}

/// One whole frame of a server.
fn frame(kind: MessageKind, rsv: Rsv, octets: &[u8]) -> Arc<[u8]> {
    let header = FrameHeader { rsv, ..FrameHeader::new(true, kind.opcode(), octets.len() as u64, None) };
    let header = header.encode();
    let mut frame = Vec::with_capacity(header.as_bytes().len().saturating_add(octets.len()));
    frame.extend_from_slice(header.as_bytes());
    frame.extend_from_slice(octets);
    frame.into()
}

debug_states!([] Prepared, |this| { kind: this.kind, frame: this.frame.len() });
