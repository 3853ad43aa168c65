//! A WebSocket server on a Cortex-M4: no operating system, no allocator, three buffers.
//!
//! It waits on a serial port for the opening handshake, echoes every message in pieces as they come, however
//! long the message is, and resets the board once the connection has ended.
#![no_std]
#![no_main]

mod board;

use core::convert::Infallible;
use core::mem::size_of;
use core::panic::PanicInfo;

use board::Uart;
use cortex_m_rt::entry;
#[cfg(feature = "handshake")]
use sockless::embedded_io::{accept, ServerConfig};
use sockless::embedded_io::{Error, FixedBuffers, WebSocket};
#[cfg(feature = "handshake")]
use sockless::handshake::OriginPolicy;
use sockless::{Event, Payload, Server};

type Socket<'b> = WebSocket<'b, Uart, Server>;

/// What one connection takes beside its buffers, for whoever reads the image.
#[no_mangle]
#[used]
static CONNECTION_BYTES: usize = size_of::<Socket<'static>>();

#[entry]
fn main() -> ! {
    static mut HEAD: [u8; 1024] = [0; 1024];
    static mut READ: [u8; 512] = [0; 512];
    static mut WRITE: [u8; 512] = [0; 512];
    if let Ok(buffers) = FixedBuffers::new(READ, WRITE) {
        // Whatever went wrong, the peer was told.
        let _ = open(Uart::new(), HEAD, buffers).and_then(echo);
    }
    board::reset()
}

#[cfg(feature = "handshake")]
fn open<'b>(uart: Uart, head: &mut [u8], buffers: FixedBuffers<'b>) -> Result<Socket<'b>, Error<Infallible>> {
    accept(uart, &ServerConfig::new(OriginPolicy::SameHost), head, buffers)
}

#[cfg(not(feature = "handshake"))]
fn open<'b>(uart: Uart, _: &mut [u8], buffers: FixedBuffers<'b>) -> Result<Socket<'b>, Error<Infallible>> {
    Ok(WebSocket::new(uart, Server, sockless::Config::new(), buffers))
}

fn echo(mut socket: Socket<'_>) -> Result<(), Error<Infallible>> {
    while let Some((event, mut outgoing)) = socket.recv_with()? {
        let Event::Data(data) = event else { continue };
        #[cfg(feature = "control_panic")]
        assert_ne!(data.as_bytes()[0], b'!');
        if let Some(payload) = Payload::forward(&data) {
            outgoing.feed_fragment(payload, data.is_last())?;
        }
    }
    Ok(())
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
