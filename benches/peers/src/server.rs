//! Servers as processes of their own: started, asked what they cost, ended.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{Result, contenders, cores, pacing};

/// What the process is to be.
#[derive(clap::Args)]
pub struct ServeOptions {
    /// The name of a contender.
    contender: String,
    /// Where to listen; 0 picks a free port.
    port: u16,
    /// Tells all what one says, instead of echoing.
    #[arg(long)]
    broadcast: bool,
}

/// Serves until it is killed.
pub fn serve(options: &ServeOptions) -> Result {
    cores::pin(cores::SERVER)?;
    raise_file_limit()?;
    let serve = match options.broadcast {
        true => contenders::broadcast::named(&options.contender)?.serve,
        false => contenders::named(&options.contender)?.serve,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
    pacing::off(&listener)?;
    // That one listens on a socket of its own, later.
    if !contenders::announces_itself(&options.contender) {
        println!("listening on {}", listener.local_addr()?);
    }
    serve(listener)
}

/// As many sockets as the system lets us have.
pub fn raise_file_limit() -> Result<u64> {
    Ok(rlimit::increase_nofile_limit(u64::MAX)?)
}

/// A server that runs. Dropped, it is ended.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts the echo server of this name.
    pub fn start(name: &str) -> Result<Self> {
        Self::start_with(name, &[])
    }

    /// Starts a server that tells all what one says.
    pub fn start_broadcast(name: &str) -> Result<Self> {
        Self::start_with(name, &["--broadcast"])
    }

    fn start_with(name: &str, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", name, "0"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let mut line = String::new();
        let out = child.stdout.as_mut().ok_or("no output")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ").ok_or(format!("{name} does not start"))?;
        Ok(Self { address: address.parse()?, child })
    }

    /// The CPU time that it used, all threads.
    pub fn cpu_time(&self) -> Result<Duration> {
        let mut total = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let schedstat = std::fs::read_to_string(task?.path().join("schedstat"))?;
            total += schedstat.split(' ').next().ok_or("no time")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(total))
    }

    /// The octets of memory that are resident.
    pub fn resident(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
