//! Submitters that wait for room in a bounded queue. As in the other models, tasks are waited for
//! before the close, which would hide a submitter that was forgotten.
//!
//! | broken | caught by |
//! |---|---|
//! | `finish` admits nobody | `a_reservation_is_kept`, `block_against_finish` |
//! | `set_limit` admits nobody | `raise_against_block` |
//! | `joining` admits nobody | `a_joined_task_makes_room` |
//! | `close` grants nobody | `close_against_block`, `close_frees_the_blocked` |
//! | `unreserve` admits nobody; does not plan | `a_reservation_given_back_makes_room` |
//! | a full queue is looked at, and the line entered, in two critical sections | `a_reservation_given_back_makes_room` |
//!
//! That `finish` also plans is for a task that would else wait for the callbacks of the one before; no
//! model has callbacks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use surefoot_core::parker::Wake;

use crate::crew::{Crew, Meeting, Task, bounds};

/// Whoever waits for room gets it when a task ends, and the task is run.
#[test]
fn block_against_finish() {
    for max_queue in [0, 1] {
        loom::model(move || {
            let crew = Crew::bounded(bounds(1, 1), max_queue);
            crew.expect(3);
            for id in 0..3 {
                assert!(crew.submit_patiently(Task::Plain(id)));
            }
            crew.wait();
            crew.close();
            crew.end(3);
        });
    }
}

/// Two submitters, each behind the other's tasks.
#[test]
fn block_against_block() {
    loom::model(|| {
        let crew = Crew::bounded(bounds(1, 1), 0);
        crew.expect(3);
        let other = Arc::clone(&crew);
        crew.spawn(move || assert!(other.submit_patiently(Task::Plain(2))));
        for id in 0..2 {
            assert!(crew.submit_patiently(Task::Plain(id)));
        }
        crew.wait();
        crew.close();
        crew.end(3);
    });
}

/// A close refuses those that wait for room, unless a task that ended was faster.
#[test]
fn close_against_block() {
    loom::model(|| {
        let crew = Crew::bounded(bounds(1, 1), 0);
        let accepted = Arc::new(AtomicUsize::new(1));
        assert!(crew.submit_patiently(Task::Plain(0)));
        let (other, count) = (Arc::clone(&crew), Arc::clone(&accepted));
        crew.spawn(move || {
            if other.submit_patiently(Task::Plain(1)) {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        crew.close();
        crew.join();
        crew.end(accepted.load(Ordering::SeqCst));
    });
}

/// A close while the only worker is in a task that does not end before the submitter is gone.
#[test]
fn close_frees_the_blocked() {
    loom::model(|| {
        let crew = Crew::bounded(bounds(1, 1), 0);
        let meeting = Arc::new(Meeting::default());
        assert!(crew.submit_patiently(Task::Pair(0, Arc::clone(&meeting))));
        let other = Arc::clone(&crew);
        crew.spawn(move || {
            assert!(!other.submit_patiently(Task::Plain(1)), "there was no room");
            meeting.attend();
        });
        crew.close();
        crew.join();
        crew.end(1);
    });
}

/// A submitter that gives up while its task is accepted either takes it back or has submitted it.
#[test]
fn give_up_against_finish() {
    loom::model(|| {
        let crew = Crew::bounded(bounds(1, 1), 0);
        assert!(crew.submit_patiently(Task::Plain(0)));
        let accepted = match crew.get_in_line(Task::Plain(1)) {
            Ok(None) => 2,
            Ok(Some(ticket)) => {
                let is_granted = ticket.parker().wait(Some(0)) == Wake::Granted;
                let is_accepted = crew.pool.unblock(&ticket).is_ok();
                assert!(is_accepted || !is_granted, "granted, and taken back");
                if is_accepted { 2 } else { 1 }
            }
            Err(_) => unreachable!("the pool is open"),
        };
        crew.close();
        crew.join();
        crew.end(accepted);
    });
}

/// A raise makes room: of two tasks that meet, the second cannot come in before.
#[test]
fn raise_against_block() {
    loom::model(|| {
        let crew = Crew::bounded(bounds(1, 2), 0);
        crew.expect(2);
        let other = Arc::clone(&crew);
        crew.spawn(move || {
            let action = other.pool.set_limit(2);
            other.carry_out(action);
        });
        let meeting = Arc::new(Meeting::default());
        for id in 0..2 {
            assert!(crew.submit_patiently(Task::Pair(id, Arc::clone(&meeting))));
        }
        crew.wait();
        crew.close();
        crew.end(2);
    });
}

/// So does a worker that says that it waits for another task.
#[test]
fn a_joined_task_makes_room() {
    loom::model(|| {
        let crew = Crew::bounded(bounds(1, 2), 0);
        crew.expect(2);
        let meeting = Arc::new(Meeting::default());
        for id in 0..2 {
            assert!(crew.submit_patiently(Task::Joined(id, Arc::clone(&meeting))));
        }
        crew.wait();
        crew.close();
        crew.end(2);
    });
}

/// A reservation keeps a place; given back, it is another's.
#[test]
fn a_reservation_given_back_makes_room() {
    loom::model(|| {
        let crew = Crew::bounded(bounds(1, 1), 0);
        crew.expect(1);
        crew.pool.reserve().expect("there is room");
        let other = Arc::clone(&crew);
        crew.spawn(move || assert!(other.submit_patiently(Task::Plain(0))));
        let action = crew.pool.unreserve();
        crew.carry_out(action);
        crew.wait();
        crew.close();
        crew.end(1);
    });
}

/// A task in its reserved place is taken in whatever came before it.
#[test]
fn a_reservation_is_kept() {
    loom::model(|| {
        let crew = Crew::bounded(bounds(1, 1), 0);
        crew.expect(2);
        crew.pool.reserve().expect("there is room");
        let other = Arc::clone(&crew);
        crew.spawn(move || assert!(other.submit_patiently(Task::Plain(0))));
        let action = crew.pool.submit_reserved(Task::Plain(1), 0).expect("a place was kept");
        crew.carry_out(action);
        crew.wait();
        crew.close();
        crew.end(2);
    });
}
