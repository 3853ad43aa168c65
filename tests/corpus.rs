//! The fuzz targets on a stable toolchain: the committed corpus, and mutations of it, the same in every run.

use std::fs;
use std::path::Path;

#[path = "../fuzz/bodies.rs"]
mod bodies;

/// Mutations of each seed.
const MUTATIONS: u32 = 400;
/// The same where the codec works, which takes its time in a debug build.
const CODEC_MUTATIONS: u32 = 40;

fn replay(target: &str, body: fn(&[u8]), mutations: u32) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut seeds: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(seeds.len() >= 20, "the corpus of {target} has only {} seeds", seeds.len());
    let mut random = Random(1);
    for path in seeds {
        let seed = fs::read(path).unwrap();
        body(&seed);
        for _ in 0..mutations {
            body(&random.mutate(&seed));
        }
    }
}

#[test]
fn reader() {
    replay("reader", bodies::reader, MUTATIONS);
}

#[test]
fn server_handshake() {
    replay("server_handshake", bodies::server_handshake, MUTATIONS);
}

#[test]
fn client_handshake() {
    replay("client_handshake", bodies::client_handshake, MUTATIONS);
}

#[test]
fn heads() {
    replay("heads", bodies::heads, MUTATIONS);
}

#[test]
fn inflate() {
    replay("inflate", bodies::inflate, CODEC_MUTATIONS);
}

#[test]
fn deflate() {
    replay("deflate", bodies::deflate, CODEC_MUTATIONS);
}

#[test]
fn endpoint() {
    replay("endpoint", bodies::endpoint, CODEC_MUTATIONS);
}

#[test]
fn proxy() {
    replay("proxy", bodies::proxy, MUTATIONS);
}

#[test]
fn response_body() {
    replay("response_body", bodies::response_body, MUTATIONS);
}

#[test]
fn uri() {
    replay("uri", bodies::uri, MUTATIONS);
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }

    /// Some bytes changed, doubled, or lost.
    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 if !bytes.is_empty() => bytes[at] = self.below(256) as u8,
                2 if !bytes.is_empty() => {
                    bytes.remove(at);
                }
                3 => bytes.insert(at, b"\0\n\r :,;=\"\xFF\x80"[self.below(11)]),
                _ => {
                    let end = at + self.below(bytes.len() - at.min(bytes.len()) + 1);
                    let piece = bytes.get(at..end).unwrap_or(&[]).to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        bytes
    }
}
