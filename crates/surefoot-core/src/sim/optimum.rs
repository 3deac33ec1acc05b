//! The best that a constant limit reaches, found by a sweep.

use super::load::Tasks;
use super::plant::{Rule, Setup, run};
use super::scenario::{Judged, Scenario};
use super::trace::Trace;

/// The share of the best throughput that makes a knee.
const KNEE_SHARE: f64 = 0.95;
/// The share of the best throughput that a limit must reach to count as settled. Less than the
/// knee's, so that a limit at the knee does not fall out of it by the sweep's own error.
const SETTLED_SHARE: f64 = 0.93;
/// Beyond this many times the knee a limit does not count as settled.
const SETTLED_TIMES: f64 = 1.5;
/// Nor beyond the knee and this, where the knee is small.
const SETTLED_MORE: usize = 2;

const S_NS: u64 = 1_000_000_000;

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

fn best(rates: &[(usize, f64)], cap: usize) -> Best {
    let (peak, tasks_per_s) =
        rates.iter().copied().fold((1, 0.0), |best, point| if point.1 > best.1 { point } else { best });
    let least = |share: f64| {
        let found = rates.iter().find(|point| point.1 >= share * tasks_per_s);
        found.map_or(cap, |point| point.0)
    };
    let knee = least(KNEE_SHARE);
    let high = ((knee as f64 * SETTLED_TIMES) as usize).max(knee + SETTLED_MORE).min(cap);
    Best { knee, peak, tasks_per_s, settled: (least(SETTLED_SHARE), high) }
}

/// Sweeps the limit over each turn by itself.
pub fn find(scenario: &Scenario) -> Optimum {
    let setup = &scenario.setup;
    if scenario.judged == Judged::Finish {
        let cap = setup.cap;
        let best = Best { knee: cap, peak: cap, tasks_per_s: 0.0, settled: (1, cap) };
        return Optimum { turns: vec![best] };
    }
    let alone = match &setup.tasks {
        Tasks::Turns(turns) => turns
            .iter()
            .map(|(_, mix)| Setup { tasks: Tasks::steady(mix.clone()), ..setup.clone() })
            .collect(),
        Tasks::Graph(_) => vec![setup.clone()],
    };
    let sweep = |setup: &Setup| {
        let warm_up_ns = scenario.length_ns / 5;
        let length_ns = scenario.length_ns.min(10 * S_NS).max(warm_up_ns + scenario.length_ns / 3);
        let rate = |workers| {
            let trace = run(setup, Rule::Constant(workers), 0, length_ns);
            (workers, trace.tasks_per_s(warm_up_ns, length_ns))
        };
        let rates: Vec<_> = grid(setup.cap).into_iter().map(rate).collect();
        best(&rates, setup.cap)
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

    #[test]
    fn the_knee_is_the_least_with_95_percent() {
        let rates = [(1, 10.0), (2, 20.0), (4, 38.0), (8, 40.0), (16, 39.0)];
        let best = best(&rates, 16);
        assert_eq!((best.knee, best.peak, best.settled), (4, 8, (4, 6)));
    }

    #[test]
    fn the_grid_rises_to_the_cap() {
        let grid = grid(256);
        assert!(grid.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((grid[0], grid[15], grid.last()), (1, 16, Some(&256)));
    }
}
