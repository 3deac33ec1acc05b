#![doc = include_str!("README.md")]

mod room;
mod state;

// Loom's types work inside of a model only.
#[cfg(all(test, not(surefoot_loom)))]
mod tests;

use crate::distribution::Times;
use crate::ledger::{FunctionSums, PeriodSums, Spectra};
use crate::parker::Parker;
use crate::sample::{Outcome, Sample};
use crate::share::{Division, ShareSums};
use crate::snapshot::Snapshot;
use crate::sync::{Arc, Mutex, MutexGuard, lock};
pub use room::{Block, Refused, Rejected, Ticket};
use state::{Phase, Queued, State};

/// How many workers a pool may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// Workers that stay although idle, at least 1.
    pub min_workers: usize,
    /// Workers admitted at first.
    pub limit: usize,
    /// Most workers ever admitted.
    pub cap: usize,
}

impl Bounds {
    /// A pool of constant size.
    pub fn fixed(workers: usize) -> Self {
        Self { min_workers: 1, limit: workers, cap: workers }
    }
}

/// Why a pool takes no more tasks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closed {
    /// It was shut down.
    Shutdown,
    /// A worker could not be set up; nothing may run any more.
    Broken,
    /// The process is about to end.
    Exit,
}

/// What the caller must do next, after the lock is free. Dropping it loses a wake-up.
#[derive(Debug)]
#[must_use = "a promised worker that is never woken or started leaves its task waiting"]
pub enum Action {
    /// Nothing.
    None,
    /// Grant this worker the permit that is set aside for it.
    Grant(Arc<Parker>),
    /// Make the thread of this index, or say [`Pool::start_failed`].
    Start(usize),
    /// A thread is needed, but the caller may make none: tell somebody who may
    /// ([`Pool::claim_start`]).
    NeedsThread,
}

/// What a worker does next.
#[derive(Debug)]
pub enum Next<T> {
    /// Runs this task, and sees to the action before.
    Run {
        /// The task; it is this worker's alone.
        task: T,
        /// How long it was queued.
        queued_ns: u64,
        /// For the worker to carry out first: the task may block.
        action: Action,
    },
    /// Waits on its parker, then asks again, or [`Pool::retire`]s if the time ran out.
    Park,
    /// Ends its thread, after it carried out the action.
    Leave(Action),
}

/// What a worker whose wait timed out does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retire {
    /// Ends its thread.
    Leave,
    /// Waits on: it is one of the last `min_workers`.
    Stay,
    /// A permit was set aside for it meanwhile: it waits for the grant, which is on its way.
    Granted,
}

/// How the worker came to ask for its next task, for the pool's count of promises.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Arrival {
    Started,
    Woken,
    Working,
}

/// One worker's evidence that it was admitted; it stays in the worker's thread.
#[derive(Debug)]
pub struct Worker {
    index: usize,
    parker: Arc<Parker>,
    arrival: Arrival,
}

impl Worker {
    /// The worker's number, unique among live workers and the lowest that was free.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Where it sleeps.
    pub fn parker(&self) -> &Parker {
        &self.parker
    }

    /// Says that the wait ended with a grant.
    pub fn woken(&mut self) {
        self.arrival = Arrival::Woken;
    }
}

/// The pool: tasks of type `T`, and the workers that run them.
#[derive(Debug)]
pub struct Pool<T> {
    state: Mutex<State<T>>,
}

impl<T> Pool<T> {
    /// Makes a pool without workers. `1 <= min_workers, limit <= cap`.
    pub fn new(bounds: Bounds) -> Self {
        debug_assert!(bounds.limit >= 1 && bounds.limit <= bounds.cap, "{bounds:?}");
        Self { state: Mutex::new(State::new(bounds)) }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }

    /// Queues a task.
    ///
    /// # Errors
    /// Gives the task back if the pool is closed, or full ([`Self::with_max_queue`]).
    pub fn submit(&self, task: T, now_ns: u64) -> Result<Action, Rejected<T>> {
        let mut state = self.lock();
        if let Phase::Closed(closed) = state.phase {
            return Err(Rejected { task, why: Refused::Closed(closed) });
        }
        if !state.has_room() {
            return Err(Rejected { task, why: Refused::Full });
        }
        state.accept(task, now_ns);
        Ok(state.plan(true))
    }

    /// Says that the thread of an [`Action::Start`] could not be made.
    ///
    /// If no worker is left, the task that `is_mine` recognises is given back: its submitter must
    /// be told that it will not run. While a worker lives, the task waits for that one.
    pub fn start_failed(&self, index: usize, mut is_mine: impl FnMut(&T) -> bool) -> Option<T> {
        let mut state = self.lock();
        state.starting -= 1;
        state.remove_worker(index);
        if state.live > 0 {
            // Others may have counted on the thread: a task that was left to it, or the exit of
            // the parked. A thread that is needed is not asked for again: none is to be had now,
            // and the next submission or finished task asks anyway.
            let action = state.relieve();
            drop(state);
            if let Action::Grant(parker) = action {
                parker.grant();
            }
            return None;
        }
        let place = state.queue.iter().rposition(|queued| is_mine(&queued.task))?;
        let queued = state.queue.remove(place)?;
        state.ledger.unsubmitted();
        let admitted = state.admit();
        drop(state);
        room::grant_all(admitted);
        Some(queued.task)
    }

