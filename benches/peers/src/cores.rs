//! Which core does what: the server has one for itself, and so has who loads it.

use crate::Result;

/// The core of a server.
pub const SERVER: usize = 0;
/// The core of who loads it.
pub const CLIENT: usize = 1;

/// Keeps this thread, and what it starts, on one core. Where there is only one, everybody shares it.
pub fn pin(core: usize) -> Result {
    let cores = core_affinity::get_core_ids().ok_or("the cores are not known")?;
    let Some(core) = cores.get(core).or(cores.last()) else { return Ok(()) };
    match core_affinity::set_for_current(*core) {
        true => Ok(()),
        false => Err("this thread cannot be kept on a core".into()),
    }
}
