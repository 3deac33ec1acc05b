//! Which runs make a sweep, in which order, and how long they will take.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::args::{Pool, Span, Workload};

/// Starting an interpreter, and calibrating a workload.
const START_S: f64 = 0.5;
/// Starting a thread, filling its queue and ending it.
const THREAD_S: f64 = 0.001;

/// One run: one fresh process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) workload: Workload,
    pub(crate) cores: u32,
    pub(crate) threads: u32,
    pub(crate) pool: Pool,
    /// Counts from 0.
    pub(crate) repeat: u32,
}

/// What to combine.
#[derive(Debug)]
pub(crate) struct Axes {
    pub(crate) workloads: Vec<Workload>,
    pub(crate) cores: Vec<u32>,
    pub(crate) threads: Vec<u32>,
    pub(crate) pools: Vec<Pool>,
    pub(crate) repeats: u32,
}

/// What a workload says of one of its tasks; nominal, for estimates only.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Nominal {
    pub(crate) kind: String,
    /// About the least wall time of one task.
    pub(crate) task_s_min: f64,
    /// About the time one task needs the GIL.
    pub(crate) gil_s: f64,
}

/// Lists every run. Pools alternate, and which of them goes first alternates too, so that a drift of the
/// machine (heat, neighbours) falls on all of them alike; repeats are whole passes for the same reason.
pub(crate) fn runs(axes: &Axes) -> Vec<Run> {
    let mut runs = Vec::new();
    for repeat in 0..axes.repeats {
        for &workload in &axes.workloads {
            for &cores in &axes.cores {
                for (at, &threads) in axes.threads.iter().enumerate() {
                    let mut pools = axes.pools.clone();
                    if (at + repeat as usize) % 2 == 1 {
                        pools.reverse();
                    }
                    runs.extend(pools.into_iter().map(|pool| Run { workload, cores, threads, pool, repeat }));
                }
            }
        }
    }
    runs
}

/// About how long a run takes, in seconds.
pub(crate) fn estimate_s(run: &Run, span: &Span, nominal: &BTreeMap<Workload, Nominal>) -> f64 {
    let threads = f64::from(run.threads);
    let tasks_per_s = nominal
        .get(&run.workload)
        .map_or(f64::INFINITY, |task| (threads / task.task_s_min).min(1.0 / task.gil_s));
    let measured_s = match span.tasks {
        Some(tasks) => f64::from(tasks) / tasks_per_s,
        None => span.seconds.max(2.0 * threads / tasks_per_s) + (0.2 * span.seconds).max(0.2),
    };
    START_S + THREAD_S * threads + measured_s.min(span.seconds_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes() -> Axes {
        Axes {
            workloads: vec![Workload::Micro, Workload::Cpu],
            cores: vec![1, 2],
            threads: vec![1, 8, 64],
            pools: vec![Pool::Standard, Pool::Surefoot],
            repeats: 2,
        }
    }

    #[test]
    fn every_combination_runs_once_per_repeat() {
        let runs = runs(&axes());
        assert_eq!(runs.len(), 2 * 2 * 3 * 2 * 2);
        for (at, run) in runs.iter().enumerate() {
            assert!(!runs[..at].contains(run), "{run:?} runs twice");
        }
    }

    #[test]
    fn pools_alternate_and_take_turns_in_going_first() {
        let pools: Vec<Pool> = runs(&axes()).iter().map(|run| run.pool).collect();
        assert_eq!(pools[..4], [Pool::Standard, Pool::Surefoot, Pool::Surefoot, Pool::Standard]);
        // The second pass begins the other way round.
        assert_eq!(pools[24..26], [Pool::Surefoot, Pool::Standard]);
    }

    #[test]
    fn an_estimate_grows_with_slow_tasks_but_not_beyond_the_longest_window() {
        let nominal = BTreeMap::from([(
            Workload::Cpu,
            Nominal { kind: String::new(), task_s_min: 0.005, gil_s: 0.005 },
        )]);
        let span = Span { seconds: 1.0, seconds_max: 8.0, tasks: None, timeout_s: 60.0 };
        let at = |threads| {
            let run = Run { workload: Workload::Cpu, cores: 1, threads, pool: Pool::Standard, repeat: 0 };
            estimate_s(&run, &span, &nominal)
        };
        assert!(at(1) < at(512));
        assert!(at(2048) <= START_S + THREAD_S * 2048.0 + 8.0 + 1e-9);
    }
}
