//! What the executor, its workers and the monitor share of one pool.
//!
//! The executor alone is held weakly by the rest: when it goes, the pool is closed, what is queued
//! still runs, and the workers leave.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use pyo3::prelude::*;
use surefoot_core::clock;
use surefoot_core::gil::{GilReading, GilState};
use surefoot_core::monitor::Watched;
use surefoot_core::pool::{Action, Closed, Pool, Rejected, Worker};
use surefoot_core::regulator::{Readings, Regulator, Tick};
use surefoot_core::sync::lock_std;
use surefoot_core::window::Window;

use crate::attach;
use crate::attendant::Errand;
use crate::function::Functions;
use crate::future::FutureCore;
use crate::join::PoolId;
use crate::name::name;
use crate::observe::Listeners;
use crate::placement::{self, Keeper};
use crate::process;
use crate::records;
use crate::sensors::meter::WorkerMeter;
use crate::sensors::{allowance, clocks, gil};
use crate::work_queue::ExitBell;
use crate::worker;

/// What waits in the queue.
#[derive(Debug)]
pub(crate) enum Item {
    /// A future that carries its task.
    Task(Py<FutureCore>),
    /// An item that somebody put into `_work_queue`: it has `future` and `run`.
    Foreign(Py<PyAny>),
}

/// One pool.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: PoolId,
    pub(crate) pool: Pool<Item>,
    pub(crate) idle_timeout_ns: Option<u64>,
    /// `surefoot.threads.ThreadMaker`; it does not know the executor.
    pub(crate) maker: Py<PyAny>,
    /// Weak reference to the executor, and what worker threads run first.
    pub(crate) executor: Py<PyAny>,
    pub(crate) initializer: Option<(Py<PyAny>, Py<PyAny>)>,
    /// `None` for a pool whose limit is constant: nobody need look after it.
    pub(crate) regulator: Option<Mutex<Regulator>>,
    pub(crate) functions: Functions,
    pub(crate) listeners: Listeners,
    /// The monitor's.
    meter: Mutex<WorkerMeter>,
    is_watched: AtomicBool,
    /// For a pool whose workers may be kept on one core.
    pub(crate) keeper: Option<Arc<Keeper>>,
}

impl Shared {
    pub(crate) fn new(
        pool: Pool<Item>,
        idle_timeout_ns: Option<u64>,
        maker: Py<PyAny>,
        executor: Py<PyAny>,
        initializer: Option<(Py<PyAny>, Py<PyAny>)>,
        regulator: Option<Regulator>,
        keeper: Option<Arc<Keeper>>,
    ) -> Arc<Self> {
        let regulator = regulator.map(Mutex::new);
        let (meter, is_watched) = (Mutex::default(), AtomicBool::new(false));
        let shared = Arc::new(Self {
            id: PoolId::next(),
            pool,
            idle_timeout_ns,
            maker,
            executor,
            initializer,
            regulator,
            functions: Functions::default(),
            listeners: Listeners::default(),
            meter,
            is_watched,
            keeper,
        });
        if let Some(keeper) = &shared.keeper {
            keeper.look_after(&shared);
        }
        shared
    }

    /// Queues an item and sees to it that somebody takes it. Returns what a signal handler raised
    /// meanwhile; the item is queued all the same.
    ///
    /// # Errors
    /// The item comes back if the pool is closed, or if there is no worker and none can be made.
    pub(crate) fn submit(
        self: &Arc<Self>,
        py: Python<'_>,
        item: Item,
        now_ns: u64,
    ) -> Result<Option<PyErr>, Refusal> {
        let address = match &item {
            Item::Task(future) => future.as_ptr(),
            Item::Foreign(object) => object.as_ptr(),
        };
        let action = self
            .pool
            .submit(item, now_ns)
            .map_err(|Rejected { task, closed }| Refusal { item: task, why: Why::Closed(closed) })?;
        self.watch(now_ns);
        if let Some(keeper) = &self.keeper {
            keeper.watch(now_ns);
        }
        let Action::Start(index) = action else {
            self.carry_out(py, action);
            return Ok(None);
        };
        self.make_thread(py, index).or_else(|error| {
            let is_mine = |item: &Item| match item {
                Item::Task(future) => future.as_ptr() == address,
                Item::Foreign(object) => object.as_ptr() == address,
            };
            match self.pool.start_failed(index, is_mine) {
                Some(item) => Err(Refusal { item, why: Why::NoThread(error) }),
                // A worker lives and will come to it.
                None => Ok(None),
            }
        })
    }

    /// Does what the pool asked for.
    pub(crate) fn carry_out(self: &Arc<Self>, py: Python<'_>, action: Action) {
        match action {
            Action::None => {}
            Action::Grant(parker) => parker.grant(),
            Action::Start(index) => {
                if self.make_thread(py, index).is_err() {
                    // The tasks wait for the workers there are.
                    drop(self.pool.start_failed(index, |_| false));
                }
            }
            Action::NeedsThread => self.send_for_threads(),
        }
    }

    /// Like [`Self::carry_out`] for a thread that is not attached.
    fn carry_out_detached(self: &Arc<Self>, action: Action) {
        match action {
            Action::Grant(parker) => parker.grant(),
            Action::NeedsThread => self.send_for_threads(),
            // Only a caller that said that it may start threads is told to.
            Action::None | Action::Start(_) => {}
        }
    }

    fn send_for_threads(self: &Arc<Self>) {
        // If it cannot go, the next tick or submission sees the need again.
        let _ = process::attendant().send(Errand::MakeThreads(Arc::downgrade(self)));
    }

