//! How many instructions a message takes. That does not depend on what else the machine does.
//!
//! The program runs itself under callgrind, once with some messages and once with twice as many. The difference
//! does not contain what happens only once. Callgrind counts `rep movsb` once for each octet, so the C library
//! is told to copy without it. And it does not know AVX-512, so AVX2 is measured instead.

use std::env;
use std::process::Command;

use super::contenders::Contender;
use super::workload::{Case, Reads};
use crate::Result;

/// Longer than any copy.
const NO_REP_MOVSB: &str = "glibc.cpu.x86_rep_movsb_threshold=1073741824";

/// Instructions a message; `None` if the contender cannot do the case.
pub fn count(case: &Case, contender: &Contender) -> Result<Option<f64>> {
    let reads = match case.reads {
        Reads::UpTo(len) => 1 + case.len / len,
        Reads::Full | Reads::Frame => 1,
    };
    let messages = (4 << 20) / (case.len + 128) / (reads * reads);
    let Some(once) = collected(case, contender, messages)? else { return Ok(None) };
    let Some(twice) = collected(case, contender, messages * 2)? else { return Ok(None) };
    Ok(Some((twice - once) / messages as f64))
}

fn collected(case: &Case, contender: &Contender, messages: usize) -> Result<Option<f64>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*codec::counted*"])
        .arg(env::current_exe()?)
        .env("GLIBC_TUNABLES", NO_REP_MOVSB)
        .args(["codec", "--one", case.id, contender.name, &messages.to_string()])
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    let collected = told.lines().find_map(|line| line.split_once("Collected : "));
    match collected {
        _ if output.status.code() == Some(super::UNABLE.into()) => Ok(None),
        Some((_, count)) if output.status.success() => Ok(Some(count.trim().parse()?)),
        _ => Err(format!("{} in {}: {told}", contender.name, case.id).into()),
    }
}
