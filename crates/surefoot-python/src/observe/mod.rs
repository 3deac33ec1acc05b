//! Observation: what the threads of a program do, whoever owns them.
//!
//! An [`Observation`] wraps callables: [`call`] measures each call in the thread that makes it, the
//! monitor looks from outside ([`watch`]), the [books](surefoot_core::observation::Books) keep it.
//! Which callables are wrapped is decided in `surefoot.profile`.

mod books;
mod call;
mod own;
mod reading;
mod seat;
mod watch;

use std::sync::{Arc, Weak};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use surefoot_core::clock;
use surefoot_core::monitor::Watched;
use surefoot_core::sync::lock_std;

use crate::executor::PoolCore;
use crate::process;
use crate::sensors::{allowance, gil};

use self::books::{Observed, OwnPool};
pub(crate) use self::call::ObservedCall;
pub(crate) use self::own::Listeners;

/// One observation, from when it is made until it is stopped.
#[pyclass(frozen, module = "surefoot._core")]
#[derive(Debug)]
pub(crate) struct Observation {
    observed: Arc<Observed>,
}

#[pymethods]
impl Observation {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        gil::start(py);
        let observed = Arc::new(Observed::new());
        let weak: Weak<dyn Watched> = Arc::downgrade(&(Arc::clone(&observed) as Arc<dyn Watched>));
        process::watch(weak, observed.began_ns)
            .map_err(|error| PyRuntimeError::new_err(format!("no thread to observe with: {error}")))?;
        Ok(Self { observed })
    }

    /// Adds a pool of at most `cap` workers (`None`: no bound) and returns its number.
    fn add_pool(&self, cap: Option<u64>) -> usize {
        self.observed.books().map_or(0, |mut books| books.add_pool(cap.unwrap_or(u64::MAX)))
    }

    /// Adds a pool of ours, whose course in time is written down; its number.
    fn add_own_pool(&self, pool: &Bound<'_, PoolCore>) -> usize {
        let Some(number) = self.observed.books().map(|mut books| books.add_elsewhere()) else { return 0 };
        let now_ns = clock::now_ns();
        let shared = &pool.get().shared;
        let (snapshot, _) = shared.pool.vitals(now_ns, false);
        let sums = shared.regulator.as_ref().map(|regulator| *lock_std(regulator).shares());
        lock_std(&self.observed.watching).own_pools.push(OwnPool {
            number,
            shared: Arc::downgrade(shared),
            completed: snapshot.tasks.done + snapshot.tasks.failed,
            shares: sums.unwrap_or_default(),
            at_ns: now_ns,
            workers_peak: snapshot.workers_busy,
            queue_peak: snapshot.queue_length,
        });
        shared.listeners.add(&self.observed);
        number
    }

    /// A task is submitted to a pool now: what to give the pool in place of the function.
    fn submitted<'py>(
        &self,
        py: Python<'py>,
        pool: usize,
        function: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if !self.observed.is_on() {
            return Ok(function);
        }
        match ObservedCall::submit(&self.observed, pool, function.clone().unbind()) {
            Some(call) => Ok(Bound::new(py, call)?.into_any()),
            None => Ok(function),
        }
    }

    /// Calls `function` with these arguments as a task of a pool.
    fn call<'py>(
        &self,
        pool: usize,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        call::measured(&self.observed, pool, None, function, args, kwargs)
    }

    /// The calling thread waits for a task of this pool, or does so no more. Says whether it is a
    /// thread in an observed call.
    fn joins(&self, pool: usize, is_waiting: bool) -> bool {
        let Some(ticket) = seat::inside(self.observed.id) else { return false };
        let Some(mut books) = self.observed.books() else { return false };
        books.joins(ticket, pool, is_waiting);
        true
    }

    /// Ends it. Calls that run are not waited for; what they did until now is counted in shares.
    fn stop(&self) {
        if self.observed.is_on() {
            self.observed.stop();
            let mut watching = lock_std(&self.observed.watching);
            self.observed.end_window(&mut watching, clock::now_ns());
            for pool in &watching.own_pools {
                if let Some(shared) = pool.shared.upgrade() {
                    shared.listeners.forget_ended();
                }
            }
        }
    }

    /// Everything that is known by now.
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        reading::read(py, &self.observed)
    }
}

/// Names the function by which the package observes `ThreadPoolExecutor.submit`, and what that calls.
/// If the latter is the standard library's own, pools of ours take no notice: they are read and not
/// observed.
#[pyfunction]
pub(crate) fn set_observing_submit(
    py: Python<'_>,
    function: Py<PyAny>,
    below: &Bound<'_, PyAny>,
) -> PyResult<()> {
    crate::standard::Standard::get(py)?.set_observing_submit(function, below);
    Ok(())
}

/// Cores that the process may use; a quota counts in fractions.
#[pyfunction]
pub(crate) fn allowed_cores() -> f64 {
    allowance::current(clock::now_ns()).cores
}
