//! Whether a change of the limit brought what the model said: throughput has the last word.
//!
//! The sensors see the GIL and the cores. They do not see a database with ten connections, and they
//! may be wrong. So a rise must bring part of its proportional share, and a fall must not cost
//! throughput; else it is taken back.

use super::constants::Constants;
use crate::window::Window;

/// Throughput at one limit, with what its windows say about its error.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Throughput {
    completions: f64,
    time_ns: f64,
    single: Spread,
    /// The same of batches of windows: throughput that comes in beats (ten at a time, every 20 ms)
    /// differs from window to window, but not in the long run.
    batched: Spread,
    batch: (u32, u64, f64),
}

/// Mean and sum of squared deviations (Welford's update).
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let step = value - self.mean;
        self.mean += step / self.count;
        self.squares += step * (value - self.mean);
    }

    /// Standard error of the mean; `None` with too few to tell.
    fn error(&self) -> Option<f64> {
        (self.count >= LEAST_WINDOWS).then(|| (self.squares / (self.count - 1.0) / self.count).sqrt())
    }
}

impl Throughput {
    /// Adds a window.
    pub(super) fn add(&mut self, window: &Window) {
        if window.duration_ns == 0 {
            return;
        }
        let duration_ns = window.duration_ns as f64;
        self.completions += window.completions as f64;
        self.time_ns += duration_ns;
        self.single.add(window.completions as f64 / duration_ns);
        let (windows, completions, time_ns) = &mut self.batch;
        *windows += 1;
        *completions += window.completions;
        *time_ns += duration_ns;
        if *windows == BATCH_WINDOWS {
            self.batched.add(*completions as f64 / *time_ns);
            self.batch = Default::default();
        }
    }

    fn rate(&self) -> f64 {
        if self.time_ns > 0.0 { self.completions / self.time_ns } else { 0.0 }
    }

    /// Standard error of the mean. At least what counting alone leaves uncertain: one task more or
    /// less at each end.
    fn error(&self) -> f64 {
        let counting = if self.time_ns > 0.0 { 1.0 / self.time_ns } else { f64::INFINITY };
        let spread = self.single.error().unwrap_or_else(|| self.rate());
        self.batched.error().map_or(spread, |batched| batched.min(spread)).max(counting)
    }

    fn is_comparable(&self, constants: &Constants) -> bool {
        self.single.count >= LEAST_WINDOWS && self.completions >= constants.comparable
    }
}

/// Why the limit was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// More workers must bring more throughput; the model says that they do, so a tie stands.
    Rise,
    /// More workers than the model asks for must be shown to bring more; a tie is taken back.
    Reach,
    /// Fewer workers must not cost much.
    Fall,
    /// Fewer workers, tried out because a remote bottleneck is suspected.
    Probe,
}

/// What a trial came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Not to be told yet.
    Open,
    /// The change stands.
    Kept,
    /// It is taken back.
    TakenBack,
}

/// A change of the limit under observation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) kind: Kind,
    /// The limit before.
    pub(super) from: usize,
    /// The utilisation of the bottleneck before.
    use_before: f64,
    before: Throughput,
    after: Throughput,
    windows: u32,
}

/// Windows after which a fall that shows no loss is believed: fewer workers win ties.
const ENOUGH_WINDOWS: u32 = 10;

/// Windows in a batch.
const BATCH_WINDOWS: u32 = 3;

/// Windows whose spread says something.
const LEAST_WINDOWS: f64 = 3.0;

/// Standard errors by which throughputs must differ before anything is done.
const SIGMAS: f64 = 2.0;

/// A trial that has not come to a verdict by then never will: the difference is too small to see.
const MOST_WINDOWS: u32 = 40;

impl Trial {
    /// Begins a trial, if the throughput before is known well enough to compare with.
    pub(super) fn begin(
        kind: Kind,
        (from, use_before): (usize, f64),
        before: Throughput,
        constants: &Constants,
    ) -> Option<Self> {
        before.is_comparable(constants).then(|| Self {
            kind,
            from,
            use_before,
            before,
            after: Throughput::default(),
            windows: 0,
        })
    }

