//! Sockets that send as soon as they can.
//!
//! A congestion control that paces (BBR) spreads what is written over timers, by what it believes of the path: a
//! server then takes up to twice as long for a large message in one process as in the next, whoever wrote it. Reno
//! does not, and every Linux has it.

use socket2::SockRef;

use crate::Result;

/// Takes pacing off a socket, and off those that it accepts.
#[cfg(target_os = "linux")]
pub fn off<'s>(socket: impl Into<SockRef<'s>>) -> Result {
    Ok(socket.into().set_tcp_congestion(b"reno")?)
}

/// Nothing is known of it elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn off<'s>(_: impl Into<SockRef<'s>>) -> Result {
    Ok(())
}
