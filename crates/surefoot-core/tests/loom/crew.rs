//! A pool and all of its threads, as loom runs them: workers with the loop of a real one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::{Condvar, Mutex};
use loom::thread::JoinHandle;
use surefoot_core::parker::{Parker, Wake};
use surefoot_core::pool::{Action, Block, Bounds, Closed, Next, Pool, Retire, Ticket, Worker};
use surefoot_core::sample::{Outcome, Sample};
use surefoot_core::sync::{lock, lock_std};

/// Most tasks of a model.
pub(crate) const TASKS: usize = 4;

/// A task: what it does when it is run.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// Ends at once.
    Plain(usize),
    /// Waits until both of a pair run, so it needs two workers at once.
    Pair(usize, Arc<Meeting>),
    /// The same, but says that it waits for another task of its pool.
    Joined(usize, Arc<Meeting>),
}

impl Task {
    pub(crate) fn id(&self) -> usize {
        match self {
            Task::Plain(id) | Task::Pair(id, _) | Task::Joined(id, _) => *id,
        }
    }
}

/// Where two tasks meet.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    arrived: Mutex<usize>,
    both: Condvar,
}

impl Meeting {
    pub(crate) fn attend(&self) {
        let mut arrived = lock(&self.arrived);
        *arrived += 1;
        self.both.notify_all();
        while *arrived < 2 {
            arrived = self.both.wait(arrived).expect("no thread panics");
        }
    }
}

/// What a worker does when it has nothing to run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Idle {
    /// Waits without end.
    Waits,
    /// Its time-out is over at once.
    TimesOut,
}

/// A pool and all of its threads. What it counts lies outside of the model (plain atomics), so that
/// counting adds no schedules.
pub(crate) struct Crew {
    pub(crate) pool: Pool<Task>,
    pub(crate) idle: Idle,
    pub(crate) runs: [AtomicUsize; TASKS],
    pub(crate) left: AtomicUsize,
    /// How many workers still die before they ask for a task.
    pub(crate) deaths: AtomicUsize,
    /// Granted when the tasks that are waited for are done.
    pub(crate) done: Parker,
    pub(crate) handles: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Crew {
    /// Makes the pool; the calling thread is the one that waits for tasks.
    pub(crate) fn new(bounds: Bounds, idle: Idle) -> Arc<Self> {
        Self::of(Pool::new(bounds), idle)
    }

    /// The same with a bound on the tasks that wait.
    pub(crate) fn bounded(bounds: Bounds, max_queue: usize) -> Arc<Self> {
        Self::of(Pool::new(bounds).with_max_queue(max_queue), Idle::Waits)
    }

    fn of(pool: Pool<Task>, idle: Idle) -> Arc<Self> {
        Arc::new(Self {
            pool,
            idle,
            runs: Default::default(),
            left: AtomicUsize::new(0),
            deaths: AtomicUsize::new(0),
            done: Parker::for_current_thread(),
            handles: std::sync::Mutex::default(),
        })
    }

    /// Says how many tasks the next [`wait`](Self::wait) is for; before any of them is submitted.
    pub(crate) fn expect(&self, tasks: usize) {
        self.left.store(tasks, Ordering::SeqCst);
    }

    pub(crate) fn wait(&self) {
        assert_eq!(self.done.wait(None), Wake::Granted);
    }

    pub(crate) fn submit(self: &Arc<Self>, task: Task) {
        let action = self.pool.submit(task, 0).expect("the pool is open");
        self.carry_out(action);
    }

    /// Gets in line if the queue is full; `None` if there was room, or the pool is closed.
    pub(crate) fn get_in_line(self: &Arc<Self>, task: Task) -> Result<Option<Ticket>, Task> {
        match self.pool.block(Some(task), 0) {
            Ok(Block::Accepted(action)) => {
                self.carry_out(action);
                Ok(None)
            }
            Ok(Block::Waits(ticket)) => Ok(Some(ticket)),
            Err(rejected) => Err(rejected.task.expect("a task comes back whole")),
        }
    }

    /// Waits for room; whether the task was accepted.
    pub(crate) fn submit_patiently(self: &Arc<Self>, task: Task) -> bool {
        match self.get_in_line(task) {
            Ok(None) => true,
            Ok(Some(ticket)) => {
                assert_eq!(ticket.parker().wait(None), Wake::Granted);
                self.pool.unblock(&ticket).is_ok()
            }
            Err(_) => false,
        }
    }

    pub(crate) fn submit_pair(self: &Arc<Self>, ids: [usize; 2]) {
        let meeting = Arc::new(Meeting::default());
        for id in ids {
            self.submit(Task::Pair(id, Arc::clone(&meeting)));
        }
    }

    pub(crate) fn carry_out(self: &Arc<Self>, action: Action) {
        match action {
            Action::None => {}
            Action::Grant(parker) => parker.grant(),
            Action::Start(index) => {
                let crew = Arc::clone(self);
                self.spawn(move || crew.work(index));
            }
            Action::NeedsThread => {
                let action = self.pool.claim_start();
                self.carry_out(action);
            }
        }
    }

    pub(crate) fn spawn(&self, body: impl FnOnce() + 'static) {
        let handle = loom::thread::spawn(body);
        lock_std(&self.handles).push(handle);
    }

    /// The loop of a worker.
    pub(crate) fn work(self: &Arc<Self>, index: usize) {
        let mut worker = self.pool.enter(index, None);
        let is_doomed = |deaths: usize| deaths.checked_sub(1);
        if self.deaths.fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_doomed).is_ok() {
            let action = self.pool.lost(&worker);
            self.carry_out(action);
            return;
        }
        loop {
            match self.pool.next(&mut worker, 0) {
                Next::Run { task, action, .. } => {
                    self.carry_out(action);
                    self.run(&task);
                }
                Next::Park => {
                    if !self.sleep(&mut worker) {
                        return;
                    }
                }
                Next::Leave(action) => {
                    self.carry_out(action);
                    return;
                }
            }
        }
    }

