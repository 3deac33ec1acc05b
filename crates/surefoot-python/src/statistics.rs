//! The statistics of the command line, for figures and tables that are made in Python.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use surefoot_cli::bootstrap::{self, Estimate};

use crate::attach;

/// The median of the samples, and where its 95 % interval begins and ends; all in the unit of the samples.
///
/// # Errors
///
/// `ValueError` unless there is one sample at least and all are finite.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "a Python function is handed what it is called with")]
pub(crate) fn median_interval(py: Python<'_>, samples: Vec<f64>) -> PyResult<(f64, f64, f64)> {
    attach::detached(py, || bootstrap::median_interval(&samples))
        .map(tuple)
        .ok_or_else(|| PyValueError::new_err("expected one sample at least, and all of them finite"))
}

/// The ratio of the medians of two sets of samples, and where its 95 % interval begins and ends.
///
/// # Errors
///
/// `ValueError` unless there is one sample at least on both sides, all are finite, and all denominators are above 0.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "a Python function is handed what it is called with")]
pub(crate) fn ratio_interval(
    py: Python<'_>,
    numerators: Vec<f64>,
    denominators: Vec<f64>,
) -> PyResult<(f64, f64, f64)> {
    attach::detached(py, || bootstrap::ratio_interval(&numerators, &denominators)).map(tuple).ok_or_else(
        || {
            PyValueError::new_err(
                "expected one sample at least on both sides, all of them finite, and denominators above 0",
            )
        },
    )
}

fn tuple(estimate: Estimate) -> (f64, f64, f64) {
    (estimate.value, estimate.low, estimate.high)
}
