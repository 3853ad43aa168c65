//! The adapters in lent buffers, each on a transport that is two arrays: a server that echoes, a client that closes, and
//! with the handshake both openings.

use core::convert::Infallible;

use embedded_io::ErrorType;
#[cfg(feature = "handshake")]
use sockless::handshake::{client::ClientRequest, OriginPolicy, Uri};
use sockless::message::SliceAssembler;
use sockless::{
    Client, CloseCode, Config, ControlPayload, EntropyError, Event, Message, MessageKind, Payload, Server,
};

/// Reads its input, and keeps what is written.
struct Arrays<'i> {
    incoming: &'i [u8],
    written: [u8; 512],
    len: usize,
}

impl<'i> Arrays<'i> {
    fn new(incoming: &'i [u8]) -> Self {
        Self { incoming, written: [0; 512], len: 0 }
    }

    fn written(&self) -> &[u8] {
        self.written.get(..self.len).unwrap_or(&[])
    }

    fn do_read(&mut self, buf: &mut [u8]) -> usize {
        let count = buf.len().min(self.incoming.len()).min(7);
        let Some((taken, rest)) = self.incoming.split_at_checked(count) else { return 0 };
        buf.iter_mut().zip(taken).for_each(|(to, from)| *to = *from);
        self.incoming = rest;
        count
    }

    fn do_write(&mut self, bytes: &[u8]) -> usize {
        let spare = self.written.get_mut(self.len..).unwrap_or(&mut []);
        spare.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let count = bytes.len().min(spare.len());
        self.len += count;
        count
    }
}

impl ErrorType for Arrays<'_> {
    type Error = Infallible;
}

#[cfg(feature = "embedded-io")]
impl embedded_io::Read for Arrays<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.do_read(buf))
    }
}

#[cfg(feature = "embedded-io")]
impl embedded_io::Write for Arrays<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(self.do_write(bytes))
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(feature = "embedded-io-async")]
impl embedded_io_async::Read for Arrays<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.do_read(buf))
    }
}

#[cfg(feature = "embedded-io-async")]
impl embedded_io_async::Write for Arrays<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(self.do_write(bytes))
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn keys(dest: &mut [u8]) -> Result<(), EntropyError> {
    dest.fill(0x55);
    Ok(())
}

/// What follows is the same for both adapters; `$wait` brings an operation to its end.
macro_rules! adapter {
    ($adapter:ident, $($async:ident)?, ($($wait:tt)*)) => {
        #[cfg(feature = "handshake")]
        use sockless::$adapter::{accept, client, ClientConfig, ServerConfig};
        use sockless::$adapter::{FixedBuffers, WebSocket};

        /// Every operation of the adapter.
        pub $($async)? fn all(frames: &[u8], zero: usize) -> Option<bool> {
            let mut done = echo(frames)$($wait)*? && whole(frames)$($wait)*? && talks_first(zero)$($wait)*?;
            #[cfg(feature = "handshake")]
            {
                done = done && opening(zero)$($wait)*?;
            }
            Some(done)
        }

        $($async)? fn echo(frames: &[u8]) -> Option<bool> {
            let (mut read, mut write) = ([0; 16], [0; FixedBuffers::MIN_WRITE]);
            let buffers = FixedBuffers::new(&mut read, &mut write).ok()?;
            let mut socket = WebSocket::new(Arrays::new(frames), Server, Config::new(), buffers);
            while let Some((event, mut outgoing)) = socket.recv_with()$($wait)*.ok()? {
                let Event::Data(data) = event else { continue };
                let payload = Payload::forward(&data)?;
                outgoing.feed_fragment(payload, data.is_last())$($wait)*.ok()?;
            }
            let clean = socket.closed()?.clean;
            Some(clean && socket.into_inner().written().ends_with(b"\x8a\x05Hello\x88\x02\x03\xe8"))
        }

        $($async)? fn whole(frames: &[u8]) -> Option<bool> {
            let (mut read, mut write, mut storage) = ([0; 3], [0; FixedBuffers::MIN_WRITE], [0; 16]);
            let buffers = FixedBuffers::new(&mut read, &mut write).ok()?;
            let mut assembler = SliceAssembler::new(&mut storage);
            let mut socket = WebSocket::new(Arrays::new(frames), Server, Config::new(), buffers);
            let message = socket.recv_message(&mut assembler)$($wait)*.ok()?;
            let hello = message == Some(Message::Text("Hello"));
            // What does not fit a buffer is sent in pieces.
            socket.send(&[7; 300])$($wait)*.ok()?;
            let closed = socket.close(CloseCode::NORMAL)$($wait)*.ok()??;
            Some(hello && closed.clean)
        }

        $($async)? fn talks_first(zero: usize) -> Option<bool> {
            let (mut read, mut write) = ([0; 16], [0; FixedBuffers::MIN_WRITE]);
            let buffers = FixedBuffers::new(&mut read, &mut write).ok()?;
            let stream = Arrays::new(b"\x83\x00".get(zero..)?);
            let mut socket = WebSocket::new(stream, Client::new(keys), Config::new(), buffers);
            socket.ping(ControlPayload::new(b"there?")?)$($wait)*.ok()?;
            let mut outgoing = socket.outgoing();
            outgoing.begin_frame(MessageKind::Text, true, 5)$($wait)*.ok()?;
            outgoing.feed_payload(b"Hello")$($wait)*.ok()?;
            let failed = socket.recv()$($wait)*.is_err();
            Some(failed && socket.into_inner().len == 12 + 11 + 8)
        }

        #[cfg(feature = "handshake")]
        $($async)? fn opening(zero: usize) -> Option<bool> {
            const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
            let (mut read, mut write, mut storage) = ([0; 64], [0; 256], [0; 512]);
            let buffers = FixedBuffers::new(&mut read, &mut write).ok()?;
            let mut stream = Arrays::new(REQUEST.get(zero..)?);
            let options = ServerConfig::new(OriginPolicy::SameHost);
            let accepted = accept(&mut stream, &options, &mut storage, buffers)$($wait)*.is_ok();

            let response = stream.written();
            let buffers = FixedBuffers::new(&mut read, &mut write).ok()?;
            let mut stream = Arrays::new(response);
            let request = ClientRequest::new(Uri::parse("ws://h/").ok()?);
            let sample = |dest: &mut [u8]| -> Result<(), EntropyError> {
                dest.iter_mut().zip(b"the sample nonce").for_each(|(to, from)| *to = *from);
                Ok(())
            };
            let settings = ClientConfig::new();
            let opened = client(&mut stream, request, sample, &settings, &mut storage, buffers)$($wait)*;
            Some(accepted && opened.is_ok())
        }
    };
}

#[cfg(feature = "embedded-io")]
pub mod blocking {
    use super::*;
    adapter!(embedded_io, , ());
}

#[cfg(feature = "embedded-io-async")]
pub mod asynchronous {
    use super::*;
    adapter!(embedded_io_async, async, (.await));

    /// The transport never waits, so one poll is enough.
    pub fn poll_all(frames: &[u8], zero: usize) -> Option<bool> {
        use core::future::Future;
        use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
        const VTABLE: RawWakerVTable =
            RawWakerVTable::new(|data| RawWaker::new(data, &VTABLE), |_| (), |_| (), |_| ());
        // SAFETY: the functions do nothing with the pointer.
        let waker = unsafe { Waker::from_raw(RawWaker::new(core::ptr::null(), &VTABLE)) };
        match core::pin::pin!(all(frames, zero)).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => done,
            Poll::Pending => None,
        }
    }
}
