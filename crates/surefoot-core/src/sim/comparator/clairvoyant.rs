//! Knows the load beforehand.

use crate::controller::Controller;
use crate::decision::Decision;
use crate::look::Look;
use crate::window::Window;

/// How often it looks at the clock, 1 ms.
const LOOK_NS: u64 = 1_000_000;

/// Sets the limit that is best for each turn of the load, as the turn begins. It has no clock but the
/// time that passed between the looks, so it is up to two looks late.
#[derive(Clone, Debug)]
pub struct Clairvoyant {
    /// Length of each turn, and its limit; they come round.
    turns: Vec<(u64, usize)>,
    now_ns: u64,
    window_end_ns: u64,
}

impl Clairvoyant {
    /// Makes one; `turns` is not empty.
    pub fn new(turns: Vec<(u64, usize)>) -> Self {
        Self { turns, now_ns: 0, window_end_ns: 0 }
    }

    fn limit(&self) -> usize {
        let round_ns = self.turns.iter().fold(0_u64, |sum, turn| sum.saturating_add(turn.0));
        let mut left_ns = self.now_ns.checked_rem(round_ns).unwrap_or(0);
        for &(length_ns, limit) in &self.turns {
            if left_ns < length_ns {
                return limit;
            }
            left_ns -= length_ns;
        }
        1
    }

    fn decision(&self, cap: usize, min_workers: usize) -> Decision {
        let limit = self.limit().min(cap).max(min_workers);
        Decision::hold(limit, "known beforehand")
    }
}

impl Controller for Clairvoyant {
    fn name(&self) -> &'static str {
        "clairvoyant"
    }

    fn decide(&mut self, window: &Window) -> Decision {
        self.window_end_ns += window.duration_ns;
        self.now_ns = self.window_end_ns;
        self.decision(window.cap, window.min_workers)
    }

    fn glance(&mut self, look: &Look) -> Option<Decision> {
        self.now_ns += look.since_ns;
        Some(self.decision(look.cap, look.min_workers))
    }

    fn next_look_ns(&self, _look: &Look) -> Option<u64> {
        Some(LOOK_NS)
    }

    fn rests(&self, _limit: usize, _min_workers: usize) -> bool {
        false
    }
}
