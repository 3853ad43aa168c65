//! What is fuzzed: bodies that the fuzz targets and an ordinary test share.
//!
//! All check that nothing depends on how the input is cut, and that nothing panics.

#[path = "bodies/deflate.rs"]
mod deflate;
#[path = "bodies/end.rs"]
mod end;
#[path = "bodies/endpoint.rs"]
mod endpoint;
#[path = "bodies/heads.rs"]
mod heads;
#[path = "bodies/inflate.rs"]
mod inflate;
#[path = "bodies/plain.rs"]
mod plain;
#[path = "bodies/proxy.rs"]
mod proxy;
#[path = "bodies/response_body.rs"]
mod response_body;
#[path = "bodies/script.rs"]
mod script;
#[path = "bodies/uri.rs"]
mod uri;

use sockless::deflate::{Offer, Policy};
use sockless::handshake::client::{self, ClientRequest};
use sockless::handshake::server;
use sockless::handshake::{parse_deflate_answer, HandshakeError, HeadLimits, Headers, OriginPolicy, Uri};
use sockless::{
    AnyRole, Config, Connection, EntropyError, Event, Input, Limits, MessageKind, ProtocolError,
    TransportAction,
};

#[allow(unused_imports, reason = "each target runs one of the bodies")]
pub use self::{
    deflate::deflate, endpoint::endpoint, heads::heads, inflate::inflate, proxy::proxy,
    response_body::response_body, uri::uri,
};

/// A stream of frames, read by either role under some limits.
///
/// The first byte chooses role and limits, the second how the stream is cut.
pub fn reader(data: &[u8]) {
    let [choice, cut, stream @ ..] = data else { return };
    let limits = match (choice >> 1) & 3 {
        0 => Limits::DEFAULT,
        1 => Limits::DEFAULT.with_max_message_size(100),
        2 => Limits::DEFAULT.with_max_frame_size(50),
        _ => Limits::DEFAULT.with_max_fragments(3),
    };
    let server = choice & 1 == 0;
    let whole = read(server, limits, stream, |rest| rest);
    let single = read(server, limits, stream, |_| 1);
    let mut state = u32::from(*cut);
    let cut = read(server, limits, stream, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        1 + (state >> 24) as usize % 17
    });
    whole.agrees_with(&single);
    whole.agrees_with(&cut);
}

/// A request, read by a server.
pub fn server_handshake(data: &[u8]) {
    any_cut(data, |chunks| {
        let mut storage = [0; 1024];
        let mut handshake = server::ServerHandshake::new(&mut storage, LIMITS);
        chunks.read(|chunk| match handshake.recv(chunk) {
            Ok((taken, server::ServerProgress::NeedMore)) => Read::More(taken),
            Ok((taken, server::ServerProgress::Request(request))) => {
                let subprotocols: Vec<_> = request.subprotocols().iter().collect();
                let extensions: Vec<_> = request
                    .extensions()
                    .iter()
                    .map(|extension| {
                        let parameters = extension.parameters();
                        let parameters = parameters.map(|p| (p.name(), p.value().collect::<Vec<_>>()));
                        (extension.name(), parameters.collect::<Vec<_>>())
                    })
                    .collect();
                assert!(!request.host().is_empty() && request.target().starts_with('/'));
                let deflate = agreed_deflate(&request);
                let parts =
                    (request.target(), request.host(), request.origin(), subprotocols, extensions, deflate);
                Read::End(taken, format!("request {parts:?} {:?}", fields(request.headers())))
            }
            Ok((taken, server::ServerProgress::Http(request))) => {
                Read::End(taken, format!("http {} {}", request.method(), request.target()))
            }
            Ok((_, other)) => panic!("{other:?}"),
            Err(error) => Read::Failed(failure(error, handshake.recv(b"GET").map(|_| ()))),
        })
    });
}

