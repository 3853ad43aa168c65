//! The example servers as processes: what a peer, or whoever reads their log, must not be able to do to them.
#![cfg(target_os = "linux")] // reads /proc, and sets limits with `ulimit`

#[macro_use]
#[path = "common/watchdog.rs"]
mod watchdog;
#[path = "../examples/shared/log.rs"]
#[allow(dead_code, reason = "only what it escapes is tested")]
mod log;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use watchdog::Watchdog;

const SERVERS: [&str; 4] = ["echo_server", "echo_server_std", "echo_server_smol", "echo_server_mio"];
/// For anything that a server does at once.
const SOON: Duration = Duration::from_secs(4);

/// One test at a time: they measure time, and open thousands of files. Waiting for the others does not count as
/// hanging.
fn alone(watchdog: &Watchdog) -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    loop {
        match ONE.try_lock() {
            Ok(one) => return one,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(20)),
        }
        watchdog.next_case();
    }
}

/// The example, which `cargo test` builds beside the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "build it: cargo build --example {name}");
    path
}

/// A server that ends with this.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// With these arguments after `--listen`, and shell commands that are run first.
    fn start(name: &str, arguments: &[&str], before: &str, stderr: Stdio) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{before}\nexec \"$0\" \"$@\"")).arg(example(name));
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().parse().unwrap();
        Self { child, address }
    }

    fn quiet(name: &str, arguments: &[&str]) -> Self {
        Self::start(name, arguments, "", Stdio::null())
    }

    /// Its log is a pipe that nobody reads any more.
    fn unheard(name: &str, before: &str) -> Self {
        let mut server = Self::start(name, &[], before, Stdio::piped());
        drop(server.child.stderr.take());
        server
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn open(&self) -> TcpStream {
        let mut stream = self.connect();
        let answer = handshake(&mut stream, "");
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        stream
    }

    /// Whether a new connection gets an answer.
    fn lets_in(&self) -> bool {
        let mut stream = self.connect();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").is_ok()
            && matches!(stream.read(&mut [0; 64]), Ok(1..))
    }

    /// Panics unless a new connection gets its echo soon.
    #[track_caller]
    fn serves(&self) {
        let from = Instant::now();
        let mut stream = self.open();
        echo(&mut stream);
        assert!(from.elapsed() < SOON, "it took {:?}", from.elapsed());
    }

    /// Processor time that it has used.
    fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    fn files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap()
            .success());
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the head of the answer.
fn handshake(stream: &mut TcpStream, fields: &str) -> String {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    head(stream)
}

fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        if stream.read(&mut octet).unwrap() == 0 {
            break;
        }
        head.push(octet[0]);
    }
    String::from_utf8(head).unwrap()
}

#[track_caller]
fn echo(stream: &mut TcpStream) {
    stream.write_all(b"\x81\x82\0\0\0\0hi").unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"\x81\x02hi");
}

/// Reads until the server ends the connection; how long that took.
fn until_end(stream: &mut TcpStream) -> Duration {
    let from = Instant::now();
    let mut scratch = [0; 4096];
    while matches!(stream.read(&mut scratch), Ok(1..)) {}
    from.elapsed()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let from = Instant::now();
    while !holds() {
        assert!(from.elapsed() < Duration::from_secs(15), "not {what}");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_log_that_nobody_reads_ends_no_server() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    for name in SERVERS {
        _watchdog.next_case();
        let mut server = Server::unheard(name, "");
        for bad in [&b"\x83\x80\0\0\0\0"[..], b"\x81\x82\0\0\0\0\xc3\x28", b"\x81\x02hi"] {
            let mut stream = server.open();
            let mut witness = server.open();
            stream.write_all(bad).unwrap();
            until_end(&mut stream);
            echo(&mut witness);
        }
        server.connect().write_all(b"nonsense\r\n\r\n").unwrap();
        server.serves();
        assert!(!server.has_ended(), "{name}");
    }
}

#[test]
fn neither_does_it_where_no_more_files_can_be_opened() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    for name in SERVERS {
        _watchdog.next_case();
        let mut server = Server::unheard(name, "ulimit -n 24");
        let crowd: Vec<_> = (0..40).map(|_| server.connect()).collect();
        sleep(Duration::from_millis(300));
        assert!(!server.has_ended(), "{name}");
        drop(crowd);
        server.serves();
    }
}

