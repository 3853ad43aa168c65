//! Tests of what `staggered` keeps to itself.

use super::*;

#[test]
fn req_8305_1_families_take_turns_and_the_resolvers_order_is_kept() {
    let of = |texts: &[&str]| Vec::from_iter(texts.iter().map(|text| text.parse().unwrap()));
    for (resolved, tried) in [
        (
            &["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1", "1.0.0.2:1"][..],
            &["[::1]:1", "1.0.0.1:1", "[::2]:1", "1.0.0.2:1", "[::3]:1"][..],
        ),
        (&["1.0.0.1:1", "1.0.0.2:1", "[::1]:1"], &["1.0.0.1:1", "[::1]:1", "1.0.0.2:1"]),
        (&["1.0.0.2:1", "1.0.0.1:1"], &["1.0.0.2:1", "1.0.0.1:1"]),
        (&[], &[]),
    ] {
        assert_eq!(interleaved(of(resolved)), of(tried));
    }
}
