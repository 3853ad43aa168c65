//! The page over HTTP, and who may ask for it: hosts, the token, and the header fields of every answer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use sockless::handshake::server::{PlainRequest, Request, ServerProgress};
use sockless::handshake::HeadLimits;
use sockless::Refusal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

const INDEX: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/app.css");
const SCRIPT: &str = include_str!("page/app.js");
const ICON: &str = include_str!("page/favicon.svg");

/// For an answer to be read.
const PARTING: Duration = Duration::from_secs(2);
/// Bytes that are read after an answer, at most, so that it is not lost.
const DRAINED: usize = 64 << 10;

/// Which addresses are answered.
pub struct Site {
    /// Where it listens.
    pub listens: SocketAddr,
    /// What every request must show, where others than this machine may come.
    pub token: Option<String>,
}

/// An answer, before its header fields are known.
pub struct Page {
    status: u16,
    reason: &'static str,
    kind: &'static str,
    body: String,
}

impl Page {
    pub fn text(status: u16, reason: &'static str, body: &str) -> Self {
        Self { status, reason, kind: "text/plain; charset=utf-8", body: format!("{body}\n") }
    }

    /// Writes it, and ends the connection. `host` was checked.
    pub async fn write<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        host: &str,
        with_body: bool,
    ) -> io::Result<()> {
        let mut answer = format!(
            "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n",
            self.status,
            self.reason,
            self.kind,
            self.body.len(),
        );
        match self.status {
            405 => answer.push_str("Allow: GET, HEAD\r\n"),
            426 => answer.push_str("Upgrade: websocket\r\n"),
            _ => {}
        }
        for (name, value) in security_fields(host) {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        answer.push_str("\r\n");
        if with_body {
            answer.push_str(&self.body);
        }
        let parted = timeout(PARTING, async {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await?;
            let (mut rest, mut buf) = (DRAINED, [0; 1024]);
            while let Ok(count @ 1..) = stream.read(&mut buf).await {
                rest = rest.saturating_sub(count);
                if rest == 0 {
                    break;
                }
            }
            Ok(())
        });
        parted.await.unwrap_or(Ok(()))
    }

    /// Why the same request is refused that asks for a WebSocket.
    pub fn into_refusal(self, host: &str) -> Refusal {
        let refusal = Refusal::new(self.status).with_body(self.body).with_field("Content-Type", self.kind);
        security_fields(host)
            .into_iter()
            .fold(refusal, |refusal, (name, value)| refusal.with_field(name, value))
    }
}

/// Sent with every answer. `host` was checked.
pub fn security_fields(host: &str) -> [(&'static str, String); 6] {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ws://{host}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    );
    [
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff".into()),
        ("Referrer-Policy", "no-referrer".into()),
        ("Cross-Origin-Opener-Policy", "same-origin".into()),
        ("Cross-Origin-Resource-Policy", "same-origin".into()),
        ("Cache-Control", "no-store".into()),
    ]
}

impl Site {
    /// Whether it is a name of this server. `local` is the address that the client reached.
    fn is_own(&self, host: &str, local: SocketAddr) -> bool {
        let port = self.listens.port();
        let reached = if self.token.is_some() { local } else { self.listens };
        [
            format!("127.0.0.1:{port}"),
            format!("localhost:{port}"),
            format!("[::1]:{port}"),
            reached.to_string(),
        ]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Refuses names of other servers, which ends DNS rebinding, and whoever has no token.
    pub fn check(&self, host: &str, query: Option<&str>, local: SocketAddr) -> Result<(), Page> {
        if !self.is_own(host, local) {
            let body = "This server does not answer to that name. Use the address that it printed.";
            return Err(Page::text(421, "Misdirected Request", body));
        }
        let shown = query.and_then(|query| parameter(query, "t")).unwrap_or("");
        match &self.token {
            Some(token) if !is_same(token, shown) => Err(Page::text(
                403,
                "Forbidden",
                "The address that was printed has a token, which is missing here.",
            )),
            _ => Ok(()),
        }
    }

    /// The name that was asked for, or ours if that is another server's.
    pub fn name(&self, host: &str, local: SocketAddr) -> String {
        if self.is_own(host, local) {
            host.into()
        } else {
            self.listens.to_string()
        }
    }

    fn page(&self, request: &PlainRequest<'_>, host: &str, local: SocketAddr) -> Page {
        if let Err(page) = self.check(host, request.query(), local) {
            return page;
        }
        if !matches!(request.method(), "GET" | "HEAD") {
            return Page::text(405, "Method Not Allowed", "Only GET and HEAD.");
        }
        let (kind, body) = match request.path() {
            "/" => ("text/html; charset=utf-8", self.index()),
            "/app.css" => ("text/css; charset=utf-8", STYLE.into()),
            "/app.js" => ("text/javascript; charset=utf-8", SCRIPT.into()),
            "/favicon.svg" => ("image/svg+xml", ICON.into()),
            "/chat" | "/inspect" => {
                return Page::text(
                    426,
                    "Upgrade Required",
                    "This is a WebSocket. Open the page at / instead.",
                );
            }
            _ => return Page::text(404, "Not Found", "There is nothing here. Open the page at / instead."),
        };
        Page { status: 200, reason: "OK", kind, body }
    }

    /// The page passes the token on.
    fn index(&self) -> String {
        let Some(token) = &self.token else { return INDEX.into() };
        ["app.css", "app.js", "favicon.svg"].iter().fold(String::from(INDEX), |page, path| {
            page.replace(&format!("{path}\""), &format!("{path}?t={token}\""))
        })
    }

    /// Answers a plain request, and ends the connection: one that was kept would swallow a later upgrade.
    pub async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
        received: &[u8],
        local: SocketAddr,
    ) -> io::Result<()> {
        let Ok(ServerProgress::Http(request)) = Request::parse(received, &HeadLimits::DEFAULT) else {
            return Ok(()); // it was one when it was handed back
        };
        let host =
            request.headers().get("Host").and_then(|host| std::str::from_utf8(host).ok()).unwrap_or("");
        let page = self.page(&request, host, local);
        page.write(&mut stream, &self.name(host, local), request.method() != "HEAD").await
    }
}

/// The value of the first parameter of this name. Nothing here needs an escape.
pub fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

/// In a time that does not show where they differ.
fn is_same(one: &str, another: &str) -> bool {
    one.len() == another.len() && one.bytes().zip(another.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}
