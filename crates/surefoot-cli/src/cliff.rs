//! `surefoot cliff`: throughput and latency against the number of threads, on this device.
//!
//! Plan the runs, run each in a fresh process, append each record at once, and show what was measured, also
//! after an interruption.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::args::{CliffArgs, Pool, Span, Workload};
use crate::child::{self, Ending, Python};
use crate::clock;
use crate::curve::{self, Curve};
use crate::description::{self, CHORE_TIMEOUT, Description};
use crate::interrupt;
use crate::machine::Machine;
use crate::plan::{self, Axes, Run};
use crate::progress::{self, Progress};
use crate::record::{Context, Interpreter, Line, Measurement, RecordFile, SCHEMA};
use crate::stop::{SIGNAL_BASE, Stop};
use crate::table;

/// What a sweep came to.
#[derive(Debug, Default)]
struct Harvest {
    measured: Vec<(Run, Measurement)>,
    failures: usize,
    signal: Option<i32>,
}

/// The result as one JSON object (`--json`).
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema: u32,
    surefoot_version: &'a str,
    is_debug_build: bool,
    sweep: u64,
    machine: &'a Machine,
    interpreter: &'a Interpreter,
    runs_measured: usize,
    runs_failed: usize,
    is_interrupted: bool,
    curves: &'a [Curve],
}

/// Runs the sub-command and returns its exit code.
pub(crate) fn run(args: &CliffArgs, python: &Path) -> Result<i32, Stop> {
    let _guard = interrupt::Guard::install()
        .map_err(|error| Stop::failure(format!("cannot take over Ctrl-C: {error}")))?;
    let program = args.python.as_deref().unwrap_or(python);
    let python = Python { program, signal: &interrupt::received, environment: &[] };
    let machine = Machine::read();
    let axes = axes(args, &machine)?;
    let description = description::describe(python)?;
    if description.surefoot.is_debug_build && axes.pools.iter().any(|pool| *pool != Pool::Standard) {
        eprintln!("surefoot: built without optimisation: figures of its pools mean nothing");
    }
    let figure = args.figure();
    if figure.is_some() && !description.has_matplotlib {
        eprintln!("{}", no_matplotlib(program));
    }
    let mut records = RecordFile::open(&args.out)
        .map_err(|error| Stop::usage(format!("cannot write {}: {error}", args.out.display())))?;

    // Milliseconds since 1970 are positive and far below 2^53.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    let sweep_id = (clock::unix_s() * 1e3) as u64;
    let sweep =
        Sweep { python, span: args.span(), id: sweep_id, machine: &machine, description: &description };
    let harvest = sweep.run(&plan::runs(&axes), &mut records)?;

    let curves = curve::curves(&harvest.measured);
    let shown = if args.json {
        sweep.json(&harvest, &curves)?
    } else {
        table::render(&curves, &description.workloads)
    };
    // A reader that has closed its end (`| head`) has seen enough.
    let _ = io::stdout().write_all(shown.as_bytes()).and_then(|()| io::stdout().flush());
    eprintln!("records: {} ({} runs measured)", args.out.display(), harvest.measured.len());

    if let Some(signal) = harvest.signal {
        return Ok(SIGNAL_BASE + signal);
    }
    if let (Some(figure), false) = (figure, harvest.measured.is_empty()) {
        draw(python, &args.out, &figure, sweep_id, description.has_matplotlib)?;
        eprintln!("figure: {}", figure.display());
    }
    if harvest.failures > 0 {
        return Err(Stop::failure(format!("{} runs failed (see above)", harvest.failures)));
    }
    Ok(0)
}

/// Takes the axes from the arguments, without the cores that this machine does not have.
fn axes(args: &CliffArgs, machine: &Machine) -> Result<Axes, Stop> {
    let (cores, missing): (Vec<u32>, Vec<u32>) =
        args.cores().iter().partition(|cores| **cores <= machine.cores);
    let here = format!("this process may use {}", machine.cores);
    for count in &missing {
        eprintln!("surefoot: --cores {count} is left out: {here}");
    }
    if cores.is_empty() {
        return Err(Stop::failure(format!("nothing is left to run: {here} cores")));
    }
    if let Some(quota) =
        machine.quota_cores.filter(|quota| cores.iter().any(|cores| f64::from(*cores) > *quota))
    {
        eprintln!("surefoot: a CPU quota of {quota:.2} cores is in force: figures for more cores feel it");
    }
    Ok(Axes {
        workloads: args.workloads(),
        cores,
        threads: args.threads(),
        pools: args.pools(),
        repeats: args.repeats,
    })
}

fn no_matplotlib(program: &Path) -> String {
    format!(
        "surefoot: --plot needs matplotlib: {} -m pip install 'surefoot[plot]' (the records are kept; see --help of \
         python -m surefoot.plot to draw them later)",
        program.display()
    )
}

/// Draws the figure of this sweep.
fn draw(
    python: Python<'_>,
    records: &Path,
    figure: &Path,
    sweep_id: u64,
    has_matplotlib: bool,
) -> Result<(), Stop> {
    if !has_matplotlib {
        return Err(Stop::usage(no_matplotlib(python.program).trim_start_matches("surefoot: ")));
    }
    let (records, figure) = (records.to_string_lossy(), figure.to_string_lossy());
    let sweep_id = sweep_id.to_string();
    let args = child::words(&["-m", "surefoot.plot", &records, "-o", &figure, "--sweep", &sweep_id]);
    let ending = python
        .execute(&args, CHORE_TIMEOUT)
        .map_err(|error| Stop::failure(format!("cannot run {}: {error}", python.program.display())))?;
    match ending {
        Ending::Ended { status, .. } if status.success() => Ok(()),
        Ending::Ended { status, stdout, stderr } => {
            Err(Stop::failure(format!("no figure: {}", child::complaint(status, &stdout, &stderr))))
        }
        Ending::TimedOut => Err(Stop::failure(format!("no figure: it took longer than {CHORE_TIMEOUT:?}"))),
        Ending::Interrupted(signal) => {
            Err(Stop { code: SIGNAL_BASE + signal, message: "no figure".to_owned() })
        }
    }
}

