//! The door to the command line, which lives in a crate without Python.

use std::path::PathBuf;

use pyo3::prelude::*;

use crate::attach;

/// Runs `surefoot` with these arguments (the first is the program's name), with `python` as the
/// interpreter of its runs; returns the exit code.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "a Python function is handed what it is called with")]
pub(crate) fn run_cli(py: Python<'_>, argv: Vec<String>, python: PathBuf) -> i32 {
    attach::detached(py, || surefoot_cli::run(&argv, &python))
}
