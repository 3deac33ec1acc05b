//! One control period, reduced to what a controller may know.

use crate::allowance::Allowance;
use crate::gil::{GilReading, GilState};
use crate::ledger::Demand;

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
    /// CPU time of those tasks, and how much it varies.
    pub demand: Demand,
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

impl Window {
    /// Workers that count against the limit.
    pub fn workers_counted(&self) -> usize {
        self.workers_busy.saturating_sub(self.workers_joining)
    }
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
    /// Time between looks that could see the GIL.
    pub seen_ns: f64,
    /// Of that, the time that it was held.
    pub held_ns: f64,
    /// Of that, the time that it was held or wanted.
    pub busy_ns: f64,
    /// Time between looks that could count the waiters.
    pub counted_ns: f64,
    /// Of that, the time that threads waited for it, summed over the threads, whosoever they are.
    pub waited_ns: f64,
    /// Waiters in the looks that told others' from the pool's own, summed.
    pub told_waiters: f64,
    /// Of those, the ones that are not the pool's.
    pub foreign_waiters: f64,
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
    /// Adds one look at the GIL, `since_ns` after the one that saw `before`.
    ///
    /// Looks are not evenly spaced (they come fast when nothing runs), so what they saw is weighted by
    /// time, a line drawn from each look to the next.
    pub fn add(&mut self, before: GilReading, now: GilReading, since_ns: u64) {
        let state = match now {
            GilReading::Unknown => return,
            GilReading::Off => {
                self.off += 1;
                return;
            }
            GilReading::Seen(state) => state,
        };
        let before = if let GilReading::Seen(before) = before { before } else { state };
        let since_ns = since_ns as f64;
        let between = |of: fn(&GilState) -> f64| since_ns * f64::midpoint(of(&before), of(&state));
        self.seen += 1;
        self.seen_ns += since_ns;
        self.held_ns += between(|state| f64::from(u8::from(state.is_held)));
        self.busy_ns += between(|state| f64::from(u8::from(state.is_busy())));
        if let (Some(waiters), Some(_)) = (state.waiters, before.waiters) {
            self.counted += 1;
            self.counted_ns += since_ns;
            self.waited_ns += between(|state| state.waiters.map_or(0.0, f64::from));
            self.waiters += u64::from(waiters);
            let squared = u64::from(waiters) * u64::from(waiters);
            // A sensor gone wrong may say anything.
            self.waiters_squared = self.waiters_squared.saturating_add(squared);
        }
    }

    /// Share of the time that the GIL was held or wanted; `None` if it was not seen.
    pub fn gil_busy_share(&self) -> Option<f64> {
        (self.seen_ns > 0.0).then(|| self.busy_ns / self.seen_ns)
    }

    /// Adds what a look at `waiters` threads that waited for the GIL found: so many are not the pool's.
    pub fn tell(&mut self, waiters: u32, foreign: f64) {
        self.told_waiters += f64::from(waiters);
        self.foreign_waiters += foreign.min(f64::from(waiters));
    }

    /// Of the time that threads waited for the GIL, the part that others than the pool's did: a ratio of
    /// sums over some of the looks, and 0 where nobody could tell, so that all waits are taken for ours.
    pub fn foreign_share(&self) -> f64 {
        if self.told_waiters > 0.0 { (self.foreign_waiters / self.told_waiters).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Variance of [`Self::foreign_share`]: each waiter in those looks is taken for a throw of the same coin.
    pub fn foreign_variance(&self) -> f64 {
        let share = self.foreign_share();
        if self.told_waiters > 0.0 { share * (1.0 - share) / self.told_waiters } else { 0.0 }
    }

    /// Time that threads of the pool waited for the GIL, summed over the threads.
    pub fn own_waited_ns(&self) -> f64 {
        self.waited_ns * (1.0 - self.foreign_share())
    }

    /// Mean number of threads waiting for the GIL, whosoever they are; `None` if they could not be counted.
    pub fn gil_waiters_mean(&self) -> Option<f64> {
        (self.counted_ns > 0.0).then(|| self.waited_ns / self.counted_ns)
    }

    /// The same of the pool's threads alone.
    pub fn own_waiters_mean(&self) -> Option<f64> {
        (self.counted_ns > 0.0).then(|| self.own_waited_ns() / self.counted_ns)
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
