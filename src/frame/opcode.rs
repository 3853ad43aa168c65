//! Opcodes and reserved bits (RFC 6455 sections 5.2 and 11.8).
//
// Owns: the values and their names.
// Must not know: which of them are legal in which place.

use core::fmt;

/// What a frame is, with the reserved values (RFC 6455 section 5.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Opcode(u8);

impl Opcode {
    /// A further fragment of a message that was begun.
    pub const CONTINUATION: Self = Self(0x0);
    /// A text message, or its first fragment.
    pub const TEXT: Self = Self(0x1);
    /// A binary message, or its first fragment.
    pub const BINARY: Self = Self(0x2);
    /// A Close frame (section 5.5.1).
    pub const CLOSE: Self = Self(0x8);
    /// A Ping frame (section 5.5.2).
    pub const PING: Self = Self(0x9);
    /// A Pong frame (section 5.5.3).
    pub const PONG: Self = Self(0xA);

    /// The low four bits of `byte`.
    pub const fn from_low_bits(byte: u8) -> Self {
        Self(byte & 0x0F)
    }

    /// The value, 0 to 15.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// Whether this is a control frame (section 5.5).
    pub const fn is_control(self) -> bool {
        self.0 & 0x8 != 0
    }

    /// Whether the value is reserved for future frames: 3 to 7 and 11 to 15.
    pub const fn is_reserved(self) -> bool {
        const ASSIGNED: u16 = 0b0000_0111_0000_0111;
        (ASSIGNED >> self.0) & 1 == 0
    }
}

impl fmt::Debug for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::CONTINUATION => f.write_str("CONTINUATION"),
            Self::TEXT => f.write_str("TEXT"),
            Self::BINARY => f.write_str("BINARY"),
            Self::CLOSE => f.write_str("CLOSE"),
            Self::PING => f.write_str("PING"),
            Self::PONG => f.write_str("PONG"),
            Self(value) => write!(f, "RESERVED({value:#x})"),
        }
    }
}

/// The kind of a message (RFC 6455 section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 section 5.6 knows two kinds of data")]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

impl MessageKind {
    /// The opcode of the first frame.
    pub const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::TEXT,
            Self::Binary => Opcode::BINARY,
        }
    }
}

/// The three reserved bits of a frame, for extensions (RFC 6455 section 5.2).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rsv(u8);

impl Rsv {
    /// No bit is set, as without extensions.
    pub const NONE: Self = Self(0);
    /// RSV1. permessage-deflate uses it for "compressed" (RFC 7692 section 6).
    pub const RSV1: Self = Self(0b100);
    /// RSV2. No extension is registered for it.
    pub const RSV2: Self = Self(0b010);
    /// RSV3. No extension is registered for it.
    pub const RSV3: Self = Self(0b001);

    /// From the first byte of a frame.
    pub const fn from_first_byte(byte: u8) -> Self {
        Self((byte >> 4) & 0b111)
    }

    /// At their place in the first byte of a frame.
    pub const fn as_first_byte(self) -> u8 {
        self.0 << 4
    }

    /// All bits that are set in one of the two.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no bit is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for Rsv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rsv({:03b})", self.0)
    }
}