    /// Asks for the action that the queue and the limit call for now.
    pub fn claim_start(&self) -> Action {
        self.lock().plan(true)
    }

    /// Like [`Self::claim_start`] for a caller that may make no thread.
    pub fn claim_detached(&self) -> Action {
        self.lock().plan(false)
    }

    /// Enters the loop in the thread made for `index`; `thread_id` is the kernel's, for its CPU
    /// clock.
    pub fn enter(&self, index: usize, thread_id: Option<u64>) -> Worker {
        let parker = Arc::new(Parker::for_current_thread());
        self.lock().seats[index].enter(Arc::clone(&parker), thread_id);
        Worker { index, parker, arrival: Arrival::Started }
    }

    /// Asks what to do next; called by a worker at its start, after a task and after a wake-up.
    pub fn next(&self, worker: &mut Worker, now_ns: u64) -> Next<T> {
        let mut state = self.lock();
        match std::mem::replace(&mut worker.arrival, Arrival::Working) {
            Arrival::Started => state.starting -= 1,
            Arrival::Woken => state.waking -= 1,
            Arrival::Working => {}
        }
        if state.admitted > state.ceiling() {
            state.park(worker.index);
            return Next::Park;
        }
        if let Some(Queued { task, since_ns }) = state.queue.pop_front() {
            state.ledger.taken(now_ns);
            let action = state.plan(true);
            return Next::Run { task, queued_ns: now_ns.saturating_sub(since_ns), action };
        }
        if matches!(state.phase, Phase::Open) {
            state.park(worker.index);
            return Next::Park;
        }
        state.remove_worker(worker.index);
        Next::Leave(state.wake_one())
    }

    /// Records a task that [`Pool::next`] gave out. Called before the result is published, so that
    /// whoever sees the result sees it counted. The action is for a blocked submitter's task, which
    /// may have been accepted in its place.
    pub fn finish(&self, sample: &Sample, outcome: Outcome, now_ns: u64) -> Action {
        let mut state = self.lock();
        state.ledger.finished(sample, outcome, now_ns);
        if state.blocked.is_empty() {
            return Action::None;
        }
        room::settle(state, true)
    }

    /// Says that a worker, in a task, waits for another task of this pool. It does not count against
    /// the limit until [`Self::joined`], up to the cap, so that what it waits for can run.
    pub fn joining(&self) -> Action {
        let mut state = self.lock();
        state.joining += 1;
        room::settle(state, true)
    }

    /// Says that the wait announced by [`Self::joining`] is over. The worker goes on at once; if
    /// that makes one too many, the next to finish a task parks.
    pub fn joined(&self) {
        let mut state = self.lock();
        debug_assert!(state.joining > 0, "a wait ended that never began");
        state.joining = state.joining.saturating_sub(1);
    }

    /// Says that a worker's task waits for work that comes to this pool by another way than a task of its
    /// own. Until [`Self::step_in`] the worker counts neither against the limit nor against the cap.
    pub fn step_out(&self) -> Action {
        let mut state = self.lock();
        state.outside += 1;
        state.plan(true)
    }

    /// Says that the worker counts again. It goes on at once; if that makes one too many, the next to
    /// finish a task parks.
    pub fn step_in(&self) {
        let mut state = self.lock();
        debug_assert!(state.outside > 0, "a worker stepped in that was not out");
        state.outside = state.outside.saturating_sub(1);
    }

    /// Asks whether a worker whose wait timed out may leave.
    pub fn retire(&self, worker: &Worker) -> Retire {
        let mut state = self.lock();
        let Some(place) = state.parked.iter().position(|&index| index == worker.index) else {
            return Retire::Granted;
        };
        if matches!(state.phase, Phase::Open) && state.live <= state.bounds_min_workers {
            return Retire::Stay;
        }
        state.parked.remove(place);
        state.admitted += 1; // `remove_worker` gives the permit back
        state.remove_worker(worker.index);
        Retire::Leave
    }

    /// Takes a worker out whose thread ends without having been told to (a panic). It holds a
    /// permit: not for one that [`Next::Park`] sent to sleep and that was not [`Worker::woken`].
    pub fn lost(&self, worker: &Worker) -> Action {
        let mut state = self.lock();
        match worker.arrival {
            Arrival::Started => state.starting -= 1,
            Arrival::Woken => state.waking -= 1,
            Arrival::Working => {}
        }
        state.remove_worker(worker.index);
        state.relieve()
    }

