//! What `Debug` prints of each public type: states, in one line. It prints no octet of a payload, of a buffer
//! or of a header value, because logs must not contain what others sent, and buffers are shared between
//! connections.
//!
//! The source says which types there are: a new one that is not printed here after traffic fails the test.

use crate::common;

use std::any::type_name;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::future::Future;
use std::io::{self, Read, Write};
use std::path::Path;
use std::pin::{pin, Pin};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::prelude::{Engine, BASE64_STANDARD};
use common::{to, Keys, BINARY, BINARY_PART, CLOSE, PING, PONG, TEXT, TEXT_PART};
use futures_util::task::noop_waker;
use sockless::deflate::{self, Deflater, Flush, Inflater, Offer, Params, Policy, Pool, Tuning, WindowBits};
use sockless::endpoint::{
    Action, BufferPool, Buffers, Compressing, Directions, Endpoint, Fed, FeedError, WriteSide,
};
use sockless::frame::{FrameHeader, LengthForm, Masker, MaskingKey, Opcode, Rsv};
use sockless::handshake::{
    accept_value, Bootstrap, ComposeError, HandshakeError, HeadLimits, Headers, Key, Negotiated,
    OriginPolicy, ParsedRequest, Uri, UriError,
};
use sockless::handshake::{client, server, BodyError, BodyReader, UriBuf};
use sockless::message::{OwnedMessage, Prepared, SliceAssembler};
use sockless::*;
use sockless::{
    self as adapter, blocking, embedded_io as embedded, embedded_io_async as polling, futures_io, tokio,
};
use sockless_conformance as conformance;

/// A word that is a token, a path, text, and base64: it can stand everywhere a peer or the application puts
/// something.
const SECRET: &str = "hunter2Zq7Secret";
const LONGEST_LINE: usize = 1024;
const LONGEST_PRETTY: usize = 4096;

/// The types that were printed, named after their modules, and what was wrong with them.
#[derive(Default)]
struct Printed {
    types: BTreeSet<String>,
    faults: BTreeMap<String, String>,
}

impl Printed {
    fn show<T: Debug + ?Sized>(&mut self, value: &T) {
        let name = type_name::<T>().split('<').next().unwrap();
        let kit = name.starts_with("sockless_conformance::");
        let Some(name) = name.strip_prefix("sockless::").or(kit.then_some(name)) else {
            panic!("{name} is not of this crate")
        };
        self.types.insert(name.to_owned());
        for (text, longest) in [(format!("{value:?}"), LONGEST_LINE), (format!("{value:#?}"), LONGEST_PRETTY)]
        {
            if let Some(fault) = fault(&text, longest) {
                let start: String = text.chars().take(400).collect();
                self.faults.insert(name.to_owned(), format!("{name} {fault}: {start}"));
            }
        }
    }
}

fn fault(text: &str, longest: usize) -> Option<String> {
    if text.len() > longest {
        return Some(format!("prints {} bytes", text.len()));
    }
    let octets = SECRET.as_bytes();
    let tail = &octets[octets.len() - 6..];
    let joined = |format: fn(&u8) -> String, between: &str| {
        octets[..6].iter().map(format).collect::<Vec<_>>().join(between)
    };
    let forms = [
        SECRET[..8].to_owned(),
        String::from_utf8(tail.to_vec()).unwrap(),
        joined(|octet| octet.to_string(), ", "),
        joined(|octet| octet.to_string(), ",\n"),
        joined(|octet| format!("{octet:x}"), ""),
        joined(|octet| format!("{octet:02x}"), ", "),
        joined(|octet| format!("{octet:X}"), " "),
        BASE64_STANDARD.encode(SECRET)[..12].to_owned(),
    ];
    let plain: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(form) = forms.iter().find(|form| text.contains(*form) || plain.contains(*form)) {
        return Some(format!("holds the secret as {form:?}"));
    }
    // Compressed, masked or another's: a list of more numbers than any state has.
    let mut row = 0;
    for part in plain.split(',') {
        let number = part.rsplit('[').next().unwrap_or(part).trim_matches([']', '}', ' ']);
        row = if !number.is_empty() && number.len() < 4 && number.chars().all(|c| c.is_ascii_hexdigit()) {
            row + 1
        } else {
            0
        };
        if row > 3 {
            return Some("holds a list of octets".into());
        }
    }
    None
}

#[test]
fn no_public_type_prints_what_others_sent_or_what_a_buffer_holds() {
    let _watchdog = watchdog!();
    let mut printed = Printed::default();
    values(&mut printed);
    engine(&mut printed);
    messages(&mut printed);
    compression(&mut printed);
    server_handshake(&mut printed);
    client_handshake(&mut printed);
    embedded(&mut printed);
    std_adapter(&mut printed);
    polled_adapters(&mut printed);
    the_kit(&mut printed);
    let public = public_types();
    assert!(public.len() > 90, "the scan found only {public:?}");
    let missing: Vec<&String> = public.difference(&printed.types).collect();
    assert!(missing.is_empty(), "not shown after traffic: {missing:#?}");
    let faults: Vec<&String> = printed.faults.values().collect();
    assert!(
        faults.is_empty(),
        "{} types print too much:\n{}",
        faults.len(),
        printed.faults.into_values().collect::<Vec<_>>().join("\n")
    );
}

