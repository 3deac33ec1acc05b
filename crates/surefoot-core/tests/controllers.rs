//! What every controller guarantees, on random histories of windows.
#![cfg(not(surefoot_loom))]

use proptest::prelude::*;
use surefoot_core::allowance::Allowance;
use surefoot_core::controller::{Controller, Fixed, Knee, Paper};
use surefoot_core::decision::Decision;
use surefoot_core::gil::{GilReading, GilState};
use surefoot_core::look::Look;
use surefoot_core::window::{Looks, Window};

/// What a window may say, apart from the limit, which follows from the decisions before.
fn windows() -> impl Strategy<Value = Vec<Window>> {
    let beta = prop::option::of(0.0..=1.0_f64);
    let window = (0..100_usize, 0..1000_u64, beta, prop::option::of(0..u64::MAX));
    let window = window.prop_map(|(queue_length, completions, beta_mean, workers_cpu_ns)| Window {
        duration_ns: 500_000_000,
        queue_length,
        completions,
        beta_mean,
        workers_cpu_ns,
        ..Window::default()
    });
    prop::collection::vec(window, 0..100)
}

/// What a look may see, and a window that follows it; most of it is impossible.
fn glances() -> impl Strategy<Value = Vec<(Look, Window)>> {
    let gil = prop_oneof![
        Just(GilReading::Unknown),
        Just(GilReading::Off),
        (any::<bool>(), 0..200_u32).prop_map(|(is_held, waiters)| {
            GilReading::Seen(GilState { is_held, waiters: Some(waiters), ..GilState::default() })
        }),
    ];
    let numbers = (0..100_usize, 0..300_usize, 0..1000_u64, prop::option::of(0..u64::MAX), 0..u64::MAX);
    let both = (gil, numbers).prop_map(|(gil, numbers)| {
        let (queue_length, workers_busy, completions, cpu_ns, busy_ns) = numbers;
        let look = Look {
            since_ns: 1_000_000,
            queue_length,
            workers_busy,
            completions,
            gil,
            process_cpu_ns: cpu_ns,
            ..Look::default()
        };
        let mut looks = Looks { count: 5, bound: 4, ..Looks::default() };
        (0..5).for_each(|_| looks.add(gil, gil, 10_000_000));
        let window = Window {
            duration_ns: 50_000_000,
            queue_length,
            workers_busy,
            workers_live: workers_busy,
            completions,
            busy_ns,
            wall_ns: busy_ns,
            workers_cpu_ns: cpu_ns,
            process_cpu_ns: cpu_ns,
            looks,
            ..Window::default()
        };
        (look, window)
    });
    prop::collection::vec(both, 0..100)
}

/// Runs the knee controller over looks and windows in turn; the limits.
fn knee_limits((min_workers, limit, cap): (usize, usize, usize), glances: &[(Look, Window)]) -> Vec<usize> {
    let mut knee = Knee::default();
    let mut limit = limit;
    let mut limits = Vec::new();
    for (look, window) in glances {
        if let Some(decision) = knee.glance(&Look { limit, cap, min_workers, ..*look }) {
            limit = decision.limit;
            limits.push(limit);
        }
        limit = knee.decide(&Window { limit, cap, min_workers, ..*window }).limit;
        limits.push(limit);
    }
    limits
}

/// What the knee controller makes of windows in which `limit` workers keep the GIL wanted all the time and
/// `held` of it held, with so many tasks completed at each limit.
fn handed_over(held: f64, completions: impl Fn(usize) -> u64) -> Vec<usize> {
    let mut knee = Knee::default();
    let mut limit = 8;
    let window_ns = 50_000_000_u64;
    let decide = |_| {
        let duration = window_ns as f64;
        let looks = Looks {
            count: 50,
            bound: 50,
            seen: 50,
            seen_ns: duration,
            held_ns: duration * held,
            busy_ns: duration,
            counted: 50,
            counted_ns: duration,
            waited_ns: duration * 3.0,
            ..Looks::default()
        };
        let done = completions(limit);
        let busy_ns = window_ns * limit as u64;
        limit = knee
            .decide(&Window {
                duration_ns: window_ns,
                queue_length: 99,
                completions: done,
                limit,
                cap: 64,
                min_workers: 1,
                workers_live: limit,
                workers_busy: limit,
                busy_ns,
                wall_ns: busy_ns,
                workers_cpu_ns: Some(window_ns / 2),
                workers_runqueue_ns: Some(0),
                process_cpu_ns: Some(window_ns / 2),
                looks,
                allowance: Allowance { cores: 2.0, ..Allowance::default() },
                ..Window::default()
            })
            .limit;
        limit
    };
    (0..100).map(decide).collect()
}

