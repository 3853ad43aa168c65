//! The halves of a WebSocket on two tasks.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sockless::deflate::{Params, Tuning};
use sockless::endpoint::{Buffers, Endpoint};
use sockless::message::{OwnedMessage, Prepared};
use sockless::tokio::{Tokio, WebSocket};
use sockless::Error;
use sockless::{
    Client, CloseCode, Config, ControlPayload, EntropyError, Initiator, Payload, ProtocolError, SendError,
    Server,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

type Key = fn(&mut [u8]) -> Result<(), EntropyError>;
type ServerSocket = WebSocket<DuplexStream, Server>;
type ClientSocket = WebSocket<DuplexStream, Client<Key>>;

const KEY: Key = |dest| {
    dest.fill(0x5A);
    Ok(())
};

const SOON: Duration = Duration::from_secs(20);

/// A server and a client, connected by a pipe of this capacity.
fn pair(pipe: usize, deflate: bool) -> (ServerSocket, ClientSocket) {
    let (one, other) = tokio::io::duplex(pipe);
    let buffers = Buffers::DEFAULT.with_max_queued(64 << 10);
    let mut server = Endpoint::new(Server, Config::new(), buffers, &[]);
    let mut client = Endpoint::new(Client::new(KEY), Config::new(), buffers, &[]);
    if deflate {
        server = server.with_deflate(&Params::DEFAULT, Tuning::DEFAULT, None);
        client = client.with_deflate(&Params::DEFAULT, Tuning::DEFAULT, None);
    }
    (WebSocket::with_endpoint(Tokio::new(one), server), WebSocket::with_endpoint(Tokio::new(other), client))
}

/// Both sides send and receive at once, through a pipe that is full most of the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_at_once_lose_nothing_and_never_stand_still() {
    let _watchdog = watchdog!();
    const COUNT: usize = 2000;
    for deflate in [false, true] {
        let (server, client) = pair(512, deflate);
        let (mut server_in, mut server_out) = server.into_split();
        let (mut client_in, mut client_out) = client.into_split();
        let message = |n: usize| format!("message {n}, {}", "x".repeat(n % 700));
        let send_down = async {
            for n in 0..COUNT {
                let message = message(n);
                match n % 3 {
                    0 => server_out.send_prepared(&Prepared::new(message.as_str())).await.unwrap(),
                    _ => server_out.send(message.as_str()).await.unwrap(),
                }
                if n % 50 == 0 {
                    server_out.ping(ControlPayload::new(b"down").unwrap()).await.unwrap();
                }
            }
        };
        let send_up = async {
            for n in 0..COUNT {
                client_out.send(message(n).as_str()).await.unwrap();
                if n % 50 == 0 {
                    client_out.ping(ControlPayload::new(b"up").unwrap()).await.unwrap();
                }
            }
        };
        let take_up = async {
            for n in 0..COUNT {
                let got = server_in.recv().await.unwrap().map(OwnedMessage::from);
                assert_eq!(got, Some(message(n).into()));
            }
        };
        let take_down = async {
            for n in 0..COUNT {
                let got = client_in.recv().await.unwrap().map(OwnedMessage::from);
                assert_eq!(got, Some(message(n).into()));
            }
        };
        timeout(SOON, async { tokio::join!(send_down, send_up, take_up, take_down) })
            .await
            .expect("it stands still");
        // Put together again, they close as one.
        let mut server = server_in.reunite(server_out).unwrap();
        let mut client = client_in.reunite(client_out).unwrap();
        let (closed, ended) = timeout(SOON, async {
            tokio::join!(client.close(CloseCode::NORMAL), async {
                while server.recv().await.unwrap().is_some() {}
                server.closed().unwrap()
            })
        })
        .await
        .expect("the closing handshake ends");
        assert!(closed.unwrap().unwrap().clean && ended.clean);
    }
}

