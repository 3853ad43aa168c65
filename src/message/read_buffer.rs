//! The buffer that a transport is read into, which is also where messages are assembled.
//
// Owns: which bytes of the buffer are an assembled message, which are unread, and when to grow.
// Must not know: what the bytes mean.

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::bytes::{empty_mut, move_down};
use crate::frame::FrameHeader;
use crate::input::Input;

/// Buffers that no read buffer needs at the moment.
pub(crate) struct PooledInput {
    /// One of the plain size.
    plain: Vec<u8>,
    /// Those in which there were large messages, for the next ones.
    large: [Vec<u8>; 3],
}

impl PooledInput {
    pub(crate) const fn new() -> Self {
        Self { plain: Vec::new(), large: [const { Vec::new() }; 3] }
    }

    /// Keeps a buffer in which there was a large message, in the place of a lesser one if there is no other.
    fn keep_large(&mut self, buf: Vec<u8>) {
        let kept = self.large.iter().fold(buf.len(), |sum, buf| sum.saturating_add(buf.len()));
        if let Some(slot) = self.large.iter_mut().min_by_key(|slot| slot.len()) {
            if slot.len() < buf.len() && kept.saturating_sub(slot.len()) <= MOST_SPARE {
                *slot = buf;
            }
        }
    }

    /// The least buffer for a large message that has so many bytes.
    fn take_large(&mut self, bytes: usize) -> Option<Vec<u8>> {
        let fits = self.large.iter_mut().filter(|buf| buf.len() >= bytes);
        fits.min_by_key(|buf| buf.len()).map(core::mem::take)
    }
}

/// Bytes of all buffers for large messages that are kept.
const MOST_SPARE: usize = 4 << 20;
/// The header of a message that is one frame, and that of the next.
const HEADERS: usize = FrameHeader::MAX_LEN << 1;
/// What a read asks for behind a frame: it brings less where no more came, which runtimes take for an answer.
const ONE_MORE: usize = 1;
/// Bytes of a read that are still in the processor's second cache, mostly, when they are worked through.
const BLOCK: usize = 512 << 10;

/// One buffer with three regions: `message`, joined payload; `unread`, as received; and spare space.
///
/// A large message is read straight to its place behind what already came; only payload of further fragments
/// is moved down over the headers between them. Capacity grows with what arrived, at most fourfold at a time.
///
/// The buffer may come from a pool: one of `capacity` bytes is taken when a read is due, and one for large
/// messages when that is too small, or when the message before was large. They go back when nothing, or little,
/// stands in them.
pub(crate) struct ReadBuffer {
    buf: Vec<u8>,
    message: Region,
    unread: Region,
    capacity: usize,
    /// Where reads into a plain buffer end: a byte behind the last frame that fits, if all are as long as the
    /// last one whose end had not come. What a read brings of a frame that does not fit has to be moved.
    most: usize,
    /// How large the next message may be: the bytes of the last one, with headers, if that was large, and no more than
    /// `capacity` if it was not. 0 where no large buffer of the pool is in use.
    expected: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Region {
    start: usize,
    end: usize,
}

impl Region {
    const fn is_empty(self) -> bool {
        self.start == self.end
    }

    const fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }
}

impl ReadBuffer {
    /// A buffer of `capacity` bytes, made when it is first needed, that begins with bytes received already.
    pub(crate) fn new(capacity: usize, received: &[u8]) -> Self {
        let mut read_buffer = Self {
            buf: Vec::new(),
            message: Region::default(),
            unread: Region::default(),
            capacity: capacity.max(1),
            most: capacity.max(1),
            expected: 0,
        };
        if !received.is_empty() {
            read_buffer.buf.extend_from_slice(received);
            read_buffer.unread.end = received.len();
        }
        read_buffer
    }