#[test]
fn a_gil_that_is_handed_over_more_than_used_has_fewer_workers_tried() {
    let faster_with_few = handed_over(0.4, |limit| if limit > 5 { 40 } else { 80 });
    assert!(faster_with_few.last().is_some_and(|&limit| limit <= 5), "{faster_with_few:?}");
    let faster_with_many = handed_over(0.4, |limit| 10 * limit as u64);
    assert!(faster_with_many.contains(&5), "tried: {faster_with_many:?}");
    assert_eq!(faster_with_many.last(), Some(&8), "and taken back");
    let used = handed_over(0.95, |_| 40);
    assert!(used.iter().all(|&limit| limit == 8), "nothing to try: {used:?}");
}

/// `min_workers`, limit and cap of a pool at its start.
fn bounds() -> impl Strategy<Value = (usize, usize, usize)> {
    (1..1024_usize, 1..1024_usize, 1..1024_usize).prop_map(|(a, b, c)| {
        let mut sorted = [a, b, c];
        sorted.sort_unstable();
        sorted.into()
    })
}

fn paper() -> impl Strategy<Value = Paper> {
    (0.0..=1.0_f64, 1..2000_usize, 0..2000_usize).prop_map(|(beta_threshold, step_up, step_down)| Paper {
        beta_threshold,
        step_up,
        step_down,
    })
}

/// Runs a controller over a history, each decision becoming the limit of the next window.
fn decisions(
    controller: &mut dyn Controller,
    (min_workers, limit, cap): (usize, usize, usize),
    windows: &[Window],
) -> Vec<Decision> {
    let mut limit = limit;
    let decide = |window: &Window| {
        let decision = controller.decide(&Window { limit, cap, min_workers, ..*window });
        limit = decision.limit;
        decision
    };
    windows.iter().map(decide).collect()
}

fn in_bounds((min_workers, _, cap): (usize, usize, usize), decisions: &[Decision]) -> bool {
    decisions.iter().all(|decision| (min_workers..=cap).contains(&decision.limit))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn paper_stays_in_bounds(paper in paper(), bounds in bounds(), windows in windows()) {
        let decisions = decisions(&mut { paper }, bounds, &windows);
        prop_assert!(in_bounds(bounds, &decisions), "{decisions:?}");
    }

    #[test]
    fn fixed_stays_where_it_is(bounds in bounds(), windows in windows()) {
        let decisions = decisions(&mut Fixed, bounds, &windows);
        prop_assert!(decisions.iter().all(|decision| decision.limit == bounds.1));
    }

    #[test]
    fn equal_histories_give_equal_decisions(paper in paper(), bounds in bounds(), windows in windows()) {
        for controllers in [
            [&mut { paper } as &mut dyn Controller, &mut { paper }],
            [&mut Fixed, &mut Fixed],
        ] {
            let [first, second] = controllers.map(|controller| decisions(controller, bounds, &windows));
            prop_assert_eq!(first, second);
        }
    }

    #[test]
    fn knee_stays_in_bounds_whatever_it_is_shown(bounds in bounds(), glances in glances()) {
        let limits = knee_limits(bounds, &glances);
        prop_assert!(limits.iter().all(|limit| (bounds.0..=bounds.2).contains(limit)), "{limits:?}");
        prop_assert_eq!(&limits, &knee_limits(bounds, &glances), "equal histories, equal limits");
    }

    /// A veto says that the limit stays although tasks wait; it never comes with a change.
    #[test]
    fn paper_vetoes_only_rises(paper in paper(), bounds in bounds(), windows in windows()) {
        let mut limit = bounds.1;
        for (window, decision) in windows.iter().zip(decisions(&mut { paper }, bounds, &windows)) {
            if decision.veto.is_some() {
                prop_assert!(window.queue_length > 0);
                prop_assert_eq!(decision.limit, limit);
            }
            limit = decision.limit;
        }
    }

    /// An idle pool comes to rest, and what rests changes nothing any more.
    #[test]
    fn paper_comes_to_rest(paper in paper(), bounds in bounds()) {
        let (min_workers, limit_at_first, cap) = bounds;
        let mut paper = paper;
        let idle = |limit| Window { limit, cap, min_workers, ..Window::default() };
        let mut limit = limit_at_first;
        for _ in min_workers..limit_at_first {
            if paper.rests(limit, min_workers) {
                break;
            }
            limit = paper.decide(&idle(limit)).limit;
        }
        prop_assert!(paper.rests(limit, min_workers));
        prop_assert_eq!(paper.decide(&idle(limit)).limit, limit);
    }
}
