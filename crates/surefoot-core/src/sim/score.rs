//! A run reduced to what is compared.

use super::load::Tasks;
use super::optimum::{Best, Optimum, Reference};
use super::scenario::{Judged, Scenario};
use super::trace::Trace;

/// The limit is looked at in steps of this length.
const STEP_NS: u64 = 100_000_000;
/// For so long the limit must stay where it settled.
const STAY_NS: u64 = 1_000_000_000;

/// The change of the best limit that a settling answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// The limit was below what counts as settled.
    Up,
    /// It was above.
    Down,
    /// It was right already.
    There,
}

/// How one turn of the load was met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settling {
    /// When the turn began.
    pub at_ns: u64,
    /// Which way the limit had to go.
    pub way: Way,
    /// How long it took; `None`: it did not settle before the turn ended.
    pub took_ns: Option<u64>,
    /// Throughput lost in the turn against the best limit, as seconds of it.
    pub regret_s: f64,
}

/// The figures of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Throughput against the best constant limit of the same seed, after the warm-up (with turns:
    /// over the whole run).
    pub efficiency: f64,
    /// The mean limit over the mean knee, over the same time.
    pub limit_over_knee: f64,
    /// How far the greatest limit exceeded the greatest knee, as a share of it.
    pub overshoot: f64,
    /// The 99th percentile of the tasks' wall times (open arrivals: from arrival to end) against that
    /// at the knee.
    pub response_p99_ratio: Option<f64>,
    /// Changes of direction of the limit in 10 s, after the warm-up, beyond those that the turns of
    /// the load ask for.
    pub reversals_per_10s: f64,
    /// One for each turn.
    pub settlings: Vec<Settling>,
    /// What was given to do was not done before the end.
    pub is_stuck: bool,
    /// How much later than in a standard pool of the same cap the last task was done.
    pub finish_lag_s: Option<f64>,
}

/// Scores a run of `scenario`.
pub fn score(scenario: &Scenario, optimum: &Optimum, reference: &Reference, trace: &Trace) -> Score {
    let end_ns = trace.ended_ns;
    let turns = turns(scenario, optimum, end_ns);
    let from_ns = if turns.len() > 1 { 0 } else { scenario.setup.warm_up_ns.min(end_ns / 2) };
    let best_done = reference.at_peak.done_between(from_ns, end_ns);
    let done = trace.done_between(from_ns, end_ns);
    let knee_ends = turns.iter().skip(1).map(|turn| turn.0).chain([end_ns]);
    let knee_sum: f64 = turns
        .iter()
        .zip(knee_ends)
        .map(|(turn, turn_end_ns)| {
            turn.1.knee as f64 * turn_end_ns.saturating_sub(turn.0.max(from_ns)) as f64
        })
        .sum();
    let knee_mean = knee_sum / (end_ns - from_ns).max(1) as f64;
    let greatest_knee = turns.iter().map(|turn| turn.1.knee).max().unwrap_or(1) as f64;
    let greatest = trace.limits.iter().map(|change| change.1).max().unwrap_or(1) as f64;
    // What the load itself asks for: up and down with the turns.
    let asked = turns.iter().map(|turn| (turn.0, turn.1.knee)).collect::<Vec<_>>();
    let own_reversals =
        reversals(&trace.limits, from_ns, end_ns).saturating_sub(reversals(&asked, from_ns, end_ns));
    let finishes = scenario.judged == Judged::Finish;
    Score {
        efficiency: if best_done == 0 { 1.0 } else { done as f64 / best_done as f64 },
        limit_over_knee: trace.mean_over_limits(from_ns, end_ns, |limit| limit as f64) / knee_mean,
        overshoot: (greatest / greatest_knee - 1.0).max(0.0),
        response_p99_ratio: trace
            .response_p99_ns()
            .zip(reference.at_knee.response_p99_ns())
            .map(|(own, knee)| own as f64 / knee.max(1) as f64),
        reversals_per_10s: own_reversals as f64 * 1e10 / (end_ns - from_ns).max(1) as f64,
        settlings: settlings(&turns, end_ns, reference, trace),
        is_stuck: if finishes { trace.finished_ns.is_none() } else { trace.tasks_done == 0 && best_done > 0 },
        finish_lag_s: trace
            .finished_ns
            .zip(reference.at_cap.finished_ns)
            .map(|(own, standard)| (own as f64 - standard as f64) / 1e9),
    }
}

