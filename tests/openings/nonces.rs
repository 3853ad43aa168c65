//! Every opening handshake of a client has a nonce of its own (RFC 6455 section 4.1), whichever adapter draws it.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;

use base64::prelude::{Engine, BASE64_STANDARD};
use sockless::blocking::BlockingTransport;
use sockless::handshake::client::ClientRequest;
use sockless::handshake::Uri;
use sockless::polled::PollTransport;
use sockless::{blocking, futures_io, polled, tokio as on_tokio, ClientConfig};

const COUNT: usize = 64;

/// A transport that takes what is written, and ends when it is read.
#[derive(Clone, Debug, Default)]
struct Taken(Arc<Mutex<Vec<u8>>>);

impl Taken {
    fn note(&self, bytes: &[u8]) -> usize {
        self.0.lock().unwrap().extend_from_slice(bytes);
        bytes.len()
    }
}

impl Read for Taken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Taken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.note(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlockingTransport for Taken {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl PollTransport for Taken {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.note(bytes)))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncRead for Taken {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Taken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.note(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl smol::io::AsyncRead for Taken {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }
}

impl smol::io::AsyncWrite for Taken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.note(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn request(url: &str) -> ClientRequest<'_> {
    ClientRequest::new(Uri::parse(url).unwrap())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// So many requests have as many different keys, each of 16 octets.
#[track_caller]
fn all_differ(heads: impl IntoIterator<Item = String>) {
    let keys: Vec<String> = heads
        .into_iter()
        .map(|head| {
            let keys: Vec<&str> =
                head.split("\r\n").filter_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).collect();
            assert_eq!(keys.len(), 1, "{head}");
            keys[0].to_owned()
        })
        .collect();
    assert_eq!(keys.len(), COUNT);
    let nonces: BTreeSet<Vec<u8>> = keys.iter().map(|key| BASE64_STANDARD.decode(key).unwrap()).collect();
    assert!(nonces.iter().all(|nonce| nonce.len() == 16));
    assert_eq!(nonces.len(), COUNT, "a nonce came twice");
    // Nor are they counted: of octets that are drawn each place has more than a few values.
    for at in 0..16 {
        let values: BTreeSet<u8> = nonces.iter().map(|nonce| nonce[at]).collect();
        assert!(values.len() > COUNT / 4, "octet {at} has only {} values", values.len());
    }
}

/// What these connects have written.
#[track_caller]
fn connects(mut connect: impl FnMut(Taken)) {
    all_differ((0..COUNT).map(|_| {
        let taken = Taken::default();
        connect(taken.clone());
        let written = taken.0.lock().unwrap().clone();
        String::from_utf8(written).unwrap()
    }));
}

#[test]
fn req_6455_4_1_29_each_connect_draws_a_nonce() {
    let _watchdog = watchdog!();
    let settings = ClientConfig::new();
    connects(|stream| assert!(blocking::client(stream, request("ws://a/"), &settings).is_err()));
    connects(|stream| {
        let connect = on_tokio::client(stream, request("ws://a/"), &settings);
        assert!(runtime().block_on(connect).is_err());
    });
    connects(|stream| {
        let connect = futures_io::client(stream, request("ws://a/"), &settings);
        assert!(smol::block_on(connect).is_err());
    });
    connects(|stream| {
        let connect = polled::client(stream, request("ws://a/"), &settings);
        assert!(smol::block_on(connect).is_err());
    });
}

#[test]
fn each_dial_draws_a_nonce() {
    let _watchdog = watchdog!();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    for on_tokio in [false, true] {
        let listener = listener.try_clone().unwrap();
        let server = thread::spawn(move || {
            let heads = listener.incoming().take(COUNT).map(|stream| {
                let (mut stream, mut head) = (stream.unwrap(), Vec::new());
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    head.push(byte[0]);
                }
                String::from_utf8(head).unwrap()
            });
            heads.collect::<Vec<_>>()
        });
        let runtime = runtime();
        for _ in 0..COUNT {
            let result = if on_tokio {
                let config = ClientConfig::new();
                let connect = on_tokio::connect(request(&url), &config);
                runtime.block_on(connect).map(drop)
            } else {
                blocking::connect(request(&url), &ClientConfig::new()).map(drop)
            };
            assert!(result.is_err(), "the server hung up");
        }
        all_differ(server.join().unwrap());
    }
}
