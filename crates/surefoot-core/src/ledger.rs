//! Counts every task once and keeps the distribution of what the samples say.
//!
//! The ledger lives under the pool's lock, so a reading is consistent:
//! `submitted == queued + running + done + failed + cancelled` holds in each.

use hdrhistogram::Histogram;

use crate::distribution::Times;
use crate::sample::{Outcome, Sample};
use crate::share::{Division, ShareSums};
use crate::spectrum::Spectrum;

/// Shortest time told apart. A sample below it is a no-op, whatever its exact length.
const LOW_NS: u64 = 128;
/// Longest time told apart, one hour; longer ones count as one hour.
const HIGH_NS: u64 = 3_600_000_000_000;
/// Two significant digits: percentiles are within 1 %, and a histogram takes 15 KiB.
const SIGNIFICANT_DIGITS: u8 = 2;

/// Quantiles reported of each time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Percentiles {
    /// Half of the tasks took at most this.
    pub p50_ns: u64,
    /// 95 % did.
    pub p95_ns: u64,
    /// 99 % did.
    pub p99_ns: u64,
}

/// Numbers of tasks by what became of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Accepted by `submit`.
    pub submitted: u64,
    /// Taken by a worker and not finished yet.
    pub running: u64,
    /// Returned.
    pub done: u64,
    /// Raised.
    pub failed: u64,
    /// Ended without being run by a worker.
    pub cancelled: u64,
    /// Refused because the queue was full; not among the submitted.
    pub rejected: u64,
    /// Run by their submitters because the queue was full: among the submitted and, as they are
    /// booked at their end, among those that returned or raised.
    pub run_by_callers: u64,
}

impl Counts {
    /// Tasks that workers ran to their end.
    pub fn completed_by_workers(&self) -> u64 {
        (self.done + self.failed).saturating_sub(self.run_by_callers)
    }

    /// Tasks that the queue had no room for.
    pub fn turned_away(&self) -> u64 {
        self.rejected + self.run_by_callers
    }
}

#[derive(Debug)]
struct Histograms {
    queued: Histogram<u32>,
    attach_wait: Histogram<u32>,
    wall: Histogram<u32>,
    cpu: Histogram<u32>,
    spectra: Spectra,
}

/// Coarse distributions of the whole life, for those who look several times a second.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Spectra {
    /// Times from submission to a worker.
    pub queued: Spectrum,
    /// Times from start to end of the call.
    pub wall: Spectrum,
}

/// Sums over the current control period.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeriodSums {
    /// Tasks submitted.
    pub arrivals: u64,
    /// Tasks that returned or raised.
    pub completions: u64,
    /// Their wall time, from start to end of each.
    pub wall_ns: u64,
    /// Time that their workers, just woken, had waited for the interpreter.
    pub attach_wait_ns: u64,
    /// Time that workers spent in tasks, those in flight included.
    pub busy_ns: u64,
    /// CPU time of the completed tasks, how much it varies included.
    pub demand: Demand,
    beta_sum: f64,
    beta_count: u64,
}

/// CPU time of single tasks, where it could be read: enough for their mean and variance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Demand {
    /// Tasks.
    pub tasks: f64,
    /// Their CPU time in nanoseconds.
    pub sum_ns: f64,
    /// The sum of its squares.
    pub squares_ns2: f64,
}

impl Demand {
    fn add(&mut self, cpu_ns: u64) {
        let cpu_ns = cpu_ns as f64;
        self.tasks += 1.0;
        self.sum_ns += cpu_ns;
        self.squares_ns2 += cpu_ns * cpu_ns;
    }

    /// Squared coefficient of variation, variance by the square of the mean: 0 for tasks that are all
    /// alike, 1 for exponential ones; `None` for fewer than two tasks or none with CPU time.
    pub fn variation(&self) -> Option<f64> {
        (self.tasks >= 2.0 && self.sum_ns > 0.0)
            .then(|| (self.tasks * self.squares_ns2 / (self.sum_ns * self.sum_ns) - 1.0).max(0.0))
    }
}