#[test]
fn a_server_with_a_thread_for_each_connection_outlives_the_threads() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    // Stacks of 4 GiB of addresses: there is room for some of them.
    let before = "export RUST_MIN_STACK=4294967296; ulimit -v 41943040";
    for stderr in ["heard", "unheard"] {
        _watchdog.next_case();
        let mut server = match stderr {
            "heard" => Server::start("echo_server_std", &[], before, Stdio::null()),
            _ => Server::unheard("echo_server_std", before),
        };
        let mut first = server.open();
        let crowd: Vec<_> = (0..40).map(|_| server.connect()).collect();
        sleep(Duration::from_millis(300));
        assert!(!server.has_ended(), "{stderr}");
        echo(&mut first);
        drop(crowd);
        // Whoever comes before the others' threads have ended is sent away.
        let from = Instant::now();
        while !server.lets_in() {
            assert!(from.elapsed() < SOON, "it took {:?}", from.elapsed());
            sleep(Duration::from_millis(50));
        }
        server.serves();
    }
}

#[test]
fn connections_that_cost_a_thread_are_bounded() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    let server = Server::quiet("echo_server_std", &["--max-connections", "3"]);
    let threads = || fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap().count();
    let mut crowd: Vec<_> = (0..3).map(|_| server.open()).collect();
    let waiting: Vec<_> = (0..10).map(|_| server.connect()).collect();
    sleep(Duration::from_millis(300));
    assert!(threads() <= 5, "{} threads", threads());
    crowd.iter_mut().for_each(echo);
    drop(waiting);
    // Who waits is served as soon as there is room.
    let mut late = server.connect();
    drop(crowd.pop());
    assert!(handshake(&mut late, "").starts_with("HTTP/1.1 101 "));
    echo(&mut late);
}

#[test]
fn openings_that_never_end_lock_nobody_out_of_the_readiness_loop() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    rlimit::increase_nofile_limit(8192).unwrap();
    let begins: [&[u8]; 3] = [b"", b"G", b"GET /chat HTTP/1.1\r\nHost: localhost\r\nX-Fill: "];
    for begin in begins {
        _watchdog.next_case();
        let server = Server::quiet("echo_server_mio", &[]);
        let mut crowd: Vec<_> = (0..1400).map(|_| server.connect()).collect();
        for stream in &mut crowd {
            stream.write_all(begin).unwrap();
        }
        server.serves();
        // Who comes later is not worse off than who was first.
        let mut slow = server.connect();
        slow.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        sleep(Duration::from_millis(100));
        let rest = "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        slow.write_all(rest.as_bytes()).unwrap();
        assert!(head(&mut slow).starts_with("HTTP/1.1 101 "));
        if !begin.is_empty() {
            // The oldest connection had to go, and was told.
            let answer = head(&mut crowd[0]);
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
            assert!(until_end(&mut crowd[0]) < SOON);
        }
        drop(crowd);
        drop(slow);
        eventually("back to few files", || server.files() < 20);
    }
}

#[test]
fn openings_that_take_all_files_lock_nobody_out_of_the_readiness_loop() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    let server = Server::start("echo_server_mio", &[], "ulimit -n 64", Stdio::null());
    let mut open = server.open();
    let _crowd: Vec<_> = (0..200).map(|_| server.connect()).collect();
    server.serves();
    echo(&mut open);
}

#[test]
fn peers_that_stay_cost_the_readiness_loop_no_processor() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    type Stay = (&'static str, fn(&Server) -> TcpStream);
    fn refused(server: &Server) -> TcpStream {
        let mut stream = server.connect();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert!(head(&mut stream).starts_with("HTTP/1.1 426 "));
        stream
    }
    fn half_closed(stream: TcpStream) -> TcpStream {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream
    }
    let stays: [Stay; 8] = [
        ("refused", refused),
        ("refused, and not read", |server| {
            let mut stream = server.connect();
            stream.write_all(b"nonsense\r\n\r\n").unwrap();
            stream
        }),
        ("refused and half closed", |server| half_closed(refused(server))),
        ("silent", Server::connect),
        ("silent and half closed", |server| half_closed(server.connect())),
        ("open", Server::open),
        ("open and half closed", |server| half_closed(server.open())),
        ("failed", |server| {
            let mut stream = server.open();
            stream.write_all(b"\x83\x80\0\0\0\0").unwrap();
            stream
        }),
    ];
    for (what, stay) in stays {
        _watchdog.next_case();
        let server = Server::quiet("echo_server_mio", &[]);
        let crowd: Vec<_> = (0..8).map(|_| stay(&server)).collect();
        sleep(Duration::from_millis(300));
        let from = server.cpu();
        sleep(Duration::from_secs(1));
        let used = server.cpu() - from;
        assert!(used <= Duration::from_millis(50), "{what}: {used:?} in a second");
        server.serves();
        drop(crowd);
    }
}

