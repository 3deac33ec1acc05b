//! How much work a second of computing is: found out once, and the same for all runs of an interpreter.
//!
//! A machine may be nearly twice as fast in one second as in the next. Were each run to find out by itself, its tasks
//! would differ by as much from those of the runs it is compared with.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::child::{self, Ending};
use crate::clock;
use crate::compare::interpreters::{Found, Interpreters};
use crate::compare::record::{Calibration, Line, SCHEMA};
use crate::compare::run::Run;
use crate::compare::store::Store;
use crate::compare::suite::Suite;
use crate::description::CHORE_TIMEOUT;
use crate::stop::Stop;

/// By which runs are told; `surefoot.workloads.spin` reads it.
pub(crate) const VARIABLE: &str = "SUREFOOT_SPIN_NS";

#[derive(Deserialize)]
struct Answer {
    spin_ns: f64,
}

/// What the records say of an interpreter.
pub(crate) fn spin_ns(lines: &[Line], tag: &str) -> Option<f64> {
    lines.iter().find_map(|line| match line {
        Line::Calibration(calibration) if calibration.tag == tag => Some(calibration.spin_ns),
        _ => None,
    })
}

/// Calibrates the interpreters of these runs, unless the records say how.
///
/// # Errors
///
/// An interpreter cannot be calibrated, the record cannot be written, or a signal arrived.
pub(crate) fn complete(
    runs: &[&Run],
    suite: (&Suite, &str),
    interpreters: &Interpreters,
    store: &mut Store,
) -> Result<(), Stop> {
    let tags: BTreeSet<&str> = runs.iter().map(|run| run.tag.as_str()).collect();
    for tag in tags {
        let Ok(found) = interpreters.get(tag) else { continue };
        if spin_ns(store.lines(), tag).is_some() {
            continue;
        }
        let spin_ns = measure(found)?;
        store.append(Line::Calibration(Calibration {
            schema: SCHEMA,
            suite: suite.0.name.clone(),
            suite_digest: suite.1.to_owned(),
            at_unix_s: clock::unix_s(),
            tag: tag.to_owned(),
            spin_ns,
        }))?;
    }
    Ok(())
}

fn measure(found: &Found) -> Result<f64, Stop> {
    let shown = found.program.display();
    let ending = found
        .python(&[])
        .execute(&child::words(&["-m", "surefoot.workloads.spin"]), CHORE_TIMEOUT)
        .map_err(|error| Stop::failure(format!("cannot run {shown}: {error}")))?;
    let reason = match ending {
        Ending::Ended { status, stdout, .. } if status.success() => {
            match serde_json::from_str::<Answer>(&stdout) {
                Ok(Answer { spin_ns }) if spin_ns.is_finite() && spin_ns > 0.0 => return Ok(spin_ns),
                _ => format!("unreadable answer {stdout:?}"),
            }
        }
        Ending::Ended { status, stdout, stderr } => child::complaint(status, &stdout, &stderr),
        Ending::TimedOut => format!("no answer in {CHORE_TIMEOUT:?}"),
        Ending::Interrupted(signal) => return Err(Stop::interrupted(signal)),
    };
    Err(Stop::failure(format!("{shown} cannot be calibrated: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::record::tests::control;

    #[test]
    fn each_interpreter_has_its_own() {
        let line = |tag: &str, spin_ns| {
            Line::Calibration(Calibration {
                schema: SCHEMA,
                suite: String::new(),
                suite_digest: String::new(),
                at_unix_s: 0.0,
                tag: tag.to_owned(),
                spin_ns,
            })
        };
        let lines = [control(1.0, 1.0), line("3.14", 20.0), line("3.14t", 30.0)];
        assert_eq!(spin_ns(&lines, "3.14t"), Some(30.0));
        assert_eq!(spin_ns(&lines, "3.11"), None);
    }
}
