//! The pool's queue as `executor._work_queue` shows it.
//!
//! Real programs read its length, take items out and put their own in, so it answers as the
//! standard library's `queue.SimpleQueue` of `_WorkItem` would.

use std::sync::{Arc, Weak};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use surefoot_core::clock;
use surefoot_core::pool::Closed;

use crate::attach;
use crate::backpressure::take_reservation;
use crate::future::{Ending, FutureCore};
use crate::shared::{Item, Refusal, Shared, Why};
use crate::standard::Standard;
use crate::task::Task;

/// `executor._work_queue`.
#[pyclass(frozen, weakref, module = "surefoot._core")]
#[derive(Debug)]
pub(crate) struct WorkQueue {
    shared: Arc<Shared>,
}

impl WorkQueue {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn take(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        Ok(match self.shared.pool.withdraw() {
            Some(Item::Task(future)) => {
                let task = future.get().task(py);
                Some(Py::new(py, WorkItem { future, task })?.into_any())
            }
            Some(Item::Foreign(item)) => Some(item),
            None => None,
        })
    }
}

#[pymethods]
impl WorkQueue {
    /// Tasks waiting.
    fn qsize(&self) -> usize {
        self.shared.pool.queue_length()
    }

    fn empty(&self) -> bool {
        self.shared.pool.queue_length() == 0
    }

    /// Puts an item in, or wakes a worker (`None`). `block` and `timeout` are there for likeness: who
    /// comes here may hold the executor's locks, so the item is taken however many wait.
    #[pyo3(signature = (item, block=true, timeout=None))]
    fn put(&self, py: Python<'_>, item: Py<PyAny>, block: bool, timeout: Option<f64>) -> PyResult<()> {
        let _ = (block, timeout);
        let bound = item.bind(py);
        if bound.is_none() {
            // The standard library's way to have a worker look whether it must go. Ours look by
            // themselves, but for the end of the interpreter.
            if is_exiting(py)? {
                self.shared.close(Closed::Exit);
            }
            return Ok(());
        }
        let item = match bound.cast::<WorkItem>() {
            Ok(view) => Item::Task(view.get().future.clone_ref(py)),
            Err(_) => Item::Foreign(item),
        };
        let now_ns = clock::now_ns();
        let submitted = if take_reservation(self.shared.id) {
            self.shared.submit_reserved(py, item, now_ns)
        } else {
            self.shared.submit_anyway(py, item, now_ns)
        };
        match submitted {
            Ok(None) => Ok(()),
            Ok(Some(interrupt)) => Err(interrupt),
            Err(Refusal { why: Why::NoThread(error), .. }) => Err(error),
            Err(_) => Err(PyRuntimeError::new_err("cannot schedule new futures after shutdown")),
        }
    }

    fn put_nowait(&self, py: Python<'_>, item: Py<PyAny>) -> PyResult<()> {
        self.put(py, item, false, None)
    }

    /// Takes the oldest item out.
    ///
    /// With `block` it looks again and again, less and less often: nobody but the workers is meant
    /// to wait here.
    #[pyo3(signature = (block=true, timeout=None))]
    fn get(&self, py: Python<'_>, block: bool, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        if timeout.is_some_and(|timeout_s| timeout_s < 0.0) {
            return Err(PyValueError::new_err("'timeout' must be a non-negative number"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let deadline_ns = timeout.map(|timeout_s| clock::now_ns().saturating_add((timeout_s * 1e9) as u64));
        let mut pause = std::time::Duration::from_micros(100);
        loop {
            if let Some(item) = self.take(py)? {
                return Ok(item);
            }
            if !block || deadline_ns.is_some_and(|deadline_ns| clock::now_ns() >= deadline_ns) {
                return Err(PyErr::from_value(Standard::get(py)?.queue_empty.bind(py).call0()?));
            }
            attach::detached(py, || std::thread::park_timeout(pause));
            py.check_signals()?;
            pause = (pause * 2).min(std::time::Duration::from_millis(20));
        }
    }

    fn get_nowait(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.get(py, false, None)
    }
}

/// Whether the standard library takes the interpreter to be exiting.
fn is_exiting(py: Python<'_>) -> PyResult<bool> {
    py.import("concurrent.futures.thread")?.getattr("_shutdown")?.is_truthy()
}

/// What the standard library rings when the interpreter exits, before it joins a worker.
///
/// It is kept beside the thread in a table that lives as long as the thread's object, which the
/// pool's own set keeps; so it must not keep the pool.
#[pyclass(frozen, module = "surefoot._core")]
#[derive(Debug)]
pub(crate) struct ExitBell {
    shared: Weak<Shared>,
}

impl ExitBell {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::downgrade(shared) }
    }
}

#[pymethods]
impl ExitBell {
    /// Has the pool take no more tasks. The item is the standard library's `None`.
    fn put(&self, item: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Some(shared) = self.shared.upgrade()
            && is_exiting(item.py())?
        {
            shared.close(Closed::Exit);
        }
        Ok(())
    }
}

/// A queued task as the standard library's `_WorkItem` shows it.
#[pyclass(frozen, module = "surefoot._core")]
#[derive(Debug)]
pub(crate) struct WorkItem {
    future: Py<FutureCore>,
    task: Option<Task>,
}

#[pymethods]
impl WorkItem {
    #[getter]
    fn future(&self, py: Python<'_>) -> Py<FutureCore> {
        self.future.clone_ref(py)
    }

    #[getter(r#fn)]
    fn function(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.task.as_ref().map(|task| task.function.clone_ref(py))
    }

    #[getter]
    fn args(&self, py: Python<'_>) -> Option<Py<PyTuple>> {
        self.task.as_ref().map(|task| task.args.clone_ref(py))
    }

    #[getter]
    fn kwargs<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyDict>> {
        let task = self.task.as_ref()?;
        Some(task.kwargs.as_ref().map_or_else(|| PyDict::new(py), |kwargs| kwargs.bind(py).clone()))
    }

    /// `(fn, args, kwargs)`, as items have it from 3.14 on.
    #[getter]
    fn task<'py>(&self, py: Python<'py>) -> Option<(Py<PyAny>, Py<PyTuple>, Bound<'py, PyDict>)> {
        Some((self.function(py)?, self.args(py)?, self.kwargs(py)?))
    }

    /// Runs the task in the calling thread. `ctx` is 3.14's worker context, not needed.
    #[pyo3(signature = (ctx=None))]
    fn run(&self, py: Python<'_>, ctx: Option<Py<PyAny>>) -> PyResult<()> {
        drop(ctx);
        let future = self.future.bind(py);
        let Some(task) = FutureCore::begin(future)? else { return Ok(()) };
        let ending = match task.call(py) {
            Ok(value) => Ending::Returned(value),
            Err(error) => Ending::Raised(error.into_value(py).into_any()),
        };
        FutureCore::end(future, ending).map(drop)
    }
}
