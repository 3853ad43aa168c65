//! The locks that halves share.
//
// Owns: which locks are used. A model checker has its own (`--cfg shuttle`).
// Must not know: what is locked.

#[cfg(not(shuttle))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
