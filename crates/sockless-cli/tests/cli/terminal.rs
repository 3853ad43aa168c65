//! What a terminal is shown. It is one that this process has made.
#![cfg(unix)]

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};

use rustix::pty::{grantpt, openpt, ptsname, unlockpt, OpenptFlags};
use tokio::task::spawn_blocking;

use crate::support::{command, echo, server};

/// What the program writes to a terminal, both as output and as errors.
async fn on_terminal(mut program: Command) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let end = OpenOptions::new().read(true).write(true).open(name).unwrap();
    program.env("TERM", "xterm").stdin(Stdio::null()).stdout(end.try_clone().unwrap()).stderr(end);
    let mut child = program.spawn().unwrap();
    // Its copies of the other end, or reading would never be over.
    drop(program);
    let reading = spawn_blocking(move || {
        let mut text = Vec::new();
        match File::from(terminal).read_to_end(&mut text) {
            // So Linux says that nobody has the other end any more.
            Err(error) if error.raw_os_error() != Some(5) => panic!("{error}"),
            _ => String::from_utf8(text).unwrap().replace("\r\n", "\n"),
        }
    });
    let text = reading.await.unwrap();
    child.wait().unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_message_steers_it() {
    let _watchdog = watchdog!();
    let url = server(|mut socket| async move {
        socket.send("a\u{1b}]0;title\u{7}\r\nb\u{9b}2J\u{202e}c\t\u{e9}").await.unwrap();
        socket.send(b"\x1b[2J").await.unwrap();
        let code = sockless_connect::CloseCode::new(4000).unwrap();
        let _ = socket.close((code, "\u{1b}[2J")).await;
    });
    let url = url.await;
    for mode in ["--lines", "--text", "--binary"] {
        let shown = on_terminal(command(&["connect", "--no-close", mode, &url])).await;
        let messages = "a\\u{1b}]0;title\\u{7}\\r\\nb\\u{9b}2J\\u{202e}c\\t\u{e9}\n1b5b324a\n";
        let error = "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m the peer closed with 4000: \\u{1b}[2J\n";
        assert_eq!(shown, format!("{messages}{error}"));
    }
    let mut plain = command(&["connect", "--no-close", &url]);
    plain.env("NO_COLOR", "1");
    assert!(!on_terminal(plain).await.contains('\u{1b}'));
}

/// One line that is written again and again, and gone when the table comes.
#[tokio::test(flavor = "multi_thread")]
async fn bench_shows_how_far_it_is() {
    let _watchdog = watchdog!();
    let shown = on_terminal(command(&["bench", "--duration", "700ms", &echo().await])).await;
    let (progress, table) = shown.rsplit_once("\r\u{1b}[K").unwrap();
    assert!(progress.contains(" s of 0.7 s, ") && !progress.contains('\n'), "{shown:?}");
    assert!(table.starts_with("connections") && !table.contains('\u{1b}'), "{shown:?}");
}