/// The check of this test finds what it must find.
#[test]
fn the_search_finds_every_spelling_of_the_secret() {
    let _watchdog = watchdog!();
    let octets = SECRET.as_bytes();
    let hidden = format!("some text {SECRET} more");
    for text in [
        hidden.clone(),
        format!("{hidden:?}"),
        format!("{octets:?}"),
        format!("{octets:#?}"),
        format!("{octets:02x?}"),
        format!("{octets:x?}"),
        hex::encode(octets),
        BASE64_STANDARD.encode(octets),
        format!("{:?}", [7_u8; 40]),
        format!("{:#?}", vec![Some(0_u8); 1]) + &"0, ".repeat(20),
        "x".repeat(LONGEST_LINE + 1),
    ] {
        assert!(fault(&text, LONGEST_LINE).is_some(), "{text}");
    }
    assert_eq!(fault("Frame { header: 14, payload: 65536, pong: Some(3), close: None }", LONGEST_LINE), None);
}

/// Every `pub struct` and `pub enum` of the source, and of the suite for adapters, as `type_name` calls it. A lint of the compiler makes sure
/// that everything `pub` can be reached. A type in a macro of src/adapter/embedded or
/// src/adapter/opening_functions.rs exists in each module that uses the macro.
fn public_types() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (src, kit) = (root.join("src"), root.join("crates/sockless-conformance/src"));
    let (mut found, mut uses) = (BTreeSet::new(), Vec::new());
    scan(&src, &src, &mut found, &mut uses);
    let (mut types, mut in_macros) = (BTreeSet::new(), 0);
    for name in found {
        let of_users: Vec<String> = uses
            .iter()
            .filter_map(|(of_macro, module)| Some(format!("{module}::{}", name.strip_prefix(of_macro)?)))
            .collect();
        if of_users.is_empty() {
            types.insert(name);
        } else {
            in_macros += 1;
            types.extend(of_users);
        }
    }
    assert!(in_macros > 1 && uses.len() > 1, "{in_macros} types in macros, used by {uses:?}");
    let mut of_kit = BTreeSet::new();
    scan(&kit, &kit, &mut of_kit, &mut Vec::new());
    assert!(of_kit.len() > 5, "the scan found only {of_kit:?}");
    types.extend(of_kit.into_iter().map(|name| format!("sockless_conformance::{name}")));
    types
}

/// Notes the types, and which module uses which macro that declares some.
fn scan(src: &Path, dir: &Path, found: &mut BTreeSet<String>, uses: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scan(src, &path, found, uses);
            continue;
        }
        let relative = path.strip_prefix(src).unwrap().with_extension("");
        let mut module: Vec<&str> = relative.iter().map(|part| part.to_str().unwrap()).collect();
        module.retain(|part| *part != "mod" && *part != "lib");
        for line in fs::read_to_string(&path).unwrap().lines().map(str::trim_start) {
            if let Some(used) = line.strip_prefix("super::embedded::").and_then(|used| used.split_once('!')) {
                uses.push((format!("adapter::embedded::{}::", used.0), module.join("::")));
            }
            if line.starts_with("opening_steps!") {
                uses.push(("adapter::opening_functions::".into(), module.join("::")));
            }
            let declared =
                ["pub struct ", "pub enum ", "pub union "].iter().find_map(|kind| line.strip_prefix(kind));
            if let Some(rest) = declared {
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                found.insert(module.iter().copied().chain([name.as_str()]).collect::<Vec<_>>().join("::"));
            }
        }
    }
}

