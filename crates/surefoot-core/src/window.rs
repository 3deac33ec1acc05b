//! One control period, reduced to what a controller may know.

/// What happened in one control period. Counts are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    /// Length of the period.
    pub duration_ns: u64,
    /// Tasks submitted in it.
    pub arrivals: u64,
    /// Tasks that returned or raised in it.
    pub completions: u64,
    /// Tasks waiting at its end.
    pub queue_length: usize,
    /// How long the oldest of them has waited.
    pub queue_head_age_ns: u64,
    /// The limit in force.
    pub limit: usize,
    /// The cap in force.
    pub cap: usize,
    /// The floor that the limit never goes below.
    pub min_workers: usize,
    /// Workers that exist.
    pub workers_live: usize,
    /// Workers that run a task.
    pub workers_busy: usize,
    /// Mean beta of the tasks completed in it; `None` if none could be measured.
    pub beta_mean: Option<f64>,
    /// CPU time of all workers in it, tasks in flight included; `None` where other threads' clocks
    /// cannot be read.
    pub workers_cpu_ns: Option<u64>,
}
