//! How a connection over TLS ends. A stream that was cut off is told from one that was ended, and after a clean close
//! neither is an error.

use std::io;
use std::time::{Duration, Instant};

use sockless_connect::sockless::{Initiator, Timeout};
use sockless_connect::{ClientConfig, CloseCode, Connect, Error, ProtocolError, Timeouts, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::TlsAcceptor;

use crate::certificates::{open_acceptor, Authority};
use crate::ways::{AnySocket, WAYS};
use crate::{answer_to, both, dribble, listener, read_head};

/// A Close with the code 1000, as a server sends it.
const CLOSE: [u8; 4] = [0x88, 2, 0x03, 0xE8];

/// How the server ends its stream.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// As TLS has it, with close_notify.
    Notified,
    /// The end of TCP without it: a truncation (RFC 8446 section 6.1).
    Cut,
    Reset,
}

/// When it does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    BeforeAnyClose,
    /// The client has sent its Close.
    BetweenTheCloses,
    AfterBothCloses,
}

/// Reads the client's Close, which is masked and has a code.
async fn read_close(stream: &mut TlsStream<TcpStream>) {
    let mut close = [0; 8];
    stream.read_exact(&mut close).await.unwrap();
    assert_eq!(close[..2], [0x88, 0x82]);
}

/// A server up to its end.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor, when: When, end: End) {
    let mut stream = acceptor.accept(stream).await.unwrap();
    let head = read_head(&mut stream).await;
    stream.write_all(answer_to(&head, "").as_bytes()).await.unwrap();
    match when {
        When::BeforeAnyClose => {
            // So that the client is not still opening.
            let mut hello = [0; 6];
            stream.read_exact(&mut hello).await.unwrap();
        }
        When::BetweenTheCloses => read_close(&mut stream).await,
        When::AfterBothCloses => {
            stream.write_all(&CLOSE).await.unwrap();
            stream.flush().await.unwrap();
            read_close(&mut stream).await;
        }
    }
    match end {
        End::Notified => stream.shutdown().await.unwrap(),
        End::Cut => stream.get_mut().0.shutdown().await.unwrap(),
        End::Reset => stream.get_ref().0.set_zero_linger().unwrap(),
    }
    if end != End::Reset {
        // What the client still sends is read, so that closing is no reset.
        let _ = stream.get_mut().0.read_to_end(&mut Vec::new()).await;
    }
}

/// The client's part. Returns what the last operation said.
async fn converse(socket: &mut AnySocket, when: When) -> Result<(), Error> {
    match when {
        When::BeforeAnyClose => {
            socket.send("").await?; // 6 octets
            assert!(socket.recv().await?.is_none());
        }
        When::BetweenTheCloses => drop(socket.close(CloseCode::NORMAL).await?),
        When::AfterBothCloses => assert!(socket.recv().await?.is_none()),
    }
    Ok(())
}

#[tokio::test]
async fn a_cut_is_an_error_before_a_clean_close_and_none_after_it() {
    let _watchdog = watchdog!();
    for way in WAYS {
        let authority = Authority::new();
        let acceptor = open_acceptor(&authority.identity("127.0.0.1"));
        let tls = Tls::new().with_root_pem(authority.pem()).unwrap().with_added_roots_only();
        for when in [When::BeforeAnyClose, When::BetweenTheCloses, When::AfterBothCloses] {
            for end in [End::Notified, End::Cut, End::Reset] {
                let (listener, address) = listener().await;
                let server = async {
                    let (stream, _) = listener.accept().await.unwrap();
                    serve(stream, acceptor.clone(), when, end).await;
                };
                let connect =
                    Connect::new(format!("wss://{address}/")).without_deflate().with_tls(tls.clone());
                let client = async {
                    let (mut socket, _) = way.connect(&connect).await.unwrap();
                    let result = converse(&mut socket, when).await;
                    (result, socket.closed().unwrap())
                };
                let ((), (result, closed)) = both(server, client).await;
                let case = format!("{way:?}, {when:?}, {end:?}: {result:?}, {closed:?}");
                if when == When::AfterBothCloses {
                    assert!(result.is_ok() && closed.clean, "{case}");
                    assert_eq!((closed.status, closed.by), (1000, Some(Initiator::Peer)), "{case}");
                    continue;
                }
                assert_eq!((closed.status, closed.clean), (1006, false), "{case}");
                match (end, result) {
                    (End::Notified, Err(Error::Protocol(error))) => {
                        assert_eq!(error, ProtocolError::UnexpectedEof, "{case}")
                    }
                    (End::Cut, Err(Error::Io(error))) => {
                        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{case}");
                        assert!(error.to_string().contains("close_notify"), "{case}");
                    }
                    (End::Reset, Err(Error::Io(error))) => {
                        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{case}")
                    }
                    _ => panic!("{case}"),
                }
            }
        }
    }
}

/// A record that never becomes whole says nothing, however often an octet of it comes.
#[tokio::test]
async fn a_record_that_dribbles_is_silence() {
    let _watchdog = watchdog!();
    let authority = Authority::new();
    let acceptor = open_acceptor(&authority.identity("127.0.0.1"));
    let mut timeouts = Timeouts::NONE;
    timeouts.idle = Some(Duration::from_millis(400));
    for way in WAYS {
        let (listener, address) = listener().await;
        let server = async {
            let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            let head = read_head(&mut stream).await;
            stream.write_all(answer_to(&head, "").as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            dribble(stream.get_mut().0, 0x17).await;
        };
        let tls = Tls::new().with_root_pem(authority.pem()).unwrap().with_added_roots_only();
        let connect = Connect::new(format!("wss://{address}/"))
            .with_tls(tls)
            .with_config(ClientConfig::new().with_timeouts(timeouts));
        let client = async {
            let (mut socket, _) = way.connect(&connect).await.unwrap();
            let began = Instant::now();
            (socket.recv().await.unwrap_err(), began.elapsed())
        };
        let (_, (error, took)) = both(server, client).await;
        let expected = ProtocolError::TimedOut(Timeout::Idle);
        assert!(matches!(error, Error::Protocol(met) if met == expected), "{way:?}: {error:?}");
        assert!(took < Duration::from_secs(2), "{way:?}: {took:?}");
    }
}
