//! What the machine allows, read once a second for all pools of the process.

use std::path::Path;
use std::sync::Mutex;

use surefoot_core::allowance::{Allowance, AllowanceReader};
use surefoot_core::sync::lock_std;

use crate::process;

/// A reading may be this old: what it tells of changes by hand or by an orchestrator.
const MOST_AGE_NS: u64 = 1_000_000_000;

/// The last reading and its reader.
#[derive(Debug)]
pub(crate) struct Keeper(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    reader: AllowanceReader,
    last: Allowance,
    at_ns: u64,
}

impl Default for Keeper {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// What the machine allows now, or did within the last second. To be called by the monitor: the
/// affinity is in part that of the calling thread, see [`AllowanceReader::read`].
pub(crate) fn current(now_ns: u64) -> Allowance {
    let keeper = process::allowance();
    let mut kept = lock_std(&keeper.0);
    let kept = kept.get_or_insert_with(|| {
        let mut reader = AllowanceReader::new(Path::new("/"));
        let last = reader.read();
        Kept { reader, last, at_ns: now_ns }
    });
    if now_ns.saturating_sub(kept.at_ns) > MOST_AGE_NS {
        kept.last = kept.reader.read();
        kept.at_ns = now_ns;
    }
    kept.last
}
