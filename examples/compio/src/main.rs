//! An echo server on a completion-based runtime: the kernel owns a buffer from the start of an operation to
//! its end, so the engine's own buffers are never lent to it. `cargo run --release -- --listen 127.0.0.1:9001`.
//!
//! A read and a write are under way at the same time, each with a buffer of its own; what was read is copied
//! into the engine's space, and what waits is copied out of its queue. What is being written stays queued
//! until it was written, so that the queue's bound and the end of the connection mean what they say. Neither
//! operation is ever cancelled while the connection lives: with completions, a cancelled read may lose what
//! came.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_channel::Receiver;
use clap::Parser;
use compio::BufResult;
use compio::driver::{DriverType, ProactorBuilder};
use compio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::RuntimeBuilder;
use compio::time::{sleep, timeout};
use compression::Compression;
use futures_util::future::{Fuse, FutureExt};
use log::{announce, log};
use sockless::deflate::{Policy, Pool, Tuning};
use sockless::endpoint::{
    Action, Buffers, Compressing, Endpoint, Fed, FeedError, Outbound, Ready, WriteSide,
};
use sockless::handshake::HeadLimits;
use sockless::handshake::server::{Reject, ServerHandshake};
use sockless::message::{Message, OwnedMessage};
use sockless::{CloseCode, Config, Server, Timeouts, Timestamp, Wake};

#[path = "../../shared/compression.rs"]
mod compression;
#[path = "../../shared/log.rs"]
mod log;
#[path = "../../shared/opening.rs"]
mod opening;
#[path = "../../shared/signals.rs"]
mod signals;

#[derive(Parser)]
#[command(about = "Echoes every WebSocket message, on io_uring")]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,
    /// Poll, even where the kernel allows io_uring.
    #[arg(long)]
    polling: bool,
    #[command(flatten)]
    compression: Compression,
}

const TIMEOUTS: Timeouts = Timeouts::SERVER;
const OPENING: Duration = TIMEOUTS.opening.expect("an opening has an end");
/// Octets of a read.
const READ: usize = 16 << 10;
/// Octets of a write, at most.
const WRITE: usize = 64 << 10;
/// Octets that are read after a refusal, at most.
const MAX_DRAINED: usize = 1 << 20;
/// How long a peer that was too late has to take the refusal.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// How long connections have to end in an orderly way once a signal came.
const LAST_WORDS: Duration = Duration::from_secs(5);

fn main() -> io::Result<()> {
    let options = Options::parse();
    let mut proactor = ProactorBuilder::new();
    if options.polling {
        proactor.driver_type(DriverType::Poll);
    }
    let runtime = RuntimeBuilder::new().with_proactor(proactor).build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(&options.listen).await?;
        announce(listener.local_addr())?;
        log(format_args!("driver: {:?}", runtime.driver_type()));
        let (policy, tuning) = (options.compression.policy(), options.compression.tuning());
        let pool = Rc::new(Pool::default());
        // Nothing is sent in either. The signal closes the first; the second is closed once no connection is left.
        let (signal, signalled) = async_channel::bounded::<Infallible>(1);
        let (alive, gone) = async_channel::bounded::<Infallible>(1);
        signals::on_signal(move || {
            signal.close();
        })?;
        let mut end = pin!(closed(&signalled).fuse());
        loop {
            let accepted = futures_util::select_biased! {
                () = end => break,
                accepted = pin!(listener.accept().fuse()) => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                // One connection that failed, or too many open files: neither is a reason to end.
                Err(error) => {
                    log(format_args!("accept: {error}"));
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (pool, alive, signalled) = (Rc::clone(&pool), alive.clone(), signalled.clone());
            let serving = async move {
                if let Err(error) = serve(stream, peer, policy, tuning, &pool, &signalled).await {
                    log(format_args!("{peer}: {error}"));
                }
                drop(alive);
            };
            compio::runtime::spawn(serving).detach();
        }
        drop((listener, alive));
        let _ = timeout(LAST_WORDS, closed(&gone)).await;
        Ok(())
    })
}

