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
        ("proxy", Http, ("proxy", 80), None),
        (" proxy:3128 ", Http, ("proxy", 3128), None),
        ("me:a@b@proxy:3128", Http, ("proxy", 3128), credentials("me", "a@b")),
        ("[::1]:3128", Http, ("::1", 3128), None),
        ("http://m%C3%A9:a@b:c@proxy:1", Http, ("proxy", 1), credentials("m\u{e9}", "a@b:c")),
    ] {
        let proxy = Proxy::new(url).unwrap();
        assert_eq!((proxy.kind, proxy.address.as_uri().address()), (kind, address), "{url}");
        assert_eq!(proxy.credentials, expected, "{url}");
    }
    for (url, error) in [
        ("ftp://proxy", ProxyUrlError::Scheme),
        ("wss://proxy", ProxyUrlError::Scheme),
        ("socks4://proxy", ProxyUrlError::Socks4),
        ("SOCKS4A://proxy", ProxyUrlError::Socks4),
        ("", ProxyUrlError::Host),
        ("http://", ProxyUrlError::Host),
        ("http://proxy:99999", ProxyUrlError::Port),
        ("proxy:port", ProxyUrlError::Port),
        ("http://proxy/path", ProxyUrlError::Path),
        ("http://%zz@proxy", ProxyUrlError::Credentials),
        ("http://a:%ff@proxy", ProxyUrlError::Credentials),
        ("http://a:100%@proxy", ProxyUrlError::Credentials),
    ] {
        assert_eq!(Proxy::new(url).unwrap_err(), error, "{url}");
    }
    let printed =
        format!("{:?}", Proxy::new("http://secret:secret@proxy").unwrap().with_field("X", "secret"));
    assert!(!printed.contains("secret"), "{printed}");
}
