//! Tests of what `byte_class` keeps to itself.

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
                assert_eq!(text_len(&bytes), if is_text { 39 } else { at }.min(39), "{byte:#x} {others:#x}");
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
