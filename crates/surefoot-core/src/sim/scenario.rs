//! The scenarios: each isolates one thing that a controller must get right.

use super::load::{Arrival, Mix, Phase, Tasks};
use super::machine::Machine;
use super::plant::{Server, Setup};
use super::random::Draw;
use super::sensors::Fault;

const MS: f64 = 1e6;
const MS_NS: u64 = 1_000_000;
const S_NS: u64 = 1_000_000_000;

/// By what a scenario is judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Judged {
    /// Throughput, settling and size: the load takes all that the pool gives.
    Closed,
    /// Throughput and response: tasks come on their own, and a limit above the knee harms nobody.
    Open,
    /// Whether and when the last task is done, against a standard pool of the same cap.
    Finish,
}

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it isolates.
    pub about: &'static str,
    /// What is run.
    pub setup: Setup,
    /// By what it is judged.
    pub judged: Judged,
    /// Its length unless told otherwise.
    pub length_ns: u64,
    /// Whether the acceptance bars count it: what no controller could know is shown, not counted.
    pub is_counted: bool,
}

fn ms(time_ms: f64) -> Draw {
    Draw::Fixed(time_ms * MS)
}

/// With some spread, where equal tasks would march in step.
fn spread_ms(time_ms: f64) -> Draw {
    Draw::Lognormal { mean_ns: time_ms * MS, sigma: 0.3 }
}

fn setup(tasks: Tasks, cap: usize) -> Setup {
    Setup {
        machine: Machine::TWO_CORES,
        core_changes: Vec::new(),
        servers: Vec::new(),
        tasks,
        arrival: Arrival::Closed(300),
        hog: None,
        fault: Fault::None,
        cap,
        warm_up_ns: 2 * S_NS,
    }
}

fn steady(phases: Vec<Phase>, cap: usize) -> Setup {
    setup(Tasks::steady(Mix::of(phases)), cap)
}

fn cpu_io(cpu: Draw, io: Draw, cap: usize) -> Setup {
    steady(vec![Phase::Cpu(cpu), Phase::Delay(io)], cap)
}

fn closed(name: &'static str, about: &'static str, setup: Setup) -> Scenario {
    Scenario { name, about, setup, judged: Judged::Closed, length_ns: 10 * S_NS, is_counted: true }
}

/// All scenarios, in the order of the table.
pub fn all() -> Vec<Scenario> {
    [simple(), spread(), turns(), open(), bottlenecks(), faults(), finishing()].concat()
}

fn simple() -> Vec<Scenario> {
    // With the spread that the calibration of the two machines was made with.
    let micro = || cpu_io(spread_ms(0.026), spread_ms(0.18), 256);
    vec![
        closed("cpu", "pure Python, 5 ms", steady(vec![Phase::Cpu(ms(5.0))], 256)),
        closed("io", "a sleep of 50 ms, cap 64", steady(vec![Phase::Delay(ms(50.0))], 64)),
        closed("micro", "26 us of Python, 180 us of sleep, on the published four cores", {
            Setup { machine: Machine::PUBLISHED_FOUR_CORES, ..micro() }
        }),
        closed("micro-1", "the same on the published one core", {
            Setup { machine: Machine::PUBLISHED_ONE_CORE, ..micro() }
        }),
        closed("stated", "10 ms of Python, 50 ms of sleep", cpu_io(ms(10.0), ms(50.0), 256)),
        closed("wide", "0.1 ms of Python, 100 ms of sleep, cap 1024", {
            Setup { arrival: Arrival::Closed(2000), ..cpu_io(ms(0.1), ms(100.0), 1024) }
        }),
    ]
}

fn spread() -> Vec<Scenario> {
    let lognormal = |sigma| {
        let draw = |mean_ms: f64| Draw::Lognormal { mean_ns: mean_ms * MS, sigma };
        cpu_io(draw(1.0), draw(20.0), 256)
    };
    let rare = Draw::Bimodal { low_ns: 0.5 * MS, high_ns: 5.5 * MS, high_share: 0.1 };
    let mixed = Mix(vec![
        (0.8, vec![Phase::Cpu(ms(0.2)), Phase::Delay(ms(30.0))]),
        (0.2, vec![Phase::Cpu(ms(20.0))]),
    ]);
    vec![
        closed("exponential", "1 ms and 20 ms, both exponential", {
            cpu_io(Draw::Exponential(MS), Draw::Exponential(20.0 * MS), 256)
        }),
        closed("bimodal", "0.5 ms of Python, one in ten 5.5 ms; 20 ms of sleep", {
            cpu_io(rare, ms(20.0), 256)
        }),
        closed("lognormal-0.1", "1 ms and 20 ms, lognormal, sigma 0.1", lognormal(0.1)),
        closed("lognormal-0.5", "1 ms and 20 ms, lognormal, sigma 0.5", lognormal(0.5)),
        closed("lognormal-1", "1 ms and 20 ms, lognormal, sigma 1", lognormal(1.0)),
        closed("mixed", "80 % of tasks 30 ms of I/O, 20 % 20 ms of Python", {
            setup(Tasks::steady(mixed), 256)
        }),
    ]
}

