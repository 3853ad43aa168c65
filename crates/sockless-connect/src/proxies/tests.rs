//! Tests of what `proxies` keeps to itself, and of what it reads.

use std::collections::HashMap;

use super::*;

/// Who else reads a row like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Like {
    /// curl 7.88.1 was given each of these rows in `no_proxy` with a proxy on this machine, and went the same way.
    Curl,
    /// That curl went another way: it knows no ports and no brackets, and `/0` and a malformed prefix mean one address to
    /// it. This version also compares IPv6 addresses as text; later ones do not.
    Us,
}

use Like::{Curl, Us};

/// What `no_proxy` means. The kinds of rows are those of curl's documentation (`CURLOPT_NOPROXY`) and of its test
/// `unit1614`; ports are as Go (`httpproxy.Config`) and Python (`urllib.request.proxy_bypass_environment`) have them.
const NO_PROXY: &[(&str, &str, bool, Like)] = &[
    // All, or nothing.
    ("*", "ws://a.example", true, Curl),
    ("*", "ws://192.0.2.1", true, Curl),
    ("*", "ws://[2001:db8::1]", true, Curl),
    (" * ", "ws://a.example", true, Us),
    ("", "ws://a.example", false, Curl),
    (",", "ws://a.example", false, Curl),
    // There is no other wildcard.
    ("*.example", "ws://a.example", false, Curl),
    ("a.*", "ws://a.example", false, Curl),
    ("*,b.example", "ws://a.example", false, Curl),
    ("b.example,*", "ws://a.example", false, Curl),
    // Names, and what is below them.
    ("a.example", "ws://a.example", true, Curl),
    (".a.example", "ws://a.example", true, Curl),
    ("a.example", "ws://www.a.example", true, Curl),
    (".a.example", "ws://www.a.example", true, Curl),
    ("a.example", "ws://x.www.a.example", true, Curl),
    ("example", "ws://a.example", true, Curl),
    ("a.example", "ws://nota.example", false, Curl),
    (".a.example", "ws://nota.example", false, Curl),
    ("www.a.example", "ws://a.example", false, Curl),
    ("..a.example", "ws://a.example", false, Curl),
    ("a.example.org", "ws://a.example", false, Curl),
    (".", "ws://a.example", false, Curl),
    ("localhost", "ws://localhost", true, Curl),
    ("localhost", "ws://127.0.0.1", false, Curl),
    ("127.0.0.1", "ws://localhost", false, Curl),
    ("b.example", "ws://localhost", false, Curl),
    // Case, and dots at the end.
    ("A.Example", "ws://a.example", true, Curl),
    ("a.example", "ws://WWW.A.EXAMPLE", true, Curl),
    ("a.example.", "ws://a.example", true, Curl),
    (".a.example.", "ws://www.a.example", true, Curl),
    ("a.example", "ws://a.example.", true, Curl),
    ("a.example.", "ws://www.a.example.", true, Curl),
    ("a.example..", "ws://a.example", false, Curl),
    // Lists.
    ("b.example,a.example", "ws://a.example", true, Curl),
    ("b.example, a.example", "ws://a.example", true, Curl),
    ("b.example ,\ta.example ", "ws://a.example", true, Curl),
    ("  a.example", "ws://a.example", true, Curl),
    (",,b.example,,, a.example,", "ws://a.example", true, Curl),
    ("b.example a.example", "ws://a.example", true, Curl),
    ("b.example;a.example", "ws://a.example", false, Curl),
    // IPv4.
    ("192.0.2.1", "ws://192.0.2.1", true, Curl),
    ("192.0.2.1", "ws://192.0.2.11", false, Curl),
    ("2.1", "ws://192.0.2.1", false, Curl),
    (".2.1", "ws://192.0.2.1", false, Curl),
    ("192.0.2.1", "ws://0xc0000201", true, Curl),
    ("192.0.2.0/24", "ws://192.0.2.255", true, Curl),
    ("192.0.2.77/24", "ws://192.0.2.1", true, Curl),
    ("192.0.2.0/24", "ws://192.0.3.1", false, Curl),
    ("192.0.2.0/31", "ws://192.0.2.1", true, Curl),
    ("192.0.2.0/31", "ws://192.0.2.2", false, Curl),
    ("192.0.2.1/32", "ws://192.0.2.1", true, Curl),
    ("192.0.2.0/32", "ws://192.0.2.1", false, Curl),
    ("10.0.0.0/8", "ws://10.255.0.1", true, Curl),
    ("192.0.2.0/33", "ws://192.0.2.0", false, Curl),
    ("192.0.2.1/", "ws://192.0.2.1", false, Us),
    ("192.0.2.1/x", "ws://192.0.2.1", false, Us),
    ("0.0.0.0/0", "ws://192.0.2.1", true, Us),
    ("0.0.0.0/0", "ws://[2001:db8::1]", false, Curl),
    ("192.0.2.0/24", "ws://a.example", false, Curl),
    ("192.0.2.0/24", "ws://192.0.2.1.example", false, Curl),
    // IPv6.
    ("2001:db8::1", "ws://[2001:db8::1]", true, Curl),
    ("2001:DB8:0:0::1", "ws://[2001:db8::1]", true, Us),
    ("[2001:db8::1]", "ws://[2001:db8::1]", true, Us),
    ("2001:db8::2", "ws://[2001:db8::1]", false, Curl),
    ("2001:db8::/32", "ws://[2001:db8:ffff::1]", true, Us),
    ("2001:db8::/32", "ws://[2001:db9::1]", false, Curl),
    ("2001:db8::/29", "ws://[2001:dbf::1]", true, Us),
    ("2001:db8::/29", "ws://[2001:dc0::1]", false, Curl),
    ("::1/128", "ws://[::1]", true, Us),
    ("::1/129", "ws://[::1]", false, Curl),
    ("::/0", "ws://[2001:db8::1]", true, Us),
    ("::ffff:192.0.2.1", "ws://192.0.2.1", false, Curl),
    ("[2001:db8::1", "ws://[2001:db8::1]", false, Curl),
    // Ports.
    ("a.example:8080", "ws://a.example:8080", true, Us),
    ("a.example:8080", "ws://a.example", false, Curl),
    ("a.example", "ws://a.example:8080", true, Curl),
    ("a.example:80", "ws://a.example", true, Us),
    ("a.example:443", "wss://a.example", true, Us),
    ("a.example:80", "wss://a.example", false, Curl),
    (".a.example:8080", "ws://www.a.example:8080", true, Us),
    ("192.0.2.1:8080", "ws://192.0.2.1:8080", true, Us),
    ("192.0.2.1:8080", "ws://192.0.2.1", false, Curl),
    ("192.0.2.0/24:8080", "ws://192.0.2.1:8080", true, Curl),
    ("[2001:db8::1]:8080", "ws://[2001:db8::1]:8080", true, Us),
    ("[2001:db8::1]:8080", "ws://[2001:db8::1]", false, Curl),
    ("[2001:db8::1]x", "ws://[2001:db8::1]", false, Curl),
    ("a.example:", "ws://a.example", false, Curl),
    ("a.example:http", "ws://a.example", false, Curl),
];

