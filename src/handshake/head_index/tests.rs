//! Tests of what `head_index` keeps to itself.

use super::*;
use Name::*;

const ALL: [Name; Name::COUNT] = [
    Host,
    Upgrade,
    Connection,
    Expect,
    ContentLength,
    TransferEncoding,
    Origin,
    Key,
    Version,
    Accept,
    Subprotocol,
    Extensions,
];

#[test]
fn a_known_name_is_found_in_any_case_and_nothing_else_is_taken_for_it() {
    for (at, known) in ALL.into_iter().enumerate() {
        assert_eq!(known as usize, at);
        let line = [known.as_str().as_bytes(), b": of"].concat();
        for spelled in [line.clone(), line.to_ascii_lowercase(), line.to_ascii_uppercase()] {
            assert_eq!(Name::of(&spelled), Some(known));
        }
        for at in 0..known.as_str().len() {
            for byte in 0..=255_u8 {
                let mut other = line.clone();
                other[at] = byte;
                let same = byte.eq_ignore_ascii_case(&line[at]);
                assert_eq!(Name::of(&other), same.then_some(known), "{}", other.escape_ascii());
            }
        }
        assert_eq!(Name::of(&line[1..]), None);
        for end in 0..=known.as_str().len() {
            assert_eq!(Name::of(&line[..end]), None);
            let mut other = line.clone();
            other.remove(end);
            assert_eq!(Name::of(&other), None, "{}", other.escape_ascii());
        }
    }
    assert_eq!(Name::of(b""), None);
}
