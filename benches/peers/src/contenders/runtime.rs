//! What all servers on tokio share: one thread, one task a connection, the same socket options.

use std::future::Future;
use std::net::TcpListener;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tungstenite::handshake::derive_accept_key;

use crate::Result;

/// Accepts connections and gives each to a task of its own. What a task fails with ends its connection.
///
/// The tasks run without tokio's cooperative budget, as in the peers' own benchmarks.
pub fn serve<F>(listener: TcpListener, connection: impl Fn(TcpStream) -> F) -> Result
where
    F: Future<Output = Result> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connection = connection(stream);
            tokio::spawn(unconstrained(async {
                if let Err(error) = connection.await {
                    eprintln!("{error}");
                }
            }));
        }
    })
}

/// The opening handshake for libraries that leave it to an HTTP server.
pub async fn open(mut stream: TcpStream) -> Result<TcpStream> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Err("ended amid the opening handshake".into());
        }
    }
    let key = std::str::from_utf8(&head)?
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .ok_or("no key")?
        .1;
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.trim().as_bytes())
    );
    stream.write_all(response.as_bytes()).await?;
    Ok(stream)
}
