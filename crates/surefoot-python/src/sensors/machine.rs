//! What the operating system tells here, tried out for `surefoot doctor`.

use std::hint::black_box;
use std::path::Path;

use pyo3::prelude::*;
use surefoot_core::allowance::AllowanceReader;
use surefoot_core::clock;

use super::clocks;
use super::report::{Report, Sensor};
use super::schedstat;

/// What a thread burns to try a clock that should see it: well above any clock's grain.
const BURN_NS: u64 = 2_000_000;

/// CPU time of threads, those in flight included.
#[derive(Debug)]
pub(crate) struct ThreadClocks;

impl Sensor for ThreadClocks {
    fn report(&self, _py: Python<'_>) -> Report {
        let tried = || {
            let own = clocks::own_cpu_ns().ok_or("not here: no CPU clock of the own thread")?;
            let thread_id =
                clocks::own_thread_id().ok_or("only of the own thread: others have no known id")?;
            let by_id = || clocks::cpu_ns_of(thread_id).filter(|ns| *ns > 0);
            let before = by_id().ok_or("only of the own thread: others' clocks cannot be read")?;
            burn();
            let after = by_id().ok_or("only of the own thread: others' clocks cannot be read")?;
            if before < own || after <= before {
                return Err("the clock by id does not follow the thread's work".to_owned());
            }
            Ok("every thread of the process, by its id".to_owned())
        };
        let resolution = format!("{} ns resolution", clocks::own_cpu_resolution_ns().unwrap_or(0));
        Report::new("thread CPU time", "thread CPU clocks", &resolution, tried())
    }
}

fn burn() {
    let begin_ns = clock::now_ns();
    while clock::now_ns() - begin_ns < BURN_NS {
        black_box(begin_ns);
    }
}

/// How long a thread was ready to run, and had no core.
#[derive(Debug)]
pub(crate) struct RunQueue;

impl Sensor for RunQueue {
    fn report(&self, _py: Python<'_>) -> Report {
        let outcome = match schedstat::own_runqueue_ns() {
            Some(delay_ns) => {
                Ok(format!("this thread: {delay_ns} ns; {} ns a reading", schedstat::own_cost_ns()))
            }
            None if schedstat::is_counted() => Err("/proc/thread-self/schedstat cannot be read".to_owned()),
            None => Err("the kernel does not count it, or does not show it".to_owned()),
        };
        let error = "1 ns by the thread itself; by others, without the wait in progress";
        Report::new("run-queue delay", "schedstat", error, outcome)
    }
}

/// How many cores may be used.
#[derive(Debug)]
pub(crate) struct Cores;

impl Sensor for Cores {
    fn report(&self, _py: Python<'_>) -> Report {
        let cores = AllowanceReader::new(Path::new("/")).read().cores;
        let found = format!("{cores:.2} cores");
        let method = if cfg!(target_os = "linux") {
            "affinity, control groups"
        } else {
            "the operating system's count"
        };
        Report::new("cores and quota", method, "exact; read again after 1 s", Ok(found))
    }
}

/// How much memory is left.
#[derive(Debug)]
pub(crate) struct Memory;

impl Sensor for Memory {
    fn report(&self, _py: Python<'_>) -> Report {
        let bytes = AllowanceReader::new(Path::new("/")).read().memory_available_bytes;
        let outcome =
            bytes.map(|bytes| format!("{} MiB", bytes >> 20)).ok_or_else(|| "not told here".to_owned());
        Report::new("memory left", "meminfo, control groups", "1 page; read again after 1 s", outcome)
    }
}

/// Whether the machine slows down for heat.
#[derive(Debug)]
pub(crate) struct Heat;

impl Sensor for Heat {
    fn report(&self, _py: Python<'_>) -> Report {
        let outcome = match AllowanceReader::new(Path::new("/")).read().is_hot {
            Some(true) => Ok("slowed down at the moment".to_owned()),
            Some(false) => Ok("not slowed down".to_owned()),
            None => Err("no cooling device of a processor is shown (as in most virtual machines)".to_owned()),
        };
        Report::new("heat", "cooling devices", "yes or no; read again after 1 s", outcome)
    }
}
