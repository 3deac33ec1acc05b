//! About how long runs take, before they are made.

use std::collections::BTreeMap;

use crate::compare::run::Run;
use crate::plan::Nominal;

/// Starting an interpreter, importing the workload, calibrating it, and ending the processes.
const START_S: f64 = 0.5;
/// Starting a thread, filling its queue and ending it.
const THREAD_S: f64 = 0.001;
/// What a size counts for that is not known yet, or that the strategy chooses.
const THREADS: u32 = 16;
/// Strategies of ours for which a size is a cap that they seldom reach.
const CAPPED: [&str; 2] = ["knee", "paper"];

/// About how long a run takes, in seconds. Of a workload that is a file nothing is known but the window.
pub(crate) fn run_s(run: &Run, nominal: &BTreeMap<String, Nominal>) -> f64 {
    let asked = run.identity.threads.unwrap_or(THREADS);
    let is_cap = CAPPED.contains(&run.identity.strategy.as_str());
    let threads = f64::from(if is_cap { asked.min(THREADS) } else { asked });
    let times = run.times;
    let stretch_s = nominal.get(&run.identity.workload).map_or(0.0, |task| {
        let tasks_per_s = (threads / task.task_s_min).min(1.0 / task.gil_s);
        // Each thread is to do two tasks.
        2.0 * threads / tasks_per_s
    });
    START_S + THREAD_S * threads + times.warmup_s + times.seconds.max(stretch_s).min(times.seconds_max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::run::Identity;
    use crate::compare::run::tests::{identity, run_of};

    #[test]
    fn slow_tasks_on_many_threads_take_longer_up_to_the_longest_window() {
        let nominal = BTreeMap::from([(
            "micro".to_owned(),
            Nominal { kind: String::new(), task_s_min: 0.06, gil_s: 0.01 },
        )]);
        let at = |threads| run_s(&run_of(Identity { threads: Some(threads), ..identity() }), &nominal);
        assert!((at(1) - (START_S + THREAD_S + 0.5 + 2.0)).abs() < 1e-9);
        assert!((at(256) - (START_S + 0.256 + 0.5 + 5.12)).abs() < 1e-9);
        assert!((at(2048) - (START_S + 2.048 + 0.5 + 8.0)).abs() < 1e-9);
        let knee = Identity { strategy: "knee".to_owned(), threads: Some(2048), ..identity() };
        assert!(run_s(&run_of(knee), &nominal) < 4.0);
    }
}
