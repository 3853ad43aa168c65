//! Binary messages as a stream of bytes: what is written comes out, in order, however it is cut.

use crate::common;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use common::*;
use proptest::prelude::*;
use sockless::deflate::{Params, Tuning};
use sockless::endpoint::{Buffers, Endpoint};
use sockless::polled::ByteStream;
use sockless::tokio::{Tokio, WebSocket};
use sockless::{blocking, Client, CloseCode, Config, Role, Server, Side, SystemEntropy};
use tokio::io::{copy_bidirectional, split, AsyncReadExt, AsyncWriteExt, DuplexStream};

type Io<R> = ByteStream<Tokio<DuplexStream>, R>;
type Random = Client<SystemEntropy>;

fn endpoint<R: Role>(role: R, deflate: bool) -> Endpoint<R> {
    let endpoint = Endpoint::new(role, Config::new(), Buffers::DEFAULT, &[]);
    if deflate {
        endpoint.with_deflate(&Params::DEFAULT, Tuning::DEFAULT.with_threshold(0), None)
    } else {
        endpoint
    }
}

/// A client and a server, with a transport of so many bytes between.
fn pair(
    capacity: usize,
    deflate: bool,
) -> (WebSocket<DuplexStream, Random>, WebSocket<DuplexStream, Server>) {
    let (one, other) = tokio::io::duplex(capacity);
    let client = endpoint(Client::new(SystemEntropy::new()), deflate);
    let server = endpoint(Server, deflate);
    (WebSocket::with_endpoint(Tokio::new(one), client), WebSocket::with_endpoint(Tokio::new(other), server))
}

/// A server's stream, and what its peer writes before it ends the transport.
async fn after(frames: &[u8]) -> (io::Result<Vec<u8>>, Vec<u8>) {
    let (ours, mut peer) = tokio::io::duplex(1 << 16);
    let mut io = WebSocket::with_endpoint(Tokio::new(ours), endpoint(Server, false)).into_io();
    peer.write_all(frames).await.unwrap();
    peer.shutdown().await.unwrap();
    let mut got = Vec::new();
    let read = io.read_to_end(&mut got).await;
    drop(io);
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).await.unwrap();
    (read.map(|_| got), answer)
}

/// Bytes that no position has in common with its neighbours.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at ^ (at >> 8)) as u8).collect()
}

async fn write_cut<W: tokio::io::AsyncWrite + Unpin>(writer: &mut W, all: &[u8], cuts: &[usize]) {
    let (mut left, mut cuts) = (all, cuts.iter().cycle());
    while !left.is_empty() {
        let len = left.len().min(*cuts.next().unwrap());
        let (now, later) = left.split_at(len);
        writer.write_all(now).await.unwrap();
        left = later;
        // A write that is dropped while it waits has sent nothing.
        if let Some(octet) = left.first() {
            tokio::select! {
                biased;
                written = writer.write(std::slice::from_ref(octet)) => left = &left[written.unwrap()..],
                () = std::future::ready(()) => {}
            }
        }
    }
    writer.shutdown().await.unwrap();
}

async fn read_cut<A: tokio::io::AsyncRead + Unpin>(reader: &mut A, cuts: &[usize]) -> Vec<u8> {
    let (mut got, mut cuts) = (Vec::new(), cuts.iter().cycle());
    loop {
        let mut buf = vec![0; *cuts.next().unwrap()];
        // A read that is dropped while it waits has taken nothing.
        tokio::select! {
            biased;
            count = reader.read(&mut buf) => match count.unwrap() {
                0 => return got,
                count => got.extend_from_slice(&buf[..count]),
            },
            () = tokio::task::yield_now() => {}
        }
    }
}

