//! What a config holds: texts of the program and texts of the moment, and how they go together with a request.

use std::io::Read;
use std::net::TcpListener;
use std::thread;

use sockless::deflate::{Offer, Policy, Pool};
use sockless::handshake::client::ClientRequest;
use sockless::handshake::{HandshakeError, OriginPolicy, Uri, UriBuf, UriError};
use sockless::{blocking, ClientConfig, Error, OpeningError, ServerConfig, Timeouts};

static CHAT: ServerConfig = ServerConfig::new(OriginPolicy::SameHost)
    .with_max_message_size(1 << 20)
    .with_subprotocols(&["v1"])
    .with_fields(&[("X-Served-By", "us")])
    .with_deflate(Policy::DEFAULT);

static TALK: ClientConfig = ClientConfig::new()
    .with_max_message_size(1 << 20)
    .with_fields(&[("X-From", "us")])
    .with_deflate(Offer::DEFAULT);

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    (listener, url)
}

/// The request that a client sends which connects in this way.
fn request_of(connect: impl FnOnce(String) -> Result<(), Error> + Send + 'static) -> String {
    let (listener, url) = listener();
    let client = thread::spawn(move || connect(url));
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    drop(stream);
    assert!(client.join().unwrap().is_err(), "nobody answers");
    String::from_utf8(head).unwrap()
}

#[test]
fn a_config_of_texts_that_are_made_at_run_time_moves_into_threads() {
    let _watchdog = watchdog!();
    let (listener, url) = listener();
    let config = CHAT.clone().with_subprotocol(format!("v{}", 2)).with_field("X-Port", url.clone());
    let server = thread::spawn(move || {
        let mut socket = blocking::accept(listener.accept().unwrap().0, &config).unwrap();
        assert!(socket.negotiated().deflate.is_some());
        let name = socket.subprotocol().map(str::to_owned);
        while socket.recv().unwrap().is_some() {}
        name
    });
    let config = TALK.clone().with_subprotocol("v3".to_owned()).with_subprotocol("v2").with_subprotocol("v1");
    let client = thread::spawn(move || {
        let mut socket = blocking::connect(&url, &config).unwrap();
        let name = socket.subprotocol().map(str::to_owned);
        socket.close(sockless::CloseCode::NORMAL).unwrap();
        name
    });
    assert_eq!(client.join().unwrap().as_deref(), Some("v2"), "the client's order decides");
    assert_eq!(server.join().unwrap().as_deref(), Some("v2"));
}

#[test]
fn what_a_request_says_itself_goes_before_what_the_config_says() {
    let _watchdog = watchdog!();
    let config = || TALK.clone().with_subprotocol("of-config").with_origin("https://a.example");
    let head = request_of(move |url| blocking::connect(&url, &config()).map(drop));
    for line in [
        "Sec-WebSocket-Protocol: of-config",
        "X-From: us",
        "Origin: https://a.example",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
    }
    let head = request_of(move |url| {
        let request = ClientRequest::new(Uri::parse(&url).unwrap()).with_subprotocols(&["own"]).unwrap();
        let request = request.with_fields(&[("X-Own", "1")]).unwrap().with_extensions("x-own").unwrap();
        blocking::connect(request, &config()).map(drop)
    });
    for line in ["Sec-WebSocket-Protocol: own", "X-Own: 1", "X-From: us", "Sec-WebSocket-Extensions: x-own"] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
    }
    assert!(!head.contains("of-config") && !head.contains("permessage-deflate"), "{head}");
}

