//! `surefoot compare`: a suite of experiments, each run in a fresh process, in an order that is fair to all.
//!
//! [`suite`] reads what is to be compared, [`plan`] lists the runs, [`session`] makes those that the [`store`] lacks,
//! [`noise`] says which of them the machine spoiled, and [`summary`] and [`guard`] say what came out.

mod best;
mod calibration;
mod estimate;
mod guard;
mod interpreters;
mod named;
mod noise;
mod plan;
mod record;
mod run;
mod session;
mod store;
mod suite;
mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::args::CompareArgs;
use crate::compare::interpreters::Interpreters;
use crate::compare::plan::Here;
use crate::compare::record::Line;
use crate::compare::run::Run;
use crate::compare::session::{Harvest, Session};
use crate::compare::store::Store;
use crate::compare::suite::Suite;
use crate::interrupt;
use crate::machine::Machine;
use crate::progress;
use crate::stop::{FAILURE, SIGNAL_BASE, Stop};

/// Runs the sub-command and returns its exit code.
pub(crate) fn run(args: &CompareArgs, python: &Path) -> Result<i32, Stop> {
    if !args.summary.is_empty() {
        return show(args);
    }
    let Some(path) = &args.suite else { return Err(Stop::usage("which suite?")) };
    let _guard = interrupt::Guard::install()
        .map_err(|error| Stop::failure(format!("cannot take over Ctrl-C: {error}")))?;
    let mut suite = Suite::read(path, args.quick)?;
    let suite_digest = suite.digest();
    let machine = Machine::read();
    let chosen = chosen(&suite, &args.experiments)?;
    // The order of the runs is that of the whole suite; the interpreters are those of what was chosen.
    let whole = suite.clone();
    suite.experiments.retain(|experiment| chosen.contains(&experiment.name));
    let interpreters = Interpreters::find(&suite, &args.pythons, python)?;
    let here = Here { cores: machine.cores, tag: &|asked| interpreters.tag(asked).to_owned() };
    let runs =
        plan::runs(&whole, &here).map_err(|error| Stop::usage(format!("{}: {error}", path.display())))?;
    let runs: Vec<Run> = runs.into_iter().filter(|run| chosen.contains(&run.identity.experiment)).collect();
    let nominal = interpreters.default_description().map(|description| description.workloads.clone());
    let nominal = nominal.unwrap_or_default();
    let estimate_s = |run: &Run| {
        if interpreters.get(&run.tag).is_ok() { estimate::run_s(run, &nominal) } else { 0.0 }
    };
    for (tag, found) in interpreters.all() {
        if let Err(reason) = found {
            eprintln!("surefoot: {tag} is left out: {reason}");
        }
    }
    let records = args.records.clone().unwrap_or_else(|| default_records(path, args.quick));
    if args.plan {
        let lines = if records.exists() { store::read(&records)? } else { Vec::new() };
        belong(&lines, &suite, &records)?;
        print(&planned(&suite, &runs, &lines, &estimate_s));
        return Ok(0);
    }
    let mut store = Store::open(&records)?;
    forget(args, &interpreters, &mut store)?;
    belong(store.lines(), &suite, &records)?;
    let session = Session {
        suite: &suite,
        suite_digest,
        commit: commit(path),
        machine,
        interpreters: &interpreters,
        patience_s: args.patience_s,
        estimate_s: &estimate_s,
    };
    let harvest = session.run(&runs, &mut store)?;
    ended(&harvest, &runs, &store, &records)
}

/// The experiments to run.
fn chosen(suite: &Suite, asked: &[String]) -> Result<BTreeSet<String>, Stop> {
    let all: BTreeSet<String> = suite.experiments.iter().map(|experiment| experiment.name.clone()).collect();
    if let Some(unknown) = asked.iter().find(|name| !all.contains(*name)) {
        let names: Vec<&str> = suite.experiments.iter().map(|experiment| experiment.name.as_str()).collect();
        return Err(Stop::usage(format!(
            "there is no experiment {unknown:?}; there are {}",
            names.join(", ")
        )));
    }
    Ok(if asked.is_empty() { all } else { asked.iter().cloned().collect() })
}

/// In the current folder, named after the suite.
fn default_records(suite: &Path, is_quick: bool) -> PathBuf {
    let stem = suite.file_stem().unwrap_or_default().to_string_lossy();
    PathBuf::from(format!("{stem}{}.jsonl", if is_quick { "-quick" } else { "" }))
}

