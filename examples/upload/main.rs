//! A file goes to a server, which says how far it came. `cargo run --release --example upload -- serve --folder FOLDER` is the
//! server, and `upload -- send FILE ws://127.0.0.1:9001/` a client.
//!
//! The client sends the file as one message in fragments. The server writes each piece to disk before it reads the next, so
//! neither holds more than a piece, however large the file is and however slow the disk. For each MiB it answers with the
//! number of bytes that it has, and at the end with the SHA-256 of what it stored, which is also its name. A file that does
//! not come whole is removed.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use sha2::{Digest as _, Sha256};
use sockless::handshake::OriginPolicy;
use sockless::tokio::{accept, ServerSocket};
use sockless::{CloseCode, Error, ServerConfig};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

mod client;

#[derive(Parser)]
enum Options {
    /// Stores what clients send.
    Serve {
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
        listen: String,
        #[arg(long)]
        folder: PathBuf,
        /// Bytes of the largest file.
        #[arg(long, value_name = "BYTES", default_value = "1073741824")]
        max_size: u64,
    },
    /// Sends a file.
    Send { file: PathBuf, url: String },
}

const STEP: u64 = 1 << 20;

#[tokio::main]
async fn main() -> Result<(), Error> {
    match Options::parse() {
        Options::Serve { listen, folder, max_size } => serve(&listen, folder, max_size).await,
        Options::Send { file, url } => client::send(&file, &url).await,
    }
}

async fn serve(listen: &str, folder: PathBuf, max_size: u64) -> Result<(), Error> {
    let listener = TcpListener::bind(listen).await?;
    let _ = writeln!(io::stdout(), "listening on {}", listener.local_addr()?);
    for number in 0_u64.. {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await; // too many open files, perhaps
            continue;
        };
        let (folder, part) = (folder.clone(), folder.join(format!("{}-{number}.part", std::process::id())));
        let config = ServerConfig::new(OriginPolicy::SameHost).with_max_message_size(max_size);
        tokio::spawn(async move {
            let stored = async { store(accept(stream, &config).await?, &folder, &part).await }.await;
            let _ = fs::remove_file(&part).await; // it is there only if something failed
            stored.map_err(|error| writeln!(io::stderr(), "{peer}: {error}"))
        });
    }
    Ok(())
}

async fn store(mut socket: ServerSocket, folder: &Path, part: &Path) -> Result<(), Error> {
    let mut file = File::create(part).await?;
    let (mut hash, mut size, mut told) = (Sha256::new(), 0, 0);
    while let Some(piece) = socket.recv_piece().await? {
        file.write_all(piece.as_bytes()).await?;
        hash.update(piece.as_bytes());
        size += piece.as_bytes().len() as u64;
        if piece.is_last() {
            file.sync_all().await?;
            let name = hex::encode(hash.finalize());
            fs::rename(part, folder.join(&name)).await?;
            socket.send(&format!("stored {size} {name}")).await?;
            return socket.close(CloseCode::NORMAL).await.map(drop);
        }
        if size - told >= STEP {
            told = size;
            socket.send(&format!("received {size}")).await?;
        }
    }
    Ok(())
}
