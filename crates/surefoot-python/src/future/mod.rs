//! The future: `concurrent.futures.Future` with its state in Rust.
//!
//! `surefoot.Future` derives from [`FutureCore`] and from the standard class. It carries its task,
//! so that a submitted call is one object, and makes `_condition`, `_waiters` and the list of
//! callbacks only when somebody asks for them: most futures are only ever asked for their result.
//!
//! How the two kinds of lock go together:
//! 1. As long as no condition exists, a state changes under the cell's lock alone.
//! 2. Once one exists, who changes the state acquires it first and takes the cell's lock inside.
//! 3. The condition is made under the cell's lock, so a change sees either none (and ends before
//!    the condition can be had: who then acquires it reads the new state) or the one that all use.

mod cell;
mod gate;

use std::sync::Mutex;

use pyo3::exceptions::{PyException, PyOverflowError, PyRuntimeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use surefoot_core::clock;
use surefoot_core::sync::lock_std;

use crate::attach;
use crate::join::{Joining, PoolId};
use crate::name::name;
use crate::standard::Standard;
use crate::task::Task;
use cell::{Begin, Callbacks, Cancel, Cell, Phase};
use gate::Gate;

pub(crate) use cell::Ending;

/// Longest wait that the standard library accepts, `threading.TIMEOUT_MAX` on 64-bit machines.
const MOST_TIMEOUT_S: f64 = 9_223_372_036.0;

/// The Rust half of `surefoot.Future`.
#[pyclass(frozen, subclass, module = "surefoot._core")]
#[derive(Debug, Default)]
pub(crate) struct FutureCore {
    cell: Mutex<Cell>,
    gate: Gate,
}

/// Whether Python code (callbacks, waiters) ran while the future ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Announced {
    ToNobody,
    ToSomebody,
}

