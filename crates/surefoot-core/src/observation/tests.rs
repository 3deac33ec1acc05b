use super::*;
use crate::gil::GilState;

const MS: u64 = 1_000_000;

fn call(thread_id: u64, function: u8, outer: Option<Ticket>) -> Call {
    let function = FunctionId(function);
    Call { pool: 0, function, thread_id, holder_id: thread_id, start_cpu_ns: Some(0), outer }
}

fn sample(function: u8, wall_ms: u64, cpu_ms: u64) -> Sample {
    Sample {
        queued_ns: MS,
        wall_ns: wall_ms * MS,
        cpu_ns: Some(cpu_ms * MS),
        function: FunctionId(function),
        ..Sample::default()
    }
}

fn held_by(holder_id: u64, waiters: u32) -> Glance {
    let state = GilState { is_held: true, waiters: Some(waiters), ..GilState::default() };
    Glance { gil: GilReading::Seen(state), holder_id: Some(holder_id) }
}

fn free() -> Glance {
    Glance { gil: GilReading::Seen(GilState { waiters: Some(0), ..GilState::default() }), holder_id: None }
}

fn books() -> Books {
    let mut books = Books::new(0);
    books.add_pool(4);
    books
}

#[test]
fn a_task_is_queued_runs_and_is_counted() {
    let mut books = books();
    assert!(books.submitted(0), "a worker is free");
    assert!(!books.submitted(0), "another task is before it");
    books.submitted(0);
    books.withdrawn(0);
    let ticket = books.begin(call(1, 1, None), true, MS).expect("not recursive");
    assert_eq!((books.pools()[0].queue_length, books.pools()[0].queue_peak), (1, 3));
    assert!(books.is_active());
    books.end(ticket, &sample(1, 10, 4), true, false, 11 * MS);
    assert!(!books.is_active());
    let counts = books.pools()[0].ledger.counts();
    assert_eq!((counts.submitted, counts.failed, counts.cancelled, counts.running), (3, 1, 1, 0));
    assert_eq!(books.pools()[0].busy_peak, 1);
    let function = &books.functions()[1];
    assert_eq!((function.failed, function.wall.count(), function.queued.count()), (1, 1, 1));
    assert_eq!(books.function_sums(1).cpu_ns, 4 * MS);
    books.end(ticket, &sample(1, 10, 4), true, true, 12 * MS);
    assert_eq!(books.function_sums(1).tasks, 1, "a ticket ends once");
}

#[test]
fn a_call_in_a_call_is_no_second_worker() {
    let mut books = books();
    let outer = books.begin(call(1, 1, None), false, 0).expect("not recursive");
    let inner = books.begin(call(1, 2, Some(outer)), false, 0).expect("another function");
    assert_eq!(books.begin(call(1, 1, Some(inner)), false, 0), None, "recursive");
    assert_eq!(books.pools()[0].busy_peak, 1);
    books.end(inner, &sample(2, 3, 3), false, true, 3 * MS);
    books.end(outer, &sample(1, 5, 4), false, true, 5 * MS);
    assert_eq!(books.pools()[0].ledger.counts().done, 1);
    assert_eq!((books.function_sums(1).tasks, books.function_sums(2).tasks), (1, 1));
}

#[test]
fn the_lock_is_charged_to_who_holds_it() {
    let mut books = books();
    let outer = books.begin(call(1, 1, None), false, 0).expect("not recursive");
    let inner = books.begin(call(1, 2, Some(outer)), false, 0).expect("another function");
    assert_eq!(books.look(0, &held_by(1, 0)), None, "the first look stands for no time");
    let holder = books.look(4 * MS, &held_by(1, 0)).expect("in a call");
    assert_eq!((holder.thread_id, holder.since_ns), (1, 4 * MS));
    books.slept(&holder);
    assert_eq!(books.look(8 * MS, &held_by(77, 3)), None, "another thread of the program");
    assert_eq!(books.look(12 * MS, &free()), None);
    let held = books.held();
    assert_eq!((held.seen_ns, held.held_ns, held.in_calls_ns), (12e6, 8e6, 4e6));
    for function in &books.functions()[1..] {
        assert_eq!((function.held_ns, function.asleep_holding_ns), (4e6, 4e6));
    }
    assert_eq!((books.pools()[0].held_ns, books.pools()[0].asleep_holding_ns), (4e6, 4e6));
    books.end(inner, &sample(2, 1, 1), false, true, 13 * MS);
    books.slept(&holder);
    assert!(books.functions()[2].asleep_holding_ns < 5e6, "that call is over");
}

