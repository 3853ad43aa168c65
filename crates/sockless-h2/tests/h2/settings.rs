//! What a server's builder says in its SETTINGS, read from the octets (RFC 8441 section 3).

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use sockless_h2::{server_builder, STREAM_WINDOW};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
const ACK: &[u8] = b"\0\0\0\x04\x01\0\0\0\0";
const GOAWAY: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";

#[tokio::test(start_paused = true)]
async fn req_8441_3_1_req_8441_3_2_extended_connect_is_allowed_and_never_forbidden_again() {
    let _watchdog = watchdog!();
    let (mut here, there) = tokio::io::duplex(1 << 16);
    let server = tokio::spawn(async move {
        let mut connection = server_builder(3).handshake::<_, bytes::Bytes>(there).await.unwrap();
        let settled = timeout(Duration::from_secs(1), connection.accept()).await;
        assert!(settled.is_err(), "there is no request");
        connection.set_initial_window_size(1 << 17).unwrap(); // more SETTINGS
        while let Some(Ok(_)) = connection.accept().await {}
    });
    here.write_all(&[PREFACE, SETTINGS, ACK].concat()).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    here.write_all(GOAWAY).await.unwrap();
    let mut octets = Vec::new();
    here.read_to_end(&mut octets).await.unwrap();
    server.await.unwrap();
    let (mut rest, mut all) = (&octets[..], Vec::new());
    while let [a, b, c, kind, flags, _, _, _, _, more @ ..] = rest {
        let (frame, next) = more.split_at(u32::from_be_bytes([0, *a, *b, *c]) as usize);
        if (*kind, flags & 1) == (4, 0) {
            all.extend(frame.chunks(6).map(|it| {
                (u16::from_be_bytes([it[0], it[1]]), u32::from_be_bytes([it[2], it[3], it[4], it[5]]))
            }));
        }
        rest = next;
    }
    let values = |wanted| all.iter().filter(move |(id, _)| *id == wanted).map(|(_, value)| *value);
    assert!(values(8).next().is_some() && values(8).all(|value| value == 1), "{all:?}");
    assert_eq!(values(3).collect::<Vec<_>>(), [3], "streams at a time");
    assert_eq!(values(4).collect::<Vec<_>>(), [STREAM_WINDOW, 1 << 17], "SETTINGS came twice");
    assert_eq!(values(6).collect::<Vec<_>>(), [16 << 10], "octets of a head");
}
