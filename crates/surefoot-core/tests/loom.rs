//! Models of the pool protocol: loom runs every schedule of two to four threads (with at most
//! `LOOM_MAX_PREEMPTIONS` forced switches) through the real pool and parker.
//!
//! `make model` runs them. Every worker runs the loop of a real one ([`Crew::work`]), every model
//! waits for its tasks *before* it closes the pool wherever a lost wake-up is what it looks for (a
//! close would wake the sleeper and hide it), and every model then closes the pool and joins all
//! threads: loom reports it if one of them sleeps for ever.
//!
//! Each model can fail. The protocol was broken in one place at a time, and these models caught it
//! (those named first are the ones made for it):
//!
//! | broken | caught by |
//! |---|---|
//! | `next` looks at the queue and parks in two critical sections | all but `close_against_retire` |
//! | `submit` plans before it queues | `submit_against_park`, `wake_ups_are_passed_on` and 6 more |
//! | `next` does not plan for the next task | `wake_ups_are_passed_on`, `retire_against_grant`, `lower_and_raise_against_next` |
//! | `next` does not count `waking` down; `starting` | all |
//! | the start of a thread is not counted in `admitted` and `starting` | all |
//! | `retire` lets a worker go that has a grant in flight | `retire_against_grant`, `close_against_retire` |
//! | `retire` leaves a worker that goes on the parked stack | `retire_against_grant`, `close_against_retire` |
//! | `set_limit` does not plan | `raise_against_submit`, `lower_and_raise_against_next` |
//! | `close` wakes nobody | all |
//! | `Leave` wakes nobody | `close_against_park`, `lower_against_next` and 7 more |
//! | a worker leaves a closed pool before it looks at the queue | `shutdown_against_submit`, `failed_start_against_close`, `lost_against_close` |
//! | `start_failed` does not relieve | `failed_start_against_park`, `failed_start_against_close` |
//! | `start_failed` only plans | `failed_start_against_close` |
//! | `lost` does not relieve | `lost_against_submit`, `lost_against_close` |
//! | `lost` only plans | `lost_against_close` |
//! | `joining` does not plan; `joined` does not count down | `joined_tasks_need_no_permit` |
//! | a grant without its flag; without its unpark | all |
#![cfg(surefoot_loom)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::{Condvar, Mutex};
use loom::thread::JoinHandle;
use surefoot_core::parker::{Parker, Wake};
use surefoot_core::pool::{Action, Bounds, Closed, Next, Pool, Retire, Worker};
use surefoot_core::sample::{Outcome, Sample};
use surefoot_core::sync::{lock, lock_std};

/// Most tasks of a model.
const TASKS: usize = 4;

/// A task: what it does when it is run.
#[derive(Clone, Debug)]
enum Task {
    /// Ends at once.
    Plain(usize),
    /// Waits until both of a pair run, so it needs two workers at once.
    Pair(usize, Arc<Meeting>),
    /// The same, but says that it waits for another task of its pool.
    Joined(usize, Arc<Meeting>),
}

impl Task {
    fn id(&self) -> usize {
        match self {
            Task::Plain(id) | Task::Pair(id, _) | Task::Joined(id, _) => *id,
        }
    }
}

/// Where two tasks meet.
#[derive(Debug, Default)]
struct Meeting {
    arrived: Mutex<usize>,
    both: Condvar,
}

