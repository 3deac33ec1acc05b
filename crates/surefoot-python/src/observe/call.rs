//! One observed call, in whatever thread it is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use surefoot_core::clock;
use surefoot_core::observation::{Call, Ticket};
use surefoot_core::sample::{FunctionId, Sample};

use crate::attach;
use crate::observe::books::Observed;
use crate::observe::seat;
use crate::sensors::{clocks, gil};

/// When a task was submitted, and whether a worker was free then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Submitted {
    pub(super) at_ns: u64,
    pub(super) is_prompt: bool,
}

/// A callable that measures its call: what an executor is given in place of the function that was
/// submitted. It is called once; what it is asked otherwise, the function answers.
#[pyclass(frozen, module = "surefoot._core", name = "ObservedCall")]
#[derive(Debug)]
pub(crate) struct ObservedCall {
    observed: Arc<Observed>,
    pool: usize,
    submitted: Submitted,
    function: Py<PyAny>,
    was_taken: AtomicBool,
}

impl ObservedCall {
    /// A task is submitted to a pool.
    pub(super) fn submit(observed: &Arc<Observed>, pool: usize, function: Py<PyAny>) -> Option<Self> {
        let is_prompt = observed.books()?.submitted(pool);
        let submitted = Submitted { at_ns: clock::now_ns(), is_prompt };
        let (observed, was_taken) = (Arc::clone(observed), AtomicBool::new(false));
        Some(Self { observed, pool, submitted, function, was_taken })
    }

    /// What is called in the end: another observation may have wrapped it before.
    fn innermost<'py>(function: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
        let mut function = function.clone();
        while let Ok(call) = function.cast_exact::<Self>() {
            let inner = call.get().function.bind(function.py()).clone();
            function = inner;
        }
        function
    }
}

#[pymethods]
impl ObservedCall {
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let function = self.function.bind(py);
        // Relaxed: who comes second is known by the exchange alone.
        let is_second = self.was_taken.swap(true, Ordering::Relaxed);
        let submitted = (!is_second).then_some(self.submitted);
        measured(&self.observed, self.pool, submitted, function, args, kwargs)
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.function.bind(py).getattr(name)
    }

    fn __repr__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        self.function.bind(py).repr()
    }

    #[getter]
    fn __wrapped__(&self, py: Python<'_>) -> Py<PyAny> {
        self.function.clone_ref(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)
    }
}

impl Drop for ObservedCall {
    fn drop(&mut self) {
        // Cancelled, or left in a queue that nobody serves.
        if !self.was_taken.load(Ordering::Relaxed)
            && let Some(mut books) = self.observed.books()
        {
            books.withdrawn(self.pool);
        }
    }
}

/// Where a call stands when it begins.
struct Begun {
    ticket: Ticket,
    outer: Option<Ticket>,
    function: FunctionId,
    queued_ns: u64,
    start_ns: u64,
    start_cpu_ns: Option<u64>,
}

/// Makes a call and books it.
pub(super) fn measured<'py>(
    observed: &Arc<Observed>,
    pool: usize,
    submitted: Option<Submitted>,
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let begun = begin(observed, pool, submitted, function, args);
    let raw = attach::call_raw(function, args, kwargs);
    if let Some(begun) = begun {
        end(observed, &begun, submitted.is_some(), !raw.is_null());
    }
    attach::conclude(function.py(), raw).map(|result| result.into_bound(function.py()))
}

#[inline(never)]
fn begin(
    observed: &Arc<Observed>,
    pool: usize,
    submitted: Option<Submitted>,
    function: &Bound<'_, PyAny>,
    args: &Bound<'_, PyTuple>,
) -> Option<Begun> {
    if !observed.is_on() {
        return None;
    }
    let py = function.py();
    let mut last_seen = seat::with(observed.id, |seat| seat.last_seen)?;
    let named = ObservedCall::innermost(function);
    // Not with the seat in hand: names may be Python code.
    let id = observed.functions.id_of_call(&named, args, &mut last_seen);
    let (thread_id, outer) = seat::with(observed.id, |seat| {
        seat.last_seen = last_seen;
        seat.own_delay.woken();
        (seat.thread_id, seat.inside)
    })?;
    let (start_ns, start_cpu_ns) = (clock::now_ns(), clocks::own_cpu_ns());
    let call =
        Call { pool, function: id, thread_id, holder_id: gil::thread_holder_id(py), start_cpu_ns, outer };
    let queued_ns = submitted.map_or(0, |submitted| start_ns.saturating_sub(submitted.at_ns));
    let mut books = observed.books()?;
    if submitted.is_some_and(|submitted| submitted.is_prompt) {
        books.woke(pool, queued_ns);
    }
    let ticket = books.begin(call, submitted.is_some(), start_ns)?;
    drop(books);
    seat::with(observed.id, |seat| seat.inside = Some(ticket))?;
    Some(Begun { ticket, outer, function: id, queued_ns, start_ns, start_cpu_ns })
}

#[inline(never)]
fn end(observed: &Arc<Observed>, begun: &Begun, was_queued: bool, is_ok: bool) {
    let now_ns = clock::now_ns();
    let wall_ns = now_ns.saturating_sub(begun.start_ns);
    let cpu_ns = clocks::own_cpu_ns()
        .zip(begun.start_cpu_ns)
        .map(|(end, start)| end.saturating_sub(start).min(wall_ns));
    let pause_ns = wall_ns.saturating_sub(cpu_ns.unwrap_or(0));
    let left = seat::with(observed.id, |seat| {
        seat.inside = begun.outer;
        seat.own_delay.ended(wall_ns, pause_ns)
    });
    let sample = Sample {
        queued_ns: begun.queued_ns,
        attach_wait_ns: 0,
        wall_ns,
        cpu_ns,
        runqueue_ns: left.flatten(),
        function: begun.function,
    };
    // Not asked whether the observation goes on: what began in it is in its books.
    if let Some(mut books) = observed.books() {
        books.end(begun.ticket, &sample, was_queued, is_ok, now_ns);
    }
}
