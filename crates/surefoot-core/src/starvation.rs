//! Tells a pool that starves from one that is merely slow, for a warning to people.
//!
//! Like a controller it is a pure function of what it is shown, once a window. It warns of an
//! episode when that has lasted, and again after [`QUIET_NS`] if it still lasts; what began and
//! ended in between is counted, and told with the next warning.

use crate::window::Window;

/// Workers that all wait for queued tasks of their own pool go on only if a wait times out. Not
/// critical: a moment longer than any chain of short tasks looks like that.
const NESTED_PATIENCE_NS: u64 = 1_000_000_000;

/// How long tasks wait and none completes before that is starvation, if tasks are short.
const PATIENCE_NS: u64 = 5_000_000_000;

/// Twice the time that tasks took so far: the next may take as long.
const PATIENCE_TASKS: u64 = 2;

/// Shortest time between two warnings of one pool.
pub const QUIET_NS: u64 = 60_000_000_000;

/// Why nothing moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// Every worker waits in `result()` for a task of the same pool, and no more may come.
    NestedWaits,
    /// Tasks wait and none completes.
    Standstill,
}

impl Cause {
    /// The word used in Python.
    pub fn name(self) -> &'static str {
        match self {
            Self::NestedWaits => "nested-waits",
            Self::Standstill => "standstill",
        }
    }
}

/// A warning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hunger {
    /// Why.
    pub cause: Cause,
    /// For how long nothing has completed.
    pub still_ns: u64,
    /// Tasks waiting, those of blocked submitters included.
    pub queue_length: usize,
    /// How long the oldest of them has waited.
    pub queue_head_age_ns: u64,
    /// Workers that run a task.
    pub workers_busy: usize,
    /// Of those, workers that wait for another task of the pool.
    pub workers_joining: usize,
    /// The cap in force.
    pub cap: usize,
    /// Episodes since the last warning that were not told.
    pub suppressed: u64,
}

/// What is remembered from window to window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Starvation {
    /// For how long nothing has completed although tasks wait.
    still_ns: u64,
    /// For how long every worker has waited for another task.
    nested_ns: u64,
    /// The episode has been noticed.
    is_noticed: bool,
    warned_ns: Option<u64>,
    suppressed: u64,
}

impl Starvation {
    /// Looks at a window; `mean_wall_ns` is of the tasks completed last.
    pub fn look(&mut self, now_ns: u64, window: &Window, mean_wall_ns: u64) -> Option<Hunger> {
        if window.queue_length == 0 || window.completions > 0 || window.workers_busy == 0 {
            (self.still_ns, self.nested_ns, self.is_noticed) = (0, 0, false);
            return None;
        }
        self.still_ns = self.still_ns.saturating_add(window.duration_ns);
        let is_nested = window.workers_joining >= window.workers_busy && window.workers_busy >= window.cap;
        self.nested_ns = if is_nested { self.nested_ns.saturating_add(window.duration_ns) } else { 0 };
        let patience_ns = PATIENCE_NS.max(mean_wall_ns.saturating_mul(PATIENCE_TASKS));
        let cause = if self.nested_ns >= NESTED_PATIENCE_NS {
            Cause::NestedWaits
        } else if self.still_ns.min(window.queue_head_age_ns) >= patience_ns {
            Cause::Standstill
        } else {
            return None;
        };
        let is_new = !std::mem::replace(&mut self.is_noticed, true);
        if self.warned_ns.is_some_and(|warned_ns| now_ns.saturating_sub(warned_ns) < QUIET_NS) {
            self.suppressed += u64::from(is_new);
            return None;
        }
        self.warned_ns = Some(now_ns);
        Some(Hunger {
            cause,
            still_ns: self.still_ns,
            queue_length: window.queue_length,
            queue_head_age_ns: window.queue_head_age_ns,
            workers_busy: window.workers_busy,
            workers_joining: window.workers_joining,
            cap: window.cap,
            suppressed: std::mem::take(&mut self.suppressed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    /// Shows one window a second, from `from_s` on; the seconds in which it warned, and of what.
    fn warnings(
        starvation: &mut Starvation,
        from_s: u64,
        windows: impl IntoIterator<Item = Window>,
    ) -> Vec<(u64, Cause, u64)> {
        (from_s..)
            .zip(windows)
            .filter_map(|(at_s, window)| {
                let hunger = starvation.look(at_s * SECOND_NS, &window, 0)?;
                Some((at_s, hunger.cause, hunger.suppressed))
            })
            .collect()
    }

    fn stuck() -> Window {
        Window {
            duration_ns: SECOND_NS,
            queue_length: 3,
            queue_head_age_ns: 10 * SECOND_NS,
            limit: 4,
            cap: 4,
            workers_busy: 4,
            ..Window::default()
        }
    }

    #[test]
    fn a_standstill_is_told_late_and_once_a_minute() {
        let mut starvation = Starvation::default();
        let told = warnings(&mut starvation, 1, std::iter::repeat_n(stuck(), 70));
        assert_eq!(told, [(5, Cause::Standstill, 0), (65, Cause::Standstill, 0)]);
    }

    #[test]
    fn nested_waits_are_told_soon() {
        let nested = Window { workers_joining: 4, ..stuck() };
        let told = warnings(&mut Starvation::default(), 1, [nested]);
        assert_eq!(told, [(1, Cause::NestedWaits, 0)]);
        // Below the cap another worker may come.
        let helped = Window { cap: 5, ..nested };
        assert_eq!(warnings(&mut Starvation::default(), 1, [helped; 4]), []);
    }

    #[test]
    fn progress_is_no_starvation() {
        let moves = [
            Window { completions: 1, ..stuck() },
            Window { queue_length: 0, ..stuck() },
            Window { workers_busy: 0, ..stuck() },
        ];
        for window in moves {
            let windows = [stuck(), stuck(), stuck(), stuck(), window].repeat(3);
            assert_eq!(warnings(&mut Starvation::default(), 1, windows), [], "{window:?}");
        }
        let fresh = Window { queue_head_age_ns: SECOND_NS, ..stuck() };
        assert_eq!(warnings(&mut Starvation::default(), 1, [fresh; 9]), []);
    }

    #[test]
    fn long_tasks_are_given_time() {
        let mut starvation = Starvation::default();
        let old = Window { queue_head_age_ns: 100 * SECOND_NS, ..stuck() };
        let told = (1..100).find(|&at_s| starvation.look(at_s * SECOND_NS, &old, 20 * SECOND_NS).is_some());
        assert_eq!(told, Some(40));
    }

    #[test]
    fn what_was_not_told_is_counted() {
        let mut starvation = Starvation::default();
        let nested = Window { workers_joining: 4, ..stuck() };
        let moved = Window { completions: 1, ..stuck() };
        let told = warnings(&mut starvation, 1, [nested, moved, nested, nested, moved, nested, moved]);
        assert_eq!(told, [(1, Cause::NestedWaits, 0)]);
        assert_eq!(warnings(&mut starvation, 100, [nested]), [(100, Cause::NestedWaits, 2)]);
    }
}