    /// Makes a worker's thread; what it returns is as for [`Self::submit`].
    fn make_thread(self: &Arc<Self>, py: Python<'_>, index: usize) -> PyResult<Option<PyErr>> {
        let target = worker::target(py, Arc::clone(self), index)?;
        let bell = ExitBell::new(self);
        let make = || attach::call_method(self.maker.bind(py), name!(py, "make"), (index, target, bell));
        let interrupt = placement::as_ourselves(make)?;
        Ok((!interrupt.is_none()).then(|| PyErr::from_value(interrupt)))
    }

    /// Makes as many threads as the queue and the limit call for.
    pub(crate) fn make_threads(self: &Arc<Self>, py: Python<'_>) {
        loop {
            match self.pool.claim_start() {
                Action::Start(index) => {
                    if self.make_thread(py, index).is_err() {
                        drop(self.pool.start_failed(index, |_| false));
                        return;
                    }
                }
                action => return self.carry_out(py, action),
            }
        }
    }

    /// Sets the limit by hand or by decision.
    pub(crate) fn set_limit(self: &Arc<Self>, limit: usize) {
        let action = self.pool.set_limit(limit);
        self.carry_out_detached(action);
    }

    /// Has the monitor look after the pool, if it is not already.
    ///
    /// Called after a task was queued. The pool's lock orders this against `tick`: either the tick
    /// sees the task, or this sees that nobody watches.
    #[inline]
    fn watch(self: &Arc<Self>, now_ns: u64) {
        let Some(regulator) = &self.regulator else { return };
        if self.is_watched.load(Ordering::Relaxed) || self.is_watched.swap(true, Ordering::Relaxed) {
            return;
        }
        let due_ns = lock_std(regulator).first_due_ns(now_ns);
        let weak: Weak<Self> = Arc::downgrade(self);
        if process::watch(weak, due_ns).is_err() {
            self.is_watched.store(false, Ordering::Relaxed);
        }
    }

    /// Asks the controller that was given as a Python object.
    pub(crate) fn ask_controller(self: &Arc<Self>, py: Python<'_>, window: &Window) {
        let Some(regulator) = &self.regulator else { return };
        let asked = || {
            let executor = self.executor.bind(py).call0()?;
            if executor.is_none() {
                return Ok(None);
            }
            let window = records::window(py, window)?;
            let decide = name!(py, "_AdaptiveThreadPoolExecutor__decide");
            attach::call_method(&executor, decide, (window,))?.extract::<Option<usize>>()
        };
        match asked() {
            Ok(Some(limit)) => {
                let now = self.pool.limit_and_cap();
                let set = lock_std(regulator).decided(clock::now_ns(), window, now, limit);
                if let Some(limit) = set {
                    self.set_limit(limit);
                    self.make_threads(py);
                }
            }
            Ok(None) => lock_std(regulator).undecided(),
            Err(error) => {
                lock_std(regulator).undecided();
                error.write_unraisable(py, None);
            }
        }
    }

    /// Takes out a worker that ended otherwise than by leaving.
    pub(crate) fn worker_lost(self: &Arc<Self>, worker: &Worker) {
        let action = self.pool.lost(worker);
        self.carry_out_detached(action);
    }

    /// Closes the pool.
    pub(crate) fn close(self: &Arc<Self>, why: Closed) {
        let action = self.pool.close(why);
        self.carry_out_detached(action);
    }
}

impl Watched for Shared {
    fn tick(self: Arc<Self>, now_ns: u64) -> Option<u64> {
        let regulator = self.regulator.as_ref()?;
        let wanted = lock_std(regulator).wanted(now_ns);
        // All readings are taken without the lock, which others want while they are attached.
        let totals = wanted.totals.then(|| lock_std(&self.meter).read(&self.pool.thread_ids()));
        let (snapshot, period) = self.pool.vitals(now_ns, wanted.period);
        let readings = Readings {
            snapshot,
            gil: in_tasks(gil::read()),
            process_cpu_ns: clocks::process_cpu_ns(),
            totals,
            period,
            allowance: allowance::current(now_ns),
        };
        let mut regulator_now = lock_std(regulator);
        let Tick { limit, ask, due_ns } = regulator_now.tick(now_ns, &readings);
        let division = regulator_now.division();
        drop(regulator_now);
        if wanted.period {
            self.pool.set_division(division);
        }
        if let Some(limit) = limit {
            self.set_limit(limit);
        } else if snapshot.queue_length > 0 {
            // A thread that could not be made before may be had by now.
            self.carry_out_detached(self.pool.claim_detached());
        }
        if let Some(window) = ask {
            let is_sent = process::attendant().send(Errand::Decide(Arc::downgrade(&self), Box::new(window)));
            if !is_sent {
                lock_std(regulator).undecided();
            }
        }
        if due_ns.is_some() {
            return due_ns;
        }
        lock_std(&self.meter).rest();
        self.is_watched.store(false, Ordering::Relaxed);
        // See `watch`: a task that was queued before the store is seen here.
        if self.pool.is_idle() || self.is_watched.swap(true, Ordering::Relaxed) {
            return None;
        }
        Some(lock_std(regulator).first_due_ns(now_ns))
    }
}

/// The GIL's waiters without those that wait between tasks.
fn in_tasks(gil: GilReading) -> GilReading {
    let GilReading::Seen(state) = gil else { return gil };
    let waiters = state.waiters.map(|waiters| waiters.saturating_sub(attach::returning()));
    GilReading::Seen(GilState { waiters, ..state })
}

/// An item that was not taken.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) item: Item,
    pub(crate) why: Why,
}

/// Why an item was not taken.
#[derive(Debug)]
pub(crate) enum Why {
    Closed(Closed),
    NoThread(PyErr),
}
