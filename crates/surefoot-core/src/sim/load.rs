//! What tasks do, and when they arrive.

use super::random::{Draw, Random};

/// One stretch of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Computes under the GIL.
    Cpu(Draw),
    /// Computes without the GIL (native code).
    CpuFree(Draw),
    /// Waits, for nobody in the process.
    Delay(Draw),
    /// Is served by the remote server of this number, with this demand.
    Remote(usize, Draw),
    /// Sleeps without giving the GIL up.
    HoldGilSleep(Draw),
    /// Submits the task of this number to its own pool.
    Submit(usize),
    /// Waits for the result of the task of this number.
    Join(usize),
    /// Waits until this many tasks have come here; then all go on, and the next come.
    Meet(usize),
}

/// A phase with its length drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    Cpu(f64),
    CpuFree(f64),
    Delay(u64),
    Remote(usize, f64),
    HoldGilSleep(u64),
    Submit(usize),
    Join(usize),
    Meet(usize),
}

impl Phase {
    fn step(&self, random: &mut Random) -> Step {
        let whole = |draw: &Draw, random: &mut Random| draw.draw_ns(random) as u64;
        match self {
            Self::Cpu(draw) => Step::Cpu(draw.draw_ns(random)),
            Self::CpuFree(draw) => Step::CpuFree(draw.draw_ns(random)),
            Self::Delay(draw) => Step::Delay(whole(draw, random)),
            Self::Remote(server, draw) => Step::Remote(*server, draw.draw_ns(random)),
            Self::HoldGilSleep(draw) => Step::HoldGilSleep(whole(draw, random)),
            Self::Submit(task) => Step::Submit(*task),
            Self::Join(task) => Step::Join(*task),
            Self::Meet(count) => Step::Meet(*count),
        }
    }
}

/// Kinds of tasks, each with its share of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix(pub Vec<(f64, Vec<Phase>)>);

impl Mix {
    /// One kind only.
    pub fn of(phases: Vec<Phase>) -> Self {
        Self(vec![(1.0, phases)])
    }

    fn kind(&self, random: &mut Random) -> &[Phase] {
        let Some((last, others)) = self.0.split_last() else { return &[] };
        if others.is_empty() {
            return &last.1;
        }
        let mut place = random.unit();
        for (share, phases) in others {
            place -= share;
            if place < 0.0 {
                return phases;
            }
        }
        &last.1
    }
}

/// What the tasks of a run are.
#[derive(Clone, Debug, PartialEq)]
pub enum Tasks {
    /// Mixes that take turns, each for its time, for ever. A task is of the mix in force when it
    /// starts, so that no backlog of the old kind blurs the change.
    Turns(Vec<(u64, Mix)>),
    /// Numbered tasks, each with its own phases; the first is submitted by the arrivals, the others
    /// by [`Phase::Submit`].
    Graph(Vec<Vec<Phase>>),
}

impl Tasks {
    /// The same mix throughout.
    pub fn steady(mix: Mix) -> Self {
        Self::Turns(vec![(u64::MAX, mix)])
    }

    /// The place in [`Self::Turns`] of the mix in force, and since when.
    pub fn turn(&self, now_ns: u64) -> (usize, u64) {
        let Self::Turns(turns) = self else { return (0, 0) };
        let round_ns = turns.iter().fold(0_u64, |sum, turn| sum.saturating_add(turn.0));
        let mut start_ns = now_ns - now_ns.checked_rem(round_ns).unwrap_or(0);
        for (place, (length_ns, _)) in turns.iter().enumerate() {
            let end_ns = start_ns.saturating_add(*length_ns);
            if now_ns < end_ns {
                return (place, start_ns);
            }
            start_ns = end_ns;
        }
        (0, now_ns)
    }

    pub(super) fn draw(&self, task: usize, now_ns: u64, random: &mut Random, steps: &mut Vec<Step>) {
        steps.clear();
        let phases = match self {
            Self::Turns(turns) => turns[self.turn(now_ns).0].1.kind(random),
            Self::Graph(tasks) => &tasks[task],
        };
        for phase in phases {
            let step = phase.step(random);
            steps.push(step);
        }
    }
}

/// When tasks are submitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrival {
    /// Always this many wait.
    Closed(usize),
    /// At random, this many a second.
    Poisson(f64),
    /// So many at once, again and again.
    Bursts {
        /// Tasks at a time.
        size: usize,
        /// From one burst to the next.
        every_ns: u64,
    },
    /// So many at once at the start; the run ends with the last of them.
    Once(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_round() {
        let mix = || Mix::of(Vec::new());
        let tasks = Tasks::Turns(vec![(10, mix()), (20, mix())]);
        let seen: Vec<_> = [0, 9, 10, 29, 30, 45].map(|now_ns| tasks.turn(now_ns)).into();
        assert_eq!(seen, [(0, 0), (0, 0), (1, 10), (1, 10), (0, 30), (1, 40)]);
    }

    #[test]
    fn a_mix_keeps_its_shares() {
        let mix = Mix(vec![(0.8, vec![Phase::Meet(1)]), (0.2, vec![Phase::Meet(2)])]);
        let mut random = Random::new(3, 0);
        let count = 100_000;
        let first = (0..count).filter(|_| mix.kind(&mut random) == [Phase::Meet(1)]).count();
        assert!((first as f64 / f64::from(count) - 0.8).abs() < 0.01, "{first}");
    }
}