/// tokio-tungstenite #358 and others: an idle half must not keep a Ping from being answered.
#[tokio::test]
async fn pings_are_answered_while_the_sending_half_does_nothing() {
    let _watchdog = watchdog!();
    let (server, mut client) = pair(4096, false);
    let (mut receiver, _sender) = server.into_split();
    let task =
        tokio::spawn(async move { receiver.recv().await.map(|message| message.map(OwnedMessage::from)) });
    client.ping(ControlPayload::new(b"alive?").unwrap()).await.unwrap();
    let mut head = [0; 8];
    let mut stream = client_stream(client);
    timeout(SOON, stream.read_exact(&mut head)).await.unwrap().unwrap();
    assert_eq!(&head, b"\x8A\x06alive?");
    drop(stream);
    assert!(matches!(task.await.unwrap(), Err(Error::Protocol(ProtocolError::UnexpectedEof))));
}

fn client_stream(client: ClientSocket) -> DuplexStream {
    client.into_inner().into_inner()
}

/// A Pong that could not be written at once is written when the transport takes it, though the sending half was
/// dropped while it waited for the same transport.
#[tokio::test]
async fn a_cancelled_sender_leaves_the_transport_to_the_receiver() {
    let _watchdog = watchdog!();
    let (one, mut peer) = tokio::io::duplex(16);
    let server = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    let (mut receiver, mut sender) = WebSocket::with_endpoint(Tokio::new(one), server).into_split();
    let task =
        tokio::spawn(async move { receiver.recv().await.map(|message| message.map(OwnedMessage::from)) });
    // More than fits the pipe. The future is dropped while it waits.
    let message = [7; 40];
    assert!(timeout(Duration::from_millis(20), sender.send(&message)).await.is_err());
    drop(sender);
    peer.write_all(b"\x89\x81\0\0\0\0p").await.unwrap();
    let mut wire = vec![0; 2 + 40 + 3];
    timeout(SOON, peer.read_exact(&mut wire)).await.expect("somebody writes it").unwrap();
    assert_eq!(wire[..2], [0x82, 40]);
    assert_eq!(wire[42..], *b"\x8A\x01p");
    drop(peer);
    assert!(task.await.unwrap().is_err());
}

/// Either half may close, and the other sees the end.
#[tokio::test]
async fn either_half_may_close() {
    let _watchdog = watchdog!();
    let (server, client) = pair(4096, false);
    let (mut server_in, mut server_out) = server.into_split();
    let (mut client_in, mut client_out) = client.into_split();
    let server = tokio::spawn(async move {
        while server_in.recv().await.unwrap().is_some() {}
        (server_in.closed().unwrap(), server_out.send("too late").await.unwrap_err())
    });
    client_out.start_close(CloseCode::NORMAL).await.unwrap();
    assert!(matches!(client_out.send("after it").await, Err(Error::Send(SendError::Closed))));
    client_out
        .start_close(CloseCode::NORMAL)
        .await
        .expect("it is closing already, which is what was asked for");
    assert_eq!(timeout(SOON, client_in.recv()).await.unwrap().unwrap(), None);
    let closed = client_in.closed().unwrap();
    assert!(closed.clean && closed.by == Some(Initiator::Local));
    let (closed, refused) = timeout(SOON, server).await.unwrap().unwrap();
    assert!(closed.clean && closed.by == Some(Initiator::Peer));
    assert!(matches!(refused, Error::Send(SendError::Closed)));
}

