//! What the pool's lock protects, and the rules that keep it consistent.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::room::Blocked;
use super::{Action, Bounds, Closed};
use crate::ledger::Ledger;
use crate::parker::Parker;
use crate::snapshot::Snapshot;
use crate::sync::Arc;

#[derive(Debug)]
pub(super) struct Queued<T> {
    pub(super) task: T,
    pub(super) since_ns: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Open,
    Closed(Closed),
}

/// The place of one worker, kept for the next thread of the same index.
#[derive(Debug, Default)]
pub(super) struct Seat {
    parker: Option<Arc<Parker>>,
    thread_id: Option<u64>,
}

impl Seat {
    pub(super) fn enter(&mut self, parker: Arc<Parker>, thread_id: Option<u64>) {
        self.parker = Some(parker);
        self.thread_id = thread_id;
    }

    pub(super) fn thread_id(&self) -> Option<u64> {
        self.thread_id
    }
}

#[derive(Debug)]
pub(super) struct State<T> {
    pub(super) queue: VecDeque<Queued<T>>,
    /// Most tasks that may wait; `usize::MAX`: any number.
    pub(super) max_queue: usize,
    /// Places in the queue for tasks that are yet to come.
    pub(super) reserved: usize,
    /// Submitters that wait for room, by ticket. None, if there is room and the pool is open.
    pub(super) blocked: VecDeque<Blocked<T>>,
    pub(super) last_ticket: u64,
    pub(super) phase: Phase,
    pub(super) limit: usize,
    pub(super) cap: usize,
    pub(super) bounds_min_workers: usize,
    /// Workers that exist, from the promise to start them until they leave.
    pub(super) live: usize,
    /// Permits given out: to workers that run or look for a task, wake up or start.
    pub(super) admitted: usize,
    /// Of those, promised to threads that have not asked for a task yet.
    pub(super) starting: usize,
    /// Of those, promised to parked workers that have not asked again yet.
    pub(super) waking: usize,
    /// Of those, workers that wait, in a task, for another task of this pool.
    pub(super) joining: usize,
    /// Workers that said that they wait for work from elsewhere: not counted, not even against the cap.
    pub(super) outside: usize,
    /// Indices of waiting workers, the last to come on top: it is the one with the warmest cache,
    /// and the surplus gathers at the bottom, where it times out.
    pub(super) parked: Vec<usize>,
    pub(super) seats: Vec<Seat>,
    free_indices: BinaryHeap<Reverse<usize>>,
    pub(super) ledger: Ledger,
}

impl<T> State<T> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            queue: VecDeque::new(),
            max_queue: usize::MAX,
            reserved: 0,
            blocked: VecDeque::new(),
            last_ticket: 0,
            phase: Phase::Open,
            limit: bounds.limit,
            cap: bounds.cap,
            bounds_min_workers: bounds.min_workers,
            live: 0,
            admitted: 0,
            starting: 0,
            waking: 0,
            joining: 0,
            outside: 0,
            parked: Vec::new(),
            seats: Vec::new(),
            free_indices: BinaryHeap::new(),
            ledger: Ledger::default(),
        }
    }

    /// How many may be admitted: those that wait for others do not count against the limit.
    pub(super) fn ceiling(&self) -> usize {
        self.limit.saturating_add(self.joining).min(self.cap).saturating_add(self.outside)
    }

    /// Promises one more worker to the queue if the limit allows it: a parked one if none is on
    /// its way already (it will wake the next itself), else a new thread, but only for tasks that
    /// the parked ones cannot take. At most one promise a call.
    pub(super) fn plan(&mut self, may_start: bool) -> Action {
        self.check();
        let promised = self.starting + self.waking;
        if self.queue.len() <= promised || self.admitted >= self.ceiling() {
            return Action::None;
        }
        if self.waking == 0 && !self.parked.is_empty() {
            return self.wake_one();
        }
        if self.queue.len() <= promised + self.parked.len() || self.live >= self.ceiling() {
            return Action::None;
        }
        if !may_start {
            return Action::NeedsThread;
        }
        let index = self.free_indices.pop().map_or(self.seats.len(), |Reverse(index)| index);
        if index == self.seats.len() {
            self.seats.push(Seat::default());
        }
        self.live += 1;
        self.admitted += 1;
        self.starting += 1;
        Action::Start(index)
    }

    /// Promises a permit to the worker that parked last, if any is parked.
    pub(super) fn wake_one(&mut self) -> Action {
        let Some(index) = self.parked.pop() else { return Action::None };
        self.waking += 1;
        self.admitted += 1;
        self.seats[index].parker.as_ref().map_or(Action::None, |parker| Action::Grant(Arc::clone(parker)))
    }

    /// Promises a worker in place of one that went without looking at the queue: to a task that
    /// waits, or to the chain of exits of a closed pool, which it would have gone on with.
    pub(super) fn relieve(&mut self) -> Action {
        if self.phase != Phase::Open && self.queue.is_empty() {
            return self.wake_one();
        }
        self.plan(false)
    }

    /// Takes the permit of a worker and puts it among the waiting.
    pub(super) fn park(&mut self, index: usize) {
        self.admitted -= 1;
        self.parked.push(index);
        self.check();
    }

    /// Takes a worker that holds a permit out of the pool.
    pub(super) fn remove_worker(&mut self, index: usize) {
        self.admitted -= 1;
        self.live -= 1;
        self.seats[index] = Seat::default();
        self.free_indices.push(Reverse(index));
        self.check();
    }

    pub(super) fn snapshot(&self, now_ns: u64) -> Snapshot {
        Snapshot {
            queued: self.ledger.queued(),
            attach_wait: self.ledger.attach_wait(),
            wall: self.ledger.wall(),
            cpu: self.ledger.cpu(),
            ..self.vitals(now_ns)
        }
    }

    pub(super) fn vitals(&self, now_ns: u64) -> Snapshot {
        let tasks = self.ledger.counts();
        // Whoever is blocked came after all that is queued.
        let head = self.queue.front().map(|queued| queued.since_ns);
        let head = head.or_else(|| self.blocked.front().map(|blocked| blocked.since_ns));
        Snapshot {
            limit: self.limit,
            cap: self.cap,
            workers_live: self.live,
            // `running` is at most `live`: a worker runs one task at a time.
            workers_busy: usize::try_from(tasks.running).unwrap_or(usize::MAX),
            workers_joining: self.joining + self.outside,
            queue_length: self.queue.len(),
            queue_head_age_ns: head.map_or(0, |since_ns| now_ns.saturating_sub(since_ns)),
            submitters_blocked: self.blocked.len(),
            tasks,
            beta_mean: self.ledger.beta_mean(),
            queued: None,
            attach_wait: None,
            wall: None,
            cpu: None,
        }
    }

    fn check(&self) {
        debug_assert!(self.starting + self.waking <= self.admitted, "a promise without a permit");
        debug_assert_eq!(
            self.admitted + self.parked.len(),
            self.live,
            "a worker neither admitted nor parked"
        );
        debug_assert!(
            self.blocked.is_empty() || self.phase != Phase::Open || !self.has_room(),
            "a submitter waits although there is room"
        );
    }
}
