//! Random programs of tasks that submit tasks and wait for them, to find a deadlock of ours.
//!
//! A task may wait for those that it submitted, and for those that its parent submitted before it (it was
//! handed their futures). So no two tasks ever wait for each other, and on a pool without end every
//! program finishes. On a pool of `cap` workers it may not: if all of them wait for tasks that are queued,
//! nothing moves. That is the program's fault, in the standard pool as in ours.
//!
//! What counts as a deadlock of ours is everything else that never finishes. There is no third case: tasks start
//! in the order of the queue in both pools, so a state in which `cap` workers wait can be reached by the
//! standard pool too, if its threads happen to start as late as ours.

use super::load::{Arrival, Phase, Tasks};
use super::machine::Machine;
use super::plant::{Rule, Setup, run};
use super::random::{Draw, Random};
use super::sensors::Fault;
use crate::controller::{Controller, Fixed, Knee, Paper, knee, paper};
use crate::decision::Entry;

/// No chain of submissions is longer.
const DEPTH_MAX: usize = 64;
/// No task submits more.
const FAN_OUT_MAX: usize = 16;
/// No program has more tasks.
const TASKS_MAX: usize = 160;
/// Caps from 1 to this.
const CAP_MAX: usize = 8;
/// A program takes some milliseconds; what did not finish by then never will.
const LENGTH_NS: u64 = 60_000_000_000;

/// One program and the pool that it runs on.
#[derive(Clone, Debug)]
pub struct JoinGraph {
    setup: Setup,
    seed: u64,
    /// The longest chain of submissions.
    pub depth: usize,
    /// The most tasks that one submits.
    pub fan_out: usize,
}

/// What became of a program.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Verdict {
    /// It finished, on both pools.
    Finished,
    /// It finished on ours; the standard pool came to a standstill.
    OursOnly,
    /// All workers of both wait: not our fault.
    BothJam,
    /// All our workers up to the cap wait; the standard pool got by in this run, by other timing.
    OursJams,
    /// It never finished, and there was a worker to be had.
    Deadlock,
}

impl JoinGraph {
    /// The program of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, 5);
        let shape = random.below(3);
        // Small programs are many, large ones few.
        let count = 1 + (random.unit().powi(3) * TASKS_MAX as f64) as usize;
        let mut children: Vec<Vec<usize>> = vec![Vec::new()];
        let mut parents = vec![(0, 0)];
        while children.len() < count {
            let task = children.len();
            let parent = match shape {
                // A chain, a bush, anything.
                0 if random.unit() < 0.9 => task - 1,
                1 => random.below(task.min(8)),
                _ => random.below(task),
            };
            if children[parent].len() < FAN_OUT_MAX && parents[parent].1 + 1 < DEPTH_MAX {
                children[parent].push(task);
                children.push(Vec::new());
                parents.push((parent, parents[parent].1 + 1));
            } else if random.unit() < 0.01 {
                break;
            }
        }
        let depth = parents.iter().map(|parent| parent.1 + 1).max().unwrap_or(1);
        let fan_out = children.iter().map(Vec::len).max().unwrap_or(0);
        let tasks = (0..children.len()).map(|task| phases(task, &parents, &children, &mut random)).collect();
        let setup = Setup {
            machine: Machine { task_ns: 1_000.0, ..Machine::TWO_CORES },
            core_changes: Vec::new(),
            servers: Vec::new(),
            tasks: Tasks::Graph(tasks),
            arrival: Arrival::Once(1),
            hog: None,
            fault: Fault::None,
            cap: 1 + random.below(CAP_MAX),
            warm_up_ns: u64::MAX,
        };
        Self { setup, seed, depth, fan_out }
    }

    /// Runs it on both pools, and says how often the liveness guard had to help ours. The pool's own
    /// permits are to be enough: no wait here is out of its sight.
    ///
    /// Ours starts anywhere between one worker and the cap; half of the
    /// programs run under a controller that never moves, so that only the pool's own rules help.
    pub fn verdict(&self) -> (Verdict, usize) {
        let mut random = Random::new(self.seed, 6);
        let (controller, interval_ns): (Box<dyn Controller>, u64) = match random.below(4) {
            0 => (Box::new(Knee::default()), knee::INTERVAL_NS),
            1 => (Box::new(Paper::default()), paper::INTERVAL_NS),
            _ => (Box::new(Fixed), paper::INTERVAL_NS),
        };
        let limit = 1 + random.below(self.setup.cap);
        let ours = Rule::Controlled { controller, interval_ns, limit, min_workers: 1 };
        let ours = run(&self.setup, ours, self.seed, LENGTH_NS);
        let standard = run(&self.setup, Rule::Constant(self.setup.cap), self.seed, LENGTH_NS);
        let is_rescue = |decision: &&Entry| decision.reason.starts_with("liveness");
        let rescues = ours.decisions.iter().filter(is_rescue).count();
        let verdict = match (ours.finished_ns.is_some(), standard.finished_ns.is_some()) {
            (true, true) => Verdict::Finished,
            (true, false) => Verdict::OursOnly,
            (false, false) if ours.is_jammed => Verdict::BothJam,
            (false, true) if ours.is_jammed => Verdict::OursJams,
            (false, _) => Verdict::Deadlock,
        };
        (verdict, rescues)
    }

    /// Whether the standard pool comes to a standstill with some of `timings` other timings.
    pub fn jams_standard(&self, timings: u64) -> bool {
        (1..=timings).any(|timing| {
            let mut random = Random::new(self.seed, 1_000 + timing);
            let setup = Setup { tasks: self.interrupted(&mut random), ..self.setup.clone() };
            let rule = Rule::Constant(setup.cap);
            run(&setup, rule, self.seed ^ (timing << 32), LENGTH_NS).finished_ns.is_none()
        })
    }
}