#[test]
fn whatever_names_the_server_is_connected_to() {
    let _watchdog = watchdog!();
    let of_str = request_of(|url| blocking::connect(url.as_str(), &TALK).map(drop));
    let of_uri = request_of(|url| blocking::connect(Uri::parse(&url).unwrap(), &TALK).map(drop));
    let of_buf = request_of(|url| blocking::connect(&UriBuf::parse(&url).unwrap(), &TALK).map(drop));
    for head in [of_str, of_uri, of_buf] {
        assert!(head.starts_with("GET / HTTP/1.1\r\nHost: 127.0.0.1:"), "{head}");
    }
    for (text, fault) in
        [("http://a", UriError::Scheme), ("ws://", UriError::Host), ("ws://a/#b", UriError::Fragment)]
    {
        let error = blocking::connect(text, &TALK).unwrap_err();
        assert!(matches!(error, Error::Opening(OpeningError::InvalidUri(met)) if met == fault), "{error:?}");
    }
}

#[test]
fn texts_that_no_head_can_have_are_our_mistake() {
    let _watchdog = watchdog!();
    let faulty = [
        TALK.clone().with_field("X", "a\r\nb"),
        TALK.clone().with_field("Host", "a"),
        TALK.clone().with_origin("a").with_origin("b"),
        TALK.clone().with_subprotocol("a b"),
        TALK.clone().with_subprotocol("a").with_subprotocol("a"),
    ];
    for config in faulty {
        let (_listener, url) = listener();
        let error = blocking::connect(&url, &config).unwrap_err();
        assert!(matches!(error, Error::Opening(OpeningError::Compose(_))), "{error:?}");
    }
}

#[test]
fn pages_of_an_origin_that_was_added_may_connect() {
    let _watchdog = watchdog!();
    let config =
        ServerConfig::new(OriginPolicy::NonBrowser).with_origin("https://a.example").with_origin("http://b");
    for (origin, may) in
        [("https://A.example", true), ("http://b", true), ("http://a.example", false), ("null", false)]
    {
        let (listener, url) = listener();
        let config = config.clone();
        let server = thread::spawn(move || blocking::accept(listener.accept().unwrap().0, &config).map(drop));
        let request = ClientRequest::new(Uri::parse(&url).unwrap()).with_origin(origin).unwrap();
        let answered = blocking::connect(request, &TALK).map(drop);
        let accepted = server.join().unwrap();
        assert_eq!((answered.is_ok(), accepted.is_ok()), (may, may), "{origin}");
        let refused = OpeningError::Handshake(HandshakeError::OriginRefused);
        assert!(may || matches!(accepted, Err(Error::Opening(error)) if error == refused));
    }
}

#[test]
fn clones_of_a_config_share_its_pool() {
    let _watchdog = watchdog!();
    let pool = Pool::new(4);
    let own = CHAT.clone().with_pool(&pool);
    for config in [own.clone(), own] {
        let (listener, url) = listener();
        let server = thread::spawn(move || {
            let mut socket = blocking::accept(listener.accept().unwrap().0, &config).unwrap();
            while let Some((message, mut outgoing)) = socket.recv_with().unwrap() {
                outgoing.send(message).unwrap();
            }
        });
        let mut socket = blocking::connect(&url, &TALK).unwrap();
        let text = "all of this is said again and again. ".repeat(100);
        socket.send(&text).unwrap();
        assert_eq!(socket.recv().unwrap().unwrap().as_text(), Some(text.as_str()));
        socket.close(sockless::CloseCode::NORMAL).unwrap();
        server.join().unwrap();
        assert_eq!(pool.idle(), (1, 1));
    }
}

#[test]
fn shorthands_set_what_they_say() {
    let _watchdog = watchdog!();
    let seconds = std::time::Duration::from_secs;
    let config = CHAT.clone().with_keep_alive(seconds(7), seconds(3));
    assert_eq!((config.limits.max_message_size, config.limits.max_frame_size), (1 << 20, 1 << 20));
    let mut times = Timeouts::SERVER;
    (times.ping_interval, times.pong) = (Some(seconds(7)), Some(seconds(3)));
    assert_eq!(config.timeouts, times);
    assert_eq!(config.without_timeouts().timeouts, Timeouts::NONE);
    assert_eq!(ClientConfig::default().timeouts, Timeouts::CLIENT);
}
