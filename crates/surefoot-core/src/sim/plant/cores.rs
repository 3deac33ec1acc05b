//! Cores that are shared evenly by all that can run, and the quota of CPU time.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::sim::machine::Machine;

/// A job of a thread in a queue where all are served at the same rate.
#[derive(Debug, PartialEq)]
struct Job {
    /// Reading of the shared clock at which it is done.
    end: f64,
    thread: usize,
}

impl Eq for Job {}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Job {
    fn cmp(&self, other: &Self) -> Ordering {
        self.end.total_cmp(&other.end).then(self.thread.cmp(&other.thread))
    }
}

/// Jobs that are all served at one rate. Instead of each job's rest, one clock is kept that runs at
/// that rate; so a step costs the same for any number of jobs.
#[derive(Debug, Default)]
pub(super) struct Shared {
    clock: f64,
    jobs: BinaryHeap<Reverse<Job>>,
}

impl Shared {
    pub(super) fn push(&mut self, thread: usize, demand_ns: f64) {
        self.jobs.push(Reverse(Job { end: self.clock + demand_ns, thread }));
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn advance(&mut self, served_ns: f64) {
        if self.jobs.is_empty() {
            self.clock = 0.0;
        } else {
            self.clock += served_ns;
        }
    }

    /// What the next job to be done still needs.
    pub(super) fn left_ns(&self) -> Option<f64> {
        self.jobs.peek().map(|Reverse(job)| (job.end - self.clock).max(0.0))
    }

    /// Takes a job that is done, to half a nanosecond.
    pub(super) fn pop_done(&mut self) -> Option<usize> {
        if self.left_ns()? > 0.5 {
            return None;
        }
        self.jobs.pop().map(|Reverse(job)| job.thread)
    }
}

/// A quota of CPU time per period, as the kernel deals it out.
#[derive(Debug)]
pub(super) struct Quota {
    budget_ns: f64,
    period_ns: u64,
    used_ns: f64,
    pub(super) period_end_ns: u64,
    pub(super) is_exhausted: bool,
    pub(super) throttled_count: u64,
}

impl Quota {
    pub(super) fn of(machine: &Machine) -> Option<Self> {
        machine.quota_cores.map(|cores| Self {
            budget_ns: cores * machine.quota_period_ns as f64,
            period_ns: machine.quota_period_ns,
            used_ns: 0.0,
            period_end_ns: machine.quota_period_ns,
            is_exhausted: false,
            throttled_count: 0,
        })
    }

    pub(super) fn spend(&mut self, cpu_ns: f64) {
        self.used_ns += cpu_ns;
        if !self.is_exhausted && self.used_ns >= self.budget_ns - 0.5 {
            self.is_exhausted = true;
            self.throttled_count += 1;
        }
    }

    /// CPU time left in the period.
    pub(super) fn left_ns(&self) -> f64 {
        (self.budget_ns - self.used_ns).max(0.0)
    }

    pub(super) fn refresh(&mut self, now_ns: u64) {
        if now_ns >= self.period_end_ns {
            self.period_end_ns += self.period_ns;
            // What was overdrawn is owed.
            self.used_ns = (self.used_ns - self.budget_ns).max(0.0);
            self.is_exhausted = false;
        }
    }
}
