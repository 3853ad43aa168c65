//! A tunnel through a proxy (RFC 6455 section 4.1), the client's side.
//!
//! Which proxy to use is decided before. A proxy auto-configuration script is asked with the `ws:` or `wss:` URI
//! itself (6455-4.1-7). Where the server speaks HTTP/2 (RFC 8441 section 7), the tunnel comes first as well.
//
// Owns: the ways to ask a proxy for a tunnel.
// Must not know: which proxy to ask, names and addresses, or what goes through the tunnel.

mod http_connect;

pub use http_connect::{Tunnel, TunnelProgress};