impl FutureCore {
    /// Makes a `surefoot.Future` that carries `task`.
    pub(crate) fn with_task<'py>(
        py: Python<'py>,
        standard: &Standard,
        task: Task,
        pool: PoolId,
    ) -> PyResult<Bound<'py, Self>> {
        let class = standard.future.bind(py);
        let future = new_instance(class)?;
        let mut cell = lock_std(&future.get().cell);
        cell.task = Some(task);
        cell.pool = pool;
        drop(cell);
        Ok(future)
    }

    /// Takes the task to run it; `None` if it was cancelled.
    pub(crate) fn begin(slf: &Bound<'_, Self>) -> PyResult<Option<Task>> {
        match Self::start(slf)? {
            Begin::Run(task) => Ok(task),
            Begin::Cancelled => Ok(None),
            Begin::Unexpected(phase) => Err(Self::unexpected(slf, phase)),
        }
    }

    /// Ends the future and tells everybody.
    pub(crate) fn end(slf: &Bound<'_, Self>, ending: Ending) -> PyResult<Announced> {
        let py = slf.py();
        let told = match &ending {
            Ending::Returned(_) => name!(py, "add_result"),
            Ending::Raised(_) => name!(py, "add_exception"),
        };
        let (ended, with_condition) =
            Self::change(slf, |cell| cell.finish(ending), |ended| ended.is_ok().then_some(told))?;
        let callbacks = match ended {
            Ok(callbacks) => callbacks,
            Err((phase, ending)) => {
                drop(ending);
                return Err(Self::invalid_state(slf, phase)?);
            }
        };
        let with_callbacks = callbacks.is_some();
        Self::invoke_callbacks(slf, callbacks)?;
        Ok(if with_condition || with_callbacks { Announced::ToSomebody } else { Announced::ToNobody })
    }

    fn invalid_state(slf: &Bound<'_, Self>, phase: Phase) -> PyResult<PyErr> {
        let message = format!("{}: {}", phase.name(), slf.repr()?);
        let error = Standard::get(slf.py())?.invalid_state_error.bind(slf.py()).call1((message,))?;
        Ok(PyErr::from_value(error))
    }

    fn start(slf: &Bound<'_, Self>) -> PyResult<Begin> {
        let told = name!(slf.py(), "add_cancelled");
        let (begin, _) =
            Self::change(slf, Cell::begin, |begin| matches!(begin, Begin::Cancelled).then_some(told))?;
        Ok(begin)
    }

    fn unexpected(slf: &Bound<'_, Self>, phase: Phase) -> PyErr {
        let py = slf.py();
        let error = PyRuntimeError::new_err("Future in unexpected state");
        if let Ok(standard) = Standard::get(py) {
            let message = format!("Future {} in unexpected state: {}", slf.as_ptr() as usize, phase.name());
            standard.critical(py, &message, error.clone_ref(py));
        }
        error
    }

    /// Changes the state by the rule of this module's head. If `told` names a method, every waiter
    /// is told through it. Says whether there was a condition.
    fn change<'py, R>(
        slf: &Bound<'py, Self>,
        change: impl FnOnce(&mut Cell) -> R,
        told: impl FnOnce(&R) -> Option<&'py Bound<'py, PyString>>,
    ) -> PyResult<(R, bool)> {
        let (py, this) = (slf.py(), slf.get());
        let mut cell = lock_std(&this.cell);
        let Some(condition) = &cell.condition else {
            let changed = change(&mut cell);
            let is_done = cell.phase.is_done();
            drop(cell);
            if is_done {
                this.gate.open();
            }
            return Ok((changed, false));
        };
        let condition = condition.bind(py).clone();
        drop(cell);
        attach::call_method(&condition, name!(py, "acquire"), ())?;
        let mut cell = lock_std(&this.cell);
        let changed = change(&mut cell);
        let is_done = cell.phase.is_done();
        let waiters = cell.waiters.as_ref().map(|waiters| waiters.bind(py).clone());
        drop(cell);
        if is_done {
            this.gate.open();
        }
        let announce = || {
            if let (Some(told), Some(waiters)) = (told(&changed), waiters) {
                for waiter in waiters {
                    attach::call_method(&waiter, told, (slf,))?;
                }
            }
            if is_done {
                attach::call_method(&condition, name!(py, "notify_all"), ())?;
            }
            PyResult::Ok(())
        };
        let announced = announce();
        attach::call_method(&condition, name!(py, "release"), ())?;
        announced?;
        Ok((changed, true))
    }

    /// Calls the callbacks in the order they were added.
    fn invoke_callbacks(slf: &Bound<'_, Self>, callbacks: Callbacks) -> PyResult<()> {
        for callback in callbacks.into_iter().flat_map(|callbacks| callbacks.into_bound(slf.py())) {
            Self::invoke_callback(slf, &callback)?;
        }
        Ok(())
    }

    fn invoke_callback(slf: &Bound<'_, Self>, callback: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        match attach::call(callback, &PyTuple::new(py, [slf])?, None) {
            Err(error) if error.is_instance_of::<PyException>(py) => {
                Standard::get(py)?.callback_failed(py, slf.as_any(), error);
                Ok(())
            }
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }

    /// Waits for the end; the cell's lock is free again.
    fn wait(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        if this.gate.is_open() {
            return Ok(());
        }
        let deadline_ns = timeout.map(deadline_ns).transpose()?;
        let pool = lock_std(&this.cell).pool;
        let joining = Joining::begin(py, pool);
        let is_open = this.gate.wait(py, deadline_ns);
        drop(joining);
        if is_open? {
            return Ok(());
        }
        let error = Standard::get(py)?.timeout_error.bind(py).call0()?;
        Err(PyErr::from_value(error))
    }

    fn cancelled_error(py: Python<'_>) -> PyResult<PyErr> {
        Ok(PyErr::from_value(Standard::get(py)?.cancelled_error.bind(py).call0()?))
    }

    /// A copy of the task, for those who look into the queue.
    pub(crate) fn task(&self, py: Python<'_>) -> Option<Task> {
        lock_std(&self.cell).task.as_ref().map(|task| task.clone_ref(py))
    }
}