    /// Bytes of a read.
    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether there is much space to read into, in a plain buffer: all that most reads have to ask. What is
    /// announced does not matter then.
    #[inline]
    pub(crate) fn has_space(&mut self) -> bool {
        if self.buf.len() != self.capacity {
            return false;
        }
        if self.is_empty() {
            self.clear();
            return true;
        }
        self.unread.end.wrapping_add(self.capacity >> 2) < self.most
    }

    /// The space, where there is much.
    #[inline]
    pub(crate) fn plain_space(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.unread.end..self.most).unwrap_or_else(|| empty_mut())
    }

    /// The end of a frame of so many bytes, with its header, has not come.
    pub(crate) fn expect_frames(&mut self, bytes: usize) {
        // What little comes of a short one costs less to move than it takes to ask for less.
        let rest = if bytes > self.capacity >> 4 { self.capacity.checked_rem(bytes) } else { None };
        self.most = match self.capacity.saturating_sub(rest.unwrap_or(0)) {
            0 => self.capacity,
            frames => self.capacity.min(frames.saturating_add(ONE_MORE)),
        };
    }

    /// Space to read into, never empty. `announced` octets of a frame have still to come. A message that is as
    /// large as the last is read `at_once` or block by block.
    #[inline(never)]
    pub(crate) fn space(&mut self, announced: u64, at_once: bool) -> &mut [u8] {
        if self.lacks_room(announced) {
            let lent = self.expected > 0;
            self.make_room(announced, &mut PooledInput::new());
            if !lent {
                self.expected = 0; // nor is it kept for another message
            }
        }
        let end = self.end(announced).min(self.unread.end.saturating_add(self.reach(announced, at_once)));
        self.buf.get_mut(self.unread.end..end).unwrap_or(&mut [])
    }

    /// Makes the space for a read, in a spare buffer if there is one.
    #[inline(never)]
    pub(crate) fn acquire(&mut self, announced: u64, pool: &mut PooledInput) {
        if self.expected <= self.capacity {
            self.expected = 0;
        }
        self.make_room(announced, pool);
    }

    #[inline]
    fn make_room(&mut self, announced: u64, pool: &mut PooledInput) {
        if !self.is_empty() {
            if self.is_short(announced) {
                self.enlarge(announced, pool);
            }
            return;
        }
        let came = self.unread.end;
        self.message = Region::default();
        self.unread = Region::default();
        if self.buf.len() != self.capacity {
            self.renew(came, pool);
        }
    }

    /// Gives the buffer to `pool` if nothing stands in it, or little, which moves to storage of its own.
    #[inline]
    pub(crate) fn release(&mut self, pool: &mut PooledInput) {
        if self.is_empty() && self.buf.len() == self.capacity {
            pool.plain = core::mem::take(&mut self.buf);
        } else if !self.buf.is_empty() {
            self.release_most(pool);
        }
    }

    /// Whether the buffer is one for large messages.
    pub(crate) fn is_large(&self) -> bool {
        self.buf.len() > self.capacity
    }

    #[inline(never)]
    fn release_most(&mut self, pool: &mut PooledInput) {
        let (held, len) = (self.held(), self.buf.len());
        let next = if held == 0 {
            Vec::new()
        } else if held <= self.capacity >> 2 && held < len {
            alloc::vec![0; held]
        } else if held <= self.capacity && self.capacity < len {
            self.plain(pool)
        } else {
            return;
        };
        let buf = self.move_to(next);
        self.put_away(buf, pool);
    }

    /// `count` bytes were read into the space.
    #[inline]
    pub(crate) fn filled(&mut self, count: usize) {
        self.unread.end = self.unread.end.saturating_add(count).min(self.buf.len());
    }

    /// The bytes that were read and not consumed.
    pub(crate) fn unread(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.unread.start..self.unread.end).unwrap_or(&mut [])
    }

    /// Whether all bytes that were read are consumed.
    #[inline]
    pub(crate) const fn has_nothing_unread(&self) -> bool {
        self.unread.is_empty()
    }

    /// How many bytes were read and not consumed.
    #[inline]
    pub(crate) const fn unread_len(&self) -> usize {
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

    /// As [`unread`](Self::unread), where nothing is missed if there are none.
    #[inline]
    pub(crate) fn some_unread(&mut self) -> Option<&mut [u8]> {
        self.buf.get_mut(self.unread.start..self.unread.end)
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
        let to = self.unread.start;
        if self.message.is_empty() {
            self.message = Region { start: from, end: to };
        } else if self.message.end == from {
            self.message.end = to;
        } else {
            move_down(&mut self.buf, from..to, self.message.end);
            self.message.end = self.message.end.saturating_add(count);
        }
    }

    /// The message as far as it was joined.
    pub(crate) fn message(&self) -> &[u8] {
        self.buf.get(self.message.start..self.message.end).unwrap_or(&[])
    }

    /// The first `count` octets of the message are done with.
    #[cfg(feature = "deflate")]
    pub(crate) fn consume_message(&mut self, count: usize) {
        self.message.start = self.message.start.saturating_add(count).min(self.message.end);
    }

    /// The message is done with.
    pub(crate) fn clear_message(&mut self) {
        if self.expected > 0 && !self.message.is_empty() {
            self.expected = after(self.message.len(), self.capacity);
        }
        self.message = Region::default();
    }

    /// Nothing in the buffer is needed.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.message = Region::default();
        self.unread = Region::default();
    }

    /// Goes on with another connection: nothing in the buffer is needed, or known of its frames.
    pub(crate) fn restart(&mut self) {
        self.clear();
        self.most = self.capacity;
    }

    /// Whether nothing in the buffer is needed.
    pub(crate) const fn is_empty(&self) -> bool {
        self.message.is_empty() && self.unread.is_empty()
    }

    /// Gives the buffer back if nothing in it is needed.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            self.buf = Vec::new();
            self.message = Region::default();
            self.unread = Region::default();
        }
    }

    /// Bytes that are needed.
    const fn held(&self) -> usize {
        self.message.len().saturating_add(self.unread.len())
    }

    /// Whether there is something to do before a read.
    #[inline]
    fn lacks_room(&self, announced: u64) -> bool {
        if self.is_empty() {
            self.unread.end > 0 || (self.buf.len() != self.capacity && !self.is_expecting())
        } else {
            self.is_short(announced)
        }
    }

    /// Whether a read into the space would be a small one. The rest of a large frame is worth one.
    fn is_short(&self, announced: u64) -> bool {
        let (few, space) = (self.capacity >> 2, self.end(announced).saturating_sub(self.unread.end));
        space <= few && (announced == 0 || (space as u64) < announced || self.held() <= few)
    }

    /// Where the space ends, of which a read may be asked to bring less.
    fn end(&self, announced: u64) -> usize {
        let (at, len) = (self.unread.end, self.buf.len());
        if len != self.capacity {
            return len;
        }
        let frame = at.saturating_add(usize::try_from(announced).unwrap_or(usize::MAX));
        if announced > 0 && frame <= len {
            self.most.max(frame.saturating_add(ONE_MORE)).min(len)
        } else if announced == 0 && at < self.most && self.held() <= len >> 1 {
            self.most
        } else {
            len
        }
    }

    /// Whether there is a buffer here for a message as large as the last one.
    fn is_expecting(&self) -> bool {
        self.expected > 0 && self.buf.len() >= self.expected
    }

    /// Bytes of a read, at most. In a buffer for large messages a read ends with the frame, or the header of the
    /// next: what stood there of its payload would have to be moved.
    #[inline]
    fn reach(&self, announced: u64, at_once: bool) -> usize {
        if self.buf.len() <= self.capacity {
            return self.buf.len();
        }
        let wanted = if announced > (self.capacity >> 2) as u64 {
            usize::try_from(announced).unwrap_or(usize::MAX).saturating_add(FrameHeader::MAX_LEN)
        } else if self.unread.end == 0 {
            self.expected.max(self.capacity)
        } else {
            self.capacity
        };
        // No small rest is left for a read of its own.
        if wanted <= BLOCK + (BLOCK >> 2) || (at_once && self.is_empty()) {
            wanted
        } else {
            BLOCK
        }
    }

    /// Takes another buffer where nothing stands in this one any more, of what `came`: one of the plain size, or
    /// a large one after a large message.
    #[inline(never)]
    fn renew(&mut self, came: usize, pool: &mut PooledInput) {
        if 0 < came && came < self.expected >> 1 {
            self.expected = self.expected.min(self.capacity); // but it stays until it can be given back
        }
        if self.is_expecting() {
            return;
        }
        let large = if self.expected > self.capacity { pool.take_large(self.expected) } else { None };
        let next = large.unwrap_or_else(|| self.plain(pool));
        let buf = core::mem::replace(&mut self.buf, next);
        self.put_away(buf, pool);
    }

    /// A buffer of the plain size.
    fn plain(&self, pool: &mut PooledInput) -> Vec<u8> {
        if pool.plain.len() == self.capacity {
            core::mem::take(&mut pool.plain)
        } else {
            alloc::vec![0; self.capacity]
        }
    }

    #[inline(never)]
    fn enlarge(&mut self, announced: u64, pool: &mut PooledInput) {
        let (held, len) = (self.held(), self.buf.len());
        if held <= len >> 1 && len >= self.capacity {
            self.compact();
        } else if held <= self.capacity >> 2 {
            // What little was incomplete stood in storage of its own.
            let plain = self.plain(pool);
            self.move_to(plain);
        } else {
            // All that was announced, but in proportion to what came, if it has to be made.
            let payload = held.saturating_add(usize::try_from(announced).unwrap_or(usize::MAX));
            let wanted = payload.saturating_add(HEADERS);
            let least = len.saturating_mul(2).max(self.capacity);
            let most = held.saturating_mul(4).saturating_add(self.capacity).max(least);
            let size = wanted.clamp(least, most);
            let large = pool.take_large(wanted.max(least)).or_else(|| pool.take_large(size));
            let next = large.unwrap_or_else(|| alloc::vec![0; size]);
            self.expected = after(payload, self.capacity);
            let buf = self.move_to(next);
            self.put_away(buf, pool);
        }
    }

    /// Keeps a buffer for others.
    fn put_away(&self, buf: Vec<u8>, pool: &mut PooledInput) {
        match buf.len().cmp(&self.capacity) {
            Ordering::Less => {} // one connection's own
            Ordering::Equal => pool.plain = buf,
            Ordering::Greater => pool.keep_large(buf),
        }
    }

    /// Goes on in another buffer, and returns the one that was.
    fn move_to(&mut self, mut next: Vec<u8>) -> Vec<u8> {
        let mut end = 0_usize;
        for region in [&mut self.message, &mut self.unread] {
            let start = end;
            let bytes = self.buf.get(region.start..region.end).unwrap_or(&[]);
            end = start.saturating_add(bytes.len());
            if let Some(slot) = next.get_mut(start..end) {
                slot.copy_from_slice(bytes);
            }
            *region = Region { start, end };
        }
        core::mem::replace(&mut self.buf, next)
    }

    /// Moves message and unread bytes to the front.
    fn compact(&mut self) {
        let mut end = 0_usize;
        for region in [&mut self.message, &mut self.unread] {
            move_down(&mut self.buf, region.start..region.end, end);
            *region = Region { start: end, end: end.saturating_add(region.len()) };
            end = region.end;
        }
    }
}

/// Bytes to be expected after a message of so many, 0 if it was not large or its buffer is not kept.
fn after(payload: usize, capacity: usize) -> usize {
    let bytes = payload.saturating_add(HEADERS);
    if capacity < bytes && bytes <= MOST_SPARE {
        bytes
    } else {
        0
    }
}

debug_states!([] PooledInput, |this| { plain: this.plain.capacity() });

debug_states!([] ReadBuffer, |this| { message: this.message, unread: this.unread, capacity: this.buf.len() });
