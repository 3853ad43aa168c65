//! Error chains: a report that prints an error and then its sources says each thing once.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use sockless::endpoint::FeedError;
use sockless::handshake::{server::Reject, BodyError, ComposeError, HandshakeError, UriError};
use sockless::{embedded_io, proxy, Error, OpeningError, ReuniteError};
use sockless::{
    BufferTooSmall, CloseCode, EntropyError, Message, ProtocolError, SendError, Timeout, Tolerance, Utf8Check,
};

/// What a transport or a runtime may report: a text, and its cause.
#[derive(Debug)]
struct Lower(&'static str, Option<Box<Lower>>);

impl fmt::Display for Lower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl StdError for Lower {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.1.as_deref().map(|lower| lower as _)
    }
}

fn lower() -> Lower {
    Lower("the handshake of TLS failed", Some(Box::new(Lower("the certificate has expired", None))))
}

/// The texts of an error and of its sources.
fn chain(error: &(dyn StdError + 'static)) -> Vec<String> {
    let (mut texts, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts
}

/// The name of its type, and an error.
type Named = (&'static str, Box<dyn StdError>);

fn named<E: StdError + 'static>(error: E) -> Named {
    (std::any::type_name::<E>(), Box::new(error))
}

fn too_small() -> BufferTooSmall {
    embedded_io::FixedBuffers::new(&mut [], &mut []).unwrap_err()
}

fn errors() -> Vec<Named> {
    let refused = io::Error::from_raw_os_error(111);
    let protocol =
        [ProtocolError::MissingMask, ProtocolError::TimedOut(Timeout::Idle), ProtocolError::InvalidUtf8];
    let sends = [SendError::Closed, SendError::BufferTooSmall(too_small()), SendError::Entropy(EntropyError)];
    let composed = [ComposeError::InvalidName, ComposeError::BufferTooSmall(too_small())];
    let mut errors = vec![
        named(too_small()),
        named(EntropyError),
        named(Utf8Check::new().push(b"\xFF").unwrap_err()),
        named("none".parse::<Tolerance>().unwrap_err()),
        named(Message::Text("x").json::<u32>().unwrap_err()),
        named(Error::from(Message::Text("x").json::<u32>().unwrap_err())),
        named(UriError::Host),
        named(BodyError::InvalidChunk),
        named(HandshakeError::HeadTooLarge),
        named(proxy::Socks5Error::UnexpectedEof),
        named(proxy::Socks5Rejection::NotAllowed),
        named(proxy::Socks5RequestError::NameTooLong),
        named(ReuniteError((), ())),
        named(FeedError::Full { queued: 1, cap: 2 }),
        named(Error::from(FeedError::Full { queued: 1, cap: 2 })),
        named(Error::from(refused)),
        named(Error::from(io::Error::new(io::ErrorKind::InvalidData, lower()))),
        named(Error::from(io::Error::other("a text"))),
        named(Error::from(OpeningError::NotWebSocket)),
        named(Error::from(OpeningError::from(HandshakeError::HeadTooLarge))),
        named(OpeningError::Refused(404)),
        named(OpeningError::from(UriError::Host)),
        named(embedded_io::Error::<Lower>::WriteZero),
        named(embedded_io::Error::Io(lower())),
        named(embedded_io::Error::<Lower>::Opening(embedded_io::OpeningError::NotWebSocket)),
        named(embedded_io::OpeningError::from(HandshakeError::HeadTooLarge)),
        named(Reject::new(200).unwrap_err()),
    ];
    for error in protocol {
        errors.extend([
            named(error),
            named(Error::from(error)),
            named(embedded_io::Error::<Lower>::Protocol(error)),
        ]);
    }
    for error in sends {
        errors.extend([named(error), named(FeedError::from(error)), named(Error::from(error))]);
        errors.push(named(embedded_io::Error::<Lower>::Send(error)));
    }
    for error in composed {
        errors.extend([
            named(error),
            named(OpeningError::from(error)),
            named(Error::from(OpeningError::from(error))),
        ]);
        errors.push(named(embedded_io::OpeningError::from(error)));
    }
    errors
}

#[test]
fn no_text_of_a_chain_is_said_twice() {
    let mut faults = Vec::new();
    for (name, error) in errors() {
        let texts = chain(&*error);
        for (at, text) in texts.iter().enumerate() {
            if text.is_empty() || texts[..at].iter().any(|earlier| earlier.contains(text.as_str())) {
                faults.push(format!("{name}: {texts:?}"));
                break;
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_lies_below_the_transport_s_error_stays_in_the_chain() {
    let expected = ["the handshake of TLS failed", "the certificate has expired"];
    assert_eq!(chain(&Error::from(io::Error::new(io::ErrorKind::InvalidData, lower()))), expected);
    assert_eq!(chain(&embedded_io::Error::Io(lower())), expected);
    assert_eq!(chain(&Error::from(ProtocolError::InvalidCloseCode(1006))).len(), 1);
    assert_eq!(ProtocolError::InvalidCloseCode(1006).close_code(), Some(CloseCode::PROTOCOL_ERROR));
}

/// The source says which errors there are.
#[test]
fn every_error_of_the_crate_is_in_the_list() {
    let shown: BTreeSet<String> = errors().iter().map(|(name, _)| short(name)).collect();
    let mut declared = BTreeSet::new();
    scan(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut declared);
    assert!(declared.len() > 10, "the scan found only {declared:?}");
    let missing: Vec<&String> = declared.difference(&shown).collect();
    assert!(missing.is_empty(), "no chain is walked for {missing:?}");
}

/// `a::b::C<D>` as `b::C`: two modules have an `Error` each.
fn short(path: &str) -> String {
    let path = path.split('<').next().unwrap();
    let parts: Vec<&str> = path.rsplit("::").take(2).collect();
    format!("{}::{}", parts[1], parts[0])
}

fn scan(dir: &Path, declared: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scan(&path, declared);
            continue;
        }
        for line in fs::read_to_string(&path).unwrap().lines() {
            let Some((_, name)) = line.split_once("error::Error for ") else { continue };
            let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
            let mut module = path.with_extension("");
            if module.ends_with("mod") {
                module.pop();
            }
            declared.insert(format!("{}::{name}", module.file_name().unwrap().to_str().unwrap()));
        }
    }
}