/// A sender that waits for room hears of the end.
#[tokio::test]
async fn a_sender_that_waits_is_told_when_the_connection_ends() {
    let _watchdog = watchdog!();
    let (server, client) = pair(64, false);
    let (mut server_in, mut server_out) = server.into_split();
    let sender = tokio::spawn(async move {
        loop {
            if let Err(error) = server_out.send(&[1; 50_000]).await {
                return error;
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(client);
    let error = timeout(SOON, server_in.recv()).await.unwrap().map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::UnexpectedEof) | Error::Io(_)), "{error:?}");
    let error = timeout(SOON, sender).await.expect("the sender is woken").unwrap();
    assert!(matches!(error, Error::Io(_) | Error::Send(SendError::Closed)), "{error:?}");
}

#[tokio::test]
async fn a_failure_is_told_by_the_receiving_half() {
    let _watchdog = watchdog!();
    let (server, client) = pair(4096, false);
    let (mut receiver, _sender) = server.into_split();
    let mut stream = client_stream(client);
    stream.write_all(b"\x81\x81\0\0\0\0\xFF").await.unwrap();
    let error = receiver.recv().await.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::InvalidUtf8)));
    let mut close = [0; 4];
    timeout(SOON, stream.read_exact(&mut close)).await.unwrap().unwrap();
    assert_eq!(&close, b"\x88\x02\x03\xEF");
    // And then the end of the direction.
    assert_eq!(timeout(SOON, stream.read(&mut close)).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn halves_are_stream_and_sink() {
    let _watchdog = watchdog!();
    let (server, client) = pair(256, true);
    let (server_in, server_out) = server.into_split();
    let echo = tokio::spawn(async move { server_in.forward(server_out).await });
    let (mut client_in, mut client_out) = client.into_split();
    for n in 0..100 {
        let message = OwnedMessage::from(vec![n; usize::from(n) * 30]);
        client_out.send_owned(message.clone()).await;
        assert_eq!(timeout(SOON, client_in.next()).await.unwrap().unwrap().unwrap(), message);
    }
    SinkExt::<OwnedMessage>::close(&mut client_out).await.unwrap();
    assert!(timeout(SOON, client_in.next()).await.unwrap().is_none());
    let _ = timeout(SOON, echo).await.unwrap().unwrap();
}

/// `Sender::send` borrows; this is the sink's.
trait SendOwned {
    async fn send_owned(&mut self, message: OwnedMessage);
}

impl<S: sockless::polled::PollTransport + Unpin, R: sockless::Role + Unpin> SendOwned
    for sockless::polled::Sender<S, R>
{
    async fn send_owned(&mut self, message: OwnedMessage) {
        SinkExt::send(self, message).await.unwrap();
    }
}

/// The low watermark: a producer goes on before the queue is empty.
#[tokio::test]
async fn a_queue_is_drained_to_a_low_watermark() {
    let _watchdog = watchdog!();
    let (one, mut peer) = tokio::io::duplex(1000);
    let endpoint = Endpoint::new(Server, Config::new(), Buffers::DEFAULT, &[]);
    let mut socket = WebSocket::with_endpoint(Tokio::new(one), endpoint);
    socket.feed(&[0; 4996]).await.unwrap();
    let mut outgoing = socket.outgoing();
    outgoing.drain_to(4000).await.unwrap();
    assert_eq!(outgoing.queue().queued(), 4000);
    assert!(timeout(Duration::from_millis(10), outgoing.drain_to(3500)).await.is_err());
    let mut taken = [0; 1000];
    peer.read_exact(&mut taken).await.unwrap();
    timeout(SOON, outgoing.drain_to(3500)).await.unwrap().unwrap();
    assert_eq!(outgoing.queue().queued(), 3000);
    let (_, mut sender) = socket.into_split();
    peer.read_exact(&mut taken).await.unwrap();
    timeout(SOON, sender.drain_to(2500)).await.unwrap().unwrap();
    assert_eq!(sender.queued(), 2000);
}

#[tokio::test]
async fn strangers_are_given_back() {
    let _watchdog = watchdog!();
    let (one, other) = pair(64, false);
    let (one_in, one_out) = one.into_split();
    let (another, _) = pair(64, false);
    let (another_in, another_out) = another.into_split();
    let strangers = one_in.reunite(another_out).unwrap_err();
    assert_eq!(strangers.to_string(), "these are not halves of one WebSocket");
    let one = strangers.0.reunite(one_out).unwrap();
    another_in.reunite(strangers.1).unwrap();
    drop((one, other));
    let _ = Payload::text("");
}
