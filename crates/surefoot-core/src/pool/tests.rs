//! The protocol step by step, on one thread. Interleavings are in `tests/loom`, long random
//! histories in `tests/pool.rs`.

use super::*;
use crate::parker::Wake;

fn pool(min_workers: usize, limit: usize, cap: usize) -> Pool<u32> {
    Pool::new(Bounds { min_workers, limit, cap })
}

fn submit(pool: &Pool<u32>, task: u32) -> Action {
    pool.submit(task, 0).expect("the pool is open")
}

/// The index of a thread that is to be made.
fn start(action: Action) -> usize {
    match action {
        Action::Start(index) => index,
        other => panic!("no thread is asked for: {other:?}"),
    }
}

fn nothing(action: &Action) {
    assert!(matches!(action, Action::None), "{action:?}");
}

/// Carries out a grant, which must be for `worker`.
fn grant_to(worker: &mut Worker, action: &Action) {
    match action {
        Action::Grant(parker) => parker.grant(),
        other => panic!("nobody is woken: {other:?}"),
    }
    assert_eq!(worker.parker().wait(Some(0)), Wake::Granted, "somebody else was woken");
    worker.woken();
}

/// Asks for a task, which must be there, and nobody else is needed.
fn take(pool: &Pool<u32>, worker: &mut Worker) -> u32 {
    let (task, action) = take_one_of_many(pool, worker);
    nothing(&action);
    task
}

/// Asks for a task, which must be there; the action is for the next.
fn take_one_of_many(pool: &Pool<u32>, worker: &mut Worker) -> (u32, Action) {
    match pool.next(worker, 0) {
        Next::Run { task, action, .. } => (task, action),
        other => panic!("no task: {other:?}"),
    }
}

fn park(pool: &Pool<u32>, worker: &mut Worker) {
    let next = pool.next(worker, 0);
    assert!(matches!(next, Next::Park), "{next:?}");
}

fn leave(pool: &Pool<u32>, worker: &mut Worker) -> Action {
    match pool.next(worker, 0) {
        Next::Leave(action) => action,
        other => panic!("it stays: {other:?}"),
    }
}

fn finish(pool: &Pool<u32>) {
    nothing(&pool.finish(&Sample::default(), Outcome::Done, 0));
}

/// Workers that ran one task each and parked in the order of their indices.
fn parked_workers(pool: &Pool<u32>, count: usize) -> Vec<Worker> {
    let indices: Vec<usize> = (0..count).map(|_| start(submit(pool, 0))).collect();
    let mut workers: Vec<Worker> = indices.into_iter().map(|index| pool.enter(index, None)).collect();
    for worker in &mut workers {
        take(pool, worker);
    }
    for worker in &mut workers {
        finish(pool);
        park(pool, worker);
    }
    assert_eq!((pool.workers_live(), pool.workers_parked()), (count, count));
    workers
}

#[test]
fn threads_are_made_on_demand_up_to_the_limit() {
    let pool = pool(1, 2, 4);
    assert_eq!(pool.workers_live(), 0);
    assert_eq!(start(submit(&pool, 0)), 0);
    assert_eq!(start(submit(&pool, 1)), 1);
    nothing(&submit(&pool, 2));
    assert_eq!((pool.workers_live(), pool.queue_length()), (2, 3));
}

#[test]
fn no_thread_is_made_for_a_task_that_a_parked_worker_can_take() {
    let pool = pool(1, 8, 8);
    let mut workers = parked_workers(&pool, 2);
    grant_to(&mut workers[1], &submit(&pool, 1));
    nothing(&submit(&pool, 2)); // for the other, which the first will wake
    assert_eq!(start(submit(&pool, 3)), 2);
}

#[test]
fn tasks_are_given_out_in_order() {
    let pool = pool(1, 1, 1);
    let mut worker = pool.enter(start(submit(&pool, 0)), None);
    for task in 1..4 {
        nothing(&submit(&pool, task));
    }
    for task in 0..4 {
        assert_eq!(take(&pool, &mut worker), task);
    }
}

