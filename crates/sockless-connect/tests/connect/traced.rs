//! What is told through `tracing` where no connection was made: in which stage, and why, and nothing that others sent.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use sockless_connect::{Connect, Proxy};
use tracing::field::{Field, Visit};
use tracing::{span, Event, Metadata, Subscriber};

/// Keeps the events, one line for each.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sockless" && metadata.is_event()
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        unreachable!("no connection was made")
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }
}

#[test]
fn why_no_connection_was_made_is_told_once() {
    let _watchdog = watchdog!();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Each client is sent this.
    let answering = |answer: &'static str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.write_all(answer.as_bytes());
                // What the client has sent is read, so that no reset takes the answer away.
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            }
        });
        address
    };
    let denied = "HTTP/1.1 407 hunter2\r\nX-Why: hunter2\r\nContent-Length: 7\r\n\r\nhunter2";
    let proxy = Proxy::new(&format!("http://{}", answering(denied))).unwrap();
    let cases = [
        (Connect::new(format!("ws://{free}/hunter2")), "stage=connecting error=connection refused "),
        (
            Connect::new(format!("wss://{}/hunter2", answering("hunter2, which is no TLS"))),
            "stage=setting up TLS error=invalid data ",
        ),
        (
            Connect::new("ws://server.invalid/hunter2").with_proxy(proxy),
            "stage=the way through the proxy error=the proxy answered with status 407 ",
        ),
    ];
    for (connect, told) in cases {
        let told = format!("message=failed role=\"client\" {told}");
        for blocking in [true, false] {
            let log = Log::default();
            tracing::subscriber::with_default(log.clone(), || match blocking {
                true => drop(connect.connect_blocking().unwrap_err()),
                false => drop(runtime.block_on(connect.connect()).unwrap_err()),
            });
            assert_eq!(*log.0.lock().unwrap(), [&*told]);
        }
    }
}
