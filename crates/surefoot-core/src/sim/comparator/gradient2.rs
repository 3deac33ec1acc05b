//! Netflix's Gradient2: the limit follows the ratio of the long-term response time to the latest.
//!
//! Source: `Gradient2Limit.java` and `WindowedLimit.java` of <https://github.com/Netflix/concurrency-limits>, with their
//! defaults: windows of 1 s with at least 10 samples, limits from 20 to 200, long-term average over 600
//! windows, tolerance 1.5, queue size 4, smoothing 0.2. The response time is that of the task itself,
//! without the time in the queue: the limit is one of tasks in flight.

use crate::controller::Controller;
use crate::decision::Decision;
use crate::window::Window;

/// Its control interval: the library's window.
pub const INTERVAL_NS: u64 = 1_000_000_000;
/// Its limit at first, which is also its least.
pub const LIMIT_AT_FIRST: usize = 20;

const LIMIT_MAX: f64 = 200.0;
const SAMPLES_MIN: u64 = 10;
const LONG_WINDOW: f64 = 600.0;
const WARM_UP: u32 = 10;
const TOLERANCE: f64 = 1.5;
const QUEUE_SIZE: f64 = 4.0;
const SMOOTHING: f64 = 0.2;

/// The rule and what it remembers.
#[derive(Clone, Debug)]
pub struct Gradient2 {
    limit: f64,
    long_ns: f64,
    count: u32,
}

impl Default for Gradient2 {
    fn default() -> Self {
        Self { limit: LIMIT_AT_FIRST as f64, long_ns: 0.0, count: 0 }
    }
}

impl Controller for Gradient2 {
    fn name(&self) -> &'static str {
        "gradient2"
    }

    fn decide(&mut self, window: &Window) -> Decision {
        if window.completions < SAMPLES_MIN {
            return Decision::hold(window.limit, "too few samples");
        }
        let short_ns = window.wall_ns as f64 / window.completions as f64;
        self.count += 1;
        let weight =
            if self.count <= WARM_UP { 1.0 / f64::from(self.count) } else { 2.0 / (LONG_WINDOW + 1.0) };
        self.long_ns += weight * (short_ns - self.long_ns);
        if self.long_ns > 2.0 * short_ns {
            self.long_ns *= 0.95;
        }
        if (window.workers_busy as f64) < self.limit / 2.0 {
            return Decision::hold(window.limit, "the limit does not bind");
        }
        let gradient = (TOLERANCE * self.long_ns / short_ns).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + QUEUE_SIZE;
        let most = LIMIT_MAX.min(window.cap as f64);
        let least = (LIMIT_AT_FIRST as f64).min(most);
        self.limit = (self.limit * (1.0 - SMOOTHING) + wanted * SMOOTHING).clamp(least, most);
        Decision::hold(self.limit as usize, "long-term against latest response time")
    }

    fn rests(&self, _limit: usize, _min_workers: usize) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(task_ms: u64) -> Window {
        let completions = 100;
        let wall_ns = task_ms * 1_000_000 * completions;
        Window { wall_ns, completions, workers_busy: 200, cap: 256, limit: 20, ..Window::default() }
    }

    #[test]
    fn grows_by_less_than_one_a_second_while_the_response_stays() {
        let mut rule = Gradient2::default();
        for _ in 0..10 {
            rule.decide(&window(50));
        }
        assert!((rule.limit - 28.0).abs() < 1e-9, "{}", rule.limit);
    }

    #[test]
    fn shrinks_when_the_response_grows_beyond_the_tolerance() {
        let mut rule = Gradient2 { limit: 100.0, long_ns: 50e6, count: 100 };
        assert!(rule.decide(&window(200)).limit < 100);
    }
}
