//! Credentials of the scheme Basic (RFC 7617).
//
// Owns: what a user name and a password may contain, and how both are written as one value.
// Must not know: which field the value stands in, or who is told.

#[cfg(feature = "alloc")]
use alloc::string::String;

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;

use super::head_writer::ComposeError;

/// The value of a field `Authorization` for a user name and a password: scheme Basic (RFC 7617), in UTF-8.
///
/// They are sent in the clear, so use TLS.
///
/// ```
/// let value = sockless::handshake::basic_authorization("Aladdin", "open sesame")?;
/// assert_eq!(value, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
/// # Ok::<(), sockless::handshake::ComposeError>(())
/// ```
///
/// # Errors
///
/// [`ComposeError::InvalidValue`] if the user name has a colon, or one of them a control character.
#[cfg(feature = "alloc")]
pub fn basic_authorization(username: &str, password: &str) -> Result<String, ComposeError> {
    check_basic(username, password)?;
    let mut value = String::new();
    write_basic(pair(username, password), |text| value.push_str(text));
    Ok(value)
}

/// RFC 7617 section 2: the first colon ends the user name, and neither has a control character.
pub(crate) fn check_basic(username: &str, password: &str) -> Result<(), ComposeError> {
    let is_control = |octet: u8| octet.is_ascii_control();
    if username.contains(':') || username.bytes().chain(password.bytes()).any(is_control) {
        return Err(ComposeError::InvalidValue);
    }
    Ok(())
}

pub(crate) fn pair<'c>(username: &'c str, password: &'c str) -> impl Iterator<Item = u8> + 'c {
    username.bytes().chain([b':']).chain(password.bytes())
}

/// Writes the scheme, and the Base64 of these octets.
pub(crate) fn write_basic(mut octets: impl Iterator<Item = u8>, mut write: impl FnMut(&str)) {
    write("Basic ");
    loop {
        let (mut group, mut text, mut len) = ([0_u8; 3], [0_u8; 4], 0_usize);
        for (slot, octet) in group.iter_mut().zip(&mut octets) {
            *slot = octet;
            len = len.saturating_add(1);
        }
        match STANDARD.encode_slice(group.get(..len).unwrap_or(&[]), &mut text) {
            Ok(1..) => write(core::str::from_utf8(&text).unwrap_or("")),
            _ => return,
        }
    }
}
