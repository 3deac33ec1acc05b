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
}

impl Task {
    /// Makes the call. The arguments are gone when it returns, before anybody can see the result.
    pub(crate) fn call(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let Self { function, args, kwargs } = self;
        let ended =
            attach::call(function.bind(py), args.bind(py), kwargs.as_ref().map(|kwargs| kwargs.bind(py)));
        attach::release(py, function);
        attach::release(py, args);
        if let Some(kwargs) = kwargs {
            attach::release(py, kwargs);
        }
        ended.map(Bound::unbind)
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            function: self.function.clone_ref(py),
            args: self.args.clone_ref(py),
            kwargs: self.kwargs.as_ref().map(|kwargs| kwargs.clone_ref(py)),
        }
    }

    pub(crate) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        visit.call(&self.args)?;
        visit.call(&self.kwargs)
    }
}
