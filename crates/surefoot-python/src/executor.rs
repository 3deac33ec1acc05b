//! The executor's hot half, and the pool as the rest of the package sees it.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use pyo3::exceptions::{PyAttributeError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use surefoot_core::clock;
use surefoot_core::controller::{Knee, Paper};
use surefoot_core::pool::{Bounds, Closed, Pool, Refused};
use surefoot_core::regulator::{Decider, Regulator};
use surefoot_core::snapshot_file::PoolRecord;
use surefoot_core::sync::lock_std;

use crate::account::Account;
use crate::attach;
use crate::backpressure::{self, WhenFull};
use crate::future::FutureCore;
use crate::join::{self, PoolId};
use crate::journal;
use crate::name::name;
use crate::placement::Keeper;
use crate::records;
use crate::sensors::gil;
use crate::shared::{Intake, Item, Refusal, Shared, Why};
use crate::snapshot_file::{self, OwnRecord};
use crate::standard::Standard;
use crate::task::Task;
use crate::work_queue::WorkQueue;

/// The base of `AdaptiveThreadPoolExecutor` that makes `submit` a native method.
///
/// It has no attribute but `submit` and [`attach`](ExecutorCore::attach), so that subclasses
/// written against the standard class cannot collide with it.
#[pyclass(frozen, subclass, module = "surefoot._core")]
#[derive(Debug, Default)]
pub(crate) struct ExecutorCore {
    /// `None` before `__init__`, and for an executor that works as the standard one.
    shared: ArcSwapOption<Shared>,
}

#[pymethods]
impl ExecutorCore {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    /// Ties an executor to its pool; `None` leaves it to the standard library's code. The pool that
    /// it had is closed, unless that is to be left behind with all its locks: in a forked child.
    #[staticmethod]
    #[pyo3(signature = (executor, pool, *, leave_behind=false))]
    fn attach(executor: &Bound<'_, Self>, pool: Option<&Bound<'_, PoolCore>>, leave_behind: bool) {
        let pool = pool.map(|pool| Arc::clone(&pool.get().shared));
        match executor.get().shared.swap(pool) {
            Some(before) if leave_behind => std::mem::forget(before),
            Some(before) => before.close(Closed::Shutdown),
            None => {}
        }
    }
}

impl ExecutorCore {
    /// `submit`, called through [`crate::submit`].
    pub(crate) fn submit<'py>(
        slf: &Bound<'py, Self>,
        function: &Bound<'py, PyAny>,
        args: Bound<'py, PyTuple>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let standard = Standard::get(py)?;
        let shared = slf.get().shared.load();
        let shared = match &*shared {
            Some(shared) if !standard.is_submit_patched(py)? => shared,
            other => return Self::submit_otherwise(slf, other.as_ref(), function, args, kwargs),
        };
        let future = shared.future_of(standard, function, args, kwargs)?;
        let item = Item::Task(future.clone().unbind());
        let now_ns = clock::now_ns();
        match shared.submit(py, item, now_ns) {
            Ok(None) => Ok(future.into_any()),
            Ok(Some(interrupt)) => Err(interrupt),
            Err(Refusal { item, why: Why::Refused(Refused::Full) }) => {
                // It may take long: the pool is kept otherwise than by what is meant for a moment.
                let shared = Arc::clone(shared);
                backpressure::full(slf, &shared, future, item, now_ns)
            }
            Err(Refusal { item, why }) => {
                item.release(py);
                Err(match why {
                    Why::Refused(Refused::Closed(_)) if !slf.get().is_tied_to(shared) => {
                        return Self::submit_again(slf, &future);
                    }
                    Why::Refused(Refused::Closed(closed)) => refused(slf, closed)?,
                    Why::Refused(Refused::Full) => unreachable!("told apart above"),
                    Why::NoThread(error) => error,
                })
            }
        }
    }

    /// Submits what `future` was to run, since its pool is the executor's no more: this is a forked
    /// child, or `_work_queue` was replaced.
    #[cold]
    pub(crate) fn submit_again<'py>(
        slf: &Bound<'py, Self>,
        future: &Bound<'py, FutureCore>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let Some(Task { function, args, kwargs, .. }) = future.get().task(py) else {
            return Ok(future.clone().into_any());
        };
        let kwargs = kwargs.map(|kwargs| kwargs.into_bound(py));
        Self::submit(slf, &function.into_bound(py), args.into_bound(py), kwargs)
    }

    /// Submits where the native way is not open: to a pool that others submit to, or to none.
    #[cold]
    fn submit_otherwise<'py>(
        slf: &Bound<'py, Self>,
        shared: Option<&Arc<Shared>>,
        function: &Bound<'py, PyAny>,
        args: Bound<'py, PyTuple>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if let Some(shared) = shared
            && shared.has_intake()
        {
            return backpressure::submit_replaced(slf, &Arc::clone(shared), function, args, kwargs);
        }
        let own = name!(py, "_AdaptiveThreadPoolExecutor__standard_submit");
        if shared.is_none()
            && let Some(submit) = slf.as_any().getattr_opt(own)?
            && !submit.is_none()
        {
            let mut all = vec![function.clone()];
            all.extend(args.iter());
            return attach::call(&submit, &PyTuple::new(py, all)?, kwargs.as_ref());
        }
        Standard::get(py)?.call_submit(slf.as_any(), function, &args, kwargs.as_ref())
    }

    /// Whether `shared` is still the executor's pool.
    pub(crate) fn is_tied_to(&self, shared: &Arc<Shared>) -> bool {
        self.shared.load().as_ref().is_some_and(|now| Arc::ptr_eq(now, shared))
    }
}