async fn talk<A: Role + Unpin + Send + 'static>(
    io: Io<A>,
    all: Vec<u8>,
    cuts: (Vec<usize>, Vec<usize>),
) -> Vec<u8> {
    // On two tasks.
    let (mut reader, mut writer) = split(io);
    let write = tokio::spawn(async move {
        write_cut(&mut writer, &all, &cuts.0).await;
        writer
    });
    let got = read_cut(&mut reader, &cuts.1).await;
    drop(write.await.unwrap());
    got
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(prop_oneof![1..100_usize, 30_000..70_000_usize], 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_written_comes_out_in_order(
        up in 0..200_000_usize,
        capacity in prop_oneof![Just(16_usize), Just(1000), Just(1 << 20)],
        deflate: bool,
        write in cuts(),
        read in cuts(),
    ) {
        let _watchdog = watchdog!();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Fewer octets where each takes several polls.
        let up = pattern(if capacity < 1000 || write[0].min(read[0]) < 50 { up / 20 } else { up });
        let got = runtime.block_on(async {
            let (client, server) = pair(capacity, deflate);
            let mut server = server.into_io();
            let client = talk(client.into_io(), up.clone(), (write, read.clone()));
            let server = async {
                let got = read_cut(&mut server, &read).await;
                server.shutdown().await.unwrap();
                got
            };
            tokio::join!(client, server)
        });
        prop_assert_eq!(&got.0, b"");
        prop_assert!(got.1 == up);
    }
}

#[tokio::test]
async fn a_tunnel_copies_both_ways() {
    let _watchdog = watchdog!();
    let (client, server) = pair(4096, false);
    let (mut inner, mut service) = tokio::io::duplex(512);
    let tunnel = async {
        let mut io = server.into_io();
        copy_bidirectional(&mut io, &mut inner).await
    };
    let echo = async {
        let mut question = vec![0; 100_000];
        service.read_exact(&mut question).await.unwrap();
        service.write_all(&question).await.unwrap();
        service.shutdown().await.unwrap();
    };
    let all = pattern(100_000);
    let ask = async {
        let mut io = client.into_io();
        let (mut reader, mut writer) = split(&mut io);
        let mut got = vec![0; all.len()];
        let (written, read) = tokio::join!(writer.write_all(&all), reader.read_exact(&mut got));
        written.unwrap();
        read.unwrap();
        // The service has ended its direction, so the tunnel has sent a Close.
        assert_eq!(io.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(io.closed().unwrap().status, 1000);
        got
    };
    let (copied, (), got) = tokio::join!(tunnel, echo, ask);
    assert_eq!(copied.unwrap(), (100_000, 100_000));
    assert!(got == all);
}

#[tokio::test]
async fn the_end_is_one_only_after_a_normal_close() {
    let _watchdog = watchdog!();
    let data =
        [to(Side::Server, BINARY, b"ab"), to(Side::Server, BINARY, b""), to(Side::Server, BINARY, b"c")]
            .concat();
    for (close, kind) in [
        (Some(&[3, 232][..]), None),
        (Some(&[]), None),
        (Some(&[3, 233]), Some(ErrorKind::ConnectionAborted)),
        (Some(&[3, 243]), Some(ErrorKind::ConnectionAborted)),
        (None, Some(ErrorKind::UnexpectedEof)),
    ] {
        let close = close.map_or(Vec::new(), |body| to(Side::Server, CLOSE, body));
        let (read, _) = after(&[&data[..], &close].concat()).await;
        match kind {
            None => assert_eq!(read.unwrap(), b"abc"),
            Some(kind) => assert_eq!(read.unwrap_err().kind(), kind, "{close:?}"),
        }
    }
    let (read, _) = after(b"\xFF").await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_text_is_an_error_and_the_peer_is_told() {
    let _watchdog = watchdog!();
    let (read, answer) = after(&to(Side::Server, TEXT, b"text")).await;
    assert_eq!((read.unwrap_err().kind(), &answer[..]), (ErrorKind::InvalidData, &[CLOSE, 2, 3, 235][..]));
}

#[tokio::test]
async fn writing_to_a_closed_connection_fails() {
    let _watchdog = watchdog!();
    let (client, server) = pair(4096, false);
    let (mut client, mut server) = (client.into_io(), server.into_io());
    assert_eq!(server.write(b"").await.unwrap(), 0);
    client.shutdown().await.unwrap();
    client.shutdown().await.unwrap();
    let mut one = [0; 1];
    let (theirs, ours) = tokio::join!(server.read(&mut one), async {
        let mut one = [0; 1];
        client.read(&mut one).await
    });
    assert_eq!((theirs.unwrap(), ours.unwrap()), (0, 0));
    assert_eq!(server.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn with_the_traits_of_futures_io() {
    let _watchdog = watchdog!();
    let all = pattern(50_000);
    let (client, server) = pair(512, false);
    let got = smol::block_on(async {
        let write = async {
            let mut client = client.into_io();
            smol::io::AsyncWriteExt::write_all(&mut client, &all).await.unwrap();
            smol::io::AsyncWriteExt::flush(&mut client).await.unwrap();
            smol::io::AsyncWriteExt::close(&mut client).await.unwrap();
            assert_eq!(smol::io::AsyncReadExt::read(&mut client, &mut [0]).await.unwrap(), 0);
        };
        let read = async {
            let mut got = Vec::new();
            let mut server = server.into_io();
            smol::io::AsyncReadExt::read_to_end(&mut server, &mut got).await.unwrap();
            got
        };
        smol::future::zip(write, read).await.1
    });
    assert!(got == all);
}

#[test]
fn on_blocking_sockets() {
    let _watchdog = watchdog!();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let all = pattern(300_000);
    let expected = all.clone();
    let writer = std::thread::spawn(move || {
        let stream = TcpStream::connect(address).unwrap();
        let client = endpoint(Client::new(SystemEntropy::new()), false);
        let mut io = blocking::WebSocket::with_endpoint(stream, client).into_io();
        assert_eq!(io.write(&[]).unwrap(), 0);
        io.write_all(&all).unwrap();
        io.flush().unwrap();
        let mut answer = [0; 4];
        io.read_exact(&mut answer[..1]).unwrap();
        io.read_exact(&mut answer[1..]).unwrap();
        assert_eq!(&answer, b"done");
        io.get_mut().send("text").unwrap();
        io.get_mut().close(CloseCode::NORMAL).unwrap().unwrap()
    });
    let mut io =
        blocking::WebSocket::with_endpoint(listener.accept().unwrap().0, endpoint(Server, false)).into_io();
    let mut got = vec![0; expected.len()];
    io.read_exact(&mut got).unwrap();
    assert!(got == expected);
    io.write_all(b"done").unwrap();
    assert_eq!(io.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::InvalidData);
    assert_eq!(io.get_mut().close(CloseCode::NORMAL).unwrap().unwrap().status, 1000);
    assert_eq!(writer.join().unwrap().status, 1003);
}
