//! The state of the codec for one direction. It outlives a message.
//
// Owns: making it, one step of the codec, and keeping its counters small.
// Must not know: messages, limits, or where a context is kept between messages.

use zlib_rs::{Deflate, DeflateConfig, Inflate, InflateFlush, Status};

use super::history::History;
use crate::error::ProtocolError;

/// After so many octets a stream is ended and a new one begun.
pub(super) const LONG_STREAM: u64 = 1 << 30;

/// A context fits another connection with equal parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodecKey {
    pub(super) window_bits: u8,
    pub(super) level: u8,
    pub(super) memory_level: u8,
}

/// A compressor.
pub(super) struct DeflateContext {
    pub(super) codec: Deflate,
    codec_key: CodecKey,
}

/// And what it needs to go on after the end of a stream.
pub(super) struct InflateContext {
    pub(super) codec: Inflate,
    pub(super) history: History,
}

pub(super) struct CodecStep {
    pub(super) consumed: usize,
    pub(super) produced: usize,
    pub(super) stream_end: bool,
    /// The next octets are not DEFLATE data.
    pub(super) broken: bool,
}

impl DeflateContext {
    pub(super) fn new(codec_key: CodecKey) -> Self {
        let config = DeflateConfig {
            level: i32::from(codec_key.level),
            window_bits: i32::from(codec_key.window_bits).saturating_neg(),
            mem_level: i32::from(codec_key.memory_level),
            ..DeflateConfig::default()
        };
        Self { codec: Deflate::new_with_config(config), codec_key }
    }

    pub(super) const fn codec_key(&self) -> CodecKey {
        self.codec_key
    }
}

impl InflateContext {
    pub(super) fn new() -> Self {
        // It reads what any smaller window has sent, and takes no more memory.
        Self { codec: Inflate::new(false, 15), history: History::new() }
    }

    pub(super) fn step(&mut self, input: &[u8], out: &mut [u8], flush: InflateFlush) -> CodecStep {
        let (before_in, before_out) = (self.codec.total_in(), self.codec.total_out());
        let status = self.codec.decompress(input, out, flush);
        let taken = |now: u64, before: u64| usize::try_from(now.wrapping_sub(before)).unwrap_or(usize::MAX);
        CodecStep {
            consumed: taken(self.codec.total_in(), before_in),
            produced: taken(self.codec.total_out(), before_out),
            stream_end: status == Ok(Status::StreamEnd),
            broken: status.is_err(),
        }
    }

    /// Adds the tail that the sender removed (section 7.2.2).
    pub(super) fn finish_message(&mut self) -> Result<(), ProtocolError> {
        self.finish(&[0x00, 0x00, 0xFF, 0xFF, 0x00])
    }

    /// These octets must complete a block.
    pub(super) fn finish(&mut self, octets: &[u8]) -> Result<(), ProtocolError> {
        // The codec never takes the last octet if those before it complete a block.
        let step = self.step(octets, &mut [0; 1], InflateFlush::Block);
        if step.consumed.saturating_add(1) == octets.len() && step.produced == 0 && !step.broken {
            Ok(())
        } else {
            Err(ProtocolError::InvalidCompressedData)
        }
    }

    /// Goes on after a block with BFINAL, which ends the codec's stream: its window must be kept.
    pub(super) fn restart(&mut self) -> Result<(), ProtocolError> {
        self.codec.reset(false);
        for half in self.history.halves() {
            self.codec.set_dictionary(half).map_err(|_| ProtocolError::InvalidCompressedData)?;
        }
        Ok(())
    }

    /// Some counters have 32 bits. At the end of a message the window can move to a new stream, and nothing is lost.
    pub(super) fn begin_anew(&mut self) {
        let long = self.codec.total_in().max(self.codec.total_out()) > LONG_STREAM;
        if long && self.restart().is_err() {
            self.history.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        self.codec.reset(false);
        self.history.clear();
    }
}
