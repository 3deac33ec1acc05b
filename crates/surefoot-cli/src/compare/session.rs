//! Makes the runs of a plan that are not in the record file yet, one after another.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::child::{self, Ending};
use crate::clock;
use crate::compare::best;
use crate::compare::calibration;
use crate::compare::interpreters::{Found, Interpreters};
use crate::compare::noise::{self, Load};
use crate::compare::record::{Context, Line, Measured, SCHEMA, Tagged, Unmeasured};
use crate::compare::run::Run;
use crate::compare::store::Store;
use crate::compare::suite::{STATIC_BEST, Suite};
use crate::machine::Machine;
use crate::progress::{self, Progress};
use crate::stop::Stop;

/// The exit code of a run that cannot be here.
const UNAVAILABLE: i32 = 3;

/// What all runs have in common.
pub(crate) struct Session<'a> {
    pub(crate) suite: &'a Suite,
    pub(crate) suite_digest: String,
    pub(crate) commit: Option<String>,
    pub(crate) machine: Machine,
    pub(crate) interpreters: &'a Interpreters,
    /// How much longer than it may measure a run may take.
    pub(crate) patience_s: f64,
    /// About how long a run takes.
    pub(crate) estimate_s: &'a dyn Fn(&Run) -> f64,
}

/// How runs ended.
#[derive(Debug, Default)]
pub(crate) struct Harvest {
    pub(crate) measured: usize,
    pub(crate) failed: usize,
    pub(crate) unavailable: usize,
    pub(crate) signal: Option<i32>,
}

/// How one run ended.
enum Outcome {
    Measured { measurement: Map<String, Value>, others_cores: Option<f64> },
    Failed(String),
    Unavailable(String),
    Interrupted(i32),
}

/// The runs of a plan that a record file lacks.
pub(crate) fn missing<'a>(runs: &'a [Run], lines: &[Line]) -> Vec<&'a Run> {
    let done: BTreeSet<String> = lines.iter().filter_map(Line::context).map(Context::key).collect();
    runs.iter().filter(|run| !done.contains(&run.key(0))).collect()
}

impl Session<'_> {
    /// Makes what is missing, marks what is noisy, and makes that once more.
    ///
    /// # Errors
    ///
    /// If records cannot be written. A run that fails is a record, not an error.
    pub(crate) fn run(&self, runs: &[Run], store: &mut Store) -> Result<Harvest, Stop> {
        let mut harvest = Harvest::default();
        self.pass(&missing(runs, store.lines()), 0, store, &mut harvest)?;
        if harvest.signal.is_none() {
            let noisy: Vec<String> = noise::to_repeat(store.lines())
                .iter()
                .map(|run| run.context.identity.key(&run.context.interpreter.tag, 0))
                .collect();
            let again: Vec<&Run> = runs.iter().filter(|run| noisy.contains(&run.key(0))).collect();
            if !again.is_empty() {
                eprintln!(
                    "surefoot: the machine was busy or uneven during {} runs; they are made once more",
                    again.len()
                );
                self.pass(&again, 1, store, &mut harvest)?;
            }
        }
        Ok(harvest)
    }

    fn pass(
        &self,
        runs: &[&Run],
        attempt: u32,
        store: &mut Store,
        harvest: &mut Harvest,
    ) -> Result<(), Stop> {
        let estimates: Vec<f64> = runs.iter().map(|run| (self.estimate_s)(run)).collect();
        let in_all_s: f64 = estimates.iter().sum();
        if !runs.is_empty() {
            eprintln!(
                "{} runs, about {}; Ctrl-C keeps what was measured, the same command goes on",
                runs.len(),
                progress::in_words(in_all_s)
            );
        }
        calibration::complete(runs, (self.suite, &self.suite_digest), self.interpreters, store)?;
        let mut progress = Progress::begin(runs.len(), in_all_s);
        let mut controlled: Option<Instant> = None;
        for (run, estimate_s) in runs.iter().zip(estimates) {
            let is_due = controlled.is_none_or(|at| at.elapsed().as_secs_f64() >= self.suite.control_every_s);
            if is_due {
                store.append(noise::control(self.suite, &self.suite_digest))?;
                controlled = Some(clock::now());
            }
            let name = run.name();
            progress.begin_run(&name);
            let threads = if run.identity.strategy == STATIC_BEST {
                best::threads(store.lines(), run)
            } else {
                run.identity.threads
            };
            let (line, result) = match self.execute(run, threads, store.lines())? {
                Outcome::Interrupted(signal) => {
                    harvest.signal = Some(signal);
                    break;
                }
                Outcome::Measured { measurement, others_cores } => {
                    harvest.measured += 1;
                    let context = self.context(run, threads, attempt);
                    let measured = Measured { context, is_noisy: false, others_cores, measurement };
                    let rate = measured.figure("tasks_per_s").unwrap_or_default();
                    (Line::Run(Box::new(measured)), format!("{rate:.0} tasks/s"))
                }
                Outcome::Failed(reason) => {
                    harvest.failed += 1;
                    progress.say(&format!("surefoot: {name} failed: {reason}"));
                    let context = self.context(run, threads, attempt);
                    (Line::Failure(Box::new(Unmeasured { context, reason })), "failed".to_owned())
                }
                Outcome::Unavailable(reason) => {
                    harvest.unavailable += 1;
                    let said = format!("not here: {reason}");
                    let context = self.context(run, threads, attempt);
                    (Line::Unavailable(Box::new(Unmeasured { context, reason })), said)
                }
            };
            store.append(line)?;
            progress.finish_run(&name, &result, estimate_s);
        }
        progress.finish();
        if controlled.is_some() {
            store.append(noise::control(self.suite, &self.suite_digest))?;
        }
        let mut lines = store.lines().to_vec();
        if noise::mark(&mut lines, self.suite.noise, self.suite.control_every_s) {
            store.replace(lines)?;
        }
        Ok(())
    }

    fn execute(&self, run: &Run, threads: Option<u32>, lines: &[Line]) -> Result<Outcome, Stop> {
        let found = match self.interpreters.get(&run.tag) {
            Ok(found) => found,
            Err(reason) => return Ok(Outcome::Unavailable(reason.to_owned())),
        };
        if run.identity.strategy == STATIC_BEST && threads.is_none() {
            return Ok(match best::unavailable(lines, run) {
                Some(reason) => Outcome::Unavailable(reason.to_owned()),
                None => Outcome::Failed("no size of the sweep was measured".to_owned()),
            });
        }
        let times = run.times;
        let timeout_s = times.warmup_s + times.seconds_max + self.patience_s;
        let spin_ns = calibration::spin_ns(lines, &run.tag).map(|ns| (calibration::VARIABLE, ns.to_string()));
        let environment: Vec<(&str, String)> = spin_ns.into_iter().collect();
        let before = Load::read();
        let ending = found
            .python(&environment)
            .execute(&run.arguments(threads), Duration::from_secs_f64(timeout_s))
            .map_err(|error| Stop::failure(format!("cannot run {}: {error}", found.program.display())))?;
        let after = Load::read();
        Ok(match ending {
            Ending::Interrupted(signal) => Outcome::Interrupted(signal),
            Ending::TimedOut => Outcome::Failed(format!("stopped after {}", progress::in_words(timeout_s))),
            Ending::Ended { status, stdout, .. } if status.success() => match measurement(&stdout) {
                Ok(measurement) => {
                    let processes = measurement.get("processes").and_then(Value::as_f64);
                    let others_cores = noise::others_cores(before, after, processes);
                    Outcome::Measured { measurement, others_cores }
                }
                Err(reason) => Outcome::Failed(reason),
            },
            Ending::Ended { status, stdout, stderr } => match unavailable(&stdout) {
                Some(reason) if status.code() == Some(UNAVAILABLE) => Outcome::Unavailable(reason),
                _ => Outcome::Failed(child::complaint(status, &stdout, &stderr)),
            },
        })
    }

    fn context(&self, run: &Run, threads: Option<u32>, attempt: u32) -> Context {
        let description = self.interpreters.get(&run.tag).ok().map(|Found { description, .. }| description);
        let mut identity = run.identity.clone();
        identity.threads = threads;
        Context {
            schema: SCHEMA,
            suite: self.suite.name.clone(),
            suite_digest: self.suite_digest.clone(),
            experiment_digest: run.experiment_digest.clone(),
            identity,
            interpreter: Tagged {
                tag: run.tag.clone(),
                interpreter: description.map(|description| description.interpreter.clone()),
            },
            machine: self.machine.clone(),
            kernel: self.machine.kernel.clone(),
            commit: self.commit.clone(),
            surefoot_version: description.map(|description| description.surefoot.version.clone()),
            is_debug_build: description.map(|description| description.surefoot.is_debug_build),
            attempt,
            order: run.order,
            at_unix_s: clock::unix_s(),
        }
    }
}

