//! Compressing a long message does not delay other connections: it takes several turns, in every way to send.
//! If it is given up meanwhile, nothing of it is sent, and the next message is not harmed.

use crate::common;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::{pin, Pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use common::codec::{self, WHOLE};
use common::*;
use futures_util::SinkExt;
use sockless::deflate::{Deflater, Inflater, Params, Tuning};
use sockless::endpoint::{Action, Buffers, Compressing, Endpoint, Fed, FeedError, WriteSide};
use sockless::message::OwnedMessage;
use sockless::polled::{PollTransport, Receiver, Sender, WebSocket};
use sockless::{
    AnyRole, CloseCode, Config, ControlPayload, Entropy, Limits, MessageKind, Payload, SendError, Side,
};

type Role = AnyRole<Keys>;
type Socket = WebSocket<Taker, Role>;

/// Takes everything, and has nothing to read.
#[derive(Clone, Default)]
struct Taker {
    written: Rc<RefCell<Vec<u8>>>,
    /// Whether it takes two parts at once, and then the first half of them.
    vectored: bool,
}

impl PollTransport for Taker {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.written.borrow_mut().extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_write_both(
        &mut self,
        _: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        let both = [first, second].concat();
        let count = both.len().div_ceil(2);
        self.written.borrow_mut().extend_from_slice(&both[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Counts how often the task is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A way to send.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Send,
    Feed,
    Outgoing,
    Fragments,
    Sink,
    HalfSend,
    HalfFeed,
    HalfFragments,
    HalfSink,
}

const WAYS: [Way; 9] = [
    Way::Send,
    Way::Feed,
    Way::Outgoing,
    Way::Fragments,
    Way::Sink,
    Way::HalfSend,
    Way::HalfFeed,
    Way::HalfFragments,
    Way::HalfSink,
];

impl Way {
    /// Whether a message is taken before it is compressed, so that giving up the wait does not take it back.
    fn takes_at_once(self) -> bool {
        matches!(self, Self::Sink | Self::HalfSink)
    }
}

/// A socket, undivided or in halves.
enum Ours {
    Whole(Socket),
    Halves(Box<Receiver<Taker, Role>>, Sender<Taker, Role>),
}

/// Whether the context is kept between messages, and how the transport writes.
#[derive(Clone, Copy, Debug)]
struct Setting {
    side: Side,
    takeover: bool,
    vectored: bool,
}

fn settings() -> impl Iterator<Item = Setting> {
    BOTH.into_iter().flat_map(|side| {
        [(true, false), (false, true)].map(|(takeover, vectored)| Setting { side, takeover, vectored })
    })
}

impl Setting {
    fn params(self) -> Params {
        codec::agreed(self.side, self.takeover, 15)
    }

    fn endpoint(self) -> Endpoint<Role> {
        let role = match self.side {
            Side::Server => AnyRole::Server,
            Side::Client => AnyRole::Client(Keys(1)),
        };
        let endpoint = Endpoint::new(role, Config::new(), Buffers::DEFAULT, &[]);
        endpoint.with_deflate(&self.params(), Tuning::DEFAULT, None)
    }

    fn start(self, way: Way) -> (Ours, Rc<RefCell<Vec<u8>>>) {
        let taker = Taker { vectored: self.vectored, ..Taker::default() };
        let written = Rc::clone(&taker.written);
        let socket = WebSocket::with_endpoint(taker, self.endpoint());
        let ours = match way {
            Way::Send | Way::Feed | Way::Outgoing | Way::Fragments | Way::Sink => Ours::Whole(socket),
            Way::HalfSend | Way::HalfFeed | Way::HalfFragments | Way::HalfSink => {
                let (receiver, sender) = socket.into_split();
                Ours::Halves(Box::new(receiver), sender)
            }
        };
        (ours, written)
    }

    /// The messages that were written, inflated as the peer would. A Close is shown as its first byte.
    fn read(self, written: &[u8]) -> Vec<Vec<u8>> {
        let mut inflater = Inflater::new(&self.params(), self.side, Limits::DEFAULT);
        let (mut messages, mut message, mut deflated) = (Vec::new(), Vec::new(), false);
        for frame in parse(written) {
            assert_eq!(frame.key.is_some(), self.side == Side::Client);
            match frame.first & 0x0F {
                0..=2 => message.extend_from_slice(&frame.payload),
                8 => messages.push(vec![CLOSE]),
                _ => {}
            }
            if matches!(frame.first & 0x0F, 1 | 2) {
                deflated = frame.first & 0x40 != 0;
            }
            if frame.first & 0x88 == 0x80 {
                let payload = std::mem::take(&mut message);
                messages.push(if deflated {
                    codec::inflate(&mut inflater, MessageKind::Text, &payload, WHOLE).unwrap()
                } else {
                    payload
                });
            }
        }
        messages
    }
}

/// Sends the text that way.
async fn send(ours: &mut Ours, way: Way, text: &str) {
    let cut = text.len() / 2;
    let fragments = [(&text[..cut], false), (&text[cut..], true)];
    match (ours, way) {
        (Ours::Whole(socket), Way::Send) => socket.send(text).await.unwrap(),
        (Ours::Whole(socket), Way::Feed) => {
            socket.feed(text).await.unwrap();
            socket.flush().await.unwrap();
        }
        (Ours::Whole(socket), Way::Outgoing) => socket.outgoing().send(text).await.unwrap(),
        (Ours::Whole(socket), Way::Fragments) => {
            for (fragment, fin) in fragments {
                socket.send_fragment(Payload::text(fragment), fin).await.unwrap();
            }
        }
        (Ours::Whole(socket), Way::Sink) => {
            SinkExt::<OwnedMessage>::send(socket, text.into()).await.unwrap();
        }
        (Ours::Halves(_, sender), Way::HalfSend) => sender.send(text).await.unwrap(),
        (Ours::Halves(_, sender), Way::HalfFeed) => {
            sender.feed(text).await.unwrap();
            sender.flush().await.unwrap();
        }
        (Ours::Halves(_, sender), Way::HalfFragments) => {
            for (fragment, fin) in fragments {
                sender.send_fragment(Payload::text(fragment), fin).await.unwrap();
            }
        }
        (Ours::Halves(_, sender), Way::HalfSink) => {
            SinkExt::<OwnedMessage>::send(sender, text.into()).await.unwrap();
        }
        _ => unreachable!("halves are sent by as halves"),
    }
}

/// Text that compresses as prose does, and begins with `first`.
fn prose(first: &str, len: usize) -> String {
    let words = codec::echoes(7, len);
    let words = words.iter().map(|octet| char::from(b'a' + octet % 26));
    first.chars().chain(words).take(len).collect()
}

/// Polls until it is ready, at most so many times. Whenever it waits, it must have been woken already, because
/// nothing else will wake it.
fn run<F: Future>(mut future: Pin<&mut F>, most: usize, what: &str) -> (usize, Option<F::Output>) {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    for polls in 0..most {
        let before = woken.0.load(Ordering::Relaxed);
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return (polls, Some(output));
        }
        assert!(woken.0.load(Ordering::Relaxed) > before, "{what}: it waits for nothing");
    }
    (most, None)
}

/// In a turn at most half a mebibyte is compressed.
#[test]
fn a_long_message_is_compressed_over_several_turns() {
    let _watchdog = watchdog!();
    let text = prose("", 3 << 20);
    for setting in settings() {
        for way in WAYS {
            let what = format!("{way:?}, {setting:?}");
            let (mut ours, written) = setting.start(way);
            let (turns, sent) = run(pin!(send(&mut ours, way, &text)), 1000, &what);
            assert!(sent.is_some(), "{what}");
            assert!(turns >= 5, "{what}: {turns} turns");
            let written = written.borrow();
            assert!(written.len() * 2 < text.len(), "{what}: {} octets", written.len());
            assert!(setting.read(&written) == [text.as_bytes()], "{what}");
        }
    }
}

/// A message that does not become shorter is sent uncompressed, if no context must be kept.
#[test]
fn what_does_not_shrink_arrives_too() {
    let _watchdog = watchdog!();
    let noise: String = codec::noise(3, 1 << 20).iter().map(|octet| char::from(octet & 0x7F)).collect();
    for setting in settings() {
        for way in WAYS {
            let what = format!("{way:?}, {setting:?}");
            let (mut ours, written) = setting.start(way);
            for text in [&noise, "short", &noise] {
                assert!(run(pin!(send(&mut ours, way, text)), 1000, &what).1.is_some(), "{what}");
            }
            let read = setting.read(&written.borrow());
            assert!(read == [noise.as_bytes(), b"short", noise.as_bytes()], "{what}");
        }
    }
}

#[test]
fn a_message_that_is_given_up_meanwhile_harms_none() {
    let _watchdog = watchdog!();
    let (given_up, short, long) =
        (prose("given up ", 1 << 20), prose("short ", 4 << 10), prose("", 700 << 10));
    for setting in settings() {
        for way in WAYS {
            for polls in 1..=4 {
                let what = format!("{way:?}, {setting:?}, {polls}");
                let (mut ours, written) = setting.start(way);
                let (_, sent) = run(pin!(send(&mut ours, way, &short)), 1000, &what);
                assert!(sent.is_some(), "{what}");
                let (_, sent) = run(pin!(send(&mut ours, way, &given_up)), polls, &what);
                let fragment_sent = matches!(way, Way::Fragments | Way::HalfFragments)
                    && !setting.read(&written.borrow()).is_empty()
                    && parse(&written.borrow()).last().is_some_and(|frame| frame.first & 0x80 == 0);
                if fragment_sent {
                    // It was given up between its fragments: it is in progress.
                    continue;
                }
                for text in [&short, &long, &short] {
                    assert!(run(pin!(send(&mut ours, way, text)), 1000, &what).1.is_some(), "{what}");
                }
                let read = setting.read(&written.borrow());
                let mut expected = vec![&short, &given_up, &short, &long, &short];
                if sent.is_none() && !way.takes_at_once() {
                    expected.remove(1);
                }
                let expected: Vec<_> = expected.into_iter().map(|text| text.as_bytes()).collect();
                assert!(read == expected, "{what}: {} messages", read.len());
            }
        }
    }
}

/// A message given to the `Sink` need not be flushed, as long as somebody receives.
#[test]
fn receiving_goes_on_with_what_the_sink_was_given() {
    let _watchdog = watchdog!();
    let text = prose("", 1 << 20);
    for setting in settings() {
        for way in [Way::Sink, Way::HalfSink] {
            let what = format!("{way:?}, {setting:?}");
            let (mut ours, written) = setting.start(way);
            let given: OwnedMessage = text.as_str().into();
            let fed = match &mut ours {
                Ours::Whole(socket) => run(pin!(socket.feed_owned(given)), 1, &what).1,
                Ours::Halves(_, sender) => run(pin!(sender.feed_owned(given)), 1, &what).1,
            };
            fed.unwrap().unwrap();
            let waker = Waker::noop();
            for _ in 0..100 {
                let mut cx = Context::from_waker(waker);
                let came = match &mut ours {
                    Ours::Whole(socket) => pin!(socket.recv()).poll(&mut cx).is_ready(),
                    Ours::Halves(receiver, _) => pin!(receiver.recv()).poll(&mut cx).is_ready(),
                };
                assert!(!came, "{what}");
            }
            assert!(setting.read(&written.borrow()) == [text.as_bytes()], "{what}");
        }
    }
}

/// `SinkExt::feed` beside our own `feed`.
trait FeedOwned {
    async fn feed_owned(&mut self, message: OwnedMessage) -> Result<(), sockless::Error>;
}

impl<S: futures_util::Sink<OwnedMessage, Error = sockless::Error> + Unpin> FeedOwned for S {
    async fn feed_owned(&mut self, message: OwnedMessage) -> Result<(), sockless::Error> {
        SinkExt::feed(self, message).await
    }
}

/// What comes after a message that the `Sink` was given does not overtake it.
#[test]
fn nothing_overtakes_what_the_sink_was_given() {
    let _watchdog = watchdog!();
    let text = prose("", 1 << 20);
    for setting in settings() {
        for way in [Way::Sink, Way::HalfSink] {
            for then in ["start_close", "close", "feed", "start_send"] {
                let what = format!("{way:?}, {setting:?}, {then}");
                let (mut ours, written) = setting.start(way);
                let given = || -> OwnedMessage { text.as_str().into() };
                let sending = async {
                    match &mut ours {
                        Ours::Whole(socket) => {
                            socket.feed_owned(given()).await.unwrap();
                            match then {
                                "start_close" => socket.start_close(CloseCode::NORMAL).await.unwrap(),
                                "close" => SinkExt::<OwnedMessage>::close(socket).await.unwrap(),
                                "feed" => socket.send("then").await.unwrap(),
                                _ => {
                                    futures_util::Sink::start_send(Pin::new(socket), "then".into()).unwrap();
                                    socket.flush().await.unwrap();
                                }
                            }
                        }
                        Ours::Halves(_, sender) => {
                            sender.feed_owned(given()).await.unwrap();
                            match then {
                                "start_close" => sender.start_close(CloseCode::NORMAL).await.unwrap(),
                                "close" => SinkExt::<OwnedMessage>::close(sender).await.unwrap(),
                                "feed" => sender.send("then").await.unwrap(),
                                _ => {
                                    futures_util::Sink::start_send(Pin::new(sender), "then".into()).unwrap();
                                    sender.flush().await.unwrap();
                                }
                            }
                        }
                    }
                };
                assert!(run(pin!(sending), 1000, &what).1.is_some(), "{what}");
                let last = if then.ends_with("close") { vec![CLOSE] } else { b"then".to_vec() };
                assert!(setting.read(&written.borrow()) == [text.as_bytes(), &last], "{what}");
            }
        }
    }
}

/// What the `Sink` has taken is written before a Close, however full the queue is: there was room when it was
/// taken.
#[test]
fn a_full_queue_loses_nothing_that_the_sink_was_given() {
    let _watchdog = watchdog!();
    let text = prose("", 1 << 20);
    let much = vec![7; 2 << 20]; // one message is taken when none wait
    for setting in settings() {
        let what = format!("{setting:?}");
        let (ours, written) = setting.start(Way::Sink);
        let Ours::Whole(mut socket) = ours else { panic!("it is undivided") };
        let sending = async {
            socket.feed_owned(text.as_str().into()).await.unwrap();
            let mut outgoing = socket.outgoing();
            outgoing.queue().feed(Payload::binary(&much).with_compression(false)).unwrap();
            outgoing.start_close(CloseCode::NORMAL).await.unwrap();
        };
        assert!(run(pin!(sending), 1000, &what).1.is_some(), "{what}");
        let messages = setting.read(&written.borrow());
        assert!(messages == [&*much, text.as_bytes(), &[CLOSE]], "{what}: {} messages", messages.len());
    }
}

/// The engine, with other frames queued between the turns of two long messages: each message arrives whole.
#[test]
fn whatever_comes_between_the_turns_each_message_is_whole() {
    let _watchdog = watchdog!();
    let long = [prose("one", 700 << 10), prose("two", 600 << 10)];
    let short = prose("short", 3 << 10);
    let mut elsewhere = Deflater::new(&Params::DEFAULT, Side::Server, Tuning::DEFAULT);
    let deflated = codec::message(&mut elsewhere, short.as_bytes());
    for setting in settings() {
        for seed in 0..8_u32 {
            let what = format!("{setting:?}, seed {seed}");
            let (mut endpoint, mut keys) = (setting.endpoint(), Keys(seed));
            let mut compressing = [Compressing::new(), Compressing::new()];
            let (mut written, mut expected) = (Vec::new(), Vec::new());
            for _ in 0..60 {
                let mut octet = [0];
                keys.fill(&mut octet).unwrap();
                let outbound = endpoint.outbound();
                match octet[0] % 18 {
                    at @ 0..=9 => {
                        let at = usize::from(at % 2);
                        let fed = outbound.feed_in_turns(
                            long[at].as_str(),
                            true,
                            &mut compressing[at],
                            |[queued, payload]| {
                                let count = (queued.len() + payload.len()) / 3;
                                written.extend([queued, payload].concat().drain(..count));
                                count
                            },
                        );
                        match fed {
                            Ok(Fed::Queued) => expected.push(long[at].clone()),
                            Ok(Fed::Compressing) | Err(FeedError::Full { .. }) => {}
                            Err(refused) => panic!("{what}: {refused}"),
                        }
                    }
                    10 => {
                        if outbound.feed(short.as_str()).is_ok() {
                            expected.push(short.clone());
                        }
                    }
                    11 => {
                        if let Ok(()) = outbound.feed(Payload::text(&short).with_compression(false)) {
                            expected.push(short.clone());
                        }
                    }
                    12 => {
                        let _ = outbound.ping(ControlPayload::EMPTY);
                    }
                    13 => compressing[0] = Compressing::new(),
                    14 => {
                        if outbound.feed(Payload::deflated(MessageKind::Text, &deflated)).is_ok() {
                            expected.push(short.clone());
                        }
                    }
                    15 => endpoint.shrink(),
                    _ => {
                        written.extend_from_slice(endpoint.output());
                        let len = endpoint.output().len();
                        endpoint.wrote(len);
                    }
                }
            }
            written.extend_from_slice(endpoint.output());
            let read = setting.read(&written);
            assert!(expected.iter().map(String::as_bytes).eq(read.iter().map(Vec::as_slice)), "{what}");
        }
    }
}

/// After the peer's Close nothing more is compressed.
#[test]
fn a_close_ends_the_turns() {
    for setting in settings() {
        let text = prose("", 1 << 20);
        let mut endpoint = setting.endpoint();
        let mut compressing = Compressing::new();
        let fed = endpoint.outbound().feed_in_turns(text.as_str(), true, &mut compressing, |_| 0);
        assert_eq!(fed, Ok(Fed::Compressing));
        let close = to(setting.side, CLOSE, &close_body(1001, b""));
        endpoint.space()[..close.len()].copy_from_slice(&close);
        endpoint.filled(close.len());
        assert_eq!(endpoint.poll(WriteSide::Ready), Ok(Action::Write));
        let refused =
            endpoint.outbound().feed_in_turns(text.as_str(), true, &mut compressing, |_| 0).unwrap_err();
        assert_eq!(refused, FeedError::Send(SendError::Closed));
        assert_eq!(sent_by(setting.side, endpoint.output()), [(CLOSE, close_body(1001, b""))]);
    }
}
