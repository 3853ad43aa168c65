//! Tests of what `proxy` keeps to itself.

use super::*;

#[test]
fn a_url_says_the_kind_the_address_and_the_credentials() {
    use ProxyKind::{Http, Https, Socks5, Socks5h};
    let credentials = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
    for (url, kind, address, expected) in [
        ("http://proxy", Http, ("proxy", 80), None),
        ("HTTP://Proxy.Example:3128/", Http, ("proxy.example", 3128), None),
        ("https://proxy", Https, ("proxy", 443), None),
        ("socks5://proxy", Socks5, ("proxy", 1080), None),
        ("socks5://proxy:80", Socks5, ("proxy", 80), None),
        ("socks5h://[::1]", Socks5h, ("::1", 1080), None),
        ("socks5h://[::1]:9", Socks5h, ("::1", 9), None),
        ("http://me@proxy", Http, ("proxy", 80), credentials("me", "")),
        ("http://me:a%3Ab%40c@proxy", Http, ("proxy", 80), credentials("me", "a:b@c")),
        ("http://m%C3%A9:a@b:c@proxy:1", Http, ("proxy", 1), credentials("m\u{e9}", "a@b:c")),
    ] {
        let proxy = Proxy::new(url).unwrap();
        assert_eq!((proxy.kind, proxy.address.as_uri().address()), (kind, address), "{url}");
        assert_eq!(proxy.credentials, expected, "{url}");
    }
    for (url, error) in [
        ("proxy:3128", UriError::Scheme),
        ("ftp://proxy", UriError::Scheme),
        ("socks4://proxy", UriError::Scheme),
        ("http://", UriError::Host),
        ("http://proxy:99999", UriError::Port),
        ("http://proxy/path", UriError::Resource),
        ("http://%zz@proxy", UriError::UserInfo),
        ("http://a:%ff@proxy", UriError::UserInfo),
    ] {
        assert_eq!(Proxy::new(url).unwrap_err(), error, "{url}");
    }
    let printed =
        format!("{:?}", Proxy::new("http://secret:secret@proxy").unwrap().with_field("X", "secret"));
    assert!(!printed.contains("secret"), "{printed}");
}
