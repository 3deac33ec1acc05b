//! One control period, reduced to what a controller may know.

use crate::allowance::Allowance;
use crate::gil::{GilReading, GilState};

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
    /// Of those, workers that wait in `result()` for another task of the pool.
    pub workers_joining: usize,
    /// Mean beta of the tasks completed in it; `None` if none could be measured.
    pub beta_mean: Option<f64>,
    /// Wall time of the tasks completed in it, from start to end of each.
    pub wall_ns: u64,
    /// Time that workers, woken for those tasks, had waited for the interpreter before they could
    /// start them; it is in none of the other sums.
    pub attach_wait_ns: u64,
    /// Time that workers spent in tasks in it, tasks in flight included, waits for other tasks of
    /// the pool included.
    pub busy_ns: u64,
    /// CPU time of all workers in it, tasks in flight included; `None` where other threads' clocks
    /// cannot be read.
    pub workers_cpu_ns: Option<u64>,
    /// Time that workers were runnable without a core in it; `None` where the kernel does not say.
    pub workers_runqueue_ns: Option<u64>,
    /// Whether that was measured on some of the workers only, and scaled.
    pub is_runqueue_sampled: bool,
    /// CPU time of the whole process in it.
    pub process_cpu_ns: Option<u64>,
    /// What the looks within it saw.
    pub looks: Looks,
    /// What the machine lets the process use.
    pub allowance: Allowance,
}

/// What the looks of one window saw, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Looks {
    /// How many there were.
    pub count: u32,
    /// Of those, how many found the limit binding: tasks waiting and every admitted worker busy.
    pub bound: u32,
    /// Of those, how many could see the GIL.
    pub seen: u32,
    /// Of those, how many found that there is no GIL in force.
    pub off: u32,
    /// Of the seen, how many found it held.
    pub held: u32,
    /// Of the seen, how many found it held or wanted.
    pub busy: u32,
    /// Of the counted, how many found a thread waiting for it.
    pub wanted: u32,
    /// Looks that could count the waiters.
    pub counted: u32,
    /// Waiters in those, summed.
    pub waiters: u64,
    /// Sum of the squares of their numbers, for the error bar.
    pub waiters_squared: u64,
    /// Waits begun since the window before.
    pub waits: Option<u64>,
    /// Times that the GIL went to another thread since the window before.
    pub switches: Option<u64>,
    /// Workers in `result()`, summed over all looks.
    pub joining: u64,
}

impl Looks {
    /// Adds one look at the GIL.
    pub fn add(&mut self, gil: GilReading) {
        match gil {
            GilReading::Unknown => {}
            GilReading::Off => self.off += 1,
            GilReading::Seen(GilState { is_held, waiters, .. }) => {
                self.seen += 1;
                self.held += u32::from(is_held);
                self.busy += u32::from(is_held || waiters.is_some_and(|waiters| waiters > 0));
                if let Some(waiters) = waiters {
                    self.counted += 1;
                    self.wanted += u32::from(waiters > 0);
                    self.waiters += u64::from(waiters);
                    let squared = u64::from(waiters) * u64::from(waiters);
                    // A sensor gone wrong may say anything.
                    self.waiters_squared = self.waiters_squared.saturating_add(squared);
                }
            }
        }
    }

    /// Share of the looks that found the GIL held or wanted; `None` if none could see it.
    pub fn gil_busy_share(&self) -> Option<f64> {
        (self.seen > 0).then(|| f64::from(self.busy) / f64::from(self.seen))
    }

    /// Mean number of threads waiting for the GIL; `None` if they could not be counted.
    pub fn gil_waiters_mean(&self) -> Option<f64> {
        (self.counted > 0).then(|| self.waiters as f64 / f64::from(self.counted))
    }

    /// Share of the looks that found the limit binding.
    pub fn bound_share(&self) -> f64 {
        if self.count == 0 { 0.0 } else { f64::from(self.bound) / f64::from(self.count) }
    }

    /// Whether the window was one of an interpreter without a GIL.
    pub fn is_gil_off(&self) -> bool {
        self.off > 0 && self.seen == 0
    }
}
