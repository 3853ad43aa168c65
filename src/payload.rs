//! What can be sent. The types allow only valid payloads.
//
// Owns: which payloads are valid.
// Must not know: frames.

use crate::event::Data;
use crate::frame::{MessageKind, Rsv};

/// The payload of a message or of a fragment: UTF-8 text (RFC 6455 section 8.1), or bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    kind: MessageKind,
    octets: &'a [u8],
    form: Form,
    /// Whether to compress it. `None` if the caller has not decided.
    compression: Option<bool>,
}

/// What the octets of a payload are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Uncompressed and valid by construction: bytes, or whole characters.
    Plain,
    /// Text that may begin or end in the middle of a character.
    Cut,
    /// Compressed by permessage-deflate.
    Deflated,
}

impl<'a> Payload<'a> {
    /// A text payload.
    pub const fn text(text: &'a str) -> Self {
        Self { kind: MessageKind::Text, octets: text.as_bytes(), form: Form::Plain, compression: None }
    }

    /// A binary payload.
    pub const fn binary(octets: &'a [u8]) -> Self {
        Self { kind: MessageKind::Binary, octets, form: Form::Plain, compression: None }
    }

    /// A piece of a received message, to be sent on as one fragment. Send all pieces of the message, in order.
    /// Text that begins or ends in the middle of a character is checked again when it is sent.
    ///
    /// `None` for a piece with reserved bits set: an extension has transformed it.
    pub fn forward(data: &Data<'a>) -> Option<Self> {
        (data.rsv() == Rsv::NONE).then(|| Self {
            kind: data.kind(),
            form: if data.is_cut() { Form::Cut } else { Form::Plain },
            ..Self::binary(data.as_bytes())
        })
    }

    /// A message of this kind, or a fragment of one, that a `Deflater` has compressed. It is sent with RSV1
    /// (RFC 7692 section 6.1), and only if permessage-deflate was agreed on.
    ///
    /// This crate does not check what the octets inflate to.
    pub const fn deflated(kind: MessageKind, octets: &'a [u8]) -> Self {
        Self { kind, octets, form: Form::Deflated, compression: None }
    }

    /// Sets whether to compress it, if permessage-deflate is in use, whatever its length. The first fragment
    /// decides for the whole message.
    ///
    /// Do not compress secrets together with data that an attacker can choose (RFC 7692 section 8).
    #[must_use]
    pub const fn with_compression(mut self, compress: bool) -> Self {
        if !self.is_deflated() {
            self.compression = Some(compress);
        }
        self
    }

    /// Whether to compress it. `None` if the caller has not decided.
    #[cfg(feature = "deflate")]
    pub(crate) const fn compression(&self) -> Option<bool> {
        match self.form {
            Form::Plain | Form::Cut => self.compression,
            Form::Deflated => Some(false),
        }
    }

    /// Whether the octets were compressed before.
    pub(crate) const fn is_deflated(&self) -> bool {
        matches!(self.form, Form::Deflated)
    }

    /// The reserved bits of a frame that begins a message with it.
    pub(crate) const fn rsv(&self) -> Rsv {
        if self.is_deflated() {
            Rsv::RSV1
        } else {
            Rsv::NONE
        }
    }

    /// Whether it is text that may begin or end in the middle of a character.
    pub(crate) const fn is_cut(&self) -> bool {
        matches!(self.form, Form::Cut)
    }

    /// Whether the payload is uncompressed and valid by construction (bytes, or a `&str`).
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self.form, Form::Plain)
    }

    /// Whether it is text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The octets.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.octets
    }
}

