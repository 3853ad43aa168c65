//! Tests of what `history` keeps to itself.

use super::{History, Vec};

#[test]
fn it_holds_the_last_octets_in_order() {
    for window in [1, 2, 7, 16] {
        let mut history = History::new();
        history.resize(window);
        let mut all = Vec::new();
        for len in [0, 1, 3, 2, 16, 17, 5, 1, 1, 1, 40, 8, 7] {
            let piece: Vec<u8> = (0..len).map(|n| (all.len() + n) as u8).collect();
            history.push(&piece);
            all.extend_from_slice(&piece);
            let last = &all[all.len().saturating_sub(window)..];
            assert_eq!(history.halves().concat(), last, "window {window}, after {len}");
        }
        history.clear();
        assert_eq!(history.halves().concat(), [0_u8; 0]);
    }
}
