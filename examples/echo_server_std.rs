//! An echo server on blocking sockets, a thread for each connection:
//! `cargo run --release --example echo_server_std -- --listen 127.0.0.1:9001`.

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use clap::Parser;
use compression::Compression;
use log::{announce, log};
use sockless::blocking::accept;
use sockless::handshake::OriginPolicy;
use sockless::CloseCode;
use sockless::{Connections, Error, ServerConfig};

#[path = "shared/compression.rs"]
mod compression;
#[path = "shared/log.rs"]
mod log;
#[path = "shared/signals.rs"]
mod signals;

#[derive(Parser)]
#[command(about = "Echoes every WebSocket message, on blocking sockets")]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    /// Connections at a time, each of which has a thread. Whoever comes then waits in the listener's backlog.
    #[arg(long, value_name = "COUNT", default_value = "1024")]
    max_connections: usize,
    #[command(flatten)]
    compression: Compression,
}

/// How long connections have to end in an orderly way once a signal came.
const LAST_WORDS: Duration = Duration::from_secs(5);

pub fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(&options.listen)?;
    announce(listener.local_addr())?;
    let places = Places::new(options.max_connections);
    let connections = Connections::new();
    // Any page may use an echo; a server with users would say `SameHost`.
    let config = ServerConfig::new(OriginPolicy::Any).with_connections(&connections);
    let mut config = config.with_tuning(options.compression.tuning());
    config.deflate = options.compression.policy();
    let config = Arc::new(config);
    let (address, stopped) = (listener.local_addr()?, Arc::clone(&places));
    signals::on_signal(move || {
        stopped.stop();
        // Accepting blocks: one more connection is what wakes it.
        let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    })?;
    while let Some(place) = places.take() {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            // One connection that failed, or too many open files: neither is a reason to end.
            Err(error) => {
                log(format_args!("accept: {error}"));
                thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        let config = Arc::clone(&config);
        let serving = thread::Builder::new().spawn(move || {
            let _place = place;
            if let Err(error) = serve(stream, &config) {
                log(format_args!("{peer}: {error}"));
            }
        });
        // The connection is lost, the server is not.
        if let Err(error) = serving {
            log(format_args!("{peer}: no thread: {error}"));
            thread::sleep(Duration::from_millis(50));
        }
    }
    drop(listener);
    connections.close_all_blocking(CloseCode::GOING_AWAY, "", LAST_WORDS);
    Ok(())
}

fn serve(stream: TcpStream, config: &ServerConfig) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut socket = accept(stream, config)?;
    // What one read brought is answered in one write: `feed` queues, and the next wait for input writes.
    while let Some((message, mut outgoing)) = socket.recv_with()? {
        outgoing.feed(message)?;
    }
    Ok(())
}

/// Places for connections.
struct Places {
    /// How many are free; nothing once no more are given.
    free: Mutex<Option<usize>>,
    changed: Condvar,
}

impl Places {
    fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(Some(count.max(1))), changed: Condvar::new() })
    }

    /// Waits until one is free; nothing if no more are given.
    fn take(self: &Arc<Self>) -> Option<Place> {
        let waited = self.changed.wait_while(self.free(), |free| *free == Some(0));
        *waited.unwrap_or_else(PoisonError::into_inner).as_mut()? -= 1;
        Some(Place(Arc::clone(self)))
    }

    /// No more are given.
    fn stop(&self) {
        *self.free() = None;
        self.changed.notify_all();
    }

    fn free(&self) -> MutexGuard<'_, Option<usize>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them, until it is dropped.
struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(free) = &mut *self.0.free() {
            *free += 1;
        }
        self.0.changed.notify_one();
    }
}