/// Waits until the channel is closed.
async fn closed(channel: &Receiver<Infallible>) {
    let _ = channel.recv().await;
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    policy: Option<Policy>,
    tuning: Tuning,
    pool: &Pool,
    signalled: &Receiver<Infallible>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let opening = timeout(OPENING, open(&stream, policy, tuning, pool));
    let opened = futures_util::select_biased! {
        () = pin!(closed(signalled).fuse()) => return Ok(()), // nothing has been agreed on
        opened = pin!(opening.fuse()) => opened,
    };
    match opened {
        Ok(opened) => match opened? {
            Some(endpoint) => converse(&stream, peer, endpoint, signalled).await,
            None => Ok(()),
        },
        Err(late) => {
            let mut response = Vec::new();
            opening::refuse(&Reject::new(408).expect("a status"), &mut response);
            let _ = timeout(LAST_ANSWER, refuse(&stream, response)).await;
            Err(io::Error::other(late))
        }
    }
}

/// The opening handshake; nothing if it was refused.
async fn open(
    stream: &TcpStream,
    policy: Option<Policy>,
    tuning: Tuning,
    pool: &Pool,
) -> io::Result<Option<Endpoint<Server>>> {
    let mut head = vec![0; HeadLimits::STORAGE];
    let mut handshake = ServerHandshake::new(&mut head, HeadLimits::DEFAULT);
    let mut input = Vec::with_capacity(READ);
    loop {
        input = read(stream, input).await?;
        if input.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut response = Vec::new();
        match opening::open(&mut handshake, &input, policy.as_ref(), &mut response) {
            opening::Opening::NeedMore => {}
            opening::Opening::Open(session, taken) => {
                write(stream, response).await?;
                let config = Config::new().with_timeouts(TIMEOUTS);
                let endpoint = Endpoint::new(Server, config, Buffers::DEFAULT, &input[taken..]);
                return Ok(Some(match &session.deflate {
                    Some(params) => endpoint.with_deflate(params, tuning, Some(pool)),
                    None => endpoint,
                }));
            }
            opening::Opening::Refused => {
                refuse(stream, response).await?;
                return Ok(None);
            }
        }
    }
}

/// Writes a refusal, and reads on, so that no reset overtakes it.
async fn refuse(stream: &TcpStream, response: Vec<u8>) -> io::Result<()> {
    let mut input = write(stream, response).await?;
    let _ = (&*stream).shutdown().await;
    let mut left = MAX_DRAINED;
    while !input.is_empty() && left > 0 {
        input = read(stream, input).await?;
        left = left.saturating_sub(input.len());
    }
    Ok(())
}