/// Everything that can be sent: text becomes a text message, bytes become a binary one.
///
/// It is implemented for strings, byte slices, arrays and vectors, for messages and payloads, borrowed or
/// owned, and for references to them. Implement it for a type of your own, and every method that sends accepts
/// that type too.
///
/// # Examples
///
/// ```
/// use sockless::{AsPayload, MessageKind, Payload};
///
/// struct Position(f64, [u8; 8]);
///
/// impl AsPayload for Position {
///     fn as_payload(&self) -> Payload<'_> {
///         Payload::binary(&self.1)
///     }
/// }
///
/// let position = Position(0.5, 0.5_f64.to_be_bytes());
/// assert_eq!(position.as_payload().kind(), MessageKind::Binary);
/// assert_eq!("text".as_payload().kind(), MessageKind::Text);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as a message",
    label = "neither text nor bytes",
    note = "send a string, bytes, a `Message` or a `Payload`, or implement `AsPayload`"
)]
pub trait AsPayload {
    /// The payload of the message, or of the fragment.
    fn as_payload(&self) -> Payload<'_>;
}

impl AsPayload for str {
    fn as_payload(&self) -> Payload<'_> {
        Payload::text(self)
    }
}

impl AsPayload for [u8] {
    fn as_payload(&self) -> Payload<'_> {
        Payload::binary(self)
    }
}

impl<const N: usize> AsPayload for [u8; N] {
    fn as_payload(&self) -> Payload<'_> {
        Payload::binary(self)
    }
}

impl AsPayload for Payload<'_> {
    fn as_payload(&self) -> Payload<'_> {
        *self
    }
}

impl<T: AsPayload + ?Sized> AsPayload for &T {
    fn as_payload(&self) -> Payload<'_> {
        (**self).as_payload()
    }
}

/// Types that own their octets.
#[cfg(feature = "alloc")]
mod owned {
    use alloc::borrow::{Cow, ToOwned};
    use alloc::boxed::Box;
    use alloc::rc::Rc;
    use alloc::string::String;
    use alloc::sync::Arc;
    use alloc::vec::Vec;

    use super::{AsPayload, Payload};

    impl AsPayload for String {
        fn as_payload(&self) -> Payload<'_> {
            Payload::text(self)
        }
    }

    impl AsPayload for Vec<u8> {
        fn as_payload(&self) -> Payload<'_> {
            Payload::binary(self)
        }
    }

    impl<T: AsPayload + ToOwned + ?Sized> AsPayload for Cow<'_, T> {
        fn as_payload(&self) -> Payload<'_> {
            (**self).as_payload()
        }
    }

    impl<T: AsPayload + ?Sized> AsPayload for Box<T> {
        fn as_payload(&self) -> Payload<'_> {
            (**self).as_payload()
        }
    }

    impl<T: AsPayload + ?Sized> AsPayload for Rc<T> {
        fn as_payload(&self) -> Payload<'_> {
            (**self).as_payload()
        }
    }

    impl<T: AsPayload + ?Sized> AsPayload for Arc<T> {
        fn as_payload(&self) -> Payload<'_> {
            (**self).as_payload()
        }
    }
}

impl<'a, T: AsPayload + ?Sized> From<&'a T> for Payload<'a> {
    fn from(message: &'a T) -> Self {
        message.as_payload()
    }
}

/// The payload of a Ping or a Pong: at most 125 octets (RFC 6455 section 5.5).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ControlPayload<'a>(&'a [u8]);

impl<'a> ControlPayload<'a> {
    /// The longest payload in octets.
    pub const MAX_LEN: usize = 125;

    /// An empty payload.
    pub const EMPTY: ControlPayload<'static> = ControlPayload(&[]);

    /// The payload, or `None` if it is longer than [`MAX_LEN`](Self::MAX_LEN).
    pub const fn new(octets: &'a [u8]) -> Option<Self> {
        if octets.len() <= Self::MAX_LEN {
            Some(Self(octets))
        } else {
            None
        }
    }

    /// The octets.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

debug_states!([] Payload<'_>, |this| { kind: this.kind, octets: this.octets.len(), form: this.form, compression: this.compression });

impl core::fmt::Debug for ControlPayload<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ControlPayload({} octets)", self.0.len())
    }
}
