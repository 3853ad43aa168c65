//! What can be sent.
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
    ///
    /// `None` for a piece with reserved bits set: an extension has transformed it.
    pub fn forward(data: &Data<'a>) -> Option<Self> {
        (data.rsv() == Rsv::NONE).then(|| Self {
            kind: data.kind(),
            form: if data.is_cut() { Form::Cut } else { Form::Plain },
            ..Self::binary(data.as_bytes())
        })
    }

    /// A message of this kind, or a fragment of one, that a `Deflater` has compressed, for connections that have agreed
    /// on permessage-deflate (RFC 7692 section 6.1). What the octets inflate to is not checked.
    pub const fn deflated(kind: MessageKind, octets: &'a [u8]) -> Self {
        Self { kind, octets, form: Form::Deflated, compression: None }
    }

    /// Sets whether to compress it, if permessage-deflate is in use. The first fragment decides for the whole message.
    ///
    /// Do not compress secrets together with data that an attacker can choose (RFC 7692 section 8).
    #[must_use]
    pub const fn with_compression(mut self, compress: bool) -> Self {
        if !self.is_deflated() {
            self.compression = Some(compress);
        }
        self
    }

    #[cfg(feature = "deflate")]
    pub(crate) const fn compression(&self) -> Option<bool> {
        match self.form {
            Form::Plain | Form::Cut => self.compression,
            Form::Deflated => Some(false),
        }
    }

    pub(crate) const fn is_deflated(&self) -> bool {
        matches!(self.form, Form::Deflated)
    }

    /// Of the first frame.
    pub(crate) const fn rsv(&self) -> Rsv {
        if self.is_deflated() {
            Rsv::RSV1
        } else {
            Rsv::NONE
        }
    }

    pub(crate) const fn is_cut(&self) -> bool {
        matches!(self.form, Form::Cut)
    }

    /// Uncompressed and valid by construction.
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
/// Strings, byte slices, arrays and vectors, messages and payloads, borrowed or owned. Implement it for a type of your
/// own, and every method that sends accepts that type too.
///
/// ```
/// use sockless::{AsPayload, MessageKind, Payload};
///
/// struct Position([u8; 8]);
///
/// impl AsPayload for Position {
///     fn as_payload(&self) -> Payload<'_> {
///         Payload::binary(&self.0)
///     }
/// }
///
/// assert_eq!(Position([0; 8]).as_payload().kind(), MessageKind::Binary);
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
