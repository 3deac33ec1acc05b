//! The cap that this machine and process can bear, for Python.

use pyo3::prelude::*;
use surefoot_core::capacity;

/// The cap and the reason for it.
#[pyfunction]
pub(crate) fn default_cap() -> (usize, String) {
    let cap = capacity::cap(&capacity::room());
    (cap.workers, cap.reason)
}
