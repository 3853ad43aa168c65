//! Tests of what `key` keeps to itself.

use super::*;

/// RFC 6455 section 1.3.
#[test]
fn a_key_is_hashed_as_the_rfc_says() {
    let digest = b"\xb3\x7a\x4f\x2c\xc0\x62\x4f\x16\x90\xf6\x46\x06\xcf\x38\x59\x45\xb2\xbe\xc4\xea";
    assert_eq!(sha1(b"dGhlIHNhbXBsZSBub25jZQ=="), *digest);
}

#[cfg(feature = "simd-sha1")]
#[test]
fn vectors_hash_every_key_to_the_same() {
    let mut key = encode_nonce(*b"the sample nonce");
    for _ in 0..1000 {
        let digest = sha1(&key.0);
        assert_eq!(sha1_by_vectors(&key.0), digest);
        let (nonce, _) = digest.split_first_chunk().unwrap();
        key = encode_nonce(*nonce);
    }
}
