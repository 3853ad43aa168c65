//! A chat in the browser, and beside it every frame of it, bit by bit, as the engine sees it:
//! `cargo run --release --example demo`, then open the address that it prints.
//!
//! One process and one port serve the page over HTTP, and two WebSockets: `/chat`, and `/inspect`, which tells the page what passes
//! on the connections to `/chat`. Nothing of it can be reached from another machine, unless `--allow-remote` says so.

mod chat;
mod events;
mod http;
mod inspector;
mod peer;
mod rules;
mod tap;
mod through;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use log::log;
use sockless::deflate::Policy;
use sockless::endpoint::Buffers;
use sockless::handshake::server::Request;
use sockless::handshake::OriginPolicy;
use sockless::tokio::accept_buffered;
use sockless::{
    Answer, CloseCode, Connections, Entropy as _, Error, Limits, Opened, OpeningError, Refusal, ServerConfig,
    SystemEntropy,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, Notify, OwnedSemaphorePermit, Semaphore};

use chat::{Room, Seat};
use events::Hub;
use http::{parameter, Page, Site};
use tap::{Head, Recorder, Tap};
use through::Upstream;

#[path = "../shared/log.rs"]
mod log;
#[path = "../shared/signals.rs"]
mod signals;

/// Bytes of the largest message.
const MAX_MESSAGE: u64 = 64 << 10;
/// Connections to `/chat`, to `/inspect`, and those of which that is not known yet.
const CHATS: usize = 64;
const PAGES: usize = 32;
const ALL: usize = 256;
/// For everybody to read a Close when the server ends.
const GRACE: Duration = Duration::from_secs(2);

/// A chat in the browser, and beside it every frame of it, bit by bit. On a machine with several users all of them can reach it.
#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Stand between a client and this server, and show what passes: clients connect here instead.
    #[arg(long, value_name = "URL")]
    inspect: Option<String>,
    /// Which Origin the server behind is told: that of the client, or its own. With its own only pages of this machine may come.
    #[arg(long, value_enum, default_value_t, requires = "inspect")]
    origin: ToldOrigin,
    /// Show the values of Cookie, Authorization and Proxy-Authorization.
    #[arg(long)]
    show_secrets: bool,
    /// Let other machines in. Everyone who has the address that is printed then sees every message.
    #[arg(long)]
    allow_remote: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum ToldOrigin {
    #[default]
    Client,
    Upstream,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(says) => {
            log(says);
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), String> {
    let token = if options.allow_remote {
        Some(random_name().ok_or("There is no source of randomness.")?)
    } else if options.listen.ip().is_loopback() {
        None
    } else {
        return Err(format!(
            "{} lets other machines in. If that is wanted, add --allow-remote",
            options.listen
        ));
    };
    let replaces_origin = options.origin == ToldOrigin::Upstream;
    let upstream = options.inspect.as_deref().map(|url| Upstream::parse(url, replaces_origin)).transpose()?;
    let listener = TcpListener::bind(options.listen).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!("{} is in use. Try --listen 127.0.0.1:0", options.listen),
        _ => format!("{}: {error}", options.listen),
    })?;
    let listens = listener.local_addr().map_err(|error| error.to_string())?;
    if upstream.as_ref().is_some_and(|upstream| upstream.is(listens)) {
        return Err("That is this program itself. Which server is behind it?".into());
    }
    let query = token.as_ref().map(|token| format!("?t={token}")).unwrap_or_default();
    // It serves as well where nobody reads that.
    let _ = writeln!(io::stdout(), "Open http://{listens}/{query}");
    if token.is_some() {
        log("Everyone who has this address sees every message.");
    }
    if let Some(upstream) = &upstream {
        log(format_args!("Connect clients to ws://{listens}/{query} instead of {}", upstream.url));
    }
    let demo = Arc::new(Demo::new(Site { listens, token }, upstream, options.show_secrets));
    let signal = Arc::new(Notify::new());
    let signalled = Arc::clone(&signal);
    signals::on_signal(move || signalled.notify_one()).map_err(|error| error.to_string())?;
    tokio::select! {
        () = Arc::clone(&demo).serve(listener) => {}
        () = signal.notified() => {}
    }
    demo.connections.close_all(CloseCode::GOING_AWAY, "", tokio::time::sleep(GRACE)).await;
    Ok(())
}