/// The commit of the folder that the suite lies in, if git knows one; `-dirty` if files differ from it.
fn commit(suite: &Path) -> Option<String> {
    let folder = suite.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// Removes the records that are to be made again.
fn forget(args: &CompareArgs, interpreters: &Interpreters, store: &mut Store) -> Result<(), Stop> {
    let gone = store.retain(|line| {
        let Some(context) = line.context() else { return true };
        if args.forget.contains(&context.identity.experiment) {
            return false;
        }
        match line {
            Line::Failure(_) => !args.retry_failed,
            Line::Unavailable(_) => {
                // An interpreter that was missing then may be here now.
                let is_here_now = context.interpreter.interpreter.is_none()
                    && interpreters.get(&context.interpreter.tag).is_ok();
                !args.retry_failed && !is_here_now
            }
            _ => true,
        }
    })?;
    if gone > 0 {
        eprintln!("surefoot: {gone} records were removed, to be made again");
    }
    Ok(())
}

/// Whether the records are of this suite, as it is now.
fn belong(lines: &[Line], suite: &Suite, records: &Path) -> Result<(), Stop> {
    let shown = records.display();
    let digests: BTreeMap<&str, String> =
        suite.experiments.iter().map(|experiment| (experiment.name.as_str(), experiment.digest())).collect();
    for context in lines.iter().filter_map(Line::context) {
        if context.suite != suite.name {
            return Err(Stop::usage(format!("{shown} holds records of the suite {:?}", context.suite)));
        }
        let experiment = &context.identity.experiment;
        if digests.get(experiment.as_str()).is_some_and(|digest| *digest != context.experiment_digest) {
            return Err(Stop::usage(format!(
                "{shown} holds records of {experiment} with other settings: --forget {experiment} measures it anew, \
                 --records names another file"
            )));
        }
    }
    Ok(())
}

/// The runs of each experiment, and how long they take.
fn planned(suite: &Suite, runs: &[Run], lines: &[Line], estimate_s: &dyn Fn(&Run) -> f64) -> String {
    let mut rows = Vec::new();
    let missing = session::missing(runs, lines);
    let row = |name: &str, is_of: &dyn Fn(&Run) -> bool| {
        let all = runs.iter().filter(|run| is_of(run));
        let left: Vec<&&Run> = missing.iter().filter(|run| is_of(run)).collect();
        let runs = all.clone().count();
        // Not sum(): that of nothing is -0.
        let all_s = all.map(estimate_s).fold(0.0, |sum, each| sum + each);
        let left_s = left.iter().map(|run| estimate_s(run)).fold(0.0, |sum, each| sum + each);
        [
            name.to_owned(),
            runs.to_string(),
            (runs - left.len()).to_string(),
            progress::in_words(all_s),
            progress::in_words(left_s),
        ]
    };
    for experiment in &suite.experiments {
        rows.push(row(&experiment.name, &|run| run.identity.experiment == experiment.name));
    }
    rows.push(row("in all", &|_| true));
    crate::table::plain(&["experiment", "runs", "done", "about", "left"], &rows)
}

fn ended(harvest: &Harvest, runs: &[Run], store: &Store, records: &Path) -> Result<i32, Stop> {
    let left = session::missing(runs, store.lines()).len();
    let noisy = store.lines().iter().filter_map(Line::measured).filter(|run| run.is_noisy).count();
    eprintln!(
        "records: {} ({} runs measured now, {noisy} of all marked as noisy, {} not available here; {} of {} done)",
        records.display(),
        harvest.measured,
        harvest.unavailable,
        runs.len() - left,
        runs.len(),
    );
    if let Some(signal) = harvest.signal {
        eprintln!("surefoot: interrupted; the same command goes on from here");
        return Ok(SIGNAL_BASE + signal);
    }
    if harvest.failed > 0 {
        return Err(Stop::failure(format!(
            "{} runs failed (see above); --retry-failed tries them again",
            harvest.failed
        )));
    }
    Ok(0)
}

/// `--summary`, with `--against` or without.
fn show(args: &CompareArgs) -> Result<i32, Stop> {
    let read = |paths: &[PathBuf]| -> Result<Vec<Line>, Stop> {
        let mut lines = Vec::new();
        for path in paths {
            lines.extend(store::read(path)?);
        }
        Ok(lines)
    };
    let lines = read(&args.summary)?;
    let lines: Vec<Line> = lines
        .into_iter()
        .filter(|line| {
            let of = line.context().map(|context| &context.identity.experiment);
            args.experiments.is_empty() || of.is_some_and(|name| args.experiments.contains(name))
        })
        .collect();
    print(&summary::render(&lines));
    if args.against.is_empty() {
        return Ok(0);
    }
    let verdict = guard::judge(&lines, &read(&args.against)?);
    print(&verdict.text);
    Ok(if verdict.is_slower { FAILURE } else { 0 })
}

fn print(text: &str) {
    // A reader that has closed its end (`| head`) has seen enough.
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