impl Meeting {
    fn attend(&self) {
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
enum Idle {
    /// Waits without end.
    Waits,
    /// Its time-out is over at once.
    TimesOut,
}

/// A pool and all of its threads. What it counts lies outside of the model (plain atomics), so that
/// counting adds no schedules.
struct Crew {
    pool: Pool<Task>,
    idle: Idle,
    runs: [AtomicUsize; TASKS],
    left: AtomicUsize,
    /// How many workers still die before they ask for a task.
    deaths: AtomicUsize,
    /// Granted when the tasks that are waited for are done.
    done: Parker,
    handles: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Crew {
    /// Makes the pool; the calling thread is the one that waits for tasks.
    fn new(bounds: Bounds, idle: Idle) -> Arc<Self> {
        Arc::new(Self {
            pool: Pool::new(bounds),
            idle,
            runs: Default::default(),
            left: AtomicUsize::new(0),
            deaths: AtomicUsize::new(0),
            done: Parker::for_current_thread(),
            handles: std::sync::Mutex::default(),
        })
    }

    /// Says how many tasks the next [`wait`](Self::wait) is for; before any of them is submitted.
    fn expect(&self, tasks: usize) {
        self.left.store(tasks, Ordering::SeqCst);
    }

    fn wait(&self) {
        assert_eq!(self.done.wait(None), Wake::Granted);
    }

    fn submit(self: &Arc<Self>, task: Task) {
        let action = self.pool.submit(task, 0).expect("the pool is open");
        self.carry_out(action);
    }

    fn submit_pair(self: &Arc<Self>, ids: [usize; 2]) {
        let meeting = Arc::new(Meeting::default());
        for id in ids {
            self.submit(Task::Pair(id, Arc::clone(&meeting)));
        }
    }

    fn carry_out(self: &Arc<Self>, action: Action) {
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

    fn spawn(&self, body: impl FnOnce() + 'static) {
        let handle = loom::thread::spawn(body);
        lock_std(&self.handles).push(handle);
    }

    /// The loop of a worker.
    fn work(self: &Arc<Self>, index: usize) {
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
    fn sleep(&self, worker: &mut Worker) -> bool {
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

    fn run(self: &Arc<Self>, task: &Task) {
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
        self.pool.finish(&Sample::default(), Outcome::Done, 0);
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.done.grant();
        }
    }

    fn close(self: &Arc<Self>) {
        let action = self.pool.close(Closed::Shutdown);
        self.carry_out(action);
    }

    /// Joins all threads; loom reports it if one of them never ends.
    fn join(&self) {
        // A thread hands in the handles of those it made before it ends itself.
        loop {
            let Some(handle) = lock_std(&self.handles).pop() else { break };
            handle.join().expect("no thread panics");
        }
    }

    /// Joins all threads, and checks that each of the first `tasks` tasks ran exactly once.
    fn end(&self, tasks: usize) {
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

fn bounds(limit: usize, cap: usize) -> Bounds {
    Bounds { min_workers: 1, limit, cap }
}

/// A task that comes while the only worker goes to sleep is still run.
#[test]
fn submit_against_park() {
    loom::model(|| {
        let crew = Crew::new(bounds(1, 1), Idle::Waits);
        for id in 0..3 {
            crew.expect(1);
            crew.submit(Task::Plain(id));
            crew.wait();
        }
        crew.close();
        crew.end(3);
    });
}

/// Of two tasks that need each other the second is told to nobody (a wake-up is in flight): the
/// worker that takes the first passes the wake-up on.
#[test]
fn wake_ups_are_passed_on() {
    loom::model(|| {
        let crew = Crew::new(bounds(2, 2), Idle::Waits);
        for ids in [[0, 1], [2, 3]] {
            crew.expect(2);
            crew.submit_pair(ids);
            crew.wait();
        }
        crew.close();
        crew.end(4);
    });
}

/// With a limit of one, a task that waits for another lets it run: first by a new thread, then, with
/// a surplus of one gone to sleep meanwhile or not, by one that is woken.
#[test]
fn joined_tasks_need_no_permit() {
    loom::model(|| {
        let crew = Crew::new(bounds(1, 2), Idle::Waits);
        for ids in [[0, 1], [2, 3]] {
            crew.expect(2);
            let meeting = Arc::new(Meeting::default());
            for id in ids {
                crew.submit(Task::Joined(id, Arc::clone(&meeting)));
            }
            crew.wait();
        }
        crew.close();
        crew.end(4);
    });
}

/// Two submitters at once: the one whose task finds a promise out already may rely on it.
#[test]
fn submit_against_submit() {
    loom::model(|| {
        let crew = Crew::new(bounds(2, 2), Idle::Waits);
        crew.expect(2);
        let meeting = Arc::new(Meeting::default());
        let (other, place) = (Arc::clone(&crew), Arc::clone(&meeting));
        crew.spawn(move || other.submit(Task::Pair(1, place)));
        crew.submit(Task::Pair(0, meeting));
        crew.wait();
        crew.close();
        crew.end(2);
    });
}

/// A worker whose time ran out while a task came either leaves, and the task finds another, or
/// stays and takes it.
#[test]
fn retire_against_grant() {
    loom::model(|| {
        let crew = Crew::new(bounds(2, 2), Idle::TimesOut);
        for ids in [[0, 1], [2, 3]] {
            crew.expect(2);
            crew.submit_pair(ids);
            crew.wait();
        }
        crew.close();
        crew.end(4);
    });
}

/// A task comes before the shutdown and is run, or after it and is given back.
#[test]
fn shutdown_against_submit() {
    loom::model(|| {
        let crew = Crew::new(bounds(1, 1), Idle::Waits);
        crew.submit(Task::Plain(0));
        let accepted = Arc::new(AtomicUsize::new(1));
        let (other, count) = (Arc::clone(&crew), Arc::clone(&accepted));
        crew.spawn(move || {
            if let Ok(action) = other.pool.submit(Task::Plain(1), 0) {
                count.fetch_add(1, Ordering::SeqCst);
                other.carry_out(action);
            }
        });
        crew.close();
        crew.join();
        crew.end(accepted.load(Ordering::SeqCst));
    });
}

/// A close wakes one worker, and each that leaves wakes the next, also those that were just about
/// to sleep.
#[test]
fn close_against_park() {
    loom::model(|| {
        let crew = Crew::new(bounds(2, 2), Idle::Waits);
        crew.expect(2);
        crew.submit_pair([0, 1]);
        crew.wait();
        crew.close();
        crew.end(2);
    });
}

/// The same with workers whose time runs out meanwhile.
#[test]
fn close_against_retire() {
    loom::model(|| {
        let crew = Crew::new(bounds(2, 2), Idle::TimesOut);
        crew.expect(2);
        crew.submit_pair([0, 1]);
        crew.wait();
        crew.close();
        crew.end(2);
    });
}

/// A task that the limit held back gets its worker when the limit rises.
#[test]
fn raise_against_submit() {
    loom::model(|| {
        let crew = Crew::new(bounds(1, 2), Idle::Waits);
        crew.expect(2);
        let other = Arc::clone(&crew);
        crew.spawn(move || {
            let action = other.pool.set_limit(2);
            other.carry_out(action);
        });
        crew.submit_pair([0, 1]);
        crew.wait();
        crew.close();
        crew.end(2);
    });
}

/// Workers that a lower limit sends to sleep leave no task behind, and leave at the close.
#[test]
fn lower_against_next() {
    loom::model(|| {
        let crew = Crew::new(bounds(2, 2), Idle::Waits);
        crew.expect(4);
        crew.submit(Task::Plain(0));
        crew.submit(Task::Plain(1));
        let action = crew.pool.set_limit(1);
        crew.carry_out(action);
        crew.submit(Task::Plain(2));
        crew.submit(Task::Plain(3));
        crew.wait();
        crew.close();
        crew.end(4);
    });
}

/// A worker that a lower limit sent to sleep is woken by the raise, if tasks wait for it.
#[test]
fn lower_and_raise_against_next() {
    loom::model(|| {
        let crew = Crew::new(bounds(2, 2), Idle::Waits);
        crew.expect(4);
        crew.submit_pair([0, 1]);
        for limit in [1, 2] {
            let action = crew.pool.set_limit(limit);
            crew.carry_out(action);
            if limit == 1 {
                crew.submit_pair([2, 3]);
            }
        }
        crew.wait();
        crew.close();
        crew.end(4);
    });
}

impl Crew {
    /// Submits a task and cannot make a thread for it; whether the task was accepted.
    fn submit_without_threads(self: &Arc<Self>, id: usize) -> bool {
        match self.pool.submit(Task::Plain(id), 0) {
            Ok(Action::Start(index)) => {
                let task = self.pool.start_failed(index, |task| task.id() == id);
                assert!(task.is_none(), "a worker lives");
            }
            Ok(action) => self.carry_out(action),
            Err(_) => return false,
        }
        true
    }
}

/// A thread that could not be made had a task counted on it; a worker that sleeps takes its place.
#[test]
fn failed_start_against_park() {
    loom::model(|| {
        let crew = Crew::new(bounds(2, 2), Idle::Waits);
        crew.expect(3);
        crew.submit(Task::Plain(0));
        let other = Arc::clone(&crew);
        crew.spawn(move || assert!(other.submit_without_threads(1)));
        crew.submit(Task::Plain(2));
        crew.wait();
        crew.close();
        crew.end(3);
    });
}

/// A thread that could not be made was to go on with the exits of a closed pool.
#[test]
fn failed_start_against_close() {
    loom::model(|| {
        let crew = Crew::new(bounds(2, 2), Idle::Waits);
        crew.submit(Task::Plain(0));
        let accepted = Arc::new(AtomicUsize::new(1));
        let (other, count) = (Arc::clone(&crew), Arc::clone(&accepted));
        crew.spawn(move || {
            count.fetch_add(usize::from(other.submit_without_threads(1)), Ordering::SeqCst);
        });
        let action = crew.pool.set_limit(1);
        crew.carry_out(action);
        crew.close();
        crew.join();
        crew.end(accepted.load(Ordering::SeqCst));
    });
}

/// The task of a worker that dies at its start goes to another.
#[test]
fn lost_against_submit() {
    loom::model(|| {
        let crew = Crew::new(bounds(1, 1), Idle::Waits);
        crew.deaths.store(1, Ordering::SeqCst);
        crew.expect(2);
        crew.submit(Task::Plain(0));
        crew.submit(Task::Plain(1));
        crew.wait();
        crew.close();
        crew.end(2);
    });
}

/// A worker that dies was to go on with the exits of a closed pool.
#[test]
fn lost_against_close() {
    loom::model(|| {
        let crew = Crew::new(bounds(2, 2), Idle::Waits);
        crew.submit(Task::Plain(0));
        crew.deaths.store(1, Ordering::SeqCst);
        crew.submit(Task::Plain(1));
        let action = crew.pool.set_limit(1);
        crew.carry_out(action);
        crew.close();
        crew.end(2);
    });
}