impl Drop for ExecutorCore {
    fn drop(&mut self) {
        // The last reference is gone: what is queued still runs, then the workers leave.
        if let Some(shared) = self.shared.swap(None) {
            shared.close(Closed::Shutdown);
        }
    }
}

/// The standard library's error for a closed pool.
pub(crate) fn refused(executor: &Bound<'_, ExecutorCore>, closed: Closed) -> PyResult<PyErr> {
    let py = executor.py();
    Ok(match closed {
        Closed::Broken => {
            let broken = executor.getattr(name!(py, "_broken"))?;
            // From 3.14 on a subclass may name its own error.
            let own = executor.getattr_opt(name!(py, "BROKEN"))?;
            let class = match own {
                Some(own) => own,
                None => Standard::get(py)?.broken_thread_pool.bind(py).clone(),
            };
            PyErr::from_value(class.call1((broken,))?)
        }
        Closed::Shutdown => PyRuntimeError::new_err("cannot schedule new futures after shutdown"),
        Closed::Exit => PyRuntimeError::new_err("cannot schedule new futures after interpreter shutdown"),
    })
}

/// The pool of one executor: everything but `submit`.
#[pyclass(frozen, name = "Pool", module = "surefoot._core")]
#[derive(Debug)]
pub(crate) struct PoolCore {
    pub(crate) shared: Arc<Shared>,
}

/// Which controller, and its constants.
#[derive(FromPyObject)]
enum Choice {
    #[pyo3(transparent)]
    Paper((f64, usize, usize)),
    #[pyo3(transparent)]
    Named(String),
}

#[pymethods]
impl PoolCore {
    /// Makes a pool without workers.
    #[new]
    #[pyo3(signature = (*, name, maker, executor, initializer, min_workers, limit, cap, controller, interval_ns, idle_timeout_ns, keep_on_one_core, max_queue, queue_full, copies_context))]
    #[expect(clippy::too_many_arguments, reason = "keyword-only, and called from one place")]
    fn new(
        py: Python<'_>,
        name: String,
        maker: Py<PyAny>,
        executor: Py<PyAny>,
        initializer: Option<(Py<PyAny>, Py<PyAny>)>,
        min_workers: usize,
        limit: usize,
        cap: usize,
        controller: Choice,
        interval_ns: u64,
        idle_timeout_ns: Option<u64>,
        keep_on_one_core: bool,
        max_queue: Option<usize>,
        queue_full: &str,
        copies_context: bool,
    ) -> PyResult<Self> {
        let controller_name = match &controller {
            Choice::Paper(_) => "paper".to_owned(),
            Choice::Named(name) => name.clone(),
        };
        let decider = match controller {
            Choice::Paper((beta_threshold, step_up, step_down)) => {
                Some(Decider::Native(Box::new(Paper { beta_threshold, step_up, step_down })))
            }
            Choice::Named(name) => match name.as_str() {
                "knee" => Some(Decider::Native(Box::new(Knee::default()))),
                "external" => Some(Decider::External),
                "fixed" => None,
                _ => return Err(PyValueError::new_err(format!("unknown controller {name:?}"))),
            },
        };
        if decider.is_some() || keep_on_one_core {
            gil::start(py);
        }
        let regulator = decider.map(|decider| Regulator::new(decider, interval_ns, min_workers));
        let when_full = WhenFull::named(queue_full)
            .ok_or_else(|| PyValueError::new_err(format!("unknown policy {queue_full:?}")))?;
        let pool = Pool::new(Bounds { min_workers, limit, cap });
        let pool = if let Some(max_queue) = max_queue { pool.with_max_queue(max_queue) } else { pool };
        let keeper = keep_on_one_core.then(Keeper::new);
        let intake = Intake { when_full: max_queue.map(|_| when_full), copies_context };
        journal::look_now(py, clock::now_ns())?;
        let id = PoolId::next();
        let record = PoolRecord {
            pool: id.number(),
            name,
            controller: controller_name,
            interval_ns: if regulator.is_some() { interval_ns } else { 0 },
            min_workers: u32::try_from(min_workers).unwrap_or(u32::MAX),
            ..PoolRecord::default()
        };
        let record = OwnRecord::new(record, snapshot_file::prepare(py));
        let shared = Shared::new(
            id,
            pool,
            idle_timeout_ns,
            maker,
            executor,
            initializer,
            regulator,
            keeper,
            intake,
            record,
        );
        Ok(Self { shared })
    }

