//! A limit that never moves.

use super::Controller;
use crate::decision::Decision;
use crate::window::Window;

/// Holds one limit: the standard pool's behaviour, and the baseline of every comparison.
#[derive(Clone, Copy, Debug)]
pub struct Fixed;

impl Controller for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn decide(&mut self, window: &Window) -> Decision {
        Decision::hold(window.limit, "fixed")
    }

    fn rests(&self, _limit: usize, _min_workers: usize) -> bool {
        true
    }
}