/// Types that hold nothing of a peer.
fn values(p: &mut Printed) {
    p.show(&CloseCode::NORMAL);
    p.show(&TransportAction::Open);
    p.show(&Initiator::Peer);
    p.show(&ReadyState::Open);
    p.show(&Config::new());
    p.show(&Limits::DEFAULT);
    p.show(&Tolerances::DEFAULT);
    p.show(&Tolerance::ALL.into_iter().fold(Tolerances::DEFAULT, Tolerances::with));
    p.show(&Tolerance::InvalidText);
    p.show(&"no such name".parse::<Tolerance>().unwrap_err());
    p.show(&Timeouts::SERVER);
    p.show(&TimeoutAction::SendPing);
    p.show(&Output::default());
    p.show(&MessageProgress::default());
    p.show(&adapter::ConnectStage::Connecting);
    p.show(&adapter::Connections::new());
    p.show(&BodyError::InvalidChunk);
    p.show(&Progress { open: true, ..Progress::default() });
    p.show(&Wake::Now);
    p.show(&Timestamp::from_duration(Duration::from_secs(9)));
    p.show(&Side::Server);
    p.show(&Server);
    p.show(&Client::new(SecretKeys(SECRET)));
    p.show(&AnyRole::Client(SecretKeys(SECRET)));
    p.show(&SystemEntropy::new());
    p.show(&ProtocolError::TimedOut(Timeout::Idle));
    p.show(&Timeout::Idle);
    p.show(&SendError::Closed);
    p.show(&EntropyError);
    p.show(&embedded::FixedBuffers::new(&mut [], &mut []).unwrap_err());
    p.show(&Utf8Check::new().push(b"\xFF").unwrap_err());
    p.show(&MessageKind::Text);
    p.show(&Opcode::TEXT);
    p.show(&Rsv::NONE);
    p.show(&LengthForm::Bits7);
    p.show(&MaskingKey([1, 2, 3, 4]));
    p.show(&Masker::new(MaskingKey([1, 2, 3, 4])));
    p.show(&HandshakeError::HeadTooLarge);
    p.show(&ComposeError::InvalidName);
    p.show(&UriError::Host);
    p.show(&HeadLimits::DEFAULT);
    p.show(&Negotiated::default());
    p.show(&Params::DEFAULT);
    p.show(&Offer::DEFAULT);
    p.show(&deflate::ClientWindow::Any);
    p.show(&Policy::DEFAULT);
    p.show(&WindowBits::new(12).unwrap());
    p.show(&Tuning::DEFAULT);
    p.show(&Buffers::DEFAULT);
    p.show(&Action::Read);
    p.show(&WriteSide::Ready);
    p.show(&FeedError::Full { queued: 1, cap: 2 });
    p.show(&Fed::Queued);
    let config = adapter::ClientConfig::new().with_subprotocol(SECRET).with_field(SECRET, SECRET);
    p.show(&config.with_origin(SECRET));
}

/// A source of random bytes that prints what it holds.
#[derive(Clone, Debug)]
struct SecretKeys(#[allow(dead_code, reason = "for Debug")] &'static str);

impl Entropy for SecretKeys {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), EntropyError> {
        dest.fill(7);
        Ok(())
    }
}

fn engine(p: &mut Printed) {
    p.show(&CloseReason::new(SECRET).unwrap());
    p.show(&CloseFrame::new(CloseCode::NORMAL, CloseReason::new(SECRET).unwrap()));
    p.show(&Payload::text(SECRET));
    p.show(&ControlPayload::new(SECRET.as_bytes()).unwrap());
    for side in common::BOTH {
        let mut conn = common::connection(side, Config::new().with_timeouts(Timeouts::SERVER));
        let mut bytes = common::all_to(
            side,
            &[
                (TEXT, SECRET.as_bytes()),
                (PING, SECRET.as_bytes()),
                (PONG, SECRET.as_bytes()),
                (BINARY_PART, SECRET.as_bytes()),
                (CLOSE, &common::close_body(1000, SECRET.as_bytes())),
            ],
        );
        let mut input = Input::new(&mut bytes);
        loop {
            p.show(&input);
            p.show(&conn);
            match conn.recv(&mut input).unwrap() {
                Some(event) => {
                    if let Event::Data(data) = event {
                        p.show(&data);
                    }
                    p.show(&event);
                }
                None => break,
            }
        }
        let mut conn = common::connection(side, Config::new());
        let mut out = [0; 200];
        conn.writer().ping(ControlPayload::new(SECRET.as_bytes()).unwrap(), &mut out).unwrap();
        conn.writer().encode(Payload::text(SECRET), false, &mut out).unwrap();
        let mut part = to(side, TEXT_PART, SECRET.as_bytes());
        part.extend(to(side, PING, SECRET.as_bytes()));
        conn.recv(&mut Input::new(&mut part)).unwrap();
        p.show(&conn);
        p.show(conn.writer());
        let (mut reader, mut mailbox) = (Reader::new(side, Limits::DEFAULT), Mailbox::new());
        let mut ping = to(side, PING, SECRET.as_bytes());
        reader.next(&mut Input::new(&mut ping), &mut mailbox).unwrap();
        p.show(&mailbox);
        p.show(&Utf8Check::new());
        let closed = {
            let mut ended = common::connection(side, Config::new());
            let _ = ended.eof();
            ended.closed().unwrap()
        };
        p.show(&closed);
        let (reader, send_half) = conn.split();
        p.show(&reader);
        p.show(&send_half);
        p.show(&Deadlines::new(Timeouts::SERVER));
    }
    let resting = Connection::new(Server, Config::new());
    p.show(&resting.park().unwrap());
    let (header, _) = FrameHeader::decode(&to(Side::Server, TEXT, SECRET.as_bytes())).unwrap();
    p.show(&header);
    p.show(&header.encode());
    let mut writer = Connection::new(Server, Config::new());
    p.show(&writer.writer().frame(Payload::text(SECRET), true).unwrap());
}

