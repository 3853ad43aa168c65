//! A server in a process of its own, and what the system says of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{echo_server, echo_server_mio, echo_server_smol, echo_server_std, probe, Result};

pub const NAMES: [&str; 4] = ["tokio", "smol", "mio", "std"];

/// Says to this program that it is to be a server, and which.
const VARIABLE: &str = "SOCKLESS_STRESS_SERVER";

/// The server that this process is to be, if it is to be one.
pub fn wanted() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Serves for ever, as the example does.
pub fn serve(name: &str) -> Result<()> {
    match name {
        "tokio" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(echo_server::run())?;
        }
        "smol" => echo_server_smol::main()?,
        "mio" => echo_server_mio::main()?,
        "std" => echo_server_std::main()?,
        _ => return Err(format!("no server is called {name}; there are: {}", NAMES.join(", ")).into()),
    }
    Ok(())
}

/// Threads that are asked for how long they waited: all, but where each connection has one.
const TASKS: usize = 8;

/// A server that ends with this.
pub struct Server {
    pub name: String,
    pub address: SocketAddr,
    child: Child,
}

/// What it has and has used.
pub struct Reading {
    /// Open files.
    pub files: usize,
    /// Octets in memory.
    pub resident: u64,
    /// Processor time.
    pub processor: Duration,
    /// Time for which it could have run, and no processor was free for it.
    pub kept_waiting: Duration,
}

impl Server {
    pub fn start(name: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env(VARIABLE, name).args(["--listen", "127.0.0.1:0"]);
        // What is measured is what the server holds. The GNU allocator by itself keeps up to 64 MiB of what was
        // given back for each of its arenas, of which there are eight for a processor where threads abound.
        for threshold in ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"] {
            command.env(threshold, "1048576");
        }
        if name == "std" {
            command.args(["--max-connections", "10000"]);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ").ok_or("it does not listen")?.parse()?;
        let server = Self { name: name.to_owned(), address, child };
        // What it opens and takes for its first connection stays.
        probe::visit(address)?;
        std::thread::sleep(Duration::from_millis(300));
        Ok(server)
    }

    /// An error if it has ended.
    pub fn reading(&self) -> Result<Reading> {
        let process = format!("/proc/{}", self.child.id());
        let status = fs::read_to_string(format!("{process}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("it has ended")?;
        let stat = fs::read_to_string(format!("{process}/stat"))?;
        let times: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        let ticks = times.get(11..13).ok_or("no times")?;
        // A hundred a second, on every Linux of these days.
        let ticks = ticks[0].parse::<u64>()? + ticks[1].parse::<u64>()?;
        let mut kept_waiting = 0;
        for task in fs::read_dir(format!("{process}/task"))?.take(TASKS) {
            let waited = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            kept_waiting += waited.split(' ').nth(1).map_or(Ok(0), str::parse::<u64>)?;
        }
        Ok(Reading {
            files: fs::read_dir(format!("{process}/fd"))?.count(),
            resident: resident.trim().trim_end_matches("kB").trim().parse::<u64>()? << 10,
            processor: Duration::from_millis(ticks * 10),
            kept_waiting: Duration::from_nanos(kept_waiting),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
