//! One glance at a pool between two windows, cheap enough for hundreds a second.

use crate::gil::GilReading;

/// What a glance sees. Counts are exact, everything else is a sample of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// Time since the look before.
    pub since_ns: u64,
    /// Tasks waiting.
    pub queue_length: usize,
    /// How long the oldest of them has waited.
    pub queue_head_age_ns: u64,
    /// The limit in force.
    pub limit: usize,
    /// The cap in force.
    pub cap: usize,
    /// The floor that the limit never goes below.
    pub min_workers: usize,
    /// Workers that run a task, those that wait in `result()` for another of the pool included.
    pub workers_busy: usize,
    /// Workers that wait in `result()` for another task of the pool; they do not count against the
    /// limit.
    pub workers_joining: usize,
    /// Tasks that returned or raised since the look before.
    pub completions: u64,
    /// The interpreter's lock.
    pub gil: GilReading,
    /// CPU time of the whole process since the look before; `None` where it cannot be read.
    pub process_cpu_ns: Option<u64>,
}

impl Look {
    /// Workers that count against the limit.
    pub fn workers_counted(&self) -> usize {
        self.workers_busy.saturating_sub(self.workers_joining)
    }

    /// Whether the limit holds tasks back: some wait, and every admitted worker is busy.
    pub fn is_bound(&self) -> bool {
        self.queue_length > 0 && self.workers_counted() >= self.limit
    }
}