    /// Closes the pool: no more tasks; what is queued is still run, then the workers leave. Of a
    /// pool closed twice the graver reason stands: `Broken` and `Exit` replace `Shutdown`.
    pub fn close(&self, why: Closed) -> Action {
        let mut state = self.lock();
        match state.phase {
            Phase::Open => state.phase = Phase::Closed(why),
            Phase::Closed(Closed::Shutdown) if why != Closed::Shutdown => {
                state.phase = Phase::Closed(why);
            }
            Phase::Closed(_) => {}
        }
        let action = state.wake_one();
        // They stay in the line, each to take its own task out of it.
        let refused = state.blocked.iter().map(|blocked| Arc::clone(&blocked.parker)).collect();
        drop(state);
        room::grant_all(refused);
        action
    }

    /// Why the pool is closed, if it is.
    pub fn closed(&self) -> Option<Closed> {
        match self.lock().phase {
            Phase::Open => None,
            Phase::Closed(why) => Some(why),
        }
    }

    /// Takes the oldest task out of the queue, past the workers.
    pub fn withdraw(&self) -> Option<T> {
        let mut state = self.lock();
        let queued = state.queue.pop_front()?;
        state.ledger.withdrawn();
        // One for one: no more workers are needed than before.
        let admitted = state.admit();
        drop(state);
        room::grant_all(admitted);
        Some(queued.task)
    }

    /// Sets the limit, held between 1 and the cap.
    pub fn set_limit(&self, limit: usize) -> Action {
        let mut state = self.lock();
        state.limit = limit.clamp(1, state.cap);
        room::settle(state, false)
    }

    /// Sets the cap (at least 1); the limit follows if it must, or if `with_limit` says so.
    pub fn set_cap(&self, cap: usize, with_limit: bool) -> Action {
        let mut state = self.lock();
        state.cap = cap.max(1);
        state.limit = if with_limit { state.cap } else { state.limit.min(state.cap) };
        room::settle(state, false)
    }

    /// Tasks waiting.
    pub fn queue_length(&self) -> usize {
        self.lock().queue.len()
    }

    /// The limit in force and the cap.
    pub fn limit_and_cap(&self) -> (usize, usize) {
        let state = self.lock();
        (state.limit, state.cap)
    }

    /// Workers that wait for a task.
    pub fn workers_parked(&self) -> usize {
        self.lock().parked.len()
    }

    /// Workers that exist.
    pub fn workers_live(&self) -> usize {
        self.lock().live
    }

    /// Kernel ids of the workers' threads.
    pub fn thread_ids(&self) -> Vec<u64> {
        self.lock().seats.iter().filter_map(state::Seat::thread_id).collect()
    }

    /// Whether nothing is queued and nothing runs.
    pub fn is_idle(&self) -> bool {
        let state = self.lock();
        state.queue.is_empty() && state.ledger.counts().running == 0
    }

    /// One consistent reading, percentiles included.
    pub fn snapshot(&self, now_ns: u64) -> Snapshot {
        self.lock().snapshot(now_ns)
    }

    /// The same together with the sums by function.
    pub fn snapshot_by_function(&self, now_ns: u64) -> (Snapshot, Vec<FunctionSums>) {
        let state = self.lock();
        (state.snapshot(now_ns), state.ledger.functions().to_vec())
    }

    /// One consistent reading with the coarse distributions in place of the percentiles: it costs a
    /// copy of a kilobyte.
    pub fn vitals_and_spectra(&self, now_ns: u64) -> (Snapshot, Spectra) {
        let state = self.lock();
        (state.vitals(now_ns), state.ledger.spectra())
    }

    /// Where the time of all tasks went, task by task.
    pub fn task_shares(&self) -> ShareSums {
        let mut sums = ShareSums::default();
        self.lock().ledger.functions().iter().for_each(|function| sums.add(&function.shares));
        sums
    }

    /// One consistent reading for metrics: vitals, distributions, worker time.
    pub fn account(&self, now_ns: u64) -> (Snapshot, Option<Times>, ShareSums) {
        let state = self.lock();
        (state.vitals(now_ns), state.ledger.times(), state.ledger.shares())
    }

    /// Sets how what is not measured of each task is divided from now on.
    pub fn set_division(&self, division: Division) {
        self.lock().ledger.set_division(division);
    }

    /// One consistent reading without the percentiles, which take some 50 us to find; together
    /// with the sums of the control period, if `ends_period` says that it ends here.
    pub fn vitals(&self, now_ns: u64, ends_period: bool) -> (Snapshot, Option<PeriodSums>) {
        let mut state = self.lock();
        let sums = ends_period.then(|| state.ledger.end_period(now_ns));
        (state.vitals(now_ns), sums)
    }
}