impl PeriodSums {
    fn add(&mut self, sample: &Sample) {
        self.completions += 1;
        self.wall_ns += sample.wall_ns;
        self.attach_wait_ns += sample.attach_wait_ns;
        if let Some(beta) = sample.beta() {
            self.beta_sum += beta;
            self.beta_count += 1;
        }
        if let Some(cpu_ns) = sample.cpu_ns {
            self.demand.add(cpu_ns);
        }
    }

    /// Mean beta of the tasks completed; `None` without a measured one.
    pub fn beta_mean(&self) -> Option<f64> {
        (self.beta_count > 0).then(|| self.beta_sum / self.beta_count as f64)
    }
}

/// Sums over the tasks that called one function.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FunctionSums {
    /// Tasks that returned or raised.
    pub tasks: u64,
    /// Their wall time, from start to end of each.
    pub wall_ns: u64,
    /// Their CPU time, where it could be read.
    pub cpu_ns: u64,
    /// Time from submission to a worker.
    pub queued_ns: u64,
    /// Where the wall time went, with the waits for the interpreter before each start.
    pub shares: ShareSums,
}

/// The books of one pool.
#[derive(Debug, Default)]
pub struct Ledger {
    counts: Counts,
    total: PeriodSums,
    period: PeriodSums,
    /// Up to when `busy_ns` is summed.
    at_ns: u64,
    /// By the number of the function.
    functions: Vec<FunctionSums>,
    division: Division,
    /// Made with the first sample: a pool that never ran a task costs nothing.
    histograms: Option<Box<Histograms>>,
}

impl Ledger {
    /// A task was accepted.
    pub fn submitted(&mut self) {
        self.counts.submitted += 1;
        self.period.arrivals += 1;
    }

    /// A task was accepted by mistake and given back to its submitter.
    pub fn unsubmitted(&mut self) {
        self.counts.submitted -= 1;
    }

    /// A worker took a task.
    pub fn taken(&mut self, now_ns: u64) {
        self.advance(now_ns);
        self.counts.running += 1;
    }

    /// A queued task left the queue otherwise than to a worker.
    pub fn withdrawn(&mut self) {
        self.counts.cancelled += 1;
    }

    /// A task that had been taken ended.
    pub fn finished(&mut self, sample: &Sample, outcome: Outcome, now_ns: u64) {
        self.advance(now_ns);
        debug_assert!(self.counts.running > 0, "a task ended twice");
        self.counts.running -= 1;
        match outcome {
            Outcome::Done => self.counts.done += 1,
            Outcome::Failed => self.counts.failed += 1,
            Outcome::Cancelled => {
                self.counts.cancelled += 1;
                return;
            }
        }
        self.period.add(sample);
        self.book(sample);
    }

    /// A task was refused because the queue was full.
    pub fn rejected(&mut self) {
        self.counts.rejected += 1;
    }

    /// A task was run to its end by its submitter. It is no completion of the control period, which
    /// tells what workers do.
    pub fn ran_by_caller(&mut self, sample: &Sample, outcome: Outcome) {
        self.counts.submitted += 1;
        self.counts.run_by_callers += 1;
        match outcome {
            Outcome::Done => self.counts.done += 1,
            Outcome::Failed => self.counts.failed += 1,
            Outcome::Cancelled => self.counts.cancelled += 1,
        }
        self.book(sample);
    }

    fn book(&mut self, sample: &Sample) {
        self.total.add(sample);
        self.measured(sample);
        let histograms = self.histograms.get_or_insert_with(|| Box::new(Histograms::new()));
        histograms.queued.saturating_record(sample.queued_ns);
        histograms.attach_wait.saturating_record(sample.attach_wait_ns);
        histograms.wall.saturating_record(sample.wall_ns);
        histograms.spectra.queued.add(sample.queued_ns);
        histograms.spectra.wall.add(sample.wall_ns);
        if let Some(cpu_ns) = sample.cpu_ns {
            histograms.cpu.saturating_record(cpu_ns);
        }
    }

