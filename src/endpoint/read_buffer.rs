//! The buffer that a transport is read into, which is also where messages are assembled.
//
// Owns: which bytes of the buffer are an assembled message, and which are unread.
// Must not know: what the bytes mean, or how large a buffer should be.
//
//     0 .. message .. unread .. space for the next read .. buf.len()
//
// What holds after each call:
//
// - `message.start <= message.end <= unread.start <= unread.end <= buf.len()`.
// - `message` is payload that was joined. `unread` is what was read and not consumed.
// - `acquire`, `space`, `release` and `join` may move bytes. They change neither the bytes nor their order.

use alloc::vec::Vec;
use core::ops::Range;

use super::buffer_pool::BufferPool;
use super::bytes::{empty_mut, move_down};
use super::read_size::{plan, Facts, Plan, ReadInto, ReadSizes};
use crate::input::Input;

/// One buffer with three parts: `message`, `unread`, and space.
pub(crate) struct ReadBuffer {
    buf: Vec<u8>,
    message: Range<usize>,
    unread: Range<usize>,
    sizes: ReadSizes,
}

impl ReadBuffer {
    /// A buffer that is made when it is first needed, and begins with bytes received already.
    pub(crate) fn new(standard: usize, received: &[u8]) -> Self {
        let (buf, unread) = (received.to_vec(), 0..received.len());
        Self { buf, message: 0..0, unread, sizes: ReadSizes::new(standard) }
    }

    /// Bytes of a standard buffer.
    pub(crate) const fn capacity(&self) -> usize {
        self.sizes.standard
    }

    /// Whether there is much space to read into, in a standard buffer: all that most reads have to ask. What is
    /// announced does not matter then.
    #[inline]
    pub(crate) fn has_space(&mut self) -> bool {
        if self.buf.len() != self.sizes.standard {
            return false;
        }
        if self.is_empty() {
            self.clear();
            return true;
        }
        self.unread.end.wrapping_add(self.sizes.standard >> 2) < self.sizes.frames_end
    }

