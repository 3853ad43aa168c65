//! By the `Upgrade` of HTTP/1.1.

use crate::{config, exchange, frame, head, serve, ACCEPT};

use sockless::deflate::Policy;
use sockless::{CloseCode, Connections, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn frames_in_the_same_read_as_the_head_are_not_lost() {
    let _watchdog = watchdog!();
    let (mut client, mut ends) = serve(config());
    let sent = [head(&[]).into_bytes(), frame(0x81, b"Hello"), frame(0x82, b"\0\x01")].concat();
    let (lines, rest) = exchange(&mut client, &sent, 11).await;
    assert_eq!(lines[0], "HTTP/1.1 101 Switching Protocols");
    let accept = format!("sec-websocket-accept: {ACCEPT}");
    for line in ["upgrade: websocket", "connection: Upgrade", &accept] {
        assert!(lines.iter().any(|written| written == line), "{line} in {lines:?}");
    }
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(rest, b"\x81\x05Hello\x82\x02\0\x01");
    client.write_all(&frame(0x88, &1000_u16.to_be_bytes())).await.unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"\x88\x02\x03\xe8");
    let (socket, result) = ends.recv().await.unwrap();
    result.unwrap();
    assert!(socket.closed().unwrap().clean);
}

/// Wherever the head and the frames behind it are cut, the same comes out.
#[tokio::test]
async fn where_the_octets_are_cut_changes_nothing() {
    let _watchdog = watchdog!();
    let sent = [head(&[]).into_bytes(), frame(0x81, b"Hello"), frame(0x88, b"")].concat();
    for cut in (1..sent.len()).step_by(3).chain(sent.len() - 20..sent.len()) {
        let (mut client, _ends) = serve(config());
        client.write_all(&sent[..cut]).await.unwrap();
        tokio::task::yield_now().await;
        let (lines, mut rest) = exchange(&mut client, &sent[cut..], 0).await;
        client.read_to_end(&mut rest).await.unwrap();
        assert!(lines[0].contains("101"), "cut at {cut}");
        assert_eq!(rest, b"\x81\x05Hello\x88\0", "cut at {cut}");
    }
}

#[tokio::test]
async fn the_subprotocol_and_compression_are_agreed_on() {
    let _watchdog = watchdog!();
    let config = config().with_subprotocols(&["chat.v1", "chat.v2"]).with_deflate(Policy::DEFAULT);
    let (mut client, mut ends) = serve(config);
    let fields = ["Sec-WebSocket-Protocol: other, chat.v2", "Sec-WebSocket-Extensions: permessage-deflate"];
    let (lines, _) = exchange(&mut client, head(&fields).as_bytes(), 0).await;
    assert!(lines.iter().any(|line| line == "sec-websocket-protocol: chat.v2"), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.starts_with("sec-websocket-extensions: permessage-deflate")),
        "{lines:?}"
    );
    // RFC 7692 section 7.2.3.1.
    client.write_all(&frame(0xC1, b"\xf2\x48\xcd\xc9\xc9\x07\x00")).await.unwrap();
    client.write_all(&frame(0x88, b"")).await.unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(rest.starts_with(b"\x81\x05Hello") || rest.first() == Some(&0xC1), "{rest:x?}");
    let (socket, result) = ends.recv().await.unwrap();
    result.unwrap();
    assert_eq!(socket.subprotocol(), Some("chat.v2"));
    assert!(socket.negotiated().deflate.is_some());
}

#[tokio::test]
async fn a_long_message_goes_there_and_back() {
    let _watchdog = watchdog!();
    let (mut client, _ends) = serve(config());
    exchange(&mut client, head(&[]).as_bytes(), 0).await;
    let payload: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    let header = [&[0x82, 0xFF][..], &(payload.len() as u64).to_be_bytes(), &[0; 4]].concat();
    let (mut reading, mut writing) = tokio::io::split(client);
    let sent = payload.clone();
    let sender = tokio::spawn(async move {
        writing.write_all(&header).await.unwrap();
        writing.write_all(&sent).await.unwrap();
        writing
    });
    let mut back = vec![0; 10 + payload.len()];
    reading.read_exact(&mut back).await.unwrap();
    assert!(back[10..] == payload, "it came back changed");
    drop(sender.await.unwrap());
}

#[tokio::test]
async fn a_client_that_goes_without_a_close_is_an_error() {
    let _watchdog = watchdog!();
    let (mut client, mut ends) = serve(config());
    exchange(&mut client, head(&[]).as_bytes(), 0).await;
    drop(client);
    let (socket, result) = ends.recv().await.unwrap();
    assert!(matches!(result, Err(Error::Protocol(_) | Error::Io(_))), "{result:?}");
    assert_eq!(socket.closed().map(|closed| (closed.status, closed.clean)), Some((1006, false)));
}

#[tokio::test]
async fn all_connections_are_closed_together() {
    let _watchdog = watchdog!();
    let connections = Connections::new();
    let (mut client, mut ends) = serve(config().with_connections(&connections));
    let sent = [head(&[]).into_bytes(), frame(0x81, b"Hello")].concat();
    exchange(&mut client, &sent, 7).await;
    assert_eq!(connections.len(), 1);
    let closing = connections.close_all(CloseCode::GOING_AWAY, "restart", std::future::pending::<()>());
    let answering = async {
        let mut close = [0; 11];
        client.read_exact(&mut close).await.unwrap();
        assert_eq!(&close, b"\x88\x09\x03\xe9restart");
        client.write_all(&frame(0x88, &1001_u16.to_be_bytes())).await.unwrap();
        drop(ends.recv().await.unwrap());
    };
    let (left, ()) = tokio::join!(closing, answering);
    assert_eq!(left, 0);
}
