//! The one door between Rust and the interpreter: the only file that attaches, detaches, or lets
//! Python code run.
//!
//! Rules of the house:
//! 1. No thread waits for the interpreter while it holds a Rust lock, and none runs Python code or
//!    drops a Python object that may have a finalizer under one. So a Rust lock may be taken while
//!    attached: whoever holds it lets go soon, without needing the interpreter.
//! 2. Python code is entered through [`call`] (and [`release`], for finalizers). Before 3.14 a
//!    thread that wants the interpreter while it is being finalized is ended by `pthread_exit`,
//!    from deep inside, and that unwinds through our frames, which is undefined. A thread that
//!    finds itself so ended hangs in here instead, as it does by itself from 3.14 on (gh-87135);
//!    `PyO3` does the same where a thread re-attaches.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::handover;

/// Leaves the interpreter while `wait` runs. Everything that may block goes through here.
#[expect(clippy::disallowed_methods, reason = "this file is the interpreter's door")]
pub(crate) fn detached<T, F>(py: Python<'_>, wait: F) -> T
where
    F: Send + FnOnce() -> T,
    T: Send,
{
    let waited = py.detach(|| {
        handover::detached();
        let waited = wait();
        RETURNING.fetch_add(1, Ordering::Relaxed);
        waited
    });
    RETURNING.fetch_sub(1, Ordering::Relaxed);
    waited
}

static RETURNING: AtomicU32 = AtomicU32::new(0);

/// Threads that have waited in [`detached`] and are on their way back. Those that the GIL's sensor
/// counts among its waiters wait between tasks, or outside of any, and not in one.
pub(crate) fn returning() -> u32 {
    RETURNING.load(Ordering::Relaxed)
}

/// A forked child has none of the threads that were on their way.
pub(crate) fn after_fork_in_child() {
    RETURNING.store(0, Ordering::Relaxed);
}

/// Attaches a thread of ours that is no Python thread; `None` while the interpreter goes down.
#[expect(clippy::disallowed_methods, reason = "this file is the interpreter's door")]
pub(crate) fn try_attached<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    Python::try_attach(work)
}

/// The same functions as `PyO3`'s, declared as what they are before 3.14: able to unwind.
#[cfg(unix)]
mod unwinding {
    use pyo3::ffi;

    unsafe extern "C-unwind" {
        pub(super) fn PyObject_Call(
            callable: *mut ffi::PyObject,
            args: *mut ffi::PyObject,
            kwargs: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject;
        pub(super) fn Py_DecRef(object: *mut ffi::PyObject);
    }
}
#[cfg(not(unix))]
use pyo3::ffi as unwinding;

/// Hangs the thread if it is dropped: only an unwinding thread does that.
struct HangInstead;

impl Drop for HangInstead {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

/// Calls a Python object: a new reference, or null with an exception set.
///
/// Apart from [`conclude`], so that no room for the outcome is on the stack during the call.
#[inline]
pub(crate) fn call_raw<'py>(
    callable: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> *mut ffi::PyObject {
    let kwargs = kwargs.map_or(std::ptr::null_mut(), Bound::as_ptr);
    let hang = HangInstead;
    // SAFETY: attached, by the `Bound`s; a live callable, tuple, and dict or null.
    let result = unsafe { unwinding::PyObject_Call(callable.as_ptr(), args.as_ptr(), kwargs) };
    std::mem::forget(hang);
    result
}

/// What a [`call_raw`] returned.
#[inline(never)]
pub(crate) fn conclude(py: Python<'_>, raw: *mut ffi::PyObject) -> PyResult<Py<PyAny>> {
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, raw) }.map(Bound::unbind)
}

/// Makes a call (see [`call_raw`]) in a `contextvars.Context`, as `Context.run` does.
#[inline(never)]
pub(crate) fn in_context(
    py: Python<'_>,
    context: Py<PyAny>,
    call: impl FnOnce() -> *mut ffi::PyObject,
) -> PyResult<Py<PyAny>> {
    // SAFETY: attached, by `py`, and a live object, which is checked to be a context.
    let ended = if unsafe { ffi::PyContext_Enter(context.as_ptr()) } == 0 {
        let raw = call();
        // SAFETY: as above; it is the context that was entered last, unless the task says otherwise.
        if unsafe { ffi::PyContext_Exit(context.as_ptr()) } == 0 {
            conclude(py, raw)
        } else {
            // The error of leaving stands, as in `Context.run`.
            let error = PyErr::fetch(py);
            // SAFETY: a new reference, or null; the exception is not set any more.
            drop(unsafe { Bound::from_owned_ptr_or_opt(py, raw) });
            Err(error)
        }
    } else {
        Err(PyErr::fetch(py))
    };
    release(py, context);
    ended
}

/// Calls a Python object.
pub(crate) fn call<'py>(
    callable: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let raw = call_raw(callable, args, kwargs);
    conclude(callable.py(), raw).map(|result| result.into_bound(callable.py()))
}

/// Calls a method of a Python object.
pub(crate) fn call_method<'py, A>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    args: A,
) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
    PyErr: From<A::Error>,
{
    call(&object.getattr(name)?, &args.into_pyobject(object.py())?, None)
}

/// Drops a reference that may be the last to something with a finalizer.
pub(crate) fn release<T>(_py: Python<'_>, object: Py<T>) {
    let object = object.into_ptr();
    let hang = HangInstead;
    // SAFETY: attached, by `_py`; the reference was ours and is given up here.
    unsafe { unwinding::Py_DecRef(object) };
    std::mem::forget(hang);
}

/// The error for a stored exception, chained to the exception being handled, as `raise` does.
pub(crate) fn raised(py: Python<'_>, exception: &Bound<'_, PyAny>) -> PyErr {
    // SAFETY: both are live objects, and an exception's type is an exception class.
    unsafe { ffi::PyErr_SetObject(exception.get_type().as_ptr(), exception.as_ptr()) };
    PyErr::fetch(py)
}
