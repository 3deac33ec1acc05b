//! What the threads of an observation and the monitor share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Weak};

use surefoot_core::clock;
use surefoot_core::observation::Books;
use surefoot_core::share::ShareSums;
use surefoot_core::sync::lock_std;

use crate::function::Functions;
use crate::process;
use crate::sensors::clocks;
use crate::sensors::meter::WorkerMeter;
use crate::shared::Shared;

/// One observation.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(super) id: u64,
    generation: u64,
    is_on: AtomicBool,
    pub(super) began_ns: u64,
    pub(super) began_cpu_ns: Option<u64>,
    pub(super) functions: Functions,
    books: Mutex<Books>,
    /// The monitor's.
    pub(super) watching: Mutex<Watching>,
}

/// What the monitor remembers from tick to tick.
#[derive(Debug, Default)]
pub(super) struct Watching {
    pub(super) looks: u32,
    pub(super) windowed_ns: u64,
    pub(super) census_ns: u64,
    /// Of each pool in the books.
    pub(super) meters: Vec<WorkerMeter>,
    pub(super) own_pools: Vec<OwnPool>,
    /// Of all threads looked at for what they are blocked in, how many could be seen.
    pub(super) sightings: u64,
}

/// A pool of ours, which keeps its own books: only its course in time is written down here.
#[derive(Debug)]
pub(super) struct OwnPool {
    pub(super) number: usize,
    pub(super) shared: Weak<Shared>,
    pub(super) completed: u64,
    pub(super) shares: ShareSums,
    pub(super) at_ns: u64,
    pub(super) workers_peak: usize,
    pub(super) queue_peak: usize,
}

impl Observed {
    pub(super) fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let began_ns = clock::now_ns();
        Self {
            id: LAST.fetch_add(1, Ordering::Relaxed),
            generation: process::generation(),
            is_on: AtomicBool::new(true),
            began_ns,
            began_cpu_ns: clocks::process_cpu_ns(),
            functions: Functions::default(),
            books: Mutex::new(Books::new(began_ns)),
            watching: Mutex::default(),
        }
    }

    /// Whether calls are to be measured. Not in a forked child: the books are the parent's, and a
    /// thread of its may have held their lock.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed) && self.is_here()
    }

    fn is_here(&self) -> bool {
        self.generation == process::generation()
    }

    pub(super) fn stop(&self) {
        self.is_on.store(false, Ordering::Relaxed);
    }

    /// The books; `None` in a forked child.
    #[inline]
    pub(super) fn books(&self) -> Option<MutexGuard<'_, Books>> {
        self.is_here().then(|| lock_std(&self.books))
    }
}