#[test]
fn sightings_tell_functions_apart_that_ran_together() {
    let mut books = books();
    // One waits for the lock, the other for a socket; both computed a fifth of their time.
    for (function, doing) in [(1, Doing::WaitingForGil), (2, Doing::InIo)] {
        let ticket = books.begin(call(1, function, None), false, 0).expect("not recursive");
        for number in 0..100 {
            books.saw(ticket, if number % 5 == 0 { Doing::Running } else { doing });
        }
        books.end(ticket, &sample(function, 100, 20), false, true, 100 * MS);
    }
    let shares = |number| books.function_sums(number).shares.shares().expect("it took time");
    let (waits, reads) = (shares(1), shares(2));
    assert!(waits.gil().is_some_and(|gil| (gil - 0.8).abs() < 0.01), "{waits:?}");
    assert!(reads.gil().is_some_and(|gil| gil < 0.01), "{reads:?}");
    assert!(waits.error > 0.0 && waits.error < 0.05, "{waits:?}");
}

#[test]
fn sightings_that_the_clocks_contradict_widen_the_error() {
    let sums = {
        let mut books = books();
        let ticket = books.begin(call(1, 1, None), false, 0).expect("not recursive");
        books.end(ticket, &sample(1, 100, 20), false, true, 100 * MS);
        books.function_sums(1).shares
    };
    let agree = Seen { running: 200, io: 800, ..Seen::default() }.split(&sums);
    let off = Seen { running: 700, io: 300, ..Seen::default() }.split(&sums);
    let error = |sums: ShareSums| sums.shares().expect("it took time").error;
    assert!(error(agree) < 0.02 && error(off) > 0.4, "{} {}", error(agree), error(off));
    let few = Seen { io: 3, ..Seen::default() }.split(&sums);
    assert_eq!(few, sums);
}

#[test]
fn a_window_counts_calls_in_flight() {
    let mut books = books();
    let ticket = books.begin(call(1, 1, None), false, 0).expect("not recursive");
    books.look(0, &free());
    books.look(50 * MS, &free());
    let read = books.to_read();
    assert_eq!((read[0].thread_ids.as_slice(), read[0].in_calls.as_slice()), (&[1][..], &[(1, 0)][..]));
    let used = Used { cpu_ns: Some(25 * MS), runqueue_ns: Some(0), is_runqueue_sampled: false };
    books.end_window(100 * MS, &[used], Allowance::default());
    let shares = books.pool_shares(0).shares().expect("a call ran");
    assert!((shares.cpu - 0.25).abs() < 1e-9, "{shares:?}");
    assert_eq!(shares.gil(), Some(0.0));
    assert_eq!(books.timeline().of(0).len(), 1);
    books.end(ticket, &sample(1, 150, 40), false, true, 150 * MS);
    let read = books.to_read();
    assert_eq!(read[0].ended_cpu_ns, Some(40 * MS));
    books.end_window(200 * MS, &[Used { cpu_ns: Some(40 * MS), ..used }], Allowance::default());
    let shares = books.pool_shares(0).shares().expect("a call ran");
    assert!((shares.cpu - 40.0 / 150.0).abs() < 1e-9, "{shares:?}");
    for _ in 0..=MOST_IDLE_WINDOWS {
        books.to_read();
    }
    assert!(books.to_read()[0].thread_ids.is_empty(), "the thread makes no calls any more");
}

#[test]
fn waits_for_tasks_of_the_same_pool_are_counted() {
    let mut books = books();
    let other = books.add_pool(4);
    let ticket = books.begin(call(1, 1, None), false, 0).expect("not recursive");
    books.joins(ticket, other, true);
    assert_eq!(books.pools()[other].joining_peak, 0, "its thread is of another pool");
    books.joins(ticket, 0, true);
    books.joins(ticket, 0, false);
    assert_eq!((books.pools()[0].joining, books.pools()[0].joining_peak), (0, 1));
}
