//! Hands the core's records to Python, where `surefoot.records` makes dataclasses of them.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use surefoot_core::clock;
use surefoot_core::decision::{Entry, Log};
use surefoot_core::ledger::{FunctionSums, Percentiles};
use surefoot_core::share::ShareSums;
use surefoot_core::snapshot::Snapshot;
use surefoot_core::starvation::Hunger;
use surefoot_core::window::Window;

/// The fields of `PoolStats`.
pub(crate) fn stats<'py>(
    py: Python<'py>,
    snapshot: &Snapshot,
    functions: &[(String, FunctionSums)],
    regulator: Option<(&Log, &ShareSums)>,
) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("limit", snapshot.limit)?;
    fields.set_item("cap", snapshot.cap)?;
    fields.set_item("workers_live", snapshot.workers_live)?;
    fields.set_item("workers_busy", snapshot.workers_busy)?;
    fields.set_item("workers_idle", snapshot.workers_live.saturating_sub(snapshot.workers_busy))?;
    fields.set_item("workers_joining", snapshot.workers_joining)?;
    fields.set_item("queue_length", snapshot.queue_length)?;
    fields.set_item("queue_head_age_s", snapshot.queue_head_age_ns as f64 / 1e9)?;
    fields.set_item("tasks_submitted", snapshot.tasks.submitted)?;
    fields.set_item("tasks_running", snapshot.tasks.running)?;
    fields.set_item("tasks_done", snapshot.tasks.done)?;
    fields.set_item("tasks_failed", snapshot.tasks.failed)?;
    fields.set_item("tasks_cancelled", snapshot.tasks.cancelled)?;
    fields.set_item("tasks_rejected", snapshot.tasks.rejected)?;
    fields.set_item("tasks_run_by_callers", snapshot.tasks.run_by_callers)?;
    fields.set_item("submitters_blocked", snapshot.submitters_blocked)?;
    fields.set_item("beta_mean", snapshot.beta_mean)?;
    percentiles(&fields, "queued", snapshot.queued)?;
    percentiles(&fields, "attach_wait", snapshot.attach_wait)?;
    percentiles(&fields, "wall", snapshot.wall)?;
    percentiles(&fields, "cpu", snapshot.cpu)?;
    let by_name = PyDict::new(py);
    let mut of_tasks = ShareSums::default();
    for (name, sums) in functions.iter().filter(|(_, sums)| sums.tasks > 0) {
        of_tasks.add(&sums.shares);
        by_name.set_item(name, function(py, sums)?)?;
    }
    fields.set_item("functions", by_name)?;
    // Windows know more than tasks do, but not of what began and ended between two of them.
    let of_windows = regulator.map(|(_, shares)| shares);
    let best = of_windows.filter(|sums| sums.total_ns() > of_tasks.total_ns() / 2.0).unwrap_or(&of_tasks);
    fields.set_item("shares", shares(py, best)?)?;
    let vetoes = PyDict::new(py);
    for (veto, count) in regulator.into_iter().flat_map(|(log, _)| log.vetoes()) {
        vetoes.set_item(veto.name(), count)?;
    }
    fields.set_item("vetoes", vetoes)?;
    Ok(fields)
}

/// The fields of `FunctionStats`.
fn function<'py>(py: Python<'py>, sums: &FunctionSums) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("tasks", sums.tasks)?;
    fields.set_item("wall_s", sums.wall_ns as f64 / 1e9)?;
    fields.set_item("cpu_s", sums.cpu_ns as f64 / 1e9)?;
    fields.set_item("queued_s", sums.queued_ns as f64 / 1e9)?;
    fields.set_item("shares", shares(py, &sums.shares)?)?;
    Ok(fields)
}

/// The fields of `Shares`; `None` if there was nothing to share.
pub(crate) fn shares<'py>(py: Python<'py>, sums: &ShareSums) -> PyResult<Option<Bound<'py, PyDict>>> {
    let Some(shares) = sums.shares() else { return Ok(None) };
    let fields = PyDict::new(py);
    fields.set_item("cpu", shares.cpu)?;
    fields.set_item("runqueue", shares.runqueue)?;
    fields.set_item("gil", shares.gil())?;
    fields.set_item("io", shares.io())?;
    fields.set_item("blocked", shares.blocked)?;
    fields.set_item("gil_bounds", shares.gil_bounds())?;
    fields.set_item("error", shares.error)?;
    fields.set_item("source", shares.source.name())?;
    Ok(Some(fields))
}

fn percentiles(fields: &Bound<'_, PyDict>, name: &str, of: Option<Percentiles>) -> PyResult<()> {
    fields.set_item(format!("{name}_ns_p50"), of.map(|of| of.p50_ns))?;
    fields.set_item(format!("{name}_ns_p95"), of.map(|of| of.p95_ns))?;
    fields.set_item(format!("{name}_ns_p99"), of.map(|of| of.p99_ns))
}

/// The moment that the `at_s` of a decision made now would say.
#[pyfunction]
pub(crate) fn clock_s() -> f64 {
    clock::now_ns() as f64 / 1e9
}

/// The fields of each `Decision`, oldest first.
pub(crate) fn decisions<'py, 'a>(
    py: Python<'py>,
    entries: impl Iterator<Item = &'a Entry>,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    entries
        .map(|entry| {
            let fields = PyDict::new(py);
            fields.set_item("at_s", entry.at_ns as f64 / 1e9)?;
            fields.set_item("limit_before", entry.limit_before)?;
            fields.set_item("limit", entry.limit)?;
            fields.set_item("reason", entry.reason)?;
            fields.set_item("rule", entry.rule.name())?;
            fields.set_item("veto", entry.veto.map(surefoot_core::decision::Veto::name))?;
            fields.set_item("queue_length", entry.queue_length)?;
            fields.set_item("completions", entry.completions)?;
            fields.set_item("beta_mean", entry.beta_mean)?;
            Ok(fields)
        })
        .collect()
}

/// What `surefoot.journal` is told of a pool that starves.
pub(crate) fn hunger<'py>(py: Python<'py>, hunger: &Hunger) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("cause", hunger.cause.name())?;
    fields.set_item("still_s", hunger.still_ns as f64 / 1e9)?;
    fields.set_item("queue_length", hunger.queue_length)?;
    fields.set_item("queue_head_age_s", hunger.queue_head_age_ns as f64 / 1e9)?;
    fields.set_item("workers_busy", hunger.workers_busy)?;
    fields.set_item("workers_joining", hunger.workers_joining)?;
    fields.set_item("cap", hunger.cap)?;
    fields.set_item("suppressed", hunger.suppressed)?;
    Ok(fields)
}

/// The fields of `Window`.
pub(crate) fn window<'py>(py: Python<'py>, window: &Window) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("duration_s", window.duration_ns as f64 / 1e9)?;
    fields.set_item("arrivals", window.arrivals)?;
    fields.set_item("completions", window.completions)?;
    fields.set_item("queue_length", window.queue_length)?;
    fields.set_item("queue_head_age_s", window.queue_head_age_ns as f64 / 1e9)?;
    fields.set_item("limit", window.limit)?;
    fields.set_item("cap", window.cap)?;
    fields.set_item("min_workers", window.min_workers)?;
    fields.set_item("workers_live", window.workers_live)?;
    fields.set_item("workers_busy", window.workers_busy)?;
    fields.set_item("beta_mean", window.beta_mean)?;
    Ok(fields)
}
