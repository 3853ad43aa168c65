//! Sends a line through the proxy of the company, and prints the answer.
//!
//! `cargo run -p sockless-connect --example through_proxy -- wss://example.com/echo --proxy http://user:password@proxy:3128`
//!
//! Without `--proxy` the environment is asked: `HTTPS_PROXY`, `NO_PROXY` and so on. Exits with 2 if the proxy wants
//! credentials.

use std::error::Error;
use std::io::{stderr, stdout, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sockless_connect::{CloseCode, Connect, ConnectError, Proxy, ProxyError, Tls};

#[derive(Parser)]
#[command(about = "Sends a line through a proxy, and prints the answer")]
struct Options {
    /// A `ws:` or `wss:` URL.
    url: String,
    /// What is sent.
    #[arg(default_value = "Hello")]
    line: String,
    /// `host:port`, or a URL with `http:`, `https:`, `socks5:` or `socks5h:`.
    #[arg(long, value_name = "URL")]
    proxy: Option<Proxy>,
    /// Trust these authorities as well.
    #[arg(long, value_name = "PEM")]
    cacert: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse();
    let mut server = Connect::new(&options.url);
    if let Some(path) = &options.cacert {
        server = server.with_tls(Tls::new().with_root_pem(std::fs::read(path)?)?);
    }
    server = match options.proxy {
        Some(proxy) => server.with_proxy(proxy),
        None => server.with_proxy_from_environment(),
    };
    let mut socket = match server.connect().await {
        Ok((socket, _response)) => socket,
        Err(ConnectError::Proxy(ProxyError::Rejected(response))) if response.status() == 407 => {
            for challenge in response.challenges() {
                writeln!(stderr(), "the proxy wants {} credentials", challenge.scheme())?;
            }
            return Ok(ExitCode::from(2));
        }
        Err(error) => {
            writeln!(stderr(), "{error}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    socket.send(&options.line).await?;
    if let Some(message) = socket.recv().await? {
        // Nothing that a server sends is to steer the terminal.
        writeln!(stdout(), "{}", message.as_text().unwrap_or("(bytes)").replace(char::is_control, " "))?;
    }
    socket.close(CloseCode::NORMAL).await?;
    Ok(ExitCode::SUCCESS)
}