    /// The space, where there is much.
    #[inline]
    pub(crate) fn plain_space(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.unread.end..self.sizes.frames_end).unwrap_or_else(|| empty_mut())
    }

    /// The end of a frame of so many bytes, with its header, has not come.
    pub(crate) fn expect_frames(&mut self, bytes: usize) {
        self.sizes.expect_frames(bytes);
    }

    /// Space to read into, never empty. `announced` bytes of a frame have still to come. A message that is as
    /// large as the last is read `at_once` or block by block.
    #[inline(never)]
    pub(crate) fn space(&mut self, announced: u64, at_once: bool) -> &mut [u8] {
        let plan = plan(&self.facts(announced, at_once, false));
        self.prepare(&plan, &mut BufferPool::new());
        let (from, len) = (self.unread.end, self.buf.len());
        self.buf.get_mut(from..len.min(from.saturating_add(plan.bytes))).unwrap_or(&mut [])
    }

    /// Takes from `pool` what the next read needs.
    #[inline(never)]
    pub(crate) fn acquire(&mut self, announced: u64, pool: &mut BufferPool) {
        let plan = plan(&self.facts(announced, false, true));
        self.prepare(&plan, pool);
    }

    /// Gives the buffer to `pool` if nothing stands in it, or little, which moves to storage of its own.
    pub(crate) fn release(&mut self, pool: &mut BufferPool) {
        let (held, len, standard) = (self.held(), self.buf.len(), self.sizes.standard);
        let next = if held <= standard >> 2 && held < len {
            alloc::vec![0; held]
        } else if held <= standard && standard < len {
            pool.take(standard, standard)
        } else {
            return;
        };
        self.move_to(next, pool);
    }

    /// Whether the buffer is one for large messages.
    pub(crate) fn is_large(&self) -> bool {
        self.buf.len() > self.sizes.standard
    }

    /// `count` bytes were read into the space.
    #[inline]
    pub(crate) fn filled(&mut self, count: usize) {
        self.unread.end = self.unread.end.saturating_add(count).min(self.buf.len());
    }

    /// The bytes that were read and not consumed.
    #[inline]
    pub(crate) fn unread(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.unread.start..self.unread.end).unwrap_or_else(|| empty_mut())
    }

    /// How many bytes were read and not consumed.
    pub(crate) fn unread_len(&self) -> usize {
        self.unread.len()
    }

    /// Lends the unread bytes to `read` and consumes what it took; what it returns may borrow from them.
    pub(crate) fn take<'i, T>(&'i mut self, read: impl FnOnce(&mut Input<'i>) -> T) -> T {
        let Self { buf, unread, .. } = self;
        let mut input = Input::new(buf.get_mut(unread.start..unread.end).unwrap_or(&mut []));
        let taken = read(&mut input);
        unread.start = unread.start.saturating_add(input.consumed()).min(unread.end);
        taken
    }

    /// Consumes the next `count` unread bytes and lends them.
    #[inline]
    pub(crate) fn take_front(&mut self, count: usize) -> &mut [u8] {
        let from = self.unread.start;
        let to = from.wrapping_add(count);
        self.unread.start = to.min(self.unread.end);
        self.buf.get_mut(from..to).unwrap_or_else(|| empty_mut())
    }

    /// The next `count` unread bytes are done with.
    pub(crate) fn consume(&mut self, count: usize) {
        self.unread.start = self.unread.start.saturating_add(count).min(self.unread.end);
    }

    /// The next `count` unread bytes are the next piece of the message.
    pub(crate) fn join(&mut self, count: usize) {
        let from = self.unread.start;
        self.consume(count);
        let piece = from..self.unread.start;
        if self.message.is_empty() {
            self.message = piece;
        } else {
            let end = self.message.end;
            self.message.end = end.saturating_add(piece.len());
            move_down(&mut self.buf, piece, end);
        }
    }

    /// The message as far as it was joined.
    pub(crate) fn message(&self) -> &[u8] {
        self.buf.get(self.message.start..self.message.end).unwrap_or(&[])
    }

    /// The first `count` bytes of the message are done with.
    #[cfg(feature = "deflate")]
    pub(crate) fn consume_message(&mut self, count: usize) {
        self.message.start = self.message.start.saturating_add(count).min(self.message.end);
    }

    /// The message is done with.
    pub(crate) fn clear_message(&mut self) {
        if self.sizes.expected > 0 && !self.message.is_empty() {
            self.sizes.expect_message(self.message.len());
        }
        self.message = 0..0;
    }

    /// Goes on with another connection: nothing in the buffer is needed, or known of its frames.
    pub(crate) fn restart(&mut self) {
        self.clear();
        self.sizes.frames_end = self.sizes.standard;
    }

    fn clear(&mut self) {
        (self.message, self.unread) = (0..0, 0..0);
    }

    /// Whether nothing in the buffer is needed.
    pub(crate) fn is_empty(&self) -> bool {
        self.message.is_empty() && self.unread.is_empty()
    }

    /// Bytes that are needed.
    fn held(&self) -> usize {
        self.message.len().saturating_add(self.unread.len())
    }

    fn facts(&self, announced: u64, at_once: bool, pooled: bool) -> Facts {
        let (len, held, end) = (self.buf.len(), self.held(), self.unread.end);
        Facts { sizes: self.sizes, len, held, end, announced, at_once, pooled }
    }

    /// Prepares the buffer that was planned.
    fn prepare(&mut self, plan: &Plan, pool: &mut BufferPool) {
        self.sizes = plan.sizes;
        let standard = self.sizes.standard;
        let next = match plan.buffer {
            ReadInto::Same => return,
            ReadInto::Front => return self.compact(),
            ReadInto::Standard => pool.take(standard, standard),
            ReadInto::Large { best, size } => {
                pool.take_large(best).unwrap_or_else(|| pool.take(size, standard))
            }
        };
        self.move_to(next, pool);
    }

    /// Moves message and unread bytes to the front.
    fn compact(&mut self) {
        let mut end = 0_usize;
        for part in [&mut self.message, &mut self.unread] {
            let start = end;
            end = end.saturating_add(part.len());
            move_down(&mut self.buf, core::mem::replace(part, start..end), start);
        }
    }

    /// Goes on in another buffer, which has room for what is needed, and gives the one that was to `pool`.
    fn move_to(&mut self, mut next: Vec<u8>, pool: &mut BufferPool) {
        let mut end = 0_usize;
        for part in [&mut self.message, &mut self.unread] {
            let start = end;
            let bytes = self.buf.get(part.clone()).unwrap_or(&[]);
            end = start.saturating_add(bytes.len());
            if let Some(slot) = next.get_mut(start..end) {
                slot.copy_from_slice(bytes);
            }
            *part = start..end;
        }
        pool.keep(core::mem::replace(&mut self.buf, next), self.sizes.standard);
    }
}

debug_states!([] ReadBuffer, |this| { message: this.message, unread: this.unread, capacity: this.buf.len() });

