//! What the executor, its workers and the monitor share of one pool.
//!
//! The executor alone is held weakly by the rest: when it goes, the pool is closed, what is queued
//! still runs, and the workers leave.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use surefoot_core::clock;
use surefoot_core::gil::{GilReading, GilState};
use surefoot_core::monitor::Watched;
use surefoot_core::pool::{Action, Closed, Pool, Refused, Rejected, Worker};
use surefoot_core::regulator::{Readings, Regulator, Tick};
use surefoot_core::snapshot_file::decision_records;
use surefoot_core::sync::lock_std;
use surefoot_core::window::Window;

use crate::attach;
use crate::attendant::Errand;
use crate::backpressure::WhenFull;
use crate::function::Functions;
use crate::future::FutureCore;
use crate::join::PoolId;
use crate::journal;
use crate::name::name;
use crate::observe::Listeners;
use crate::placement::{self, Keeper};
use crate::process;
use crate::records;
use crate::sensors::meter::WorkerMeter;
use crate::sensors::rivals::Rivals;
use crate::sensors::{allowance, clocks, gil};
use crate::snapshot_file::{OwnRecord, Reading};
use crate::standard::Standard;
use crate::task::Task;
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

impl Item {
    /// Where its object is, to tell it from others that are alive.
    fn address(&self) -> *mut ffi::PyObject {
        match self {
            Self::Task(future) => future.as_ptr(),
            Self::Foreign(object) => object.as_ptr(),
        }
    }

    /// Drops it at once. `PyO3` puts a plain drop off where it does not know that the thread is
    /// attached, as in `submit`.
    pub(crate) fn release(self, py: Python<'_>) {
        match self {
            Self::Task(future) => attach::release(py, future),
            Self::Foreign(object) => attach::release(py, object),
        }
    }
}

/// How tasks are taken in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intake {
    /// `None`: any number of tasks may wait.
    pub(crate) when_full: Option<WhenFull>,
    /// A task runs in a copy of its submitter's context.
    pub(crate) copies_context: bool,
}

/// One pool.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: PoolId,
    /// Shared with accounts, which outlive the rest.
    pub(crate) pool: Arc<Pool<Item>>,
    pub(crate) idle_timeout_ns: Option<u64>,
    /// `surefoot.threads.ThreadMaker`; it does not know the executor.
    pub(crate) maker: Py<PyAny>,
    /// Weak reference to the executor, and what worker threads run first.
    pub(crate) executor: Py<PyAny>,
    pub(crate) initializer: Option<(Py<PyAny>, Py<PyAny>)>,
    /// `None` for a pool whose limit is constant.
    pub(crate) regulator: Option<Arc<Mutex<Regulator>>>,
    pub(crate) functions: Functions,
    pub(crate) listeners: Listeners,
    /// The monitor's.
    meter: Mutex<WorkerMeter>,
    rivals: Mutex<Rivals>,
    is_watched: AtomicBool,
    pub(crate) when_full: Option<WhenFull>,
    copies_context: bool,
    /// Its place in the snapshot file.
    record: OwnRecord,
    farewell: Arc<Farewell>,
    /// For a pool whose workers may be kept on one core.
    pub(crate) keeper: Option<Arc<Keeper>>,
}

