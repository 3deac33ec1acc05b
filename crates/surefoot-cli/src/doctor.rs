//! `surefoot doctor`: which sensors work here, by which method, with which error, and why others do not.
//!
//! The sensors are tried in a process of their own: that may be another interpreter, and one that cannot be
//! looked at must not take the command with it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

use crate::args::DoctorArgs;
use crate::child::{self, Ending, Python};
use crate::interrupt;
use crate::machine::Machine;
use crate::stop::Stop;

/// The sensors take milliseconds; an edge device may have to read the interpreter from a slow card.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What `surefoot.doctor` prints.
#[derive(Debug, Serialize, Deserialize)]
struct Diagnosis {
    interpreter: Interpreter,
    surefoot_version: String,
    sensors: Vec<Sensor>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Interpreter {
    implementation: String,
    version: String,
    is_gil_enabled: bool,
    libc: String,
}

/// One sensor, as it speaks of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Sensor {
    name: String,
    method: String,
    works: bool,
    error: String,
    reason: String,
}

/// The result as one JSON object (`--json`).
#[derive(Debug, Serialize)]
struct Report<'a> {
    machine: &'a Machine,
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
}

/// Runs the sub-command and returns its exit code.
pub(crate) fn run(args: &DoctorArgs, python: &Path) -> Result<i32, Stop> {
    let _guard = interrupt::Guard::install()
        .map_err(|error| Stop::failure(format!("cannot take over Ctrl-C: {error}")))?;
    let program = args.python.as_deref().unwrap_or(python);
    let diagnosis = ask(Python { program, signal: &interrupt::received, environment: &[] })?;
    let machine = Machine::read();
    let shown = if args.json {
        let text = serde_json::to_string_pretty(&Report { machine: &machine, diagnosis: &diagnosis });
        text.map_err(|error| Stop::failure(format!("cannot write JSON: {error}")))? + "\n"
    } else {
        render(&machine, &diagnosis)
    };
    // A reader that has closed its end (`| head`) has seen enough.
    let _ = io::stdout().write_all(shown.as_bytes()).and_then(|()| io::stdout().flush());
    Ok(0)
}

fn ask(python: Python<'_>) -> Result<Diagnosis, Stop> {
    let shown = python.program.display();
    let ending = python
        .execute(&["-m".to_owned(), "surefoot.doctor".to_owned()], TIMEOUT)
        .map_err(|error| Stop::usage(format!("cannot run {shown}: {error}")))?;
    match ending {
        Ending::Ended { status, stdout, .. } if status.success() => serde_json::from_str(&stdout)
            .map_err(|error| Stop::failure(format!("{shown} has another version of surefoot: {error}"))),
        Ending::Ended { status, stdout, stderr } => Err(Stop::failure(format!(
            "{shown} cannot try the sensors: {}\nsurefoot: is surefoot installed for it?",
            child::complaint(status, &stdout, &stderr)
        ))),
        Ending::TimedOut => Err(Stop::failure(format!("{shown} did not answer in {TIMEOUT:?}"))),
        Ending::Interrupted(signal) => Err(Stop::interrupted(signal)),
    }
}

fn render(machine: &Machine, diagnosis: &Diagnosis) -> String {
    let Interpreter { implementation, version, is_gil_enabled, libc } = &diagnosis.interpreter;
    let gil = if *is_gil_enabled { "with the GIL" } else { "without the GIL" };
    let mut text = format!(
        "{implementation} {version} {gil}, {libc}\n{}, {}, kernel {}\n\n",
        machine.system, machine.cpu_model, machine.kernel
    );
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["sensor", "method", "works", "error", "found"]);
    for sensor in &diagnosis.sensors {
        let works = if sensor.works { "yes" } else { "no" };
        table.add_row([
            sensor.name.as_str(),
            sensor.method.as_str(),
            works,
            if sensor.works { sensor.error.as_str() } else { "-" },
            sensor.reason.as_str(),
        ]);
    }
    let _ = writeln!(text, "{table}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_works_shows_its_error_and_what_does_not_its_reason() {
        let sensor = |works, error: &str, reason: &str| Sensor {
            name: "heat".into(),
            method: "by hand".into(),
            works,
            error: error.into(),
            reason: reason.into(),
        };
        let diagnosis = Diagnosis {
            interpreter: Interpreter {
                implementation: "CPython".into(),
                version: "3.14.0".into(),
                is_gil_enabled: false,
                libc: "glibc 2.41".into(),
            },
            surefoot_version: "1".into(),
            sensors: vec![sensor(true, "1 K", "cold"), sensor(false, "", "no hand")],
        };
        let text = render(&Machine::read(), &diagnosis);
        assert!(text.starts_with("CPython 3.14.0 without the GIL, glibc 2.41\n"), "{text}");
        let row = |words: [&str; 3]| text.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(row(["| yes", "| 1 K", "| cold"]) && row(["| no ", "| - ", "| no hand"]), "{text}");
    }
}