fn messages(p: &mut Printed) {
    p.show(&Message::Text(SECRET));
    p.show(&Message::Binary(SECRET.as_bytes()));
    p.show(&OwnedMessage::from_json(SECRET).unwrap().json::<u32>().unwrap_err());
    p.show(&OwnedMessage::Text(SECRET.into()));
    p.show(&OwnedMessage::Binary(SECRET.into()));
    p.show(&Prepared::new(SECRET));
    p.show(
        &Prepared::deflated(SECRET.repeat(40).as_str(), WindowBits::new(15).unwrap(), Tuning::DEFAULT)
            .unwrap(),
    );
    let endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    let mut endpoint = endpoint.with_deflate(&Params::DEFAULT, Tuning::DEFAULT, None);
    let (long, mut compressing) = (SECRET.repeat(40_000), Compressing::new());
    loop {
        let fed = endpoint.outbound().feed_in_turns(long.as_str(), true, &mut compressing, |_| 0).unwrap();
        p.show(&compressing);
        p.show(&endpoint);
        if fed == Fed::Queued {
            break;
        }
    }
    let mut spare = BufferPool::new();
    let mut endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    for conversation in [
        vec![(TEXT, SECRET.repeat(3000))],
        vec![(BINARY, SECRET.repeat(8000)), (PING, SECRET.into()), (TEXT_PART, SECRET.into())],
    ] {
        endpoint.acquire(&mut spare);
        for (first, payload) in conversation {
            let mut bytes = &to(Side::Server, first, payload.as_bytes())[..];
            while !bytes.is_empty() {
                if let Action::Take(ready) = endpoint.poll(WriteSide::Blocked).unwrap() {
                    p.show(&ready);
                    p.show(&endpoint.message(ready).unwrap().unwrap());
                }
                let space = endpoint.space();
                let count = space.len().min(bytes.len());
                space[..count].copy_from_slice(&bytes[..count]);
                endpoint.filled(count);
                bytes = &bytes[count..];
                p.show(&endpoint);
            }
        }
        let action = endpoint.poll(WriteSide::Blocked).unwrap();
        p.show(&action);
        p.show(&endpoint);
        if let Action::Take(ready) = action {
            let _ = endpoint.message(ready);
        }
        endpoint.outbound().feed(SECRET.repeat(50).as_str()).unwrap();
        endpoint.outbound().ping(ControlPayload::new(SECRET.as_bytes()).unwrap()).unwrap();
        p.show(endpoint.outbound());
        let waiting = endpoint.output().len();
        endpoint.wrote(waiting);
        endpoint.release(&mut spare);
        p.show(&spare);
    }
    let full = Buffers::DEFAULT.with_max_queued(SECRET.len());
    let mut blocked = Endpoint::new(Client::new(Keys(1)), Config::new(), full, SECRET.as_bytes());
    blocked.outbound().feed(SECRET).unwrap();
    p.show(&blocked.outbound().feed(SECRET).unwrap_err());
    let (mut inbound, mut outbound) = blocked.into_split();
    p.show(&Directions::new(&mut inbound, &mut outbound));
    p.show(&inbound);
    p.show(&outbound);

    let mut storage = [0; 200];
    let mut assembler = SliceAssembler::new(&mut storage);
    let mut conn = Connection::new(Server, Config::new());
    let mut bytes = to(Side::Server, TEXT_PART, SECRET.as_bytes());
    let Some(Event::Data(data)) = conn.recv(&mut Input::new(&mut bytes)).unwrap() else { panic!() };
    assembler.push(data).unwrap();
    p.show(&assembler);
}

fn compression(p: &mut Printed) {
    let pool = Pool::new(2);
    let mut deflater = Deflater::new(&Params::DEFAULT, Side::Client, Tuning::DEFAULT).with_pool(pool.clone());
    let text = SECRET.repeat(100);
    let mut out = [0; 4000];
    let mut input = text.as_bytes();
    p.show(&Flush::Message);
    let deflated = deflater.deflate(&mut input, Flush::Message, &mut out).unwrap();
    p.show(&deflated);
    p.show(&deflater);
    // If a kept tail is tolerated, the last octets are stored.
    let tolerances = Tolerances::NONE.with(Tolerance::KeptDeflateTail);
    let limits = Limits::DEFAULT.with_tolerances(tolerances);
    let mut inflater = Inflater::new(&Params::DEFAULT, Side::Client, limits).with_pool(pool.clone());
    let mut plain = [0; 4000];
    let (begin, end) = out[..deflated.written].split_at(deflated.written / 2);
    inflater.inflate(MessageKind::Text, &mut &*begin, false, &mut plain).unwrap();
    p.show(&inflater);
    let mut input = end;
    let inflated = inflater.inflate(MessageKind::Text, &mut input, true, &mut plain).unwrap();
    p.show(&inflated.status());
    p.show(&inflated);
    p.show(&inflater);
    p.show(&pool);
    // And in an endpoint.
    let mut endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]).with_deflate(
        &Params::DEFAULT,
        Tuning::DEFAULT,
        Some(&pool),
    );
    let bytes = to(Side::Server, 0xC1, &out[..deflated.written]);
    endpoint.space()[..bytes.len()].copy_from_slice(&bytes);
    endpoint.filled(bytes.len());
    let Ok(Action::Take(ready)) = endpoint.poll(WriteSide::Blocked) else { panic!() };
    p.show(&endpoint);
    p.show(&endpoint.message(ready).unwrap().unwrap());
    endpoint.outbound().feed(text.as_str()).unwrap();
    p.show(&endpoint);
}

