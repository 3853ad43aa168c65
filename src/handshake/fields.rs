//! Lists in header fields: tokens, and extensions with their parameters (RFC 9110 section 5.6, RFC 6455 section 9.1).
//
// Owns: the two grammars, over any number of lines.
// Must not know: what any name means.

use core::fmt;

use super::byte_class::{is_tchar, token_len};
use super::error::HandshakeError;
use super::head_index::Field;
use super::http1::{is_same_token, trim};
use super::Brief;
use crate::tolerance::{Tolerance, Tolerances};

/// The most elements of a list, empty ones included.
const MAX_ELEMENTS: usize = 128;

/// A checked list of tokens, in order, over all lines of its field.
///
/// `Debug` shows only how many there are, because some clients send credentials as subprotocols.
#[derive(Clone, Copy)]
pub struct Tokens<'h> {
    field: Field<'h>,
}

impl fmt::Debug for Tokens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("count", &self.iter().count()).finish()
    }
}

impl<'h> Tokens<'h> {
    /// Empty elements are ignored (RFC 9110 section 5.6.1).
    #[inline]
    pub(crate) fn of(field: Field<'h>, malformed: HandshakeError) -> Result<Self, HandshakeError> {
        if field.is_present() {
            Self::check(field, malformed)?;
        }
        Ok(Self { field })
    }

    #[inline]
    pub(crate) fn contain(
        field: Field<'h>,
        token: &str,
        malformed: HandshakeError,
    ) -> Result<bool, HandshakeError> {
        // Usually the field holds this token alone. `token` must consist of letters.
        if field.only().is_some_and(|only| is_same_token(only, token)) {
            return Ok(true);
        }
        Ok(Self::of(field, malformed)?.contains_ignore_case(token))
    }

    fn check(field: Field<'h>, malformed: HandshakeError) -> Result<(), HandshakeError> {
        let mut elements = 0_usize;
        for value in field.values() {
            let mut cursor = Cursor { rest: value };
            loop {
                count(&mut elements)?;
                cursor.skip_space();
                cursor.skip_token();
                cursor.skip_space();
                if !cursor.skip(b',') {
                    break;
                }
            }
            if !cursor.rest.is_empty() {
                return Err(malformed);
            }
        }
        Ok(())
    }

    /// Whether each line of the field has at least one.
    pub(crate) fn are_in_each_line(&self) -> bool {
        self.field.values().all(|value| value.split(|&byte| byte == b',').any(|name| !trim(name).is_empty()))
    }

    /// The tokens.
    pub fn iter(&self) -> impl Iterator<Item = &'h str> + Clone + 'h {
        Self::elements(self.field).filter_map(|element| core::str::from_utf8(element).ok())
    }

    /// Compared without case. `token` must consist of letters.
    fn contains_ignore_case(&self, token: &str) -> bool {
        self.field
            .values()
            .any(|value| value.split(|&byte| byte == b',').any(|name| is_same_token(trim(name), token)))
    }

    /// Compared with case. Parsing the lines again for each token would take quadratic time.
    pub(crate) fn are_unique(&self) -> bool {
        let mut earlier = [""; MAX_ELEMENTS];
        for (at, name) in self.iter().enumerate() {
            if earlier.iter().take(at).any(|earlier| *earlier == name) {
                return false;
            }
            if let Some(slot) = earlier.get_mut(at) {
                *slot = name;
            }
        }
        true
    }

    fn elements(field: Field<'h>) -> impl Iterator<Item = &'h [u8]> + Clone + 'h {
        let elements = field.values().flat_map(|value| value.split(|&byte| byte == b',')).map(trim);
        elements.filter(|element| !element.is_empty())
    }
}

/// A checked list of extensions, in order, over all lines of its field (RFC 6455 section 9.1).
#[derive(Clone, Copy)]
pub struct Extensions<'h> {
    field: Field<'h>,
}

impl fmt::Debug for Extensions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions").field("count", &self.iter().count()).finish()
    }
}

impl<'h> Extensions<'h> {
    /// Each line must have at least one, unless empty lists are tolerated.
    #[inline]
    pub(crate) fn of(field: Field<'h>, tolerances: Tolerances) -> Result<Self, HandshakeError> {
        let mut elements = 0_usize;
        let mut check = |value| match check_value(value, &mut elements)? {
            false if !tolerances.contains(Tolerance::EmptyLists) => Err(HandshakeError::InvalidExtensions),
            _ => Ok(()),
        };
        match field.only() {
            Some(only) => check(only)?,
            None => field.values().try_for_each(check)?,
        }
        Ok(Self { field })
    }

    /// The extensions.
    pub fn iter(&self) -> impl Iterator<Item = Extension<'h>> + Clone + 'h {
        self.field.values().flat_map(iter_value)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// Checks one value. Returns whether it has an extension.
pub(crate) fn check_value(value: &[u8], elements: &mut usize) -> Result<bool, HandshakeError> {
    let mut cursor = Cursor { rest: value };
    let mut found = false;
    loop {
        count(elements)?;
        cursor.skip_space();
        if cursor.skip_token() {
            found = true;
            cursor.skip_space();
            while cursor.skip(b';') {
                count(elements)?;
                if !cursor.skip_parameter() {
                    return Err(HandshakeError::InvalidExtensions);
                }
            }
        }
        if !cursor.skip(b',') {
            break;
        }
    }
    if cursor.rest.is_empty() {
        Ok(found)
    } else {
        Err(HandshakeError::InvalidExtensions)
    }
}

fn count(elements: &mut usize) -> Result<(), HandshakeError> {
    *elements = elements.saturating_add(1);
    if *elements > MAX_ELEMENTS {
        return Err(HandshakeError::ListTooLong);
    }
    Ok(())
}

/// Each method returns whether it found what it skips.
struct Cursor<'h> {
    rest: &'h [u8],
}

impl Cursor<'_> {
    fn skip(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => self.rest = rest,
            _ => return false,
        }
        true
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn skip_token(&mut self) -> bool {
        let len = token_len(self.rest);
        self.rest = self.rest.get(len..).unwrap_or(&[]);
        len != 0
    }