fn turns() -> Vec<Scenario> {
    let square = |name, about, turn_ns: u64| {
        let cpu = Mix::of(vec![Phase::Cpu(ms(5.0))]);
        let io = Mix::of(vec![Phase::Delay(ms(50.0))]);
        let tasks = Tasks::Turns(vec![(turn_ns, io), (turn_ns, cpu)]);
        Scenario { length_ns: (8 * turn_ns).max(10 * S_NS), ..closed(name, about, setup(tasks, 64)) }
    };
    vec![
        // Half a second is less than the settling time allowed: shown, not counted.
        Scenario {
            is_counted: false,
            ..square("square-0.5", "I/O and CPU in turn, every 0.5 s, cap 64", S_NS / 2)
        },
        square("square-1", "I/O and CPU in turn, every 1 s, cap 64", S_NS),
        square("square-2", "I/O and CPU in turn, every 2 s, cap 64", 2 * S_NS),
        square("square-5", "I/O and CPU in turn, every 5 s, cap 64", 5 * S_NS),
    ]
}

fn open() -> Vec<Scenario> {
    // 2 ms under the GIL, a hand-off and the pool's own work: 480 a second are nearly all of it.
    let poisson = |name, about, share: f64| Scenario {
        // At 120 % too: before a backlog has grown, the limit need not be right.
        judged: Judged::Open,
        ..closed(
            name,
            about,
            Setup {
                arrival: Arrival::Poisson(480.0 * share),
                ..cpu_io(Draw::Exponential(2.0 * MS), Draw::Exponential(20.0 * MS), 256)
            },
        )
    };
    vec![
        poisson("poisson-30", "Poisson arrivals, 2 and 20 ms, at 30 % of the GIL", 0.3),
        poisson("poisson-70", "Poisson arrivals, 2 and 20 ms, at 70 % of the GIL", 0.7),
        poisson("poisson-95", "Poisson arrivals, 2 and 20 ms, at 95 % of the GIL", 0.95),
        poisson("poisson-120", "Poisson arrivals, 2 and 20 ms, at 120 % of the GIL", 1.2),
        Scenario {
            judged: Judged::Open,
            ..closed(
                "burst",
                "32 sleeps of 50 ms at once, every 0.5 s, cap 64",
                Setup {
                    arrival: Arrival::Bursts { size: 32, every_ns: S_NS / 2 },
                    ..steady(vec![Phase::Delay(ms(50.0))], 64)
                },
            )
        },
    ]
}

fn bottlenecks() -> Vec<Scenario> {
    let four = Machine { cores: 4.0, ..Machine::TWO_CORES };
    let native = |cpu_ms, free_ms| vec![Phase::Cpu(ms(cpu_ms)), Phase::CpuFree(ms(free_ms))];
    let remote = |server, demand_ms| Setup {
        servers: vec![server],
        ..steady(vec![Phase::Cpu(ms(0.2)), Phase::Remote(0, ms(demand_ms))], 256)
    };
    vec![
        closed("remote", "a server with 10 slots, 10 ms each", {
            remote(Server { slots: 10, alpha: 0.0, kappa: 0.0 }, 10.0)
        }),
        closed("retrograde", "a server whose throughput falls beyond 31 requests", {
            remote(Server { slots: usize::MAX, alpha: 0.02, kappa: 0.001 }, 20.0)
        }),
        closed(
            "quota-half",
            "a quota of half a core; 2 ms of Python, 20 ms of sleep",
            Setup {
                machine: Machine { quota_cores: Some(0.5), ..Machine::TWO_CORES },
                ..cpu_io(ms(2.0), ms(20.0), 256)
            },
        ),
        closed(
            "quota-2.5",
            "a quota of 2.5 of 4 cores; 1 ms of Python, 5 ms of native code",
            Setup { machine: Machine { quota_cores: Some(2.5), ..four }, ..steady(native(1.0, 5.0), 256) },
        ),
        closed(
            "free-threaded",
            "no GIL, 8 cores; 5 ms of Python, 20 ms of sleep",
            Setup {
                machine: Machine { cores: 8.0, has_gil: false, ..Machine::TWO_CORES },
                ..cpu_io(spread_ms(5.0), spread_ms(20.0), 256)
            },
        ),
        affinity(),
        closed(
            "half-native",
            "2 ms of Python, 2.5 ms of native code, 2 cores",
            steady(native(2.0, 2.5), 256),
        ),
        closed("gil-sleep", "a sleep of 5 ms that keeps the GIL, one of 20 ms that does not", {
            steady(vec![Phase::HoldGilSleep(ms(5.0)), Phase::Delay(ms(20.0))], 256)
        }),
        Scenario {
            length_ns: 60 * S_NS,
            ..closed("long", "sleeps of 10 s, cap 64", steady(vec![Phase::Delay(ms(10_000.0))], 64))
        },
        // Not counted: the more workers ask for the GIL, the more of it they take from the other
        // thread, and that is no aim.
        Scenario {
            is_counted: false,
            ..closed(
                "hog",
                "another thread wants the GIL for 60 % of the time; 2 and 20 ms",
                Setup { hog: Some((6 * MS_NS, 4 * MS_NS)), ..cpu_io(ms(2.0), ms(20.0), 256) },
            )
        },
        // An event loop that hands out requests: its turns are short, and it waits for the GIL between.
        closed(
            "server",
            "stated with some spread, beside an event loop that wants a tenth of the GIL",
            Setup {
                hog: Some((MS_NS, 9 * MS_NS)),
                arrival: Arrival::Closed(64),
                ..cpu_io(spread_ms(10.0), spread_ms(50.0), 256)
            },
        ),
        // A limit above what can be had is no fault: judged by throughput.
        Scenario {
            judged: Judged::Open,
            ..closed(
                "eagain",
                "no more than 12 threads are to be had; sleeps of 50 ms",
                Setup {
                    machine: Machine { threads_max: 12, ..Machine::TWO_CORES },
                    ..steady(vec![Phase::Delay(ms(50.0))], 64)
                },
            )
        },
    ]
}

