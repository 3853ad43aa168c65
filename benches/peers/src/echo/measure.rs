//! One contender in one cell: a new server process, a warm-up, a measurement.

use std::time::{Duration, Instant};

use super::results::Sample;
use crate::Result;
use crate::client::load::{Generator, Load};
use crate::server::Server;

/// Measures for so long, after a quarter of it to warm up. Nothing is in flight when the server's time is
/// asked for, so that it is exactly that of the messages that are counted.
pub fn measure(name: &str, load: &Load, duration: Duration) -> Result<Sample> {
    let server = Server::start(name)?;
    let mut generator = Generator::connect(server.address, load)?;
    generator.run(duration / 4)?;
    let cpu = settled(&server)?;
    let began = Instant::now();
    let messages = generator.run(duration)?.max(1) as f64;
    let wall = began.elapsed();
    let cpu = settled(&server)? - cpu;
    let latency = generator.latency();
    Ok(Sample {
        cpu: cpu.as_nanos() as f64 / messages,
        rate: messages / wall.as_secs_f64(),
        p50: latency.value_at_quantile(0.5),
        p99: latency.value_at_quantile(0.99),
    })
}

/// The server's time once it sleeps: until then the kernel has not counted the last of it.
pub fn settled(server: &Server) -> Result<Duration> {
    std::thread::sleep(Duration::from_millis(2));
    server.cpu_time()
}