#[test]
fn the_worker_that_parked_last_is_woken_first() {
    let pool = pool(1, 3, 3);
    let mut workers = parked_workers(&pool, 3);
    for index in [2, 1, 0] {
        let action = submit(&pool, 7);
        grant_to(&mut workers[index], &action);
        take(&pool, &mut workers[index]);
    }
}

#[test]
fn a_woken_worker_passes_the_wake_up_on() {
    let pool = pool(1, 2, 2);
    let mut workers = parked_workers(&pool, 2);
    grant_to(&mut workers[1], &submit(&pool, 1));
    nothing(&submit(&pool, 2));
    let (task, action) = take_one_of_many(&pool, &mut workers[1]);
    assert_eq!(task, 1);
    grant_to(&mut workers[0], &action);
    assert_eq!(take(&pool, &mut workers[0]), 2);
}

#[test]
fn a_worker_that_finds_its_task_taken_parks() {
    let pool = pool(1, 2, 2);
    let mut early = pool.enter(start(submit(&pool, 0)), None);
    take(&pool, &mut early);
    let late = start(submit(&pool, 1));
    finish(&pool);
    assert_eq!(take(&pool, &mut early), 1);
    let mut late = pool.enter(late, None);
    park(&pool, &mut late);
    grant_to(&mut late, &submit(&pool, 2));
}

#[test]
fn the_time_in_the_queue_is_told() {
    let pool = pool(1, 1, 1);
    let mut worker = pool.enter(start(pool.submit(0, 30).expect("it is open")), None);
    assert_eq!(pool.snapshot(70).queue_head_age_ns, 40);
    assert!(matches!(pool.next(&mut worker, 100), Next::Run { queued_ns: 70, .. }));
}

#[test]
fn an_idle_worker_retires_unless_it_is_one_of_the_last() {
    let pool = pool(1, 2, 2);
    let workers = parked_workers(&pool, 2);
    assert_eq!(pool.retire(&workers[0]), Retire::Leave);
    assert_eq!(pool.retire(&workers[1]), Retire::Stay);
    assert_eq!((pool.workers_live(), pool.workers_parked()), (1, 1));
}

#[test]
fn a_worker_with_a_grant_in_flight_does_not_retire() {
    let pool = pool(1, 2, 2);
    let mut workers = parked_workers(&pool, 2);
    let action = submit(&pool, 1);
    assert_eq!(pool.retire(&workers[1]), Retire::Granted);
    grant_to(&mut workers[1], &action);
    assert_eq!(take(&pool, &mut workers[1]), 1);
}

#[test]
fn a_task_left_to_a_worker_that_retires_finds_another() {
    let pool = pool(1, 2, 2);
    let mut workers = parked_workers(&pool, 2);
    grant_to(&mut workers[1], &submit(&pool, 1));
    nothing(&submit(&pool, 2)); // left to worker 0
    assert_eq!(pool.retire(&workers[0]), Retire::Leave);
    assert_eq!(start(take_one_of_many(&pool, &mut workers[1]).1), 0);
}

#[test]
fn indices_are_used_again_from_the_lowest() {
    let pool = pool(1, 4, 4);
    let workers = parked_workers(&pool, 3);
    for index in [1, 0] {
        assert_eq!(pool.retire(&workers[index]), Retire::Leave);
    }
    assert!(matches!(submit(&pool, 1), Action::Grant(_)));
    assert_eq!(start(submit(&pool, 2)), 0);
    assert_eq!(start(submit(&pool, 3)), 1);
    assert_eq!(start(submit(&pool, 4)), 3);
}

