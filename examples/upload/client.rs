//! The client: it sends the file, and prints what the server says meanwhile. Two halves, so that neither waits for the other.

use std::io::{self, Write as _};
use std::path::Path;

use sockless::{tokio::connect, ClientConfig, Error};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

/// Sends the file, and hears how far it came.
pub async fn send(path: &Path, url: &str) -> Result<(), Error> {
    let mut file = File::open(path).await?;
    let size = file.metadata().await?.len();
    let (mut receiver, mut sender) = connect(url, &ClientConfig::new()).await?.into_split();
    let sending = async {
        let mut buf = vec![0; 64 << 10];
        loop {
            let read = file.read(&mut buf).await?;
            sender.send_fragment(&buf[..read], read == 0).await?;
            if read == 0 {
                return Ok(());
            }
        }
    };
    let hearing = async {
        while let Some(message) = receiver.recv().await? {
            // Nothing that a server sends is to steer the terminal.
            let heard = message.as_text().unwrap_or_default().replace(char::is_control, " ");
            let _ = writeln!(io::stdout(), "{heard} of {size}");
        }
        // If not, it has not stored the file.
        match receiver.closed().map(|closed| closed.status) {
            Some(1000) => Ok(()),
            status => Err(io::Error::other(format!("the server ended it with {status:?}")).into()),
        }
    };
    tokio::try_join!(sending, hearing).map(drop)
}
