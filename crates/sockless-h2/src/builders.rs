//! Settings of a connection that carries WebSockets.
//
// Owns: how large windows are.
// Must not know: what is sent in them.

use sockless::handshake::HeadLimits;

/// Octets that may wait unread on one stream: its window. And octets that wait on it to be sent.
pub const STREAM_WINDOW: u32 = 64 << 10;

/// Settings for a server's connection of so many streams at a time: extended CONNECT is allowed (RFC 8441 section 3), and the
/// windows are such that a stream which nobody reads stops itself and no other.
///
/// All streams share the window of their connection. In HTTP/2 it begins with as much as the window of *one* stream, 65,535
/// octets: then one stream that is not read stops all. Here it has room for each: [`STREAM_WINDOW`] times `streams`. That is also
/// the most that a client can put into memory, before the buffers of the sockets. As much again may wait to be sent.
///
/// The head of a request may have 16 KiB.
///
/// ```no_run
/// # async fn example(stream: tokio::net::TcpStream) -> Result<(), h2::Error> {
/// let connection = sockless_h2::server_builder(100).handshake::<_, bytes::Bytes>(stream).await?;
/// # Ok(())
/// # }
/// ```
pub fn server_builder(streams: u32) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .enable_connect_protocol()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(connection_window(streams))
        .max_concurrent_streams(streams)
        .max_header_list_size(MAX_HEAD)
        .max_send_buffer_size(STREAM_WINDOW as usize);
    builder
}

/// The same for a client, which opens so many streams at a time. It takes no push.
pub fn client_builder(streams: u32) -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(connection_window(streams))
        .max_header_list_size(MAX_HEAD)
        .max_send_buffer_size(STREAM_WINDOW as usize);
    builder
}

const MAX_HEAD: u32 = HeadLimits::STORAGE as u32;

/// RFC 9113 section 6.9.1 bounds it.
fn connection_window(streams: u32) -> u32 {
    STREAM_WINDOW.saturating_mul(streams.max(1)).min((1 << 31) - 1)
}
