//! Run-queue delay of single tasks, read by the worker itself: exact, but a system call or three,
//! so only tasks that are long enough to pay for it are measured.
//!
//! The reading that ends one task begins the next. Between the two there may be short tasks, of
//! which nobody knows how much of their pauses was the run queue; as long as those pauses are a
//! small part of the long task, its figure stands.

use surefoot_core::found::Found;

use super::schedstat;

/// A task is long enough if it takes this many times what a reading does: with one to end it, and
/// now and then one to begin, at most 0.2 % of its time.
const COSTS_PER_TASK: u64 = 1_000;

/// No task is measured that is shorter, however cheap a reading seems.
const SHORTEST_NS: u64 = 1_000_000;

/// Of a task's wall time, what may be unknown about the time before it.
const MOST_UNKNOWN_DIVISOR: u64 = 100;

/// A worker's own run-queue delay.
#[derive(Debug)]
pub(crate) struct OwnDelay {
    read: fn() -> Option<u64>,
    threshold_ns: u64,
    /// The last reading; `None` if it is too old to begin a task.
    last_ns: Option<u64>,
    /// Pauses since then that may have been in the run queue.
    unknown_ns: u64,
    /// Whether the last task was long: then the next is expected to be.
    is_long_expected: bool,
}

impl OwnDelay {
    /// Begins with the worker.
    pub(crate) fn new() -> Self {
        static THRESHOLD: Found = Found::new();
        let threshold_ns = THRESHOLD.get_or_find(|| {
            let is_counted = schedstat::is_counted();
            if is_counted { (COSTS_PER_TASK * schedstat::own_cost_ns()).max(SHORTEST_NS) } else { u64::MAX }
        });
        Self::with(schedstat::own_runqueue_ns, threshold_ns)
    }

    fn with(read: fn() -> Option<u64>, threshold_ns: u64) -> Self {
        Self { read, threshold_ns, last_ns: read(), unknown_ns: 0, is_long_expected: true }
    }

    /// The worker has waited, detached: how long its waking took is not the next task's.
    #[inline(never)]
    pub(crate) fn woken(&mut self) {
        self.last_ns = if self.is_long_expected { (self.read)() } else { None };
        self.unknown_ns = 0;
    }

    /// A pause passed that is no task's.
    pub(crate) fn paused(&mut self, pause_ns: u64) {
        self.unknown_ns = self.unknown_ns.saturating_add(pause_ns);
    }

    /// A task ended that did not compute for `pause_ns` of its time. Returns its run-queue delay.
    #[inline]
    pub(crate) fn ended(&mut self, wall_ns: u64, pause_ns: u64) -> Option<u64> {
        if wall_ns < self.threshold_ns {
            self.is_long_expected = false;
            self.paused(pause_ns);
            return None;
        }
        self.ended_long(wall_ns, pause_ns)
    }

    #[inline(never)]
    fn ended_long(&mut self, wall_ns: u64, pause_ns: u64) -> Option<u64> {
        self.is_long_expected = true;
        let now_ns = (self.read)();
        let last_ns = std::mem::replace(&mut self.last_ns, now_ns)?;
        let unknown_ns = std::mem::take(&mut self.unknown_ns);
        let delay_ns = now_ns?.saturating_sub(last_ns).min(pause_ns);
        (unknown_ns <= wall_ns / MOST_UNKNOWN_DIVISOR).then_some(delay_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        static DELAY: Cell<u64> = const { Cell::new(0) };
        static READINGS: Cell<u32> = const { Cell::new(0) };
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the real one")]
    fn read() -> Option<u64> {
        READINGS.set(READINGS.get() + 1);
        Some(DELAY.get())
    }

    fn wait_in_queue(delay_ns: u64) {
        DELAY.set(DELAY.get() + delay_ns);
    }

    #[test]
    fn one_reading_ends_a_task_and_begins_the_next() {
        let mut own = OwnDelay::with(read, 1000);
        wait_in_queue(300);
        assert_eq!(own.ended(2000, 1000), Some(300));
        wait_in_queue(700);
        assert_eq!(own.ended(2000, 1000), Some(700));
        assert_eq!(READINGS.get(), 3);
    }

    #[test]
    fn short_tasks_cost_nothing_and_spoil_only_what_they_may() {
        let mut own = OwnDelay::with(read, 1000);
        for _ in 0..5 {
            assert_eq!(own.ended(100, 2), None);
        }
        wait_in_queue(300);
        assert_eq!(own.ended(2000, 1000), Some(300), "10 of 2000 are unknown");
        assert_eq!(own.ended(900, 800), None);
        assert_eq!(own.ended(2000, 1000), None, "800 of 2000 are unknown");
        assert_eq!(READINGS.get(), 3);
        own.paused(500);
        assert_eq!(own.ended(2000, 1000), None);
    }

    #[test]
    fn waking_is_not_the_tasks() {
        let mut own = OwnDelay::with(read, 1000);
        wait_in_queue(900);
        own.woken();
        wait_in_queue(5);
        assert_eq!(own.ended(2000, 1000), Some(5));
        assert_eq!(own.ended(10, 0), None);
        own.woken();
        assert_eq!(own.ended(2000, 1000), None, "after a short task none was expected");
        own.woken();
        wait_in_queue(2000);
        assert_eq!(own.ended(2000, 1000), Some(1000), "no more than it paused");
    }
}
