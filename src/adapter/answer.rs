//! What an application adds to the answer that opens a WebSocket.
//
// Owns: what it says, and how that goes together with the config.
// Must not know: how an answer is written.

#[cfg(feature = "alloc")]
use alloc::borrow::Cow;
#[cfg(feature = "alloc")]
use alloc::string::String;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;

use super::ServerConfig;
use crate::handshake::lists::FieldSet;
use crate::handshake::server::Accept;
use crate::handshake::ComposeError;

/// A text that is lent or, where there is an allocator, owned.
#[cfg(feature = "alloc")]
type Text<'a> = Cow<'a, str>;
#[cfg(not(feature = "alloc"))]
type Text<'a> = &'a str;

/// What an application adds to the answer that opens a WebSocket, after it has seen the request.
///
/// `()` adds nothing, so a decision may be `Ok(())`. If something here is invalid, the client gets a 500, and
/// the handshake ends with [`OpeningError::Compose`](super::OpeningError::Compose).
///
/// `Debug` does not show the values of fields.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Answer<'a> {
    fields: &'a [(&'a str, &'a str)],
    #[cfg(feature = "alloc")]
    more_fields: Vec<(String, String)>,
    subprotocol: SubprotocolChoice<'a>,
}

/// Which subprotocol is spoken.
#[derive(Clone, Default, PartialEq, Eq)]
enum SubprotocolChoice<'a> {
    /// The one that the config chooses.
    #[default]
    OfConfig,
    None,
    This(Text<'a>),
}

impl<'a> Answer<'a> {
    /// An answer as the config says.
    pub const fn new() -> Self {
        Self {
            fields: &[],
            #[cfg(feature = "alloc")]
            more_fields: Vec::new(),
            subprotocol: SubprotocolChoice::OfConfig,
        }
    }

    /// Sets these header fields, such as `Set-Cookie`, after those of the config. Another call replaces them.
    #[must_use]
    pub const fn with_fields(mut self, fields: &'a [(&'a str, &'a str)]) -> Self {
        self.fields = fields;
        self
    }

    /// Adds a header field, after the others.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.more_fields.push((name.into(), value.into()));
        self
    }

    /// Chooses this subprotocol, whatever the config says. The client must offer it.
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<Text<'a>>) -> Self {
        self.subprotocol = SubprotocolChoice::This(name.into());
        self
    }

    /// Chooses no subprotocol, whatever the config says.
    #[must_use]
    pub fn without_subprotocol(mut self) -> Self {
        self.subprotocol = SubprotocolChoice::None;
        self
    }

    /// The 101 with what this and the config say.
    pub(super) fn apply<'h, 'r>(
        &'r self,
        config: &'r ServerConfig,
        accept: Accept<'h, 'r>,
    ) -> Result<Accept<'h, 'r>, ComposeError> {
        let fields = FieldSet {
            lent: self.fields,
            #[cfg(feature = "alloc")]
            owned: &self.more_fields,
        };
        let accept = accept.with_field_set(config.field_set())?.with_field_set(fields)?;
        match &self.subprotocol {
            SubprotocolChoice::OfConfig => Ok(accept.with_supported_names(config.names())),
            SubprotocolChoice::None => Ok(accept),
            SubprotocolChoice::This(name) => accept.with_subprotocol(name),
        }
    }
}

impl From<()> for Answer<'_> {
    fn from((): ()) -> Self {
        Self::new()
    }
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subprotocol = match &self.subprotocol {
            SubprotocolChoice::OfConfig => "that of the config",
            SubprotocolChoice::None => "none",
            SubprotocolChoice::This(_) => "another",
        };
        let mut shown = f.debug_struct("Answer");
        shown.field("fields", &self.fields.len());
        #[cfg(feature = "alloc")]
        shown.field("more_fields", &self.more_fields.len());
        shown.field("subprotocol", &subprotocol).finish()
    }
}
