//! A tunnel through a proxy (RFC 6455 section 4.1), the client's side: HTTP's CONNECT, and SOCKS5.
//!
//! For clients with a transport of their own. Connect to the proxy, ask it for a tunnel to the server, and do through
//! the tunnel what you would do on a connection to the server: TLS for `wss`, and the [opening
//! handshake](crate::handshake::client).
//!
//! # HTTP
//!
//! [`HttpConnect`] writes one request, and reads the answer. The proxy may be reached over TLS.
//!
//! ```
//! use sockless::handshake::{HeadLimits, Uri};
//! use sockless::proxy::{HttpConnect, HttpConnectProgress};
//!
//! let mut storage = [0; HeadLimits::STORAGE];
//! let uri = Uri::parse("wss://example.com/chat")?;
//! let mut connect = HttpConnect::new(uri, &mut storage, HeadLimits::DEFAULT)
//!     .with_basic_authorization("Aladdin", "open sesame")?
//!     .with_fields(&[("User-Agent", "lamp/1.0")])?;
//! let mut out = [0; 512];
//! let len = connect.write_request(&mut out)?;
//! assert_eq!(
//!     std::str::from_utf8(&out[..len])?, // to be sent
//!     "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\
//!      Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nUser-Agent: lamp/1.0\r\n\r\n"
//! );
//!
//! let received = b"HTTP/1.1 200 Connection established\r\n\r\n";
//! match connect.recv(received)? {
//!     (taken, HttpConnectProgress::Open) => assert_eq!(taken, received.len()), // the tunnel begins here
//!     (_, HttpConnectProgress::Rejected(rejected)) => panic!("status {}", rejected.status()),
//!     _ => panic!("read more, and call `recv` again"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # SOCKS5
//!
//! With [`Socks5Connect`] each side sends up to three messages, in turn.
//!
//! ```
//! use sockless::handshake::Uri;
//! use sockless::proxy::{Socks5Connect, Socks5ConnectProgress as Progress};
//!
//! let uri = Uri::parse("wss://example.com/chat")?;
//! let mut connect = Socks5Connect::new(uri)?.with_credentials("Aladdin", "open sesame")?;
//! let (mut sent, mut out) = (Vec::new(), [0; Socks5Connect::MAX_MESSAGE_LEN]);
//! // What a proxy answers to each message: use the password; it is right; the tunnel is open.
//! for received in [&b"\x05\x02"[..], b"\x01\x00", b"\x05\x00\x00\x01\xC0\x00\x02\x01\x1F\x90"] {
//!     let len = connect.write_next(&mut out)?;
//!     sent.extend_from_slice(&out[..len]); // to be sent
//!     match connect.recv(received)? {
//!         (_, Progress::Send) => {} // the next message is due
//!         (taken, Progress::Open) => assert_eq!(taken, received.len()), // the tunnel begins here
//!         (_, Progress::Rejected(rejection)) => return Err(rejection.into()),
//!         _ => panic!("read more, and call `recv` again"),
//!     }
//! }
//! let (methods, password) = (b"\x05\x02\x00\x02", b"\x01\x07Aladdin\x0Bopen sesame");
//! assert_eq!(sent, [&methods[..], password, b"\x05\x01\x00\x03\x0Bexample.com\x01\xBB"].concat());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is left to the caller
//!
//! - Which proxy to use, if any. A proxy auto-configuration script is asked with the `ws:` or `wss:` URI itself
//!   (6455-4.1-7). A tunnel comes before HTTP/2 (RFC 8441 section 7) as well.
//! - Octets behind the proxy's answer: they are not taken, and belong to the tunnel.
//! - Time. A proxy connects before it answers, and that may take long.
//! - Asking again, with credentials, after a 407. Most proxies need a new connection for it.
//! - Who may see what. The proxy sees the host, the port, and everything that is not sent over TLS.
//
// Owns: the ways to ask a proxy for a tunnel.
// Must not know: which proxy to ask, sockets, or what goes through the tunnel.

mod http_connect;
mod socks5;

pub use http_connect::{HttpConnect, HttpConnectProgress};
pub use socks5::{Socks5Connect, Socks5ConnectProgress, Socks5Error, Socks5Rejection, Socks5RequestError};
