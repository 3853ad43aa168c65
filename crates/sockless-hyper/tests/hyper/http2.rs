//! By the extended CONNECT of HTTP/2, with a client that only knows `h2`.

use crate::{config, frame, serve};

use h2::client::{handshake, SendRequest};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use hyper::body::Bytes;
use sockless::Error;
use tokio::io::DuplexStream;

/// The connection, once the server's settings are there.
async fn connected(stream: DuplexStream) -> SendRequest<Bytes> {
    let (mut send, connection) = handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    while !send.is_extended_connect_protocol_enabled() {
        send = send.ready().await.unwrap();
        tokio::task::yield_now().await;
    }
    send
}

async fn opened(send: &SendRequest<Bytes>) -> (http::Response<()>, SendStream<Bytes>, RecvStream) {
    let request = http::Request::connect("https://example.com/chat")
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .header("origin", "https://example.com")
        .body(())
        .unwrap();
    let mut send = send.clone().ready().await.unwrap();
    let (response, sender) = send.send_request(request, false).unwrap();
    let (head, receiver) = response.await.unwrap().into_parts();
    (http::Response::from_parts(head, ()), sender, receiver)
}

/// The octets up to the end of the stream, and the error that it ends with.
async fn rest(receiver: &mut RecvStream) -> (Vec<u8>, Option<Reason>) {
    let mut octets = Vec::new();
    loop {
        match receiver.data().await {
            Some(Ok(data)) => {
                octets.extend_from_slice(&data);
                receiver.flow_control().release_capacity(data.len()).unwrap();
            }
            Some(Err(error)) => return (octets, error.reason()),
            None => return (octets, None),
        }
    }
}

#[tokio::test]
async fn req_8441_3_1_req_8441_5_7_a_stream_is_the_connection() {
    let _watchdog = watchdog!();
    let (client, mut ends) = serve(config());
    let send = connected(client).await;
    let (response, mut sender, mut receiver) = opened(&send).await;
    assert_eq!(response.status(), 200);
    for absent in ["connection", "upgrade", "sec-websocket-accept"] {
        assert!(response.headers().get(absent).is_none(), "{absent}");
    }
    sender.send_data(frame(0x81, b"Hello").into(), false).unwrap();
    sender.send_data(frame(0x88, &1000_u16.to_be_bytes()).into(), true).unwrap();
    assert_eq!(rest(&mut receiver).await, (b"\x81\x05Hello\x88\x02\x03\xe8".to_vec(), None));
    let (socket, result) = ends.recv().await.unwrap();
    result.unwrap();
    assert!(socket.closed().unwrap().clean);
}

/// RFC 8441 section 5: masking is the client's duty there too.
#[tokio::test]
async fn req_8441_5_7_an_unmasked_frame_fails_the_connection() {
    let _watchdog = watchdog!();
    let (client, mut ends) = serve(config());
    let send = connected(client).await;
    let (_, mut sender, mut receiver) = opened(&send).await;
    sender.send_data(b"\x81\x05Hello"[..].into(), false).unwrap();
    let (octets, _) = rest(&mut receiver).await;
    assert_eq!(octets[..1], [0x88]);
    assert_eq!(octets[2..4], 1002_u16.to_be_bytes());
    assert!(matches!(ends.recv().await.unwrap().1, Err(Error::Protocol(_))));
}

#[tokio::test]
async fn req_8441_5_8_the_end_of_a_stream_and_its_reset_are_those_of_a_connection() {
    let _watchdog = watchdog!();
    let (client, mut ends) = serve(config());
    let send = connected(client).await;
    let close = frame(0x88, &1000_u16.to_be_bytes());
    // END_STREAM after the Closes: an orderly end. Before them it is none.
    for (sent, clean, status) in [(&close[..], true, 1000), (b"", false, 1006)] {
        let (_, mut sender, _receiver) = opened(&send).await;
        sender.send_data(sent.to_vec().into(), true).unwrap();
        let (socket, result) = ends.recv().await.unwrap();
        assert_eq!(result.is_ok(), clean, "{result:?}");
        let closed = socket.closed().unwrap();
        assert_eq!((closed.clean, closed.status), (clean, status));
    }
    // A reset is an error at once, whatever the reason.
    for reason in [Reason::CANCEL, Reason::PROTOCOL_ERROR, Reason::NO_ERROR] {
        let (_, mut sender, _receiver) = opened(&send).await;
        sender.send_data(frame(0x81, b"half").into(), false).unwrap();
        tokio::task::yield_now().await;
        sender.send_reset(reason);
        let (socket, result) = ends.recv().await.unwrap();
        assert!(matches!(result, Err(Error::Io(_) | Error::Protocol(_))), "{reason:?}: {result:?}");
        let closed = socket.closed().unwrap();
        assert_eq!((closed.clean, closed.status), (false, 1006), "{reason:?}");
    }
}
