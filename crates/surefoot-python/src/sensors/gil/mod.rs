//! The main interpreter's GIL, looked at without holding it: whether it is held, how many wait for
//! it, how often it went from hand to hand.
//!
//! [`start`] finds it in the interpreter's memory (`probe::place`), learns where glibc counts the
//! waiters of a condition variable (`probe::condition`) and proves with threads of ours that those
//! are the GIL's (`probe::trial`). Whatever does not turn out as expected switches a method off, with the
//! reason kept for `surefoot doctor`; nothing is believed because of a version number. From then
//! on [`read`] is a few loads, for any thread, attached or not.
//!
//! `SUREFOOT_GIL_SENSOR` chooses a method: `auto` (the default), `waiters` (this or nothing),
//! `lock` (no waiters), `none`; and two broken ones for tests, `frozen` (the first reading for
//! ever) and `garbage` (any figures).

mod fault;
#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
mod probe;
#[cfg(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64")))]
#[path = "elsewhere.rs"]
mod probe;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::ArcSwapOption;
use pyo3::prelude::*;
use surefoot_core::gil::GilReading;

pub(crate) use probe::{sleeping_places, waited};

use crate::sensors::report::{Report, Sensor};

/// How [`read`] reads.
static METHOD: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
/// The interpreter said that no GIL is in force, and it cannot be watched.
const OFF: u8 = 1;
/// By [`probe`].
const PROBE: u8 = 2;
const FROZEN: u8 = 3;
const GARBAGE: u8 = 4;

/// How far [`start`] has come.
static PHASE: AtomicU8 = AtomicU8::new(IDLE);
const IDLE: u8 = 0;
const STARTING: u8 = 1;
const READY: u8 = 2;
/// Ready, but something is to be looked at again by the next start: a trial that was disturbed, or
/// that must wait until a free-threaded build's lock is in force.
const UNSETTLED: u8 = 3;

/// Trials that may fail before waiters are given up.
const ATTEMPTS: u8 = 10;
static FAILED: AtomicU8 = AtomicU8::new(0);

static OUTCOME: ArcSwapOption<Outcome> = ArcSwapOption::const_empty();

/// What became of each method, in words.
#[derive(Debug)]
struct Outcome {
    /// How the lock was found, or why not.
    lock: Result<String, String>,
    /// How the waiters are counted, or why not.
    waiters: Result<String, String>,
}

/// One look, by any thread: some loads, no lock, no call.
#[inline]
pub(crate) fn read() -> GilReading {
    // Acquire: the other half is in `publish`; the probe's numbers were stored before.
    match METHOD.load(Ordering::Acquire) {
        PROBE => probe::read(),
        OFF => GilReading::Off,
        FROZEN => fault::frozen(probe::read),
        GARBAGE => fault::garbage(),
        _ => GilReading::Unknown,
    }
}

/// The interpreter's address for the thread that holds the lock now, as [`thread_holder_id`] tells a
/// thread its own; `None` if nobody does, or where that cannot be seen.
pub(crate) fn holder() -> Option<u64> {
    // Acquire: as in `read`.
    if METHOD.load(Ordering::Acquire) == PROBE { probe::holder() } else { None }
}

/// What [`holder`] says while the calling thread holds the lock.
#[inline]
pub(crate) fn thread_holder_id(_py: Python<'_>) -> u64 {
    // SAFETY: attached, by `_py`, so there is a current thread state.
    unsafe { pyo3::ffi::PyThreadState_Get() as u64 }
}

/// Finds out how to read, if that is not known yet. Cheap when it is: to be called whenever a pool
/// is made. The caller is attached, and stays so.
pub(crate) fn start(py: Python<'_>) {
    let phase = PHASE.load(Ordering::Relaxed);
    if phase == READY || phase == STARTING {
        return;
    }
    if phase == UNSETTLED && METHOD.load(Ordering::Acquire) == PROBE && probe::read() == GilReading::Off {
        return;
    }
    // Only keeps a second thread out; the results are handed over by METHOD and OUTCOME.
    if PHASE.compare_exchange(phase, STARTING, Ordering::Relaxed, Ordering::Relaxed).is_err() {
        return;
    }
    let next = set_up(py);
    PHASE.store(next, Ordering::Relaxed);
}

