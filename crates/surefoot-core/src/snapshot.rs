//! The one versioned record of a pool; everything outside reads this and nothing else.

use crate::ledger::{Counts, Percentiles};

/// Goes up whenever a field changes its meaning or goes away.
pub const VERSION: u32 = 1;

/// One consistent reading of a pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Snapshot {
    /// Workers admitted to run tasks.
    pub limit: usize,
    /// The limit never exceeds it.
    pub cap: usize,
    /// Workers that exist, those being started included.
    pub workers_live: usize,
    /// Workers that run a task.
    pub workers_busy: usize,
    /// Of those, workers that wait in `result()` for another task of the pool.
    pub workers_joining: usize,
    /// Tasks waiting.
    pub queue_length: usize,
    /// How long the oldest of them has waited, or, if none does, the first blocked submitter; 0
    /// without either.
    pub queue_head_age_ns: u64,
    /// Submitters that wait for room in the queue, each with a task.
    pub submitters_blocked: usize,
    /// Tasks by what became of them.
    pub tasks: Counts,
    /// Mean beta of all tasks completed.
    pub beta_mean: Option<f64>,
    /// From submission to a worker.
    pub queued: Option<Percentiles>,
    /// From awake to attached.
    pub attach_wait: Option<Percentiles>,
    /// From start to end of the call.
    pub wall: Option<Percentiles>,
    /// CPU time of the call.
    pub cpu: Option<Percentiles>,
}