    /// The limit was moved on in the same direction: what was seen of the last step is void, what
    /// was before the first still holds.
    pub(super) fn moved(&mut self) {
        self.after = Throughput::default();
        self.windows = 0;
    }

    /// Adds a window at the new limit.
    pub(super) fn add(&mut self, window: &Window) {
        self.after.add(window);
        self.windows += 1;
    }

    /// The verdict so far; `utilisation` is the bottleneck's since the change.
    pub(super) fn verdict(&self, limit: usize, utilisation: f64, constants: &Constants) -> Verdict {
        if !self.after.is_comparable(constants) {
            return if self.windows >= MOST_WINDOWS {
                self.on_a_tie(limit, utilisation, constants)
            } else {
                Verdict::Open
            };
        }
        let (before, after) = (self.before.rate(), self.after.rate());
        let error = SIGMAS * (self.before.error().powi(2) + self.after.error().powi(2)).sqrt();
        let floor = match self.kind {
            Kind::Rise | Kind::Reach => {
                let share = limit as f64 / self.from as f64 - 1.0;
                let is_reach = self.kind == Kind::Reach;
                let gain = if is_reach { constants.least_gain } else { constants.least_use_gain };
                before * (1.0 + gain * share)
            }
            Kind::Fall => before * (1.0 - constants.most_loss),
            Kind::Probe => before * (1.0 - constants.most_probe_loss),
        };
        let is_fall = matches!(self.kind, Kind::Fall | Kind::Probe);
        if after + error < floor {
            Verdict::TakenBack
        } else if after - error > floor || is_fall && self.windows >= ENOUGH_WINDOWS && after >= floor {
            Verdict::Kept
        } else if self.windows >= MOST_WINDOWS {
            self.on_a_tie(limit, utilisation, constants)
        } else {
            Verdict::Open
        }
    }

    /// By the utilisation law throughput goes with the use of the bottleneck, which is known better.
    fn on_a_tie(&self, limit: usize, utilisation: f64, constants: &Constants) -> Verdict {
        let share = limit as f64 / self.from as f64 - 1.0;
        let brings = utilisation >= self.use_before * (1.0 + constants.least_use_gain * share);
        if self.kind == Kind::Reach && !brings { Verdict::TakenBack } else { Verdict::Kept }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(completions: &[u64]) -> Throughput {
        let mut throughput = Throughput::default();
        for &completions in completions {
            throughput.add(&Window { duration_ns: 50_000_000, completions, ..Window::default() });
        }
        throughput
    }

    fn verdict(kind: Kind, (from, before): (usize, &[u64]), (limit, after): (usize, &[u64])) -> Verdict {
        let constants = Constants::default();
        let mut trial = Trial::begin(kind, (from, 0.9), at(before), &constants).expect("enough was seen");
        for &completions in after {
            trial.add(&Window { duration_ns: 50_000_000, completions, ..Window::default() });
        }
        trial.verdict(limit, 0.9, &constants)
    }

    #[test]
    fn a_rise_must_bring_part_of_its_share() {
        assert_eq!(verdict(Kind::Rise, (8, &[50, 51, 50, 51]), (16, &[99, 98, 99, 99])), Verdict::Kept);
        assert_eq!(verdict(Kind::Rise, (8, &[50, 51, 50, 51]), (16, &[50, 50, 51, 50])), Verdict::TakenBack);
    }

    #[test]
    fn a_fall_must_not_cost() {
        assert_eq!(verdict(Kind::Fall, (16, &[50, 51, 50, 51]), (8, &[50, 51, 50, 51])), Verdict::Kept);
        assert_eq!(verdict(Kind::Fall, (16, &[50, 51, 50, 51]), (8, &[30, 31, 30, 31])), Verdict::TakenBack);
    }

    #[test]
    fn a_difference_within_the_noise_is_left_open() {
        assert_eq!(verdict(Kind::Fall, (16, &[50, 20, 80]), (8, &[60, 20, 50])), Verdict::Open);
    }

    #[test]
    fn nothing_is_compared_with_too_little() {
        assert!(Trial::begin(Kind::Rise, (4, 0.9), at(&[3, 3, 3]), &Constants::default()).is_none());
    }
}
