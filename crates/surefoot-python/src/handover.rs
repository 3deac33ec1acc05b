//! Lets a thread that polls wait for the interpreter to be let go before it asks for it.
//!
//! Who opens a gate or grants a permit is attached, and detaches a moment later. A thread that
//! polls sees it at once; were it to ask for the interpreter at once, it would be put to sleep and
//! have to be woken, which is what polling is to avoid. So every detachment of ours is counted, and
//! a thread that saw what it polled for waits for the next one, for [`PATIENCE_NS`] at most.

use std::sync::atomic::{AtomicU64, Ordering};

use surefoot_core::spin;

/// Longest wait for the other to detach; it is usually done within one.
const PATIENCE_NS: u64 = 3_000;

static DETACHMENTS: AtomicU64 = AtomicU64::new(0);

/// Counts that the calling thread has just detached.
pub(crate) fn detached() {
    DETACHMENTS.fetch_add(1, Ordering::Relaxed);
}

/// Polls until `is_true`, and then for a moment until somebody detached after that.
pub(crate) fn poll(is_true: impl Fn() -> bool) -> bool {
    let before = std::cell::Cell::new(0);
    let came_true = spin::poll(spin::SPIN_NS, || {
        before.set(DETACHMENTS.load(Ordering::Relaxed));
        is_true()
    });
    if came_true {
        spin::poll(PATIENCE_NS, || DETACHMENTS.load(Ordering::Relaxed) != before.get());
    }
    came_true
}
