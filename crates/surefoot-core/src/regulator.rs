//! Runs one pool's controller at its interval, with the liveness guard above it, and keeps the log.
//!
//! The regulator is shown the time and the pool's readings and answers with what to do, so it is
//! tested without threads. The [monitor](crate::monitor) calls it.

use crate::controller::Controller;
use crate::decision::{Decision, Entry, Log};
use crate::ledger::PeriodSums;
use crate::liveness::Liveness;
use crate::snapshot::Snapshot;
use crate::window::Window;

/// Looks of the liveness guard per control interval.
const LOOKS_PER_INTERVAL: u64 = 5;

/// Control intervals that a pool stands still before the guard acts. Two: the controller has had a
/// whole window without a completion to act on and did not.
const PATIENCE_INTERVALS: u64 = 2;

/// Shortest patience, however short the interval: on a busy machine workers that are not blocked
/// at all may go without a core for some tens of milliseconds.
const MIN_PATIENCE_NS: u64 = 200_000_000;

/// Shortest interval, 1 ms: below it a window says nothing.
pub const MIN_INTERVAL_NS: u64 = 1_000_000;

/// Who decides.
#[derive(Debug)]
pub enum Decider {
    /// A controller of this crate.
    Native(Box<dyn Controller>),
    /// Somebody outside, who is handed a window and answers later, through [`Regulator::decided`]
    /// or [`Regulator::undecided`]. There is no next window before the answer to the last.
    External,
}

/// What a tick asks for.
#[derive(Debug, Default, PartialEq)]
pub struct Tick {
    /// Set the limit to this.
    pub limit: Option<usize>,
    /// Hand this window to the external decider.
    pub ask: Option<Window>,
    /// Tick again then; `None`: not before the next task arrives.
    pub due_ns: Option<u64>,
}

/// The readings of a pool at a tick.
#[derive(Clone, Copy, Debug)]
pub struct Readings {
    /// The pool's own.
    pub snapshot: Snapshot,
    /// CPU time of all live workers since they started, where it can be read.
    pub workers_cpu_ns: Option<u64>,
}

/// One pool's controller, guard and log.
#[derive(Debug)]
pub struct Regulator {
    decider: Decider,
    guard: Liveness,
    log: Log,
    interval_ns: u64,
    min_workers: usize,
    /// An external decider has not answered yet.
    is_asked: bool,
    decided_at_ns: Option<u64>,
    looked: Option<Look>,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at_ns: u64,
    completed: u64,
    cpu_ns: Option<u64>,
}

