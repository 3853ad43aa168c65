//! What ends the program in order: SIGINT, as Ctrl-C sends it, or SIGTERM.

use std::process::exit;

/// The status of shells for what SIGINT has ended.
const INTERRUPTED: i32 = 130;

/// Waits for the first of them. Who sends a second does not want to wait: it ends the process.
pub async fn interrupt() {
    signal().await;
    tokio::spawn(async {
        signal().await;
        exit(INTERRUPTED);
    });
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{signal, SignalKind};

    // Where one cannot be waited for, it ends the process as ever.
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    match (interrupt, terminate) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        _ => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
