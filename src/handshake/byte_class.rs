//! How far bytes go that may stand together (RFC 9110 sections 5.5 and 5.6.2, RFC 3986 section 3).
//
// Owns: which bytes are a token's, a target's, a host's, or text.
// Must not know: lines, or what they mean.

/// What stands before the first byte that ends it, and from there on.
pub(crate) fn split_where(bytes: &[u8], ends: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| ends(byte)).unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

/// How many bytes at the front are a token (RFC 9110 section 5.6.2).
pub(crate) fn token_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !is_tchar(byte)).unwrap_or(bytes.len())
}

/// A byte of a token (RFC 9110 section 5.6.2).
pub(crate) fn is_tchar(byte: u8) -> bool {
    class(byte) & TCHAR != 0
}

/// A byte of a target: visible ASCII less what neither RFC 3986 nor browsers let stand there; `#` would begin
/// a fragment.
pub(crate) fn is_target_byte(byte: u8) -> bool {
    class(byte) & TARGET != 0
}

/// A byte of a target that was not encoded as it ought to be: not one that ends it, or begins a fragment.
pub(crate) fn is_raw_target_byte(byte: u8) -> bool {
    is_target_byte(byte) || byte >= 0x80 || matches!(byte, b'"' | b'<' | b'>')
}

/// A byte of a registered name (RFC 3986 section 3.2.2).
pub(crate) fn is_name_byte(byte: u8) -> bool {
    class(byte) & NAME != 0
}

const TCHAR: u8 = 1;
const TARGET: u8 = 2;
const NAME: u8 = 4;

/// What a byte may be part of. By a table, since most of a head is gone through byte by byte.
fn class(byte: u8) -> u8 {
    #[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
    const CLASSES: [u8; 256] = {
        let mut classes = [0; 256];
        let mut byte = 0_u8;
        while byte < 0x80 {
            classes[byte as usize] = match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => TCHAR | TARGET | NAME,
                b'!' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' => TCHAR | TARGET | NAME,
                b'^' | b'`' | b'|' => TCHAR | TARGET,
                b'(' | b')' | b',' | b';' | b'=' => TARGET | NAME,
                b'#' => TCHAR,
                b'/' | b':' | b'?' | b'@' | b'[' | b'\\' | b']' | b'{' | b'}' => TARGET,
                _ => 0,
            };
            byte += 1;
        }
        classes
    };
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Whether a value, or a line without its end, is text.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    skip_text(bytes).is_empty()
}

/// What stands behind the text at the front: visible bytes, SP, HTAB and obs-text (RFC 9110 section 5.5).
#[inline]
pub(crate) fn skip_text(bytes: &[u8]) -> &[u8] {
    let mut rest = skip_plain(bytes);
    while let [b'\t', after @ ..] = rest {
        rest = skip_plain(after);
    }
    rest
}

/// What begins with the first control byte or DEL.
#[inline(always)]
fn skip_plain(bytes: &[u8]) -> &[u8] {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const DEL: u64 = u64::from_ne_bytes([0x7F; 8]);
    const SPACE: u64 = u64::from_ne_bytes([b' '; 8]);
    const TOP: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut rest = bytes;
    // Sixteen bytes have none of them, which the compiler makes vectors of; in eight it is found.
    while let Some((block, after)) = rest.split_first_chunk::<16>() {
        if block.iter().fold(false, |any, &byte| any | (byte < b' ') | (byte == 0x7F)) {
            break;
        }
        rest = after;
    }
    while let Some((word, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        // The top bit of a byte is set where it borrows: it is below SP or, of those that are DEL, below 1. A
        // borrow may spoil the bytes above, but the first that is found is right.
        let borrows = word.wrapping_sub(SPACE) | (word ^ DEL).wrapping_sub(ONES);
        let found = borrows & !word & TOP;
        if found != 0 {
            return rest.get((found.trailing_zeros() / 8) as usize..).unwrap_or(&[]);
        }
        rest = after;
    }
    split_where(rest, |byte| byte < b' ' || byte == 0x7F).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_len(bytes: &[u8]) -> usize {
        bytes.len() - skip_text(bytes).len()
    }

    #[test]
    fn text_ends_at_the_first_control_byte_wherever_it_stands() {
        for byte in 0..=255_u8 {
            let is_text = byte == b'\t' || byte >= b' ' && byte != 0x7F;
            for at in 0..40 {
                // What stands before and behind must not matter: not the bytes from which a borrow may come.
                for others in [b'a', b' ', b'\t', 0x80, 0xFF] {
                    let mut bytes = [others; 40];
                    bytes[at] = byte;
                    assert_eq!(text_len(&bytes), if is_text { 40 } else { at }, "{byte:#x} {others:#x}");
                    bytes[39] = 0x7F;
                    assert_eq!(
                        text_len(&bytes),
                        if is_text { 39 } else { at }.min(39),
                        "{byte:#x} {others:#x}"
                    );
                }
            }
        }
        assert_eq!(text_len(b""), 0);
    }

    #[test]
    fn the_table_says_what_the_rfcs_say() {
        for byte in 0..=255_u8 {
            let letter_or_digit = byte.is_ascii_alphanumeric();
            // RFC 9110 section 5.6.2.
            assert_eq!(is_tchar(byte), letter_or_digit || b"!#$%&'*+-.^_`|~".contains(&byte), "{byte:#x}");
            // RFC 3986 section 3.2.2: unreserved, sub-delims, and what percent-encoding takes.
            let name = letter_or_digit || b"-._~!$&'()*+,;=%".contains(&byte);
            assert_eq!(is_name_byte(byte), name, "{byte:#x}");
            let target = byte.is_ascii_graphic() && !b"\"#<>".contains(&byte);
            assert_eq!(is_target_byte(byte), target, "{byte:#x}");
        }
    }
}