impl Regulator {
    /// Makes a regulator; `interval_ns` is at least [`MIN_INTERVAL_NS`].
    pub fn new(decider: Decider, interval_ns: u64, min_workers: usize) -> Self {
        let interval_ns = interval_ns.max(MIN_INTERVAL_NS);
        Self {
            decider,
            guard: Liveness::new((PATIENCE_INTERVALS * interval_ns).max(MIN_PATIENCE_NS)),
            log: Log::default(),
            interval_ns,
            min_workers,
            is_asked: false,
            decided_at_ns: None,
            looked: None,
        }
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// When the next tick is due after a pause, for a pool that just got work.
    pub fn first_due_ns(&self, now_ns: u64) -> u64 {
        now_ns + self.interval_ns / LOOKS_PER_INTERVAL
    }

    /// Whether the control period ends at `now_ns`, so that the caller must end the pool's.
    pub fn is_period_over(&self, now_ns: u64) -> bool {
        self.decided_at_ns.is_some_and(|then| now_ns >= then + self.interval_ns)
    }

    /// Looks at the pool. `period` holds the sums of the control period if it is over.
    pub fn tick(&mut self, now_ns: u64, readings: &Readings, period: Option<&PeriodSums>) -> Tick {
        let started_at_ns = *self.decided_at_ns.get_or_insert(now_ns);
        let mut window = self.look(now_ns, readings);
        let mut tick = Tick::default();
        if let Some(decision) = self.guard.look(&window) {
            tick.limit = self.record(now_ns, &window, decision);
        } else if let Some(period) = period {
            window.duration_ns = now_ns - started_at_ns;
            window.arrivals = period.arrivals;
            window.completions = period.completions;
            window.beta_mean = period.beta_mean();
            self.decided_at_ns = Some(now_ns);
            match &mut self.decider {
                Decider::Native(controller) => {
                    let decision = controller.decide(&window);
                    tick.limit = self.record(now_ns, &window, decision);
                }
                Decider::External if self.is_asked => {}
                Decider::External => {
                    self.is_asked = true;
                    tick.ask = Some(window);
                }
            }
        }
        tick.due_ns = self.due_ns(now_ns, &window, tick.limit);
        if tick.due_ns.is_none() {
            self.decided_at_ns = None;
            self.looked = None;
        }
        tick
    }

    /// Records what the external decider answered to `window`; the limit to set, if it changes.
    /// `limit_now` and `cap_now` are those in force, which may have moved since it was asked.
    pub fn decided(
        &mut self,
        now_ns: u64,
        window: &Window,
        (limit_now, cap_now): (usize, usize),
        limit: usize,
    ) -> Option<usize> {
        self.is_asked = false;
        let limit = limit.clamp(window.min_workers.min(cap_now), cap_now);
        let window = Window { limit: limit_now, cap: cap_now, ..*window };
        self.record(now_ns, &window, Decision::hold(limit, "decided by the given controller"))
    }

    /// Says that the external decider gave no answer; it will be asked again.
    pub fn undecided(&mut self) {
        self.is_asked = false;
    }

    fn look(&mut self, now_ns: u64, readings: &Readings) -> Window {
        let Readings { snapshot, workers_cpu_ns } = *readings;
        let completed = snapshot.tasks.done + snapshot.tasks.failed;
        let now = Look { at_ns: now_ns, completed, cpu_ns: workers_cpu_ns };
        let before = self.looked.replace(now).unwrap_or(now);
        Window {
            duration_ns: now_ns - before.at_ns,
            arrivals: 0,
            completions: completed - before.completed,
            queue_length: snapshot.queue_length,
            queue_head_age_ns: snapshot.queue_head_age_ns,
            limit: snapshot.limit,
            cap: snapshot.cap,
            min_workers: self.min_workers,
            workers_live: snapshot.workers_live,
            workers_busy: snapshot.workers_busy,
            beta_mean: None,
            workers_cpu_ns: workers_cpu_ns
                .zip(before.cpu_ns)
                // A worker that left takes its clock along, so the sum may fall.
                .map(|(cpu_ns, before_ns)| cpu_ns.saturating_sub(before_ns)),
        }
    }

    fn due_ns(&self, now_ns: u64, window: &Window, new_limit: Option<usize>) -> Option<u64> {
        let limit = new_limit.unwrap_or(window.limit);
        let is_idle = window.queue_length == 0 && window.workers_busy == 0;
        let rests = match &self.decider {
            Decider::Native(controller) => controller.rests(&Window { limit, ..*window }),
            Decider::External => true,
        };
        if is_idle && rests {
            return None;
        }
        let decision_ns = self.decided_at_ns.map_or(now_ns, |then| then + self.interval_ns);
        if window.queue_length > 0 && limit < window.cap {
            return Some(decision_ns.min(now_ns + self.interval_ns / LOOKS_PER_INTERVAL));
        }
        Some(decision_ns)
    }

    fn record(&mut self, at_ns: u64, window: &Window, decision: Decision) -> Option<usize> {
        self.log.push(Entry {
            at_ns,
            limit_before: window.limit,
            limit: decision.limit,
            reason: decision.reason,
            veto: decision.veto,
            queue_length: window.queue_length,
            completions: window.completions,
            beta_mean: window.beta_mean,
        });
        (decision.limit != window.limit).then_some(decision.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::Paper;
    use crate::ledger::{Counts, Ledger};
    use crate::sample::{Outcome, Sample};

    const INTERVAL_NS: u64 = 500_000_000;
    const LOOK_NS: u64 = INTERVAL_NS / LOOKS_PER_INTERVAL;

    fn readings(limit: usize, queue_length: usize, done: u64, cpu_ns: u64) -> Readings {
        Readings {
            snapshot: Snapshot {
                limit,
                cap: 64,
                workers_live: limit,
                workers_busy: limit,
                queue_length,
                queue_head_age_ns: 0,
                tasks: Counts { done, ..Counts::default() },
                beta_mean: None,
                queued: None,
                attach_wait: None,
                wall: None,
                cpu: None,
            },
            workers_cpu_ns: Some(cpu_ns),
        }
    }

    fn period(beta_percent: u64) -> PeriodSums {
        let mut ledger = Ledger::default();
        ledger.submitted();
        ledger.taken();
        let cpu_ns = Some(1000 - 10 * beta_percent);
        ledger.finished(&Sample { wall_ns: 1000, cpu_ns, ..Sample::default() }, Outcome::Done);
        ledger.end_period()
    }

    fn paper() -> Regulator {
        Regulator::new(Decider::Native(Box::new(Paper::default())), INTERVAL_NS, 1)
    }

    #[test]
    fn the_controller_is_asked_once_an_interval() {
        let mut regulator = paper();
        assert_eq!(regulator.tick(0, &readings(4, 9, 0, 0), None).limit, None);
        assert!(!regulator.is_period_over(INTERVAL_NS - 1));
        assert!(regulator.is_period_over(INTERVAL_NS));
        let tick = regulator.tick(INTERVAL_NS, &readings(4, 9, 5, 0), Some(&period(90)));
        assert_eq!(tick.limit, Some(5));
        assert!(!regulator.is_period_over(INTERVAL_NS + 1));
    }

    #[test]
    fn a_pool_that_stands_still_is_helped_over_the_controller() {
        let mut regulator = paper();
        let mut limit = 4;
        let mut now_ns = 0;
        while limit < 64 {
            now_ns += LOOK_NS;
            assert!(now_ns < 4 * INTERVAL_NS, "still at {limit}");
            let sums = regulator.is_period_over(now_ns).then(PeriodSums::default);
            limit = regulator.tick(now_ns, &readings(limit, 9, 0, 0), sums.as_ref()).limit.unwrap_or(limit);
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
            let sums = regulator.is_period_over(now_ns).then(PeriodSums::default);
            let tick = regulator.tick(now_ns, &idle, sums.as_ref());
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
        regulator.tick(0, &readings(4, 9, 0, 0), None);
        let window = regulator
            .tick(INTERVAL_NS, &readings(4, 9, 3, 0), Some(&PeriodSums::default()))
            .ask
            .expect("the period is over");
        assert_eq!(regulator.decided(INTERVAL_NS, &window, (4, 64), 1000), Some(64));
        assert_eq!(regulator.decided(INTERVAL_NS, &window, (64, 64), 0), Some(2));
        assert_eq!(regulator.decided(INTERVAL_NS, &window, (4, 64), 4), None);
    }

    #[test]
    fn an_external_decider_is_asked_one_thing_at_a_time() {
        let mut regulator = Regulator::new(Decider::External, INTERVAL_NS, 1);
        let tick = |regulator: &mut Regulator, number: u64| {
            regulator.tick(number * INTERVAL_NS, &readings(4, 9, number, 0), Some(&PeriodSums::default())).ask
        };
        assert!(tick(&mut regulator, 1).is_some());
        assert_eq!(tick(&mut regulator, 2), None);
        regulator.undecided();
        assert!(tick(&mut regulator, 3).is_some());
    }
}