/// What was agreed on for compression, as the response says.
fn agreed_deflate(request: &server::Request<'_>) -> Option<sockless::deflate::Params> {
    let accept =
        request.accept(OriginPolicy::Any).expect("any origin will do").with_deflate(&Policy::TAKEOVER);
    let mut out = [0; 512];
    let (len, session) = accept.write(&mut out).expect("there is room");
    let response = std::str::from_utf8(&out[..len]).expect("it is ASCII");
    let element = response.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    assert_eq!(element.map(|element| parse_deflate_answer(element).expect("it is valid")), session.deflate);
    session.deflate
}

/// A response, read by a client that offered subprotocols and extensions.
pub fn client_handshake(data: &[u8]) {
    any_cut(data, |chunks| {
        let uri = Uri::parse("ws://example.com/").expect("it is valid");
        let request = ClientRequest::new(uri)
            .with_subprotocols(&["chat", "superchat"])
            .and_then(|request| request.with_extensions("x-other"))
            .expect("it is valid")
            .with_deflate(&[Offer::DEFAULT]);
        let mut storage = [0; 1024];
        // The nonce of the example in RFC 6455 section 1.3.
        let mut handshake = client::ClientHandshake::new(request, *b"the sample nonce", &mut storage, LIMITS);
        chunks.read(|chunk| match handshake.recv(chunk) {
            Ok((taken, client::ClientProgress::NeedMore)) => Read::More(taken),
            Ok((taken, client::ClientProgress::Accepted(accepted))) => {
                assert!(accepted.negotiated().deflate.is_none() || accepted.extensions().iter().count() == 1);
                let parts = (accepted.negotiated(), accepted.subprotocol(), fields(accepted.headers()));
                Read::End(taken, format!("accepted {parts:?}"))
            }
            Ok((taken, client::ClientProgress::Rejected(rejected))) => {
                assert_ne!(rejected.status(), 101);
                Read::End(taken, format!("rejected {} {:?}", rejected.status(), fields(rejected.headers())))
            }
            Ok((_, other)) => panic!("{other:?}"),
            Err(error) => Read::Failed(failure(error, handshake.recv(b"HTTP").map(|_| ()))),
        })
    });
}

/// Small limits, so that inputs reach them.
const LIMITS: HeadLimits =
    HeadLimits::DEFAULT.with_max_start_line(200).with_max_fields(20).with_max_field(300);

/// What a handshake made of one chunk: how many bytes it took, and the result.
enum Read {
    More(usize),
    End(usize, String),
    Failed(String),
}

/// A head, cut into chunks of one size.
struct Chunks<'d> {
    input: &'d [u8],
    size: usize,
}

impl Chunks<'_> {
    /// Reads chunk by chunk. Returns how many bytes were taken, and the result. After a failure the number does
    /// not count.
    fn read(&self, mut read: impl FnMut(&[u8]) -> Read) -> (usize, String) {
        let mut taken = 0;
        for chunk in self.input.chunks(self.size) {
            match read(chunk) {
                Read::More(more) => {
                    assert_eq!(more, chunk.len(), "a head that is not complete takes everything");
                    taken += more;
                }
                Read::End(more, outcome) => return (taken + more, outcome),
                Read::Failed(outcome) => return (0, outcome),
            }
        }
        (taken, "more".to_owned())
    }
}

