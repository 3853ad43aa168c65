//! What a server or a proxy wants to see before it lets us in (RFC 9110 section 11.6.1).
//
// Owns: reading the fields that say so.
// Must not know: how to meet a challenge.

use std::fmt;

/// One way to be let in, of those that a 401 or a 407 offers.
///
/// `Debug` shows the scheme and the names of the parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    token: Option<String>,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The scheme as it was written, such as `Basic` or `Bearer`. Case means nothing in it.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The value of the parameter with this name, in any case, such as `realm`.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let named = self.parameters.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// All parameters in order. Quoted ones are without their quotes.
    pub fn parameters(&self) -> &[(String, String)] {
        &self.parameters
    }

    /// What follows the scheme where that is no list of parameters (`token68`), as `Negotiate` has it.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Vec::from_iter(self.parameters.iter().map(|(name, _)| name));
        f.debug_struct("Challenge")
            .field("scheme", &self.scheme)
            .field("parameters", &names)
            .finish_non_exhaustive()
    }
}

/// The challenges in these values of a field, which are one list. What is malformed is left out.
pub(crate) fn challenges<'v>(values: impl Iterator<Item = &'v str>) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    for element in values.flat_map(elements) {
        // A parameter of the challenge before, or a new challenge, perhaps with its first parameter.
        if let Some(parameter) = parameter(element) {
            if let Some(challenge) = found.last_mut() {
                challenge.parameters.push(parameter);
            }
            continue;
        }
        let (scheme, rest) = element.split_once([' ', '\t']).unwrap_or((element, ""));
        if scheme.is_empty() || !scheme.bytes().all(is_token) {
            continue;
        }
        let rest = rest.trim();
        let parameters = Vec::from_iter(parameter(rest));
        let token = (parameters.is_empty() && !rest.is_empty()).then(|| rest.into());
        found.push(Challenge { scheme: scheme.into(), token, parameters });
    }
    found
}

/// What is between the commas that are in no quotes.
fn elements(value: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let parts = value.split(move |c| {
        let escaped = std::mem::take(&mut is_escaped);
        match c {
            '"' if !escaped => is_quoted = !is_quoted,
            '\\' if is_quoted && !escaped => is_escaped = true,
            _ => {}
        }
        c == ',' && !is_quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// Name and value, if this is a parameter: `realm="a"`. No `token68`, which may have `=` at its end.
fn parameter(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let (name, value) = (name.trim_end(), value.trim_start());
    if name.is_empty() || !name.bytes().all(is_token) || value.is_empty() {
        return None;
    }
    let value = match value.strip_prefix('"') {
        Some(quoted) => unquoted(quoted.strip_suffix('"')?),
        None if value.bytes().all(is_token) => value.into(),
        None => return None,
    };
    Some((name.into(), value))
}

/// Without the backslashes that quote (RFC 9110 section 5.6.4).
fn unquoted(text: &str) -> String {
    let mut chars = text.chars();
    let next = || match chars.next() {
        Some('\\') => chars.next(),
        next => next,
    };
    std::iter::from_fn(next).collect()
}

/// Whether the byte may stand in a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
