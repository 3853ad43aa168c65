//! The source of masking keys that comes with the crate.

use std::collections::BTreeSet;

use sockless::{Client, Entropy, Payload, SystemEntropy, Writer};

#[test]
fn req_6455_5_3_3_keys_come_from_a_generator_that_the_system_seeds_and_do_not_repeat() {
    let mut writer = Writer::new(Client::new(SystemEntropy::new()));
    let mut keys = BTreeSet::new();
    let mut out = [0; 16];
    for _ in 0..10_000 {
        writer.encode(Payload::binary(&[0]), true, &mut out).unwrap();
        keys.insert([out[2], out[3], out[4], out[5]]);
    }
    // Of 10,000 keys of 32 bits about 0.01 coincide; a counter, a clock or a fixed key would show.
    assert!(keys.len() > 9_990, "{}", keys.len());
    let steps: BTreeSet<u32> = keys
        .iter()
        .zip(keys.iter().skip(1))
        .map(|(a, b)| u32::from_be_bytes(*b).wrapping_sub(u32::from_be_bytes(*a)))
        .collect();
    assert!(steps.len() > 9_000, "the keys lie on a line");
}

#[test]
fn two_sources_do_not_give_the_same() {
    let (mut one, mut two) = ([0; 32], [0; 32]);
    SystemEntropy::new().fill(&mut one).unwrap();
    SystemEntropy::new().fill(&mut two).unwrap();
    assert_ne!(one, two);
    // The state would tell every key to come.
    assert_eq!(format!("{:?}", SystemEntropy::new()), "SystemEntropy");
}
