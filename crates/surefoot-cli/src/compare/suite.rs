//! What a suite file says: experiments, each workloads times strategies times cores times interpreters, in TOML.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::compare::named::Named;
use crate::stop::Stop;

/// Names that stand for a workload's or strategy's constants, with the values to give them. Of an array each value
/// is measured.
pub(crate) type Parameters = BTreeMap<String, serde_json::Value>;

/// The strategy that stands for the best size of the standard pool, found by a sweep.
pub(crate) const STATIC_BEST: &str = "static-best";
/// The interpreter that runs the command line, in a list of interpreters.
pub(crate) const DEFAULT_INTERPRETER: &str = "default";

/// `--quick`: the share of each time that is left.
const QUICK_SHARE: f64 = 0.25;
/// `--quick`: the shortest window.
const QUICK_SECONDS_MIN: f64 = 0.4;
/// `--quick`: of a list of sizes, each fourth is left, and the last.
const QUICK_STEP: usize = 4;

/// A suite as it will be run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Suite {
    pub(crate) name: String,
    /// Decides the order of the runs.
    pub(crate) seed: u64,
    /// How often the control workload runs.
    pub(crate) control_every_s: f64,
    pub(crate) noise: NoiseBounds,
    pub(crate) experiments: Vec<Experiment>,
}

/// Beyond these a run is marked as noisy.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NoiseBounds {
    /// How far a control next to the run may be from the median of all controls, as a share of it.
    pub(crate) drift_max: f64,
    /// Cores that others kept busy during the run.
    pub(crate) others_cores_max: f64,
}

impl Default for NoiseBounds {
    fn default() -> Self {
        Self { drift_max: 0.15, others_cores_max: 0.25 }
    }
}

/// One experiment, with every default filled in.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Experiment {
    pub(crate) name: String,
    pub(crate) workloads: Vec<Part>,
    pub(crate) strategies: Vec<Strategy>,
    /// Cores asked for; the machine may have fewer.
    pub(crate) cores: Vec<u32>,
    pub(crate) quotas: Vec<Option<f64>>,
    pub(crate) repeats: u32,
    /// Repeats of each size in the sweep that finds the best one.
    pub(crate) sweep_repeats: u32,
    /// The window of each size in that sweep.
    pub(crate) sweep_seconds: Option<f64>,
    pub(crate) timeline_s: Option<f64>,
}

/// A workload or strategy by name, or by the path of a file that defines it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Part {
    /// The name in records: of a file its stem.
    pub(crate) name: String,
    /// What the runner is given; no part of what the experiment is.
    #[serde(skip)]
    pub(crate) argument: String,
    pub(crate) parameters: Parameters,
    /// Of a workload: larger sizes are left out, since its tasks would take too long on them.
    pub(crate) threads_max: Option<u32>,
}

/// How long a run measures; all in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Times {
    pub(crate) seconds: f64,
    pub(crate) seconds_max: f64,
    pub(crate) warmup_s: f64,
}

/// A strategy, the sizes to run it with, and where.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Strategy {
    pub(crate) part: Part,
    /// `[None]` for a strategy that has no size.
    pub(crate) threads: Vec<Option<u32>>,
    pub(crate) interpreters: Vec<String>,
    pub(crate) times: Times,
}