    /// Whitespace around `=` is wrong, but accepted (RFC 9110 section 5.6.3).
    fn skip_parameter(&mut self) -> bool {
        self.skip_space();
        let mut legal = self.skip_token();
        self.skip_space();
        if self.skip(b'=') {
            self.skip_space();
            legal &= if self.skip(b'"') { self.skip_quoted() } else { self.skip_token() };
            self.skip_space();
        }
        legal
    }

    /// What follows the opening quote (RFC 9110 section 5.6.4). Unquoted it must be a token (RFC 6455 section 9.1).
    fn skip_quoted(&mut self) -> bool {
        let mut found = false;
        loop {
            match self.rest {
                [b'\\', byte, rest @ ..] | [byte, rest @ ..] if is_tchar(*byte) => self.rest = rest,
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    return found;
                }
                _ => return false,
            }
            found = true;
        }
    }
}

/// A value that we send has no empty elements and no whitespace around `=` (RFC 9110 sections 5.6.1 and 5.6.3).
pub(crate) fn check_own_value(value: &[u8]) -> Result<(), HandshakeError> {
    check_value(value, &mut 0)?;
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let strict = Split { rest: Some(value), separator: b',' }.map(trim).all(|element| {
        let mut parts = Split { rest: Some(element), separator: b';' }.map(trim);
        !element.is_empty()
            && parts.all(|part| match part.iter().position(|&byte| byte == b'=') {
                None => true,
                Some(at) => {
                    let (name, value) = part.split_at_checked(at).unwrap_or((part, &[]));
                    !is_space(name.last()) && !is_space(value.get(1))
                }
            })
    });
    if strict {
        Ok(())
    } else {
        Err(HandshakeError::InvalidExtensions)
    }
}

/// The extensions in a checked value.
pub(crate) fn iter_value(value: &[u8]) -> impl Iterator<Item = Extension<'_>> + Clone + '_ {
    Split { rest: Some(value), separator: b',' }.filter_map(|element| {
        let mut parts = Split { rest: Some(element), separator: b';' };
        let name = core::str::from_utf8(trim(parts.next()?)).ok()?;
        (!name.is_empty()).then_some(Extension { name, parameters: Parameters { parts } })
    })
}

/// One extension, offered or accepted.
#[derive(Clone)]
pub struct Extension<'h> {
    name: &'h str,
    parameters: Parameters<'h>,
}

impl fmt::Debug for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extension")
            .field("name", &Brief(self.name))
            .field("parameters", &self.parameters)
            .finish()
    }
}

impl<'h> Extension<'h> {
    /// The name. Names are compared with case.
    pub const fn name(&self) -> &'h str {
        self.name
    }

    /// The parameters, in order.
    pub fn parameters(&self) -> Parameters<'h> {
        self.parameters.clone()
    }
}

/// The parameters of one extension, in order.
#[derive(Clone)]
pub struct Parameters<'h> {
    parts: Split<'h>,
}

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameters").field("left", &self.clone().count()).finish()
    }
}

impl<'h> Iterator for Parameters<'h> {
    type Item = Parameter<'h>;

    fn next(&mut self) -> Option<Parameter<'h>> {
        let part = self.parts.next()?;
        let mut sides = Split { rest: Some(part), separator: b'=' };
        let name = core::str::from_utf8(trim(sides.next()?)).ok()?;
        Some(Parameter { name, value: sides.next().map(trim) })
    }
}

/// One parameter of an extension.
#[derive(Clone, Copy)]
pub struct Parameter<'h> {
    name: &'h str,
    value: Option<&'h [u8]>,
}

impl fmt::Debug for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameter")
            .field("name", &Brief(self.name))
            .field("value_len", &self.value.map(<[u8]>::len))
            .finish()
    }
}

impl<'h> Parameter<'h> {
    /// The name.
    pub const fn name(&self) -> &'h str {
        self.name
    }

    /// Whether it has a value.
    pub const fn has_value(&self) -> bool {
        self.value.is_some()
    }

    /// The bytes of the value without quotes and backslashes (RFC 9110 section 5.6.4). Empty if there is none.
    pub fn value(&self) -> impl Iterator<Item = u8> + Clone + 'h {
        unquoted(self.value.unwrap_or(&[]))
    }

    /// Whether this is the parameter's value.
    pub fn value_is(&self, value: &str) -> bool {
        self.has_value() && self.value().eq(value.bytes())
    }
}

/// Removes quotes and backslashes.
fn unquoted(value: &[u8]) -> impl Iterator<Item = u8> + Clone + '_ {
    let (inner, quoted) = match value {
        [b'"', inner @ .., b'"'] => (inner, true),
        _ => (value, false),
    };
    let mut escaped = false;
    inner.iter().copied().filter(move |&byte| {
        escaped = quoted && byte == b'\\' && !escaped;
        !escaped
    })
}

/// In a checked value no quoted string contains a separator.
#[derive(Clone)]
struct Split<'h> {
    rest: Option<&'h [u8]>,
    separator: u8,
}

impl<'h> Iterator for Split<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        let rest = self.rest.take()?;
        let end = rest.iter().position(|byte| *byte == self.separator).unwrap_or(rest.len());
        let (part, after) = rest.split_at_checked(end)?;
        self.rest = after.get(1..);
        Some(part)
    }
}

debug_states!([] Split<'_>, |this| { rest: this.rest.map(<[u8]>::len) });
