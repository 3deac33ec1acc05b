//! The regulator, shown what a monitor would show it.

use super::*;
use crate::controller::Paper;
use crate::ledger::{Counts, Ledger};
use crate::sample::{Outcome, Sample};

const INTERVAL_NS: u64 = 500_000_000;
const LOOK_NS: u64 = INTERVAL_NS / GUARDS_PER_INTERVAL;

fn readings(limit: usize, queue_length: usize, done: u64, cpu_ns: u64) -> Readings {
    Readings {
        foreign_waiters: None,
        snapshot: Snapshot {
            limit,
            cap: 64,
            workers_live: limit,
            workers_busy: limit,
            workers_joining: 0,
            queue_length,
            queue_head_age_ns: 0,
            submitters_blocked: 0,
            tasks: Counts { done, ..Counts::default() },
            beta_mean: None,
            queued: None,
            attach_wait: None,
            wall: None,
            cpu: None,
        },
        gil: GilReading::Unknown,
        process_cpu_ns: None,
        totals: Some(Totals { cpu_ns: Some(cpu_ns), runqueue_ns: None, is_runqueue_sampled: false }),
        period: None,
        allowance: Allowance::default(),
    }
}

/// Ticks as the monitor does: the period's sums come when they are wanted.
fn tick(regulator: &mut Regulator, now_ns: u64, readings: &Readings, sums: PeriodSums) -> Tick {
    let period = regulator.wanted(now_ns).period.then_some(sums);
    regulator.tick(now_ns, &Readings { period, ..*readings })
}

fn period(beta_percent: u64) -> PeriodSums {
    let mut ledger = Ledger::default();
    ledger.submitted();
    ledger.taken(0);
    let cpu_ns = Some(1000 - 10 * beta_percent);
    ledger.finished(&Sample { wall_ns: 1000, cpu_ns, ..Sample::default() }, Outcome::Done, 0);
    ledger.end_period(0)
}

fn paper() -> Regulator {
    Regulator::new(Decider::Native(Box::new(Paper::default())), INTERVAL_NS, 1)
}

#[test]
fn the_controller_is_asked_once_an_interval() {
    let mut regulator = paper();
    assert_eq!(tick(&mut regulator, 0, &readings(4, 9, 0, 0), period(90)).limit, None);
    assert!(!regulator.wanted(INTERVAL_NS - 1).period);
    assert!(regulator.wanted(INTERVAL_NS).period);
    assert_eq!(tick(&mut regulator, INTERVAL_NS, &readings(4, 9, 5, 0), period(90)).limit, Some(5));
    assert!(!regulator.wanted(INTERVAL_NS + 1).period);
}

#[test]
fn a_pool_that_stands_still_is_helped_over_the_controller() {
    let mut regulator = paper();
    let mut limit = 4;
    let mut now_ns = 0;
    while limit < 64 {
        now_ns += LOOK_NS;
        assert!(now_ns < 4 * INTERVAL_NS, "still at {limit}");
        let tick = tick(&mut regulator, now_ns, &readings(limit, 9, 0, 0), PeriodSums::default());
        limit = tick.limit.unwrap_or(limit);
    }
    assert!(now_ns > PATIENCE_INTERVALS * INTERVAL_NS, "acted before its patience was over");
    assert!(regulator.log().entries().all(|entry| entry.reason.starts_with("liveness")));
}

#[test]
fn an_idle_pool_shrinks_to_its_floor_and_is_left_alone() {
    let mut regulator = paper();
    let mut limit = 3;
    let mut now_ns = 0;
    let mut ticks = 0;
    loop {
        let mut idle = readings(limit, 0, 7, 0);
        idle.snapshot.workers_busy = 0;
        let tick = tick(&mut regulator, now_ns, &idle, PeriodSums::default());
        limit = tick.limit.unwrap_or(limit);
        ticks += 1;
        match tick.due_ns {
            Some(due_ns) => now_ns = due_ns,
            None => break,
        }
    }
    assert_eq!(limit, 1);
    assert!(ticks <= 4, "{ticks} wake-ups for two steps");
}

#[test]
fn an_external_answer_is_held_within_bounds() {
    let mut regulator = Regulator::new(Decider::External, INTERVAL_NS, 2);
    tick(&mut regulator, 0, &readings(4, 9, 0, 0), PeriodSums::default());
    let window = tick(&mut regulator, INTERVAL_NS, &readings(4, 9, 3, 0), PeriodSums::default())
        .ask
        .expect("the period is over");
    assert_eq!(regulator.decided(INTERVAL_NS, &window, (4, 64), 1000), Some(64));
    assert_eq!(regulator.decided(INTERVAL_NS, &window, (64, 64), 0), Some(2));
    assert_eq!(regulator.decided(INTERVAL_NS, &window, (4, 64), 4), None);
}

#[test]
fn an_external_decider_is_asked_one_thing_at_a_time() {
    let mut regulator = Regulator::new(Decider::External, INTERVAL_NS, 1);
    let asked = |regulator: &mut Regulator, number: u64| {
        tick(regulator, number * INTERVAL_NS, &readings(4, 9, number, 0), PeriodSums::default()).ask
    };
    assert_eq!(asked(&mut regulator, 0), None);
    assert!(asked(&mut regulator, 1).is_some());
    assert_eq!(asked(&mut regulator, 2), None);
    regulator.undecided();
    assert!(asked(&mut regulator, 3).is_some());
}
