//! What we use of the standard library, looked up once at import.
//!
//! The originals are kept on purpose: other packages replace `ThreadPoolExecutor.submit`, and
//! [`Standard::is_submit_patched`] tells whether one did.

use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::attach;
use crate::function;
use crate::name::name;

/// Objects of `concurrent.futures`, and what `surefoot.executor` hands in.
#[derive(Debug)]
pub(crate) struct Standard {
    pub(crate) cancelled_error: Py<PyAny>,
    pub(crate) timeout_error: Py<PyAny>,
    pub(crate) invalid_state_error: Py<PyAny>,
    pub(crate) broken_thread_pool: Py<PyAny>,
    pub(crate) queue_empty: Py<PyAny>,
    /// `surefoot.QueueFull`.
    pub(crate) queue_full: Py<PyAny>,
    /// The module `surefoot.journal`.
    pub(crate) journal: Py<PyAny>,
    /// `surefoot.condition.Condition`.
    pub(crate) make_condition: Py<PyAny>,
    executor: Py<PyType>,
    submit: Py<PyAny>,
    logger: Py<PyAny>,
    /// `surefoot.Future`.
    pub(crate) future: Py<PyType>,
    /// A Python function that does nothing: entering one is how a thread gives way to others.
    pub(crate) breath: Py<PyAny>,
    /// What `_WorkItem.run` takes on 3.14 and newer; `None` before.
    pub(crate) worker_context: Option<Py<PyAny>>,
}

static STANDARD: PyOnceLock<Standard> = PyOnceLock::new();

/// What the package itself puts in the place of `submit` to observe standard pools; it is kept.
static OBSERVING_SUBMIT: AtomicPtr<ffi::PyObject> = AtomicPtr::new(std::ptr::null_mut());

impl Standard {
    /// The objects; an error before [`configure`] was called.
    pub(crate) fn get(py: Python<'_>) -> PyResult<&Self> {
        STANDARD.get(py).ok_or_else(|| {
            pyo3::exceptions::PyRuntimeError::new_err("surefoot._core is used without surefoot")
        })
    }

    /// Names the function by which the package observes `submit`, if it stands on the original.
    pub(crate) fn set_observing_submit(&self, function: Py<PyAny>, below: &Bound<'_, PyAny>) {
        if below.is(&self.submit) {
            // Relaxed: only the address is compared. The one before leaves its reference behind, so
            // that its address stays its own.
            OBSERVING_SUBMIT.store(function.into_ptr(), Ordering::Relaxed);
        }
    }

    /// Whether somebody replaced `ThreadPoolExecutor.submit` since the import.
    pub(crate) fn is_submit_patched(&self, py: Python<'_>) -> PyResult<bool> {
        let submit = self.executor.bind(py).getattr(name!(py, "submit"))?;
        let is_ours = || submit.as_ptr() == OBSERVING_SUBMIT.load(Ordering::Relaxed);
        Ok(!submit.is(&self.submit) && !is_ours())
    }

    /// Calls `ThreadPoolExecutor.submit` as it is now.
    pub(crate) fn call_submit<'py>(
        &self,
        executor: &Bound<'py, PyAny>,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = executor.py();
        let mut all = Vec::with_capacity(args.len() + 2);
        all.push(executor.clone());
        all.push(function.clone());
        all.extend(args.iter());
        attach::call(&self.executor.bind(py).getattr(name!(py, "submit"))?, &PyTuple::new(py, all)?, kwargs)
    }

    /// Logs at CRITICAL on `concurrent.futures`, as the standard worker does, with the exception.
    pub(crate) fn critical(&self, py: Python<'_>, message: &str, error: PyErr) {
        self.log(py, name!(py, "critical"), (message,), error);
    }

    /// Logs an exception out of a callback, as the standard future does.
    pub(crate) fn callback_failed(&self, py: Python<'_>, future: &Bound<'_, PyAny>, error: PyErr) {
        let args = ("exception calling callback for %r", future);
        self.log(py, name!(py, "error"), args, error);
    }

    fn log<'py, A>(&self, py: Python<'py>, level: &Bound<'py, PyString>, args: A, error: PyErr)
    where
        A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
        PyErr: From<A::Error>,
    {
        let report = || {
            let kwargs = PyDict::new(py);
            kwargs.set_item(name!(py, "exc_info"), error.into_value(py))?;
            attach::call(&self.logger.bind(py).getattr(level)?, &args.into_pyobject(py)?, Some(&kwargs))
        };
        // A logger that raises must not end a worker; the interpreter prints what it raised.
        if let Err(error) = report() {
            error.write_unraisable(py, None);
        }
    }
}

/// Looks everything up. Called by `surefoot.executor` while it is imported.
#[pyfunction]
pub(crate) fn configure(
    py: Python<'_>,
    future: Py<PyType>,
    condition: Py<PyAny>,
    breath: Py<PyAny>,
    queue_full: Py<PyAny>,
    journal: Py<PyAny>,
    worker_context: Option<Py<PyAny>>,
) -> PyResult<()> {
    let base = py.import("concurrent.futures._base")?;
    let thread = py.import("concurrent.futures.thread")?;
    let executor = thread.getattr("ThreadPoolExecutor")?.cast_into::<PyType>()?;
    let standard = Standard {
        cancelled_error: base.getattr("CancelledError")?.unbind(),
        timeout_error: base.getattr("TimeoutError")?.unbind(),
        invalid_state_error: base.getattr("InvalidStateError")?.unbind(),
        broken_thread_pool: thread.getattr("BrokenThreadPool")?.unbind(),
        queue_empty: py.import("queue")?.getattr("Empty")?.unbind(),
        queue_full,
        journal,
        make_condition: condition,
        submit: executor.getattr("submit")?.unbind(),
        executor: executor.unbind(),
        logger: base.getattr("LOGGER")?.unbind(),
        future,
        breath,
        worker_context,
    };
    // Now, while no other thread can fork in the middle of it.
    function::start(py)?;
    // A second import finds the first one's objects.
    drop(STANDARD.set(py, standard));
    Ok(())
}