fn set_up(py: Python<'_>) -> u8 {
    let wanted = std::env::var("SUREFOOT_GIL_SENSOR").unwrap_or_default();
    let wanted = wanted.as_str();
    let forced = || format!("SUREFOOT_GIL_SENSOR={wanted}");
    if wanted == "none" || wanted == "garbage" {
        let method = if wanted == "none" { UNKNOWN } else { GARBAGE };
        publish(method, Outcome { lock: Err(forced()), waiters: Err(forced()) });
        return READY;
    }
    let lock = match probe::find(py) {
        Ok(how) => how,
        Err(probe::Failure { why, is_off }) => {
            let waiters = Err(why.clone());
            publish(if is_off { OFF } else { UNKNOWN }, Outcome { lock: Err(why), waiters });
            // The lock may be switched on by an import, and must then be reported as unknown.
            return if is_off { UNSETTLED } else { READY };
        }
    };
    if wanted == "lock" {
        publish(PROBE, Outcome { lock: Ok(lock), waiters: Err(forced()) });
        return READY;
    }
    let (waiters, next) = match probe::count_waiters(py, disprove, start) {
        Ok(probe::Proof::Whole(how)) => (Ok(how), READY),
        Ok(probe::Proof::Part(how)) => (Ok(how), UNSETTLED),
        Err(why) => (Err(why), after_failure()),
    };
    let method = match wanted {
        "frozen" => FROZEN,
        "waiters" if waiters.is_err() => UNKNOWN,
        _ => PROBE,
    };
    publish(method, Outcome { lock: Ok(lock), waiters });
    if method == FROZEN {
        read();
    }
    next
}

/// The next phase after a failed trial.
fn after_failure() -> u8 {
    if FAILED.fetch_add(1, Ordering::Relaxed) + 1 < ATTEMPTS { UNSETTLED } else { READY }
}

/// Called by a thread of the trial, if the count has not fallen again.
fn disprove(why: String) {
    probe::forget_waiters();
    let lock = OUTCOME.load_full().map_or_else(|| Err(why.clone()), |outcome| outcome.lock.clone());
    OUTCOME.store(Some(Arc::new(Outcome { lock, waiters: Err(why) })));
    PHASE.store(after_failure(), Ordering::Relaxed);
}

fn publish(method: u8, outcome: Outcome) {
    OUTCOME.store(Some(Arc::new(outcome)));
    // Release: for the load in `read`.
    METHOD.store(method, Ordering::Release);
}

/// What became of a method, after a start.
fn outcome(py: Python<'_>, of: fn(&Outcome) -> &Result<String, String>) -> Result<String, String> {
    start(py);
    OUTCOME.load().as_ref().map_or_else(|| Err("not started".to_owned()), |outcome| of(outcome).clone())
}

/// Whether the GIL is held, and how often it changed hands.
#[derive(Debug)]
pub(crate) struct Lock;

impl Sensor for Lock {
    fn report(&self, py: Python<'_>) -> Report {
        let outcome = outcome(py, |outcome| &outcome.lock);
        Report::new(
            "GIL held, switches",
            "lock word",
            "exact at a look; a share u of n looks: sqrt(u (1 - u) / n)",
            outcome,
        )
    }
}

/// How many threads wait for the GIL.
#[derive(Debug)]
pub(crate) struct Waiters;

impl Sensor for Waiters {
    fn report(&self, py: Python<'_>) -> Report {
        let outcome = outcome(py, |outcome| &outcome.waiters);
        Report::new(
            "GIL waiters",
            "condition variable",
            "exact at a look; looks dt apart: dt / 2 * sqrt(waits begun)",
            outcome,
        )
    }
}

/// The place of the lock is the same in a forked child, its condition is made anew; only a start
/// that was under way has lost its thread.
pub(crate) fn after_fork_in_child() {
    if PHASE.load(Ordering::Relaxed) == STARTING {
        PHASE.store(IDLE, Ordering::Relaxed);
    }
}
