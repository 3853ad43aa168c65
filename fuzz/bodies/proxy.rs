//! Tunnels through proxies.

use sockless::handshake::{HeadLimits, Uri};
use sockless::proxy::{HttpConnect, HttpConnectProgress, Socks5Connect, Socks5ConnectProgress};

use super::{any_cut, failure, fields, Chunks, Read, LIMITS};

/// What a proxy answers, and the same octets as what a user gives for a request.
///
/// The first byte chooses HTTP or SOCKS5, the latter without credentials, with them, or with them only. The second chooses
/// how the answer is cut.
pub fn proxy(data: &[u8]) {
    let [choice, answer @ ..] = data else { return };
    match choice & 3 {
        0 => any_cut(answer, http),
        1 => any_cut(answer, |chunks| socks5(chunks, None)),
        _ => any_cut(answer, |chunks| socks5(chunks, Some(choice & 1 == 1))),
    }
    written(answer.get(1..).unwrap_or(&[]));
}

fn http(chunks: Chunks<'_>) -> (usize, String) {
    let mut storage = [0; 1024];
    let uri = Uri::parse("wss://example.com").expect("it is valid");
    let mut connect = HttpConnect::new(uri, &mut storage, LIMITS);
    chunks.read(|chunk| match connect.recv(chunk) {
        Ok((taken, HttpConnectProgress::NeedMore)) => Read::More(taken),
        Ok((taken, HttpConnectProgress::Open)) => Read::End(taken, "open".to_owned()),
        Ok((taken, HttpConnectProgress::Rejected(rejected))) => {
            assert!(rejected.status() >= 300);
            Read::End(taken, format!("rejected {} {:?}", rejected.status(), fields(rejected.headers())))
        }
        Ok((_, other)) => panic!("{other:?}"),
        Err(error) => Read::Failed(failure(error, connect.recv(b"HTTP").map(|_| ()))),
    })
}

fn socks5(chunks: Chunks<'_>, required: Option<bool>) -> (usize, String) {
    let uri = Uri::parse("wss://example.com").expect("it is valid");
    let mut connect = Socks5Connect::new(uri).expect("it is short");
    if let Some(required) = required {
        connect = connect.with_credentials("user", "secret").expect("both are short");
        connect = connect.with_required_credentials(required);
    }
    let due = |connect: &Socks5Connect<'_>| {
        let mut out = [0; Socks5Connect::MAX_MESSAGE_LEN];
        let len = connect.write_next(&mut out).expect("there is room");
        format!("{:?} ", &out[..len])
    };
    let mut sent = due(&connect);
    let (taken, end) = chunks.read(|chunk| {
        let mut taken = 0;
        loop {
            match connect.recv(&chunk[taken..]) {
                Ok((more, Socks5ConnectProgress::NeedMore)) => return Read::More(taken + more),
                Ok((more, Socks5ConnectProgress::Send)) => {
                    taken += more;
                    sent += &due(&connect);
                }
                Ok((more, end)) => {
                    assert_eq!(connect.recv(b"\x05"), Ok((0, end)));
                    assert_eq!(connect.eof(), Ok(()));
                    return Read::End(taken + more, format!("{end:?}"));
                }
                Err(error) => {
                    assert_eq!(connect.recv(b"\x05"), Err(error));
                    assert_eq!(connect.eof(), Err(error));
                    return Read::Failed(format!("{error:?}"));
                }
            }
        }
    });
    (taken, sent + &end)
}

/// Whatever is accepted of a user is one request: nothing adds a line.
fn written(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let parts: Vec<&str> = text.splitn(4, '\n').collect();
    let [name, value, username, password] = parts[..] else { return };
    let uri = Uri::parse("wss://example.com").expect("it is valid");
    let added = [(name, value)];
    let connect = HttpConnect::new(uri, &mut [], HeadLimits::DEFAULT);
    let Ok(connect) =
        connect.with_fields(&added).and_then(|c| c.with_basic_authorization(username, password))
    else {
        return;
    };
    let mut out = vec![0; 1024 + 4 * text.len()];
    let len = connect.write_request(&mut out).expect("there is room");
    let request = std::str::from_utf8(&out[..len]).expect("it was text");
    assert!(request.ends_with("\r\n\r\n"));
    assert_eq!(request.lines().filter(|line| !line.is_empty()).count(), 4);
}
