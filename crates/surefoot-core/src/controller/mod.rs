//! Decides how many workers may run at once.
//!
//! A [`Controller`] is a state machine: one [`Window`] in, one [`Decision`] out. It reads no clock,
//! takes no lock and draws no random number, so a test is a table.
//!
//! Guarantees (checked in `tests/controllers.rs`):
//! 1. `min_workers <= limit <= cap` for every sequence of windows.
//! 2. Two equal histories give equal limits.

mod fixed;
pub mod knee;
pub mod paper;

pub use fixed::Fixed;
pub use knee::Knee;
pub use paper::Paper;

use crate::decision::Decision;
use crate::look::Look;
use crate::window::Window;

/// A pure function from measured windows to a limit, with whatever it remembers of the past.
pub trait Controller: Send + std::fmt::Debug {
    /// The name by which users choose it.
    fn name(&self) -> &'static str;

    /// Decides on the limit for the next period.
    fn decide(&mut self, window: &Window) -> Decision;

    /// Decides between two windows, on a glance; `None`: nothing to say. Controllers that only go
    /// by windows leave it out.
    fn glance(&mut self, _look: &Look) -> Option<Decision> {
        None
    }

    /// How soon it wants the next look, after one that saw `look`; `None`: it goes by windows only.
    fn next_look_ns(&self, _look: &Look) -> Option<u64> {
        None
    }

    /// Whether an idle pool (nothing queued, nothing running) would be left as it is for ever, so
    /// that nobody need ask again before a task arrives.
    fn rests(&self, limit: usize, min_workers: usize) -> bool;
}
