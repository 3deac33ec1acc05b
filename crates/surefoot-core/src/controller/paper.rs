//! The published controller, section 5.3 of the paper, to the letter.
//!
//! ```text
//! tasks wait, beta >  threshold: limit + 1     (the tasks block, so another thread is safe)
//! tasks wait, beta <= threshold: limit         (veto: they compute, or fight for the GIL)
//! none waits:                    limit - 1, not below min_workers
//! ```
//!
//! It is kept as published because it is the baseline, and with it its blind spot: a thread that
//! waits for the GIL burns no CPU, so its beta is high and the veto does not fall under
//! contention. The paper is silent on a window in which tasks wait and none was completed; there
//! is no mean to compare then, and the limit stays.

use super::Controller;
use crate::decision::{Decision, Rule, Veto};
use crate::window::Window;

/// The published `GIL_DANGER_ZONE`: "if less than 30 % I/O, we are fighting for CPU".
pub const BETA_THRESHOLD: f64 = 0.3;

/// The published control interval, 500 ms.
pub const INTERVAL_NS: u64 = 500_000_000;

/// The published rule with each of its constants as a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paper {
    /// Beta at or below which a rise is vetoed, `0..=1`.
    pub beta_threshold: f64,
    /// Workers added at a time, at least 1.
    pub step_up: usize,
    /// Workers taken away at a time.
    pub step_down: usize,
}

impl Default for Paper {
    fn default() -> Self {
        Self { beta_threshold: BETA_THRESHOLD, step_up: 1, step_down: 1 }
    }
}

impl Controller for Paper {
    fn name(&self) -> &'static str {
        "paper"
    }

    fn decide(&mut self, window: &Window) -> Decision {
        let limit = window.limit;
        if window.queue_length == 0 {
            let lower = limit.saturating_sub(self.step_down).max(window.min_workers).min(limit);
            return Decision::hold(lower, "no task waits").by(Rule::Idle);
        }
        match window.beta_mean {
            None => Decision::hold(limit, "tasks wait, but none was completed to measure"),
            Some(beta) if beta <= self.beta_threshold => Decision::refuse(
                limit,
                Veto::Gil,
                "tasks wait, but beta says that they compute or fight for the GIL",
            ),
            Some(_) if limit >= window.cap => {
                Decision::refuse(window.cap, Veto::Cap, "tasks wait and block, but the cap is reached")
            }
            Some(_) => Decision::hold(
                limit.saturating_add(self.step_up).min(window.cap),
                "tasks wait, and beta says that they block",
            )
            .by(Rule::Beta),
        }
    }

    fn rests(&self, limit: usize, min_workers: usize) -> bool {
        self.step_down == 0 || limit <= min_workers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(limit: usize, queue_length: usize, beta_mean: Option<f64>) -> Window {
        Window { limit, queue_length, beta_mean, cap: 64, min_workers: 4, ..Window::default() }
    }

    #[test]
    fn follows_the_published_table() {
        let table = [
            // limit, queue, beta, limit after, veto
            (8, 5, Some(0.9), 9, None),
            (8, 5, Some(0.31), 9, None),
            (8, 5, Some(0.3), 8, Some(Veto::Gil)),
            (8, 5, Some(0.0), 8, Some(Veto::Gil)),
            (8, 0, Some(0.9), 7, None),
            (8, 0, None, 7, None),
            (4, 0, Some(0.1), 4, None),
            (64, 5, Some(0.9), 64, Some(Veto::Cap)),
            (8, 5, None, 8, None),
        ];
        for (limit, queue, beta, after, veto) in table {
            let decision = Paper::default().decide(&window(limit, queue, beta));
            assert_eq!((decision.limit, decision.veto), (after, veto), "{limit} {queue} {beta:?}");
        }
    }

    #[test]
    fn rests_only_at_the_floor() {
        assert!(!Paper::default().rests(5, 4));
        assert!(Paper::default().rests(4, 4));
    }
}
