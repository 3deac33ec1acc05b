//! Progress on standard error: a bar on a terminal, a line per run elsewhere.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock;

/// Follows a sweep and says how much time is left.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    runs_done: usize,
    runs: usize,
    estimate_left_s: f64,
    estimate_done_s: f64,
    spent_s: f64,
    run_began: std::time::Instant,
}

impl Progress {
    /// Begins a sweep of `runs` runs that should take `estimate_s` seconds.
    pub(crate) fn begin(runs: usize, estimate_s: f64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(runs as u64);
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_secs(1));
            bar
        });
        Self {
            bar,
            runs_done: 0,
            runs,
            estimate_left_s: estimate_s,
            estimate_done_s: 0.0,
            spent_s: 0.0,
            run_began: clock::now(),
        }
    }

    /// Says which run is under way.
    pub(crate) fn begin_run(&mut self, name: &str) {
        self.run_began = clock::now();
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{name}; {} left", in_words(self.left_s())));
        }
    }

    /// Says how a run ended.
    pub(crate) fn finish_run(&mut self, name: &str, result: &str, estimate_s: f64) {
        self.runs_done += 1;
        self.estimate_left_s = (self.estimate_left_s - estimate_s).max(0.0);
        self.estimate_done_s += estimate_s;
        self.spent_s += self.run_began.elapsed().as_secs_f64();
        match &self.bar {
            Some(bar) => bar.inc(1),
            None => eprintln!(
                "[{}/{}] {name}: {result}; {} left",
                self.runs_done,
                self.runs,
                in_words(self.left_s())
            ),
        }
    }

    /// Says something that must not be lost among the progress.
    pub(crate) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    /// What is left of the estimate, corrected by how the estimate has fared so far.
    fn left_s(&self) -> f64 {
        let correction = if self.estimate_done_s > 0.0 { self.spent_s / self.estimate_done_s } else { 1.0 };
        self.estimate_left_s * correction
    }
}

/// A time as one would say it.
pub(crate) fn in_words(seconds: f64) -> String {
    let minutes = seconds / 60.0;
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else if minutes < 90.0 {
        format!("{minutes:.0} min")
    } else {
        format!("{:.1} h", minutes / 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_the_unit_that_suits_them() {
        assert_eq!(in_words(4.4), "4 s");
        assert_eq!(in_words(600.0), "10 min");
        assert_eq!(in_words(7200.0), "2.0 h");
    }

    #[test]
    fn the_time_left_follows_how_estimates_fare() {
        let mut progress = Progress::begin(2, 20.0);
        progress.bar = None;
        assert!((progress.left_s() - 20.0).abs() < 1e-9);
        progress.estimate_left_s = 10.0;
        progress.estimate_done_s = 10.0;
        progress.spent_s = 15.0;
        assert!((progress.left_s() - 15.0).abs() < 1e-9);
    }
}
