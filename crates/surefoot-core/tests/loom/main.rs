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

mod blocked;
mod crew;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use surefoot_core::pool::Action;

use crew::{Crew, Idle, Meeting, Task, bounds};

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
