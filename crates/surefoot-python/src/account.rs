//! Hands a pool's numbers for metrics to Python, where `surefoot.exporters` adds them up by name.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use surefoot_core::clock;
use surefoot_core::decision::Log;
use surefoot_core::distribution::{Distribution, Distributions};
use surefoot_core::pool::Pool;
use surefoot_core::regulator::Regulator;
use surefoot_core::share::Parts;
use surefoot_core::snapshot::Snapshot;
use surefoot_core::sync::lock_std;

use crate::shared::{Item, Shared};

/// The numbers of one pool. It keeps nothing of the program's alive: no executor, no thread, no
/// initializer; tasks only as long as they wait.
#[pyclass(frozen, module = "surefoot._core")]
#[derive(Debug)]
pub(crate) struct Account {
    pool: Arc<Pool<Item>>,
    regulator: Option<Arc<Mutex<Regulator>>>,
}

impl Account {
    pub(crate) fn of(shared: &Shared) -> Self {
        Self { pool: Arc::clone(&shared.pool), regulator: shared.regulator.clone() }
    }
}

#[pymethods]
impl Account {
    /// Two accounts of one pool are equal.
    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| Arc::ptr_eq(&self.pool, &other.get().pool))
    }

    fn __hash__(&self) -> usize {
        Arc::as_ptr(&self.pool).addr()
    }

    /// Whether nothing in it can change any more.
    #[getter]
    fn has_ended(&self) -> bool {
        self.pool.closed().is_some() && self.pool.workers_live() == 0 && self.pool.is_idle()
    }

    /// What metrics are made of, with distributions over these bounds.
    #[expect(clippy::needless_pass_by_value, reason = "a Python function is handed what it is called with")]
    fn read<'py>(&self, py: Python<'py>, bounds_ns: Vec<u64>) -> PyResult<Bound<'py, PyDict>> {
        let (vitals, times, shares) = self.pool.account(clock::now_ns());
        let log = self.regulator.as_ref().map(|regulator| lock_std(regulator).log().clone());
        let times = times.map(|times| times.over(&bounds_ns));
        fields(py, &vitals, times.as_ref(), &shares.parts(), log.as_ref())
    }
}

/// The fields of `surefoot.exporters.account.Account`; what counts up is keyed by its labels.
fn fields<'py>(
    py: Python<'py>,
    vitals: &Snapshot,
    times: Option<&Distributions>,
    parts: &Parts,
    log: Option<&Log>,
) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("limit", vitals.limit)?;
    fields.set_item("cap", vitals.cap)?;
    fields.set_item("workers_live", vitals.workers_live)?;
    fields.set_item("workers_busy", vitals.workers_busy)?;
    fields.set_item("queue_length", vitals.queue_length)?;
    fields.set_item("queue_head_age_s", vitals.queue_head_age_ns as f64 / 1e9)?;
    fields.set_item("tasks_submitted", vitals.tasks.submitted)?;
    fields.set_item("tasks_running", vitals.tasks.running)?;
    let tasks = PyDict::new(py);
    tasks.set_item("done", vitals.tasks.done)?;
    tasks.set_item("failed", vitals.tasks.failed)?;
    tasks.set_item("cancelled", vitals.tasks.cancelled)?;
    fields.set_item("tasks", tasks)?;
    let worker_s = PyDict::new(py);
    worker_s.set_item("cpu", parts.cpu_ns / 1e9)?;
    worker_s.set_item("runqueue", parts.runqueue_ns / 1e9)?;
    worker_s.set_item("gil", parts.gil_ns / 1e9)?;
    worker_s.set_item("io", parts.io_ns / 1e9)?;
    fields.set_item("worker_s", worker_s)?;
    fields.set_item("unsplit_s", parts.unsplit_ns / 1e9)?;
    let (changes, vetoes) = (PyDict::new(py), PyDict::new(py));
    for ((direction, rule), count) in log.into_iter().flat_map(Log::changes) {
        changes.set_item((direction.name(), rule.name()), count)?;
    }
    for (veto, count) in log.into_iter().flat_map(Log::vetoes) {
        vetoes.set_item(veto.name(), count)?;
    }
    fields.set_item("changes", changes)?;
    fields.set_item("vetoes", vetoes)?;
    fields.set_item("queued", times.map(|times| distribution(&times.queued)))?;
    fields.set_item("wall", times.map(|times| distribution(&times.wall)))?;
    fields.set_item("cpu", times.map(|times| distribution(&times.cpu)))?;
    Ok(fields)
}

fn distribution(of: &Distribution) -> (Vec<u64>, f64) {
    (of.counts.clone(), of.sum_ns as f64 / 1e9)
}
