//! How a stream ends, seen from each side (RFC 8441 section 5).

use std::io::ErrorKind;

use h2::Reason;
use sockless::{CloseCode, Error, ProtocolError};
use sockless_h2::StreamError;

use crate::Link;

/// `Hello`, and a Close with 1000: of a client, and of a server (RFC 6455 section 5.7).
const MASKED: (&[u8], &[u8]) =
    (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", b"\x88\x82\x37\xfa\x21\x3d\x34\x12");
const UNMASKED: (&[u8], &[u8]) = (b"\x81\x05Hello", b"\x88\x02\x03\xe8");

/// Runs the body for both roles: `$socket` and the raw stream of its peer, whose frames are `$frames`.
macro_rules! each_role {
    (|$link:ident, $socket:ident, $peer:ident, $frames:ident| $body:block) => {{
        {
            let mut $link = Link::new().await;
            #[allow(unused_mut)]
            let (mut $socket, mut $peer) = $link.server().await;
            let $frames = MASKED;
            $body
        }
        {
            let mut $link = Link::new().await;
            #[allow(unused_mut)]
            let (mut $socket, mut $peer) = $link.client().await;
            let $frames = UNMASKED;
            $body
        }
    }};
}

fn reason_in(error: &std::io::Error) -> Option<Reason> {
    error.get_ref()?.downcast_ref::<StreamError>()?.reason()
}

#[tokio::test]
async fn req_8441_5_8_the_closing_handshake_ends_both_directions() {
    let _watchdog = watchdog!();
    each_role!(|link, socket, peer, frames| {
        peer.put(frames.0, false);
        peer.put(frames.1, true);
        assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("Hello"));
        assert!(socket.recv().await.unwrap().is_none());
        let closed = socket.closed().unwrap();
        assert!(closed.clean && closed.status == 1000, "{closed:?}");
        let (octets, reset) = peer.rest().await;
        assert_eq!((octets[0], reset), (0x88, None), "a Close and END_STREAM");
        drop((socket, link));
    });
}

#[tokio::test]
async fn req_8441_5_8_our_close_is_followed_by_end_stream() {
    let _watchdog = watchdog!();
    each_role!(|link, socket, peer, frames| {
        let closing = tokio::spawn(async move {
            let closed = socket.close(CloseCode::GOING_AWAY).await.unwrap();
            drop(socket);
            closed
        });
        let first = peer.recv.data().await.unwrap().unwrap();
        assert_eq!(first[0], 0x88);
        peer.put(frames.1, true);
        assert!(closing.await.unwrap().unwrap().clean);
        let (octets, reset) = peer.rest().await;
        assert_eq!((octets, reset), (vec![], None), "END_STREAM alone");
        drop(link);
    });
}

/// RFC 8441 section 5: END_STREAM is what the end of the TCP connection is elsewhere. Without a Close it is abnormal.
#[tokio::test]
async fn req_8441_5_8_end_stream_without_a_close_is_an_abnormal_end() {
    let _watchdog = watchdog!();
    each_role!(|link, socket, peer, frames| {
        peer.put(frames.0, true);
        assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("Hello"));
        let error = socket.recv().await.unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtocolError::UnexpectedEof)), "{error:?}");
        assert_eq!(socket.closed().unwrap().status, 1006);
        drop(link);
    });
}

/// What came before the reset is not lost.
#[tokio::test]
async fn req_8441_5_8_a_reset_is_an_error_of_the_transport() {
    let _watchdog = watchdog!();
    for (reason, kind) in [
        (Reason::CANCEL, ErrorKind::ConnectionReset),
        (Reason::PROTOCOL_ERROR, ErrorKind::ConnectionReset),
        (Reason::INTERNAL_ERROR, ErrorKind::ConnectionReset),
        (Reason::ENHANCE_YOUR_CALM, ErrorKind::ConnectionReset),
        (Reason::from(0xface), ErrorKind::ConnectionReset),
        (Reason::REFUSED_STREAM, ErrorKind::ConnectionRefused),
    ] {
        each_role!(|link, socket, peer, frames| {
            peer.put(frames.0, false);
            assert_eq!(socket.recv().await.unwrap().unwrap().as_text(), Some("Hello"));
            peer.send.send_reset(reason);
            match socket.recv().await {
                Err(Error::Io(error)) => assert_eq!((error.kind(), reason_in(&error)), (kind, Some(reason))),
                other => panic!("{other:?}"),
            }
            let closed = socket.closed().unwrap();
            assert!(!closed.clean && closed.status == 1006, "{closed:?}");
            drop(link);
        });
    }
}