/// A request with the secret in every place that may hold one.
fn request(upgrade: &str) -> String {
    format!(
        "GET /{SECRET}?token={SECRET} HTTP/1.1\r\nHost: srv.example\r\n{upgrade}Connection: Upgrade\r\n\
         Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\nOrigin: https://srv.example\r\n\
         Sec-WebSocket-Protocol: chat, {SECRET}\r\nSec-WebSocket-Extensions: x-extension; x-parameter=\"{SECRET}\"\r\n\
         Authorization: Bearer {SECRET}\r\nCookie: session={SECRET}\r\nX-Long: {}\r\n\r\n",
        key(),
        SECRET.repeat(20)
    )
}

/// A nonce that says the secret.
fn key() -> String {
    BASE64_STANDARD.encode(SECRET)
}

fn server_handshake(p: &mut Printed) {
    let head = request("Upgrade: websocket\r\n");
    let mut storage = vec![0; 10_000];
    let mut handshake = server::ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
    let (_, progress) = handshake.recv(&head.as_bytes()[..300]).unwrap();
    p.show(&progress);
    p.show(&handshake);
    let (_, progress) = handshake.recv(&head.as_bytes()[300..]).unwrap();
    p.show(&progress);
    let server::ServerProgress::Request(request) = progress else { panic!("{progress:?}") };
    p.show(&request);
    p.show(&request.headers());
    p.show(&request.subprotocols());
    p.show(&request.extensions());
    let extensions = request.extensions();
    let extension = extensions.iter().next().unwrap();
    p.show(&extension);
    p.show(&extension.parameters());
    p.show(&extension.parameters().next().unwrap());
    let list = [SECRET; 300];
    p.show(&OriginPolicy::List(&list));
    let fields = [("Set-Cookie", SECRET); 60];
    let accept = request.accept(OriginPolicy::Any).unwrap().with_supported_subprotocols(&[SECRET]);
    p.show(&accept);
    p.show(&accept.with_fields(&fields).unwrap());
    p.show(&server::Reject::new(403).unwrap().with_fields(&fields).unwrap().with_body(SECRET.as_bytes()));
    p.show(&handshake);
    p.show(&Key::parse(key().as_bytes(), true).unwrap());
    p.show(&accept_value(&key()).unwrap());

    let plain = self::request("");
    let mut storage = vec![0; 10_000];
    let mut handshake = server::ServerHandshake::new(&mut storage, HeadLimits::DEFAULT);
    let (_, progress) = handshake.recv(plain.as_bytes()).unwrap();
    p.show(&progress);
    let server::ServerProgress::Http(plain) = progress else { panic!("{progress:?}") };
    p.show(&plain);
    p.show(&plain.headers());

    let secrets = [(SECRET, SECRET.as_bytes()); 60];
    let parsed = ParsedRequest {
        bootstrap: Bootstrap::ExtendedConnect { protocol: Some("websocket"), scheme: Some("https") },
        method: "CONNECT",
        target: SECRET,
        authority: Some("srv.example"),
        headers: Headers::parsed(&secrets),
    };
    p.show(&parsed);
    p.show(&parsed.bootstrap);
    p.show(&parsed.headers);
}

