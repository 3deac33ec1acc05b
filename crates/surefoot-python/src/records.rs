//! Hands the core's records to Python, where `surefoot.records` makes dataclasses of them.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use surefoot_core::decision::Log;
use surefoot_core::ledger::Percentiles;
use surefoot_core::snapshot::Snapshot;
use surefoot_core::window::Window;

/// The fields of `PoolStats`.
pub(crate) fn stats<'py>(
    py: Python<'py>,
    snapshot: &Snapshot,
    log: Option<&Log>,
) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("limit", snapshot.limit)?;
    fields.set_item("cap", snapshot.cap)?;
    fields.set_item("workers_live", snapshot.workers_live)?;
    fields.set_item("workers_busy", snapshot.workers_busy)?;
    fields.set_item("workers_idle", snapshot.workers_live.saturating_sub(snapshot.workers_busy))?;
    fields.set_item("queue_length", snapshot.queue_length)?;
    fields.set_item("queue_head_age_s", snapshot.queue_head_age_ns as f64 / 1e9)?;
    fields.set_item("tasks_submitted", snapshot.tasks.submitted)?;
    fields.set_item("tasks_running", snapshot.tasks.running)?;
    fields.set_item("tasks_done", snapshot.tasks.done)?;
    fields.set_item("tasks_failed", snapshot.tasks.failed)?;
    fields.set_item("tasks_cancelled", snapshot.tasks.cancelled)?;
    fields.set_item("beta_mean", snapshot.beta_mean)?;
    percentiles(&fields, "queued", snapshot.queued)?;
    percentiles(&fields, "attach_wait", snapshot.attach_wait)?;
    percentiles(&fields, "wall", snapshot.wall)?;
    percentiles(&fields, "cpu", snapshot.cpu)?;
    let vetoes = PyDict::new(py);
    for (veto, count) in log.into_iter().flat_map(Log::vetoes) {
        vetoes.set_item(veto.name(), count)?;
    }
    fields.set_item("vetoes", vetoes)?;
    Ok(fields)
}

fn percentiles(fields: &Bound<'_, PyDict>, name: &str, of: Option<Percentiles>) -> PyResult<()> {
    fields.set_item(format!("{name}_ns_p50"), of.map(|of| of.p50_ns))?;
    fields.set_item(format!("{name}_ns_p95"), of.map(|of| of.p95_ns))?;
    fields.set_item(format!("{name}_ns_p99"), of.map(|of| of.p99_ns))
}

/// The fields of each `Decision`, oldest first.
pub(crate) fn decisions<'py>(py: Python<'py>, log: &Log) -> PyResult<Vec<Bound<'py, PyDict>>> {
    log.entries()
        .map(|entry| {
            let fields = PyDict::new(py);
            fields.set_item("at_s", entry.at_ns as f64 / 1e9)?;
            fields.set_item("limit_before", entry.limit_before)?;
            fields.set_item("limit", entry.limit)?;
            fields.set_item("reason", entry.reason)?;
            fields.set_item("veto", entry.veto.map(surefoot_core::decision::Veto::name))?;
            fields.set_item("queue_length", entry.queue_length)?;
            fields.set_item("completions", entry.completions)?;
            fields.set_item("beta_mean", entry.beta_mean)?;
            Ok(fields)
        })
        .collect()
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