impl Suite {
    /// Reads a suite file.
    ///
    /// # Errors
    ///
    /// Usage, with the place in the file: it cannot be read, is no TOML, or says something that makes no sense.
    pub(crate) fn read(path: &Path, is_quick: bool) -> Result<Self, Stop> {
        let shown = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| Stop::usage(format!("cannot read the suite {shown}: {error}")))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        Self::parse(&text, &folder, is_quick).map_err(|error| Stop::usage(format!("{shown}: {error}")))
    }

    fn parse(text: &str, folder: &Path, is_quick: bool) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let experiments = file
            .experiment
            .into_iter()
            .map(|entry| {
                let name = entry.name.clone();
                let resolve = Resolve { defaults: &file.defaults, folder, is_quick };
                resolve.experiment(entry).map_err(|error| format!("experiment {name:?}: {error}"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut names = BTreeSet::new();
        if let Some(twice) = experiments.iter().find(|experiment| !names.insert(&experiment.name)) {
            return Err(format!("there are two experiments {:?}", twice.name));
        }
        if experiments.is_empty() {
            return Err("there is no [[experiment]]".to_owned());
        }
        Ok(Self {
            name: file.name,
            seed: file.seed,
            control_every_s: file.control_every_s,
            noise: file.noise,
            experiments,
        })
    }

    /// Names this suite and its every setting: what differs in either has another digest.
    pub(crate) fn digest(&self) -> String {
        digest(self)
    }
}

impl Experiment {
    /// As [`Suite::digest`], of one experiment.
    pub(crate) fn digest(&self) -> String {
        digest(self)
    }

    /// Whether a sweep must find the best size first.
    pub(crate) fn has_sweep(&self) -> bool {
        self.strategies.iter().any(|strategy| strategy.part.name == STATIC_BEST)
    }
}

/// The first 16 hexadecimal digits of SHA-256: enough to tell a few suites apart.
fn digest(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    let first = Sha256::digest(text).iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{first:016x}")
}

/// The file, before defaults are filled in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    seed: u64,
    #[serde(default = "one_minute")]
    control_every_s: f64,
    #[serde(default)]
    noise: NoiseBounds,
    #[serde(default)]
    defaults: Settings,
    #[serde(default)]
    experiment: Vec<Entry>,
}

fn one_minute() -> f64 {
    60.0
}

/// What `[defaults]` gives all experiments.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    cores: Option<Vec<u32>>,
    interpreters: Option<Vec<String>>,
    repeats: Option<u32>,
    seconds: Option<f64>,
    seconds_max: Option<f64>,
    warmup_s: Option<f64>,
}

/// An `[[experiment]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    workloads: Vec<Named<WorkloadTable>>,
    strategies: Vec<Named<StrategyTable>>,
    cores: Option<Vec<u32>>,
    interpreters: Option<Vec<String>>,
    #[serde(default)]
    quotas: Vec<f64>,
    repeats: Option<u32>,
    sweep_repeats: Option<u32>,
    seconds: Option<f64>,
    seconds_max: Option<f64>,
    warmup_s: Option<f64>,
    sweep_seconds: Option<f64>,
    timeline_s: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadTable {
    name: String,
    #[serde(default)]
    parameters: Parameters,
    threads_max: Option<u32>,
}

impl From<String> for WorkloadTable {
    fn from(name: String) -> Self {
        Self { name, parameters: Parameters::new(), threads_max: None }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StrategyTable {
    name: String,
    #[serde(default)]
    threads: Vec<u32>,
    #[serde(default)]
    parameters: Parameters,
    interpreters: Option<Vec<String>>,
    seconds: Option<f64>,
    seconds_max: Option<f64>,
    warmup_s: Option<f64>,
}

impl From<String> for StrategyTable {
    fn from(name: String) -> Self {
        Self { name, ..Self::default() }
    }
}

/// Fills in what an experiment leaves to the suite, and applies `--quick`.
struct Resolve<'a> {
    defaults: &'a Settings,
    folder: &'a Path,
    is_quick: bool,
}

impl Resolve<'_> {
    fn experiment(&self, entry: Entry) -> Result<Experiment, String> {
        let defaults = self.defaults;
        let strategies = entry
            .strategies
            .iter()
            .map(|strategy| self.strategy(strategy, &entry))
            .collect::<Result<Vec<_>, _>>()?;
        let repeats = entry.repeats.or(defaults.repeats).unwrap_or(3);
        let sweep_repeats = entry.sweep_repeats.unwrap_or(repeats);
        if repeats == 0 || sweep_repeats == 0 {
            return Err("it is to be repeated no time at all".to_owned());
        }
        let once = |repeats: u32| if self.is_quick { 1 } else { repeats };
        let cores = entry.cores.or_else(|| defaults.cores.clone()).unwrap_or_else(|| vec![1]);
        let workloads = entry
            .workloads
            .into_iter()
            .map(|Named(table)| {
                let part = self.part(&table.name, table.parameters)?;
                Ok(Part { threads_max: table.threads_max, ..part })
            })
            .collect::<Result<Vec<_>, String>>()?;
        if workloads.is_empty() || strategies.is_empty() || cores.is_empty() || cores.contains(&0) {
            return Err("it needs workloads, strategies and cores, one at least of each".to_owned());
        }
        let positive = entry.quotas.iter().chain(&entry.timeline_s).chain(&entry.sweep_seconds);
        if positive.copied().any(|value| !is_positive(value)) {
            return Err("quotas, timeline_s and sweep_seconds are above 0".to_owned());
        }
        let quotas =
            if entry.quotas.is_empty() { vec![None] } else { entry.quotas.into_iter().map(Some).collect() };
        Ok(Experiment {
            name: entry.name,
            workloads,
            strategies,
            cores,
            quotas,
            repeats: once(repeats),
            sweep_repeats: once(sweep_repeats),
            sweep_seconds: entry.sweep_seconds.map(|seconds| self.window(seconds)),
            timeline_s: entry.timeline_s,
        })
    }