    /// Books what a call took by its function alone: it was a part of another call.
    pub fn measured(&mut self, sample: &Sample) {
        let number = usize::from(sample.function.0);
        if number >= self.functions.len() {
            self.functions.resize_with(number + 1, FunctionSums::default);
        }
        let sums = &mut self.functions[number];
        sums.tasks += 1;
        sums.wall_ns += sample.wall_ns;
        sums.cpu_ns += sample.cpu_ns.unwrap_or(0);
        sums.queued_ns += sample.queued_ns;
        sums.shares.add(&ShareSums::of_task(sample, &self.division));
    }

    /// Sums the workers' time up to `now_ns`. The threads' readings of the clock reach the ledger a
    /// little out of order; one from before the last is as good as the last.
    fn advance(&mut self, now_ns: u64) {
        let passed_ns = now_ns.saturating_sub(self.at_ns);
        self.at_ns += passed_ns;
        for sums in [&mut self.period, &mut self.total] {
            sums.busy_ns += self.counts.running * passed_ns;
        }
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Mean beta of all tasks so far.
    pub fn beta_mean(&self) -> Option<f64> {
        self.total.beta_mean()
    }

    /// Ends the control period and returns its sums.
    pub fn end_period(&mut self, now_ns: u64) -> PeriodSums {
        self.advance(now_ns);
        std::mem::take(&mut self.period)
    }

    /// Sums by function; the place is its number.
    pub fn functions(&self) -> &[FunctionSums] {
        &self.functions
    }

    /// Sets how what is not measured of each task is divided from now on.
    pub fn set_division(&mut self, division: Division) {
        for sums in &mut self.functions {
            sums.shares.split(&division);
        }
        self.division = division;
    }

    /// The coarse distributions.
    pub fn spectra(&self) -> Spectra {
        self.histograms.as_deref().map_or_else(Spectra::default, |histograms| histograms.spectra)
    }

    /// Times from submission to a worker.
    pub fn queued(&self) -> Option<Percentiles> {
        self.percentiles(|histograms| &histograms.queued)
    }

    /// Times that woken workers waited for the interpreter.
    pub fn attach_wait(&self) -> Option<Percentiles> {
        self.percentiles(|histograms| &histograms.attach_wait)
    }

    /// Times from start to end of the call.
    pub fn wall(&self) -> Option<Percentiles> {
        self.percentiles(|histograms| &histograms.wall)
    }

    /// CPU times.
    pub fn cpu(&self) -> Option<Percentiles> {
        self.percentiles(|histograms| &histograms.cpu)
    }

    /// The distributions as they are now; `None` before the first sample. A copy, so that nobody is
    /// kept waiting while it is reduced.
    pub fn times(&self) -> Option<Times> {
        let Histograms { queued, wall, cpu, .. } = self.histograms.as_deref()?;
        let sum = |of: fn(&FunctionSums) -> u64| self.functions.iter().map(of).sum();
        Some(Times {
            queued: (queued.clone(), sum(|sums| sums.queued_ns)),
            wall: (wall.clone(), sum(|sums| sums.wall_ns)),
            cpu: (cpu.clone(), sum(|sums| sums.cpu_ns)),
        })
    }

    /// Where the time of all finished tasks went.
    pub fn shares(&self) -> ShareSums {
        let mut shares = ShareSums::default();
        self.functions.iter().for_each(|sums| shares.add(&sums.shares));
        shares
    }

    fn percentiles(&self, which: impl Fn(&Histograms) -> &Histogram<u32>) -> Option<Percentiles> {
        let histogram = which(self.histograms.as_deref()?);
        (!histogram.is_empty()).then(|| Percentiles {
            p50_ns: histogram.value_at_quantile(0.50),
            p95_ns: histogram.value_at_quantile(0.95),
            p99_ns: histogram.value_at_quantile(0.99),
        })
    }
}

impl Histograms {
    fn new() -> Self {
        let new = || {
            Histogram::new_with_bounds(LOW_NS, HIGH_NS, SIGNIFICANT_DIGITS)
                .expect("the bounds are constants that the histogram accepts")
        };
        Self { queued: new(), attach_wait: new(), wall: new(), cpu: new(), spectra: Spectra::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::FunctionId;

    #[test]
    fn percentiles_are_within_one_percent() {
        let mut ledger = Ledger::default();
        for wall_us in 1..=1000_u64 {
            ledger.submitted();
            ledger.taken(0);
            ledger.finished(&Sample { wall_ns: wall_us * 1000, ..Sample::default() }, Outcome::Done, 0);
        }
        let wall = ledger.wall().expect("samples were recorded");
        for (read_ns, true_ns) in [(wall.p50_ns, 500e3), (wall.p95_ns, 950e3), (wall.p99_ns, 990e3)] {
            assert!((read_ns as f64 / true_ns - 1.0).abs() < 0.01, "{read_ns} for {true_ns}");
        }
        assert_eq!(ledger.cpu(), None, "no CPU clock was read");
    }

    #[test]
    fn a_cancelled_task_is_counted_but_not_measured() {
        let mut ledger = Ledger::default();
        ledger.submitted();
        ledger.taken(0);
        ledger.finished(&Sample::default(), Outcome::Cancelled, 0);
        assert_eq!(ledger.counts(), Counts { submitted: 1, cancelled: 1, ..Counts::default() });
        assert_eq!(ledger.wall(), None);
        assert_eq!(ledger.end_period(0).completions, 0);
    }

    #[test]
    fn variation_tells_equal_tasks_from_mixed_ones() {
        let mut ledger = Ledger::default();
        let mut variation = |cpu_ns: &[u64]| {
            for &cpu_ns in cpu_ns {
                ledger.taken(0);
                ledger.finished(&Sample { cpu_ns: Some(cpu_ns), ..Sample::default() }, Outcome::Done, 0);
            }
            ledger.end_period(0).demand.variation()
        };
        assert_eq!(variation(&[7, 7, 7]), Some(0.0));
        // One of five takes all: variance 16, mean 2, in units of ten.
        assert_eq!(variation(&[0, 0, 0, 0, 100]), Some(4.0));
        assert_eq!(variation(&[5]), None);
    }

    #[test]
    fn tasks_in_flight_count_as_busy() {
        let mut ledger = Ledger::default();
        ledger.taken(100);
        ledger.taken(150);
        assert_eq!(ledger.end_period(200).busy_ns, 150);
        ledger.finished(&Sample::default(), Outcome::Done, 210);
        // A reading that comes late counts nothing twice.
        ledger.finished(&Sample::default(), Outcome::Done, 205);
        assert_eq!(ledger.end_period(1000).busy_ns, 20);
    }

    #[test]
    fn functions_are_told_apart() {
        let mut ledger = Ledger::default();
        for (number, wall_ns) in [(2, 100), (0, 50), (2, 300)] {
            ledger.taken(0);
            let function = FunctionId(number);
            let sample = Sample { wall_ns, cpu_ns: Some(wall_ns), function, ..Sample::default() };
            ledger.finished(&sample, Outcome::Done, 0);
        }
        let sums: Vec<_> = ledger.functions().iter().map(|sums| (sums.tasks, sums.wall_ns)).collect();
        assert_eq!(sums, [(1, 50), (0, 0), (2, 400)]);
        let shares = ledger.functions()[2].shares.shares().expect("tasks were run");
        assert_eq!((shares.cpu, shares.blocked), (1.0, 0.0));
    }

    #[test]
    fn a_period_ends_once() {
        let mut ledger = Ledger::default();
        ledger.submitted();
        ledger.taken(0);
        ledger.finished(&Sample { wall_ns: 100, cpu_ns: Some(25), ..Sample::default() }, Outcome::Failed, 0);
        assert_eq!(ledger.end_period(0).beta_mean(), Some(0.75));
        assert_eq!(ledger.end_period(0).beta_mean(), None);
        assert_eq!(ledger.beta_mean(), Some(0.75), "the total goes on");
    }
}
