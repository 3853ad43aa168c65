//! The buffers that endpoints share.
//
// Owns: buffers that no endpoint needs at the moment.
// Must not know: what stands in them, or who asks.

use alloc::vec::Vec;

use super::read_buffer::PooledInput;

/// Buffers for endpoints that work one at a time, such as those of one thread: a connection that waits has
/// none, however many there are.
///
/// Call [`Endpoint::acquire`](super::Endpoint::acquire) before each read, and before a message is queued where none
/// was read; and [`Endpoint::release`](super::Endpoint::release) when the endpoint waits. An endpoint
/// that never acquires any makes its own, and makes them anew for each large message. Endpoints that share should have
/// one size of a read ([`Buffers`](super::Buffers)). Buffers in which there were large messages are kept up to
/// 4 MiB together, and so is one of output.
pub struct BufferPool {
    pub(super) input: PooledInput,
    pub(super) output: Vec<u8>,
    pub(super) inflated: Vec<u8>,
}

impl BufferPool {
    /// No buffers yet.
    pub const fn new() -> Self {
        Self { input: PooledInput::new(), output: Vec::new(), inflated: Vec::new() }
    }
}

impl Default for BufferPool {
    fn default() -> Self {
        Self::new()
    }
}

debug_states!([] BufferPool, |this| { input: this.input, output: this.output.capacity(), inflated: this.inflated.capacity() });