/// The first byte chooses how the head in the remainder is cut. Whole, in single octets, and cut like this, the
/// result is the same.
fn any_cut(data: &[u8], run: impl Fn(Chunks<'_>) -> (usize, String)) {
    let [cut, input @ ..] = data else { return };
    let whole = run(Chunks { input, size: input.len().max(1) });
    for size in [1, 1 + usize::from(*cut) % 50] {
        assert_eq!(whole, run(Chunks { input, size }));
    }
}

fn fields(headers: Headers<'_>) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

/// A failure is reported again, whatever follows it.
fn failure(error: HandshakeError, again: Result<(), HandshakeError>) -> String {
    assert_eq!(again, Err(error));
    format!("error {error:?}")
}

/// What a connection made of a stream.
struct Seen {
    items: Vec<Item>,
    error: Option<ProtocolError>,
    owed: Vec<u8>,
    transport: TransportAction,
}

#[derive(Debug, PartialEq, Eq)]
enum Item {
    Message { kind: MessageKind, octets: Vec<u8>, complete: bool },
    Control(u8, Vec<u8>),
}

type Key = fn(&mut [u8]) -> Result<(), EntropyError>;

/// Reads `stream` in chunks whose sizes `cut` chooses, given how much is left.
fn read(server: bool, limits: Limits, stream: &[u8], mut cut: impl FnMut(usize) -> usize) -> Seen {
    let zero: Key = |dest| {
        dest.fill(0);
        Ok(())
    };
    let role = if server { AnyRole::Server } else { AnyRole::Client(zero) };
    let mut connection = Connection::new(role, Config::new().with_limits(limits));
    let (mut items, mut error) = (Vec::new(), None);
    let mut rest = stream;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(cut(rest.len()).min(rest.len()));
        rest = after;
        let mut chunk = chunk.to_vec();
        let mut input = Input::new(&mut chunk);
        loop {
            match connection.recv(&mut input) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    assert_eq!(error, None, "an event after a failure");
                    note(event, connection.reader().control_payload(), &mut items);
                }
                Err(failure) => {
                    assert_eq!(error.replace(failure), None, "a second failure");
                }
            }
        }
        assert_eq!(input.remaining(), 0);
    }
    let transport = connection.transport();
    let (mut owed, mut out) = (Vec::new(), [0; 512]);
    while let Ok(len @ 1..) = connection.poll_transmit(&mut out) {
        owed.extend_from_slice(&out[..len]);
    }
    let end = connection.eof();
    assert!(end.is_ok() == (error.is_some() || connection.reader().received_close().is_some()));
    let closed = connection.closed().expect("the transport ended");
    assert!(!(closed.clean && closed.error.is_some()));
    Seen { items, error, owed, transport }
}

fn note(event: Event<'_>, payload: &[u8], items: &mut Vec<Item>) {
    match event {
        Event::Data(data) => {
            let open = items.iter_mut().rev().find_map(|item| match item {
                Item::Message { octets, complete, .. } if !*complete => Some((octets, complete)),
                _ => None,
            });
            assert_eq!(open.is_none(), data.is_first());
            match open {
                Some((octets, complete)) => {
                    octets.extend_from_slice(data.as_bytes());
                    *complete = data.is_last();
                }
                None => items.push(Item::Message {
                    kind: data.kind(),
                    octets: data.as_bytes().to_vec(),
                    complete: data.is_last(),
                }),
            }
        }
        Event::Ping => items.push(Item::Control(9, payload.to_vec())),
        Event::Pong => items.push(Item::Control(10, payload.to_vec())),
        Event::Close(code) => {
            items.push(Item::Control(8, code.map_or(0, u16::from).to_be_bytes().to_vec()));
        }
        other => panic!("{other:?}"),
    }
}

impl Seen {
    /// The same, except that an incomplete message may have been reported up to different lengths.
    fn agrees_with(&self, other: &Self) {
        assert_eq!(self.error, other.error);
        assert_eq!(self.owed, other.owed);
        assert_eq!(self.transport, other.transport);
        let settled = |seen: &Self| {
            let items =
                seen.items.iter().filter(|item| !matches!(item, Item::Message { complete: false, .. }));
            items.map(|item| format!("{item:?}")).collect::<Vec<_>>()
        };
        assert_eq!(settled(self), settled(other));
        let (ours, theirs) = (self.unfinished(), other.unfinished());
        let common = ours.len().min(theirs.len());
        assert_eq!(ours[..common], theirs[..common]);
        if self.error.is_none() {
            assert_eq!(ours, theirs);
        }
        for item in &self.items {
            if let Item::Message { kind: MessageKind::Text, octets, complete: true } = item {
                assert!(std::str::from_utf8(octets).is_ok());
            }
        }
    }

    fn unfinished(&self) -> &[u8] {
        self.items
            .iter()
            .find_map(|item| match item {
                Item::Message { octets, complete: false, .. } => Some(octets.as_slice()),
                _ => None,
            })
            .unwrap_or(&[])
    }
}
