//! How values are written on the command line.

use std::fs;
use std::time::Duration;

use crate::failure::Failure;

/// A time: seconds, or a number with a unit, such as `500ms`, `10s` or `2m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (digits, millis) = match text {
        _ if text.ends_with("ms") => (text.trim_end_matches("ms"), 1_u64),
        _ if text.ends_with('s') => (text.trim_end_matches('s'), 1000),
        _ if text.ends_with('m') => (text.trim_end_matches('m'), 60_000),
        _ => (text, 1000),
    };
    let number = digits.parse::<u64>().map_err(|_| "not a time such as 10, 500ms, 10s or 2m")?;
    match number.checked_mul(millis) {
        Some(millis @ 1..) => Ok(Duration::from_millis(millis)),
        Some(0) => Err("a time is more than 0".into()),
        None => Err("too long".into()),
    }
}

/// A number of octets, such as `65536`, `64K` or `16M`.
pub fn size(text: &str) -> Result<u64, String> {
    let upper = text.to_ascii_uppercase();
    let (digits, unit) = match upper.strip_suffix(['K', 'M', 'G']) {
        Some(digits) if upper.ends_with('K') => (digits, 1_u64 << 10),
        Some(digits) if upper.ends_with('M') => (digits, 1 << 20),
        Some(digits) => (digits, 1 << 30),
        None => (upper.as_str(), 1),
    };
    let number = digits.parse::<u64>().map_err(|_| "not a size such as 65536, 64K or 16M")?;
    number.checked_mul(unit).ok_or_else(|| "too large".into())
}

/// A header field: `Name: value`.
pub fn field(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) => Ok((name.trim().into(), value.trim().into())),
        None => Err("a field is 'Name: value'".into()),
    }
}

/// The value, or what the file says that it names: `@FILE`. So a secret need not stand where other users of the machine can
/// read it.
pub fn secret(value: &str) -> Result<String, Failure> {
    match value.strip_prefix('@') {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
            Ok(text.trim_end_matches(['\r', '\n']).into())
        }
        None => Ok(value.into()),
    }
}

/// The octets of a file that an argument names.
pub fn file(path: &str) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| unreadable(path, error))
}

pub fn unreadable(path: &str, error: std::io::Error) -> Failure {
    Failure::usage(format_args!("{path}: {error}"))
}
