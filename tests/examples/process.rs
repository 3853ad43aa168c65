//! Example servers as processes, and clients for them.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use sockless::blocking::{client, WebSocket};
use sockless::{Client, ClientConfig, Error, Message, SystemEntropy};

pub(crate) type Socket = WebSocket<TcpStream, Client<SystemEntropy>>;

/// The example, which `cargo test` builds beside the tests.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let path: PathBuf = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "build it: cargo build --example {name}");
    Command::new(path)
}

/// A server on a free port, which ends with this.
pub(crate) struct Server {
    pub(crate) child: Child,
    output: Option<BufReader<ChildStdout>>,
    address: String,
}

impl Server {
    pub(crate) fn start(name: &str, arguments: &[&dyn AsRef<OsStr>]) -> Self {
        let mut command = example(name);
        command.args(arguments.iter().map(|argument| argument.as_ref())).args(["--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, output: Some(output), address }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    pub(crate) fn open_with(&self, config: &ClientConfig) -> Result<Socket, Error> {
        client(self.connect(), &*self.url(), config)
    }

    pub(crate) fn open(&self) -> Socket {
        self.open_with(&ClientConfig::new()).unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// From now on nobody reads what it prints.
    pub(crate) fn unheard(mut self) -> Self {
        self.output = None;
        self
    }

    /// What it prints until its end.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.output.as_mut().unwrap().read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next message, which must be text.
#[track_caller]
pub(crate) fn hear(socket: &mut Socket) -> String {
    match socket.recv() {
        Ok(Some(Message::Text(text))) => text.to_owned(),
        other => panic!("{other:?}"),
    }
}

/// How the connection was closed, when that is what comes next.
#[track_caller]
pub(crate) fn closed(socket: &mut Socket) -> (u16, String) {
    let came = socket.recv().map(|message| message.is_none());
    assert!(matches!(came, Ok(true)), "{came:?}");
    let closed = socket.closed().unwrap();
    assert!(closed.clean, "{closed:?}");
    (closed.status, socket.close_reason().to_owned())
}
