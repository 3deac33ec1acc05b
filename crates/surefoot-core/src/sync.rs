//! The one door to threads and locks: the standard library's, or loom's when models are run.
//!
//! `cfg(surefoot_loom)` is private to this workspace on purpose: a plain `cfg(loom)` would change
//! our dependencies too.

#[cfg(surefoot_loom)]
pub use loom::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Thread, current, park},
};
#[cfg(not(surefoot_loom))]
pub use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Thread, current, park},
};

/// Locks `mutex`, also when a thread panicked while it held the lock.
///
/// Every critical section of this crate keeps its invariants at each step, so what a panicking
/// thread leaves behind is valid.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Like [`lock`] for the standard library's mutex, for parts that no model covers.
pub fn lock_std<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
