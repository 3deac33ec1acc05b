//! Keeps the workers of a pool on one core while that pays, and nobody else.
//!
//! What to do is decided by [`surefoot_core::placement`]; here are the hands. A [`Keeper`] per pool
//! moves that pool's workers; [`home`] is the one core of the process that they are moved to, and
//! where threads that wait for results wait; [`guard`] sees to it that no thread or process that a
//! task makes inherits a worker's mask, and [`sweep`] mends those that did. Elsewhere than on Linux
//! nothing is ever moved.

mod affinity;
mod guard;
mod home;
mod keeper;
#[cfg(target_os = "linux")]
mod sweep;

pub(crate) use guard::{announce_child, as_ourselves, guard_children};
pub(crate) use home::{LAZY_WAIT_NS, WAIT_SLICE_NS, is_home_set, wait_at_home};
pub(crate) use keeper::{Keeper, Seat};

/// Leaves the parent's home behind. The calling thread is the child's only one.
pub(crate) fn after_fork_in_child() {
    guard::leave_seat();
    home::leave_behind();
}