fn proxies(variables: &[(&str, &str)]) -> Proxies {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    Proxies::from_variables(|name| variables.get(name).map(OsString::from))
}

/// What the proxy for this URL was called.
fn chosen(variables: &[(&str, &str)], url: &str) -> Result<Option<String>, String> {
    let url = UriBuf::parse(url).unwrap();
    let proxy = proxies(variables).proxy_for(&url).map_err(|error| error.to_string())?;
    Ok(proxy.map(|proxy| {
        let (host, port) = proxy.address.as_uri().address();
        format!("{:?} {host} {port}", proxy.kind)
    }))
}

#[test]
fn no_proxy_says_which_servers_are_connected_to_directly() {
    assert!(NO_PROXY.len() >= 40);
    for &(list, url, is_direct, like) in NO_PROXY {
        let variables = [("no_proxy", list), ("all_proxy", "proxy")];
        assert_eq!(chosen(&variables, url).unwrap().is_none(), is_direct, "{list} {url} {like:?}");
    }
}

#[test]
fn the_first_variable_that_is_set_counts() {
    let all: Vec<_> = SECURE.into_iter().chain(PLAIN).map(|name| (name, name.replace('_', "."))).collect();
    for (names, url) in [(&SECURE[..], "wss://a.example"), (&PLAIN[..], "ws://a.example")] {
        for at in 0..names.len() {
            // Those before it are not set, or empty.
            for before in ["", "unset"] {
                let is_before = |name: &str| names[..at].contains(&name);
                let variables =
                    Vec::from_iter(all.iter().filter_map(|(name, value)| match is_before(name) {
                        true => (before != "unset").then_some((*name, "")),
                        false => Some((*name, value.as_str())),
                    }));
                let expected = format!("Http {} 80", names[at].replace('_', ".").to_lowercase());
                assert_eq!(chosen(&variables, url), Ok(Some(expected)), "{}", names[at]);
            }
        }
    }
    assert_eq!(chosen(&[], "ws://a.example"), Ok(None));
    // The other scheme's is not taken.
    assert_eq!(chosen(&[("http_proxy", "proxy"), ("ws_proxy", "proxy")], "wss://a.example"), Ok(None));
    assert_eq!(chosen(&[("https_proxy", "proxy"), ("WSS_PROXY", "proxy")], "ws://a.example"), Ok(None));
    // Lower case before upper case.
    let excepted = [("all_proxy", "proxy"), ("no_proxy", "b.example"), ("NO_PROXY", "*")];
    assert_eq!(chosen(&excepted, "ws://a.example"), Ok(Some("Http proxy 80".into())));
    let excepted = [("all_proxy", "proxy"), ("no_proxy", ""), ("NO_PROXY", "a.example")];
    assert_eq!(chosen(&excepted, "ws://a.example"), Ok(None));
}

