//! The plant against theory and against measured curves.
#![cfg(not(surefoot_loom))]

use surefoot_core::sim::load::{Arrival, Mix, Phase, Tasks};
use surefoot_core::sim::machine::Machine;
use surefoot_core::sim::mva;
use surefoot_core::sim::plant::{Rule, Setup, run};
use surefoot_core::sim::random::Draw;
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

fn tasks_per_s(setup: &Setup, workers: usize, seed: u64, length_s: u64) -> f64 {
    run(setup, Rule::Constant(workers), seed, length_s * S_NS).tasks_per_s(S_NS, length_s * S_NS)
}

/// Exponential service of the GIL and exponential delay: a machine without costs of its own is the
/// model that mean value analysis solves exactly (with service shorter than the switch interval
/// most of the time, and else processor sharing, for which the solution is the same).
#[test]
fn within_two_percent_of_exact_mean_value_analysis() {
    for (demand_us, delay_us) in [(500.0, 3_500.0), (100.0, 3_100.0), (1_000.0, 1_000.0)] {
        let (demand_ns, delay_ns) = (demand_us * 1e3, delay_us * 1e3);
        let phases =
            vec![Phase::Cpu(Draw::Exponential(demand_ns)), Phase::Delay(Draw::Exponential(delay_ns))];
        let setup = setup(Machine::IDEAL, phases);
        let solutions = mva::solve(demand_ns, delay_ns, 64);
        for workers in [1, 2, 4, 8, 16, 32, 64] {
            let exact = solutions[workers - 1].tasks_per_s;
            let seen = tasks_per_s(&setup, workers, 1, 61);
            let ratio = seen / exact;
            println!("{demand_us} {delay_us} {workers}: {seen:.0} {exact:.0} {ratio:.4}");
            assert!((ratio - 1.0).abs() < 0.02, "{demand_us} us + {delay_us} us, {workers}: {ratio}");
        }
    }
}

fn curve(name: &str, machine: Machine, measured: &[f64], bar: f64, misfits: &[usize]) {
    let phases = vec![Phase::Cpu(Draw::Fixed(26e3)), Phase::Delay(Draw::Fixed(180e3))];
    let setup = setup(machine, phases);
    for (power, measured) in measured.iter().enumerate() {
        let workers = 1 << power;
        let seen = tasks_per_s(&setup, workers, 1, 4);
        let error = seen / measured - 1.0;
        println!("{name} {workers}: {seen:.0} measured {measured:.0} {:+.1} %", 100.0 * error);
        assert!(error.abs() < bar || misfits.contains(&workers), "{name} {workers}: {error:+.3}");
    }
}

#[test]
fn published_curves() {
    let one = [4855., 9523., 14625., 32171., 36280., 37437., 33727., 33516., 33569., 32834., 30862., 25386.];
    curve("one core", Machine::PUBLISHED_ONE_CORE, &one, 0.10, &[4]);
    let four = [4771., 9393., 15352., 18248., 18467., 17938., 19511., 19472., 18901., 18321., 15527., 13004.];
    curve("four cores", Machine::PUBLISHED_FOUR_CORES, &four, 0.10, &[]);
}
