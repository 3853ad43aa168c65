//! Measures time: `cargo bench --bench time -- [FILTER]`.
//!
//! A row is the time of a run of many frames, with frames (items) and payload octets in a second. A run of
//! short frames has a thousand of them, so its microseconds are nanoseconds a frame. Each case is checked
//! before it is measured; with `--test` it is only checked.

use divan::counter::{BytesCount, ItemsCount};
use divan::Bencher;
use sockless_benches::{checked, Workload};

fn main() {
    divan::main();
}

const SHORT_AND_LONG: [usize; 2] = [16, 1 << 10];
const LENGTHS: [usize; 7] = [0, 16, 125, 126, 1 << 10, 16 << 10, 1 << 20];

/// As many frames of this length as fit 64 KiB, so that the speed of memory does not matter.
fn frames(len: usize) -> usize {
    ((64 << 10) / (len + 14)).clamp(1, 1000)
}

fn bench<W: Workload>(bencher: Bencher, workload: W) {
    let workload = checked(workload);
    bencher
        .counter(ItemsCount::new(workload.count()))
        .counter(BytesCount::new(workload.as_bytes()))
        .with_inputs(|| workload.ready())
        .bench_local_refs(|state| workload.run(state));
}

mod server_receives {
    use sockless_benches::payload::Kind;
    use sockless_benches::receive::{fragments, server};

    use super::*;

    #[divan::bench(args = LENGTHS)]
    fn binary(bencher: Bencher, len: usize) {
        bench(bencher, server(Kind::Binary, len, frames(len)));
    }

    #[divan::bench(args = LENGTHS)]
    fn ascii(bencher: Bencher, len: usize) {
        bench(bencher, server(Kind::Ascii, len, frames(len)));
    }

    #[divan::bench(args = LENGTHS)]
    fn mixed_scripts(bencher: Bencher, len: usize) {
        bench(bencher, server(Kind::Mixed, len, frames(len)));
    }

    #[divan::bench(args = SHORT_AND_LONG)]
    fn eight_fragments(bencher: Bencher, len: usize) {
        bench(bencher, fragments(Kind::Ascii, len, 8, frames(len)));
    }
}

mod client_receives {
    use sockless_benches::payload::Kind;
    use sockless_benches::receive::client;

    use super::*;

    #[divan::bench(args = LENGTHS)]
    fn binary(bencher: Bencher, len: usize) {
        bench(bencher, client(Kind::Binary, len, frames(len)));
    }

    #[divan::bench(args = LENGTHS)]
    fn ascii(bencher: Bencher, len: usize) {
        bench(bencher, client(Kind::Ascii, len, frames(len)));
    }
}

mod server_reads {
    use sockless_benches::payload::Kind;
    use sockless_benches::receive::server;

    use super::*;

    const READS: [usize; 3] = [1, 7, 1460];

    #[divan::bench(args = READS)]
    fn frames_of_125(bencher: Bencher, read: usize) {
        bench(bencher, server(Kind::Binary, 125, frames(125)).in_reads_of(read));
    }

    #[divan::bench(args = READS)]
    fn frames_of_16_kib(bencher: Bencher, read: usize) {
        bench(bencher, server(Kind::Binary, 16 << 10, frames(16 << 10)).in_reads_of(read));
    }

    #[divan::bench(args = SHORT_AND_LONG)]
    fn frame_by_frame(bencher: Bencher, len: usize) {
        bench(bencher, server(Kind::Binary, len, frames(len)).frame_by_frame());
    }
}

mod server_sends {
    use sockless_benches::payload::Kind;
    use sockless_benches::send::{server, slices};

    use super::*;

    #[divan::bench(args = LENGTHS)]
    fn binary(bencher: Bencher, len: usize) {
        bench(bencher, server(Kind::Binary, len, frames(len)));
    }

    #[divan::bench(args = LENGTHS)]
    fn without_a_copy(bencher: Bencher, len: usize) {
        bench(bencher, slices(Kind::Binary, len, 1000));
    }
}

mod client_sends {
    use sockless_benches::payload::Kind;
    use sockless_benches::send::{client, fragments, unpredictable};

    use super::*;

    #[divan::bench(args = LENGTHS)]
    fn binary(bencher: Bencher, len: usize) {
        bench(bencher, client(Kind::Binary, len, frames(len)));
    }

    #[divan::bench(args = SHORT_AND_LONG)]
    fn with_system_entropy(bencher: Bencher, len: usize) {
        bench(bencher, unpredictable(Kind::Binary, len, frames(len)));
    }

    #[divan::bench(args = SHORT_AND_LONG)]
    fn eight_fragments(bencher: Bencher, len: usize) {
        bench(bencher, fragments(len, 8, frames(len)));
    }
}

mod opening_handshake {
    use sockless_benches::handshake::{accept, open};

    use super::*;

    #[divan::bench]
    fn server_accepts_chrome(bencher: Bencher) {
        bench(bencher, accept(100));
    }

    #[divan::bench]
    fn client_opens(bencher: Bencher) {
        bench(bencher, open(100));
    }
}

mod messages {
    use sockless_benches::broadcast::prepared;
    use sockless_benches::echo::server;
    use sockless_benches::payload::Kind;

    use super::*;

    #[divan::bench(args = [16, 1 << 10, 16 << 10, 1 << 20])]
    fn echo(bencher: Bencher, len: usize) {
        bench(bencher, server(Kind::Binary, len, 1, frames(len)));
    }

    #[divan::bench(args = SHORT_AND_LONG)]
    fn echo_of_16_pipelined(bencher: Bencher, len: usize) {
        bench(bencher, server(Kind::Binary, len, 16, frames(len).next_multiple_of(16)));
    }

    #[divan::bench(args = SHORT_AND_LONG)]
    fn broadcast_to_1000(bencher: Bencher, len: usize) {
        bench(bencher, prepared(Kind::Ascii, len, 1000));
    }
}

mod compression {
    use sockless_benches::codec::{deflate, inflate, zlib_deflate, zlib_inflate};

    use super::*;

    const LENGTHS: [usize; 2] = [200, 2 << 10];

    #[divan::bench(args = LENGTHS)]
    fn crate_deflates(bencher: Bencher, len: usize) {
        bench(bencher, deflate(len, 100));
    }

    #[divan::bench(args = LENGTHS)]
    fn zlib_rs_deflates(bencher: Bencher, len: usize) {
        bench(bencher, zlib_deflate(len, 100));
    }

    #[divan::bench(args = LENGTHS)]
    fn crate_inflates(bencher: Bencher, len: usize) {
        bench(bencher, inflate(len, 100));
    }

    #[divan::bench(args = LENGTHS)]
    fn zlib_rs_inflates(bencher: Bencher, len: usize) {
        bench(bencher, zlib_inflate(len, 100));
    }
}
