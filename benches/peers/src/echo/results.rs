//! What was measured, as it is written to `results/echo.json`.

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// A whole run.
#[derive(Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    /// Rounds, and seconds that each cell took in one.
    pub rounds: usize,
    pub seconds: f64,
    /// Whether messages were text.
    pub text: bool,
    pub cells: Vec<CellResult>,
    pub memory: Vec<Memory>,
    pub broadcast: Vec<Broadcast>,
    pub checks: Vec<Checks>,
}

/// One column of the table.
#[derive(Serialize, Deserialize)]
pub struct CellResult {
    pub name: String,
    pub contenders: Vec<Measured>,
}

/// One contender in one cell.
#[derive(Serialize, Deserialize)]
pub struct Measured {
    pub name: String,
    pub ours: bool,
    pub rounds: Vec<Sample>,
}

/// One round of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Nanoseconds of the server's CPU time a message.
    pub cpu: f64,
    /// Messages that came back in a second.
    pub rate: f64,
    /// Nanoseconds until a message came back: half of them, and 99 of 100, were faster.
    pub p50: u64,
    pub p99: u64,
}

impl Measured {
    /// The lowest CPU time a message of all rounds.
    pub fn lowest(&self) -> f64 {
        self.rounds.iter().map(|sample| sample.cpu).fold(f64::INFINITY, f64::min)
    }

    /// The median of the rounds of this figure.
    pub fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        let mut figures: Vec<_> = self.rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        let (low, high) = (figures.get((figures.len().max(1) - 1) / 2), figures.get(figures.len() / 2));
        low.zip(high).map_or(f64::NAN, |(low, high)| (low + high) / 2.0)
    }
}

impl CellResult {
    /// This contender, if it was measured.
    pub fn of(&self, name: &str) -> Option<&Measured> {
        self.contenders.iter().find(|measured| measured.name == name)
    }

    /// The lowest CPU time a message of any peer.
    pub fn best_peer(&self) -> f64 {
        let peers = self.contenders.iter().filter(|measured| !measured.ours);
        peers.map(Measured::lowest).fold(f64::INFINITY, f64::min)
    }
}

/// Resident octets a connection: idle since its opening handshake, and after one message each.
#[derive(Serialize, Deserialize)]
pub struct Memory {
    pub name: String,
    pub ours: bool,
    pub connections: usize,
    pub opened: f64,
    pub echoed: f64,
}

/// One message to many connections.
#[derive(Serialize, Deserialize)]
pub struct Broadcast {
    pub name: String,
    pub ours: bool,
    pub how: String,
    pub connections: usize,
    pub payload: usize,
    /// Nanoseconds of the server's CPU time a receiver, the lowest of the rounds and their median.
    pub cpu: f64,
    pub median: f64,
    /// Seconds until the last had the message, the lowest of the rounds.
    pub seconds: f64,
}

/// What a server does with what RFC 6455 forbids.
#[derive(Serialize, Deserialize)]
pub struct Checks {
    pub name: String,
    pub library: String,
    pub ours: bool,
    /// What was sent, and what followed.
    pub outcomes: Vec<(String, String)>,
}