#[test]
fn a_lower_limit_parks_workers_at_their_next_boundary() {
    let pool = pool(1, 2, 2);
    let indices = [start(submit(&pool, 0)), start(submit(&pool, 1))];
    let mut workers = indices.map(|index| pool.enter(index, None));
    for worker in &mut workers {
        take(&pool, worker);
    }
    nothing(&pool.set_limit(1));
    nothing(&submit(&pool, 2));
    park(&pool, &mut workers[0]); // although a task waits
    assert_eq!(take(&pool, &mut workers[1]), 2);
    nothing(&submit(&pool, 3));
    grant_to(&mut workers[0], &pool.set_limit(2));
    assert_eq!(take(&pool, &mut workers[0]), 3);
}

#[test]
fn a_raise_asks_for_a_thread_that_somebody_else_makes() {
    let pool = pool(1, 1, 3);
    assert_eq!(start(submit(&pool, 0)), 0);
    for task in 1..4 {
        nothing(&submit(&pool, task));
    }
    assert!(matches!(pool.set_limit(3), Action::NeedsThread));
    assert_eq!(start(pool.claim_start()), 1);
    assert_eq!(start(pool.claim_start()), 2);
    nothing(&pool.claim_start());
}

#[test]
fn the_limit_stays_between_one_and_the_cap() {
    let pool = pool(1, 2, 4);
    nothing(&pool.set_limit(0));
    assert_eq!(pool.limit_and_cap(), (1, 4));
    nothing(&pool.set_limit(99));
    assert_eq!(pool.limit_and_cap(), (4, 4));
    nothing(&pool.set_cap(3, false));
    assert_eq!(pool.limit_and_cap(), (3, 3));
    nothing(&pool.set_cap(9, false));
    assert_eq!(pool.limit_and_cap(), (3, 9));
    nothing(&pool.set_cap(8, true));
    assert_eq!(pool.limit_and_cap(), (8, 8));
    nothing(&pool.set_cap(0, false));
    assert_eq!(pool.limit_and_cap(), (1, 1));
}

#[test]
fn a_closed_pool_gives_tasks_back() {
    let pool = pool(1, 1, 1);
    nothing(&pool.close(Closed::Shutdown));
    let Rejected { task, why } = pool.submit(5, 0).expect_err("it is closed");
    assert_eq!((task, why), (5, Refused::Closed(Closed::Shutdown)));
    assert_eq!(pool.snapshot(0).tasks.submitted, 0);
}

#[test]
fn what_was_queued_before_the_close_is_run() {
    let pool = pool(1, 1, 1);
    let mut worker = pool.enter(start(submit(&pool, 0)), None);
    nothing(&submit(&pool, 1));
    nothing(&pool.close(Closed::Shutdown));
    for task in 0..2 {
        assert_eq!(take(&pool, &mut worker), task);
        finish(&pool);
    }
    nothing(&leave(&pool, &mut worker));
    assert_eq!(pool.workers_live(), 0);
}

#[test]
fn a_close_wakes_one_worker_and_each_that_leaves_the_next() {
    let pool = pool(1, 3, 3);
    let mut workers = parked_workers(&pool, 3);
    let mut action = pool.close(Closed::Shutdown);
    for worker in workers.iter_mut().rev() {
        grant_to(worker, &action);
        action = leave(&pool, worker);
    }
    nothing(&action);
    assert_eq!(pool.workers_live(), 0);
}

#[test]
fn a_closed_pool_keeps_nobody_who_timed_out() {
    let pool = pool(2, 2, 2);
    let workers = parked_workers(&pool, 2);
    let _on_its_way_to_worker_1 = pool.close(Closed::Shutdown);
    assert_eq!(pool.retire(&workers[0]), Retire::Leave);
    assert_eq!(pool.retire(&workers[1]), Retire::Granted);
}

#[test]
fn the_graver_reason_to_close_stands() {
    let pool = pool(1, 1, 1);
    assert_eq!(pool.closed(), None);
    for (why, stands) in [
        (Closed::Shutdown, Closed::Shutdown),
        (Closed::Exit, Closed::Exit),
        (Closed::Shutdown, Closed::Exit),
        (Closed::Broken, Closed::Exit),
    ] {
        nothing(&pool.close(why));
        assert_eq!(pool.closed(), Some(stands));
    }
}

