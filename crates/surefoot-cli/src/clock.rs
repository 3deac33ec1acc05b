//! The clock door: the only place in this crate that reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "the clock door of the command line")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970-01-01 UTC, for records.
pub(crate) fn unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
