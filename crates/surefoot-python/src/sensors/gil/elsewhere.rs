//! Platforms whose condition variables cannot be read, or whose interpreter nobody has tried.

use std::ops::Range;

use pyo3::prelude::*;
use surefoot_core::gil::GilReading;

/// Why there is no sensor.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) why: String,
    pub(super) is_off: bool,
}

/// How well the count of waiters is proved.
#[derive(Debug)]
pub(super) enum Proof {
    #[expect(dead_code, reason = "the same type as where there is a sensor")]
    Whole(String),
    #[expect(dead_code, reason = "the same type as where there is a sensor")]
    Part(String),
}

/// Nothing is known of where threads sleep.
pub(crate) fn sleeping_places() -> Option<(Range<usize>, Range<usize>)> {
    None
}

/// Nothing can be read.
pub(super) fn read() -> GilReading {
    GilReading::Unknown
}

/// Nobody is known to hold it.
pub(super) fn holder() -> Option<u64> {
    None
}

/// Says that there is no sensor; on a free-threaded build none may be needed.
pub(super) fn find(py: Python<'_>) -> Result<String, Failure> {
    let ask = || py.import("sys")?.getattr("_is_gil_enabled")?.call0()?.extract::<bool>();
    let why = "not here: it needs 64-bit Linux with glibc".to_owned();
    Err(Failure { why, is_off: ask().is_ok_and(|is_on| !is_on) })
}

/// Never reached: [`find`] fails.
pub(super) fn count_waiters(
    _py: Python<'_>,
    _disprove: fn(String),
    _again: fn(Python<'_>),
) -> Result<Proof, String> {
    Err("not here".to_owned())
}

/// There are none to forget.
pub(super) fn forget_waiters() {}

/// Waits that have ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waited {
    pub(crate) waited_ns: u64,
    pub(crate) rounds: u64,
}

/// There is no oracle either.
pub(crate) fn waited(_py: Python<'_>) -> Result<Waited, String> {
    Err("not here".to_owned())
}