impl JoinGraph {
    /// The same program on a busy machine: the system may leave a thread without a core at any place.
    fn interrupted(&self, random: &mut Random) -> Tasks {
        let Tasks::Graph(tasks) = &self.setup.tasks else { return self.setup.tasks.clone() };
        let share = random.unit();
        let interrupt = |phases: &Vec<Phase>| {
            let mut interrupted = Vec::with_capacity(2 * phases.len());
            for phase in phases {
                if random.unit() < share {
                    let length_ns = 1e6 * random.exponential().powi(3);
                    interrupted.push(Phase::Delay(Draw::Fixed(length_ns)));
                }
                interrupted.push(phase.clone());
            }
            interrupted
        };
        Tasks::Graph(tasks.iter().map(interrupt).collect())
    }
}

fn phases(
    task: usize,
    parents: &[(usize, usize)],
    children: &[Vec<usize>],
    random: &mut Random,
) -> Vec<Phase> {
    let cpu = || Phase::Cpu(Draw::Exponential(20e3));
    let mut phases = vec![cpu()];
    let mut open: Vec<usize> = Vec::new();
    let waited = |phases: &mut Vec<Phase>, open: &mut Vec<usize>, random: &mut Random| {
        let place = random.below(open.len());
        phases.push(Phase::Join(open.swap_remove(place)));
    };
    for &child in &children[task] {
        phases.push(Phase::Submit(child));
        open.push(child);
        match random.below(4) {
            0 => phases.push(cpu()),
            1 => phases.push(Phase::Delay(Draw::Exponential(50e3))),
            // Waits at once, before it submits the next.
            2 => waited(&mut phases, &mut open, random),
            _ => {}
        }
    }
    // Not every task waits for all that it submitted.
    let kept = if random.unit() < 0.8 { open.len() } else { random.below(open.len() + 1) };
    for _ in 0..kept {
        waited(&mut phases, &mut open, random);
    }
    let siblings = &children[parents[task].0];
    let before = siblings.iter().position(|&sibling| sibling == task).unwrap_or(0);
    if before > 0 && random.unit() < 0.2 {
        phases.insert(1, Phase::Join(siblings[random.below(before)]));
    }
    phases.push(cpu());
    phases
}
