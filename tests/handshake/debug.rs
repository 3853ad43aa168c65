//! What `Debug` prints of the types of the opening handshake: states, in less than 1 KiB, and no credentials.

use crate::opening;

use std::fmt::Debug;

use sockless::deflate::Offer;
use sockless::handshake::client::{self, ClientRequest};
use sockless::handshake::server::{self, Reject, Request, ServerProgress};
use sockless::handshake::{HeadLimits, OriginPolicy, Uri, UriBuf};
use sockless::proxy::{HttpConnect, HttpConnectProgress};

/// Stands wherever a credential, a token or a buffer could.
const SECRET: &str = "hunter2";

fn check(name: &str, shown: &dyn Debug) {
    // As numbers too, as slices of octets show themselves.
    let numbers = SECRET.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    let shown = format!("{shown:?}");
    assert!(!shown.contains(SECRET) && !shown.contains(&numbers), "{name}: {shown}");
    assert!(shown.len() < 1024, "{name} has {} octets: {shown}", shown.len());
    println!("{name}: {shown}");
}

/// A line of this length, with the secret in it.
fn long(len: usize) -> String {
    format!("{SECRET}{}", "x".repeat(len))
}

#[test]
fn a_server_shows_nothing_of_a_request() {
    for len in [1, 3000] {
        let lines = [
            format!("GET /{}?token={SECRET} HTTP/1.1", "p".repeat(len)),
            format!("Host: {}", "h".repeat(len)),
            "Upgrade: websocket".to_owned(),
            "Connection: Upgrade".to_owned(),
            format!("Sec-WebSocket-Key: {}", opening::KEY),
            "Sec-WebSocket-Version: 13".to_owned(),
            format!("Origin: http://{}", "o".repeat(len)),
            format!("Sec-WebSocket-Protocol: bearer.{}, chat", long(len)),
            format!("Sec-WebSocket-Extensions: x-{}; a={}", "e".repeat(len), long(len)),
            format!("Cookie: session={}", long(len)),
            format!("Authorization: Bearer {}", long(len)),
            format!("X-{SECRET}: y"),
        ];
        let head = opening::head(&lines);
        let mut storage = vec![0; 64 << 10];
        let mut handshake = server::ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
        handshake.recv(&head.as_bytes()[..head.len() - 9]).unwrap();
        check("server::ServerHandshake", &handshake);
        let rest = &head.as_bytes()[head.len() - 9..];
        let (_, progress) = handshake.recv(rest).unwrap();
        check("server::ServerProgress", &progress);
        let ServerProgress::Request(request) = progress else { panic!() };
        check("Request", &request);
        check("Headers", &request.headers());
        check("Tokens", &request.subprotocols());
        check("Extensions", &request.extensions());
        for extension in request.extensions().iter() {
            check("Extension", &extension);
            check("Parameters", &extension.parameters());
            extension.parameters().for_each(|parameter| check("Parameter", &parameter));
        }
        let accept = request.accept(OriginPolicy::Any).unwrap();
        let (name, value) = (format!("X-{}", "n".repeat(len)), long(len));
        let fields: Vec<(&str, &str)> =
            [("Set-Cookie", value.as_str()), (name.as_str(), value.as_str())].repeat(20);
        let protocol = format!("bearer.{}", long(len));
        check("Accept", &accept.with_fields(&fields).unwrap().with_subprotocol(&protocol).unwrap());
        let reject = Reject::new(403).unwrap().with_fields(&fields).unwrap().with_body(value.as_bytes());
        check("Reject", &reject);
        let plain = head.replace("Upgrade: websocket", "X: y");
        let Ok(ServerProgress::Http(plain)) = Request::parse(plain.as_bytes(), &HeadLimits::DEFAULT) else {
            panic!()
        };
        check("PlainRequest", &plain);
    }
}

#[test]
fn a_client_shows_nothing_of_what_it_asks_or_hears() {
    for len in [1, 3000] {
        let (host, path, value) = ("h".repeat(len), "p".repeat(len), long(len));
        let text = format!("wss://{host}/{path}?token={SECRET}");
        let uri = Uri::parse(&text).unwrap();
        check("Uri", &uri);
        let mut owned =
            UriBuf::parse_with_credentials(&format!("wss://{SECRET}:{SECRET}@{host}/{path}?{SECRET}"));
        check("UriBuf", owned.as_mut().unwrap());
        let fields: Vec<(&str, &str)> =
            [("Authorization", value.as_str()), ("Cookie", value.as_str())].repeat(20);
        let names: Vec<String> = (0..30).map(|at| format!("bearer{at}.{value}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (offers, origin, extensions) =
            ([Offer::DEFAULT; 30], format!("http://{}", "o".repeat(len)), format!("x; a={value}"));
        let request = ClientRequest::new(uri)
            .with_subprotocols(&names)
            .and_then(|request| request.with_fields(&fields))
            .and_then(|request| request.with_origin(&origin))
            .and_then(|request| request.with_extensions(&extensions))
            .unwrap()
            .with_deflate(&offers);
        check("ClientRequest", &request);
        let answer = |status: u16| {
            format!(
                "HTTP/1.1 {status} {value}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\
                 Sec-WebSocket-Protocol: {}\r\nSet-Cookie: {value}\r\nLocation: /?{SECRET}\r\n\r\n",
                opening::ACCEPT, names[0],
            )
        };
        for status in [101, 401] {
            let mut storage = vec![0; 64 << 10];
            let limits = HeadLimits::DEFAULT;
            let mut handshake =
                client::ClientHandshake::new(request, *b"the sample nonce", &mut storage, limits);
            let answer = answer(status);
            let (front, rest) = answer.as_bytes().split_at(answer.len() - 9);
            handshake.recv(front).unwrap();
            check("client::ClientHandshake", &handshake);
            let (_, progress) = handshake.recv(rest).unwrap();
            check("client::ClientProgress", &progress);
            match progress {
                client::ClientProgress::Accepted(accepted) => {
                    check("Accepted", &accepted);
                    assert_eq!(accepted.subprotocol(), Some(names[0]));
                }
                client::ClientProgress::Rejected(rejected) => check("Rejected", &rejected),
                other => panic!("{other:?}"),
            }
        }
        let mut storage = vec![0; 64 << 10];
        let mut tunnel =
            HttpConnect::new(uri, &mut storage, HeadLimits::DEFAULT).with_authorization(&value).unwrap();
        let answer = format!("HTTP/1.1 407 x\r\nProxy-Authenticate: {value}\r\n\r\n");
        let (_, progress) = tunnel.recv(answer.as_bytes()).unwrap();
        check("HttpConnectProgress", &progress);
        assert!(matches!(progress, HttpConnectProgress::Rejected(_)));
        check("HttpConnect", &tunnel);
    }
}
