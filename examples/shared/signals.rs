//! What ends a server: SIGINT, as Ctrl-C sends it, or SIGTERM.

use std::io;

/// Calls `end` when the first of them comes, and keeps what it holds. Who sends a second does not want to wait:
/// it ends the process.
#[cfg(unix)]
pub fn on_signal(end: impl Fn() + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            end();
        }
        if signals.next().is_some() {
            std::process::exit(1);
        }
    })?;
    Ok(())
}

/// There are none on this system.
#[cfg(not(unix))]
pub fn on_signal(_: impl Fn() + Send + 'static) -> io::Result<()> {
    Ok(())
}