/// 128 bits that nobody guesses, in hex.
fn random_name() -> Option<String> {
    let mut bytes = [0; 16];
    SystemEntropy::new().fill(&mut bytes).ok()?;
    Some(hex::encode(bytes))
}

/// The server.
pub struct Demo {
    hub: Arc<Hub>,
    site: Site,
    /// Where it stands between a client and this.
    upstream: Option<Upstream>,
    room: Room,
    config: ServerConfig,
    connections: Connections,
    shows_secrets: bool,
    chats: Arc<Semaphore>,
    pages: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

/// What a request is for.
enum Route {
    Chat(Seat),
    Inspect { tab: String, permit: OwnedSemaphorePermit },
}

impl Demo {
    fn new(site: Site, upstream: Option<Upstream>, shows_secrets: bool) -> Self {
        let connections = Connections::new();
        let mut config = ServerConfig::new(OriginPolicy::SameHost)
            .with_max_message_size(MAX_MESSAGE)
            .with_deflate(Policy::TAKEOVER)
            .with_buffers(Buffers::DEFAULT.with_max_queued(256 << 10))
            .with_keep_alive(Duration::from_secs(15), Duration::from_secs(5))
            .with_connections(&connections);
        // Short enough to be watched.
        config.timeouts.stalled_fragment = Some(Duration::from_secs(8));
        config.timeouts.closing = Some(Duration::from_secs(5));
        Self {
            hub: Arc::default(),
            site,
            upstream,
            room: Room::new(),
            config,
            connections,
            shows_secrets,
            chats: Arc::new(Semaphore::new(CHATS)),
            pages: Arc::new(Semaphore::new(PAGES)),
            all: Arc::new(Semaphore::new(ALL)),
        }
    }