impl Shared {
    #[expect(clippy::too_many_arguments, reason = "called from one place, each of its own type")]
    pub(crate) fn new(
        id: PoolId,
        pool: Pool<Item>,
        idle_timeout_ns: Option<u64>,
        maker: Py<PyAny>,
        executor: Py<PyAny>,
        initializer: Option<(Py<PyAny>, Py<PyAny>)>,
        regulator: Option<Regulator>,
        keeper: Option<Arc<Keeper>>,
        intake: Intake,
        record: OwnRecord,
    ) -> Arc<Self> {
        let regulator = regulator.map(|regulator| Arc::new(Mutex::new(regulator)));
        let (meter, is_watched) = (Mutex::default(), AtomicBool::new(false));
        let farewell = |weak: &Weak<Self>| Farewell { pool: weak.clone(), is_set: AtomicBool::new(false) };
        let shared = Arc::new_cyclic(|weak| Self {
            id,
            pool: Arc::new(pool),
            idle_timeout_ns,
            maker,
            executor,
            initializer,
            regulator,
            functions: Functions::default(),
            listeners: Listeners::default(),
            meter,
            rivals: Mutex::default(),
            is_watched,
            when_full: intake.when_full,
            copies_context: intake.copies_context,
            record,
            farewell: Arc::new(farewell(weak)),
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
    /// The item comes back if the pool is closed or full, or if there is no worker and none can be
    /// made.
    pub(crate) fn submit(
        self: &Arc<Self>,
        py: Python<'_>,
        item: Item,
        now_ns: u64,
    ) -> Result<Option<PyErr>, Refusal> {
        let address = item.address();
        self.submitted(py, address, self.pool.submit(item, now_ns), now_ns)
    }

    /// The same, however many tasks wait.
    #[cold]
    pub(crate) fn submit_anyway(
        self: &Arc<Self>,
        py: Python<'_>,
        item: Item,
        now_ns: u64,
    ) -> Result<Option<PyErr>, Refusal> {
        let address = item.address();
        self.submitted(py, address, self.pool.submit_anyway(item, now_ns), now_ns)
    }

    /// The same, in the place that was reserved for it.
    #[cold]
    pub(crate) fn submit_reserved(
        self: &Arc<Self>,
        py: Python<'_>,
        item: Item,
        now_ns: u64,
    ) -> Result<Option<PyErr>, Refusal> {
        let address = item.address();
        self.submitted(py, address, self.pool.submit_reserved(item, now_ns), now_ns)
    }

    #[inline]
    fn submitted(
        self: &Arc<Self>,
        py: Python<'_>,
        address: *mut ffi::PyObject,
        submitted: Result<Action, Rejected<Item>>,
        now_ns: u64,
    ) -> Result<Option<PyErr>, Refusal> {
        let action =
            submitted.map_err(|Rejected { task, why }| Refusal { item: task, why: Why::Refused(why) })?;
        self.watch(now_ns);
        if let Some(keeper) = &self.keeper {
            keeper.watch(now_ns);
        }
        let Action::Start(index) = action else {
            self.carry_out(py, action);
            return Ok(None);
        };
        self.make_thread(py, index).or_else(|error| {
            match self.pool.start_failed(index, |item| item.address() == address) {
                Some(item) => Err(Refusal { item, why: Why::NoThread(error) }),
                // A worker lives and will come to it.
                None => Ok(None),
            }
        })
    }

    /// Gives a reserved place back.
    pub(crate) fn unreserve(self: &Arc<Self>) {
        let action = self.pool.unreserve();
        self.watch(clock::now_ns());
        self.carry_out_detached(action);
    }

    /// Whether `submit` has more to do than to queue.
    pub(crate) fn has_intake(&self) -> bool {
        self.when_full.is_some() || self.copies_context
    }

    /// A copy of the calling thread's context, for a task that is to run in one.
    #[inline]
    pub(crate) fn copied_context(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        if !self.copies_context {
            return Ok(None);
        }
        // SAFETY: attached, by `py`.
        let context = unsafe { ffi::PyContext_CopyCurrent() };
        // SAFETY: a new reference, or null with an exception set.
        let context = unsafe { Bound::from_owned_ptr_or_err(py, context) }?;
        Ok(Some(context.unbind()))
    }

    /// Makes the future of a call.
    #[inline]
    pub(crate) fn future_of<'py>(
        &self,
        standard: &Standard,
        function: &Bound<'py, PyAny>,
        args: Bound<'py, PyTuple>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, FutureCore>> {
        let py = function.py();
        let task = Task {
            function: function.clone().unbind(),
            args: args.unbind(),
            kwargs: kwargs.map(Bound::unbind),
            context: self.copied_context(py)?,
        };
        FutureCore::with_task(py, standard, task, self.id)
    }

    /// Does what the pool asked for, most often nothing.
    #[inline]
    pub(crate) fn carry_out(self: &Arc<Self>, py: Python<'_>, action: Action) {
        if !matches!(action, Action::None) {
            self.carry_out_some(py, action);
        }
    }

    #[inline(never)]
    fn carry_out_some(self: &Arc<Self>, py: Python<'_>, action: Action) {
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
    pub(crate) fn watch(self: &Arc<Self>, now_ns: u64) {
        // A pool of constant size is looked at for the snapshot file only.
        if self.regulator.is_none() && !self.record.is_wanted() {
            return;
        }
        if self.is_watched.load(Ordering::Relaxed) || self.is_watched.swap(true, Ordering::Relaxed) {
            return;
        }
        let due_ns = self.first_due_ns(now_ns);
        let weak: Weak<Self> = Arc::downgrade(self);
        if process::watch(weak, due_ns).is_err() {
            self.is_watched.store(false, Ordering::Relaxed);
        }
    }

    fn first_due_ns(&self, now_ns: u64) -> u64 {
        match &self.regulator {
            Some(regulator) => lock_std(regulator).first_due_ns(now_ns),
            None => self.record.next_ns(now_ns),
        }
    }

    /// Writes the pool's record, if it is due. That the pool rests is written in any case, if need be
    /// later: a pool may come to rest hundreds of times a second.
    fn publish(&self, now_ns: u64, rests: bool) {
        if !self.record.is_due(now_ns) {
            if rests && let Some(due_ns) = self.record.farewell_ns() {
                self.farewell.set(due_ns);
            }
            return;
        }
        let (snapshot, spectra) = self.pool.vitals_and_spectra(now_ns);
        let (shares, window, decisions) = match &self.regulator {
            Some(regulator) => {
                let regulator = lock_std(regulator);
                (*regulator.shares(), regulator.last_window().copied(), decision_records(regulator.log()))
            }
            None => (self.pool.task_shares(), None, Vec::new()),
        };
        let is_closed = self.pool.closed().is_some();
        let cores = allowance::current(now_ns).cores;
        let is_busy = !rests;
        let reading = Reading { is_busy, is_closed, snapshot, spectra, shares, cores, window, decisions };
        self.record.write(now_ns, reading);
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
                let mut regulator = lock_std(regulator);
                let set = regulator.decided(clock::now_ns(), window, now, limit);
                let news = regulator.news();
                drop(regulator);
                journal::tell_decisions(py, self, &news);
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
        let Some(regulator) = &self.regulator else { return self.tick_constant(now_ns) };
        let wanted = lock_std(regulator).wanted(now_ns);
        // All readings are taken without the lock, which others want while they are attached.
        let totals = wanted.totals.then(|| lock_std(&self.meter).read(&self.pool.thread_ids()));
        let (snapshot, period) = self.pool.vitals(now_ns, wanted.period);
        let gil = in_tasks(gil::read());
        let is_waited_for = matches!(gil, GilReading::Seen(GilState { waiters: Some(1..), .. }));
        let foreign_waiters = (wanted.foreign_waiters && is_waited_for)
            .then(|| lock_std(&self.rivals).waiting(now_ns, || self.pool.thread_ids()))
            .flatten();
        let readings = Readings {
            snapshot,
            gil,
            foreign_waiters,
            process_cpu_ns: clocks::process_cpu_ns(),
            totals,
            period,
            allowance: allowance::current(now_ns),
        };
        let mut regulator_now = lock_std(regulator);
        regulator_now.follow(journal::is_read());
        let Tick { limit, ask, hunger, due_ns } = regulator_now.tick(now_ns, &readings);
        let division = regulator_now.division();
        let news = regulator_now.news();
        drop(regulator_now);
        if !news.is_empty() {
            // A line of the journal that cannot be brought is lost; `decisions()` has it all the same.
            let _ = process::attendant().send(Errand::TellDecisions(Arc::clone(&self), news));
        }
        if let Some(hunger) = hunger {
            let _ = process::attendant().send(Errand::TellHunger(Arc::clone(&self), hunger));
        }
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
        self.publish(now_ns, due_ns.is_none());
        if due_ns.is_some() {
            return due_ns;
        }
        lock_std(&self.meter).rest();
        self.rest(now_ns)
    }
}

impl Shared {
    /// A tick of a pool whose limit is constant.
    fn tick_constant(&self, now_ns: u64) -> Option<u64> {
        let rests = self.pool.is_idle();
        self.publish(now_ns, rests);
        if rests { self.rest(now_ns) } else { self.record.is_wanted().then(|| self.record.next_ns(now_ns)) }
    }

    /// Ends the watch, unless a task has come meanwhile; then it says when to look again.
    fn rest(&self, now_ns: u64) -> Option<u64> {
        self.is_watched.store(false, Ordering::Relaxed);
        // See `watch`: a task that was queued before the store is seen here.
        if self.pool.is_idle() || self.is_watched.swap(true, Ordering::Relaxed) {
            return None;
        }
        Some(self.first_due_ns(now_ns))
    }
}

/// Writes into the snapshot file that a pool has come to rest, if it still rests when the time has come.
#[derive(Debug)]
struct Farewell {
    pool: Weak<Shared>,
    is_set: AtomicBool,
}

impl Farewell {
    /// Relaxed: the monitor alone sets it and takes it back.
    fn set(self: &Arc<Self>, due_ns: u64) {
        if !self.is_set.swap(true, Ordering::Relaxed) {
            let weak: Weak<Self> = Arc::downgrade(self);
            let is_watched = process::watch(weak, due_ns).is_ok();
            self.is_set.store(is_watched, Ordering::Relaxed);
        }
    }
}

impl Watched for Farewell {
    fn tick(self: Arc<Self>, now_ns: u64) -> Option<u64> {
        self.is_set.store(false, Ordering::Relaxed);
        let pool = self.pool.upgrade()?;
        if !pool.is_watched.load(Ordering::Relaxed) && pool.pool.is_idle() {
            pool.publish(now_ns, true);
        }
        None
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
    Refused(Refused),
    NoThread(PyErr),
}
