//! Blocked workers never starve the queue.
//!
//! The standard pool runs up to `max_workers` tasks at once, and correct programs depend on it:
//! tasks that meet at a barrier, producers and consumers, a task that waits for one still queued. A
//! controller that holds fewer workers could stop such a program for ever. So a guard stands over
//! every controller that may hold the limit below the cap: with tasks waiting, none completed and
//! no worker burning CPU for the whole of [`Liveness::patience_ns`], the limit doubles, and goes
//! on doubling with every further look until something moves or the cap is reached.
//!
//! Workers that do burn CPU may all the same wait for a queued task (a loop that polls a flag), and
//! nobody can tell them from workers with long computations. With those the guard is
//! [`BUSY_PATIENCE`] times as patient, and doubles once each time.
//!
//! Like a controller it is a pure function of what it is shown.

use crate::decision::{Decision, Rule};
use crate::window::Window;

/// Share of one core below which the workers count as blocked. Not critical: a blocked worker
/// burns none, one that computes burns nearly all of a core.
const QUIET_CPU_SHARE: f64 = 0.05;

/// How much longer the guard waits where workers use the CPU. Not critical: it must end a deadlock
/// some time, and be rare where tasks compute for seconds.
pub const BUSY_PATIENCE: u64 = 10;

/// The guard's memory: since when nothing has moved.
#[derive(Clone, Copy, Debug)]
pub struct Liveness {
    /// How long the pool must have stood still.
    pub patience_ns: u64,
    /// Without a completion and without work.
    still_ns: u64,
    /// Without a completion.
    busy_ns: u64,
}

impl Liveness {
    /// Makes a guard.
    pub fn new(patience_ns: u64) -> Self {
        Self { patience_ns, still_ns: 0, busy_ns: 0 }
    }

    /// Looks at what happened since the last look; a decision only if the limit must rise.
    pub fn look(&mut self, window: &Window) -> Option<Decision> {
        let quiet = match window.workers_cpu_ns {
            Some(cpu_ns) => (cpu_ns as f64) < QUIET_CPU_SHARE * window.duration_ns as f64,
            // Where CPU cannot be seen, a pool that completes nothing is taken for blocked: too
            // many workers are slow, too few may be a deadlock.
            None => true,
        };
        if window.queue_length == 0 || window.completions > 0 || window.limit >= window.cap {
            *self = Self::new(self.patience_ns);
            return None;
        }
        self.busy_ns = self.busy_ns.saturating_add(window.duration_ns);
        self.still_ns = if quiet { self.still_ns.saturating_add(window.duration_ns) } else { 0 };
        // Of the workers there are: a controller may have set the limit below them meanwhile.
        let doubled = window.limit.max(window.workers_counted()).saturating_mul(2).min(window.cap);
        if self.still_ns >= self.patience_ns {
            let reason = "liveness: tasks wait, none completes and nobody is runnable";
            return Some(Decision::hold(doubled, reason).by(Rule::Liveness));
        }
        if self.busy_ns >= self.patience_ns.saturating_mul(BUSY_PATIENCE) {
            self.busy_ns = 0;
            let reason = "liveness: tasks wait and none has completed for long, though workers are busy";
            return Some(Decision::hold(doubled, reason).by(Rule::Liveness));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuck(limit: usize) -> Window {
        Window {
            duration_ns: 100,
            limit,
            cap: 33,
            queue_length: 9,
            workers_cpu_ns: Some(0),
            ..Window::default()
        }
    }

    #[test]
    fn a_stuck_pool_reaches_its_cap() {
        let mut guard = Liveness::new(300);
        let mut limit = 4;
        let mut seen = Vec::new();
        for _ in 0..8 {
            if let Some(decision) = guard.look(&stuck(limit)) {
                limit = decision.limit;
            }
            seen.push(limit);
        }
        assert_eq!(seen, [4, 4, 8, 16, 32, 33, 33, 33]);
    }

    #[test]
    fn a_limit_below_the_workers_there_are_is_no_start() {
        let mut guard = Liveness::new(100);
        let stingy = Window { workers_busy: 6, ..stuck(1) };
        assert_eq!(guard.look(&stingy).map(|decision| decision.limit), Some(12));
    }

    #[test]
    fn busy_workers_are_helped_late_and_step_by_step() {
        let mut guard = Liveness::new(300);
        let busy = |limit| Window { workers_cpu_ns: Some(100), ..stuck(limit) };
        let mut limit = 4;
        let mut rises = Vec::new();
        for look in 1..=70 {
            if let Some(decision) = guard.look(&busy(limit)) {
                limit = decision.limit;
                rises.push((look, limit));
            }
        }
        assert_eq!(rises, [(30, 8), (60, 16)]);
    }

    #[test]
    fn progress_or_work_resets_the_patience() {
        let moves = [
            Window { completions: 1, ..stuck(4) },
            Window { workers_cpu_ns: Some(90), ..stuck(4) },
            Window { queue_length: 0, ..stuck(4) },
        ];
        for window in moves {
            let mut guard = Liveness::new(200);
            assert_eq!(guard.look(&stuck(4)), None);
            assert_eq!(guard.look(&window), None);
            assert_eq!(guard.look(&stuck(4)), None, "{window:?} did not reset");
            assert!(guard.look(&stuck(4)).is_some());
        }
    }
}