    /// `_work_queue`.
    fn work_queue(&self) -> WorkQueue {
        WorkQueue::new(Arc::clone(&self.shared))
    }

    /// Makes the threads that the queue and the limit call for.
    fn make_threads(&self, py: Python<'_>) {
        self.shared.make_threads(py);
    }

    /// Closes the pool to new tasks: "shutdown", "broken" or "exit".
    fn close(&self, why: &str) -> PyResult<()> {
        self.shared.close(match why {
            "shutdown" => Closed::Shutdown,
            "broken" => Closed::Broken,
            "exit" => Closed::Exit,
            other => return Err(PyAttributeError::new_err(format!("no reason to close: {other:?}"))),
        });
        Ok(())
    }

    /// Takes everything out of the queue and returns the futures.
    fn drain(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        std::iter::from_fn(|| self.shared.pool.withdraw())
            .map(|item| match item {
                Item::Task(future) => Ok(future.into_any()),
                Item::Foreign(item) => item.getattr(py, name!(py, "future")),
            })
            .collect()
    }

    /// Sets the cap, and the limit if it is below `least_limit`.
    fn set_cap(&self, py: Python<'_>, cap: usize, least_limit: usize) {
        let action = self.shared.pool.set_cap(cap, false);
        self.shared.carry_out(py, action);
        if self.shared.pool.limit_and_cap().0 < least_limit {
            self.shared.set_limit(least_limit);
        }
        self.shared.make_threads(py);
    }

    /// Says that the calling worker's task waits for work that comes to this pool by another way: it counts
    /// against neither limit nor cap until `step_in`, or its end. False if it is out, or no worker of this pool.
    fn step_out(&self, py: Python<'_>) -> bool {
        join::step_out(py, &self.shared)
    }

    /// Ends what `step_out` began; false if nothing did.
    fn step_in(&self) -> bool {
        join::step_in(&self.shared)
    }

    #[getter]
    fn limit(&self) -> usize {
        self.shared.pool.limit_and_cap().0
    }

    #[getter]
    fn cap(&self) -> usize {
        self.shared.pool.limit_and_cap().1
    }

    #[getter]
    fn is_closed(&self) -> bool {
        self.shared.pool.closed().is_some()
    }

    #[getter]
    fn workers_live(&self) -> usize {
        self.shared.pool.workers_live()
    }

    #[getter]
    fn workers_parked(&self) -> usize {
        self.shared.pool.workers_parked()
    }

    /// Keeps the workers on one core whenever there is work, whether it pays or not: for tests.
    fn trust_one_core(&self) {
        if let Some(keeper) = &self.shared.keeper {
            keeper.trust();
        }
    }

    /// Whether the workers are on one core just now.
    #[getter]
    fn is_on_one_core(&self) -> bool {
        self.shared.keeper.as_ref().is_some_and(|keeper| keeper.is_gathered())
    }

    /// One consistent reading, as the fields of `PoolStats`.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (snapshot, sums) = self.shared.pool.snapshot_by_function(clock::now_ns());
        // After the sums: whatever has a number there has a name by now.
        let functions: Vec<_> = self.shared.functions.names().into_iter().zip(sums).collect();
        let regulator = self.shared.regulator.as_ref().map(|regulator| {
            let regulator = lock_std(regulator);
            (regulator.log().clone(), *regulator.shares())
        });
        let regulator = regulator.as_ref().map(|(log, shares)| (log, shares));
        records::stats(py, &snapshot, &functions, regulator)
    }

    /// The pool's numbers, for exporters.
    fn account(&self) -> Account {
        Account::of(&self.shared)
    }

    /// The log, as the fields of `Decision`.
    fn decisions<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let Some(regulator) = &self.shared.regulator else { return Ok(Vec::new()) };
        let log = lock_std(regulator).log().clone();
        records::decisions(py, log.entries())
    }
}
