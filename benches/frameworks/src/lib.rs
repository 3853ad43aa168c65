//! What the programs of this package share: where a server listens, and a server as a process of its own.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

/// Listens on a free port, and prints its address. There may be as many connections as the system lets us have.
pub async fn listen() -> io::Result<TcpListener> {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(listener)
}

/// Serves on a free port until it is killed. What is short is sent at once.
pub async fn serve(app: Router) -> io::Result<()> {
    axum::serve(listen().await?.tap_io(|stream| drop(stream.set_nodelay(true))), app).await
}

/// A server that runs. Dropped, it is ended.
pub struct Server {
    process: Child,
    pub address: String,
}

impl Server {
    /// Starts a program, which prints where it listens.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let (out, mut address) = (process.stdout.take(), String::new());
        BufReader::new(out.ok_or(io::ErrorKind::BrokenPipe)?).read_line(&mut address)?;
        Ok(Self { process, address: address.trim().to_owned() })
    }

    /// KiB that are resident.
    pub fn resident(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .ok_or(io::ErrorKind::InvalidData.into())
    }

    /// CPU time of all threads, user and system.
    pub fn cpu(&self) -> io::Result<Duration> {
        let mut total = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
            let nanoseconds = schedstat.split(' ').next().and_then(|count| count.parse::<u64>().ok());
            total += nanoseconds.ok_or(io::ErrorKind::InvalidData)?;
        }
        Ok(Duration::from_nanos(total))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