    fn strategy(&self, Named(table): &Named<StrategyTable>, entry: &Entry) -> Result<Strategy, String> {
        let table = table.clone();
        let is_sweep = table.name == STATIC_BEST;
        if is_sweep && table.threads.is_empty() {
            return Err(format!("{STATIC_BEST} needs threads to choose from"));
        }
        if table.threads.contains(&0) {
            return Err(format!("{} with no thread at all", table.name));
        }
        let defaults = self.defaults;
        let interpreters = table
            .interpreters
            .or_else(|| entry.interpreters.clone())
            .or_else(|| defaults.interpreters.clone())
            .unwrap_or_else(|| vec![DEFAULT_INTERPRETER.to_owned()]);
        let seconds = table.seconds.or(entry.seconds).or(defaults.seconds).unwrap_or(2.0);
        let times = Times {
            seconds,
            seconds_max: table
                .seconds_max
                .or(entry.seconds_max)
                .or(defaults.seconds_max)
                .unwrap_or(4.0 * seconds)
                .max(seconds),
            warmup_s: table.warmup_s.or(entry.warmup_s).or(defaults.warmup_s).unwrap_or(0.5),
        };
        if !is_positive(times.seconds) || !is_positive(times.seconds_max) || times.warmup_s < 0.0 {
            return Err("seconds are above 0".to_owned());
        }
        let threads: Vec<Option<u32>> = if table.threads.is_empty() {
            vec![None]
        } else {
            self.thinned(table.threads).into_iter().map(Some).collect()
        };
        Ok(Strategy {
            part: self.part(&table.name, table.parameters)?,
            threads,
            interpreters,
            times: self.shortened(times),
        })
    }

    fn part(&self, name: &str, parameters: Parameters) -> Result<Part, String> {
        if parameters.values().any(|value| value.is_object() || value.is_null()) {
            return Err(format!("parameters of {name} are numbers, words, or arrays of them"));
        }
        let path = Path::new(name);
        if path.extension().is_none_or(|suffix| suffix != "py") {
            return Ok(Part {
                name: name.to_owned(),
                argument: name.to_owned(),
                parameters,
                threads_max: None,
            });
        }
        let path: PathBuf = self.folder.join(path);
        let path = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
        let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Ok(Part { name: stem, argument: path.to_string_lossy().into_owned(), parameters, threads_max: None })
    }

    fn thinned(&self, threads: Vec<u32>) -> Vec<u32> {
        if !self.is_quick {
            return threads;
        }
        let last = threads.len().saturating_sub(1);
        let kept = threads.into_iter().enumerate().filter(|(at, _)| at % QUICK_STEP == 0 || *at == last);
        kept.map(|(_, threads)| threads).collect()
    }

    fn window(&self, seconds: f64) -> f64 {
        if self.is_quick { (QUICK_SHARE * seconds).max(QUICK_SECONDS_MIN) } else { seconds }
    }