fn deadline_ns(timeout_s: f64) -> PyResult<u64> {
    if timeout_s.is_nan() {
        return Err(PyValueError::new_err("Invalid value NaN (not a number)"));
    }
    if timeout_s > MOST_TIMEOUT_S {
        return Err(PyOverflowError::new_err("timestamp too large to convert to C PyTime_t"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded just above")]
    let wait_ns = (timeout_s.max(0.0) * 1e9) as u64;
    Ok(clock::now_ns().saturating_add(wait_ns))
}

/// Makes an instance of `class`, which derives from [`FutureCore`], without calling `__init__`:
/// the standard one would make the condition that we make later, if at all.
fn new_instance<'py>(class: &Bound<'py, pyo3::types::PyType>) -> PyResult<Bound<'py, FutureCore>> {
    let py = class.py();
    let empty = PyTuple::empty(py);
    // SAFETY: `class` is a live type object, whose `tp_new` slot is filled for every heap type.
    let new = unsafe { (*class.as_type_ptr()).tp_new };
    let new = new.ok_or_else(|| PyRuntimeError::new_err("Future cannot be made"))?;
    // SAFETY: a `tp_new` is called with a type, a tuple and a dict or null, while attached.
    let instance = unsafe { new(class.as_type_ptr(), empty.as_ptr(), std::ptr::null_mut()) };
    // SAFETY: it returned a new reference, or null with an exception set.
    let instance = unsafe { Bound::from_owned_ptr_or_err(py, instance) }?;
    Ok(instance.cast_into::<FutureCore>()?)
}

#[pymethods]
impl FutureCore {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn cancel(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let (cancel, _) = Self::change(slf, Cell::cancel, |_| None)?;
        match cancel {
            Cancel::TooLate => return Ok(false),
            Cancel::Before => {}
            Cancel::Now(task, callbacks) => {
                drop(task);
                Self::invoke_callbacks(slf, callbacks)?;
            }
        }
        Ok(true)
    }

    fn cancelled(&self) -> bool {
        lock_std(&self.cell).phase.is_cancelled()
    }

    fn running(&self) -> bool {
        lock_std(&self.cell).phase == Phase::Running
    }

    fn done(&self) -> bool {
        lock_std(&self.cell).phase.is_done()
    }

    #[pyo3(signature = (timeout=None))]
    fn result(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        Self::wait(slf, timeout)?;
        let cell = lock_std(&slf.get().cell);
        if cell.phase.is_cancelled() {
            drop(cell);
            return Err(Self::cancelled_error(py)?);
        }
        if let Some(exception) = &cell.exception {
            let exception = exception.bind(py).clone();
            drop(cell);
            return Err(attach::raised(py, &exception));
        }
        Ok(cell.result.as_ref().map_or_else(|| py.None(), |result| result.clone_ref(py)))
    }

    #[pyo3(signature = (timeout=None))]
    fn exception(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        Self::wait(slf, timeout)?;
        let cell = lock_std(&slf.get().cell);
        if cell.phase.is_cancelled() {
            drop(cell);
            return Err(Self::cancelled_error(py)?);
        }
        Ok(cell.exception.as_ref().map(|exception| exception.clone_ref(py)))
    }

    #[pyo3(signature = (r#fn))]
    fn add_done_callback(slf: &Bound<'_, Self>, r#fn: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let list = PyList::empty(py);
        let mut cell = lock_std(&slf.get().cell);
        if cell.phase.is_done() {
            drop(cell);
            return Self::invoke_callback(slf, r#fn);
        }
        // Appending allocates memory but runs no Python code and drops nothing.
        cell.callbacks.get_or_insert_with(|| list.unbind()).bind(py).append(r#fn)
    }

    fn set_running_or_notify_cancel(slf: &Bound<'_, Self>) -> PyResult<bool> {
        match Self::start(slf)? {
            Begin::Run(_task) => Ok(true),
            Begin::Cancelled => Ok(false),
            Begin::Unexpected(phase) => Err(Self::unexpected(slf, phase)),
        }
    }

    fn set_result(slf: &Bound<'_, Self>, result: Py<PyAny>) -> PyResult<()> {
        Self::end(slf, Ending::Returned(result)).map(drop)
    }

    fn set_exception(slf: &Bound<'_, Self>, exception: Py<PyAny>) -> PyResult<()> {
        Self::end(slf, Ending::Raised(exception)).map(drop)
    }

    fn _get_snapshot(&self, py: Python<'_>) -> (bool, bool, Option<Py<PyAny>>, Option<Py<PyAny>>) {
        let cell = lock_std(&self.cell);
        let copy = |slot: &Option<Py<PyAny>>| slot.as_ref().map(|object| object.clone_ref(py));
        (cell.phase.is_done(), cell.phase.is_cancelled(), copy(&cell.result), copy(&cell.exception))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let py = slf.py();
        let copy = |slot: &Option<Py<PyAny>>| slot.as_ref().map(|object| object.bind(py).clone());
        let cell = lock_std(&slf.get().cell);
        let (phase, result, exception) = (cell.phase, copy(&cell.result), copy(&cell.exception));
        drop(cell);
        let name = slf.get_type().name()?;
        let head = format!("<{name} at {:#x} state={}", slf.as_ptr() as usize, phase.description());
        if phase != Phase::Finished {
            return Ok(format!("{head}>"));
        }
        if let Some(error) = exception {
            return Ok(format!("{head} raised {}>", error.get_type().name()?));
        }
        let result = result.unwrap_or_else(|| py.None().into_bound(py));
        Ok(format!("{head} returned {}>", result.get_type().name()?))
    }

    #[getter(_state)]
    fn state<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        // Not in the `match`: the lock would be held while a name is interned, which may detach.
        let phase = lock_std(&self.cell).phase;
        match phase {
            Phase::Pending => name!(py, "PENDING"),
            Phase::Running => name!(py, "RUNNING"),
            Phase::Cancelled => name!(py, "CANCELLED"),
            Phase::CancelledAndNotified => name!(py, "CANCELLED_AND_NOTIFIED"),
            Phase::Finished => name!(py, "FINISHED"),
        }
        .clone()
    }

    #[setter(_state)]
    fn set_state(&self, state: &str) -> PyResult<()> {
        let phase = Phase::ALL
            .into_iter()
            .find(|phase| phase.name() == state)
            .ok_or_else(|| PyValueError::new_err(format!("no state of a future: {state:?}")))?;
        lock_std(&self.cell).phase = phase;
        if phase.is_done() {
            self.gate.open();
        } else {
            self.gate.shut();
        }
        Ok(())
    }

    #[getter(_result)]
    fn stored_result(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock_std(&self.cell).result.as_ref().map(|object| object.clone_ref(py))
    }

    #[setter(_result)]
    fn set_stored_result(&self, result: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut lock_std(&self.cell).result, result);
        drop(before);
    }

    #[getter(_exception)]
    fn stored_exception(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        lock_std(&self.cell).exception.as_ref().map(|object| object.clone_ref(py))
    }

    #[setter(_exception)]
    fn set_stored_exception(&self, exception: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut lock_std(&self.cell).exception, exception);
        drop(before);
    }

    #[getter(_waiters)]
    fn waiters<'py>(&self, py: Python<'py>) -> Bound<'py, PyList> {
        let list = PyList::empty(py).unbind();
        let mut cell = lock_std(&self.cell);
        cell.waiters.get_or_insert(list).bind(py).clone()
    }

    #[getter(_done_callbacks)]
    fn done_callbacks<'py>(&self, py: Python<'py>) -> Bound<'py, PyList> {
        let list = PyList::empty(py).unbind();
        let mut cell = lock_std(&self.cell);
        cell.callbacks.get_or_insert(list).bind(py).clone()
    }

    #[getter(_condition)]
    fn condition<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(condition) = &lock_std(&self.cell).condition {
            return Ok(condition.bind(py).clone());
        }
        let made = Standard::get(py)?.make_condition.bind(py).call0()?;
        let mut cell = lock_std(&self.cell);
        // Another thread may have been faster; all must use the same one.
        Ok(cell.condition.get_or_insert_with(|| made.unbind()).bind(py).clone())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // The collector may come while a thread of this process is inside the lock only if that
        // thread is this one, which allocates nothing in there that could start the collector.
        // If the lock is taken all the same, nothing is visited: the future counts as alive.
        self.cell.try_lock().map_or(Ok(()), |cell| cell.traverse(visit))
    }

    fn __clear__(&self) {
        let before = std::mem::take(&mut *lock_std(&self.cell));
        drop(before);
    }
}
