//! Frame headers: 2 to 14 bytes before the payload (RFC 6455 section 5.2).
//
// Owns: every header that the bits can express.
// Must not know: which of them are legal.

use super::{MaskingKey, Opcode, Rsv};

/// The header of one frame, legal or not.
///
/// Every value can be encoded, and decodes to the same value, so that proxies and test tools can build any frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 6455 section 5.2 fixes the parts of a header")]
pub struct FrameHeader {
    /// Whether this is the last fragment of a message.
    pub fin: bool,
    /// The reserved bits.
    pub rsv: Rsv,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key, if the payload is masked. Clients always mask, servers never (section 5.1).
    pub masking_key: Option<MaskingKey>,
    /// Length of the payload in octets, without the masking key.
    pub payload_len: u64,
    /// How the length is written. If the length does not fit, encoding takes a longer form.
    pub length_form: LengthForm,
}

/// How the payload length is written (RFC 6455 section 5.2). Only the shortest form that fits is legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 section 5.2 knows three forms")]
pub enum LengthForm {
    /// In the second byte itself. For 0 to 125.
    Bits7,
    /// In two further bytes. Legal for 126 to 65,535.
    Bits16,
    /// In eight further bytes. Legal for 65,536 and more.
    Bits64,
}

/// The last frame of its message.
const FIN: u8 = 0x80;

impl LengthForm {
    /// The shortest form that fits.
    pub const fn minimal(payload_len: u64) -> Self {
        match payload_len {
            0..=125 => Self::Bits7,
            126..=0xFFFF => Self::Bits16,
            _ => Self::Bits64,
        }
    }
}

impl FrameHeader {
    /// The length of the longest header in bytes.
    pub const MAX_LEN: usize = 14;

    /// A header without reserved bits, with the shortest length form.
    pub const fn new(fin: bool, opcode: Opcode, payload_len: u64, masking_key: Option<MaskingKey>) -> Self {
        Self {
            fin,
            rsv: Rsv::NONE,
            opcode,
            masking_key,
            payload_len,
            length_form: LengthForm::minimal(payload_len),
        }
    }

    pub(crate) const fn begun_with(first: u8, payload_len: u64, masking_key: Option<MaskingKey>) -> Self {
        let (rsv, opcode) = (Rsv::from_first_byte(first), Opcode::from_low_bits(first));
        Self { rsv, ..Self::new(Self::is_last(first), opcode, payload_len, masking_key) }
    }

    pub(crate) const fn first_byte(fin: bool, rsv: Rsv, opcode: Opcode) -> u8 {
        let fin = if fin { FIN } else { 0 };
        fin | rsv.as_first_byte() | opcode.value()
    }

    pub(crate) const fn is_last(first: u8) -> bool {
        first & FIN != 0
    }

    /// Reads a header from the front of `bytes`. Returns it with its length.
    ///
    /// `None` if more bytes are needed. There are no errors: any two bytes begin some header.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
        let (payload_len, length_form, rest) = match second & 0x7F {
            126 => {
                let (len, rest) = rest.split_first_chunk::<2>()?;
                (u64::from(u16::from_be_bytes(*len)), LengthForm::Bits16, rest)
            }
            127 => {
                let (len, rest) = rest.split_first_chunk::<8>()?;
                (u64::from_be_bytes(*len), LengthForm::Bits64, rest)
            }
            len => (u64::from(len), LengthForm::Bits7, rest),
        };
        let (masking_key, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            let (key, rest) = rest.split_first_chunk::<4>()?;
            (Some(MaskingKey(*key)), rest)
        };
        let header = Self {
            fin: Self::is_last(first),
            rsv: Rsv::from_first_byte(first),
            opcode: Opcode::from_low_bits(first),
            masking_key,
            payload_len,
            length_form,
        };
        Some((header, bytes.len().wrapping_sub(rest.len())))
    }

    /// The length of a header that begins with these two bytes: 2, 4, 6, 8, 10 or 14.
    pub const fn len_from(first_two: [u8; 2]) -> usize {
        let [_, second] = first_two;
        match (second & 0x7F, second & 0x80 != 0) {
            (126, false) => 4,
            (126, true) => 8,
            (127, false) => 10,
            (127, true) => 14,
            (_, false) => 2,
            (_, true) => 6,
        }
    }

    /// The bytes of this header.
    #[inline(always)]
    pub fn encode(&self) -> EncodedHeader {
        let ([front, back], len) = self.words(self.masking_key);
        EncodedHeader { bytes: [front.to_le_bytes(), (back | (len << 56)).to_le_bytes()] }
    }

    /// Writes the header to the front of `out`, in stores of fixed size. Returns the remainder, or `None` if it does
    /// not fit.
    #[inline(always)]
    pub(crate) fn write<'o>(&self, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        let ([front, back], len) = self.words(None);
        let bytes = [front.to_le_bytes(), back.to_le_bytes()];
        let bytes = bytes.as_flattened();
        let rest = match len {
            2 => put::<2>(bytes, out)?,
            4 => put::<4>(bytes, out)?,
            _ => put::<10>(bytes, out)?,
        };
        match &self.masking_key {
            Some(MaskingKey(key)) => put::<4>(key, rest),
            None => Some(rest),
        }
    }

    /// With `key` at its end, as two words (the lowest octet first), and the number of octets.
    #[inline(always)]
    const fn words(&self, key: Option<MaskingKey>) -> ([u64; 2], u64) {
        let mask = if self.masking_key.is_some() { 0x8000 } else { 0 };
        let first = mask | Self::first_byte(self.fin, self.rsv, self.opcode) as u64;
        let (key, key_len) = match key {
            Some(MaskingKey(key)) => (u32::from_le_bytes(key) as u64, 4),
            None => (0, 0),
        };
        let len = self.payload_len;
        match (self.length_form, LengthForm::minimal(len)) {
            (LengthForm::Bits7, LengthForm::Bits7) => {
                ([first | (len << 8) | (key << 16), 0], 2_u64.wrapping_add(key_len))
            }
            (LengthForm::Bits64, _) | (_, LengthForm::Bits64) => {
                let len = len.swap_bytes();
                ([first | (127 << 8) | (len << 16), (len >> 48) | (key << 16)], 10_u64.wrapping_add(key_len))
            }
            _ => {
                let len = (len as u16).swap_bytes() as u64;
                ([first | (126 << 8) | (len << 16) | (key << 32), 0], 4_u64.wrapping_add(key_len))
            }
        }
    }
}

/// The same for the first `N` of `bytes`.
#[inline(always)]
fn put<'o, const N: usize>(bytes: &[u8], out: &'o mut [u8]) -> Option<&'o mut [u8]> {
    let (slot, rest) = out.split_first_chunk_mut::<N>()?;
    *slot = *bytes.first_chunk::<N>()?;
    Some(rest)
}

/// The bytes of one frame header, ready for the wire.
#[derive(Clone, Copy)]
// So that it is copied in whole words.
#[repr(align(8))]
pub struct EncodedHeader {
    /// Then zeros. The last octet holds their number.
    bytes: [[u8; 8]; 2],
}

impl EncodedHeader {
    /// The bytes: 2 to 14 of them.
    pub fn as_bytes(&self) -> &[u8] {
        let [_, [.., len]] = self.bytes;
        // So the compiler leaves out the bounds check.
        self.bytes.as_flattened().get(..usize::from(len & 0xF)).unwrap_or(&[])
    }
}

impl AsRef<[u8]> for EncodedHeader {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl core::fmt::Debug for EncodedHeader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "EncodedHeader({} bytes)", self.as_bytes().len())
    }
}