    fn shortened(&self, times: Times) -> Times {
        if !self.is_quick {
            return times;
        }
        let seconds = self.window(times.seconds);
        Times {
            seconds,
            seconds_max: (QUICK_SHARE * times.seconds_max).max(seconds),
            warmup_s: QUICK_SHARE * times.warmup_s,
        }
    }
}

fn is_positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A suite as it is written.
    pub(crate) fn suite(text: &str) -> Suite {
        parse(text, false).unwrap()
    }

    const SUITE: &str = r#"
        name = "small"
        seed = 7
        [defaults]
        seconds = 2.0
        repeats = 5
        [[experiment]]
        name = "first"
        workloads = ["micro", { name = "stated", parameters = { cpu_ms = [1, 2.5] } }]
        strategies = [
            "sequential",
            { name = "static-best", threads = [1, 2, 4, 8, 16, 32] },
            { name = "paper", threads = [64], warmup_s = 4.0, interpreters = ["3.14t"] },
        ]
        cores = [1, 4]
        sweep_repeats = 2
    "#;

    fn parse(text: &str, is_quick: bool) -> Result<Suite, String> {
        Suite::parse(text, Path::new("."), is_quick)
    }

    #[test]
    fn what_an_experiment_leaves_out_comes_from_the_suite() {
        let suite = parse(SUITE, false).unwrap();
        let experiment = &suite.experiments[0];
        assert_eq!((experiment.repeats, experiment.sweep_repeats), (5, 2));
        assert!(experiment.has_sweep());
        let [sequential, best, paper] = &experiment.strategies[..] else { panic!("{experiment:?}") };
        assert_eq!(sequential.threads, [None]);
        assert_eq!(sequential.interpreters, [DEFAULT_INTERPRETER]);
        assert_eq!(best.threads.len(), 6);
        assert_eq!(paper.times, Times { seconds: 2.0, seconds_max: 8.0, warmup_s: 4.0 });
        assert_eq!(paper.interpreters, ["3.14t"]);
        assert!((suite.noise.drift_max - NoiseBounds::default().drift_max).abs() < 1e-12);
    }

    #[test]
    fn quick_keeps_the_ends_of_a_list_and_one_repeat() {
        let suite = parse(SUITE, true).unwrap();
        let experiment = &suite.experiments[0];
        assert_eq!((experiment.repeats, experiment.sweep_repeats), (1, 1));
        assert_eq!(experiment.strategies[1].threads, [Some(1), Some(16), Some(32)]);
        assert!((experiment.strategies[2].times.warmup_s - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_digest_changes_with_any_setting_and_only_then() {
        let suite = parse(SUITE, false).unwrap();
        assert_eq!(suite.digest(), parse(SUITE, false).unwrap().digest());
        let other = parse(&SUITE.replace("repeats = 5", "repeats = 6"), false).unwrap();
        assert_ne!(suite.digest(), other.digest());
        assert_ne!(suite.experiments[0].digest(), other.experiments[0].digest());
        assert_ne!(suite.digest(), parse(SUITE, true).unwrap().digest());
        let reseeded = parse(&SUITE.replace("seed = 7", "seed = 8"), false).unwrap();
        assert_eq!(suite.experiments[0].digest(), reseeded.experiments[0].digest());
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (old, new, reason) in [
            ("repeats = 5", "repeats = 0", "no time at all"),
            ("threads = [64]", "threads = [0]", "no thread"),
            (", threads = [1, 2, 4, 8, 16, 32]", "", "threads to choose from"),
            ("seconds = 2.0", "seconds = -1.0", "above 0"),
            ("cores = [1, 4]", "cores = []", "one at least"),
            ("cores = [1, 4]", "colour = 1", "colour"),
            ("\"micro\"", "\"nowhere.py\"", "nowhere.py"),
        ] {
            let error = parse(&SUITE.replace(old, new), false).unwrap_err();
            assert!(error.contains(reason), "{error:?} does not say {reason:?}");
        }
        assert!(parse("name = \"empty\"", false).unwrap_err().contains("[[experiment]]"));
    }
}
