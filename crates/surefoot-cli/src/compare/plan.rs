//! Which runs make a suite, and in which order.
//!
//! One repeat of one *cell* (a workload with its parameters, cores, quota and interpreter) is a block: all of its
//! strategies and sizes run next to each other in time, in random order, so that a drift of the machine (heat,
//! neighbours) falls on all of them alike. The cells of a repeat come in random order too. The order depends on
//! the suite and its seed alone, so that an interrupted plan is taken up where it was left.

use std::collections::BTreeSet;

use surefoot_core::sim::random::Random;

use crate::compare::run::{Identity, Phase, Run, STATIC};
use crate::compare::suite::{Experiment, Parameters, Part, STATIC_BEST, Strategy, Suite};

/// What a plan must know of this machine.
pub(crate) struct Here<'a> {
    /// Cores this process may use.
    pub(crate) cores: u32,
    /// The tag of an interpreter that a suite names.
    pub(crate) tag: &'a dyn Fn(&str) -> String,
}

/// Lists every run of the suite.
///
/// # Errors
///
/// In words, if the suite asks for the same run twice or gives a parameter twice.
pub(crate) fn runs(suite: &Suite, here: &Here<'_>) -> Result<Vec<Run>, String> {
    let mut runs = Vec::new();
    for (number, experiment) in (0..).zip(&suite.experiments) {
        let mut random = Random::new(suite.seed, number);
        let cells = cells(experiment, here);
        let digest = experiment.digest();
        let contest = if experiment.has_sweep() { Phase::Contest } else { Phase::Single };
        let mut passes: Vec<(Phase, u32)> = Vec::new();
        if experiment.has_sweep() {
            passes.extend((0..experiment.sweep_repeats).map(|repeat| (Phase::Sweep, repeat)));
        }
        passes.extend((0..experiment.repeats).map(|repeat| (contest, repeat)));
        for (phase, repeat) in passes {
            let mut cells: Vec<&Cell<'_>> = cells.iter().collect();
            shuffle(&mut cells, &mut random);
            for cell in cells {
                let mut block = cell.block(experiment, phase)?;
                shuffle(&mut block, &mut random);
                for mut run in block {
                    run.identity.repeat = repeat;
                    run.order = runs.len();
                    run.experiment_digest.clone_from(&digest);
                    runs.push(run);
                }
            }
        }
    }
    let mut seen = BTreeSet::new();
    match runs.iter().find(|run| !seen.insert(run.key(0))) {
        Some(twice) => Err(format!("the suite asks twice for the same run ({})", twice.name())),
        None => Ok(runs),
    }
}

/// What the members of a block have in common.
struct Cell<'a> {
    workload: &'a Part,
    parameters: Parameters,
    cores: u32,
    cores_asked: u32,
    quota_cores: Option<f64>,
    tag: String,
    /// Those that run on this interpreter.
    strategies: Vec<&'a Strategy>,
}

fn cells<'a>(experiment: &'a Experiment, here: &Here<'_>) -> Vec<Cell<'a>> {
    let tags_of =
        |strategy: &Strategy| strategy.interpreters.iter().map(|asked| (here.tag)(asked)).collect::<Vec<_>>();
    let mut tags: Vec<String> = Vec::new();
    for tag in experiment.strategies.iter().flat_map(tags_of) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    let mut cells = Vec::new();
    for workload in &experiment.workloads {
        for parameters in grid(&workload.parameters) {
            for (cores, cores_asked) in cores_here(&experiment.cores, here.cores) {
                for &quota_cores in &experiment.quotas {
                    for tag in &tags {
                        let strategies =
                            experiment.strategies.iter().filter(|strategy| tags_of(strategy).contains(tag));
                        cells.push(Cell {
                            workload,
                            parameters: parameters.clone(),
                            cores,
                            cores_asked,
                            quota_cores,
                            tag: tag.clone(),
                            strategies: strategies.collect(),
                        });
                    }
                }
            }
        }
    }
    cells
}