    const fn mode(&self) -> &'static str {
        if self.upstream.is_some() {
            "inspect"
        } else {
            "demo"
        }
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                // One connection that failed, or too many open files: neither is a reason to end.
                Err(error) => {
                    log(format_args!("accept: {error}"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            // Beyond that nobody is answered.
            let Ok(permit) = Arc::clone(&self.all).try_acquire_owned() else { continue };
            let demo = Arc::clone(&self);
            tokio::spawn(async move {
                if let Err(error) = demo.talk(stream, peer).await {
                    log(format_args!("{peer}: {error}"));
                }
                drop(permit);
            });
        }
    }

    /// One connection, whatever it is for.
    async fn talk(self: &Arc<Self>, mut stream: TcpStream, peer: SocketAddr) -> Result<(), Error> {
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let mut received = Vec::new();
        if let Some(upstream) = &self.upstream {
            received = through::read_head(&mut stream).await?;
            if through::is_for_upstream(&received) {
                return self.pass(stream, &received, upstream, peer, local).await;
            }
        }
        let recorder = Recorder::new(&self.hub, self.config.limits, self.shows_secrets, false);
        let script = self.hub.take_expected(peer);
        if let Some(connection) = script {
            recorder.announce(connection, &peer.to_string(), "scripted", None);
        }
        let tap = Tap::new(stream, recorder.clone());
        let mut route = None;
        let decide = |request: &Request<'_>| self.decide(request, peer, local, &recorder, &mut route);
        let opened = accept_buffered(tap, &received, &self.config, decide).await;
        let is_open = matches!(opened, Ok(Opened::WebSocket(_)));
        let outcome = match (opened, route) {
            (Ok(Opened::WebSocket(socket)), Some(Route::Chat(seat))) => {
                chat::serve(socket, seat, &self.room).await;
                Ok(())
            }
            (Ok(Opened::WebSocket(socket)), Some(Route::Inspect { tab, permit })) => {
                let served = inspector::serve(socket, self, &tab).await;
                drop(permit);
                served
            }
            (Ok(Opened::WebSocket(_)), None) => Ok(()), // it was decided what it is for
            (Ok(Opened::Http { stream, received }), _) => {
                recorder.forget_early();
                self.site.answer(stream, &received, local).await.map_err(Error::from)
            }
            (Err(error), _) => {
                // Who wanted to chat is shown why not.
                if !recorder.is_announced() && recorder.asked_for("/chat") {
                    recorder.announce(self.hub.next_connection(), &peer.to_string(), "client", None);
                }
                if let Error::Opening(OpeningError::Handshake(error)) = error {
                    recorder.fail(None, rules::opening_verdict(error));
                }
                // That a script of ours is refused is no news.
                if script.is_some() {
                    Ok(())
                } else {
                    Err(error)
                }
            }
        };
        if let Some(connection) = recorder.connection() {
            if !is_open {
                recorder.closed(None, None, "");
            }
            self.hub.ended(connection);
        }
        outcome
    }

    /// One connection between a client and the server behind this one.
    async fn pass(
        &self,
        mut stream: TcpStream,
        received: &[u8],
        upstream: &Upstream,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Result<(), Error> {
        let head = Head::parse(received);
        let query =
            head.line.split(' ').nth(1).and_then(|target| target.split_once('?')).map(|(_, query)| query);
        let host = head.field("Host").unwrap_or("");
        let permit = Arc::clone(&self.chats).try_acquire_owned().ok();
        let refused = match self.site.check(host, query, local) {
            Err(page) => Some(page),
            Ok(()) if !upstream.admits(head.field("Origin")) => {
                Some(Page::text(403, "Forbidden", "Pages of other sites may not come here."))
            }
            Ok(()) if permit.is_none() => {
                Some(Page::text(503, "Service Unavailable", "There are 64 connections already."))
            }
            Ok(()) => None,
        };
        if let Some(page) = refused {
            let name = self.site.name(host, local);
            return page.write(&mut stream, &name, true).await.map_err(Error::from);
        }
        // Nothing that passes is refused for its size.
        let limits = Limits::DEFAULT.with_max_message_size(u64::MAX).with_max_frame_size(u64::MAX);
        let limits = limits.with_max_expansion(u16::MAX).with_max_fragments(u32::MAX);
        let recorder = Recorder::new(&self.hub, limits, self.shows_secrets, true);
        let connection = self.hub.next_connection();
        recorder.announce(connection, &peer.to_string(), "upstream", None);
        let passed = through::pass(stream, received, upstream, &recorder).await;
        recorder.end_of_passing(passed.is_err());
        self.hub.ended(connection);
        passed.map_err(Error::from)
    }

    /// What a request for a WebSocket gets.
    fn decide(
        &self,
        request: &Request<'_>,
        peer: SocketAddr,
        local: SocketAddr,
        recorder: &Recorder,
        route: &mut Option<Route>,
    ) -> Result<Answer<'static>, Refusal> {
        let name = self.site.name(request.host(), local);
        let refuse = |status: u16, says: &str| Page::text(status, "", says).into_refusal(&name);
        let checked = self.site.check(request.host(), request.query(), local);
        checked.map_err(|page| page.into_refusal(&name))?;
        match request.path() {
            "/chat" if self.upstream.is_none() => {
                let permit = Arc::clone(&self.chats)
                    .try_acquire_owned()
                    .map_err(|_| refuse(503, "There are 64 connections already."))?;
                let is_script = recorder.is_announced();
                if !is_script {
                    let connection = self.hub.next_connection();
                    let tab = request.query().and_then(|query| parameter(query, "tab"));
                    let tab = tab.filter(|tab| self.hub.pair(tab, connection));
                    let kind = if tab.is_some() { "page" } else { "client" };
                    recorder.announce(connection, &peer.to_string(), kind, tab);
                }
                let (sender, commands) = mpsc::channel(chat::COMMANDS);
                if let Some(connection) = recorder.connection() {
                    self.hub.listen(connection, sender);
                }
                *route = Some(Route::Chat(Seat { commands, recorder: recorder.clone(), is_script, permit }));
                Ok(Answer::new())
            }
            "/inspect" => {
                recorder.forget_early();
                if request.origin().is_none() {
                    // A program of another user has none.
                    return Err(refuse(403, "Only the page itself may look."));
                }
                if !request.subprotocols().iter().any(|name| name == inspector::NAME) {
                    return Err(refuse(400, "This needs the subprotocol sockless.inspect.1."));
                }
                let permit = Arc::clone(&self.pages)
                    .try_acquire_owned()
                    .map_err(|_| refuse(503, "There are 32 pages already."))?;
                let tab = random_name().ok_or_else(|| refuse(500, "There is no source of randomness."))?;
                *route = Some(Route::Inspect { tab, permit });
                Ok(Answer::new().with_subprotocol(inspector::NAME))
            }
            _ => Err(refuse(404, "There is no WebSocket here.")),
        }
    }
}
