//! The books as Python reads them; `surefoot.profile.session` makes a record of it.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use surefoot_core::clock;
use surefoot_core::observation::{Distribution, FunctionBook, Point, PoolBook, Seen};
use surefoot_core::share::ShareSums;
use surefoot_core::sync::lock_std;

use crate::observe::books::Observed;
use crate::records;
use crate::sensors::{allowance, clocks};

pub(super) fn read<'py>(py: Python<'py>, observed: &Observed) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    let now_ns = clock::now_ns();
    // Made before the books are locked: nothing that runs Python code may happen while they are.
    let Some(taken) = take(observed) else { return Ok(fields) };
    let duration_ns = now_ns.saturating_sub(observed.began_ns);
    fields.set_item("duration_s", duration_ns as f64 / 1e9)?;
    // On the clock of the pools' decisions.
    fields.set_item("began_s", observed.began_ns as f64 / 1e9)?;
    let cpu_ns =
        clocks::process_cpu_ns().zip(observed.began_cpu_ns).map(|(now, began)| now.saturating_sub(began));
    fields.set_item("process_cpu_s", cpu_ns.map(|ns| ns as f64 / 1e9))?;
    fields.set_item("cores", allowance::current(now_ns).cores)?;
    let held = taken.held;
    let gil = PyDict::new(py);
    gil.set_item("seen_s", held.seen_ns / 1e9)?;
    gil.set_item("looks", held.looks)?;
    gil.set_item("held_s", held.held_ns / 1e9)?;
    gil.set_item("busy_s", held.busy_ns / 1e9)?;
    gil.set_item("in_calls_s", held.in_calls_ns / 1e9)?;
    gil.set_item("active_s", held.active_ns / 1e9)?;
    fields.set_item("gil", gil)?;
    fields.set_item("sightings", taken.sightings)?;
    let functions = taken.functions.iter().map(|function| function.fields(py));
    fields.set_item("functions", functions.collect::<PyResult<Vec<_>>>()?)?;
    let pools = taken.pools.iter().map(|pool| pool.fields(py, observed.began_ns));
    fields.set_item("pools", pools.collect::<PyResult<Vec<_>>>()?)?;
    Ok(fields)
}

/// A copy of the books.
struct Taken {
    held: surefoot_core::observation::Held,
    sightings: u64,
    functions: Vec<Function>,
    pools: Vec<Pool>,
}

struct Function {
    name: String,
    tasks: u64,
    wall_ns: u64,
    cpu_ns: u64,
    shares: ShareSums,
    failed: u64,
    queued: Option<Distribution>,
    wall: Option<Distribution>,
    seen: Seen,
    held_ns: f64,
    asleep_holding_ns: f64,
}

struct Pool {
    tasks: u64,
    running: u64,
    workers_peak: u64,
    queue_peak: u64,
    queue_length: u64,
    joining_peak: u64,
    wall_ns: u64,
    cpu_ns: u64,
    shares: ShareSums,
    seen: Seen,
    held_ns: f64,
    asleep_holding_ns: f64,
    timeline: Vec<Point>,
}

fn take(observed: &Observed) -> Option<Taken> {
    let watching = lock_std(&observed.watching);
    let books = observed.books()?;
    // After the books: whatever has a number there has a name by now.
    let names = observed.functions.names();
    let name = |number: usize| names.get(number).cloned().unwrap_or_default();
    let nothing = FunctionBook::default();
    let count = books.functions().len();
    let functions = (0..count).map(|number| {
        let (book, sums) = (books.functions().get(number).unwrap_or(&nothing), books.function_sums(number));
        Function {
            name: name(number),
            tasks: sums.tasks,
            wall_ns: sums.wall_ns,
            cpu_ns: sums.cpu_ns,
            shares: sums.shares,
            failed: book.failed,
            queued: book.queued.distribution(),
            wall: book.wall.distribution(),
            seen: book.seen,
            held_ns: book.held_ns,
            asleep_holding_ns: book.asleep_holding_ns,
        }
    });
    let functions = functions.filter(|function| function.wall.is_some()).collect();
    let pools = books.pools().iter().enumerate().map(|(number, book)| {
        let own = watching.own_pools.iter().find(|own| own.number == number);
        let peaks = own.map(|own| (own.workers_peak as u64, own.queue_peak as u64));
        let sums = book.ledger.functions();
        Pool {
            tasks: tasks(book),
            running: book.ledger.counts().running,
            workers_peak: peaks.map_or(book.busy_peak, |(workers, _)| workers),
            queue_peak: peaks.map_or(book.queue_peak, |(_, queue)| queue),
            queue_length: book.queue_length,
            joining_peak: book.joining_peak,
            wall_ns: sums.iter().map(|sums| sums.wall_ns).sum(),
            cpu_ns: sums.iter().map(|sums| sums.cpu_ns).sum(),
            shares: books.pool_shares(number),
            seen: book.seen,
            held_ns: book.held_ns,
            asleep_holding_ns: book.asleep_holding_ns,
            timeline: books.timeline().of(number).to_vec(),
        }
    });
    let pools = pools.collect();
    Some(Taken { held: books.held(), sightings: watching.sightings, functions, pools })
}

