//! The plant against theory, and against measured curves.
#![cfg(not(surefoot_loom))]

use surefoot_core::sim::load::{Arrival, Mix, Phase, Tasks};
use surefoot_core::sim::machine::Machine;
use surefoot_core::sim::mva;
use surefoot_core::sim::optimum::{self, Best};
use surefoot_core::sim::plant::{Rule, Setup, run};
use surefoot_core::sim::random::Draw;
use surefoot_core::sim::scenario;
use surefoot_core::sim::sensors::Fault;

const S_NS: u64 = 1_000_000_000;

fn setup(machine: Machine, phases: Vec<Phase>) -> Setup {
    Setup {
        machine,
        core_changes: Vec::new(),
        servers: Vec::new(),
        tasks: Tasks::steady(Mix::of(phases)),
        arrival: Arrival::Closed(10),
        hog: None,
        fault: Fault::None,
        cap: 4096,
        warm_up_ns: S_NS,
    }
}

/// Throughput with so many workers, over `length_s` after a second of warm-up.
fn tasks_per_s(setup: &Setup, workers: usize, seed: u64, length_s: u64) -> f64 {
    // Enough wait to bring every thread to life.
    let setup = Setup { arrival: Arrival::Closed(2 * workers), ..setup.clone() };
    let end_ns = (1 + length_s) * S_NS;
    run(&setup, Rule::Constant(workers), seed, end_ns).tasks_per_s(S_NS, end_ns)
}

fn cpu_io(machine: Machine, cpu: Draw, io: Draw) -> Setup {
    setup(machine, vec![Phase::Cpu(cpu), Phase::Delay(io)])
}

/// Exponential service of the GIL and exponential delay, on a machine without costs of its own, is the
/// model that mean value analysis solves exactly. (The forced switches of longer services do not change
/// the solution: exponential service has no memory.)
#[test]
fn within_two_percent_of_exact_mean_value_analysis() {
    for (demand_us, delay_us, length_s) in
        [(500.0, 3_500.0, 40), (100.0, 3_100.0, 20), (1_000.0, 1_000.0, 60)]
    {
        let (demand_ns, delay_ns) = (demand_us * 1e3, delay_us * 1e3);
        let setup = cpu_io(Machine::IDEAL, Draw::Exponential(demand_ns), Draw::Exponential(delay_ns));
        let solutions = mva::solve(demand_ns, delay_ns, 64);
        for workers in [1, 2, 4, 8, 16, 32, 64] {
            let exact = solutions[workers - 1].tasks_per_s;
            let ratio = tasks_per_s(&setup, workers, 1, length_s) / exact;
            assert!((ratio - 1.0).abs() < 0.02, "{demand_us} us + {delay_us} us, {workers} workers: {ratio}");
        }
    }
}

/// No distribution and no machine beats `min(N / (D + Z), 1 / D)`. Half a percent is left for tasks begun before
/// the count began.
#[test]
fn asymptotic_bounds_are_never_exceeded() {
    let spread = |mean_ns| {
        [
            Draw::Fixed(mean_ns),
            Draw::Lognormal { mean_ns, sigma: 0.5 },
            Draw::Bimodal { low_ns: 0.5 * mean_ns, high_ns: 5.5 * mean_ns, high_share: 0.1 },
        ]
    };
    for machine in [Machine::IDEAL, Machine::ONE_CORE, Machine::TWO_CORES, Machine::PUBLISHED_FOUR_CORES] {
        for (cpu, io) in spread(400e3).into_iter().zip(spread(4_000e3)) {
            let setup = cpu_io(machine, cpu, io);
            for workers in [1, 3, 8, 11, 20, 100] {
                let bound = mva::bound_per_s(400e3, 4_000e3, workers);
                let seen = tasks_per_s(&setup, workers, 2, 10);
                // The mean of the draws themselves wanders, by 3 sigma of the widest.
                let noise = if matches!(cpu, Draw::Fixed(_)) { 0.005 } else { 0.05 };
                assert!(seen <= bound * (1.0 + noise), "{machine:?} {cpu:?} {workers}: {seen} of {bound}");
            }
        }
    }
}

