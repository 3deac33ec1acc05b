//! The one door between Rust and the interpreter: the only file that attaches or detaches.
//!
//! Rule of the house: no thread waits for the interpreter while it holds a Rust lock, and none
//! runs Python code or drops a Python object under one. So a Rust lock may be taken while
//! attached: whoever holds it lets go soon, without needing the interpreter.

use pyo3::marker::Ungil;
use pyo3::prelude::*;

/// Leaves the interpreter while `wait` runs. Everything that may block goes through here.
#[expect(clippy::disallowed_methods, reason = "this file is the interpreter's door")]
pub(crate) fn detached<T, F>(py: Python<'_>, wait: F) -> T
where
    F: Ungil + FnOnce() -> T,
    T: Ungil,
{
    py.detach(wait)
}

/// Attaches a thread of ours that is no Python thread; `None` while the interpreter goes down.
#[expect(clippy::disallowed_methods, reason = "this file is the interpreter's door")]
pub(crate) fn try_attached<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    Python::try_attach(work)
}