fn tasks(book: &PoolBook) -> u64 {
    let counts = book.ledger.counts();
    counts.done + counts.failed
}

impl Function {
    fn fields<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let fields = PyDict::new(py);
        fields.set_item("name", &self.name)?;
        fields.set_item("calls", self.tasks)?;
        fields.set_item("failed", self.failed)?;
        fields.set_item("wall_ns", self.wall_ns)?;
        fields.set_item("cpu_ns", self.cpu_ns)?;
        fields.set_item("queued", times(py, self.queued)?)?;
        fields.set_item("wall", times(py, self.wall)?)?;
        fields.set_item("shares", records::shares(py, &self.shares)?)?;
        fields.set_item("seen", seen(py, self.seen)?)?;
        fields.set_item("held_ns", self.held_ns)?;
        fields.set_item("asleep_holding_ns", self.asleep_holding_ns)?;
        Ok(fields)
    }
}

impl Pool {
    fn fields<'py>(&self, py: Python<'py>, began_ns: u64) -> PyResult<Bound<'py, PyDict>> {
        let fields = PyDict::new(py);
        fields.set_item("tasks", self.tasks)?;
        fields.set_item("running", self.running)?;
        fields.set_item("workers_peak", self.workers_peak)?;
        fields.set_item("queue_peak", self.queue_peak)?;
        fields.set_item("queue_length", self.queue_length)?;
        fields.set_item("joining_peak", self.joining_peak)?;
        fields.set_item("wall_ns", self.wall_ns)?;
        fields.set_item("cpu_ns", self.cpu_ns)?;
        fields.set_item("shares", records::shares(py, &self.shares)?)?;
        fields.set_item("seen", seen(py, self.seen)?)?;
        fields.set_item("held_ns", self.held_ns)?;
        fields.set_item("asleep_holding_ns", self.asleep_holding_ns)?;
        let points = self.timeline.iter().map(|point| {
            let fields = PyDict::new(py);
            fields.set_item("at_s", point.at_ns.saturating_sub(began_ns) as f64 / 1e9)?;
            fields.set_item("duration_s", point.duration_ns as f64 / 1e9)?;
            fields.set_item("limit", point.limit)?;
            fields.set_item("busy_mean", point.busy_ns as f64 / point.duration_ns.max(1) as f64)?;
            fields.set_item("queue_length", point.queue_length)?;
            fields.set_item("completions", point.completions)?;
            fields.set_item("shares", records::shares(py, &point.shares)?)?;
            Ok(fields)
        });
        fields.set_item("timeline", points.collect::<PyResult<Vec<_>>>()?)?;
        Ok(fields)
    }
}

fn times(py: Python<'_>, of: Option<Distribution>) -> PyResult<Option<Bound<'_, PyDict>>> {
    let Some(of) = of else { return Ok(None) };
    let fields = PyDict::new(py);
    fields.set_item("mean_ns", of.mean_ns)?;
    fields.set_item("p50_ns", of.percentiles.p50_ns)?;
    fields.set_item("p95_ns", of.percentiles.p95_ns)?;
    fields.set_item("p99_ns", of.percentiles.p99_ns)?;
    fields.set_item("max_ns", of.max_ns)?;
    Ok(Some(fields))
}

fn seen(py: Python<'_>, of: Seen) -> PyResult<Bound<'_, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("running", of.running)?;
    fields.set_item("gil", of.gil)?;
    fields.set_item("lock", of.lock)?;
    fields.set_item("io", of.io)?;
    Ok(fields)
}
