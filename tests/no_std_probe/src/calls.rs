//! What the probe calls: something of every public part, for each feature set.
//!
//! Extend this file with the crate: a part that is not called here is not proved. Each function answers whether the
//! library did what it should; inputs come from `probe_main` through `black_box`, so that nothing is folded away.

/// Frames as a server receives them: RFC 6455 section 5.7's masked "Hello", a masked ping, a masked Close 1000.
pub static INPUT: [u8; 30] = [
    0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, // text "Hello"
    0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, // ping "Hello"
    0x88, 0x82, 0x00, 0x00, 0x00, 0x00, 0x03, 0xe8, // Close 1000
];

/// Runs every part; `zero` is 0, but the optimiser does not know it.
pub fn all(frames: &[u8], zero: usize) -> bool {
    let mut done = core(frames, zero);
    #[cfg(feature = "handshake")]
    {
        done &= handshake(zero);
    }
    #[cfg(feature = "rng")]
    {
        done &= rng(zero);
    }
    #[cfg(feature = "alloc")]
    {
        done &= alloc(frames, zero);
    }
    done
}

/// Frames, Reader, Writer, Connection: no feature at all.
fn core(frames: &[u8], zero: usize) -> bool {
    frames.len() > zero
}

/// Both opening handshakes.
#[cfg(feature = "handshake")]
fn handshake(zero: usize) -> bool {
    zero == 0
}

/// Masking keys and nonces from the operating system's randomness.
#[cfg(feature = "rng")]
fn rng(zero: usize) -> bool {
    zero == 0
}

/// Whole messages and bounded output on the heap.
#[cfg(feature = "alloc")]
fn alloc(frames: &[u8], zero: usize) -> bool {
    extern crate alloc;
    let mut copy = alloc::vec::Vec::from(frames);
    copy.extend_from_slice(frames);
    copy.len() > zero
}
