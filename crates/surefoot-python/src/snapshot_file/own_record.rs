//! One pool's place in the file.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use surefoot_core::ledger::Spectra;
use surefoot_core::share::ShareSums;
use surefoot_core::snapshot::Snapshot;
use surefoot_core::snapshot_file::{DecisionRecord, GilSensor, PoolRecord};
use surefoot_core::sync::lock_std;
use surefoot_core::window::Window;

use super::file::Written;
use crate::process;

/// A pool is shown from this time after its first task on: a program that makes a pool, uses it for a
/// moment and ends never makes a file.
const MOMENT_NS: u64 = 100_000_000;

/// Shortest time between two writings.
const LEAST_PAUSE_NS: u64 = 50_000_000;

/// What of a pool goes into its record.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Whether there is work.
    pub(crate) is_busy: bool,
    pub(crate) is_closed: bool,
    pub(crate) snapshot: Snapshot,
    pub(crate) spectra: Spectra,
    pub(crate) shares: ShareSums,
    /// Cores that the process may use.
    pub(crate) cores: f64,
    pub(crate) window: Option<Window>,
    pub(crate) decisions: Vec<DecisionRecord>,
}

/// The record of one pool; written by the monitor only.
#[derive(Debug)]
pub(crate) struct OwnRecord {
    is_wanted: bool,
    /// A copy in a forked child is not to touch the parent's file.
    generation: u64,
    /// The next writing; 0 before the first look.
    due_ns: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What stays the same is filled in.
    record: PoolRecord,
    place: Option<usize>,
    /// It was counted among those that have none.
    is_unshown: bool,
}

impl OwnRecord {
    /// Of a pool that `record` names; `is_wanted` is false if there is to be no file.
    pub(crate) fn new(record: PoolRecord, is_wanted: bool) -> Self {
        let state = Mutex::new(State { record, place: None, is_unshown: false });
        Self { is_wanted, generation: process::generation(), due_ns: AtomicU64::new(0), state }
    }

    /// Whether the pool is to be looked at for the file's sake alone.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted && self.due_ns.load(Ordering::Relaxed) != u64::MAX
    }

    /// When a pool is to be looked at that nobody looks at otherwise.
    pub(crate) fn next_ns(&self, now_ns: u64) -> u64 {
        self.due_ns.load(Ordering::Relaxed).max(now_ns + MOMENT_NS)
    }

    /// Whether to [`write`](Self::write) now.
    pub(crate) fn is_due(&self, now_ns: u64) -> bool {
        if !self.is_wanted {
            return false;
        }
        // Relaxed: the monitor alone reads and writes it.
        let due_ns = self.due_ns.load(Ordering::Relaxed);
        if due_ns == 0 {
            lock_std(&self.state).record.first_at_ns = now_ns;
            self.due_ns.store(now_ns + MOMENT_NS, Ordering::Relaxed);
            return false;
        }
        now_ns >= due_ns
    }

    /// When to write that the pool rests, if that cannot be now; `None` if nothing is shown of it.
    pub(crate) fn farewell_ns(&self) -> Option<u64> {
        let is_shown = self.is_wanted && lock_std(&self.state).place.is_some();
        is_shown.then(|| self.due_ns.load(Ordering::Relaxed))
    }

    /// Writes the record.
    pub(crate) fn write(&self, now_ns: u64, reading: Reading) {
        let mut state = lock_std(&self.state);
        let state = &mut *state;
        state.record.take(now_ns, reading);
        let publisher = process::publisher();
        let written = publisher.write(&mut state.record, state.place);
        state.place = if let Written::At(place) = written { Some(place) } else { None };
        if (written == Written::Full) != state.is_unshown {
            state.is_unshown = !state.is_unshown;
            publisher.count_unshown(state.is_unshown);
        }
        let due_ns = if written == Written::Never { u64::MAX } else { now_ns + LEAST_PAUSE_NS };
        self.due_ns.store(due_ns, Ordering::Relaxed);
    }
}

impl Drop for OwnRecord {
    fn drop(&mut self) {
        if self.generation != process::generation() {
            return;
        }
        let state = lock_std(&self.state);
        if let Some(place) = state.place {
            process::publisher().free(place);
        }
        if state.is_unshown {
            process::publisher().count_unshown(false);
        }
    }
}

/// Fills a record from what was read.
trait Take {
    fn take(&mut self, now_ns: u64, reading: Reading);
}

impl Take for PoolRecord {
    fn take(&mut self, now_ns: u64, reading: Reading) {
        let Reading { is_busy, is_closed, snapshot, spectra, shares, cores, window, decisions } = reading;
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (done_before, since_ns) = (self.completed(), now_ns.saturating_sub(self.at_ns));
        self.limit = count(snapshot.limit);
        self.cap = count(snapshot.cap);
        self.workers_live = count(snapshot.workers_live);
        self.workers_busy = count(snapshot.workers_busy);
        self.workers_joining = count(snapshot.workers_joining);
        self.queue_length = snapshot.queue_length as u64;
        self.queue_head_age_ns = snapshot.queue_head_age_ns;
        self.tasks = snapshot.tasks;
        self.throughput_per_s = if self.sequence > 0 && since_ns > 0 {
            (self.completed() - done_before.min(self.completed())) as f64 * 1e9 / since_ns as f64
        } else {
            0.0
        };
        self.at_ns = now_ns;
        (self.is_busy, self.is_closed) = (is_busy, is_closed);
        (self.spectra, self.shares, self.decisions) = (spectra, shares, decisions);
        self.cores = Some(cores);
        if let Some(window) = window {
            self.is_throttled = window.allowance.is_throttled;
            self.gil_sensor = GilSensor::of(&window);
            self.gil_busy_share = window.looks.gil_busy_share();
            let duration_ns = window.duration_ns as f64;
            self.cores_used =
                window.process_cpu_ns.filter(|_| duration_ns > 0.0).map(|ns| ns as f64 / duration_ns);
        }
    }
}
