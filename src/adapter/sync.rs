//! The lock that halves share.
//!
//! Owns: which lock that is; a model checker brings its own (`--cfg shuttle`). Must not know: what is locked.

#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