/// Echoes until the connection has ended.
async fn converse(
    stream: &TcpStream,
    peer: SocketAddr,
    mut endpoint: Endpoint<Server>,
    signalled: &Receiver<Infallible>,
) -> io::Result<()> {
    let clock = Instant::now();
    let now = || Timestamp::from_duration(clock.elapsed());
    let mut reading = pin!(Fuse::terminated());
    let mut writing = pin!(Fuse::terminated());
    let mut end = pin!(closed(signalled).fuse());
    // Each is here, or with the kernel.
    let mut input = Some(Vec::with_capacity(READ));
    let mut output = Some(Vec::new());
    // The echo that found the queue full, or is still being compressed. Nothing is read while it waits.
    let mut held = None;
    loop {
        let side = if output.is_some() { WriteSide::Ready } else { WriteSide::Blocked };
        let action = match feed_held(&mut endpoint, &mut held) {
            Some(action) => action,
            None => match endpoint.poll(side) {
                Ok(action) => action,
                Err(error) => {
                    log(format_args!("{peer}: {error}"));
                    continue; // to the end of the transport
                }
            },
        };
        match action {
            Action::Take(ready) => {
                held = echo(&mut endpoint, ready);
                continue;
            }
            Action::Write => {
                if let Some(mut buffer) = output.take() {
                    buffer.clear();
                    let waiting = endpoint.output();
                    buffer.extend_from_slice(&waiting[..waiting.len().min(WRITE)]);
                    writing.set(write(stream, buffer).fuse());
                }
            }
            Action::ShutdownWrite => {
                if output.is_some() {
                    // A transport that has ended is as good.
                    let _ = (&*stream).shutdown().await;
                    endpoint.write_ended();
                    continue;
                }
            }
            Action::Read => {
                // The buffer of the read is all that an idle connection needs.
                endpoint.shrink();
                output = output.map(|_| Vec::new());
                if let Some(buffer) = input.take() {
                    reading.set(read(stream, buffer).fuse());
                }
            }
            Action::Yield => {
                yield_now().await;
                continue; // there is more to do, whether or not anything comes
            }
            Action::Close => return Ok(()),
        }
        let wait = match endpoint.poll_timeout() {
            Wake::Now => {
                endpoint.handle_timeout(now());
                continue;
            }
            Wake::At(at) => Some(Duration::from_micros(at.as_micros().saturating_sub(now().as_micros()))),
            Wake::Never => None,
        };
        let deadline = async {
            match wait {
                Some(wait) => sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        let mut deadline = pin!(deadline.fuse());
        futures_util::select! {
            read = reading => {
                let buffer = match read {
                    Ok(buffer) => buffer,
                    Err(error) if endpoint.lost() => return Err(error),
                    Err(_) => continue, // what has ended the connection is still to be told
                };
                take_in(&mut endpoint, &buffer);
                input = Some(buffer);
            }
            written = writing => match written {
                Ok(buffer) => {
                    endpoint.wrote(buffer.len());
                    output = Some(buffer);
                }
                // The peer does not read any more; what it sent before tells why.
                Err(_) => {
                    endpoint.write_ended();
                    output = Some(Vec::new());
                }
            },
            () = deadline => endpoint.handle_timeout(now()),
            () = end => {
                // Where it is closing already, that goes on.
                let _ = endpoint.outbound().close(CloseCode::GOING_AWAY.into());
            }
        }
    }
}

/// Gives the engine what one read brought; nothing is the end.
fn take_in(endpoint: &mut Endpoint<Server>, mut octets: &[u8]) {
    if octets.is_empty() {
        endpoint.eof();
    }
    while !octets.is_empty() {
        let space = endpoint.space();
        let (now, later) = octets.split_at(space.len().min(octets.len()));
        space[..now.len()].copy_from_slice(now);
        endpoint.filled(now.len());
        octets = later;
    }
}

/// Queues the message that is ready; gives it back if it has to wait.
fn echo(endpoint: &mut Endpoint<Server>, ready: Ready) -> Option<(OwnedMessage, Compressing)> {
    let (inbound, outbound) = endpoint.split_mut();
    // A failure is reported by `poll` as well.
    let message = inbound.message(ready).ok()??;
    let mut compressing = Compressing::new();
    feed(outbound, message, &mut compressing).map(|_| (message.into(), compressing))
}

/// Queues the echo that is held. What it waits for, if it still does.
fn feed_held(
    endpoint: &mut Endpoint<Server>,
    held: &mut Option<(OwnedMessage, Compressing)>,
) -> Option<Action> {
    let (message, compressing) = held.as_mut()?;
    let waits = feed(endpoint.outbound(), message.as_message(), compressing);
    if waits.is_none() {
        *held = None;
    }
    waits
}

/// Queues a message: what it waits for, if it cannot be queued yet.
fn feed(
    outbound: &mut Outbound<Server>,
    message: Message<'_>,
    compressing: &mut Compressing,
) -> Option<Action> {
    match outbound.feed_in_turns(message, true, compressing, |_| 0) {
        Ok(Fed::Compressing) => Some(Action::Yield),
        Err(FeedError::Full { .. }) => Some(Action::Write),
        // The connection is ending: nobody waits for the echo.
        Ok(Fed::Queued) | Err(_) => None,
    }
}

/// Reads once; nothing is the end of the stream.
async fn read(mut stream: &TcpStream, mut buffer: Vec<u8>) -> io::Result<Vec<u8>> {
    buffer.clear();
    let BufResult(count, buffer) = stream.read(buffer).await;
    count.map(|_| buffer)
}

/// Writes everything.
async fn write(mut stream: &TcpStream, buffer: Vec<u8>) -> io::Result<Vec<u8>> {
    let BufResult(result, buffer) = stream.write_all(buffer).await;
    result.map(|()| buffer)
}

/// Lets the other tasks have their turn.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
