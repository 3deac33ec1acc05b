//! What a run leaves behind.

use hdrhistogram::Histogram;

use crate::decision::Entry;

/// Length of a bin of completions, 10 ms.
pub const BIN_NS: u64 = 10_000_000;

/// Longest time told apart, an hour.
const HIGH_NS: u64 = 3_600_000_000_000;

/// The course of one run.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Every change of the limit, and the limit at first.
    pub limits: Vec<(u64, usize)>,
    /// Tasks finished, in bins of [`BIN_NS`].
    pub bins: Vec<u32>,
    /// When the last task of the run was finished, if its number was given and all were.
    pub finished_ns: Option<u64>,
    /// When the run was broken off.
    pub ended_ns: u64,
    /// Tasks finished.
    pub tasks_done: u64,
    /// Workers made.
    pub workers_made: usize,
    /// Looks of the regulator.
    pub ticks: u64,
    /// The run was broken off because all workers up to the cap wait for other tasks, for ever.
    pub is_jammed: bool,
    /// Every decision that changed the limit.
    pub decisions: Vec<Entry>,
    /// Of the tasks finished after the warm-up: wall times, or with open arrivals the times from
    /// arrival to end.
    responses: Histogram<u32>,
}

impl Trace {
    pub(super) fn new(limit: usize) -> Self {
        let responses = Histogram::new_with_bounds(1_000, HIGH_NS, 2)
            .expect("the bounds are constants that the histogram accepts");
        Self {
            limits: vec![(0, limit)],
            bins: Vec::new(),
            finished_ns: None,
            ended_ns: 0,
            tasks_done: 0,
            workers_made: 0,
            ticks: 0,
            is_jammed: false,
            decisions: Vec::new(),
            responses,
        }
    }

    pub(super) fn finished(&mut self, now_ns: u64, response_ns: Option<u64>) {
        self.tasks_done += 1;
        let bin = (now_ns / BIN_NS) as usize;
        if self.bins.len() <= bin {
            self.bins.resize(bin + 1, 0);
        }
        self.bins[bin] += 1;
        if let Some(response_ns) = response_ns {
            self.responses.saturating_record(response_ns);
        }
    }

    pub(super) fn limited(&mut self, now_ns: u64, limit: usize) {
        if self.limits.last().is_none_or(|last| last.1 != limit) {
            self.limits.push((now_ns, limit));
        }
    }

    /// Tasks finished from `from_ns` to `to_ns`, which are rounded down to bins.
    pub fn done_between(&self, from_ns: u64, to_ns: u64) -> u64 {
        let end = ((to_ns / BIN_NS) as usize).min(self.bins.len());
        let start = ((from_ns / BIN_NS) as usize).min(end);
        self.bins[start..end].iter().map(|&done| u64::from(done)).sum()
    }

    /// Tasks finished a second from `from_ns` to `to_ns`.
    pub fn tasks_per_s(&self, from_ns: u64, to_ns: u64) -> f64 {
        self.done_between(from_ns, to_ns) as f64 * 1e9 / (to_ns - from_ns).max(1) as f64
    }

    /// The limit at a time.
    pub fn limit_at(&self, now_ns: u64) -> usize {
        let after = self.limits.partition_point(|change| change.0 <= now_ns);
        self.limits[after.saturating_sub(1)].1
    }

    /// The changes of the limit after `from_ns` up to `to_ns`.
    pub fn changes_between(&self, from_ns: u64, to_ns: u64) -> &[(u64, usize)] {
        let start = self.limits.partition_point(|change| change.0 <= from_ns);
        let end = self.limits.partition_point(|change| change.0 <= to_ns);
        &self.limits[start..end.max(start)]
    }

    /// The mean of `value(limit)` over the time from `from_ns` to `to_ns`.
    pub fn mean_over_limits(&self, from_ns: u64, to_ns: u64, value: impl Fn(usize) -> f64) -> f64 {
        let mut at_ns = from_ns;
        let mut limit = self.limit_at(from_ns);
        let mut sum = 0.0;
        for &(change_ns, next) in self.changes_between(from_ns, to_ns) {
            sum += value(limit) * (change_ns - at_ns) as f64;
            (at_ns, limit) = (change_ns, next);
        }
        sum += value(limit) * to_ns.saturating_sub(at_ns) as f64;
        sum / to_ns.saturating_sub(from_ns).max(1) as f64
    }

    /// What 99 % of the tasks after the warm-up did not exceed: wall time, or with open arrivals
    /// the time from arrival to end.
    pub fn response_p99_ns(&self) -> Option<u64> {
        (!self.responses.is_empty()).then(|| self.responses.value_at_quantile(0.99))
    }
}