/// What a run printed: an object that has a throughput.
fn measurement(stdout: &str) -> Result<Map<String, Value>, String> {
    let measurement: Map<String, Value> =
        serde_json::from_str(stdout).map_err(|error| format!("unreadable result: {error}"))?;
    match measurement.get("tasks_per_s").and_then(Value::as_f64) {
        Some(_) => Ok(measurement),
        None => Err("unreadable result: it has no tasks_per_s".to_owned()),
    }
}

/// Why a run cannot be here, if that is what it printed.
fn unavailable(stdout: &str) -> Option<String> {
    let said: Value = serde_json::from_str(stdout).ok()?;
    Some(said.get("unavailable")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::record::tests::{control, measured};
    use crate::compare::run::Identity;
    use crate::compare::run::tests::{identity, run_of};

    #[test]
    fn what_a_file_lacks_is_missing_whatever_the_order() {
        let runs: Vec<Run> = (0..4).map(|repeat| run_of(Identity { repeat, ..identity() })).collect();
        let line = |repeat: u32, attempt: u32| {
            let mut measured = measured(Identity { repeat, ..identity() }, 1.0);
            measured.context.attempt = attempt;
            Line::Run(Box::new(measured))
        };
        let lines = [line(2, 0), control(1.0, 1.0), line(0, 0), line(3, 1)];
        let left: Vec<u32> = missing(&runs, &lines).iter().map(|run| run.identity.repeat).collect();
        assert_eq!(left, [1, 3]);
    }

    #[test]
    fn a_result_must_have_a_throughput() {
        assert!(measurement(r#"{"tasks_per_s": 3, "else": null}"#).is_ok());
        for text in ["", "[]", "{}", r#"{"tasks_per_s": null}"#, r#"{"tasks_per_s": 1} and more"#] {
            assert!(measurement(text).unwrap_err().contains("unreadable"), "{text:?}");
        }
        assert_eq!(unavailable(r#"{"unavailable": "no such package"}"#).as_deref(), Some("no such package"));
        assert_eq!(unavailable(r#"{"error": "x"}"#), None);
    }
}