/// Each turn of the run: when it began, and its best.
fn turns(scenario: &Scenario, optimum: &Optimum, end_ns: u64) -> Vec<(u64, Best)> {
    let Tasks::Turns(mixes) = &scenario.setup.tasks else { return vec![(0, optimum.turns[0])] };
    let mut turns = Vec::new();
    let mut at_ns = 0_u64;
    while at_ns < end_ns {
        let (place, _) = scenario.setup.tasks.turn(at_ns);
        turns.push((at_ns, optimum.turns[place]));
        at_ns = at_ns.saturating_add(mixes[place].0);
    }
    turns
}

fn settlings(turns: &[(u64, Best)], end_ns: u64, reference: &Reference, trace: &Trace) -> Vec<Settling> {
    let ends = turns.iter().skip(1).map(|turn| turn.0).chain([end_ns]);
    turns
        .iter()
        .zip(ends)
        .map(|(&(at_ns, best), turn_end_ns)| {
            let (low, high) = best.settled;
            let first = trace.limit_at(at_ns);
            let way = match first {
                _ if first < low => Way::Up,
                _ if first > high => Way::Down,
                _ => Way::There,
            };
            let lost = reference.at_peak.done_between(at_ns, turn_end_ns) as f64
                - trace.done_between(at_ns, turn_end_ns) as f64;
            Settling {
                at_ns,
                way,
                took_ns: settled_after(trace, (low, high), at_ns, turn_end_ns),
                regret_s: (lost / best.tasks_per_s.max(1e-9)).max(0.0),
            }
        })
        .collect()
}

/// How long after `from_ns` the limit came into the band to stay for [`STAY_NS`] or to the end. A
/// probe is no departure: what counts is the limit's mean over each [`STEP_NS`].
fn settled_after(trace: &Trace, band: (usize, usize), from_ns: u64, end_ns: u64) -> Option<u64> {
    let is_in = |limit: usize| (band.0..=band.1).contains(&limit);
    let is_in_step = |at_ns: u64| {
        let mean = trace.mean_over_limits(at_ns, (at_ns + STEP_NS).min(end_ns), |limit| limit as f64);
        // Half a worker of rounding to either side.
        mean >= band.0 as f64 - 0.5 && mean <= band.1 as f64 + 0.5
    };
    let stays = |at_ns: u64| {
        let stay_end_ns = (at_ns + STAY_NS).min(end_ns);
        let mut step_ns = at_ns;
        while step_ns < stay_end_ns {
            if !is_in_step(step_ns) {
                return false;
            }
            step_ns += STEP_NS;
        }
        true
    };
    let changes = trace.changes_between(from_ns, end_ns).iter().copied();
    std::iter::once((from_ns, trace.limit_at(from_ns)))
        .chain(changes)
        .find(|&(at_ns, limit)| is_in(limit) && at_ns < end_ns && stays(at_ns))
        .map(|(at_ns, _)| at_ns - from_ns)
}

/// Changes of direction in a list of changes.
fn reversals(changes: &[(u64, usize)], from_ns: u64, to_ns: u64) -> usize {
    let mut last: Option<usize> = None;
    let mut was_up = None;
    let mut count = 0;
    for &(at_ns, limit) in changes.iter().filter(|change| change.0 <= to_ns) {
        let before = last.replace(limit);
        if at_ns <= from_ns || before.is_none_or(|before| before == limit) {
            continue;
        }
        let is_up = before < Some(limit);
        count += usize::from(was_up.is_some_and(|was_up| was_up != is_up));
        was_up = Some(is_up);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(limits: &[(u64, usize)]) -> Trace {
        let mut trace = Trace::new(limits[0].1);
        for &(at_ms, limit) in limits {
            trace.limited(at_ms * 1_000_000, limit);
        }
        trace
    }

    #[test]
    fn settled_is_where_it_stays() {
        let trace = trace(&[(0, 4), (100, 8), (200, 40), (400, 9), (450, 8)]);
        let settled = settled_after(&trace, (7, 10), 0, 5_000_000_000);
        assert_eq!(settled, Some(400_000_000));
        assert_eq!(settled_after(&trace, (20, 30), 0, 5_000_000_000), None);
    }

    #[test]
    fn a_reversal_is_a_change_of_direction() {
        let trace = trace(&[(0, 4), (100, 8), (200, 16), (300, 8), (400, 9)]);
        assert_eq!(reversals(&trace.limits, 0, 1_000_000_000), 2);
        assert_eq!(reversals(&trace.limits, 250_000_000, 1_000_000_000), 1);
    }
}