fn client_handshake(p: &mut Printed) {
    let text = format!("wss://srv.example/{SECRET}/{}?token={SECRET}", SECRET.repeat(100));
    let uri = Uri::parse(&text).unwrap();
    p.show(&uri);
    p.show(&UriBuf::parse(&text).unwrap());
    let with_credentials = format!("wss://{SECRET}:{SECRET}@srv.example/{SECRET}?token={SECRET}");
    let with_credentials = UriBuf::parse_with_credentials(&with_credentials).unwrap();
    p.show(&with_credentials);
    p.show(&with_credentials.as_uri());
    let fields = [("Authorization", SECRET), ("Cookie", SECRET)];
    let many = [("X-Field", SECRET); 90];
    let origin = "https://srv.example";
    let extensions = format!("{SECRET}; {SECRET}={SECRET}");
    let names: Vec<String> = (0..90).map(|n| format!("{SECRET}{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let offers = [Offer::DEFAULT; 40];
    let bare = client::ClientRequest::new(uri);
    p.show(&bare.with_fields(&many).unwrap());
    let bare =
        bare.with_subprotocols(&names).unwrap().with_origin(origin).unwrap().with_fields(&fields).unwrap();
    let request = bare.with_deflate(&offers[..1]).with_extensions(&extensions).unwrap();
    p.show(&request);
    p.show(&bare.with_deflate(&offers));
    for (answer, done) in [
        (format!("HTTP/1.1 101 {SECRET}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\
            Sec-WebSocket-Protocol: {SECRET}3\r\nSec-WebSocket-Extensions: {SECRET}\r\nSet-Cookie: {SECRET}\r\n\r\n",
            accept_value(&key()).unwrap().as_str()), 101),
        (format!("HTTP/1.1 401 {SECRET}\r\nWWW-Authenticate: {SECRET}\r\nLocation: https://{SECRET}\r\n\r\n{SECRET}"), 401),
    ] {
        let mut storage = vec![0; 10_000];
        let nonce: [u8; 16] = SECRET.as_bytes().try_into().unwrap();
        let mut handshake = client::ClientHandshake::new(request, nonce, &mut storage, HeadLimits::DEFAULT);
        p.show(&handshake.recv(&answer.as_bytes()[..60]).unwrap().1);
        p.show(&handshake);
        let (_, progress) = handshake.recv(&answer.as_bytes()[60..]).unwrap();
        p.show(&progress);
        match progress {
            client::ClientProgress::Accepted(accepted) if done == 101 => {
                p.show(&accepted);
                p.show(&accepted.extensions());
            }
            client::ClientProgress::Rejected(rejected) => {
                p.show(&rejected);
                p.show(&rejected.headers());
                let mut body = BodyReader::new("GET", 401, rejected.headers(), 1000).unwrap();
                body.recv(SECRET.as_bytes()).unwrap();
                p.show(&body);
            }
            other => panic!("{other:?}"),
        }
        p.show(&handshake);
    }
    let mut storage = vec![0; 10_000];
    let mut tunnel =
        proxy::HttpConnect::new(uri, &mut storage, HeadLimits::DEFAULT).with_authorization(SECRET).unwrap();
    p.show(&tunnel);
    tunnel = tunnel.with_basic_authorization(SECRET, SECRET).and_then(|t| t.with_fields(&many)).unwrap();
    p.show(&tunnel);
    let answer = format!("HTTP/1.1 407 {SECRET}\r\nProxy-Authenticate: {SECRET}\r\n\r\n{SECRET}");
    let (_, progress) = tunnel.recv(answer.as_bytes()).unwrap();
    p.show(&progress);
    p.show(&tunnel);

    p.show(&proxy::Socks5RequestError::NameTooLong);
    let mut tunnel = proxy::Socks5Connect::new(uri).unwrap().with_credentials(SECRET, SECRET).unwrap();
    p.show(&tunnel);
    for answer in [&b"\x05\x02"[..], b"\x01\x00", b"\x05\x63"] {
        p.show(&tunnel.recv(answer).unwrap().1);
        p.show(&tunnel);
    }
    let Ok((_, proxy::Socks5ConnectProgress::Rejected(rejection))) = tunnel.recv(b"") else { panic!() };
    p.show(&rejection);
    let mut tunnel = proxy::Socks5Connect::new(uri).unwrap();
    p.show(&tunnel.recv(SECRET.as_bytes()).unwrap_err());
    p.show(&tunnel);
}

/// A transport that gives its input, keeps what is written, and prints it all.
#[derive(Debug, Default)]
struct Pipe {
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Pipe {
    fn new(input: impl Into<Vec<u8>>) -> Self {
        Self { input: input.into(), output: Vec::new() }
    }

    fn give(&mut self, buf: &mut [u8]) -> usize {
        let count = buf.len().min(self.input.len());
        buf[..count].copy_from_slice(&self.input[..count]);
        self.input.drain(..count);
        count
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.give(buf) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl blocking::BlockingTransport for Pipe {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ::futures_io::AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.give(buf) {
            0 => Poll::Pending,
            count => Poll::Ready(Ok(count)),
        }
    }
}

impl ::futures_io::AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl ::embedded_io::ErrorType for Pipe {
    type Error = ::embedded_io::ErrorKind;
}

impl ::embedded_io::Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        Ok(self.give(buf))
    }
}

impl ::embedded_io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl ::embedded_io_async::Read for Pipe {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        Ok(self.give(buf))
    }
}

impl ::embedded_io_async::Write for Pipe {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        ::embedded_io::Write::write(self, bytes)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Polls once.
fn once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(&noop_waker()))
}

