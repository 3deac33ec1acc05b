//! One run: one fresh process that measures one workload on one strategy.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::compare::suite::{Parameters, STATIC_BEST, Times};

/// The strategy that a sweep is made of.
pub(crate) const STATIC: &str = "static";

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// Finds the best size of the standard pool.
    Sweep,
    /// Fresh runs of that size, which its selection does not flatter, among those of the other strategies.
    Contest,
    /// An experiment without a sweep.
    Single,
}

/// What a run is, as its record tells it too. Equal identities are the same run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) experiment: String,
    pub(crate) phase: Phase,
    pub(crate) workload: String,
    /// The workload's and the strategy's together.
    pub(crate) parameters: Parameters,
    pub(crate) strategy: String,
    /// The size, for a strategy that has one. Of the best static size it is unknown until it has been found.
    pub(crate) threads: Option<u32>,
    pub(crate) cores: u32,
    /// More than `cores` where the machine has fewer.
    pub(crate) cores_asked: u32,
    pub(crate) quota_cores: Option<f64>,
    /// Counts from 0.
    pub(crate) repeat: u32,
}

/// A planned run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) identity: Identity,
    /// Which interpreter, such as `3.14t`.
    pub(crate) tag: String,
    pub(crate) workload_argument: String,
    pub(crate) strategy_argument: String,
    pub(crate) times: Times,
    pub(crate) timeline_s: Option<f64>,
    /// The place in the plan.
    pub(crate) order: usize,
    pub(crate) experiment_digest: String,
}

impl Identity {
    /// Names the run within a record file, together with its interpreter and whether it is the first attempt.
    pub(crate) fn key(&self, tag: &str, attempt: u32) -> String {
        // What size is the best is a result, not what was asked for.
        let threads = if self.strategy == STATIC_BEST { None } else { self.threads };
        let key = json!([
            self.experiment,
            self.phase,
            self.workload,
            self.parameters,
            self.strategy,
            threads,
            self.cores,
            self.quota_cores,
            self.repeat,
            tag,
            attempt,
        ]);
        key.to_string()
    }

    /// Names what the strategies of a contest have in common; the sizes of a sweep are among them.
    pub(crate) fn cell(&self, tag: &str) -> String {
        json!([self.experiment, self.workload, self.parameters, self.cores, self.quota_cores, tag])
            .to_string()
    }

    /// Says in a few words which run it is.
    pub(crate) fn name(&self, tag: &str) -> String {
        let Self { experiment, workload, strategy, cores, .. } = self;
        let mut words = vec![format!("{experiment}: {workload}")];
        words
            .extend(self.parameters.iter().map(|(parameter, value)| format!(" {parameter}={}", bare(value))));
        words.push(format!(", {strategy}"));
        words.extend(self.threads.map(|threads| format!(" {threads}")));
        words.push(format!(", {cores} core{}", if *cores == 1 { "" } else { "s" }));
        words.extend(self.quota_cores.map(|quota| format!(", quota {quota}")));
        words.push(format!(", {tag}"));
        words.concat()
    }
}

impl Run {
    pub(crate) fn key(&self, attempt: u32) -> String {
        self.identity.key(&self.tag, attempt)
    }

    pub(crate) fn cell(&self) -> String {
        self.identity.cell(&self.tag)
    }

    pub(crate) fn name(&self) -> String {
        self.identity.name(&self.tag)
    }

    /// The arguments of the interpreter that runs it; `threads` is the size, of the best static one too.
    pub(crate) fn arguments(&self, threads: Option<u32>) -> Vec<String> {
        let mut arguments: Vec<String> = ["-m", "surefoot.comparison.run"].map(str::to_owned).to_vec();
        let mut option = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
        option("workload", self.workload_argument.clone());
        option("strategy", self.strategy_argument.clone());
        if let Some(threads) = threads {
            option("threads", threads.to_string());
        }
        option("cores", self.identity.cores.to_string());
        if let Some(quota) = self.identity.quota_cores {
            option("quota-cores", quota.to_string());
        }
        option("seconds", self.times.seconds.to_string());
        option("warmup-s", self.times.warmup_s.to_string());
        option("seconds-max", self.times.seconds_max.to_string());
        for (parameter, value) in &self.identity.parameters {
            option("parameter", format!("{parameter}={}", bare(value)));
        }
        if let Some(timeline_s) = self.timeline_s {
            option("timeline-s", timeline_s.to_string());
        }
        arguments
    }
}

/// A value as one would type it: words without quotation marks.
pub(crate) fn bare(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn identity() -> Identity {
        Identity {
            experiment: "first".to_owned(),
            phase: Phase::Single,
            workload: "micro".to_owned(),
            parameters: Parameters::new(),
            strategy: STATIC.to_owned(),
            threads: Some(8),
            cores: 1,
            cores_asked: 1,
            quota_cores: None,
            repeat: 0,
        }
    }

    pub(crate) fn run_of(identity: Identity) -> Run {
        Run {
            workload_argument: identity.workload.clone(),
            strategy_argument: STATIC.to_owned(),
            identity,
            tag: "3.13".to_owned(),
            times: Times { seconds: 2.0, seconds_max: 8.0, warmup_s: 0.5 },
            timeline_s: None,
            order: 0,
            experiment_digest: String::new(),
        }
    }

    #[test]
    fn a_record_has_the_key_of_its_run() {
        let mut identity = identity();
        identity.parameters.insert("cpu_ms".to_owned(), json!(2.5));
        let read: Identity = serde_json::from_str(&serde_json::to_string(&identity).unwrap()).unwrap();
        assert_eq!(read.key("3.13", 0), identity.key("3.13", 0));
        assert_ne!(read.key("3.13", 0), read.key("3.14", 0));
        assert_ne!(read.key("3.13", 0), read.key("3.13", 1));
        let bigger = Identity { threads: Some(9), ..identity.clone() };
        assert_ne!(bigger.key("3.13", 0), identity.key("3.13", 0));
    }

    #[test]
    fn the_best_static_size_is_the_same_run_whatever_it_came_to() {
        let planned = Identity { strategy: STATIC_BEST.to_owned(), threads: None, ..identity() };
        let recorded = Identity { threads: Some(64), ..planned.clone() };
        assert_eq!(planned.key("3.13", 0), recorded.key("3.13", 0));
    }

    #[test]
    fn the_arguments_are_those_of_the_runner() {
        let mut identity = Identity { quota_cores: Some(0.5), ..identity() };
        identity.parameters.insert("mode".to_owned(), json!("slow"));
        let run = Run { timeline_s: Some(0.25), ..run_of(identity) };
        let arguments = run.arguments(run.identity.threads).join(" ");
        assert_eq!(
            arguments,
            "-m surefoot.comparison.run --workload micro --strategy static --threads 8 --cores 1 --quota-cores 0.5 \
             --seconds 2 --warmup-s 0.5 --seconds-max 8 --parameter mode=slow --timeline-s 0.25"
        );
        assert!(!run.arguments(None).contains(&"--threads".to_owned()));
        assert_eq!(run.name(), "first: micro mode=slow, static 8, 1 core, quota 0.5, 3.13");
    }
}
