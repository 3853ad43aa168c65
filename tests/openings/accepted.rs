//! A client that asks for it sees the whole response that opens its WebSocket, on each adapter.

use std::net::{TcpListener, TcpStream};
use std::thread;

use sockless::futures_io::FuturesIo;
use sockless::handshake::client::{Accepted, ClientRequest};
use sockless::handshake::server::Request;
use sockless::handshake::{OriginPolicy, Uri};
use sockless::{blocking, futures_io, polled, tokio as on_tokio, Answer, ClientConfig, Error, ServerConfig};

/// What is kept of the response, and the first message.
type Seen = (Vec<String>, String);

fn cookies(accepted: &Accepted<'_>) -> Vec<String> {
    let values = accepted.headers().get_all("set-cookie");
    values.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

fn server(listener: &TcpListener) -> Result<(), Error> {
    let config = ServerConfig::new(OriginPolicy::Any);
    let (stream, _) = listener.accept()?;
    let answer = |_: &Request<'_>| {
        Ok(Answer::new().with_field("Set-Cookie", "a=1").with_field("Set-Cookie", "b=2, c"))
    };
    let mut socket = blocking::accept_with(stream, &config, answer)?;
    socket.send("first")?;
    while socket.recv()?.is_some() {}
    Ok(())
}

#[test]
fn a_client_sees_each_field_of_the_response_that_opens_its_web_socket() {
    let _watchdog = watchdog!();
    let config = ClientConfig::new();
    let request = ClientRequest::new(Uri::parse("ws://a/").unwrap());
    macro_rules! seen {
        ($opened:expr $(, $wait:tt)*) => {{
            let (mut socket, cookies) = $opened?;
            let first = socket.recv()$(.$wait)*?.and_then(|message| message.as_text().map(str::to_owned));
            socket.close(sockless::CloseCode::NORMAL)$(.$wait)*?;
            Ok((cookies, first.unwrap_or_default()))
        }};
    }
    let smol = |stream: TcpStream| smol::Async::new(stream).unwrap();
    type Open<'o> = &'o dyn Fn(TcpStream) -> Result<Seen, Error>;
    let adapters: [(&str, Open<'_>); 4] = [
        ("blocking", &|stream| seen!(blocking::client_with(stream, request, &config, cookies))),
        ("tokio", &|stream| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                stream.set_nonblocking(true).unwrap();
                let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                seen!(on_tokio::client_with(stream, request, &config, cookies).await, await)
            })
        }),
        ("futures-io", &|stream| {
            smol::block_on(async {
                seen!(futures_io::client_with(smol(stream), request, &config, cookies).await, await)
            })
        }),
        ("polled", &|stream| {
            smol::block_on(async {
                let stream = FuturesIo::new(smol(stream)).with_timer(smol::Timer::at);
                seen!(polled::client_with(stream, request, &config, cookies).await, await)
            })
        }),
    ];
    for (name, open) in adapters {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = thread::spawn(move || server(&listener));
        let seen = open(stream).unwrap();
        // Two lines, and not one: a comma may stand in the value of a cookie (RFC 6265 section 3).
        let expected = (vec!["a=1".to_owned(), "b=2, c".to_owned()], "first".to_owned());
        assert_eq!(seen, expected, "{name}");
        server.join().unwrap().unwrap();
    }
}
