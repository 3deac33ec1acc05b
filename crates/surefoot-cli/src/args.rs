//! The arguments, their defaults and their bounds.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

/// More threads than this are a slip of the pen, not a sweep.
const THREADS_MAX: u32 = 32_768;
/// Seconds mode: a window may grow to this many times its length until each thread could do two tasks.
const STRETCH: f64 = 8.0;
/// Tasks mode: how long a run may take unless told otherwise.
const TASKS_SECONDS_MAX: f64 = 120.0;

/// A thread pool for Python that finds its own size.
#[derive(Debug, Parser)]
#[command(name = "surefoot", version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find this device's saturation cliff: throughput and latency against the number of threads.
    Cliff(CliffArgs),
    /// Run a suite of experiments, each run in a fresh process, and compare its strategies.
    Compare(CompareArgs),
    /// Compare controllers in simulated scenarios with known optima.
    Simulate(SimulateArgs),
    /// Say which sensors work here, by which method and with which error, and why others do not.
    Doctor(DoctorArgs),
    /// Watch the pools of a running process, without disturbing it.
    Top(TopArgs),
    /// Run a program with every thread pool that it makes adaptive: script.py, -m module or -c code.
    #[command(disable_help_flag = true)]
    Run(ProgramArgs),
    /// Run a program as it is and say what its threads do and what limits them.
    #[command(disable_help_flag = true)]
    Profile(ProgramArgs),
    /// Show records of `surefoot compare` as one HTML page: figures, tables, claims.
    #[command(disable_help_flag = true)]
    Report(ProgramArgs),
}

/// What Python's side reads by itself: these commands run in the interpreter that they are called in.
#[derive(Debug, Args)]
pub(crate) struct ProgramArgs {
    /// Options, the program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// A workload, one module each in `surefoot.workloads`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Workload {
    /// 1,000 additions, then a sleep of 100 us.
    Micro,
    /// 10 ms of pure Python, then a sleep of 50 ms.
    Stated,
    /// A sleep of 50 ms.
    Io,
    /// 5 ms of pure Python.
    Cpu,
    /// A sensor over TCP, preprocessing, a small model, an HTTP call, a write to `SQLite`.
    #[value(help = "A sensor over TCP, preprocessing, a small model, an HTTP call, a write to SQLite")]
    Pipeline,
}

/// A pool to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Pool {
    /// `concurrent.futures.ThreadPoolExecutor`.
    #[value(help = "concurrent.futures.ThreadPoolExecutor")]
    Standard,
    /// `AdaptiveThreadPoolExecutor` with a constant limit: the number of threads asked for.
    #[value(help = "AdaptiveThreadPoolExecutor with a constant limit: the number of threads asked for")]
    Surefoot,
    /// `AdaptiveThreadPoolExecutor` that chooses its limit; the number of threads is its cap.
    #[value(help = "AdaptiveThreadPoolExecutor that chooses its limit; the number of threads is its cap")]
    Adaptive,
}

/// The name on the command line, which is also the one in records.
fn name_of(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

impl fmt::Display for Workload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&name_of(self))
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&name_of(self))
    }
}

/// Ascending counts without duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts(pub(crate) Vec<u32>);

#[derive(Debug, Args)]
pub(crate) struct CliffArgs {
    /// Numbers of threads: a list, or a range FIRST..LAST that doubles [default: 1..2048].
    #[arg(long, value_name = "LIST", value_parser = counts)]
    threads: Option<Counts>,

    /// Numbers of cores, by affinity; those the machine does not have are left out.
    #[arg(long, value_name = "LIST", value_parser = counts, default_value = "1,2,4")]
    cores: Counts,

    /// Workloads to run [default: all].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    workloads: Option<Vec<Workload>>,

    /// Pools to run them on.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "standard,surefoot")]
    pools: Vec<Pool>,