#[test]
fn without_any_worker_the_submitter_gets_its_own_task_back() {
    let pool = pool(1, 1, 1);
    let index = start(submit(&pool, 7));
    nothing(&submit(&pool, 8));
    assert_eq!(pool.start_failed(index, |&task| task == 7), Some(7));
    assert_eq!((pool.queue_length(), pool.workers_live()), (1, 0));
    assert_eq!(pool.snapshot(0).tasks.submitted, 1);
}

#[test]
fn a_task_that_counted_on_a_thread_that_was_not_made_goes_to_a_parked_worker() {
    let pool = pool(1, 2, 2);
    let mut worker = pool.enter(start(submit(&pool, 0)), None);
    take(&pool, &mut worker);
    let failing = start(submit(&pool, 1));
    finish(&pool);
    take(&pool, &mut worker); // before the new thread comes for it
    finish(&pool);
    park(&pool, &mut worker);
    nothing(&submit(&pool, 2)); // left to the new thread
    assert_eq!(pool.start_failed(failing, |&task| task == 1), None);
    assert_eq!(worker.parker().wait(Some(0)), Wake::Granted);
    worker.woken();
    assert_eq!(take(&pool, &mut worker), 2);
}

#[test]
fn a_lost_workers_place_is_taken() {
    let pool = pool(1, 1, 1);
    let worker = pool.enter(start(submit(&pool, 0)), None);
    assert!(matches!(pool.lost(&worker), Action::NeedsThread));
    assert_eq!((pool.workers_live(), pool.queue_length()), (0, 1));
    assert_eq!(start(pool.claim_start()), 0);
}

#[test]
fn a_lost_worker_does_not_break_the_chain_of_exits() {
    let pool = pool(1, 2, 2);
    let mut workers = parked_workers(&pool, 2);
    let action = pool.close(Closed::Shutdown);
    grant_to(&mut workers[1], &action);
    let action = pool.lost(&workers[1]);
    grant_to(&mut workers[0], &action);
    nothing(&leave(&pool, &mut workers[0]));
}

#[test]
fn a_thread_that_was_not_made_does_not_break_the_chain_of_exits() {
    let pool = pool(1, 2, 2);
    let mut worker = pool.enter(start(submit(&pool, 0)), None);
    take(&pool, &mut worker);
    let failing = start(submit(&pool, 1));
    finish(&pool);
    take(&pool, &mut worker);
    finish(&pool);
    nothing(&pool.set_limit(1));
    park(&pool, &mut worker); // surplus: the new thread holds the permit
    grant_to(&mut worker, &pool.close(Closed::Shutdown));
    park(&pool, &mut worker); // still surplus: the exits are left to the new thread
    assert_eq!(pool.start_failed(failing, |&task| task == 1), None);
    assert_eq!(worker.parker().wait(Some(0)), Wake::Granted);
    worker.woken();
    nothing(&leave(&pool, &mut worker));
}

#[test]
fn a_withdrawn_task_is_counted_as_cancelled() {
    let pool = pool(1, 1, 1);
    assert_eq!(start(submit(&pool, 4)), 0);
    nothing(&submit(&pool, 5));
    assert_eq!(pool.withdraw(), Some(4));
    assert_eq!(pool.withdraw(), Some(5));
    assert_eq!(pool.withdraw(), None);
    let tasks = pool.snapshot(0).tasks;
    assert_eq!((tasks.submitted, tasks.cancelled), (2, 2));
}

#[test]
fn a_pool_is_idle_when_nothing_is_queued_and_nothing_runs() {
    let pool = pool(1, 1, 1);
    assert!(pool.is_idle());
    let mut worker = pool.enter(start(submit(&pool, 0)), Some(77));
    assert!(!pool.is_idle());
    take(&pool, &mut worker);
    assert!(!pool.is_idle());
    assert_eq!((worker.index(), pool.thread_ids()), (0, vec![77]));
    finish(&pool);
    assert!(pool.is_idle());
}
