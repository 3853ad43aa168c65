//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (RFC 6455 sections 4.1, 4.2.2 and 11.3).
//
// Owns: the proof that a server understood the handshake.
// Must not know: heads of requests and responses.
// SHA-1 is good enough here: it keeps no secret, and collisions do no harm (section 10.8).

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A `Sec-WebSocket-Key`: 24 characters of Base64, which encode 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 24]);

impl Key {
    /// Reads the value of the field, without outer whitespace. `None` if it is not the Base64 of 16 bytes, with
    /// padding.
    ///
    /// `strict` also refuses a last character with unused bits that are not 0 (RFC 4648 section 3.5; RFC 6455 erratum
    /// 3150).
    pub fn parse(value: &[u8], strict: bool) -> Option<Self> {
        check(value, strict).copied().map(Self)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("")
    }

    /// The value of `Sec-WebSocket-Accept`, which proves that a server has read this key.
    pub fn accept_value(&self) -> AcceptValue {
        AcceptValue::of(&self.0)
    }
}

pub(crate) fn check(value: &[u8], strict: bool) -> Option<&[u8; 24]> {
    let key: &[u8; 24] = value.try_into().ok()?;
    // 21 characters of 6 bits, one with the last 2 bits, and the padding.
    let [full @ .., last, b'=', b'='] = key else { return None };
    let legal = full.iter().fold(is_base64(*last), |legal, &character| legal & is_base64(character));
    (legal && (!strict || matches!(last, b'A' | b'Q' | b'g' | b'w'))).then_some(key)
}

/// The SHA-1 hash of a key and the GUID.
#[cfg(any(test, not(feature = "simd-sha1")))]
fn sha1(key: &[u8]) -> [u8; 20] {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key);
    hash.update(GUID);
    hash.digest().bytes()
}

/// With the processor's SHA instructions, if it has them.
#[cfg(feature = "simd-sha1")]
fn sha1_by_vectors(key: &[u8]) -> [u8; 20] {
    use sha1::Digest as _;
    sha1::Sha1::new().chain_update(key).chain_update(GUID).finalize().into()
}

const fn is_base64(character: u8) -> bool {
    // Without branches, so that the compiler vectorises the check.
    ((character | 0x20).wrapping_sub(b'a') < 26)
        | (character.wrapping_sub(b'0') < 10)
        | (character == b'+')
        | (character == b'/')
}

/// Makes a key from 16 unpredictable bytes, new for each connection.
pub fn encode_nonce(nonce: [u8; 16]) -> Key {
    let mut key = [b'='; 24];
    // 16 bytes are 24 characters; the slice always fits.
    let _ = STANDARD.encode_slice(nonce, &mut key);
    Key(key)
}

/// For a key as the field has it. `None` if it is invalid.
pub fn accept_value(key: &str) -> Option<AcceptValue> {
    Key::parse(key.as_bytes(), false).map(|key| key.accept_value())
}

/// The value of `Sec-WebSocket-Accept`: 28 characters of Base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AcceptValue([u8; 28]);

impl AcceptValue {
    pub(crate) fn of(key: &[u8; 24]) -> Self {
        #[cfg(feature = "simd-sha1")]
        let digest = sha1_by_vectors(key);
        #[cfg(not(feature = "simd-sha1"))]
        let digest = sha1(key);
        let mut value = [b'='; 28];
        // 20 bytes are 28 characters; the slice always fits.
        let _ = STANDARD.encode_slice(digest, &mut value);
        Self(value)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 28] {
        &self.0
    }

    /// The value as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl core::fmt::Debug for AcceptValue {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "AcceptValue({})", self.as_str())
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests;
