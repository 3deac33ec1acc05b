//! Brings decisions and warnings to the logger `surefoot`, through `surefoot.journal`.
//!
//! The monitor must not attach to find out whether anybody reads at DEBUG. So threads that are
//! attached anyway, workers between two tasks, look for it now and then, and the monitor reads what
//! they saw last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pyo3::prelude::*;
use surefoot_core::decision::Entry;
use surefoot_core::starvation::Hunger;

use crate::attach;
use crate::name::name;
use crate::records;
use crate::shared::Shared;
use crate::standard::Standard;

/// How soon a change of the logger's level is noticed while tasks run. Not critical: a look is a
/// lookup in a dictionary.
const LOOK_EVERY_NS: u64 = 100_000_000;

static IS_READ: AtomicBool = AtomicBool::new(false);
static NEXT_LOOK_NS: AtomicU64 = AtomicU64::new(0);

/// Whether anybody read at DEBUG when a thread last looked.
pub(crate) fn is_read() -> bool {
    IS_READ.load(Ordering::Relaxed)
}

/// Looks whether anybody reads at DEBUG, unless that was done a moment ago; for a worker between two
/// tasks, where nobody could be told of an error.
#[inline]
pub(crate) fn look(py: Python<'_>, now_ns: u64) {
    if now_ns >= NEXT_LOOK_NS.load(Ordering::Relaxed)
        && let Err(error) = look_now(py, now_ns)
    {
        error.write_unraisable(py, None);
    }
}

/// The same, at once.
///
/// # Errors
/// What a signal handler raised meanwhile.
#[cold]
pub(crate) fn look_now(py: Python<'_>, now_ns: u64) -> PyResult<()> {
    NEXT_LOOK_NS.store(now_ns + LOOK_EVERY_NS, Ordering::Relaxed);
    let journal = Standard::get(py)?.journal.bind(py);
    let is_read = attach::call_method(journal, name!(py, "is_read"), ())?.extract::<bool>()?;
    IS_READ.store(is_read, Ordering::Relaxed);
    Ok(())
}

/// Logs what was decided.
pub(crate) fn tell_decisions(py: Python<'_>, shared: &Arc<Shared>, news: &[Entry]) {
    if news.is_empty() {
        return;
    }
    let tell = || {
        let name = shared.maker.bind(py).getattr(name!(py, "prefix"))?;
        let news = records::decisions(py, news.iter())?;
        attach::call_method(Standard::get(py)?.journal.bind(py), name!(py, "tell_decisions"), (name, news))
    };
    if let Err(error) = tell() {
        error.write_unraisable(py, None);
    }
}

/// Logs that the pool starves.
pub(crate) fn tell_hunger(py: Python<'_>, shared: &Arc<Shared>, hunger: &Hunger) {
    let tell = || {
        let name = shared.maker.bind(py).getattr(name!(py, "prefix"))?;
        let hunger = records::hunger(py, hunger)?;
        attach::call_method(Standard::get(py)?.journal.bind(py), name!(py, "tell_hunger"), (name, hunger))
    };
    if let Err(error) = tell() {
        error.write_unraisable(py, None);
    }
}
