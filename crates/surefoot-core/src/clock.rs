//! The one door to the wall clock: real time, or time that a test sets.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Tells the time in nanoseconds since an arbitrary, fixed moment; never goes back.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Nanoseconds since the clock's zero.
    fn now_ns(&self) -> u64;
}

/// The monotonic clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Monotonic;

impl Clock for Monotonic {
    #[inline]
    fn now_ns(&self) -> u64 {
        now_ns()
    }
}

/// Reads the monotonic clock: nanoseconds since the first reading of this process.
#[expect(clippy::disallowed_methods, reason = "this file is the clock's door")]
#[inline]
pub fn now_ns() -> u64 {
    static ZERO: OnceLock<Instant> = OnceLock::new();
    let elapsed = ZERO.get_or_init(Instant::now).elapsed();
    // Not `as_nanos`: 64 bits last for 584 years, and the 128-bit product would show in the profile.
    elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos())
}

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct Manual(AtomicU64);

impl Manual {
    /// Moves the clock forward.
    pub fn advance_ns(&self, step_ns: u64) {
        self.0.fetch_add(step_ns, Ordering::Relaxed);
    }
}

impl Clock for Manual {
    fn now_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
