//! Connecting to a host that has several addresses (RFC 8305).
//
// Owns: the order of the addresses, and when the next one is tried.
// Must not know: how a connection is made, or how addresses are found.

use std::future::{poll_fn, Future};
use std::io;
use std::net::SocketAddr;
use std::pin::{pin, Pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::sleep;

/// How long one attempt goes on alone (RFC 8305 section 5).
pub(crate) const DELAY: Duration = Duration::from_millis(250);

/// These addresses with the families in turn, so that one family that does not work costs one delay (RFC 8305
/// section 4). The resolver has put the best address first; within a family its order is kept.
pub(crate) fn interleaved(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
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

/// The connection to the first of these addresses that answers.
///
/// Each next address is tried after [`DELAY`], or at once where an attempt has failed. The others go on meanwhile.
/// They are dropped when one has succeeded.
///
/// # Errors
///
/// The first error, if all fail.
pub(crate) async fn first_of<T, F: Future<Output = io::Result<T>>>(
    addresses: impl IntoIterator<Item = SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T> {
    let mut addresses = addresses.into_iter();
    let mut attempts: Vec<Pin<Box<F>>> = Vec::new();
    let mut failed = None;
    loop {
        let next = addresses.next();
        let all_are_tried = next.is_none();
        attempts.extend(next.map(|address| Box::pin(connect(address))));
        if attempts.is_empty() {
            return Err(failed.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()));
        }
        let mut delay = pin!(sleep(DELAY));
        let event = poll_fn(|cx| {
            for (at, attempt) in attempts.iter_mut().enumerate() {
                if let Poll::Ready(result) = attempt.as_mut().poll(cx) {
                    return Poll::Ready(Some((at, result)));
                }
            }
            match all_are_tried {
                true => Poll::Pending,
                false => delay.as_mut().poll(cx).map(|()| None),
            }
        });
        match event.await {
            Some((_, Ok(connection))) => return Ok(connection),
            Some((at, Err(error))) => {
                drop(attempts.swap_remove(at));
                failed.get_or_insert(error);
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