// The buffer is not public, and what an endpoint does with it reaches only a part of what it can do.
#[cfg(test)]
mod tests {
    use super::{BufferPool, ReadBuffer, Vec};
    use alloc::vec;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Acquire { announced: u64 },
        Read { bytes: usize, announced: u64, at_once: bool },
        ExpectFrames(usize),
        Consume(usize),
        Take(usize),
        TakeFront(usize),
        Join(usize),
        ConsumeMessage(usize),
        ClearMessage,
        Release,
        ReleaseToNobody,
        Restart,
    }

    fn steps() -> impl Strategy<Value = Step> {
        let announced = prop_oneof![3 => Just(0), 3 => 1..300_u64, 2 => 300..9000_u64, 1 => any::<u64>()];
        let some = || prop_oneof![0..20_usize, 0..3000_usize];
        prop_oneof![
            6 => (some(), announced.clone(), any::<bool>())
                .prop_map(|(bytes, announced, at_once)| Step::Read { bytes, announced, at_once }),
            3 => announced.prop_map(|announced| Step::Acquire { announced }),
            1 => some().prop_map(Step::ExpectFrames),
            2 => some().prop_map(Step::Consume),
            1 => some().prop_map(Step::Take),
            2 => some().prop_map(Step::TakeFront),
            4 => some().prop_map(Step::Join),
            1 => some().prop_map(Step::ConsumeMessage),
            2 => Just(Step::ClearMessage),
            2 => Just(Step::Release),
            1 => Just(Step::ReleaseToNobody),
            1 => Just(Step::Restart),
        ]
    }

    /// What a read buffer holds, in the plainest form.
    #[derive(Default)]
    struct Naive {
        message: Vec<u8>,
        unread: Vec<u8>,
    }

    impl Naive {
        fn consume(&mut self, count: usize) -> Vec<u8> {
            self.unread.drain(..count.min(self.unread.len())).collect()
        }
    }

    /// Does the same to both, and compares what comes of it.
    fn apply(step: &Step, buffer: &mut ReadBuffer, naive: &mut Naive, pool: &mut BufferPool, next: &mut u8) {
        match *step {
            Step::Acquire { announced } => {
                if !buffer.has_space() {
                    buffer.acquire(announced, pool);
                }
            }
            Step::Read { bytes, announced, at_once } => {
                let space = match buffer.has_space() {
                    true => buffer.plain_space(),
                    false => buffer.space(announced, at_once),
                };
                assert!(!space.is_empty());
                let count = bytes.min(space.len());
                for slot in &mut space[..count] {
                    *next = next.wrapping_mul(5).wrapping_add(1);
                    *slot = *next;
                    naive.unread.push(*next);
                }
                buffer.filled(count);
            }
            Step::ExpectFrames(bytes) => buffer.expect_frames(bytes),
            Step::Consume(count) => {
                buffer.consume(count);
                naive.consume(count);
            }
            Step::Take(count) => {
                let taken = buffer.take(|input| input.take(count).to_vec());
                assert_eq!(taken, naive.consume(count));
            }
            Step::TakeFront(count) => {
                let count = count.min(naive.unread.len());
                let taken = buffer.take_front(count).to_vec();
                assert_eq!(taken, naive.consume(count));
            }
            Step::Join(count) => {
                buffer.join(count);
                let piece = naive.consume(count);
                naive.message.extend(piece);
            }
            #[cfg(feature = "deflate")]
            Step::ConsumeMessage(count) => {
                buffer.consume_message(count);
                naive.message.drain(..count.min(naive.message.len()));
            }
            #[cfg(not(feature = "deflate"))]
            Step::ConsumeMessage(_) => {}
            Step::ClearMessage => {
                buffer.clear_message();
                naive.message.clear();
            }
            Step::Release => buffer.release(pool),
            Step::ReleaseToNobody => buffer.release(&mut BufferPool::new()),
            Step::Restart => {
                buffer.restart();
                *naive = Naive::default();
            }
        }
    }

    fn assert_alike(buffer: &mut ReadBuffer, naive: &Naive) {
        let (message, unread) = (buffer.message.clone(), buffer.unread.clone());
        assert!(message.start <= message.end && message.end <= unread.start, "{buffer:?}");
        assert!(unread.start <= unread.end && unread.end <= buffer.buf.len(), "{buffer:?}");
        assert_eq!((buffer.message(), buffer.unread_len()), (&naive.message[..], naive.unread.len()));
        assert_eq!(buffer.unread(), &naive.unread);
        assert_eq!(buffer.is_empty(), naive.message.is_empty() && naive.unread.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn two_buffers_of_one_pool_hold_what_a_pair_of_vectors_holds(
            standard in prop_oneof![0..40_usize, Just(1024_usize)],
            received in 0..3000_usize,
            steps in prop::collection::vec((any::<bool>(), steps()), 1..60),
        ) {
            let received: Vec<u8> = (0..received).map(|n| (n % 251) as u8).collect();
            let mut first = (ReadBuffer::new(standard, &received), Naive::default());
            first.1.unread = received;
            let mut second = (ReadBuffer::new(standard, &[]), Naive::default());
            let (mut pool, mut next) = (BufferPool::new(), 0);
            for (which, step) in &steps {
                let (buffer, naive) = if *which { &mut first } else { &mut second };
                apply(step, buffer, naive, &mut pool, &mut next);
                assert_alike(buffer, naive);
            }
            assert_alike(&mut first.0, &first.1);
            assert_alike(&mut second.0, &second.1);
        }
    }
}
