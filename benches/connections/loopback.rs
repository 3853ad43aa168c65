//! Connections over loopback to a server that is measured. Its clients are in another process.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use sockless::deflate::Tuning;
use sockless::handshake::client::ClientRequest;
use sockless::handshake::{HeadLimits, OriginPolicy, Uri};
use sockless::tokio::{accept, connect, WebSocket};
use sockless::{Client, Payload, Server, SystemEntropy};
use sockless::{ClientConfig, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::event_loop::{Loop, HEADS};
use crate::row;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many files a process needs besides its connections.
const OTHER_FILES: u64 = 64;
/// How many opening handshakes run at the same time.
const OPENING: usize = 64;
/// One for all connections, because a task keeps everything that its function has on its stack across an await.
static OPTIONS: ServerConfig = ServerConfig::new(OriginPolicy::Any);
/// The same without timers. On tokio each connection keeps one timer.
static UNTIMED: ServerConfig = ServerConfig::new(OriginPolicy::Any).without_timeouts();
/// For one server and its clients.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures servers, each in its own process, so that none reuses memory of another.
pub fn measure(wanted: usize) -> Result<()> {
    if !cfg!(target_os = "linux") {
        println!("what is resident is read from /proc, which only Linux has");
        return Ok(());
    }
    let limit = rlimit::increase_nofile_limit(wanted as u64 + OTHER_FILES)?;
    let count = wanted.min(usize::try_from(limit.saturating_sub(OTHER_FILES))?);
    if count < wanted {
        println!("the limit of open files is {limit}: {count} connections, not {wanted} (see `ulimit -n`)");
    }
    for how in ["tokio", "untimed", "mio"] {
        let status = this(&["serve", how, &count.to_string()])?.status()?;
        if !status.success() {
            return Err(format!("the server ended with {status}").into());
        }
    }
    Ok(())
}

/// A server that echoes, and prints how much memory is resident for its clients.
pub fn serve(how: &str, count: usize) -> Result<()> {
    if how == "mio" {
        return serve_on_mio(count);
    }
    let timed = how != "untimed";
    let timers = if timed { "timers running" } else { "no timers" };
    let serving = async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("ws://{}", listener.local_addr()?);
        let mut clients = Clients::start(&url, count)?;
        println!("a server on tokio, {timers}: resident");
        let before = resident()?;
        for _ in 0..count {
            let (stream, _) = listener.accept().await?;
            // A task that gave this a name would keep it as well.
            match timed {
                true => tokio::spawn(welcome::<true>(stream)),
                false => tokio::spawn(welcome::<false>(stream)),
            };
        }
        clients.hear("open").await?;
        row("  idle", count, resident()? - before, None);
        clients.tell("talk")?;
        clients.hear("talked").await?;
        row("  idle, after a message of 100 octets came and went back", count, resident()? - before, None);
        clients.end()
    };
    Builder::new_current_thread().enable_all().build()?.block_on(async { timeout(PATIENCE, serving).await? })
}

/// The same as a loop over the engine, with parked connections: that of the example.
fn serve_on_mio(count: usize) -> Result<()> {
    let listener = mio::net::TcpListener::bind("127.0.0.1:0".parse()?)?;
    let url = format!("ws://{}", listener.local_addr()?);
    std::thread::spawn(|| {
        let mut heads = vec![0; HEADS * HeadLimits::STORAGE];
        Loop::new(listener, None, Tuning::DEFAULT, &mut heads)
            .and_then(Loop::run)
            .expect("it serves for ever");
    });
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut clients = Clients::start(&url, count)?;
        println!("a server on mio, connections parked while they wait: resident");
        let before = resident()?;
        clients.hear("open").await?;
        row("  idle", count, resident()? - before, None);
        clients.tell("talk")?;
        clients.hear("talked").await?;
        row("  idle, after a message of 100 octets came and went back", count, resident()? - before, None);
        // The loop never ends. The clients end with their input.
        std::process::exit(0)
    })
}

type Socket = WebSocket<TcpStream, Server>;

/// One connection.
async fn welcome<const TIMED: bool>(stream: TcpStream) {
    let socket = accept(stream, if TIMED { &OPTIONS } else { &UNTIMED }).await.expect("it opens");
    // Until the client is gone.
    let _ = echo(socket).await;
}

/// Waits in `recv`, where an idle connection of a server has neither buffers nor an endpoint.
async fn echo(mut socket: Socket) -> Result<()> {
    while let Some((message, mut outgoing)) = socket.recv_with().await? {
        outgoing.feed(message).await?;
    }
    Ok(())
}

/// The clients' process.
pub fn connect_many(url: &str, count: usize) -> Result<()> {
    let mut orders = std::io::stdin().lines();
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut sockets: Vec<WebSocket<TcpStream, Client<SystemEntropy>>> = Vec::with_capacity(count);
        let mut opening = FuturesUnordered::new();
        while sockets.len() < count {
            while opening.len() < OPENING && sockets.len() + opening.len() < count {
                let uri = Uri::parse(url)?;
                opening.push(async move { connect(ClientRequest::new(uri), &ClientConfig::new()).await });
            }
            if let Some(socket) = opening.next().await {
                sockets.push(socket?);
            }
        }
        println!("open");
        orders.next().transpose()?;
        for socket in &mut sockets {
            socket.send(Payload::binary(&[b'x'; 100])).await?;
            socket.recv().await?;
        }
        println!("talked");
        orders.next().transpose()?;
        Ok(())
    })
}

/// The handle of the clients' process.
struct Clients {
    child: Child,
    words: tokio::sync::mpsc::UnboundedReceiver<String>,
}

impl Clients {
    fn start(url: &str, count: usize) -> Result<Self> {
        let mut command = this(&["connect", url, &count.to_string()])?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("it has no output")?;
        let (sender, words) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(std::io::Result::ok) {
                let _ = sender.send(line);
            }
        });
        Ok(Self { child, words })
    }

    async fn hear(&mut self, word: &str) -> Result<()> {
        match self.words.recv().await {
            Some(heard) if heard == word => Ok(()),
            heard => Err(format!("the clients said {heard:?}, not {word}").into()),
        }
    }

    fn tell(&mut self, word: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().ok_or("it has no input")?;
        Ok(writeln!(input, "{word}")?)
    }

    /// The process ends when its input ends.
    fn end(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        self.child.wait()?;
        Ok(())
    }
}

/// Starts this program in another process.
fn this(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}

/// Bytes of this process that are in memory.
fn resident() -> Result<isize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<isize>()? * 1024)
}
