//! The last octets of a stream, in a ring buffer.
//
// Owns: the ring buffer.
// Must not know: what the octets mean.

use alloc::vec::Vec;

/// At most a window of them. Memory grows with what was stored.
#[derive(Default)]
pub(super) struct History {
    ring: Vec<u8>,
    window: usize,
    /// The oldest octet, once the ring is full.
    oldest: usize,
}

impl History {
    pub(super) const fn new() -> Self {
        Self { ring: Vec::new(), window: 0, oldest: 0 }
    }

    /// Forgets all.
    pub(super) fn resize(&mut self, window: usize) {
        self.clear();
        self.window = window;
    }

    pub(super) fn clear(&mut self) {
        self.ring.clear();
        self.oldest = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    pub(super) fn shrink(&mut self) {
        self.ring.shrink_to_fit();
    }

    /// Whether these octets were stored within half a window before the last `behind` ones: every compressor looks back
    /// as far.
    pub(super) fn held_before(&self, octets: &[u8], behind: usize) -> bool {
        let [older, newer] = self.halves();
        let newer_end = newer.len().saturating_sub(behind);
        let older_end = older.len().saturating_sub(behind.saturating_sub(newer.len()));
        let reach = self.window >> 1;
        let newer = newer.get(newer_end.saturating_sub(reach)..newer_end).unwrap_or(&[]);
        let reach = reach.saturating_sub(newer.len());
        let older = older.get(older_end.saturating_sub(reach)..older_end).unwrap_or(&[]);
        [older, newer].iter().any(|half| half.windows(octets.len().max(1)).any(|at| at == octets))
    }

    pub(super) fn push(&mut self, octets: &[u8]) {
        if self.ring.len() == self.window {
            let newest = self.ring.get_mut(self.oldest..).unwrap_or(&mut []);
            if octets.len() < newest.len() {
                if let Some(slot) = newest.get_mut(..octets.len()) {
                    slot.copy_from_slice(octets);
                }
                self.oldest = self.oldest.wrapping_add(octets.len());
                return;
            }
        }
        self.grow_or_wrap(octets);
    }

    fn grow_or_wrap(&mut self, octets: &[u8]) {
        if octets.len() <= self.window.saturating_sub(self.ring.len()) {
            self.ring.extend_from_slice(octets);
            return;
        }
        let surplus = octets.len().saturating_sub(self.window);
        let octets = octets.get(surplus..).unwrap_or(&[]);
        let spare = self.window.saturating_sub(self.ring.len());
        let (grow, wrap) = octets.split_at_checked(spare).unwrap_or((octets, &[]));
        self.ring.extend_from_slice(grow);
        let to_end = self.ring.len().saturating_sub(self.oldest);
        let (first, second) = wrap.split_at_checked(to_end).unwrap_or((wrap, &[]));
        if let Some(slot) = self.ring.get_mut(self.oldest..).and_then(|ring| ring.get_mut(..first.len())) {
            slot.copy_from_slice(first);
        }
        if let Some(slot) = self.ring.get_mut(..second.len()) {
            slot.copy_from_slice(second);
        }
        let next = if second.is_empty() { self.oldest.saturating_add(first.len()) } else { second.len() };
        self.oldest = if next >= self.window { 0 } else { next };
    }

    /// The oldest first.
    pub(super) fn halves(&self) -> [&[u8]; 2] {
        let (newer, older) = self.ring.split_at_checked(self.oldest).unwrap_or((&[], &self.ring));
        [older, newer]
    }
}

#[cfg(test)]
mod tests;

debug_states!([] History, |this| { held: this.ring.len(), window: this.window });