/// Compares a curve at N = 1, 2, 4, ... with a measured one.
fn compare(name: &str, setup: &Setup, measured: &[f64], bar: f64, misfits: &[usize], length_s: u64) {
    for (power, &measured) in measured.iter().enumerate() {
        let workers = 1 << power;
        let error = tasks_per_s(setup, workers, 1, length_s) / measured - 1.0;
        println!("{name}, {workers} workers: {:+.1} %", 100.0 * error);
        assert!(error.abs() < bar || misfits.contains(&workers), "{name}, {workers} workers: {error:+.3}");
    }
}

/// The published curves (mean of three runs each), 26 us of Python and 180 us of sleep.
///
/// **Calibrated** on these curves: the two hand-off times and the cost of a futile wake. So that the ends of each
/// curve fit is no evidence; that one hand-off time fits a whole curve, and that one cost of a futile wake fits the
/// fall of both, is some. Not fitted: the response times. What does not fit: four workers on one core, measured at
/// 14,625 a second, where every law (and the neighbouring points) says about 18,800.
#[test]
fn the_published_curves_within_ten_percent() {
    let draw = |mean_ns| Draw::Lognormal { mean_ns, sigma: 0.3 };
    let one = [4855., 9523., 14625., 32171., 36280., 37437., 33727., 33516., 33569., 32834., 30862., 25386.];
    let setup = cpu_io(Machine::PUBLISHED_ONE_CORE, draw(26e3), draw(180e3));
    compare("one core", &setup, &one, 0.10, &[4], 1);
    let four = [4771., 9393., 15352., 18248., 18467., 17938., 19511., 19472., 18901., 18321., 15527., 13004.];
    let setup = cpu_io(Machine::PUBLISHED_FOUR_CORES, draw(26e3), draw(183e3));
    compare("four cores", &setup, &four, 0.10, &[], 1);
}

/// Pure Python with 32 to 1,024 threads, relative to one (3.11 to 3.13 on two cores, 5 ms interval).
///
/// **Calibrated** on this fall: what a futile wake costs the holder, 3 us. The plant keeps too much at 32 to
/// 512 threads (up to 14 %): there the interpreter loses something more than the model knows.
#[test]
fn the_cliff_of_pure_python_within_fifteen_percent() {
    let setup = setup(Machine::TWO_CORES, vec![Phase::Cpu(Draw::Fixed(5e6))]);
    let alone = tasks_per_s(&setup, 1, 1, 20);
    for (workers, measured) in [(32, 0.91), (128, 0.82), (256, 0.75), (512, 0.61), (1024, 0.38)] {
        let kept = tasks_per_s(&setup, workers, 1, 100) / alone;
        println!("{workers} threads keep {kept:.3}, measured {measured}");
        assert!((kept / measured - 1.0).abs() < 0.15, "{workers} threads keep {kept}");
    }
    let kept = tasks_per_s(&setup, 2048, 1, 100) / alone;
    assert!(kept < 0.1, "2,048 threads keep {kept}");
}

/// The swept optima where they can be computed: throughput within 4 %, and the knee.
#[test]
fn swept_optima_agree_with_analysis() {
    // Scenario, best tasks/s, knees that are right.
    let analytic = [
        ("cpu", 1e9 / 5.003e6, 1..=1),
        ("io", 64.0 / 0.05, 60..=63),
        ("stated", 1e9 / 10.003e6, 6..=7),
        ("remote", 1000.0, 9..=11),
        // The law's own peak, at sqrt(0.98 / 0.001) = 31 requests of 20 ms.
        ("retrograde", 50.0 * 31.3 / (1.0 + 0.02 * 30.3 + 0.001 * 31.3 * 30.3), 18..=26),
        ("quota-half", 0.5e9 / 2.003e6, 5..=7),
        ("quota-2.5", 2.5e9 / 6.003e6, 3..=4),
        ("free-threaded", 8e9 / 5.003e6, 40..=52),
        ("half-native", 2e9 / 4.503e6, 2..=3),
        ("gil-sleep", 1e9 / 5.003e6, 5..=6),
        ("eagain", 12.0 / 0.05, 12..=12),
    ];
    let scenarios = scenario::all();
    for (name, tasks_per_s, knees) in analytic {
        let scenario = scenarios.iter().find(|scenario| scenario.name == name).expect("it is in the list");
        let best: Best = optimum::find(scenario).turns[0];
        println!("{name}: {best:?}, analysis {tasks_per_s:.0}");
        assert!((best.tasks_per_s / tasks_per_s - 1.0).abs() < 0.04, "{name}: {best:?}, not {tasks_per_s}");
        assert!(knees.contains(&best.knee), "{name}: {best:?}");
    }
}