    /// Run exactly this many tasks instead of a time.
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u32).range(1..))]
    tasks: Option<u32>,

    /// Measure each run for this long, after a warm-up [default: 1.5].
    #[arg(long, value_name = "S", value_parser = positive)]
    seconds: Option<f64>,

    /// End the measurement of a run here, whatever was done [default: 8 x --seconds; 120 with --tasks].
    #[arg(long, value_name = "S", value_parser = positive)]
    seconds_max: Option<f64>,

    /// Give up on a run after this long [default: two minutes more than it may measure].
    #[arg(long, value_name = "S", value_parser = positive)]
    timeout_s: Option<f64>,

    /// Measure each point this often; the table shows medians.
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeats: u32,

    /// The Python interpreter to measure with [default: the one that runs this].
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,

    /// Append one JSON line per run to this file.
    #[arg(long, value_name = "FILE.jsonl", default_value = "surefoot-cliff.jsonl")]
    pub(crate) out: PathBuf,

    /// Draw the figure as well (SVG, PNG or PDF by suffix) [default FILE: as --out, with .svg].
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "clap's way to tell `--plot` from `--plot FILE` from neither")]
    plot: Option<Option<PathBuf>>,

    /// Print the result as one JSON object instead of tables.
    #[arg(long)]
    pub(crate) json: bool,

    /// A first look: 1, 4, 16, 64, 256 threads, 0.4 s each, micro and cpu, unless given.
    #[arg(long)]
    pub(crate) quick: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The suite to run.
    #[arg(value_name = "SUITE.toml", required_unless_present = "summary")]
    pub(crate) suite: Option<PathBuf>,

    /// Append one JSON line per run to this file, and take up what it lacks [default: SUITE.jsonl, in this folder].
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) records: Option<PathBuf>,

    /// Run this experiment only; may be given several times [default: all].
    #[arg(long = "experiment", value_name = "NAME")]
    pub(crate) experiments: Vec<String>,

    /// The interpreter that a suite calls TAG, such as 3.14t=/usr/bin/python3.14t; may be given several times. `default`
    /// is the one that runs this, unless given.
    #[arg(long = "python", value_name = "TAG=PATH", value_parser = tagged_path)]
    pub(crate) pythons: Vec<(String, PathBuf)>,

    /// A first look: one repeat, a quarter of each time, every fourth size.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Show which runs there are, how many are done and how long the rest takes; run nothing.
    #[arg(long)]
    pub(crate) plan: bool,

    /// Remove the records of this experiment first, to measure it again; may be given several times.
    #[arg(long, value_name = "NAME", conflicts_with = "plan")]
    pub(crate) forget: Vec<String>,

    /// Remove the records of runs that failed first, to try these again.
    #[arg(long, conflicts_with = "plan")]
    pub(crate) retry_failed: bool,

    /// Give up on a run that takes this much longer than it may measure.
    #[arg(long, value_name = "S", value_parser = positive, default_value_t = 120.0)]
    pub(crate) patience_s: f64,

    /// Show the tables of these record files; run nothing.
    #[arg(long, value_name = "RECORDS", num_args = 1.., conflicts_with_all = ["suite", "records", "plan"])]
    pub(crate) summary: Vec<PathBuf>,

    /// With --summary: compare our pools' ratios to the standard pool with those of these accepted records; exit code 1
    /// if one fell beyond both intervals.
    #[arg(long, value_name = "RECORDS", num_args = 1.., requires = "summary", conflicts_with = "suite")]
    pub(crate) against: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Scenarios to run [default: all].
    #[arg(long = "scenario", value_name = "LIST", value_delimiter = ',')]
    pub(crate) scenarios: Vec<String>,

    /// Controllers to compare [default: all].
    #[arg(long = "controller", value_name = "LIST", value_delimiter = ',')]
    pub(crate) controllers: Vec<String>,

    /// Run each with this many seeds.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seeds: u32,

    /// Length of each run in simulated time [default: the scenario's own, mostly 10].
    #[arg(long, value_name = "S", value_parser = positive)]
    pub(crate) seconds: Option<f64>,

    /// Append one JSON line per run to this file.
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) json: Option<PathBuf>,

    /// List the scenarios and controllers.
    #[arg(long)]
    pub(crate) list: bool,

    /// Show every change of the limit: when, from what to what, why.
    #[arg(long)]
    pub(crate) decisions: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The Python interpreter to look at [default: the one that runs this].
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,

    /// Print the result as one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// The process [default: the only one of yours that has pools, or a list to choose from].
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pid: Option<u32>,

    /// Print one JSON object for each interval instead of a screen.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print one interval and end.
    #[arg(long)]
    pub(crate) once: bool,

    /// Look this often; rates and latencies are of this time.
    #[arg(long, value_name = "S", default_value_t = 0.5, value_parser = interval)]
    pub(crate) interval_s: f64,
}

/// How long a run measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    /// Length of the window; of no effect if `tasks` is given.
    pub(crate) seconds: f64,
    pub(crate) seconds_max: f64,
    pub(crate) tasks: Option<u32>,
    /// When to give up on the process.
    pub(crate) timeout_s: f64,
}

impl CliffArgs {
    pub(crate) fn threads(&self) -> Vec<u32> {
        match &self.threads {
            Some(threads) => threads.0.clone(),
            None if self.quick => vec![1, 4, 16, 64, 256],
            None => (0..=11).map(|power| 1 << power).collect(),
        }
    }

    pub(crate) fn cores(&self) -> &[u32] {
        &self.cores.0
    }

    pub(crate) fn workloads(&self) -> Vec<Workload> {
        match &self.workloads {
            Some(workloads) => distinct(workloads),
            None if self.quick => vec![Workload::Micro, Workload::Cpu],
            None => Workload::value_variants().to_vec(),
        }
    }

    pub(crate) fn pools(&self) -> Vec<Pool> {
        distinct(&self.pools)
    }

    pub(crate) fn span(&self) -> Span {
        let seconds = self.seconds.unwrap_or(if self.quick { 0.4 } else { 1.5 });
        let longest = if self.tasks.is_some() { TASKS_SECONDS_MAX } else { STRETCH * seconds };
        let seconds_max = self.seconds_max.unwrap_or(longest);
        Span {
            seconds: seconds.min(seconds_max),
            seconds_max,
            tasks: self.tasks,
            timeout_s: self.timeout_s.unwrap_or(seconds_max + 120.0),
        }
    }

