//! Where and with what something was measured.

use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::Result;

/// Written with every result.
#[derive(Clone, Serialize, Deserialize)]
pub struct Machine {
    /// Year, month and day, UTC.
    pub date: String,
    pub cpu: String,
    pub cores: usize,
    pub kernel: String,
    pub rustc: String,
    /// The commit of this repository.
    pub commit: String,
    /// The libraries that are compared, with their versions.
    pub versions: Vec<(String, String)>,
}

/// What Cargo built us of.
const LOCK: &str = include_str!("../Cargo.lock");

impl Machine {
    /// This one, with the versions of these packages.
    pub fn here(packages: &[&str]) -> Result<Self> {
        let date = time::OffsetDateTime::now_utc().date();
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Ok(Self {
            date: format!("{}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()),
            cpu: cpu.map_or("unknown", |(_, cpu)| cpu.trim()).into(),
            cores: std::thread::available_parallelism()?.get(),
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().into(),
            rustc: said(Command::new("rustc").arg("--version")),
            commit: said(Command::new("git").args(["describe", "--always", "--dirty", "--exclude=*"])),
            versions: packages.iter().filter_map(|name| Some((name.to_string(), version(name)?))).collect(),
        })
    }

    /// One line of it.
    pub fn line(&self) -> String {
        let Self { date, cpu, cores, kernel, rustc, commit, .. } = self;
        format!("{date}, {cpu} ({cores} cores), Linux {kernel}, {rustc}, commit {commit}")
    }

    /// The libraries with their versions.
    pub fn versions_line(&self) -> String {
        let versions: Vec<_> =
            self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        versions.join(", ")
    }
}

/// The version of this package in `Cargo.lock`.
fn version(package: &str) -> Option<String> {
    let entry =
        LOCK.split("[[package]]").find(|entry| entry.contains(&format!("\nname = \"{package}\"\n")))?;
    let version = entry.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(version.trim_matches('"').into())
}

/// What a command says, in one line; where it is not there, that it is not known.
fn said(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    output.map_or("unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().into())
}
