//! Which bytes may stand in a token, a target, a host or a text (RFC 9110 sections 5.5 and 5.6.2, RFC 3986 section 3).
//
// Owns: which bytes belong to each class.
// Must not know: lines, or what they mean.

/// Splits before the first byte for which `ends` is true.
pub(crate) fn split_where(bytes: &[u8], ends: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| ends(byte)).unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

/// The length of the token at the front.
pub(crate) fn token_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !is_tchar(byte)).unwrap_or(bytes.len())
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_tchar(byte: u8) -> bool {
    class(byte) & TCHAR != 0
}

/// Visible ASCII without what RFC 3986 or browsers forbid in a target, and without `#`, which begins a fragment.
pub(crate) fn is_target_byte(byte: u8) -> bool {
    class(byte) & TARGET != 0
}

/// The same where percent-encoding is missing.
pub(crate) fn is_raw_target_byte(byte: u8) -> bool {
    is_target_byte(byte) || byte >= 0x80 || matches!(byte, b'"' | b'<' | b'>')
}

/// A registered name (RFC 3986 section 3.2.2).
pub(crate) fn is_name_byte(byte: u8) -> bool {
    class(byte) & NAME != 0
}

const TCHAR: u8 = 1;
const TARGET: u8 = 2;
const NAME: u8 = 4;

/// A table, because most of a head is checked byte by byte.
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

/// Whether all bytes may stand in a header value or line (without its line end).
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    skip_text(bytes).is_empty()
}

/// Skips text: visible bytes, SP, HTAB and obs-text (RFC 9110 section 5.5). Returns what follows it.
pub(crate) fn skip_text(bytes: &[u8]) -> &[u8] {
    let mut rest = skip_plain(bytes);
    while let [b'\t', after @ ..] = rest {
        rest = skip_plain(after);
    }
    rest
}

/// Skips to the first control byte or DEL. HTAB is a control byte here.
fn skip_plain(bytes: &[u8]) -> &[u8] {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const DEL: u64 = u64::from_ne_bytes([0x7F; 8]);
    const SPACE: u64 = u64::from_ne_bytes([b' '; 8]);
    const TOP: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut rest = bytes;
    // Blocks of 16 without such a byte are skipped, which the compiler vectorises. Then words of 8 tell where it is.
    while let Some((block, after)) = rest.split_first_chunk::<16>() {
        if block.iter().fold(false, |any, &byte| any | (byte < b' ') | (byte == 0x7F)) {
            break;
        }
        rest = after;
    }
    while let Some((word, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        // The top bit of a byte is set where the subtraction borrows: below SP, or DEL. Bits above the lowest may be
        // wrong.
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
mod tests;
