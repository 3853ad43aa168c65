//! How the echo servers compress, as their command lines say.

use clap::Args;
use sockless::deflate::{Policy, Tuning, WindowBits};

#[derive(Args)]
pub struct Compression {
    /// Accept permessage-deflate where a client offers it; this is the default.
    #[arg(long, overrides_with = "no_deflate")]
    deflate: bool,
    /// Compress nothing.
    #[arg(long, overrides_with = "deflate")]
    no_deflate: bool,
    /// Keep the contexts between messages, unless the client asks otherwise: smaller messages, more memory.
    #[arg(long)]
    takeover: bool,
    /// The largest window of the server, 8 to 15.
    #[arg(long, value_name = "BITS", default_value = "15", value_parser = window)]
    server_window: WindowBits,
    /// The largest window of clients that let the server choose, 8 to 15.
    #[arg(long, value_name = "BITS", default_value = "15", value_parser = window)]
    client_window: WindowBits,
    /// Send messages below this size as they are. With 0 all are compressed, which some clients need: see
    /// docs/peers-known-to-break.md.
    #[arg(long, value_name = "OCTETS", default_value_t = Tuning::DEFAULT.threshold)]
    threshold: usize,
}

impl Compression {
    /// What is accepted, if anything is.
    pub fn policy(&self) -> Option<Policy> {
        let mut policy = if self.takeover { Policy::TAKEOVER } else { Policy::DEFAULT };
        policy.server_max_window_bits = self.server_window;
        policy.client_max_window_bits = self.client_window;
        (self.deflate || !self.no_deflate).then_some(policy)
    }

    /// How it is compressed.
    pub const fn tuning(&self) -> Tuning {
        Tuning::DEFAULT.with_threshold(self.threshold)
    }
}

fn window(bits: &str) -> Result<WindowBits, String> {
    bits.parse().ok().and_then(WindowBits::new).ok_or_else(|| "not 8 to 15".into())
}