#[test]
fn a_refusal_ends_whatever_the_peer_does() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    let server = Server::quiet("echo_server_mio", &[]);
    let mut silent = server.connect();
    let mut trickling = server.connect();
    for stream in [&mut silent, &mut trickling] {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert!(head(stream).starts_with("HTTP/1.1 426 "));
    }
    let from = Instant::now();
    // Five seconds are allowed. After that, what is sent meets a reset.
    while trickling.write_all(b"x").is_ok() {
        assert!(from.elapsed() < Duration::from_secs(8), "still there");
        sleep(Duration::from_millis(50));
    }
    eventually("dropped", || silent.write_all(b"x").is_err());
    assert!(from.elapsed() < Duration::from_secs(9), "{:?}", from.elapsed());
}

#[test]
fn a_failure_is_logged_with_the_address_of_the_peer() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    for name in SERVERS {
        _watchdog.next_case();
        let mut server = Server::start(name, &[], "", Stdio::piped());
        let mut stream = server.open();
        let peer = stream.local_addr().unwrap().to_string();
        stream.write_all(b"\x83\x80\0\0\0\0").unwrap();
        let mut line = String::new();
        BufReader::new(server.child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with(&format!("{peer}: ")), "{name}: {line}");
        assert!(!server.has_ended());
    }
}

#[test]
fn the_threshold_says_what_is_compressed() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    let cases: [(&[&str], u8, u8); 5] = [
        (&[], 0x81, 0x81),
        (&["--threshold", "60"], 0x81, 0xC1),
        (&["--threshold", "61"], 0x81, 0x81),
        // Everything is sent compressed, even if it becomes longer.
        (&["--threshold", "0"], 0xC1, 0xC1),
        (&["--threshold", "0", "--takeover"], 0xC1, 0xC1),
    ];
    for name in SERVERS {
        _watchdog.next_case();
        for (arguments, short, long) in cases {
            let server = Server::quiet(name, arguments);
            let messages = [(b"hi".to_vec(), short), (vec![b'a'; 60], long)];
            for (payload, first) in messages {
                let mut stream = server.connect();
                let answer = handshake(&mut stream, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
                assert!(answer.contains("permessage-deflate"), "{answer}");
                stream.write_all(&[0x81, 0x80 | payload.len() as u8, 0, 0, 0, 0]).unwrap();
                stream.write_all(&payload).unwrap();
                let mut octet = [0];
                stream.read_exact(&mut octet).unwrap();
                assert_eq!(octet[0], first, "{name} {arguments:?} {}", payload.len());
            }
        }
    }
}

/// A server of one connection that sends these octets once it is open, and reads until it ends.
fn answering(octets: &'static [u8]) -> (String, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = head(&mut stream);
        let field = |line: &str| line.strip_prefix("Sec-WebSocket-Key: ").map(str::to_owned);
        let key = request.lines().find_map(field).unwrap();
        let accept = sockless::handshake::accept_value(&key).unwrap();
        let accept = accept.as_str();
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        stream.write_all(response.as_bytes()).unwrap();
        stream.write_all(octets).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut sent = Vec::new();
        let _ = stream.read_to_end(&mut sent);
        sent
    });
    (url, serving)
}

#[test]
fn the_reason_of_a_close_cannot_steer_the_terminal() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    let (url, _) = answering(b"\x88\x10\x0f\xa7\x1b[2J\nok\x7f\xc2\x9b1m\xc3\xa9");
    let mut command = Command::new(example("client"));
    let mut child = command.arg(url).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Its end would be a Close of the client's own.
    let _input = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(log, "closed 4007 \\u{1b}[2J\\nok\\u{7f}\\u{9b}1mé\n");
}

#[test]
fn a_client_whose_output_nobody_reads_ends_quietly() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    // Messages without end would do: it writes until the pipe says that nobody reads.
    let (url, serving) = answering(b"\x81\x05Hello\x81\x05Hello\x81\x05Hello");
    let mut child = Command::new(example("client"))
        .arg(url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    eventually("ended", || child.try_wait().unwrap().is_some());
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(!log.contains("panicked") && !log.contains("pipe"), "{log}");
    // The peer was told: a masked Close of at least four octets.
    let sent = serving.join().unwrap();
    assert_eq!(sent.first(), Some(&0x88), "{sent:x?}");
}

