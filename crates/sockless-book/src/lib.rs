//! The programs in the pages of `docs/`, as doc tests: each is compiled, and run unless its page says `no_run`.
//!
//! They are here, and not in the crate, because they use tokio, smol and the suite for adapters, and because the pages are
//! not in the published package.

/// A module for each page, whose name is the page's.
macro_rules! pages {
    ($($name:ident $path:literal),* $(,)?) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!($path)]
            mod $name {}
        )*
    };
}

pages! {
    axum "../../../docs/axum.md",
    blocking "../../../docs/blocking.md",
    closing "../../../docs/closing.md",
    compression "../../../docs/compression.md",
    connecting "../../../docs/connecting.md",
    firmware "../../../docs/firmware.md",
    futures_io "../../../docs/futures-io.md",
    http2 "../../../docs/http2.md",
    http3 "../../../docs/http3.md",
    keep_alive "../../../docs/keep-alive.md",
    migrating "../../../docs/migrating.md",
    own_transport "../../../docs/own-transport.md",
    reconnecting "../../../docs/reconnecting.md",
    reverse_proxies "../../../docs/reverse-proxies.md",
    sans_io "../../../docs/sans-io.md",
    security "../../../docs/security.md",
    servers "../../../docs/servers.md",
    testing "../../../docs/testing.md",
    tls_and_proxies "../../../docs/tls-and-proxies.md",
    tokio "../../../docs/tokio.md",
}
