//! Puts one worker to sleep until somebody grants it a permit.
//!
//! A [`Parker`] belongs to one worker thread, which alone may wait on it; any thread may
//! [`grant`](Parker::grant). A grant given before the wait is not lost.

use crate::sync::{AtomicBool, Ordering, Thread, current, park};

/// Why a wait ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wake {
    /// A permit was granted.
    Granted,
    /// The time ran out first.
    TimedOut,
}

/// The sleeping place of one worker.
#[derive(Debug)]
pub struct Parker {
    granted: AtomicBool,
    thread: Thread,
}

impl Parker {
    /// Makes a parker for the calling thread.
    pub fn for_current_thread() -> Self {
        Self { granted: AtomicBool::new(false), thread: current() }
    }

    /// Hands the worker a permit and wakes it.
    pub fn grant(&self) {
        // Release: pairs with the Acquire in `take_grant`, so that the worker sees all that
        // was done before the permit was granted.
        self.granted.store(true, Ordering::Release);
        self.thread.unpark();
    }

    /// Whether a grant is there to be taken; for polling before a wait.
    pub fn is_granted(&self) -> bool {
        self.granted.load(Ordering::Relaxed)
    }

    fn take_grant(&self) -> bool {
        // Acquire: pairs with the Release store in `grant`. Nothing is written without a grant, so
        // that no `false` races with the `true` of a grant.
        self.granted.compare_exchange(true, false, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Waits for a grant for at most `timeout_ns` (`None`: without end). Only for the parker's own
    /// thread; the standard library's `park` may return early, so the grant is what counts.
    #[cfg(not(surefoot_loom))]
    pub fn wait(&self, timeout_ns: Option<u64>) -> Wake {
        let deadline_ns = timeout_ns.map(|timeout| crate::clock::now_ns().saturating_add(timeout));
        loop {
            if self.take_grant() {
                return Wake::Granted;
            }
            let Some(deadline_ns) = deadline_ns else {
                park();
                continue;
            };
            let left_ns = deadline_ns.saturating_sub(crate::clock::now_ns());
            if left_ns == 0 {
                return Wake::TimedOut;
            }
            std::thread::park_timeout(std::time::Duration::from_nanos(left_ns));
        }
    }

    /// Waits for a grant. Loom has no time, so a time-out is modelled by a worker that does not
    /// wait and retires at once.
    #[cfg(surefoot_loom)]
    pub fn wait(&self, timeout_ns: Option<u64>) -> Wake {
        if timeout_ns == Some(0) {
            return if self.take_grant() { Wake::Granted } else { Wake::TimedOut };
        }
        while !self.take_grant() {
            park();
        }
        Wake::Granted
    }
}