    /// Sleeps; whether the worker was woken, else it has left.
    pub(crate) fn sleep(&self, worker: &mut Worker) -> bool {
        let timed_out = match self.idle {
            Idle::Waits => None,
            Idle::TimesOut => Some(0),
        };
        if worker.parker().wait(timed_out) == Wake::TimedOut {
            match self.pool.retire(worker) {
                Retire::Leave => return false,
                // A real worker would time out again; nothing new would come of it.
                Retire::Stay | Retire::Granted => {
                    assert_eq!(worker.parker().wait(None), Wake::Granted);
                }
            }
        }
        worker.woken();
        true
    }

    pub(crate) fn run(self: &Arc<Self>, task: &Task) {
        match task {
            Task::Plain(_) => {}
            Task::Pair(_, meeting) => meeting.attend(),
            Task::Joined(_, meeting) => {
                let action = self.pool.joining();
                self.carry_out(action);
                meeting.attend();
                self.pool.joined();
            }
        }
        self.runs[task.id()].fetch_add(1, Ordering::SeqCst);
        let action = self.pool.finish(&Sample::default(), Outcome::Done, 0);
        self.carry_out(action);
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.done.grant();
        }
    }

    pub(crate) fn close(self: &Arc<Self>) {
        let action = self.pool.close(Closed::Shutdown);
        self.carry_out(action);
    }

    /// Joins all threads; loom reports it if one of them never ends.
    pub(crate) fn join(&self) {
        // A thread hands in the handles of those it made before it ends itself.
        loop {
            let Some(handle) = lock_std(&self.handles).pop() else { break };
            handle.join().expect("no thread panics");
        }
    }

    /// Joins all threads, and checks that each of the first `tasks` tasks ran exactly once.
    pub(crate) fn end(&self, tasks: usize) {
        self.join();
        let runs: Vec<usize> = self.runs.iter().map(|runs| runs.load(Ordering::SeqCst)).collect();
        let once: Vec<usize> = (0..TASKS).map(|id| usize::from(id < tasks)).collect();
        assert_eq!(runs, once);
        let snapshot = self.pool.snapshot(0);
        assert_eq!(snapshot.workers_joining, 0);
        let counts = snapshot.tasks;
        assert_eq!((counts.submitted, counts.done, counts.running), (tasks as u64, tasks as u64, 0));
        assert_eq!((self.pool.workers_live(), self.pool.workers_parked()), (0, 0));
    }
}

pub(crate) fn bounds(limit: usize, cap: usize) -> Bounds {
    Bounds { min_workers: 1, limit, cap }
}