/// The load stays, the machine changes: two turns of the same tasks.
fn affinity() -> Scenario {
    let turn = || Mix::of(vec![Phase::Cpu(spread_ms(5.0)), Phase::Delay(spread_ms(20.0))]);
    let tasks = Tasks::Turns(vec![(5 * S_NS, turn()), (5 * S_NS, turn())]);
    let machine = Machine { cores: 8.0, has_gil: false, ..Machine::TWO_CORES };
    let changed = Setup { machine, core_changes: vec![(5 * S_NS, 2.0)], ..setup(tasks, 256) };
    closed("affinity", "no GIL, 8 cores and from 5 s on 2; 5 ms of Python, 20 ms of sleep", changed)
}

fn faults() -> Vec<Scenario> {
    let faulty = |name, about, fault, setup| Scenario {
        is_counted: false,
        ..closed(name, about, Setup { fault, ..setup })
    };
    let stated = || cpu_io(ms(10.0), ms(50.0), 64);
    let io = || steady(vec![Phase::Delay(ms(50.0))], 64);
    vec![
        faulty("blind-stated", "stated without any sensor, cap 64", Fault::Missing, stated()),
        faulty("blind-io", "io without any sensor", Fault::Missing, io()),
        faulty("no-gil-stated", "stated with CPU clocks only, cap 64", Fault::NoGil, stated()),
        faulty("no-count-stated", "stated, waiters not counted, cap 64", Fault::NoWaiters, stated()),
        faulty(
            "frozen-stated",
            "stated, sensors frozen after 0.3 s, cap 64",
            Fault::Frozen(3 * S_NS / 10),
            stated(),
        ),
        faulty("frozen-io", "io, sensors frozen from the start", Fault::Frozen(0), io()),
        faulty("garbage-stated", "stated, sensors say anything, cap 64", Fault::Garbage, stated()),
        faulty("garbage-io", "io, sensors say anything", Fault::Garbage, io()),
        faulty("lossy-stated", "stated, half of the readings lost, cap 64", Fault::Loss(0.5), stated()),
        faulty("noisy-stated", "stated, readings wrong by a third, cap 64", Fault::Noise(0.3), stated()),
    ]
}

fn finishing() -> Vec<Scenario> {
    let meet = |name, about, count: usize| Scenario {
        judged: Judged::Finish,
        length_ns: 60 * S_NS,
        ..closed(
            name,
            about,
            Setup {
                arrival: Arrival::Once(4 * count),
                warm_up_ns: 0,
                ..steady(vec![Phase::Cpu(ms(0.1)), Phase::Meet(count)], 64)
            },
        )
    };
    vec![
        meet("meet-5", "four meetings of 5 tasks, cap 64", 5),
        meet("meet-33", "four meetings of 33 tasks, cap 64", 33),
        meet("meet-cap", "four meetings of 64 tasks, cap 64", 64),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_remote_phase_has_its_server() {
        let scenarios = all();
        let mut names: Vec<_> = scenarios.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), scenarios.len());
        for Scenario { name, setup, .. } in scenarios {
            let Tasks::Turns(turns) = &setup.tasks else { continue };
            let phases = turns.iter().flat_map(|turn| &turn.1.0).flat_map(|kind| &kind.1);
            for phase in phases {
                if let Phase::Remote(server, _) = phase {
                    assert!(*server < setup.servers.len(), "{name}");
                }
            }
        }
    }
}
