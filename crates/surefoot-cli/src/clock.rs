//! The clock door: the only place in this crate that reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "the clock door of the command line")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The machine's monotonic clock, which is the same for all processes.
pub(crate) fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec to write to.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    match (status, seconds, nanoseconds) {
        (0, Ok(seconds), Ok(nanoseconds)) => seconds * 1_000_000_000 + nanoseconds,
        _ => 0,
    }
}

/// Seconds since 1970-01-01 UTC, for records.
pub(crate) fn unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
