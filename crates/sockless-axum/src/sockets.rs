//! All sockets of a server, so that it can end well.
//
// Owns: how many there are and may be, that all are told of the end, and that what does not end by then is dropped.
// Must not know: requests, answers, or what a handler does.

use std::fmt;
use std::future::{pending, Future};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;

use sockless::{CloseCode, Connections};
use tokio::select;
use tokio::time::{sleep, sleep_until, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::{TaskTracker, TaskTrackerToken};

/// All WebSockets of a server, so that it can end well, and does not take more of them than it can bear.
///
/// A clone is another handle of the same set; keep one in the state of the router. A WebSocket enters with
/// [`WebSocketUpgrade::with_sockets`](crate::WebSocketUpgrade::with_sockets) and leaves when its handler has ended.
///
/// When the server ends, each socket is sent a Close with 1001 (RFC 6455 section 7.4.1) by the method that receives, whose
/// handler then gets `None`. A handler that has not ended within the time given is dropped, whatever it is doing: one that
/// waits for something else, or for a client that does not answer.
///
/// # Ending a server
///
/// axum's graceful shutdown knows nothing of WebSockets: over HTTP/1.1 it does not wait for them, over HTTP/2 it waits for ever.
/// With [`close_after`](Self::close_after) both end:
///
/// ```no_run
/// use std::time::Duration;
/// use axum::{response::Response, routing::any, Router};
/// use sockless_axum::{handshake::OriginPolicy, ServerConfig, Sockets, WebSocketUpgrade};
///
/// static CONFIG: ServerConfig = ServerConfig::new(OriginPolicy::SameHost);
///
/// # async fn run() -> std::io::Result<()> {
/// let sockets = Sockets::new();
/// let of_handler = sockets.clone();
/// let chat = async move |ws: WebSocketUpgrade| -> Response {
///     ws.with_sockets(&of_handler).on_upgrade(&CONFIG, async |mut socket| while let Ok(Some(_)) = socket.recv().await {})
/// };
/// let app = Router::new().route("/chat", any(chat));
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// let stop = sockets.close_after(tokio::signal::ctrl_c(), Duration::from_secs(10));
/// axum::serve(listener, app).with_graceful_shutdown(stop).await?;
/// println!("{} were dropped", sockets.ended().await);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sockets {
    shared: Arc<Shared>,
}

struct Shared {
    connections: Connections,
    tasks: TaskTracker,
    max: usize,
    closing: CancellationToken,
    /// Set before `closing` is. Nothing if the clock cannot express it.
    until: OnceLock<Option<Instant>>,
    dropped: AtomicUsize,
}

impl Sockets {
    /// An empty set without a bound.
    pub fn new() -> Self {
        Self::with_max(usize::MAX)
    }

    /// An empty set that takes so many at a time. Further requests are refused with 503.
    pub fn with_max(count: usize) -> Self {
        let shared = Shared {
            connections: Connections::new(),
            tasks: TaskTracker::new(),
            max: count,
            closing: CancellationToken::new(),
            until: OnceLock::new(),
            dropped: AtomicUsize::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many there are. One counts from the answer to its request on until its handler has ended.
    pub fn len(&self) -> usize {
        self.shared.tasks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.shared.tasks.is_empty()
    }

    /// Sends every socket a Close with this code and reason (cut to 123 octets), and gives the handlers `within` to end;
    /// then they are dropped. Requests are refused with 503 from now on. Only the first call counts.
    pub fn start_close_all(&self, code: CloseCode, reason: &str, within: Duration) {
        let shared = &self.shared;
        if shared.until.set(Instant::now().checked_add(within)).is_err() {
            return;
        }
        shared.tasks.close();
        // The first poll tells them. Nobody waits here.
        let told = pin!(shared.connections.close_all(code, reason, pending::<()>()));
        let _ = told.poll(&mut Context::from_waker(Waker::noop()));
        shared.closing.cancel();
    }

    /// Waits until the closing that was begun has come to its end. Returns how many handlers were dropped.
    ///
    /// Without [`start_close_all`](Self::start_close_all) it waits for that. It returns a second after the time is up,
    /// also where the thread of a handler is blocked.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is lost.
    pub async fn ended(&self) -> usize {
        let shared = &self.shared;
        let too_late = async {
            shared.time_is_up().await;
            sleep(Duration::from_secs(1)).await;
        };
        select! {
            biased;
            () = async { shared.closing.cancelled().await; shared.tasks.wait().await } => {}
            () = too_late => {}
        }
        shared.dropped.load(Ordering::Relaxed).saturating_add(self.len())
    }

    /// [`start_close_all`](Self::start_close_all) and [`ended`](Self::ended).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the Closes are sent at the first poll, and `ended` goes on waiting.
    pub async fn close_all(&self, code: CloseCode, reason: &str, within: Duration) -> usize {
        self.start_close_all(code, reason, within);
        self.ended().await
    }

    /// For axum's `with_graceful_shutdown`: when `signal` is ready, all sockets are sent a Close with 1001 and have
    /// `within` to end. [`ended`](Self::ended) then waits for them.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: as `signal` is.
    pub fn close_after<F: Future>(&self, signal: F, within: Duration) -> impl Future<Output = ()> + use<F> {
        let sockets = self.clone();
        async move {
            signal.await;
            sockets.start_close_all(CloseCode::GOING_AWAY, "the server ends", within);
        }
    }

    /// One more, unless there are too many, or the server ends.
    pub(crate) fn enter(&self) -> Option<Member> {
        // It counts before it is looked at, so that there are never more.
        let token = self.shared.tasks.token();
        let has_room = self.len() <= self.shared.max && self.shared.until.get().is_none();
        has_room.then(|| Member { shared: Arc::clone(&self.shared), _token: token })
    }
}

impl Shared {
    async fn time_is_up(&self) {
        self.closing.cancelled().await;
        match self.until.get().copied().flatten() {
            // In a box: few ever wait for it, and all keep room for it.
            Some(until) => Box::pin(sleep_until(until)).await,
            None => pending().await,
        }
    }
}

/// It leaves when this is dropped.
pub(crate) struct Member {
    shared: Arc<Shared>,
    _token: TaskTrackerToken,
}

impl Member {
    pub(crate) fn connections(&self) -> &Connections {
        &self.shared.connections
    }

    /// Runs it to its end, or drops it when the time is up.
    pub(crate) async fn run(self, handler: impl Future<Output = ()>) {
        let mut handler = pin!(handler);
        select! {
            biased;
            () = &mut handler => {}
            () = self.shared.time_is_up() => {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Default for Sockets {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closing = self.shared.until.get().is_some();
        f.debug_struct("Sockets").field("len", &self.len()).field("closing", &closing).finish_non_exhaustive()
    }
}
