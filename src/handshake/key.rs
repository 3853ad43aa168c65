//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` (RFC 6455 sections 4.1, 4.2.2 and 11.3).
//!
//! Owns: the proof that a server understood the handshake. Must not know: heads. SHA-1 is no secret-keeper
//! here and needs no collision resistance (section 10.8).

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use sha1_smol::Sha1;

/// Section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A key as it stands in a request: 24 characters of Base64 that stand for 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; 24]);

impl Key {
    /// A key from a field's value without outer whitespace; `None` if it is not the Base64 of 16 bytes,
    /// padding included.
    ///
    /// `strict` also refuses bits that encode nothing (RFC 4648 section 3.5; RFC 6455 erratum 3150).
    pub fn parse(value: &[u8], strict: bool) -> Option<Self> {
        let key: [u8; 24] = value.try_into().ok()?;
        // 128 bits are 21 characters of 6 bits, one more with 2 of them, and the padding.
        let [full @ .., last, b'=', b'='] = &key else { return None };
        let legal = full.iter().chain([last]).all(|&character| is_base64(character));
        (legal && (!strict || matches!(last, b'A' | b'Q' | b'g' | b'w'))).then_some(Self(key))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("")
    }

    /// The value that proves that a server has read this key. It is computed from the characters, not from
    /// the bytes that they stand for.
    pub fn accept_value(&self) -> AcceptValue {
        let mut hash = Sha1::new();
        hash.update(&self.0);
        hash.update(GUID);
        let mut value = [b'='; 28];
        // 20 bytes are 28 characters; the slice always fits.
        let _ = STANDARD.encode_slice(hash.digest().bytes(), &mut value);
        AcceptValue(value)
    }
}

/// RFC 4648 section 4.
const fn is_base64(character: u8) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, b'+' | b'/')
}

/// The key of a nonce: 16 bytes that nobody can predict, new for each connection.
pub fn encode_nonce(nonce: [u8; 16]) -> Key {
    let mut key = [b'='; 24];
    // 16 bytes are 24 characters; the slice always fits.
    let _ = STANDARD.encode_slice(nonce, &mut key);
    Key(key)
}

/// The accept value of a key given as a field's value; `None` if that is no valid key.
pub fn accept_value(key: &str) -> Option<AcceptValue> {
    Key::parse(key.as_bytes(), false).map(|key| key.accept_value())
}

/// The value of `Sec-WebSocket-Accept`: 28 characters of Base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AcceptValue([u8; 28]);

impl AcceptValue {
    pub(crate) const fn as_bytes(&self) -> &[u8; 28] {
        &self.0
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl core::fmt::Debug for AcceptValue {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "AcceptValue({})", self.as_str())
    }
}