#[test]
fn whoever_sends_a_request_to_us_chooses_no_proxy() {
    assert_eq!(chosen(&[("HTTP_PROXY", "evil")], "ws://a.example"), Ok(None));
    let cgi = [("http_proxy", "evil"), ("REQUEST_METHOD", "GET")];
    assert_eq!(chosen(&cgi, "ws://a.example"), Ok(None));
    let cgi = [("http_proxy", "evil"), ("REQUEST_METHOD", ""), ("all_proxy", "proxy")];
    assert_eq!(chosen(&cgi, "ws://a.example"), Ok(Some("Http proxy 80".into())));
}

#[test]
fn a_value_is_a_url_or_an_http_proxy_without_its_scheme() {
    for (value, expected) in [
        ("proxy", "Http proxy 80"),
        (" proxy:3128 ", "Http proxy 3128"),
        ("me:word@proxy:3128", "Http proxy 3128"),
        ("[::1]:3128", "Http ::1 3128"),
        ("http://proxy:3128/", "Http proxy 3128"),
        ("HTTPS://proxy", "Https proxy 443"),
        ("socks5://proxy", "Socks5 proxy 1080"),
        ("socks5h://proxy:1", "Socks5h proxy 1"),
    ] {
        assert_eq!(chosen(&[("ALL_PROXY", value)], "ws://a.example"), Ok(Some(expected.into())), "{value}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error_where_it_is_needed() {
    for (value, expected) in [
        ("socks4://secret", "SOCKS4 is not supported, but socks5 and socks5h are"),
        ("ftp://secret", "the scheme of a proxy is http, https, socks5 or socks5h"),
        ("secret:port", "the port of the proxy is invalid"),
        ("http://", "the host of the proxy is missing or invalid"),
        (
            "secret:%zz@proxy",
            "the user name or the password of the proxy is invalid; a % in it is written as %25",
        ),
    ] {
        let expected = Err(format!("the environment variable ALL_PROXY cannot be used: {expected}"));
        assert_eq!(chosen(&[("ALL_PROXY", value)], "ws://a.example"), expected);
    }
    // It is not needed.
    assert_eq!(
        chosen(&[("ALL_PROXY", "ftp://a"), ("https_proxy", "proxy")], "wss://a.example"),
        Ok(Some("Http proxy 80".into()))
    );
    assert_eq!(chosen(&[("ALL_PROXY", "ftp://a"), ("no_proxy", "*")], "ws://a.example"), Ok(None));
}

#[cfg(unix)]
#[test]
fn what_is_no_text_is_an_error() {
    use std::os::unix::ffi::OsStringExt;
    let url = UriBuf::parse("ws://a.example").unwrap();
    for (name, other) in [("all_proxy", "no_proxy"), ("no_proxy", "all_proxy")] {
        let proxies = Proxies::from_variables(|asked| match asked {
            _ if asked == name => Some(OsString::from_vec(b"a\xff".into())),
            _ => (asked == other).then(|| "b.example".into()),
        });
        let error = proxies.proxy_for(&url).unwrap_err();
        assert_eq!(error.name(), name);
        assert_eq!(
            error.to_string(),
            format!("the environment variable {name} cannot be used: it is not text")
        );
    }
}

#[test]
fn values_are_not_printed() {
    let printed = format!("{:?}", proxies(&[("HTTPS_PROXY", "http://a:secret@b"), ("no_proxy", "secret")]));
    assert_eq!(printed, "Proxies{\"HTTPS_PROXY\", \"no_proxy\"}");
}
