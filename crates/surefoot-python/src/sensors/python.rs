//! The sensors as Python sees them: for `surefoot doctor`, and for tests. Private to the package.

use std::hint::black_box;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use surefoot_core::clock;
use surefoot_core::gil::{GilReading, GilState};

use crate::attach;
use crate::sensors::census::{self, Counts, Kind};
use crate::sensors::{gil, report};

/// One look at the GIL, as a dictionary: `kind` is `"unknown"`, `"off"` or `"seen"`; if seen, with
/// `is_held`, `waiters`, `waits`, `switches`.
#[pyfunction]
pub(crate) fn gil_reading(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    gil::start(py);
    reading(py, gil::read())
}

fn reading(py: Python<'_>, reading: GilReading) -> PyResult<Bound<'_, PyDict>> {
    let fields = PyDict::new(py);
    match reading {
        GilReading::Unknown => fields.set_item("kind", "unknown")?,
        GilReading::Off => fields.set_item("kind", "off")?,
        GilReading::Seen(GilState { is_held, waiters, waits, switches }) => {
            fields.set_item("kind", "seen")?;
            fields.set_item("is_held", is_held)?;
            fields.set_item("waiters", waiters)?;
            fields.set_item("waits", waits)?;
            fields.set_item("switches", switches)?;
        }
    }
    Ok(fields)
}

/// Looks at the GIL without holding it, `seconds` long, once every `interval_s`, and every tenth
/// time at each of these threads; in means and differences.
#[pyfunction]
#[pyo3(signature = (seconds, interval_s, thread_ids))]
#[expect(clippy::needless_pass_by_value, reason = "a Python function is handed what it is called with")]
pub(crate) fn gil_observe(
    py: Python<'_>,
    seconds: f64,
    interval_s: f64,
    thread_ids: Vec<u64>,
) -> PyResult<Bound<'_, PyDict>> {
    gil::start(py);
    let interval = Duration::from_secs_f64(interval_s);
    let observed = attach::detached(py, || observe(seconds, interval, &thread_ids));
    let fields = PyDict::new(py);
    fields.set_item("looks", observed.looks)?;
    fields.set_item("seen", observed.seen)?;
    fields.set_item("seconds", observed.seconds)?;
    fields.set_item("held_mean", observed.held)?;
    fields.set_item("waiters_mean", observed.waiters)?;
    fields.set_item("waits", observed.waits)?;
    fields.set_item("switches", observed.switches)?;
    fields.set_item("rounds", observed.rounds)?;
    let per_round = |sum: u32| f64::from(sum) / f64::from(observed.rounds.max(1));
    fields.set_item("census_running_mean", per_round(observed.census.running))?;
    fields.set_item("census_gil_mean", per_round(observed.census.gil))?;
    fields.set_item("census_hand_over_mean", per_round(observed.census.hand_over))?;
    fields.set_item("census_lock_mean", per_round(observed.census.lock))?;
    fields.set_item("census_io_mean", per_round(observed.census.io))?;
    Ok(fields)
}

#[derive(Debug, Default)]
struct Observed {
    looks: u32,
    seen: u32,
    seconds: f64,
    /// Means over time: looks come late when the cores are crowded, and that is when many wait.
    held: f64,
    waiters: f64,
    waits: u64,
    switches: u64,
    /// Rounds of the census, and what they counted together.
    rounds: u32,
    census: Counts,
}

/// Looks for each round of the census.
const LOOKS_A_ROUND: u32 = 10;

fn observe(seconds: f64, interval: Duration, thread_ids: &[u64]) -> Observed {
    let mut observed = Observed::default();
    let mut last: Option<(GilState, f64)> = None;
    let mut seen_s = 0.0;
    let begin_ns = clock::now_ns();
    // Nobody sends: this is a pause.
    let (_send, pause) = channel::<()>();
    loop {
        observed.looks += 1;
        observed.seconds = (clock::now_ns() - begin_ns) as f64 / 1e9;
        if let GilReading::Seen(state) = gil::read() {
            observed.seen += 1;
            if let Some((last, at_s)) = last {
                let span_s = observed.seconds - at_s;
                let mean = |before: u32, now: u32| f64::from(before + now) / 2.0;
                let waiters = |state: GilState| state.waiters.unwrap_or(0);
                seen_s += span_s;
                observed.held += span_s * mean(last.is_held.into(), state.is_held.into());
                observed.waiters += span_s * mean(waiters(last), waiters(state));
                observed.waits += grown(state.waits, last.waits);
                observed.switches += grown(state.switches, last.switches);
            }
            last = Some((state, observed.seconds));
        }
        if observed.looks.is_multiple_of(LOOKS_A_ROUND)
            && !thread_ids.is_empty()
            && let Ok(kinds) = census::look(thread_ids)
        {
            observed.rounds += 1;
            observed.census.add(Counts::of(&kinds));
        }
        if observed.seconds >= seconds || pause.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    if seen_s > 0.0 {
        observed.held /= seen_s;
        observed.waiters /= seen_s;
    }
    observed
}

fn grown(now: Option<u64>, before: Option<u64>) -> u64 {
    match (now, before) {
        (Some(now), Some(before)) => now.wrapping_sub(before),
        _ => 0,
    }
}

/// What one look costs, in nanoseconds, over `rounds` looks.
#[pyfunction]
pub(crate) fn gil_look_cost_ns(py: Python<'_>, rounds: u32) -> f64 {
    gil::start(py);
    let begin_ns = clock::now_ns();
    for _ in 0..rounds {
        black_box(gil::read());
    }
    (clock::now_ns() - begin_ns) as f64 / f64::from(rounds.max(1))
}

/// What each sensor says of itself.
#[pyfunction]
pub(crate) fn sensors_report(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let lines = report::all().into_iter().map(|sensor| sensor.report(py));
    lines
        .map(|line| {
            let fields = PyDict::new(py);
            fields.set_item("name", line.name)?;
            fields.set_item("method", line.method)?;
            fields.set_item("works", line.is_working)?;
            fields.set_item("error", line.error)?;
            fields.set_item("reason", line.reason)?;
            Ok(fields)
        })
        .collect()
}

/// Total time in nanoseconds that threads have spent waiting for the GIL, and the number of waits,
/// since the first call, which puts a hook into the interpreter: for tests.
#[pyfunction]
pub(crate) fn gil_wait_oracle(py: Python<'_>) -> PyResult<(u64, u64)> {
    let waited = gil::waited(py).map_err(PyRuntimeError::new_err)?;
    Ok((waited.waited_ns, waited.rounds))
}

/// What each of these threads is blocked in, by the kernel's ids.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "a Python function is handed what it is called with")]
pub(crate) fn thread_census(
    py: Python<'_>,
    thread_ids: Vec<u64>,
) -> PyResult<Vec<(&'static str, Option<i64>)>> {
    gil::start(py);
    let kinds = census::look(&thread_ids).map_err(PyRuntimeError::new_err)?;
    Ok(kinds.into_iter().map(named).collect())
}

fn named(kind: Kind) -> (&'static str, Option<i64>) {
    match kind {
        Kind::Running => ("running", None),
        Kind::Gil => ("gil", None),
        Kind::HandOver => ("hand-over", None),
        Kind::Lock => ("lock", None),
        Kind::Io(number) => ("io", Some(number)),
        Kind::Fault => ("io", None),
        Kind::Gone => ("gone", None),
    }
}