/// What all runs of a sweep have in common.
struct Sweep<'a> {
    python: Python<'a>,
    span: Span,
    id: u64,
    machine: &'a Machine,
    description: &'a Description<Workload>,
}

impl Sweep<'_> {
    /// Runs everything, or as much as an interruption leaves time for.
    fn run(&self, runs: &[Run], records: &mut RecordFile) -> Result<Harvest, Stop> {
        let estimates: Vec<f64> =
            runs.iter().map(|run| plan::estimate_s(run, &self.span, &self.description.workloads)).collect();
        let in_all_s = estimates.iter().sum();
        eprintln!(
            "{} runs, about {}; Ctrl-C keeps what was measured",
            runs.len(),
            progress::in_words(in_all_s)
        );
        let mut progress = Progress::begin(runs.len(), in_all_s);
        let mut harvest = Harvest::default();
        for (run, estimate_s) in runs.iter().zip(estimates) {
            let name = name_of(run);
            progress.begin_run(&name);
            let ending = self
                .python
                .execute(&self.command(run), Duration::from_secs_f64(self.span.timeout_s))
                .map_err(|error| {
                    Stop::failure(format!("cannot run {}: {error}", self.python.program.display()))
                })?;
            let result = match ending {
                Ending::Interrupted(signal) => {
                    harvest.signal = Some(signal);
                    break;
                }
                Ending::TimedOut => Err(format!("stopped after {}", progress::in_words(self.span.timeout_s))),
                Ending::Ended { status, stdout, .. } if status.success() => {
                    serde_json::from_str::<Measurement>(&stdout)
                        .map_err(|error| format!("unreadable result: {error}"))
                }
                Ending::Ended { status, stdout, stderr } => Err(child::complaint(status, &stdout, &stderr)),
            };
            let context = self.context(run);
            let appended = match &result {
                Ok(measurement) => {
                    progress.finish_run(
                        &name,
                        &format!("{:.0} tasks/s", measurement.tasks_per_s),
                        estimate_s,
                    );
                    records.append(&Line::CliffRun { context, measurement })
                }
                Err(reason) => {
                    progress.say(&format!("surefoot: {name} failed: {reason}"));
                    progress.finish_run(&name, "failed", estimate_s);
                    records.append(&Line::CliffFailure { context, reason })
                }
            };
            appended.map_err(|error| Stop::failure(format!("cannot write the record: {error}")))?;
            match result {
                Ok(measurement) => harvest.measured.push((*run, measurement)),
                Err(_) => harvest.failures += 1,
            }
        }
        progress.finish();
        if harvest.signal.is_some() {
            eprintln!(
                "surefoot: interrupted; {} of {} runs were measured",
                harvest.measured.len(),
                runs.len()
            );
        }
        Ok(harvest)
    }

    fn command(&self, run: &Run) -> Vec<String> {
        let mut command = child::words(&["-m", "surefoot.workloads.run"]);
        let mut option = |name: &str, value: String| command.extend([format!("--{name}"), value]);
        option("workload", run.workload.to_string());
        option("pool", run.pool.to_string());
        option("threads", run.threads.to_string());
        option("cores", run.cores.to_string());
        option("seconds", self.span.seconds.to_string());
        option("seconds-max", self.span.seconds_max.to_string());
        if let Some(tasks) = self.span.tasks {
            option("tasks", tasks.to_string());
        }
        command
    }

    fn context(&self, run: &Run) -> Context<'_> {
        Context {
            schema: SCHEMA,
            surefoot_version: &self.description.surefoot.version,
            is_debug_build: self.description.surefoot.is_debug_build,
            sweep: self.id,
            at_unix_s: clock::unix_s(),
            workload: run.workload,
            pool: run.pool,
            cores: run.cores,
            threads: run.threads,
            repeat: run.repeat,
            machine: self.machine,
            interpreter: &self.description.interpreter,
        }
    }

    fn json(&self, harvest: &Harvest, curves: &[Curve]) -> Result<String, Stop> {
        let report = Report {
            schema: SCHEMA,
            surefoot_version: &self.description.surefoot.version,
            is_debug_build: self.description.surefoot.is_debug_build,
            sweep: self.id,
            machine: self.machine,
            interpreter: &self.description.interpreter,
            runs_measured: harvest.measured.len(),
            runs_failed: harvest.failures,
            is_interrupted: harvest.signal.is_some(),
            curves,
        };
        let text = serde_json::to_string_pretty(&report);
        text.map(|text| text + "\n").map_err(|error| Stop::failure(format!("cannot write JSON: {error}")))
    }
}

fn name_of(run: &Run) -> String {
    let Run { workload, cores, threads, pool, .. } = run;
    let plural = |count: u32| if count == 1 { "" } else { "s" };
    format!("{workload}, {cores} core{}, {pool}, {threads} thread{}", plural(*cores), plural(*threads))
}
