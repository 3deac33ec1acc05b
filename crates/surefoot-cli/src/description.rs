//! What an interpreter says of itself, of its surefoot and of the workloads.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::child::{self, Ending, Python};
use crate::plan::Nominal;
use crate::record::{Build, Interpreter};
use crate::stop::Stop;

/// For a process that only describes or draws; an edge device may have to read it all from a slow card.
pub(crate) const CHORE_TIMEOUT: Duration = Duration::from_secs(120);

/// What `surefoot.workloads.interpreter` prints; `K` names a workload.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "K: Ord + DeserializeOwned")]
pub(crate) struct Description<K: Ord> {
    pub(crate) interpreter: Interpreter,
    pub(crate) surefoot: Build,
    pub(crate) workloads: BTreeMap<K, Nominal>,
    pub(crate) has_matplotlib: bool,
}

/// Asks the interpreter what it is; fails if it cannot run the workloads.
pub(crate) fn describe<K: Ord + DeserializeOwned>(python: Python<'_>) -> Result<Description<K>, Stop> {
    let shown = python.program.display();
    let ending = python
        .execute(&child::words(&["-m", "surefoot.workloads.interpreter"]), CHORE_TIMEOUT)
        .map_err(|error| Stop::usage(format!("cannot run {shown}: {error}")))?;
    match ending {
        Ending::Ended { status, stdout, .. } if status.success() => serde_json::from_str(&stdout)
            .map_err(|error| Stop::failure(format!("{shown} has another version of surefoot: {error}"))),
        Ending::Ended { status, stdout, stderr } => Err(Stop::failure(format!(
            "{shown} cannot run the workloads: {}\nsurefoot: is surefoot installed for it?",
            child::complaint(status, &stdout, &stderr)
        ))),
        Ending::TimedOut => Err(Stop::failure(format!("{shown} did not answer in {CHORE_TIMEOUT:?}"))),
        Ending::Interrupted(signal) => Err(Stop::interrupted(signal)),
    }
}
