//! `surefoot._core`: the binding of [`surefoot_core`] to Python, private to the package.
//!
//! The only crate that names `PyO3`. A reader starts at [`executor`] (submission), goes on with
//! [`worker`] (the loop) and [`future`]; [`attach`] is the only file that attaches or detaches.

mod account;
mod attach;
mod attendant;
mod backpressure;
mod capacity;
mod command_line;
mod executor;
mod function;
mod future;
mod handover;
mod join;
mod journal;
mod name;
mod observe;
mod placement;
mod process;
mod records;
mod sensors;
mod shared;
mod snapshot_file;
mod standard;
mod statistics;
mod submit;
mod task;
mod work_queue;
mod worker;

/// The native half of surefoot.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::account::Account;
    #[pymodule_export]
    use super::capacity::default_cap;
    #[pymodule_export]
    use super::command_line::run_cli;
    #[pymodule_export]
    use super::executor::{ExecutorCore, PoolCore};
    #[pymodule_export]
    use super::future::FutureCore;
    #[pymodule_export]
    use super::observe::{Observation, ObservedCall, allowed_cores, set_observing_submit};
    #[pymodule_export]
    use super::placement::{announce_child, guard_children};
    #[pymodule_export]
    use super::process::after_fork_in_child;
    #[pymodule_export]
    use super::records::clock_s;
    #[pymodule_export]
    use super::sensors::python::{
        gil_look_cost_ns, gil_observe, gil_reading, gil_wait_oracle, sensors_report, thread_census,
    };
    #[pymodule_export]
    use super::snapshot_file::end_snapshot;
    #[pymodule_export]
    use super::standard::configure;
    #[pymodule_export]
    use super::statistics::{median_interval, ratio_interval};
    #[pymodule_export]
    use super::work_queue::{ExitBell, WorkItem, WorkQueue};
    #[pymodule_export]
    use super::worker::WorkerEntry;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::process::refuse_sub_interpreter(module.py())?;
        super::submit::install(module.py())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("IS_DEBUG_BUILD", cfg!(debug_assertions))
    }
}