#[test]
fn text_of_a_peer_is_printed_so_that_it_cannot_steer() {
    let _watchdog = watchdog!();
    let printed = |text: &str| log::Printable(text).to_string();
    assert_eq!(printed("plain, größer 日本 🦀"), "plain, größer 日本 🦀");
    assert_eq!(printed("\x1b]0;title\x07\r\n\t\0"), r"\u{1b}]0;title\u{7}\r\n\t\u{0}");
    assert_eq!(printed("\u{9b}2J\u{7f}"), r"\u{9b}2J\u{7f}");
    assert_eq!(printed("a\u{202e}b\u{2066}c\u{2028}d\u{200f}"), r"a\u{202e}b\u{2066}c\u{2028}d\u{200f}");
    for c in (0..=0x9f_u8).map(char::from).filter(|c| c.is_control()) {
        assert!(!printed(&format!("x{c}y")).contains(c), "{c:?}");
    }
}

#[test]
fn a_signal_ends_a_server_in_an_orderly_way() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    rlimit::increase_nofile_limit(8192).unwrap();
    for name in SERVERS {
        _watchdog.next_case();
        for (signal, count) in [("-TERM", 2000), ("-INT", 50)] {
            _watchdog.next_case();
            let more: &[&str] = if name == "echo_server_std" { &["--max-connections", "3000"] } else { &[] };
            let mut server = Server::start(name, more, "ulimit -n 8192", Stdio::null());
            let mut crowd: Vec<_> = (0..count).map(|_| server.open()).collect();
            // One has said something, one is in the middle of a message, one of a request, one says nothing.
            echo(&mut crowd[0]);
            crowd[1].write_all(b"\x82\x85\0\0\0\0x").unwrap();
            let mut opening = server.connect();
            opening.write_all(b"GET / HTTP/1.1\r\n").unwrap();
            let mut silent = server.connect();
            sleep(Duration::from_millis(200));
            let from = Instant::now();
            server.signal(signal);
            for stream in &mut crowd {
                let mut close = [0; 4];
                stream.read_exact(&mut close).unwrap();
                assert_eq!(&close, b"\x88\x02\x03\xe9", "{name}");
                assert!(TcpStream::connect(server.address).is_err(), "it still listens");
            }
            // What the middle of a message is followed by belongs to it.
            crowd[1].write_all(b"yyyy").unwrap();
            for mut stream in crowd {
                stream.write_all(b"\x88\x82\0\0\0\0\x03\xe9").unwrap();
                until_end(&mut stream);
            }
            if name == "echo_server_mio" {
                assert!(head(&mut opening).starts_with("HTTP/1.1 503 "), "{name}");
            }
            until_end(&mut opening);
            until_end(&mut silent);
            eventually("ended", || server.has_ended());
            assert!(server.child.wait().unwrap().success(), "{name}");
            assert!(from.elapsed() < SOON * 2, "{name}: {:?}", from.elapsed());
        }
    }
}

#[test]
fn peers_that_do_not_answer_hold_up_the_end_for_a_bounded_time() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    for name in SERVERS {
        _watchdog.next_case();
        let mut server = Server::quiet(name, &[]);
        let mut crowd: Vec<_> = (0..10).map(|_| server.open()).collect();
        // Some do not even read.
        let stuck = [&b"\x82\xff\0\0\0\0\0\x01\0\0\0\0\0\0"[..], &[0; 1 << 16]].concat();
        for stream in &mut crowd[..3] {
            stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
            while stream.write_all(&stuck).is_ok() {}
        }
        let from = Instant::now();
        server.signal("-TERM");
        eventually("ended", || server.has_ended());
        assert!(from.elapsed() < Duration::from_secs(8), "{name}: {:?}", from.elapsed());
    }
}

#[test]
fn a_second_signal_ends_a_server_at_once() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    for name in SERVERS {
        _watchdog.next_case();
        let mut server = Server::quiet(name, &[]);
        let mut stream = server.open();
        server.signal("-INT");
        let mut close = [0; 4];
        stream.read_exact(&mut close).unwrap();
        server.signal("-INT");
        let from = Instant::now();
        eventually("ended", || server.has_ended());
        assert!(from.elapsed() < Duration::from_secs(2), "{name}");
    }
}

#[test]
fn a_signal_ends_a_broadcast_in_an_orderly_way() {
    let _watchdog = watchdog!();
    let _alone = alone(&_watchdog);
    let mut server = Server::quiet("broadcast", &[]);
    let crowd: Vec<_> = (0..20).map(|_| server.open()).collect();
    server.signal("-TERM");
    for mut stream in crowd {
        let mut close = [0; 4];
        stream.read_exact(&mut close).unwrap();
        assert_eq!(&close, b"\x88\x02\x03\xe9");
        stream.write_all(b"\x88\x82\0\0\0\0\x03\xe9").unwrap();
    }
    eventually("ended", || server.has_ended());
    assert!(server.child.wait().unwrap().success());
}
