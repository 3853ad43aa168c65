//! Tests of what `challenge` keeps to itself.

use super::*;

/// Scheme, token, and parameters.
type Read<'r> = (&'r str, Option<&'r str>, &'r [(&'r str, &'r str)]);

#[test]
fn challenges_are_told_apart() {
    let cases: [(&[&str], &[Read<'_>]); 12] = [
        (&["Basic realm=\"a\""], &[("Basic", None, &[("realm", "a")])]),
        (&["Negotiate"], &[("Negotiate", None, &[])]),
        (&["Negotiate YWJj=="], &[("Negotiate", Some("YWJj=="), &[])]),
        (&["NTLM YWJj"], &[("NTLM", Some("YWJj"), &[])]),
        // RFC 9110 section 11.6.1.
        (
            &["Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\""],
            &[
                ("Basic", None, &[("realm", "simple")]),
                ("Newauth", None, &[("realm", "apps"), ("type", "1"), ("title", "Login to \"apps\"")]),
            ],
        ),
        (
            &["Bearer", "Digest realm = \"a, b\" ,, nonce=\"x=\\\\,\""],
            &[("Bearer", None, &[]), ("Digest", None, &[("realm", "a, b"), ("nonce", "x=\\,")])],
        ),
        // In two lines it is one list.
        (&["Bearer realm=a", "scope=\"b c\""], &[("Bearer", None, &[("realm", "a"), ("scope", "b c")])]),
        (&["Basic realm=\"\""], &[("Basic", None, &[("realm", "")])]),
        (&["realm=\"of nobody\", Basic"], &[("Basic", None, &[])]),
        (&["B@d x, Basic"], &[("Basic", None, &[])]),
        (&["Basic realm=\"open"], &[("Basic", Some("realm=\"open"), &[])]),
        (&["", " , "], &[]),
    ];
    for (values, expected) in cases {
        let read = challenges(values.iter().copied());
        let read = Vec::from_iter(read.iter().map(|challenge| {
            let parameters =
                challenge.parameters().iter().map(|(name, value)| (name.as_str(), value.as_str()));
            (challenge.scheme(), challenge.token(), Vec::from_iter(parameters))
        }));
        let expected =
            Vec::from_iter(expected.iter().map(|(scheme, token, list)| (*scheme, *token, list.to_vec())));
        assert_eq!(read, expected, "{values:?}");
    }
    let read = challenges(["Basic REALM=\"secret\""].into_iter());
    assert_eq!(read[0].parameter("realm"), Some("secret"));
    assert_eq!(read[0].parameter("charset"), None);
    assert!(!format!("{read:?}").contains("secret"));
}