    /// Where the figure goes, if one is wanted.
    pub(crate) fn figure(&self) -> Option<PathBuf> {
        let given = self.plot.as_ref()?;
        Some(given.clone().unwrap_or_else(|| self.out.with_extension("svg")))
    }
}

/// The values in the order given, each once.
fn distinct<T: Copy + PartialEq>(values: &[T]) -> Vec<T> {
    let mut kept = Vec::with_capacity(values.len());
    for value in values {
        if !kept.contains(value) {
            kept.push(*value);
        }
    }
    kept
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("expected a number of seconds above 0".to_owned()),
    }
}

fn tagged_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((tag, path)) if !tag.is_empty() && !path.is_empty() => Ok((tag.to_owned(), path.into())),
        _ => Err("expected TAG=PATH, such as 3.14=/usr/bin/python3.14".to_owned()),
    }
}

fn interval(text: &str) -> Result<f64, String> {
    positive(text)
        .ok()
        .filter(|value| (0.05..=3600.0).contains(value))
        .ok_or_else(|| "expected a number of seconds from 0.05 (a process shows no more) to 3600".to_owned())
}

/// Reads `1,8,64`, `1..2048` (which doubles) or a mixture.
fn counts(text: &str) -> Result<Counts, String> {
    let mut values = Vec::new();
    for part in text.split(',') {
        match part.split_once("..") {
            None => values.push(count(part)?),
            Some((first, last)) => {
                let (first, last) = (count(first)?, count(last)?);
                if first > last {
                    return Err(format!("the range {part} runs backwards"));
                }
                values.extend(
                    std::iter::successors(Some(first), |value| value.checked_mul(2))
                        .take_while(|v| *v <= last),
                );
            }
        }
    }
    values.sort_unstable();
    values.dedup();
    Ok(Counts(values))
}

fn count(text: &str) -> Result<u32, String> {
    match text.trim().parse() {
        Ok(value) if (1..=THREADS_MAX).contains(&value) => Ok(value),
        _ => Err(format!("expected whole numbers from 1 to {THREADS_MAX}, found {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<CliffArgs, clap::Error> {
        let argv = ["surefoot", "cliff"].iter().chain(words);
        Cli::try_parse_from(argv).map(|cli| match cli.command {
            Command::Cliff(cliff) => cliff,
            other => unreachable!("asked for cliff, got {other:?}"),
        })
    }

    #[test]
    fn the_definition_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_the_documented_sweep() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.threads(), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]);
        assert_eq!(args.cores(), [1, 2, 4]);
        assert_eq!(args.workloads().len(), 5);
        assert_eq!(args.pools(), [Pool::Standard, Pool::Surefoot]);
        assert_eq!(args.figure(), None);
    }

    #[test]
    fn ranges_double_and_lists_are_sorted() {
        assert_eq!(counts("8,1,8").unwrap().0, [1, 8]);
        assert_eq!(counts("1..10").unwrap().0, [1, 2, 4, 8]);
        assert_eq!(counts("3..12,1").unwrap().0, [1, 3, 6, 12]);
        for bad in ["", "0", "x", "-1", "4..2", "1.5", "40000", "1,,2"] {
            assert!(counts(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn explicit_values_win_over_quick() {
        let args = parse(&["--quick", "--threads", "2", "--seconds", "1"]).unwrap();
        assert_eq!(args.threads(), [2]);
        assert!((args.span().seconds - 1.0).abs() < 1e-12);
        assert_eq!(args.workloads(), [Workload::Micro, Workload::Cpu]);
    }

    #[test]
    fn what_python_reads_is_let_through() {
        for words in [
            &["run", "--help", "-x", "a.py", "--", "-y"][..],
            &["profile", "-m", "a", "--version"],
            &["report", "a.jsonl", "-o", "b.html"],
        ] {
            let argv = ["surefoot"].iter().chain(words);
            let command = Cli::try_parse_from(argv).unwrap().command;
            let (Command::Run(ProgramArgs { args })
            | Command::Profile(ProgramArgs { args })
            | Command::Report(ProgramArgs { args })) = command
            else {
                unreachable!("asked for a program, got {command:?}")
            };
            assert_eq!(args, words[1..]);
        }
    }

    #[test]
    fn plot_may_name_its_file() {
        assert_eq!(parse(&["--plot", "--out", "a.jsonl"]).unwrap().figure(), Some("a.svg".into()));
        assert_eq!(parse(&["--plot", "b.png"]).unwrap().figure(), Some("b.png".into()));
    }

    #[test]
    fn nonsense_is_a_usage_error() {
        for words in [
            &["--tasks", "5", "--seconds", "1"][..],
            &["--tasks", "0"],
            &["--seconds", "nan"],
            &["--repeats", "0"],
            &["--pools", "process"],
            &["--workloads", "sleepy"],
        ] {
            assert_eq!(parse(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }
}
