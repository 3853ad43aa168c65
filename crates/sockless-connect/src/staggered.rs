//! Connecting to a host that has several addresses (RFC 8305).
//
// Owns: the order of the addresses, and when the next one is tried.
// Must not know: how a connection is made, how one waits, or how addresses are found.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use std::vec;

/// How long one attempt goes on alone (RFC 8305 section 5).
const DELAY: Duration = Duration::from_millis(250);

/// Which address is tried next, and when: after [`DELAY`], or at once where an attempt has failed. The others go on
/// meanwhile, and end when one has succeeded.
pub(crate) struct Attempts {
    left: vec::IntoIter<SocketAddr>,
    running: usize,
    failed: Option<io::Error>,
}

/// What is to be done now.
pub(crate) struct Turn {
    /// Begin to connect to this address.
    pub(crate) begin: Option<SocketAddr>,
    /// Then wait so long for one of the attempts to end. `None` is no limit.
    pub(crate) wait: Option<Duration>,
}

impl Attempts {
    pub(crate) fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self { left: interleaved(addresses).into_iter(), running: 0, failed: None }
    }

    /// What is to be done first, when an attempt has failed, and when the wait is over.
    ///
    /// # Errors
    ///
    /// The first error, if all have failed.
    pub(crate) fn next(&mut self) -> io::Result<Turn> {
        let begin = self.left.next();
        self.running = self.running.saturating_add(begin.iter().len());
        match self.running {
            0 => Err(self.failed.take().unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())),
            _ => Ok(Turn { begin, wait: (self.left.len() > 0).then_some(DELAY) }),
        }
    }

    /// One of them has failed.
    pub(crate) fn failed(&mut self, error: io::Error) {
        self.running = self.running.saturating_sub(1);
        self.failed.get_or_insert(error);
    }
}

/// These addresses with the families in turn, so that one family that does not work costs one delay (RFC 8305
/// section 4). The resolver has put the best address first; within a family its order is kept.
fn interleaved(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = Vec::from_iter(addresses);
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let mut ranks = [0_usize; 2];
    // Of each family the first, then of each the second, and so on.
    addresses.sort_by_cached_key(|address| {
        let is_second = address.is_ipv6() != first_is_v6;
        let [first, second] = &mut ranks;
        let rank = if is_second { second } else { first };
        *rank = rank.saturating_add(1);
        (*rank, is_second)
    });
    addresses
}

#[cfg(test)]
mod tests;
