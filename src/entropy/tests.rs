//! Tests of what `entropy` keeps to itself.

use super::*;

/// What a generator gives from this seed.
fn stream(seed: [u8; 32]) -> [u8; 256] {
    let mut octets = [0; 256];
    ChaCha8Rng::from_seed(seed).fill_bytes(&mut octets);
    octets
}

/// A source whose next words come from this seed.
fn seeded(seed: [u8; 32]) -> SystemEntropy {
    let mut source = SystemEntropy { words: [[0; WORD]; WORDS], next: WORDS };
    source.words.as_flattened_mut()[..32].copy_from_slice(&seed);
    source
}

#[test]
fn the_first_octets_of_each_stream_are_the_next_seed_and_the_others_are_given_once_and_in_order() {
    let (mut source, mut seed) = (seeded([7; 32]), [7; 32]);
    for _ in 0..4 {
        let octets = stream(seed);
        for expected in octets[32..].chunks(WORD) {
            let mut key = [0; WORD];
            source.fill(&mut key).unwrap();
            assert_eq!(key, expected);
            assert!(!source.words.contains(&key), "a key that was given is still there");
        }
        seed.copy_from_slice(&octets[..32]);
    }
}

#[test]
fn any_length_is_filled_with_what_keys_would_have_been() {
    let octets = stream([9; 32]);
    for len in 0..=224 {
        let mut filled = [0; 224];
        seeded([9; 32]).fill(&mut filled[..len]).unwrap();
        assert_eq!(filled[..len], octets[32..32 + len]);
        assert!(filled[len..].iter().all(|&octet| octet == 0));
    }
    // And beyond what one seed gives.
    let next = stream(octets[..32].try_into().unwrap());
    let mut filled = [0; 448];
    seeded([9; 32]).fill(&mut filled).unwrap();
    assert_eq!(filled[..224], octets[32..]);
    assert_eq!(filled[224..], next[32..]);
}
