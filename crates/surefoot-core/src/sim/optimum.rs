//! The best that a constant limit reaches, found by a sweep.

use super::load::{Arrival, Mix, Tasks};
use super::plant::{Rule, Setup, run};
use super::scenario::{Judged, Scenario};
use super::trace::Trace;

/// The share of the best throughput that makes a knee.
const KNEE_SHARE: f64 = 0.95;
/// The share of the best throughput that a limit must reach to count as settled. Less than the
/// knee's, so that a limit at the knee does not fall out of it by the sweep's own error.
const SETTLED_SHARE: f64 = 0.93;
/// Up to this many times the knee a limit counts as settled.
const SETTLED_TIMES: f64 = 1.5;
/// Less than the knee by this share counts as settled too (Hellerstein's 15 %).
const SETTLED_LESS: f64 = 0.15;
/// So many workers more or less than the knee are settled, however small it is.
const SETTLED_MORE: usize = 2;

/// Tasks for each worker in a run of the sweep.
const ROUNDS: f64 = 40.0;
/// But no run is longer than this.
const LONGEST_NS: u64 = 120_000_000_000;
/// The peak is the least limit with this share of the best: of equals, the fewest.
const PEAK_SHARE: f64 = 0.995;

/// The best of one turn of a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// The least limit with 95 % of the best throughput.
    pub knee: usize,
    /// The limit with the best throughput.
    pub peak: usize,
    /// That throughput.
    pub tasks_per_s: f64,
    /// The limits that count as settled.
    pub settled: (usize, usize),
}

/// The best of each turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimum {
    /// One for each turn of [`Tasks::Turns`]; one in all for anything else.
    pub turns: Vec<Best>,
}

/// The numbers to try: all up to 16, then about eight to each doubling, and the cap.
fn grid(cap: usize) -> Vec<usize> {
    let mut tried = Vec::new();
    let mut workers = 1;
    while workers < cap {
        tried.push(workers);
        workers += (workers / 8).max(1);
    }
    tried.push(cap);
    tried
}

/// One constant limit, measured.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    workers: usize,
    tasks_per_s: f64,
    response_p99_ns: u64,
}

/// A measured curve, ascending in workers, not empty.
#[derive(Clone, Debug, PartialEq)]
struct Curve(Vec<Point>);

impl Curve {
    fn best_per_s(&self) -> f64 {
        self.0.iter().fold(0.0, |best, point| best.max(point.tasks_per_s))
    }

    /// The place of the least limit with this share of the best throughput.
    fn place(&self, share: f64) -> usize {
        let enough = share * self.best_per_s();
        self.0.iter().position(|point| point.tasks_per_s >= enough).unwrap_or(0)
    }

    fn least(&self, share: f64) -> usize {
        self.0[self.place(share)].workers
    }

    /// The number to measure in order to know the least limit with this share better; `None`: known to
    /// one worker, or two in a hundred.
    fn between(&self, share: f64) -> Option<usize> {
        let place = self.place(share);
        let (below, above) = (self.0[place.checked_sub(1)?].workers, self.0[place].workers);
        (above - below > 1 + above / 50).then_some(usize::midpoint(below, above))
    }

    fn insert(&mut self, point: Point) {
        let place = self.0.partition_point(|other| other.workers < point.workers);
        self.0.insert(place, point);
    }

    fn best(&self, cap: usize) -> Best {
        let knee = self.least(KNEE_SHARE);
        let less = ((knee as f64 * SETTLED_LESS) as usize).max(SETTLED_MORE);
        let high = ((knee as f64 * SETTLED_TIMES) as usize).max(knee + SETTLED_MORE).min(cap);
        Best {
            knee,
            peak: self.least(PEAK_SHARE),
            tasks_per_s: self.best_per_s(),
            settled: (self.least(SETTLED_SHARE).min(knee.saturating_sub(less).max(1)), high),
        }
    }

    /// Of tasks that come on their own, any limit that keeps up has the best throughput; the best is
    /// the one with the best 99th percentile of the response then, and the knee comes within a tenth
    /// of it.
    fn best_response(&self, cap: usize) -> Best {
        let least_ns = self.0.iter().map(|point| point.response_p99_ns).min().unwrap_or(0) as f64;
        let least = |times: f64| {
            let found = self.0.iter().find(|point| point.response_p99_ns as f64 <= times * least_ns);
            found.map_or(cap, |point| point.workers)
        };
        let knee = least(1.1);
        Best { knee, peak: least(1.0), tasks_per_s: self.best_per_s(), settled: (knee, cap) }
    }
}

