//! What there is one of per process: the monitor, the attendant, what the machine allows, the
//! snapshot file's writer, and the count of forks.
//!
//! A forked child has none of its parent's threads, and a lock that one of them held stays locked
//! for ever. So the child leaves all of it behind (the memory is not even freed) and starts anew:
//! [`after_fork_in_child`] is the first thing it runs, while it has but one thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use surefoot_core::monitor::{Monitor, Watched};

use crate::attach;
use crate::attendant::Attendant;
use crate::placement;
use crate::sensors::{allowance, gil, schedstat};
use crate::snapshot_file::{self, Publisher};

static MONITOR: ArcSwapOption<Monitor> = ArcSwapOption::const_empty();
static ATTENDANT: ArcSwapOption<Attendant> = ArcSwapOption::const_empty();
static ALLOWANCE: ArcSwapOption<allowance::Keeper> = ArcSwapOption::const_empty();
static PUBLISHER: ArcSwapOption<Publisher> = ArcSwapOption::const_empty();
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Counts the forks between the first process that imported surefoot and this one. A worker that
/// sees it change has been copied into a child, where its pool is no more.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Has the monitor look at `pool` from `due_ns` on.
pub(crate) fn watch(pool: Weak<dyn Watched>, due_ns: u64) -> std::io::Result<()> {
    placement::as_ourselves(|| get_or_make(&MONITOR).watch(pool, due_ns))
}

/// The process's attendant.
pub(crate) fn attendant() -> Arc<Attendant> {
    get_or_make(&ATTENDANT)
}

/// The process's reading of what the machine allows.
pub(crate) fn allowance() -> Arc<allowance::Keeper> {
    get_or_make(&ALLOWANCE)
}

/// The process's writer of the snapshot file.
pub(crate) fn publisher() -> Arc<Publisher> {
    get_or_make(&PUBLISHER)
}

fn get_or_make<T: Default>(place: &ArcSwapOption<T>) -> Arc<T> {
    if let Some(present) = place.load_full() {
        return present;
    }
    let made = Arc::new(T::default());
    let before = place.compare_and_swap(&None::<Arc<T>>, Some(Arc::clone(&made)));
    arc_swap::Guard::into_inner(before).unwrap_or(made)
}

/// Refuses to be loaded in any interpreter but the main one: types and cached objects are the
/// process's. `PyO3` and 3.12 see to that themselves, older versions do not.
///
/// # Errors
/// `ImportError` in a sub-interpreter.
pub(crate) fn refuse_sub_interpreter(_py: Python<'_>) -> PyResult<()> {
    // SAFETY: attached, by `_py`, so there is a current interpreter.
    let interpreter = unsafe { pyo3::ffi::PyInterpreterState_Get() };
    // SAFETY: it is the current one, and alive.
    if unsafe { pyo3::ffi::PyInterpreterState_GetID(interpreter) } != 0 {
        return Err(PyImportError::new_err("surefoot._core cannot be loaded in a sub-interpreter"));
    }
    Ok(())
}

/// Leaves the parent's threads behind. To be registered with `os.register_at_fork`.
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    attach::after_fork_in_child();
    GENERATION.fetch_add(1, Ordering::Relaxed);
    std::mem::forget(MONITOR.swap(None));
    std::mem::forget(ATTENDANT.swap(None));
    std::mem::forget(ALLOWANCE.swap(None));
    std::mem::forget(PUBLISHER.swap(None));
    snapshot_file::after_fork_in_child();
    gil::after_fork_in_child();
    schedstat::after_fork_in_child();
    placement::after_fork_in_child();
}
