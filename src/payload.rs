//! What may be sent: payloads that cannot be invalid by type.
//
// Owns: the bounds of payloads.
// Must not know: frames.

use crate::event::Data;
use crate::frame::{MessageKind, Rsv};

/// The payload of a message, or of a fragment: text that is UTF-8 (RFC 6455 section 8.1), or bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    kind: MessageKind,
    octets: &'a [u8],
    form: Form,
    /// Whether to compress it, if the caller has decided.
    compression: Option<bool>,
}

/// What the octets of a payload are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// What types vouch for: bytes, or whole characters.
    Plain,
    /// Text that may begin or end inside a character.
    Cut,
    /// What permessage-deflate has made of them.
    Deflated,
}

impl<'a> Payload<'a> {
    /// Text.
    #[inline]
    pub const fn text(text: &'a str) -> Self {
        Self { kind: MessageKind::Text, octets: text.as_bytes(), form: Form::Plain, compression: None }
    }

    /// Bytes.
    #[inline]
    pub const fn binary(octets: &'a [u8]) -> Self {
        Self { kind: MessageKind::Binary, octets, form: Form::Plain, compression: None }
    }

    /// A piece of a received message, to be sent on as it is, in order, as a fragment of one message. Text
    /// that begins or ends inside a character is checked again when it is sent.
    ///
    /// `None` for a piece that an extension has transformed (reserved bits are set).
    #[inline]
    pub fn forward(data: &Data<'a>) -> Option<Self> {
        (data.rsv() == Rsv::NONE).then(|| Self {
            kind: data.kind(),
            form: if data.is_cut() { Form::Cut } else { Form::Plain },
            ..Self::binary(data.as_bytes())
        })
    }

    /// What a `Deflater` has made of a message of this kind, or of a fragment of one. It is sent with RSV1
    /// (RFC 7692 section 6.1), where permessage-deflate was agreed on.
    ///
    /// What it inflates to is the caller's word: the codec of this crate does not see it.
    #[inline]
    pub const fn deflated(kind: MessageKind, octets: &'a [u8]) -> Self {
        Self { kind, octets, form: Form::Deflated, compression: None }
    }

    /// Whether to compress it where permessage-deflate is in use, whatever its length. A message is
    /// compressed or not as its first fragment is.
    ///
    /// Do not compress secrets together with what an attacker can choose (RFC 7692 section 8).
    #[inline]
    #[must_use]
    pub const fn with_compression(mut self, compress: bool) -> Self {
        if !self.is_deflated() {
            self.compression = Some(compress);
        }
        self
    }

    /// Whether the caller has decided to compress it, or not to.
    #[cfg(feature = "deflate")]
    #[inline]
    pub(crate) const fn compression(&self) -> Option<bool> {
        match self.form {
            Form::Plain | Form::Cut => self.compression,
            Form::Deflated => Some(false),
        }
    }

    /// Whether the octets are compressed already.
    #[inline]
    pub(crate) const fn is_deflated(&self) -> bool {
        matches!(self.form, Form::Deflated)
    }

    /// Whether it is text that may begin or end inside a character.
    #[inline]
    pub(crate) const fn is_cut(&self) -> bool {
        matches!(self.form, Form::Cut)
    }

    /// Whether types vouch for the octets, and they are what the message is.
    #[inline]
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self.form, Form::Plain)
    }

    /// Text or binary.
    #[inline]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The octets.
    #[inline]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.octets
    }
}

/// What can be sent: text as text, bytes as binary.
///
/// It is implemented for strings, byte slices, arrays and vectors, for messages and payloads, borrowed or owned, and
/// for references to them. Implement it for a type of your own, and each way to send takes that, too.
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
    #[inline]
    fn as_payload(&self) -> Payload<'_> {
        Payload::text(self)
    }
}

impl AsPayload for [u8] {
    #[inline]
    fn as_payload(&self) -> Payload<'_> {
        Payload::binary(self)
    }
}

impl<const N: usize> AsPayload for [u8; N] {
    #[inline]
    fn as_payload(&self) -> Payload<'_> {
        Payload::binary(self)
    }
}

impl AsPayload for Payload<'_> {
    #[inline]
    fn as_payload(&self) -> Payload<'_> {
        *self
    }
}

impl<T: AsPayload + ?Sized> AsPayload for &T {
    #[inline]
    fn as_payload(&self) -> Payload<'_> {
        (**self).as_payload()
    }
}

/// What owns its octets.
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
        #[inline]
        fn as_payload(&self) -> Payload<'_> {
            Payload::text(self)
        }
    }

    impl AsPayload for Vec<u8> {
        #[inline]
        fn as_payload(&self) -> Payload<'_> {
            Payload::binary(self)
        }
    }

    impl<T: AsPayload + ToOwned + ?Sized> AsPayload for Cow<'_, T> {
        #[inline]
        fn as_payload(&self) -> Payload<'_> {
            (**self).as_payload()
        }
    }

    impl<T: AsPayload + ?Sized> AsPayload for Box<T> {
        #[inline]
        fn as_payload(&self) -> Payload<'_> {
            (**self).as_payload()
        }
    }

    impl<T: AsPayload + ?Sized> AsPayload for Rc<T> {
        #[inline]
        fn as_payload(&self) -> Payload<'_> {
            (**self).as_payload()
        }
    }

    impl<T: AsPayload + ?Sized> AsPayload for Arc<T> {
        #[inline]
        fn as_payload(&self) -> Payload<'_> {
            (**self).as_payload()
        }
    }
}

impl<'a, T: AsPayload + ?Sized> From<&'a T> for Payload<'a> {
    #[inline]
    fn from(message: &'a T) -> Self {
        message.as_payload()
    }
}

/// The payload of a Ping or a Pong: at most 125 octets (RFC 6455 section 5.5).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ControlPayload<'a>(&'a [u8]);

impl<'a> ControlPayload<'a> {
    /// Octets of the longest payload.
    pub const MAX_LEN: usize = 125;

    /// No octets.
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