/// Length of a run of the sweep: [`ROUNDS`] tasks for each worker. Many workers that share one
/// GIL finish their tasks nearly together, so in a shorter run the moment at which it ends decides
/// whether a round counts.
fn sweep_ns(scenario: &Scenario, workers: usize, tasks_per_s: f64) -> u64 {
    let rounds_s = ROUNDS * workers as f64 / tasks_per_s.max(1.0);
    ((rounds_s * 1e9) as u64).clamp(scenario.length_ns, LONGEST_NS)
}

/// One turn for ever, on the machine as it is when the turn first begins.
fn steady(setup: &Setup, mix: &Mix, start_ns: u64) -> Setup {
    let mut machine = setup.machine;
    for change in setup.core_changes.iter().filter(|change| change.0 <= start_ns) {
        machine.cores = change.1;
    }
    Setup { machine, core_changes: Vec::new(), tasks: Tasks::steady(mix.clone()), ..setup.clone() }
}

/// Sweeps the limit over each turn by itself.
pub fn find(scenario: &Scenario) -> Optimum {
    let setup = &scenario.setup;
    if scenario.judged == Judged::Finish {
        let cap = setup.cap;
        let best = Best { knee: cap, peak: cap, tasks_per_s: 0.0, settled: (1, cap) };
        return Optimum { turns: vec![best] };
    }
    let mut start_ns = 0_u64;
    let mut alone = Vec::new();
    match &setup.tasks {
        Tasks::Turns(turns) => {
            for (length_ns, mix) in turns {
                alone.push(steady(setup, mix, start_ns));
                start_ns = start_ns.saturating_add(*length_ns);
            }
        }
        Tasks::Graph(_) => alone.push(setup.clone()),
    }
    let sweep = |setup: &Setup| {
        let measure = |workers, about_per_s| {
            let length_ns = sweep_ns(scenario, workers, about_per_s);
            let trace = run(setup, Rule::Constant(workers), 0, length_ns);
            Point {
                workers,
                tasks_per_s: trace.tasks_per_s(length_ns / 5, length_ns),
                response_p99_ns: trace.response_p99_ns().unwrap_or(u64::MAX),
            }
        };
        let mut curve = Curve(Vec::new());
        for workers in grid(setup.cap) {
            let last = curve.0.last().map_or(0.0, |point| point.tasks_per_s);
            curve.0.push(measure(workers, last));
        }
        if matches!(setup.arrival, Arrival::Poisson(_) | Arrival::Bursts { .. }) {
            return curve.best_response(setup.cap);
        }
        for share in [SETTLED_SHARE, KNEE_SHARE, PEAK_SHARE] {
            while let Some(workers) = curve.between(share) {
                curve.insert(measure(workers, curve.best_per_s()));
            }
        }
        curve.best(setup.cap)
    };
    Optimum { turns: alone.iter().map(sweep).collect() }
}

/// The course that the best constant limits take, for one seed: what controllers are compared with.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Always at the peak.
    pub at_peak: Trace,
    /// Always at the knee.
    pub at_knee: Trace,
    /// The standard pool of the same cap.
    pub at_cap: Trace,
}

impl Reference {
    /// Runs the references of one seed.
    pub fn find(scenario: &Scenario, optimum: &Optimum, seed: u64, length_ns: u64) -> Self {
        let setup = &scenario.setup;
        let at = |of: fn(&Best) -> usize| {
            let rule = super::contender::clairvoyant(setup, optimum, of);
            run(setup, rule, seed, length_ns)
        };
        Self {
            at_peak: at(|best| best.peak),
            at_knee: at(|best| best.knee),
            at_cap: run(setup, Rule::Constant(setup.cap), seed, length_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(rates: &[(usize, f64)]) -> Curve {
        let point = |&(workers, tasks_per_s)| Point { workers, tasks_per_s, response_p99_ns: 0 };
        Curve(rates.iter().map(point).collect())
    }

    #[test]
    fn the_knee_is_the_least_with_95_percent() {
        let best = curve(&[(1, 10.0), (2, 20.0), (4, 38.0), (8, 40.0), (16, 39.0)]).best(16);
        assert_eq!((best.knee, best.peak, best.settled), (4, 8, (2, 6)));
    }

    #[test]
    fn the_sweep_looks_closer_where_the_knee_is() {
        let curve = curve(&[(1, 10.0), (50, 90.0), (64, 100.0)]);
        assert_eq!(curve.between(0.95), Some(57));
        assert_eq!(curve.between(0.05), None);
    }

    #[test]
    fn the_grid_rises_to_the_cap() {
        let grid = grid(256);
        assert!(grid.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((grid[0], grid[15], grid.last()), (1, 16, Some(&256)));
    }
}
