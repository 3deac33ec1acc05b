//! The bound on tasks that wait, and the submitters that wait for room in the queue.

use super::state::{Phase, Queued, State};
use super::{Action, Closed, Pool};
use crate::parker::Parker;
use crate::sample::{Outcome, Sample};
use crate::sync::{Arc, MutexGuard};

/// Why a task was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// The pool takes no more tasks.
    Closed(Closed),
    /// As many tasks wait as may.
    Full,
}

/// A task given back to its submitter.
#[derive(Debug)]
pub struct Rejected<T> {
    /// The task, untouched.
    pub task: T,
    /// Why.
    pub why: Refused,
}

/// A submitter's place among those that wait for room; it stays in the submitter's thread.
#[derive(Debug)]
pub struct Ticket {
    number: u64,
    parker: Arc<Parker>,
}

impl Ticket {
    /// Where the submitter sleeps. It is granted when the task was accepted, or the pool closed.
    pub fn parker(&self) -> &Parker {
        &self.parker
    }
}

/// What became of a task whose submitter may wait.
#[derive(Debug)]
#[must_use = "an action that is not carried out leaves its task waiting"]
pub enum Block {
    /// There was room.
    Accepted(Action),
    /// The submitter waits on the ticket's parker, then calls [`Pool::unblock`].
    Waits(Ticket),
}

/// A submitter that waits for room, with its task; without one it waits for a reservation.
#[derive(Debug)]
pub(super) struct Blocked<T> {
    number: u64,
    task: Option<T>,
    pub(super) since_ns: u64,
    pub(super) parker: Arc<Parker>,
}

impl<T> State<T> {
    fn release_reservation(&mut self) {
        debug_assert!(self.reserved > 0, "a reservation that was never made");
        self.reserved = self.reserved.saturating_sub(1);
    }

    /// Whether one more task may be accepted: fewer wait than may, those not counted that a free
    /// worker can take at once.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        let taken = self.queue.len() + self.reserved;
        taken < self.max_queue || taken < self.room()
    }

    /// A worker is free from the end of its task, not from when it comes for the next: whoever has
    /// seen a result may count on the worker.
    fn room(&self) -> usize {
        let running = usize::try_from(self.ledger.counts().running).unwrap_or(usize::MAX);
        self.max_queue.saturating_add(self.ceiling().saturating_sub(running))
    }

    pub(super) fn accept(&mut self, task: T, since_ns: u64) {
        self.queue.push_back(Queued { task, since_ns });
        self.ledger.submitted();
    }

    /// Accepts the tasks of as many blocked submitters as there is room for, in their order; they
    /// are to be granted when the lock is free. Whatever makes room calls this.
    pub(super) fn admit(&mut self) -> Vec<Arc<Parker>> {
        let mut admitted = Vec::new();
        while self.phase == Phase::Open && !self.blocked.is_empty() && self.has_room() {
            let Some(first) = self.blocked.pop_front() else { break };
            match first.task {
                Some(task) => self.accept(task, first.since_ns),
                None => self.reserved += 1,
            }
            admitted.push(first.parker);
        }
        admitted
    }
}

/// To be called without the lock.
pub(super) fn grant_all(submitters: Vec<Arc<Parker>>) {
    for parker in submitters {
        parker.grant();
    }
}

/// Admits blocked submitters and plans for their tasks.
#[cold]
pub(super) fn settle<T>(mut state: MutexGuard<'_, State<T>>, may_start: bool) -> Action {
    let admitted = state.admit();
    let action = state.plan(may_start);
    drop(state);
    grant_all(admitted);
    action
}

impl<T> Pool<T> {
    /// Lets at most `max_queue` tasks wait; those that a free worker can take at once do not count.
    #[must_use]
    pub fn with_max_queue(self, max_queue: usize) -> Self {
        self.lock().max_queue = max_queue;
        self
    }

    /// Queues a task whatever the bound says.
    ///
    /// # Errors
    /// Gives the task back if the pool is closed.
    pub fn submit_anyway(&self, task: T, now_ns: u64) -> Result<Action, Rejected<T>> {
        let mut state = self.lock();
        if let Phase::Closed(closed) = state.phase {
            return Err(Rejected { task, why: Refused::Closed(closed) });
        }
        state.accept(task, now_ns);
        Ok(state.plan(true))
    }

    /// Queues a task in a place that was reserved for it.
    ///
    /// # Errors
    /// Gives the task back if the pool is closed. The reservation is used up all the same.
    pub fn submit_reserved(&self, task: T, now_ns: u64) -> Result<Action, Rejected<T>> {
        let mut state = self.lock();
        state.release_reservation();
        if let Phase::Closed(closed) = state.phase {
            return Err(Rejected { task, why: Refused::Closed(closed) });
        }
        state.accept(task, now_ns);
        Ok(state.plan(true))
    }

    /// Gives a reservation back unused.
    pub fn unreserve(&self) -> Action {
        let mut state = self.lock();
        state.release_reservation();
        settle(state, false)
    }

    /// Reserves a place for a task that is submitted later, by [`Self::submit_reserved`].
    ///
    /// # Errors
    /// If the pool is closed, or full.
    pub fn reserve(&self) -> Result<(), Refused> {
        let mut state = self.lock();
        if let Phase::Closed(closed) = state.phase {
            return Err(Refused::Closed(closed));
        }
        if !state.has_room() {
            return Err(Refused::Full);
        }
        state.reserved += 1;
        Ok(())
    }

    /// Queues a task, or has the calling thread wait for room, behind those that wait already.
    /// Without a task it is a reservation.
    ///
    /// # Errors
    /// Gives the task back if the pool is closed.
    pub fn block(&self, task: Option<T>, now_ns: u64) -> Result<Block, Rejected<Option<T>>> {
        let parker = Arc::new(Parker::for_current_thread());
        let mut state = self.lock();
        if let Phase::Closed(closed) = state.phase {
            return Err(Rejected { task, why: Refused::Closed(closed) });
        }
        if state.has_room() {
            let Some(task) = task else {
                state.reserved += 1;
                return Ok(Block::Accepted(Action::None));
            };
            state.accept(task, now_ns);
            return Ok(Block::Accepted(state.plan(true)));
        }
        state.last_ticket += 1;
        let number = state.last_ticket;
        state.blocked.push_back(Blocked { number, task, since_ns: now_ns, parker: Arc::clone(&parker) });
        Ok(Block::Waits(Ticket { number, parker }))
    }

    /// Ends a submitter's wait, after its grant or because it gives up: says whether its task (or
    /// reservation) was accepted.
    ///
    /// # Errors
    /// Gives the task back that was not: the pool is closed, or ([`Refused::Full`]) the submitter
    /// gives up.
    pub fn unblock(&self, ticket: &Ticket) -> Result<(), Rejected<Option<T>>> {
        let mut state = self.lock();
        let Ok(place) = state.blocked.binary_search_by_key(&ticket.number, |blocked| blocked.number) else {
            return Ok(());
        };
        let why = match state.phase {
            Phase::Open => Refused::Full,
            Phase::Closed(closed) => Refused::Closed(closed),
        };
        let task = state.blocked.remove(place).and_then(|blocked| blocked.task);
        Err(Rejected { task, why })
    }

    /// Counts a task that was refused because the queue was full.
    pub fn count_rejected(&self) {
        self.lock().ledger.rejected();
    }

    /// Books a task that its submitter ran itself because the queue was full.
    pub fn ran_by_caller(&self, sample: &Sample, outcome: Outcome) {
        self.lock().ledger.ran_by_caller(sample, outcome);
    }
}
