//! As many workers as there is work: the rule of scalers that go by the queue.
//!
//! Source: Celery's `Autoscaler._maybe_scale` (`celery/worker/autoscale.py`): once a second, with `qty` the tasks
//! that wait or run, grow to `min(qty, max)` at once; shrink to `max(qty, min)` when nothing was
//! scaled up for 30 s.

use crate::controller::Controller;
use crate::decision::Decision;
use crate::window::Window;

/// Its control interval.
pub const INTERVAL_NS: u64 = 1_000_000_000;

const KEEPALIVE_NS: u64 = 30_000_000_000;

/// The rule and what it remembers.
#[derive(Clone, Debug, Default)]
pub struct QueueDepth {
    since_rise_ns: u64,
}

impl Controller for QueueDepth {
    fn name(&self) -> &'static str {
        "queue-depth"
    }

    fn decide(&mut self, window: &Window) -> Decision {
        self.since_rise_ns += window.duration_ns;
        let quantity = window.queue_length + window.workers_busy;
        if quantity > window.limit && window.limit < window.cap {
            self.since_rise_ns = 0;
            return Decision::hold(quantity.min(window.cap), "more work than workers");
        }
        if quantity < window.limit && self.since_rise_ns >= KEEPALIVE_NS {
            return Decision::hold(quantity.max(window.min_workers), "more workers than work");
        }
        Decision::hold(window.limit, "as many workers as work")
    }

    fn rests(&self, limit: usize, min_workers: usize) -> bool {
        limit <= min_workers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_work_up_at_once_and_down_late() {
        let mut rule = QueueDepth::default();
        let window = |limit, queue_length, workers_busy| Window {
            duration_ns: INTERVAL_NS,
            limit,
            cap: 64,
            min_workers: 1,
            queue_length,
            workers_busy,
            ..Window::default()
        };
        assert_eq!(rule.decide(&window(4, 300, 4)).limit, 64);
        for _ in 0..29 {
            assert_eq!(rule.decide(&window(64, 0, 2)).limit, 64);
        }
        assert_eq!(rule.decide(&window(64, 0, 2)).limit, 2);
    }
}