/// The cores to use and the cores asked for. What the machine lacks becomes all that it has, once.
pub(crate) fn cores_here(asked: &[u32], here: u32) -> Vec<(u32, u32)> {
    let mut exact_first = asked.to_vec();
    exact_first.sort_unstable();
    let mut cores: Vec<(u32, u32)> = Vec::new();
    for asked in exact_first {
        let used = asked.min(here);
        if cores.iter().all(|(other, _)| *other != used) {
            cores.push((used, asked));
        }
    }
    cores
}

/// Every combination of the values of parameters that have several.
fn grid(parameters: &Parameters) -> Vec<Parameters> {
    let mut combinations = vec![Parameters::new()];
    for (name, value) in parameters {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        combinations = combinations
            .iter()
            .flat_map(|combination| {
                values.iter().map(|value| {
                    let mut combination = combination.clone();
                    combination.insert(name.clone(), value.clone());
                    combination
                })
            })
            .collect();
    }
    combinations
}

impl Cell<'_> {
    /// The runs of one repeat, not yet in their order.
    fn block(&self, experiment: &Experiment, phase: Phase) -> Result<Vec<Run>, String> {
        let mut block = Vec::new();
        for strategy in &self.strategies {
            let is_best = strategy.part.name == STATIC_BEST;
            let (name, argument) = match phase {
                Phase::Sweep if !is_best => continue,
                Phase::Sweep => (STATIC, STATIC),
                // The runner knows the standard pool by one name; which size it is to have is known by then.
                _ if is_best => (STATIC_BEST, STATIC),
                _ => (strategy.part.name.as_str(), strategy.part.argument.as_str()),
            };
            let mut sizes =
                if is_best && phase != Phase::Sweep { vec![None] } else { strategy.threads.clone() };
            if let Some(most) = self.workload.threads_max {
                sizes.retain(|size| size.is_none_or(|size| size <= most));
            }
            let mut times = strategy.times;
            if let (Phase::Sweep, Some(seconds)) = (phase, experiment.sweep_seconds) {
                times.seconds = seconds;
                times.seconds_max = times.seconds_max.max(seconds);
            }
            for own in grid(&strategy.part.parameters) {
                let mut parameters = self.parameters.clone();
                for (parameter, value) in own {
                    if parameters.insert(parameter.clone(), value).is_some() {
                        return Err(format!("{parameter} is given by {} and {name}", self.workload.name));
                    }
                }
                block.extend(sizes.iter().map(|&threads| Run {
                    identity: Identity {
                        experiment: experiment.name.clone(),
                        phase,
                        workload: self.workload.name.clone(),
                        parameters: parameters.clone(),
                        strategy: name.to_owned(),
                        threads,
                        cores: self.cores,
                        cores_asked: self.cores_asked,
                        quota_cores: self.quota_cores,
                        repeat: 0,
                    },
                    tag: self.tag.clone(),
                    workload_argument: self.workload.argument.clone(),
                    strategy_argument: argument.to_owned(),
                    times,
                    timeline_s: experiment.timeline_s,
                    order: 0,
                    experiment_digest: String::new(),
                }));
            }
        }
        Ok(block)
    }
}

