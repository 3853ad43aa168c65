//! Messages as JSON: feature `json`.
//
// Owns: that errors do not repeat what was sent.
// Must not know: connections.

use core::fmt;

use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use super::{Message, OwnedMessage};

impl<'a> Message<'a> {
    /// The value that the message has as JSON, text or binary. Strings in it can borrow from the message.
    ///
    /// ```
    /// use sockless::Message;
    ///
    /// let message = Message::Text(r#"{"price": 5}"#);
    /// let value: std::collections::HashMap<&str, u32> = message.json()?;
    /// assert_eq!(value["price"], 5);
    /// # Ok::<(), sockless::message::JsonError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`JsonError`] if it is not JSON, or no such value.
    pub fn json<T: Deserialize<'a>>(&self) -> Result<T, JsonError> {
        match self {
            Self::Text(text) => serde_json::from_str(text).map_err(JsonError),
            Self::Binary(octets) => serde_json::from_slice(octets).map_err(JsonError),
        }
    }
}

impl OwnedMessage {
    /// The value that the message has as JSON, text or binary. Strings in it can borrow from the message.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if it is not JSON, or no such value.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, JsonError> {
        self.as_message().json()
    }

    /// A text message that has this value as JSON: `socket.send(OwnedMessage::from_json(&value)?)`.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if the value cannot be written as JSON, such as a map whose keys are no strings.
    pub fn from_json(value: &(impl Serialize + ?Sized)) -> Result<Self, JsonError> {
        serde_json::to_string(value).map(Self::Text).map_err(JsonError)
    }
}

/// Why a message is not the value that was asked for, or a value cannot be written as JSON.
///
/// It prints what kind of error it is and where, and no octet of the message. So it may go into a log.
pub struct JsonError(serde_json::Error);

impl JsonError {
    /// The error of `serde_json`. Its text may repeat what the peer sent.
    pub fn into_inner(self) -> serde_json::Error {
        self.0
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.0.classify() {
            Category::Eof => "the JSON is cut off",
            Category::Data => "the JSON is not the value that is expected",
            Category::Syntax | Category::Io if self.0.line() == 0 => "the value cannot be written as JSON",
            Category::Syntax | Category::Io => "it is not JSON",
        };
        match self.0.line() {
            0 => f.write_str(what), // no place is known
            line => write!(f, "{what}: line {line}, column {}", self.0.column()),
        }
    }
}

impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonError({self})")
    }
}

impl core::error::Error for JsonError {}
