//! The two ways to connect, under one name: the servers are the same, and so is what is expected.

use std::io;
use std::time::Duration;

use sockless_connect::sockless::handshake::Negotiated;
use sockless_connect::{
    blocking, CloseCode, Closed, Connect, ConnectError, Error, OwnedMessage, Response, Socket,
};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Tokio,
    Blocking,
}

pub const WAYS: [Way; 2] = [Way::Tokio, Way::Blocking];

impl Way {
    pub async fn connect(self, connect: &Connect) -> Result<(AnySocket, Response), ConnectError> {
        match self {
            Self::Tokio => {
                connect.connect().await.map(|(socket, response)| (AnySocket::Tokio(socket), response))
            }
            Self::Blocking => {
                let connect = connect.clone();
                let connected = spawn_blocking(move || connect.connect_blocking()).await.unwrap();
                connected.map(|(socket, response)| (AnySocket::Blocking(Some(socket)), response))
            }
        }
    }
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum AnySocket {
    Tokio(Socket),
    /// `None` while another thread has it.
    Blocking(Option<blocking::Socket>),
}

/// Does this on another thread, so that the servers of this one go on.
async fn elsewhere<T: Send + 'static>(
    socket: &mut Option<blocking::Socket>,
    operation: impl FnOnce(&mut blocking::Socket) -> T + Send + 'static,
) -> T {
    let mut taken = socket.take().unwrap();
    let doing = spawn_blocking(move || {
        let done = operation(&mut taken);
        (taken, done)
    });
    let (taken, done) = doing.await.unwrap();
    *socket = Some(taken);
    done
}

/// Asks the socket, whichever it is.
macro_rules! each {
    ($this:expr, $socket:ident => $question:expr) => {
        match $this {
            AnySocket::Tokio($socket) => $question,
            AnySocket::Blocking($socket) => {
                let $socket = $socket.as_ref().unwrap();
                $question
            }
        }
    };
}

impl AnySocket {
    pub async fn send(&mut self, text: &str) -> Result<(), Error> {
        match self {
            Self::Tokio(socket) => socket.send(text).await,
            Self::Blocking(socket) => {
                let text = String::from(text);
                elsewhere(socket, move |socket| socket.send(text.as_str())).await
            }
        }
    }

    pub async fn send_fragment(&mut self, octets: &'static [u8], fin: bool) -> Result<(), Error> {
        match self {
            Self::Tokio(socket) => socket.send_fragment(octets, fin).await,
            Self::Blocking(socket) => {
                elsewhere(socket, move |socket| socket.send_fragment(octets, fin)).await
            }
        }
    }

    /// Takes what is there, and waits for nothing.
    pub async fn look(&mut self) {
        match self {
            Self::Tokio(socket) => assert!(timeout(Duration::ZERO, socket.recv()).await.is_err()),
            Self::Blocking(socket) => {
                elsewhere(socket, |socket| {
                    let looked = socket.recv_timeout(Duration::ZERO).map(drop);
                    let late = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
                    assert!(matches!(&looked, Err(Error::Io(error)) if late(error)), "{looked:?}");
                })
                .await
            }
        }
    }

    pub async fn recv(&mut self) -> Result<Option<OwnedMessage>, Error> {
        match self {
            Self::Tokio(socket) => Ok(socket.recv().await?.map(|message| message.into_owned())),
            Self::Blocking(socket) => {
                elsewhere(socket, |socket| Ok(socket.recv()?.map(|message| message.into_owned()))).await
            }
        }
    }

    pub async fn close(&mut self, code: CloseCode) -> Result<Option<Closed>, Error> {
        match self {
            Self::Tokio(socket) => socket.close(code).await,
            Self::Blocking(socket) => elsewhere(socket, move |socket| socket.close(code)).await,
        }
    }

    pub fn closed(&self) -> Option<Closed> {
        each!(self, socket => socket.closed())
    }

    pub fn subprotocol(&self) -> Option<&str> {
        each!(self, socket => socket.subprotocol())
    }

    pub fn negotiated(&self) -> Negotiated {
        each!(self, socket => socket.negotiated())
    }

    /// Whether small messages do not wait, and the address of the peer. `None` if there is no TCP to be seen.
    pub fn nodelay_and_peer(&self) -> Option<(bool, String)> {
        each!(self, socket => {
            let tcp = socket.get_ref().tcp_stream()?;
            Some((tcp.nodelay().unwrap(), tcp.peer_addr().unwrap().to_string()))
        })
    }
}