/// Fisher and Yates.
fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for end in (2..=items.len()).rev() {
        items.swap(end - 1, random.below(end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::suite::tests::suite;

    const SUITE: &str = r#"
        name = "small"
        seed = 7
        [[experiment]]
        name = "contest"
        workloads = ["micro", "cpu", { name = "stated", parameters = { cpu_ms = [1, 2], io_ms = [3, 4] } }]
        strategies = [
            { name = "static-best", threads = [1, 2, 4] },
            { name = "knee", threads = [64] },
            { name = "paper", threads = [64], parameters = { threshold = [0.1, 0.3] } },
            { name = "interpreter", threads = [2], interpreters = ["3.14"] },
        ]
        cores = [1, 2, 4]
        repeats = 3
        sweep_repeats = 2
        [[experiment]]
        name = "plain"
        workloads = ["micro"]
        strategies = [{ name = "static", threads = [1, 2] }]
        quotas = [0.5, 1.0]
        repeats = 1
    "#;

    fn plan(text: &str) -> Result<Vec<Run>, String> {
        let tag = |asked: &str| if asked == "default" { "3.11".to_owned() } else { asked.to_owned() };
        runs(&suite(text), &Here { cores: 2, tag: &tag })
    }

    #[test]
    fn every_combination_runs_once_per_repeat() {
        let runs = plan(SUITE).unwrap();
        let count = |phase, tag: &str| {
            runs.iter().filter(|run| run.identity.phase == phase && run.tag == tag).count()
        };
        let cells = (2 + 4) * 2;
        assert_eq!(count(Phase::Sweep, "3.11"), cells * 3 * 2);
        assert_eq!(count(Phase::Contest, "3.11"), cells * (1 + 1 + 2) * 3);
        assert_eq!(count(Phase::Contest, "3.14"), cells * 3);
        assert_eq!(count(Phase::Single, "3.11"), 2 * 2);
        assert_eq!(runs.iter().map(|run| run.order).collect::<Vec<_>>(), (0..runs.len()).collect::<Vec<_>>());
    }

    #[test]
    fn the_sweep_comes_before_the_contest_and_rivals_run_next_to_each_other() {
        let runs = plan(SUITE).unwrap();
        let contest: Vec<&Run> = runs.iter().filter(|run| run.identity.phase == Phase::Contest).collect();
        let sweep_ends = runs.iter().rposition(|run| run.identity.phase == Phase::Sweep).unwrap();
        assert!(contest.iter().all(|run| run.order > sweep_ends));
        let mut at = 0;
        while at < contest.len() {
            let size = if contest[at].tag == "3.14" { 1 } else { 4 };
            let block = &contest[at..at + size];
            let of = |run: &Run| (run.identity.workload.clone(), run.identity.cores, run.identity.repeat);
            assert!(block.iter().all(|run| of(run) == of(block[0])), "{block:?}");
            at += size;
        }
    }

    #[test]
    fn the_order_is_random_but_the_same_each_time() {
        let names = |text: &str| plan(text).unwrap().iter().map(Run::name).collect::<Vec<_>>();
        assert_eq!(names(SUITE), names(SUITE));
        assert_ne!(names(SUITE), names(&SUITE.replace("seed = 7", "seed = 8")));
        let runs = plan(SUITE).unwrap();
        let leaders: BTreeSet<&str> = runs
            .windows(2)
            .filter(|pair| {
                pair[1].identity.phase == Phase::Contest && pair[0].cell() != pair[1].cell()
                    || pair[0].identity.phase != pair[1].identity.phase
            })
            .map(|pair| pair[1].identity.strategy.as_str())
            .collect();
        assert!(leaders.len() >= 3, "always the same goes first: {leaders:?}");
    }

    #[test]
    fn sizes_that_are_too_large_for_a_workload_are_left_out() {
        let runs = plan(&SUITE.replace("\"cpu\"", "{ name = \"cpu\", threads_max = 2 }")).unwrap();
        let sizes: BTreeSet<Option<u32>> = runs
            .iter()
            .filter(|run| run.identity.workload == "cpu")
            .map(|run| run.identity.threads)
            .collect();
        assert_eq!(sizes, BTreeSet::from([None, Some(1), Some(2)]));
        assert!(runs.iter().any(|run| run.identity.threads == Some(64)), "other workloads keep theirs");
    }

    #[test]
    fn cores_that_are_missing_become_all_there_are_and_say_so() {
        assert_eq!(cores_here(&[1, 2, 4], 2), [(1, 1), (2, 2)]);
        assert_eq!(cores_here(&[1, 4], 2), [(1, 1), (2, 4)]);
        assert_eq!(cores_here(&[4, 1], 8), [(1, 1), (4, 4)]);
    }

    #[test]
    fn the_same_run_twice_is_a_mistake() {
        let error = plan(&SUITE.replace("\"cpu\"", "\"micro\"")).unwrap_err();
        assert!(error.contains("twice"), "{error}");
        let error = plan(&SUITE.replace("threshold =", "cpu_ms =")).unwrap_err();
        assert!(error.contains("cpu_ms is given by"), "{error}");
    }
}
