//! The rule of the published library, which is not that of the paper.
//!
//! Source: `betapool/executor.py` of <https://github.com/WhiteMetagross/BetaPool>, `_make_scaling_decision`
//! and `_resize_pool`. Every 0.5 s, but not within 2 s of the last change:
//!
//! ```text
//! beta > 0.7 and CPU < 85 % of the machine: + 2
//! beta < 0.3:                               - 1
//! else CPU > 85 % of the machine:           - 1
//! ```
//!
//! No queue is looked at. A change goes by way of the standard pool's `_adjust_thread_count`, which only
//! makes threads: the library believes in a smaller pool, but no thread ever ends.

use crate::controller::Controller;
use crate::decision::Decision;
use crate::window::Window;

/// Its control interval.
pub const INTERVAL_NS: u64 = 500_000_000;
/// Its size at first, `min_workers`.
pub const WORKERS_AT_FIRST: usize = 4;

const BETA_HIGH: f64 = 0.7;
const BETA_LOW: f64 = 0.3;
const CPU_HIGH: f64 = 0.85;
const STEP_UP: usize = 2;
const STEP_DOWN: usize = 1;
const STABILISATION_NS: u64 = 2_000_000_000;

/// The rule and what it remembers.
#[derive(Clone, Debug)]
pub struct Published {
    /// The size that it believes in.
    believed: usize,
    since_change_ns: u64,
}

impl Default for Published {
    fn default() -> Self {
        Self { believed: WORKERS_AT_FIRST, since_change_ns: 0 }
    }
}

impl Controller for Published {
    fn name(&self) -> &'static str {
        "published"
    }

    fn decide(&mut self, window: &Window) -> Decision {
        self.since_change_ns += window.duration_ns;
        if self.since_change_ns < STABILISATION_NS {
            return Decision::hold(window.limit, "stabilising");
        }
        let Some(beta) = window.beta_mean else { return Decision::hold(window.limit, "nothing measured") };
        // `psutil.cpu_percent()` counts the whole machine; the simulated one runs nothing else.
        let machine_ns = window.duration_ns as f64 * window.allowance.cores.ceil();
        let cpu = window.process_cpu_ns.map_or(0.5, |cpu_ns| cpu_ns as f64 / machine_ns);
        let believed = match () {
            () if beta > BETA_HIGH && cpu < CPU_HIGH => (self.believed + STEP_UP).min(window.cap),
            () if beta > BETA_HIGH => self.believed,
            () if beta < BETA_LOW || cpu > CPU_HIGH => {
                self.believed.saturating_sub(STEP_DOWN).max(WORKERS_AT_FIRST).min(window.cap)
            }
            () => self.believed,
        };
        if believed != self.believed {
            self.believed = believed;
            self.since_change_ns = 0;
        }
        Decision::hold(window.limit.max(believed), "as published in the library")
    }

    fn rests(&self, _limit: usize, _min_workers: usize) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(limit: usize, beta: f64) -> Window {
        Window { duration_ns: INTERVAL_NS, limit, cap: 64, beta_mean: Some(beta), ..Window::default() }
    }

    #[test]
    fn climbs_by_two_every_two_seconds_and_never_shrinks() {
        let mut rule = Published::default();
        let mut limit = 4;
        for _ in 0..20 {
            limit = rule.decide(&window(limit, 0.9)).limit;
        }
        assert_eq!(limit, 14, "ten seconds are five steps");
        for _ in 0..10 {
            limit = rule.decide(&window(limit, 0.1)).limit;
        }
        assert_eq!((limit, rule.believed), (14, 12));
    }
}
