//! Counts instructions with Valgrind. Do not run it by itself: `instructions.py` makes the counts reproducible,
//! and compares them with `instructions.json`.
//!
//! A case is named `function.id`. Each is checked in its setup, which is not counted.

use std::env;

use gungraun::{library_benchmark, library_benchmark_group, main, Callgrind, LibraryBenchmarkConfig};
use sockless::{Client, Server};
use sockless_benches::broadcast::{self, Broadcast};
use sockless_benches::codec::{self, Codec, Stream};
use sockless_benches::echo::{self, Echo};
use sockless_benches::handshake::{accept, Accept};
use sockless_benches::payload::Kind::{Ascii, Binary, Mixed};
use sockless_benches::receive::{self, Receive};
use sockless_benches::send::{self, Send};
use sockless_benches::{checked, Keys, Workload};

/// Where `instructions.py` says how many frames, messages or handshakes a case has.
const COUNT: &str = "SOCKLESS_BENCH_COUNT";

fn count() -> usize {
    env::var(COUNT).map_or(1024, |count| count.parse().expect("a number"))
}

/// A workload that was checked, and is ready to run.
type Ready<W> = Box<(W, <W as Workload>::State)>;

fn ready<W: Workload>(workload: W) -> Ready<W> {
    let workload = checked(workload);
    let state = workload.ready();
    Box::new((workload, state))
}

/// Dropping is not counted.
fn run<W: Workload>(mut ready: Ready<W>) -> Ready<W> {
    let (workload, state) = &mut *ready;
    workload.run(state);
    ready
}

#[library_benchmark(setup = ready)]
#[bench::binary_0(receive::server(Binary, 0, count()))]
#[bench::binary_16(receive::server(Binary, 16, count()))]
#[bench::binary_125(receive::server(Binary, 125, count()))]
#[bench::binary_126(receive::server(Binary, 126, count()))]
#[bench::binary_1024(receive::server(Binary, 1024, count()))]
#[bench::binary_16384(receive::server(Binary, 16384, count()))]
#[bench::ascii_16(receive::server(Ascii, 16, count()))]
#[bench::ascii_1024(receive::server(Ascii, 1024, count()))]
#[bench::mixed_1024(receive::server(Mixed, 1024, count()))]
#[bench::binary_125_by_octet(receive::server(Binary, 125, count()).in_reads_of(1))]
#[bench::binary_125_by_7(receive::server(Binary, 125, count()).in_reads_of(7))]
#[bench::mixed_125_by_7(receive::server(Mixed, 125, count()).in_reads_of(7))]
#[bench::fragments_8x128(receive::fragments(Binary, 1024, 8, count()))]
fn server_receives(ready: Ready<Receive<Server>>) -> Ready<Receive<Server>> {
    run(ready)
}

#[library_benchmark(setup = ready)]
#[bench::binary_16(receive::client(Binary, 16, count()))]
#[bench::binary_1024(receive::client(Binary, 1024, count()))]
fn client_receives(ready: Ready<Receive<Client<Keys>>>) -> Ready<Receive<Client<Keys>>> {
    run(ready)
}

#[library_benchmark(setup = ready)]
#[bench::binary_16(send::server(Binary, 16, count()))]
#[bench::binary_1024(send::server(Binary, 1024, count()))]
fn server_sends(ready: Ready<Send<Server>>) -> Ready<Send<Server>> {
    run(ready)
}

#[library_benchmark(setup = ready)]
#[bench::binary_0(send::client(Binary, 0, count()))]
#[bench::binary_16(send::client(Binary, 16, count()))]
#[bench::binary_125(send::client(Binary, 125, count()))]
#[bench::binary_1024(send::client(Binary, 1024, count()))]
fn client_sends(ready: Ready<Send<Client<Keys>>>) -> Ready<Send<Client<Keys>>> {
    run(ready)
}

#[library_benchmark(setup = ready)]
#[bench::chrome(accept(count()))]
fn server_accepts(ready: Ready<Accept>) -> Ready<Accept> {
    run(ready)
}

#[library_benchmark(setup = ready)]
#[bench::binary_16_pipelined_16(echo::server(Binary, 16, 16, count()))]
fn endpoint_echoes(ready: Ready<Echo>) -> Ready<Echo> {
    run(ready)
}

// What one receiver costs, for a message that was encoded once.
#[library_benchmark(setup = ready)]
#[bench::binary_1024(broadcast::prepared(Binary, 1024, count()))]
fn broadcasts(ready: Ready<Broadcast>) -> Ready<Broadcast> {
    run(ready)
}

#[library_benchmark(setup = ready)]
#[bench::deflate_200(codec::deflate(200, count()))]
#[bench::zlib_rs_deflate_200(codec::zlib_deflate(200, count()))]
#[bench::inflate_200(codec::inflate(200, count()))]
#[bench::zlib_rs_inflate_200(codec::zlib_inflate(200, count()))]
#[bench::deflate_2048(codec::deflate(2048, count()))]
#[bench::zlib_rs_deflate_2048(codec::zlib_deflate(2048, count()))]
#[bench::inflate_2048(codec::inflate(2048, count()))]
#[bench::zlib_rs_inflate_2048(codec::zlib_inflate(2048, count()))]
fn compression<C: Codec>(ready: Ready<Stream<C>>) -> Ready<Stream<C>> {
    run(ready)
}

library_benchmark_group!(
    name = engine,
    benchmarks = [
        server_receives,
        client_receives,
        server_sends,
        client_sends,
        server_accepts,
        endpoint_echoes,
        broadcasts,
        compression
    ]
);

// These are all environment variables of a case.
main!(
    config = LibraryBenchmarkConfig::default()
        .pass_through_envs([COUNT, "GLIBC_TUNABLES"])
        .tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = engine
);
