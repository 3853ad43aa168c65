//! The body of a response that did not open a WebSocket.

use sockless::handshake::client::{ClientHandshake, ClientProgress, ClientRequest};
use sockless::handshake::{BodyReader, HeadLimits, Uri};

/// A whole response: what its head says, and what comes behind it.
///
/// The first byte chooses the method and how much of the body is wanted, the second how the body is cut.
pub fn response_body(data: &[u8]) {
    let [choice, cut, response @ ..] = data else { return };
    let method = ["GET", "HEAD", "CONNECT"][usize::from(choice >> 4) % 3];
    let max = [100, 0, 1, u64::MAX][usize::from(choice & 3)];
    let request = ClientRequest::new(Uri::parse("ws://h/").expect("it is valid"));
    let mut storage = [0; 1024];
    let mut handshake = ClientHandshake::new(request, [0; 16], &mut storage, HeadLimits::DEFAULT);
    let Ok((taken, ClientProgress::Rejected(rejected))) = handshake.recv(response) else { return };
    let Ok(reader) = BodyReader::new(method, rejected.status(), rejected.headers(), max) else { return };
    let body = &response[taken..];
    let whole = read(reader.clone(), body, body.len().max(1));
    assert!(whole.0.len() as u64 <= max);
    for size in [1, 1 + usize::from(*cut) % 50] {
        assert_eq!(whole, read(reader.clone(), body, size));
    }
}

/// The body, how it ended, and how many octets were taken. After a failure the number does not count.
fn read(mut reader: BodyReader, body: &[u8], size: usize) -> (Vec<u8>, String, usize) {
    let (mut came, mut taken) = (Vec::new(), 0);
    for mut chunk in body.chunks(size) {
        while !chunk.is_empty() && !reader.is_over() {
            match reader.recv(chunk) {
                Ok((len, piece)) => {
                    assert!(len > 0 || reader.is_over(), "it stands still");
                    assert!(piece.len() <= len);
                    came.extend_from_slice(piece);
                    taken += len;
                    chunk = &chunk[len..];
                }
                Err(error) => {
                    assert!(reader.is_over() && !reader.is_complete() && !reader.is_cut_off());
                    assert_eq!(reader.recv(b"0"), Err(error), "a failure stays");
                    assert_eq!(reader.eof(), Err(error));
                    return (came, format!("{error:?}"), 0);
                }
            }
        }
    }
    let over = (reader.is_complete(), reader.is_cut_off());
    if reader.is_over() {
        assert_eq!(reader.recv(b"0"), Ok((0, &b""[..])), "nothing belongs to it any more");
    } else {
        assert_eq!(taken, body.len(), "a body that is not over takes everything");
    }
    let end = reader.eof();
    assert!(reader.is_over());
    (came, format!("{over:?} {end:?}"), taken)
}