fn ready<F: Future>(future: F) -> F::Output {
    match once(future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// A message, a Ping, a fragment, and a frame that has not come to its end.
fn coming() -> Vec<u8> {
    let mut bytes = common::all_to(
        Side::Server,
        &[
            (TEXT, SECRET.as_bytes()),
            (PING, SECRET.as_bytes()),
            (TEXT, SECRET.as_bytes()),
            (TEXT_PART, SECRET.as_bytes()),
        ],
    );
    let cut = to(Side::Server, common::MORE, SECRET.as_bytes());
    bytes.extend_from_slice(&cut[..cut.len() - 3]);
    bytes
}

fn embedded(p: &mut Printed) {
    let options_fields: &[_] = &[(SECRET, SECRET); 40];
    let names: &[_] = &[SECRET; 40];
    let options = embedded::ServerConfig::new(OriginPolicy::List(names))
        .with_subprotocols(names)
        .with_fields(options_fields);
    p.show(&options);
    p.show(&embedded::OpeningError::NotWebSocket);
    p.show(&embedded::Answer::new().with_fields(options_fields).with_subprotocol(SECRET));
    p.show(&embedded::Error::<::embedded_io::ErrorKind>::WriteZero);
    let (mut read, mut write) = (vec![0; 400], vec![0; 400]);
    read[..SECRET.len()].copy_from_slice(SECRET.as_bytes());
    write[..SECRET.len()].copy_from_slice(SECRET.as_bytes());
    p.show(&embedded::FixedBuffers::new(&mut read, &mut write).unwrap().with_received(SECRET.len()));
    let buffers = embedded::FixedBuffers::new(&mut read, &mut write).unwrap();
    let mut socket = embedded::WebSocket::new(Pipe::new(coming()), Server, Config::new(), buffers);
    for _ in 0..4 {
        let (event, mut outgoing) = socket.recv_with().unwrap().unwrap();
        p.show(&event);
        outgoing.feed(SECRET).unwrap();
        p.show(&outgoing);
        p.show(&socket);
    }
    let buffers = polling::FixedBuffers::new(&mut read, &mut write).unwrap();
    let mut socket = polling::WebSocket::new(Pipe::new(coming()), Server, Config::new(), buffers);
    for _ in 0..4 {
        let (event, mut outgoing) = ready(socket.recv_with()).unwrap().unwrap();
        p.show(&event);
        ready(outgoing.feed(SECRET)).unwrap();
        p.show(&outgoing);
        p.show(&socket);
    }
}

fn std_adapter(p: &mut Printed) {
    p.show(&adapter::Error::from(SendError::Closed));
    p.show(&adapter::Error::from(io::Error::from(io::ErrorKind::NotFound)));
    p.show(&adapter::OpeningError::NotWebSocket);
    let refusal = (0..90).fold(adapter::Refusal::new(403), |all, _| all.with_field(SECRET, SECRET));
    p.show(&refusal.with_body(SECRET.repeat(100)));
    p.show(
        &(0..90)
            .fold(adapter::Answer::new(), |all, _| all.with_field(SECRET, SECRET))
            .with_subprotocol(SECRET),
    );
    let names: &[_] = &[SECRET; 40];
    let fields: &[_] = &[(SECRET, SECRET); 40];
    let options = adapter::ServerConfig::new(OriginPolicy::List(names))
        .with_subprotocols(names)
        .with_subprotocol(SECRET)
        .with_fields(fields)
        .with_field(SECRET, SECRET)
        .with_origin(SECRET)
        .with_origin("https://srv.example")
        .with_deflate(Policy::DEFAULT)
        .with_pool(&Pool::new(2));
    p.show(&options);
    let plain = Pipe::new(request(""));
    let accepted =
        blocking::accept_or_http(plain, &adapter::ServerConfig::new(OriginPolicy::Any), |_| Ok(())).unwrap();
    assert!(matches!(accepted, adapter::Opened::Http { .. }));
    p.show(&accepted);
    let mut opening = request("Upgrade: websocket\r\n").into_bytes();
    opening.extend(coming());
    p.show(&blocking::receive(Pipe::new(opening.clone()), &options).unwrap());
    let accepted = blocking::accept_or_http(Pipe::new(opening), &options, |_| Ok(())).unwrap();
    p.show(&accepted);
    let adapter::Opened::WebSocket(mut socket) = accepted else { panic!() };
    for _ in 0..2 {
        let (message, mut outgoing) = socket.recv_with().unwrap().unwrap();
        p.show(&message);
        outgoing.feed(SECRET).unwrap();
        p.show(&outgoing);
        p.show(&socket);
    }
    let _ = socket.recv().unwrap_err();
    p.show(&socket);
    p.show(&*socket.endpoint());

    let answer = format!("HTTP/1.1 403 No\r\nSet-Cookie: {SECRET}\r\n\r\n{SECRET}");
    let uri = Uri::parse("ws://srv.example").unwrap();
    let error =
        blocking::client(Pipe::new(answer), client::ClientRequest::new(uri), &adapter::ClientConfig::new());
    let error = error.unwrap_err();
    p.show(&error);
    let adapter::Error::Opening(error) = error else { panic!("{error}") };
    p.show(&error);
    let adapter::OpeningError::Rejected(rejection) = error else { panic!("{error}") };
    p.show(&rejection);

    let mut halves = Vec::new();
    for _ in 0..2 {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        theirs.write_all(&coming()).unwrap();
        let socket = blocking::WebSocket::new(ours, Server, Config::new(), Buffers::DEFAULT, &[]);
        let (mut receiver, mut sender) = socket.into_split().unwrap();
        receiver.recv().unwrap();
        sender.feed(SECRET).unwrap();
        p.show(&receiver);
        p.show(&sender);
        halves.push((receiver, sender, theirs));
    }
    let (other, _, _) = halves.pop().unwrap();
    let (_, sender, _) = halves.pop().unwrap();
    p.show(&*other.reunite(sender).unwrap_err());

    let pipe = Pipe::new(to(Side::Server, BINARY, SECRET.as_bytes()));
    let mut io = blocking::WebSocket::new(pipe, Server, Config::new(), Buffers::DEFAULT, &[]).into_io();
    io.read_exact(&mut [0; 4]).unwrap();
    p.show(&io);
}

fn polled_adapters(p: &mut Printed) {
    // Buffers belong to the thread: the second connection gets the one that the first received into.
    let mut sockets = Vec::new();
    for compresses in [false, true, false] {
        let pool = Pool::new(2);
        let options = adapter::ServerConfig::new(OriginPolicy::Any);
        let options =
            if compresses { options.with_deflate(Policy::DEFAULT).with_pool(&pool) } else { options };
        let mut stream = Pipe::new(request("Upgrade: websocket\r\n"));
        stream.input.extend(coming());
        p.show(&futures_io::FuturesIo::new(Pipe::new(SECRET)));
        let asking = Pipe::new(request("Upgrade: websocket\r\n"));
        p.show(&ready(futures_io::receive(asking, &options)).unwrap());
        let mut socket = ready(futures_io::accept(stream, &options)).unwrap();
        p.show(&socket);
        {
            let (message, mut outgoing) = ready(socket.recv_with()).unwrap().unwrap();
            p.show(&message);
            ready(outgoing.feed(SECRET)).unwrap();
            p.show(&outgoing);
            let feed = outgoing.feed(SECRET);
            p.show(&feed);
        }
        p.show(&socket);
        assert!(ready(socket.recv()).unwrap().is_some());
        assert!(once(socket.recv()).is_pending());
        p.show(&socket);
        sockets.push(socket);
    }
    // One that waits between messages, while others are awake.
    let idle = Pipe::new(to(Side::Server, TEXT, b"hi"));
    let mut idle: futures_io::WebSocket<_, _> = adapter::polled::WebSocket::new(
        futures_io::FuturesIo::new(idle),
        Server,
        Config::new(),
        Buffers::DEFAULT,
        &[],
    );
    assert!(ready(idle.recv()).unwrap().is_some());
    p.show(&idle);
    assert!(once(idle.recv()).is_pending());
    p.show(&idle);
    p.show(&*sockets.last_mut().unwrap().endpoint());

    let mut halves = Vec::new();
    for socket in sockets {
        let (mut receiver, mut sender) = socket.into_split();
        p.show(&receiver);
        assert!(once(receiver.recv()).is_pending());
        ready(sender.feed(SECRET)).unwrap();
        p.show(&receiver);
        p.show(&sender);
        halves.push((receiver, sender));
    }
    let (receiver, _) = halves.pop().unwrap();
    let (_, sender) = halves.pop().unwrap();
    p.show(&*receiver.reunite(sender).unwrap_err());
    let pipe = futures_io::FuturesIo::new(Pipe::new(to(Side::Server, BINARY, SECRET.as_bytes())));
    let socket = adapter::polled::WebSocket::new(pipe, Server, Config::new(), Buffers::DEFAULT, &[]);
    let mut io = socket.into_io();
    assert_eq!(ready(smol::io::AsyncReadExt::read(&mut io, &mut [0; 4])).unwrap(), 4);
    p.show(&io);
    p.show(&tokio::Tokio::new(Pipe::new(SECRET)));
}

fn the_kit(p: &mut Printed) {
    let cases = conformance::cases();
    p.show(&conformance::End::Eof);
    for mut case in cases.take(50) {
        case.script.input.extend_from_slice(&SECRET.repeat(100).into_bytes());
        case.expected.messages.extend([SECRET.to_owned().into(), SECRET.repeat(100).into()]);
        case.expected.written.extend_from_slice(SECRET.as_bytes());
        case.script.holds.resize(60, conformance::Hold { at: 1, written: 2, shut: false });
        p.show(&case.expected);
        p.show(&case.script);
        p.show(&case.script.cut);
        p.show(&case.script.holds[0]);
        p.show(&case);
        let wire = conformance::Wire::new(case.script);
        let waiting = conformance::interrupted(&wire, std::future::pending::<()>());
        p.show(&waiting);
        p.show(&wire);
    }
    let mut outcome = conformance::Outcome::new();
    for _ in 0..100 {
        outcome.message(SECRET.to_owned());
        outcome.failure(adapter::Error::from(ProtocolError::MissingMask));
    }
    p.show(&outcome);
    p.show(&conformance::Failure::Other("x".repeat(5000)));
    let mut shout = |wire: conformance::Wire| {
        let _ = wire;
        let mut outcome = conformance::Outcome::new();
        outcome.message(SECRET.to_owned());
        outcome.ended(None);
        outcome.ended(None);
        outcome
    };
    let report = conformance::run(&mut shout);
    assert!(!report.is_ok());
    p.show(&report);
}
