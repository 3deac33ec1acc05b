//! Who is compared with whom.

use super::comparator::{
    Clairvoyant, Gradient2, HillClimbing, Published, QueueDepth, gradient2, hill_climbing, published,
    queue_depth,
};
use super::load::Tasks;
use super::optimum::{Best, Optimum};
use super::plant::{Rule, Setup};
use crate::capacity::standard_default;
use crate::controller::{Controller, Knee, Paper, knee, paper};

/// One row of the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    make: fn(&Setup, &Optimum) -> Rule,
}

impl Contender {
    /// The rule for one run.
    pub fn rule(&self, setup: &Setup, optimum: &Optimum) -> Rule {
        (self.make)(setup, optimum)
    }
}

fn standard(setup: &Setup) -> usize {
    standard_default(setup.machine.cores as usize).min(setup.cap)
}

fn constant(workers: usize) -> impl Fn(&Setup) -> Rule {
    move |setup| Rule::Constant(workers.min(setup.cap))
}

/// A controller that starts where the standard pool would, and may go down to one worker.
fn controlled(setup: &Setup, controller: impl Controller + 'static, interval_ns: u64) -> Rule {
    Rule::Controlled { controller: Box::new(controller), interval_ns, limit: standard(setup), min_workers: 1 }
}

/// The same rule with the limit at first that its source gives.
fn starting_with(limit_at_first: usize, rule: Rule) -> Rule {
    match rule {
        Rule::Controlled { controller, interval_ns, min_workers, .. } => {
            Rule::Controlled { controller, interval_ns, limit: limit_at_first, min_workers }
        }
        Rule::Constant(_) => rule,
    }
}

/// The rule that knows the load and sets `of` the best of each turn.
pub(super) fn clairvoyant(setup: &Setup, optimum: &Optimum, of: fn(&Best) -> usize) -> Rule {
    let limits: Vec<usize> = optimum.turns.iter().map(of).collect();
    match &setup.tasks {
        Tasks::Turns(turns) if turns.len() > 1 => {
            let turns: Vec<_> = turns.iter().map(|turn| turn.0).zip(limits).collect();
            let limit = turns[0].1;
            let controller = Box::new(Clairvoyant::new(turns));
            Rule::Controlled { controller, interval_ns: 500_000_000, limit, min_workers: 1 }
        }
        _ => Rule::Constant(limits[0]),
    }
}

/// All contenders, in the order of the table.
pub const ALL: &[Contender] = &[
    Contender {
        name: "knee",
        about: "our default",
        make: |setup, _| controlled(setup, Knee::default(), knee::INTERVAL_NS),
    },
    Contender {
        name: "paper",
        about: "section 5.3 of the paper to the letter",
        make: |setup, _| controlled(setup, Paper::default(), paper::INTERVAL_NS),
    },
    Contender {
        name: "published",
        about: "the published library's rule",
        make: |setup, _| {
            let rule = controlled(setup, Published::default(), published::INTERVAL_NS);
            starting_with(published::WORKERS_AT_FIRST, rule)
        },
    },
    Contender {
        name: "queue-depth",
        about: "as many workers as tasks, as Celery's autoscaler",
        make: |setup, _| controlled(setup, QueueDepth::default(), queue_depth::INTERVAL_NS),
    },
    Contender {
        name: "hill-climbing",
        about: "the .NET thread pool's",
        make: |setup, _| {
            let cores = (setup.machine.usable_cores().ceil() as usize).max(1);
            let rule = controlled(setup, HillClimbing::new(cores), hill_climbing::INTERVAL_NS);
            starting_with(cores, rule)
        },
    },
    Contender {
        name: "gradient2",
        about: "Netflix's limiter by response time",
        make: |setup, _| {
            let rule = controlled(setup, Gradient2::default(), gradient2::INTERVAL_NS);
            starting_with(gradient2::LIMIT_AT_FIRST, rule)
        },
    },
    Contender { name: "fixed-1", about: "one worker", make: |setup, _| constant(1)(setup) },
    Contender { name: "fixed-4", about: "four workers", make: |setup, _| constant(4)(setup) },
    Contender { name: "fixed-32", about: "32 workers", make: |setup, _| constant(32)(setup) },
    Contender {
        name: "fixed-256",
        about: "256 workers, or the scenario's cap",
        make: |setup, _| constant(256)(setup),
    },
    Contender {
        name: "standard",
        about: "the standard pool at its default size, min(32, cores + 4)",
        make: |setup, _| constant(standard(setup))(setup),
    },
    Contender {
        name: "clairvoyant",
        about: "knows the load and sets the knee of each turn as it begins",
        make: |setup, optimum| clairvoyant(setup, optimum, |best| best.knee),
    },
];
