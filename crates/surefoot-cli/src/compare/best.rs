//! Which size of the standard pool is its best, by a sweep.

use std::collections::BTreeMap;

use crate::compare::record::{Line, Measured, trusted};
use crate::compare::run::{Phase, Run};
use crate::compare::suite::STATIC_BEST;
use crate::statistics::median;

/// Within this share of the best median a smaller size ties with it. About the spread of repeats on a calm machine;
/// more would choose sizes that are really worse, and flatter whoever is compared with them.
const TIE_SHARE: f64 = 0.02;

/// The size that a contest's `static-best` has; `None` if no size of its sweep was measured.
///
/// Contests that have begun keep their size: later marks of noise may not split them.
pub(crate) fn threads(lines: &[Line], run: &Run) -> Option<u32> {
    let cell = run.cell();
    let of_cell = || lines.iter().filter_map(Line::measured).filter(|other| other.context.cell() == cell);
    let begun = of_cell()
        .filter(|other| other.context.identity.phase == Phase::Contest)
        .find(|other| other.context.identity.strategy == STATIC_BEST);
    if let Some(begun) = begun {
        return begun.context.identity.threads;
    }
    let sweep: Vec<&Measured> =
        of_cell().filter(|other| other.context.identity.phase == Phase::Sweep).collect();
    best(&sweep)
}

/// Why none of the sweep could be had here, if that is why it has no best size.
pub(crate) fn unavailable<'a>(lines: &'a [Line], run: &Run) -> Option<&'a str> {
    let cell = run.cell();
    let mut reason = None;
    for line in lines {
        let Some(context) = line.context() else { continue };
        if context.cell() != cell || context.identity.phase != Phase::Sweep {
            continue;
        }
        let Line::Unavailable(unmeasured) = line else { return None };
        reason = Some(unmeasured.reason.as_str());
    }
    reason
}

/// The size with the highest median throughput, or the smallest that ties with it.
fn best(sweep: &[&Measured]) -> Option<u32> {
    let mut sizes: BTreeMap<u32, Vec<&Measured>> = BTreeMap::new();
    for run in sweep {
        sizes.entry(run.context.identity.threads?).or_default().push(run);
    }
    let mut rates: Vec<(u32, f64, bool)> = Vec::new();
    for (threads, runs) in sizes {
        let runs = trusted(&runs);
        let samples: Vec<f64> = runs.iter().filter_map(|run| run.figure("tasks_per_s")).collect();
        if let Some(rate) = median(&samples).filter(|rate| *rate > 0.0) {
            rates.push((threads, rate, runs.iter().any(|run| run.is_truncated())));
        }
    }
    // What ended within a window that was cut short may come from a handful of threads that kept the others out.
    if rates.iter().any(|(_, _, is_truncated)| !is_truncated) {
        rates.retain(|(_, _, is_truncated)| !is_truncated);
    }
    let top = rates.iter().map(|(_, rate, _)| *rate).max_by(f64::total_cmp)?;
    rates.iter().find(|(_, rate, _)| *rate >= (1.0 - TIE_SHARE) * top).map(|(threads, _, _)| *threads)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::compare::record::Unmeasured;
    use crate::compare::record::tests::measured;
    use crate::compare::run::Identity;
    use crate::compare::run::tests::{identity, run_of};

    fn swept(threads: u32, tasks_per_s: f64) -> Measured {
        measured(Identity { phase: Phase::Sweep, threads: Some(threads), ..identity() }, tasks_per_s)
    }

    fn contest() -> Run {
        let strategy = STATIC_BEST.to_owned();
        run_of(Identity { phase: Phase::Contest, strategy, threads: None, ..identity() })
    }

    fn chosen(runs: Vec<Measured>) -> Option<u32> {
        let lines: Vec<Line> = runs.into_iter().map(|run| Line::Run(Box::new(run))).collect();
        threads(&lines, &contest())
    }

    #[test]
    fn the_highest_median_wins_and_not_the_highest_run() {
        let runs = [
            (2, 90.0),
            (2, 91.0),
            (2, 92.0),
            (8, 100.0),
            (8, 101.0),
            (8, 99.0),
            (32, 200.0),
            (32, 50.0),
            (32, 60.0),
        ];
        assert_eq!(chosen(runs.map(|(threads, rate)| swept(threads, rate)).to_vec()), Some(8));
    }

    #[test]
    fn a_tie_goes_to_the_smaller_size() {
        assert_eq!(chosen(vec![swept(4, 97.0), swept(16, 98.5), swept(64, 100.0)]), Some(16));
    }

    #[test]
    fn noisy_and_truncated_runs_do_not_win() {
        let mut noisy = swept(8, 500.0);
        noisy.is_noisy = true;
        let mut truncated = swept(64, 500.0);
        truncated.measurement.insert("is_truncated".to_owned(), json!(true));
        assert_eq!(chosen(vec![swept(4, 100.0), noisy.clone(), swept(8, 90.0), truncated.clone()]), Some(4));
        assert_eq!(chosen(vec![noisy, truncated.clone()]), Some(8));
        assert_eq!(chosen(vec![truncated]), Some(64));
    }

    #[test]
    fn other_cells_do_not_count_and_nothing_measured_is_no_size() {
        let mut other = swept(16, 500.0);
        other.context.identity.workload = "cpu".to_owned();
        assert_eq!(chosen(vec![other, swept(2, 1.0)]), Some(2));
        assert_eq!(chosen(vec![swept(2, 0.0)]), None);
        assert_eq!(chosen(vec![]), None);
    }

    #[test]
    fn a_sweep_of_which_nothing_could_be_had_is_unavailable_and_no_failure() {
        let missing = |reason: &str| {
            let context = swept(4, 1.0).context;
            Line::Unavailable(Box::new(Unmeasured { context, reason: reason.to_owned() }))
        };
        let failed = Line::Failure(Box::new(Unmeasured {
            context: swept(8, 1.0).context,
            reason: "killed".to_owned(),
        }));
        assert_eq!(unavailable(&[missing("no such package")], &contest()), Some("no such package"));
        assert_eq!(unavailable(&[missing("no such package"), failed], &contest()), None);
        assert_eq!(unavailable(&[], &contest()), None);
    }

    #[test]
    fn a_contest_that_has_begun_keeps_its_size() {
        let mut begun = measured(contest().identity, 80.0);
        begun.context.identity.threads = Some(32);
        assert_eq!(chosen(vec![swept(4, 100.0), swept(32, 90.0), begun]), Some(32));
    }
}
