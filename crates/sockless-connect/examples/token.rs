//! Shows a token to a server in one of three ways, and prints what it sends. A token that has expired is renewed once for
//! each refusal, by a program of yours.
//!
//! `cargo run -p sockless-connect --example token -- wss://example.com/feed --renew ./print-token`

use std::error::Error;
use std::io::{stderr, stdout, Write as _};
use std::process::Command;

use clap::{Parser, ValueEnum};
use sockless_connect::{Connect, ConnectError};

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Way {
    /// In the field `Authorization`.
    Bearer,
    /// In a cookie `session`.
    Cookie,
    /// As the first message.
    First,
}

#[derive(Parser)]
#[command(about = "Shows a token to a server, and prints what that sends")]
struct Options {
    /// A `ws:` or `wss:` URL.
    url: String,
    /// The token. Without it, the one that `--renew` prints.
    #[arg(long, env = "TOKEN", default_value = "")]
    token: String,
    #[arg(long, value_enum, default_value = "bearer")]
    way: Way,
    /// A program that prints a new token.
    #[arg(long, value_name = "PROGRAM")]
    renew: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Options { url, mut token, way, renew } = Options::parse();
    let server = |token: &str| match way {
        Way::Bearer => Connect::new(&url).with_bearer(token),
        Way::Cookie => Connect::new(&url).with_cookie("session", token),
        Way::First => Connect::new(&url),
    };
    let mut is_new = false;
    let mut feed = server(&token).reconnecting();
    loop {
        match feed.next().await {
            Ok(Some((socket, _response))) => {
                if way == Way::First && socket.send(&token).await.is_err() {
                    continue;
                }
                while let Ok(Some(message)) = socket.recv().await {
                    is_new = false;
                    // Nothing that a server sends is to steer the terminal.
                    writeln!(
                        stdout(),
                        "{}",
                        message.as_text().unwrap_or("(bytes)").replace(char::is_control, " ")
                    )?;
                }
            }
            Ok(None) => return Ok(()),
            Err(error) if is_new || !is_expired(&error) => return Err(error.to_string().into()),
            Err(error) => {
                let _ = writeln!(stderr(), "{error}");
                let Some(program) = &renew else { return Err("the token is not accepted".into()) };
                token = String::from_utf8(Command::new(program).output()?.stdout)?.trim().to_owned();
                is_new = true;
                feed.set_connect(server(&token));
            }
        }
    }
}

/// Whether the server does not take the token. Many close with 1008, some with a code of their own.
fn is_expired(error: &ConnectError) -> bool {
    match error {
        ConnectError::Rejected(response) => response.status() == 401,
        ConnectError::Closed { status, .. } => matches!(status, 1008 | 3000 | 4401),
        _ => false,
    }
}
