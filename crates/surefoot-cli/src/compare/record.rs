//! The lines of a record file of `surefoot compare`. `docs/reference/records.md` describes each field.
//!
//! Schema history:
//! 1. first version.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::compare::run::Identity;
use crate::machine::Machine;
use crate::record;

/// Raised whenever a field changes its meaning or goes away.
pub(crate) const SCHEMA: u32 = 1;

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Line {
    /// A run that was measured.
    #[serde(rename = "comparison_run")]
    Run(Box<Measured>),
    /// A run that failed, and why.
    #[serde(rename = "comparison_failure")]
    Failure(Box<Unmeasured>),
    /// A run that cannot be here: a package, an interpreter or a right of the system is missing.
    #[serde(rename = "comparison_unavailable")]
    Unavailable(Box<Unmeasured>),
    /// How fast the machine was between two runs.
    #[serde(rename = "comparison_control")]
    Control(Control),
    /// How much work a second of computing is, for all runs of an interpreter.
    #[serde(rename = "comparison_calibration")]
    Calibration(Calibration),
}

/// Which run a line is about, and where it ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Context {
    pub(crate) schema: u32,
    pub(crate) suite: String,
    pub(crate) suite_digest: String,
    pub(crate) experiment_digest: String,
    #[serde(flatten)]
    pub(crate) identity: Identity,
    pub(crate) interpreter: Tagged,
    pub(crate) machine: Machine,
    pub(crate) kernel: String,
    /// Of the folder that the suite lies in, if that is under git.
    pub(crate) commit: Option<String>,
    pub(crate) surefoot_version: Option<String>,
    pub(crate) is_debug_build: Option<bool>,
    /// 1 for the run that repeats a noisy one, 0 otherwise.
    pub(crate) attempt: u32,
    /// The place in the plan.
    pub(crate) order: usize,
    pub(crate) at_unix_s: f64,
}

/// An interpreter and the name that suites have for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Tagged {
    pub(crate) tag: String,
    /// Unknown of one that is missing.
    #[serde(flatten)]
    pub(crate) interpreter: Option<record::Interpreter>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    #[serde(flatten)]
    pub(crate) context: Context,
    pub(crate) is_noisy: bool,
    /// Cores that other processes kept busy during the run; absent where the system does not say.
    pub(crate) others_cores: Option<f64>,
    /// What the run printed.
    pub(crate) measurement: Map<String, Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Unmeasured {
    #[serde(flatten)]
    pub(crate) context: Context,
    pub(crate) reason: String,
}

/// One run of the control workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Control {
    pub(crate) schema: u32,
    pub(crate) suite: String,
    pub(crate) suite_digest: String,
    pub(crate) at_unix_s: f64,
    /// The time of a fixed computation on one thread.
    pub(crate) spin_s: f64,
    /// The time of a wait that should take 1 ms.
    pub(crate) wait_s: f64,
}

/// What the computing parts of workloads are made of, measured once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Calibration {
    pub(crate) schema: u32,
    pub(crate) suite: String,
    pub(crate) suite_digest: String,
    pub(crate) at_unix_s: f64,
    /// Which interpreter.
    pub(crate) tag: String,
    /// CPU time of one iteration of `surefoot.workloads.spin`.
    pub(crate) spin_ns: f64,
}

impl Line {
    /// Which run the line is about; controls and calibrations are about none.
    pub(crate) fn context(&self) -> Option<&Context> {
        match self {
            Self::Run(measured) => Some(&measured.context),
            Self::Failure(unmeasured) | Self::Unavailable(unmeasured) => Some(&unmeasured.context),
            Self::Control(_) | Self::Calibration(_) => None,
        }
    }

    /// The measured run that it is.
    pub(crate) fn measured(&self) -> Option<&Measured> {
        if let Self::Run(measured) = self { Some(measured) } else { None }
    }
}

impl Context {
    /// The name of the run within the file.
    pub(crate) fn key(&self) -> String {
        self.identity.key(&self.interpreter.tag, self.attempt)
    }

    /// What the strategies of a contest have in common.
    pub(crate) fn cell(&self) -> String {
        self.identity.cell(&self.interpreter.tag)
    }
}

impl Measured {
    /// A figure of the measurement.
    pub(crate) fn figure(&self, name: &str) -> Option<f64> {
        self.measurement.get(name)?.as_f64()
    }

    /// Whether the window closed before each thread could do two tasks.
    pub(crate) fn is_truncated(&self) -> bool {
        self.measurement.get("is_truncated").and_then(Value::as_bool).unwrap_or(false)
    }
}

/// Of runs that measured the same: those that are not noisy, or all if there is no other.
pub(crate) fn trusted<'a>(runs: &[&'a Measured]) -> Vec<&'a Measured> {
    let quiet: Vec<&Measured> = runs.iter().copied().filter(|run| !run.is_noisy).collect();
    if quiet.is_empty() { runs.to_vec() } else { quiet }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::compare::run::tests::identity;

    pub(crate) fn context(identity: Identity) -> Context {
        let machine = Machine::read();
        Context {
            schema: SCHEMA,
            suite: "small".to_owned(),
            suite_digest: "d".to_owned(),
            experiment_digest: "e".to_owned(),
            identity,
            interpreter: Tagged { tag: "3.13".to_owned(), interpreter: None },
            kernel: machine.kernel.clone(),
            machine,
            commit: None,
            surefoot_version: Some("0.1.0".to_owned()),
            is_debug_build: Some(false),
            attempt: 0,
            order: 3,
            at_unix_s: 1_700_000_000.25,
        }
    }

    pub(crate) fn measured(identity: Identity, tasks_per_s: f64) -> Measured {
        let text = format!(r#"{{"tasks_per_s": {tasks_per_s}, "wall_ms_p99": 3.1, "is_truncated": false}}"#);
        Measured {
            context: context(identity),
            is_noisy: false,
            others_cores: Some(0.01),
            measurement: serde_json::from_str(&text).unwrap(),
        }
    }

    pub(crate) fn control(spin_s: f64, wait_s: f64) -> Line {
        Line::Control(Control {
            schema: SCHEMA,
            suite: "small".to_owned(),
            suite_digest: "d".to_owned(),
            at_unix_s: 1_700_000_000.0,
            spin_s,
            wait_s,
        })
    }

    #[test]
    fn a_line_that_is_read_and_written_again_is_the_same() {
        let run = Line::Run(Box::new(measured(identity(), 1_234.567_890_123_456_7)));
        let failure =
            Unmeasured { context: context(identity()), reason: "no such \"thing\"\n at all".to_owned() };
        for line in [run, Line::Failure(Box::new(failure)), control(0.012_345_678_9, 1.1e-3)] {
            let text = serde_json::to_string(&line).unwrap();
            let again: Line = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&again).unwrap(), text);
            assert!(!text.contains('\n'));
        }
    }

    #[test]
    fn an_interpreter_keeps_its_details() {
        let text = r#"{"tag":"3.14t","implementation":"CPython","version":"3.14.0","compiler":"GCC",
            "is_free_threaded":true,"is_gil_enabled":false,"switch_interval_s":0.005}"#;
        let tagged: Tagged = serde_json::from_str(text).unwrap();
        assert!(tagged.interpreter.unwrap().is_free_threaded);
    }

    #[test]
    fn noisy_runs_count_where_there_is_no_other() {
        let (quiet, mut noisy) = (measured(identity(), 10.0), measured(identity(), 5.0));
        noisy.is_noisy = true;
        assert_eq!(trusted(&[&noisy, &quiet]).len(), 1);
        assert_eq!(trusted(&[&noisy, &noisy]).len(), 2);
    }
}
