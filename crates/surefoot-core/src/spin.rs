//! Waits a moment awake before a sleep, where that has paid off.
//!
//! To wake a sleeping thread on another core takes 20 to 50 us, longer than many tasks run. A
//! thread whose waits are that short polls for [`SPIN_NS`] first. It never does so on a single
//! core, nor when its last wait was long: then only every [`PROBE_EVERY`]th wait is tried, and none
//! at all beyond [`PROBE_BELOW_NS`]. It gives way to other threads while it polls.

use std::cell::Cell;

use crate::clock;
use crate::found::Found;

/// Longest time to poll: about what one wake-up costs, so that polling in vain at most doubles it.
pub const SPIN_NS: u64 = 30_000;
/// A wait longer than this was no matter of wake-ups.
const PROBE_BELOW_NS: u64 = 150_000;
/// How often a thread whose waits are longer than [`SPIN_NS`] tries all the same: two threads that
/// wait for each other are slow only because each has to be woken. Not critical.
const PROBE_EVERY: u32 = 16;

/// One thread's memory of its waits.
#[derive(Debug)]
pub struct Spinner {
    last_wait_ns: Cell<u64>,
    waits: Cell<u32>,
}

impl Default for Spinner {
    fn default() -> Self {
        Self { last_wait_ns: Cell::new(u64::MAX), waits: Cell::new(0) }
    }
}

impl Spinner {
    /// Whether to poll before this wait.
    pub fn is_worth_it(&self) -> bool {
        let waits = self.waits.get().wrapping_add(1);
        self.waits.set(waits);
        let last_ns = self.last_wait_ns.get();
        let is_short = last_ns <= SPIN_NS || (last_ns <= PROBE_BELOW_NS && waits.is_multiple_of(PROBE_EVERY));
        is_short && has_other_cores()
    }

    /// Remembers how long a wait took in all.
    pub fn waited(&self, wait_ns: u64) {
        self.last_wait_ns.set(wait_ns);
    }
}

/// Polls for at most `limit_ns`; says whether it came true.
pub fn poll(limit_ns: u64, is_true: impl Fn() -> bool) -> bool {
    /// Looks between two looks at the clock.
    const BURST: u32 = 16;
    let until_ns = clock::now_ns() + limit_ns;
    loop {
        for _ in 0..BURST {
            if is_true() {
                return true;
            }
            std::hint::spin_loop();
        }
        if clock::now_ns() >= until_ns {
            return false;
        }
        std::thread::yield_now();
    }
}

fn has_other_cores() -> bool {
    static CORES: Found = Found::new();
    CORES.get_or_find(|| std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)) > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_waits_are_slept_through() {
        let spinner = Spinner::default();
        assert!((0..100).all(|_| !spinner.is_worth_it()), "before the first wait nothing is known");
        spinner.waited(PROBE_BELOW_NS + 1);
        assert!((0..100).all(|_| !spinner.is_worth_it()));
    }

    #[test]
    fn middling_waits_are_tried_now_and_then() {
        let spinner = Spinner::default();
        spinner.waited(SPIN_NS + 1);
        let tried = (0..160).filter(|_| spinner.is_worth_it()).count();
        assert_eq!(tried, if has_other_cores() { 10 } else { 0 });
    }

    #[test]
    fn polling_ends() {
        assert!(poll(u64::MAX / 2, || true));
        assert!(!poll(1, || false));
    }
}
