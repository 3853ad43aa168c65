//! Uploads a file as one message, in constant memory however large it is, and prints the answer.
//!
//! `cargo run -p sockless-connect --release --example send_file -- wss://example.com/upload film.mkv`

use std::error::Error;
use std::io::{stderr, stdout, Write as _};
use std::path::PathBuf;

use clap::Parser;
use sockless_connect::{CloseCode, Connect, Receiver, Sender};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

#[derive(Parser)]
#[command(about = "Uploads a file as one message")]
struct Options {
    /// A `ws:` or `wss:` URL.
    url: String,
    file: PathBuf,
    /// Octets of a fragment.
    #[arg(long, value_name = "OCTETS", default_value_t = 65_536)]
    piece: usize,
    /// Offer compression: not worth it for what is packed already.
    #[arg(long)]
    compress: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut server = Connect::new(&options.url);
    if !options.compress {
        server = server.without_deflate();
    }
    let file = File::open(&options.file).await?;
    let (socket, _response) = server.connect().await.map_err(|error| error.to_string())?;
    let (mut receiver, mut sender) = socket.into_split();
    // Both at once: it is by receiving that the server's Pings are answered.
    let result = tokio::try_join!(send(&mut sender, file, options.piece), answer(&mut receiver));
    let _ = writeln!(stderr());
    match result {
        // Nothing that a server sends is to steer the terminal.
        Ok(((), answer)) => writeln!(stdout(), "{}", answer.replace(char::is_control, " "))?,
        Err(error) => {
            // A Close says more than that the connection is broken.
            while let Ok(Some(_)) = receiver.recv().await {}
            return Err(match receiver.received_close().and_then(|close| close.code()) {
                Some(code) => {
                    format!("the server has closed with {code}: {}", receiver.close_reason().escape_debug())
                        .into()
                }
                None => error,
            });
        }
    }
    sender.start_close(CloseCode::NORMAL).await?;
    while receiver.recv().await?.is_some() {}
    Ok(())
}

async fn send(sender: &mut Sender, mut file: File, piece: usize) -> Result<(), Box<dyn Error>> {
    let size = file.metadata().await?.len().max(1);
    let (mut buffer, mut sent, mut shown) = (vec![0; piece.max(1)], 0, 0);
    loop {
        let length = file.read(&mut buffer).await?;
        // An empty fragment is the last.
        sender.send_fragment(&buffer[..length], length == 0).await?;
        if length == 0 {
            return Ok(());
        }
        sent += length as u64;
        let percent = sent * 100 / size;
        if percent != shown {
            shown = percent;
            let _ = write!(stderr(), "\r{percent} %");
        }
    }
}

async fn answer(receiver: &mut Receiver) -> Result<String, Box<dyn Error>> {
    match receiver.recv().await? {
        Some(message) => Ok(message.as_text().unwrap_or("(bytes)").to_owned()),
        None => Err("the server has closed".into()),
    }
}
