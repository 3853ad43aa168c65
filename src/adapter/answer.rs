//! What an application adds to the answer that opens a WebSocket.
//
// Owns: what it says, and how that goes together with the config.
// Must not know: how an answer is written.

#[cfg(feature = "alloc")]
use alloc::borrow::Cow;
#[cfg(feature = "alloc")]
use alloc::string::String;
use core::fmt;

use super::ServerConfig;
#[cfg(feature = "deflate")]
use crate::deflate::Policy;
use crate::handshake::lists::{FieldList, Names};
use crate::handshake::server::Accept;
use crate::handshake::ComposeError;

/// A text that is lent or, where there is an allocator, owned.
#[cfg(feature = "alloc")]
type Text<'a> = Cow<'a, str>;
#[cfg(not(feature = "alloc"))]
type Text<'a> = &'a str;

/// What an application adds to the answer that opens a WebSocket, after it has seen the request.
///
/// `()` adds nothing, so a decision may be `Ok(())`. If something here is invalid, the client gets a 500, and the
/// handshake ends with [`OpeningError::Compose`](super::OpeningError::Compose).
///
/// `Debug` does not show the values of fields.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Answer<'a> {
    fields: FieldList<'a>,
    subprotocol: Choice<Text<'a>>,
    #[cfg(feature = "deflate")]
    deflate: Choice<Policy>,
}

/// What the config says, or something else for this one request.
#[derive(Clone, Default, PartialEq, Eq)]
enum Choice<T> {
    #[default]
    OfConfig,
    None,
    This(T),
}

impl<T> Choice<T> {
    const fn name(&self) -> &'static str {
        match self {
            Self::OfConfig => "that of the config",
            Self::None => "none",
            Self::This(_) => "another",
        }
    }
}

impl<'a> Answer<'a> {
    /// As the config says.
    pub const fn new() -> Self {
        Self {
            fields: FieldList::EMPTY,
            subprotocol: Choice::OfConfig,
            #[cfg(feature = "deflate")]
            deflate: Choice::OfConfig,
        }
    }

    /// Sets these header fields, such as `Set-Cookie`, after those of the config. Another call replaces them.
    #[must_use]
    pub const fn with_fields(mut self, fields: &'a [(&'a str, &'a str)]) -> Self {
        self.fields.lent = fields;
        self
    }

    /// Adds a header field, after the others.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.owned.push((name.into(), value.into()));
        self
    }

    /// Chooses this subprotocol, whatever the config says. The client must offer it.
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<Text<'a>>) -> Self {
        self.subprotocol = Choice::This(name.into());
        self
    }

    /// Chooses no subprotocol, whatever the config says.
    #[must_use]
    pub fn without_subprotocol(mut self) -> Self {
        self.subprotocol = Choice::None;
        self
    }

    /// Accepts permessage-deflate by this policy, whatever the config says. The adapters of firmware, which never
    /// compress, do not look at it.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn with_deflate(mut self, policy: Policy) -> Self {
        self.deflate = Choice::This(policy);
        self
    }

    /// Does not compress, whatever the config says.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn without_deflate(mut self) -> Self {
        self.deflate = Choice::None;
        self
    }

    #[cfg(all(feature = "deflate", feature = "rng"))]
    pub(super) fn policy(&self, config: &ServerConfig) -> Option<Policy> {
        match self.deflate {
            Choice::OfConfig => config.deflate,
            Choice::None => None,
            Choice::This(policy) => Some(policy),
        }
    }

    pub(super) fn apply<'r>(
        &'r self,
        config: &'r ServerConfig,
        accept: &mut Accept<'_, 'r>,
    ) -> Result<(), ComposeError> {
        accept.fields.add(config.fields.fields())?;
        accept.fields.add(self.fields.fields())?;
        match &self.subprotocol {
            Choice::OfConfig => accept.choose_subprotocol(config.subprotocols.names()),
            Choice::None => {}
            Choice::This(name) => {
                accept.choose_subprotocol(Names::Lent(&[name]));
                accept.chosen_subprotocol().ok_or(ComposeError::UnofferedSubprotocol)?;
            }
        }
        Ok(())
    }
}

impl From<()> for Answer<'_> {
    fn from((): ()) -> Self {
        Self::new()
    }
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut answer = f.debug_struct("Answer");
        answer
            .field("fields", &self.fields.fields().iter().count())
            .field("subprotocol", &self.subprotocol.name());
        #[cfg(feature = "deflate")]
        answer.field("deflate", &self.deflate.name());
        answer.finish()
    }
}