/// RFC 9113 section 8.1: it says that nothing more is wanted, and nothing more will come.
#[tokio::test]
async fn a_reset_without_an_error_is_the_end() {
    let _watchdog = watchdog!();
    each_role!(|link, socket, peer, frames| {
        let _ = frames;
        peer.send.send_reset(Reason::NO_ERROR);
        let error = socket.recv().await.unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtocolError::UnexpectedEof)), "{error:?}");
        drop(link);
    });
}

#[tokio::test]
async fn writing_to_a_stream_that_was_reset_fails() {
    let _watchdog = watchdog!();
    for (reason, kind) in
        [(Reason::CANCEL, ErrorKind::ConnectionReset), (Reason::NO_ERROR, ErrorKind::BrokenPipe)]
    {
        each_role!(|link, socket, peer, frames| {
            let _ = frames;
            peer.send.send_reset(reason);
            let error = loop {
                if let Err(error) = socket.send("Hello").await {
                    break error;
                }
                tokio::task::yield_now().await;
            };
            assert!(matches!(&error, Error::Io(error) if error.kind() == kind), "{error:?}");
            drop(link);
        });
    }
}

#[tokio::test]
async fn req_8441_5_8_a_socket_that_is_dropped_resets_its_stream_with_cancel() {
    let _watchdog = watchdog!();
    each_role!(|link, socket, peer, frames| {
        let _ = frames;
        socket.send("Hello").await.unwrap();
        drop(socket);
        assert_eq!(peer.rest().await.1, Some(Reason::CANCEL));
        drop(link);
    });
}

/// The stream that is left when somebody does what no WebSocket does, and no other.
#[tokio::test]
async fn what_breaks_the_protocol_is_told_why() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    let (mut socket, mut peer) = link.server().await;
    peer.put(UNMASKED.0, false);
    let error = socket.recv().await.unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::MissingMask)), "{error:?}");
    drop(socket);
    let (octets, reset) = peer.rest().await;
    assert_eq!((octets[0], &octets[2..4]), (0x88, &b"\x03\xea"[..]), "1002");
    assert!(matches!(reset, None | Some(Reason::NO_ERROR)), "{reset:?}");
    let (mut other, mut peer) = link.server().await;
    peer.put(MASKED.0, false);
    assert_eq!(other.recv().await.unwrap().unwrap().as_text(), Some("Hello"));
}

#[tokio::test]
async fn the_end_of_the_connection_is_the_end_of_its_streams() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    let (mut client, _peer) = link.client().await;
    link.server.abort();
    let error = client.recv().await.unwrap_err();
    assert!(matches!(error, Error::Io(_) | Error::Protocol(ProtocolError::UnexpectedEof)), "{error:?}");
    assert_eq!(client.closed().unwrap().status, 1006);
}

#[tokio::test]
async fn no_error_shows_what_a_peer_sent() {
    let _watchdog = watchdog!();
    let mut link = Link::new().await;
    let (mut socket, mut peer) = link.server().await;
    peer.put(b"\x81\x85secret", false);
    peer.send.send_reset(Reason::CANCEL);
    let error = loop {
        if let Err(error) = socket.recv().await {
            break error;
        }
    };
    let texts = [
        format!("{error}"),
        format!("{error:?}"),
        format!("{socket:?}"),
        format!("{:?}", **socket.get_ref()),
    ];
    assert!(texts.iter().all(|text| !text.contains("secret")), "{texts:?}");
    assert!(texts[0].contains("CANCEL"), "{}", texts[0]);
}
