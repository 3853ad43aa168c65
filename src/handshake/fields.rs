//! Lists in header fields: tokens, and extensions with their parameters (RFC 9110 section 5.6, RFC 6455
//! section 9.1).
//!
//! Owns: the two grammars, over any number of lines. Must not know: which names mean anything.

use super::error::HandshakeError;
use super::http1::{is_tchar, token, trim};
use super::outline::Field;

/// More elements than this, empty ones included, are in nobody's list.
const MAX_ELEMENTS: usize = 128;

/// The elements of a list of tokens that was checked, in order, over all lines of its field.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'h> {
    field: Field<'h>,
}

impl<'h> Tokens<'h> {
    /// The lists in these fields. Empty elements are passed over (RFC 9110 section 5.6.1).
    pub(crate) fn of(field: Field<'h>, malformed: HandshakeError) -> Result<Self, HandshakeError> {
        let mut elements = 0_usize;
        for element in Self::elements(field) {
            elements = elements.saturating_add(1);
            if elements > MAX_ELEMENTS {
                return Err(HandshakeError::ListTooLong);
            }
            if !element.is_empty() && token(element).is_none() {
                return Err(malformed);
            }
        }
        Ok(Self { field })
    }

    /// The tokens.
    pub fn iter(&self) -> impl Iterator<Item = &'h str> + Clone + 'h {
        Self::elements(self.field).filter_map(token)
    }

    /// Whether one of them is `token`, compared without case.
    pub(crate) fn contains_ignore_case(&self, token: &str) -> bool {
        self.iter().any(|candidate| candidate.eq_ignore_ascii_case(token))
    }

    /// Whether none stands twice, compared with case. The lines are not gone through again for each: a list
    /// of many long names would cost its square.
    pub(crate) fn are_unique(&self) -> bool {
        if !self.field.is_present() {
            return true;
        }
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
        field.values().flat_map(|value| value.split(|&byte| byte == b',')).map(trim)
    }
}

/// The extensions of a list that was checked, in order, over all lines of the field (RFC 6455 section 9.1).
#[derive(Clone, Copy, Debug)]
pub struct Extensions<'h> {
    field: Field<'h>,
}

impl<'h> Extensions<'h> {
    /// The extensions in these fields.
    pub(crate) fn of(field: Field<'h>) -> Result<Self, HandshakeError> {
        let mut elements = 0_usize;
        for value in field.values() {
            check_value(value, &mut elements)?;
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

/// Judges one value of the field: at least one extension, every part by the grammar.
pub(crate) fn check_value(value: &[u8], elements: &mut usize) -> Result<(), HandshakeError> {
    let malformed = HandshakeError::InvalidExtensions;
    let mut found = false;
    for element in (Split { rest: Some(value), separator: b',' }) {
        *elements = elements.saturating_add(1);
        if *elements > MAX_ELEMENTS {
            return Err(HandshakeError::ListTooLong);
        }
        let element = trim(element);
        if element.is_empty() {
            continue;
        }
        found = true;
        let mut parts = Split { rest: Some(element), separator: b';' }.map(trim);
        parts.next().and_then(token).ok_or(malformed)?;
        for part in parts {
            *elements = elements.saturating_add(1);
            if *elements > MAX_ELEMENTS {
                return Err(HandshakeError::ListTooLong);
            }
            parameter(part).ok_or(malformed)?;
        }
    }
    if found {
        Ok(())
    } else {
        Err(malformed)
    }
}

/// Judges a value that we are to send: nothing in it is only borne, such as empty elements (RFC 9110 section
/// 5.6.1) and whitespace around `=` (section 5.6.3).
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

/// The extensions of one value that was checked.
pub(crate) fn iter_value(value: &[u8]) -> impl Iterator<Item = Extension<'_>> + Clone + '_ {
    Split { rest: Some(value), separator: b',' }.map(trim).filter_map(|element| {
        let mut parts = Split { rest: Some(element), separator: b';' };
        let name = token(trim(parts.next()?))?;
        Some(Extension { name, parameters: Parameters { parts } })
    })
}

/// One extension, offered or accepted.
#[derive(Clone, Debug)]
pub struct Extension<'h> {
    name: &'h str,
    parameters: Parameters<'h>,
}

impl<'h> Extension<'h> {
    /// Its name. Names are compared exactly.
    pub const fn name(&self) -> &'h str {
        self.name
    }

    /// Its parameters, in order.
    pub fn parameters(&self) -> Parameters<'h> {
        self.parameters.clone()
    }
}

/// The parameters of one extension, in order.
#[derive(Clone, Debug)]
pub struct Parameters<'h> {
    parts: Split<'h>,
}

impl<'h> Iterator for Parameters<'h> {
    type Item = Parameter<'h>;

    fn next(&mut self) -> Option<Parameter<'h>> {
        parameter(trim(self.parts.next()?))
    }
}

/// One parameter of an extension.
#[derive(Clone, Copy, Debug)]
pub struct Parameter<'h> {
    name: &'h str,
    value: Option<&'h [u8]>,
}

impl<'h> Parameter<'h> {
    /// Its name.
    pub const fn name(&self) -> &'h str {
        self.name
    }

    /// Whether it has a value.
    pub const fn has_value(&self) -> bool {
        self.value.is_some()
    }

    /// The bytes of its value, a token, without the quotes and backslashes that it may have been written with
    /// (RFC 9110 section 5.6.4); none if it has no value.
    pub fn value(&self) -> impl Iterator<Item = u8> + Clone + 'h {
        unquoted(self.value.unwrap_or(&[]))
    }

    /// Whether it has this value.
    pub fn value_is(&self, value: &str) -> bool {
        self.has_value() && self.value().eq(value.bytes())
    }
}

/// `name`, `name=token` or `name="quoted token"`; whitespace around `=` is bad but borne (RFC 9110 section
/// 5.6.3).
fn parameter(part: &[u8]) -> Option<Parameter<'_>> {
    let Some(at) = part.iter().position(|&byte| byte == b'=') else {
        return Some(Parameter { name: token(part)?, value: None });
    };
    let (name, value) = part.split_at_checked(at)?;
    let name = token(trim(name))?;
    let value = trim(value.get(1..)?);
    match value {
        [b'"', inner @ .., b'"'] => {
            let mut escaped = false;
            for &byte in inner {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => return None,
                    _ => {}
                }
            }
            // RFC 6455 section 9.1: the value without its quoting is a token.
            let mut bytes = unquoted(value);
            (!escaped && bytes.clone().next().is_some() && bytes.all(is_tchar))
                .then_some(Parameter { name, value: Some(value) })
        }
        _ => token(value).map(|_| Parameter { name, value: Some(value) }),
    }
}

/// The bytes that a token or a quoted string stands for.
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

/// Parts between separators that stand outside of quoted strings.
#[derive(Clone, Debug)]
struct Split<'h> {
    rest: Option<&'h [u8]>,
    separator: u8,
}

impl<'h> Iterator for Split<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        let rest = self.rest.take()?;
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.iter().position(|&byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ => return byte == self.separator && !quoted,
            }
            false
        });
        let Some((part, after)) = end.and_then(|end| rest.split_at_checked(end)) else {
            return Some(rest);
        };
        self.rest = after.get(1..);
        Some(part)
    }
}
