//! What can be given to each way to send: text and bytes in all their types.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::sync::Arc;

use sockless::blocking::{self, BlockingTransport};
use sockless::endpoint::Buffers;
use sockless::message::{Message, OwnedMessage, Prepared};
use sockless::{tokio as on_tokio, AsPayload, CloseCode, CloseFrame, CloseReason, Config, Payload, Server};
use tokio::io::AsyncReadExt;

/// Keeps what is written. There is nothing to read.
#[derive(Default)]
struct Written(Vec<u8>);

impl Read for Written {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Written {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlockingTransport for Written {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const TEXT: &[u8] = b"\x81\x05Hello";
const BINARY: &[u8] = b"\x82\x05Hello";

/// Sends this in each way: by value, by reference, and as a fragment.
macro_rules! sends {
    ($message:expr, $wire:expr) => {{
        let mut socket =
            blocking::WebSocket::new(Written::default(), Server, Config::new(), Buffers::DEFAULT, &[]);
        socket.send($message).unwrap();
        socket.feed($message).unwrap();
        socket.send(&$message).unwrap();
        socket.send_fragment($message, true).unwrap();
        assert_eq!(socket.get_ref().0, $wire.repeat(4), "blocking: {}", stringify!($message));

        let (ours, mut theirs) = tokio::io::duplex(1 << 10);
        let mut socket = on_tokio::WebSocket::new(
            on_tokio::Tokio::new(ours),
            Server,
            Config::new(),
            Buffers::DEFAULT,
            &[],
        );
        socket.send($message).await.unwrap();
        socket.feed($message).await.unwrap();
        socket.send(&$message).await.unwrap();
        socket.send_fragment($message, true).await.unwrap();
        let mut written = vec![0; 4 * $wire.len()];
        theirs.read_exact(&mut written).await.unwrap();
        assert_eq!(written, $wire.repeat(4), "tokio: {}", stringify!($message));

        assert_eq!(Prepared::new($message).frame(), $wire, "prepared: {}", stringify!($message));
    }};
}

#[tokio::test]
async fn text_and_bytes_are_sent_from_whatever_holds_them() {
    let _watchdog = watchdog!();
    sends!("Hello", TEXT);
    sends!(String::from("Hello"), TEXT);
    sends!(Cow::Borrowed("Hello"), TEXT);
    sends!(Box::<str>::from("Hello"), TEXT);
    sends!(Rc::<str>::from("Hello"), TEXT);
    sends!(Arc::<str>::from("Hello"), TEXT);
    sends!(Message::Text("Hello"), TEXT);
    sends!(OwnedMessage::from("Hello"), TEXT);
    sends!(Payload::text("Hello"), TEXT);
    sends!(*b"Hello", BINARY);
    sends!(b"Hello", BINARY);
    sends!(&b"Hello"[..], BINARY);
    sends!(b"Hello".to_vec(), BINARY);
    sends!(Cow::Borrowed(&b"Hello"[..]), BINARY);
    sends!(Arc::<[u8]>::from(&b"Hello"[..]), BINARY);
    sends!(Message::Binary(b"Hello"), BINARY);
    sends!(OwnedMessage::Binary(b"Hello".to_vec()), BINARY);
    sends!(Payload::binary(b"Hello"), BINARY);
}

#[test]
fn a_message_says_what_it_holds_and_can_be_kept() {
    let _watchdog = watchdog!();
    let kept = {
        let buffer = String::from("Hello");
        let message = Message::Text(&buffer);
        assert_eq!((message.as_text(), message.as_bytes()), (Some("Hello"), &b"Hello"[..]));
        message.into_owned()
    };
    assert_eq!((kept.as_text(), kept.as_bytes()), (Some("Hello"), &b"Hello"[..]));
    assert_eq!(kept.as_payload(), Payload::text("Hello"));
    let bytes = Message::Binary(b"Hello");
    assert_eq!((bytes.as_text(), bytes.as_bytes()), (None, &b"Hello"[..]));
    assert_eq!(bytes.into_owned().as_text(), None);
}

#[test]
fn a_close_is_made_of_a_code_and_a_reason() {
    let _watchdog = watchdog!();
    let frame = CloseFrame::from((CloseCode::NORMAL, "bye"));
    assert_eq!(frame, CloseFrame::new(CloseCode::NORMAL, CloseReason::new("bye").unwrap()));
    // 122 octets and a character of two: it is not cut in two.
    let long = format!("{}ä", "x".repeat(122));
    assert_eq!(CloseFrame::from((CloseCode::NORMAL, &*long)).reason(), "x".repeat(122));
    assert_eq!(CloseFrame::from((CloseCode::NORMAL, &long)).reason(), "x".repeat(122));
    let mut socket =
        blocking::WebSocket::new(Written::default(), Server, Config::new(), Buffers::DEFAULT, &[]);
    socket.start_close((CloseCode::NORMAL, "bye")).unwrap();
    assert_eq!(socket.get_ref().0, b"\x88\x05\x03\xe8bye");
}
