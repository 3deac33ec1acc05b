//! One submitted call.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::attach;

/// A callable and its arguments.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) function: Py<PyAny>,
    pub(crate) args: Py<PyTuple>,
    pub(crate) kwargs: Option<Py<PyDict>>,
    /// The `contextvars.Context` to run in; `None`: the worker's own.
    pub(crate) context: Option<Py<PyAny>>,
}

impl Task {
    /// Makes the call. The arguments are gone when it returns, before anybody can see the result.
    #[inline]
    pub(crate) fn call(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let Self { function, args, kwargs, context } = self;
        let call = || {
            attach::call_raw(function.bind(py), args.bind(py), kwargs.as_ref().map(|kwargs| kwargs.bind(py)))
        };
        // Before the arguments go: a finalizer of theirs may raise, too.
        let ended = match context {
            None => attach::conclude(py, call()),
            Some(context) => attach::in_context(py, context, call),
        };
        attach::release(py, function);
        attach::release(py, args);
        if let Some(kwargs) = kwargs {
            attach::release(py, kwargs);
        }
        ended
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            function: self.function.clone_ref(py),
            args: self.args.clone_ref(py),
            kwargs: self.kwargs.as_ref().map(|kwargs| kwargs.clone_ref(py)),
            context: self.context.as_ref().map(|context| context.clone_ref(py)),
        }
    }

    pub(crate) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        visit.call(&self.args)?;
        visit.call(&self.kwargs)?;
        visit.call(&self.context)
    }
}
