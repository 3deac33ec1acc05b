//! The distribution of a duration over many calls.

use hdrhistogram::Histogram;

use crate::ledger::Percentiles;

/// As in the ledger: what is shorter counts as this long, what is longer as one hour.
const LOW_NS: u64 = 128;
const HIGH_NS: u64 = 3_600_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 2;

/// Durations: their percentiles within 1 %, mean and maximum exactly.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// Made with the first duration.
    histogram: Option<Box<Histogram<u32>>>,
    count: u64,
    sum_ns: u64,
    max_ns: u64,
}

/// What [`Times`] say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distribution {
    /// Of all.
    pub mean_ns: f64,
    /// Of all, within 1 %.
    pub percentiles: Percentiles,
    /// The longest.
    pub max_ns: u64,
}

impl Times {
    /// Adds one.
    pub fn add(&mut self, ns: u64) {
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.max_ns = self.max_ns.max(ns);
        self.histogram.get_or_insert_with(|| Box::new(new())).saturating_record(ns);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their distribution; `None` before the first.
    pub fn distribution(&self) -> Option<Distribution> {
        let histogram = self.histogram.as_ref()?;
        // A histogram knows no value better than within 1 %, and the longest is known exactly.
        let at = |quantile| histogram.value_at_quantile(quantile).min(self.max_ns);
        Some(Distribution {
            mean_ns: self.sum_ns as f64 / self.count as f64,
            percentiles: Percentiles { p50_ns: at(0.50), p95_ns: at(0.95), p99_ns: at(0.99) },
            max_ns: self.max_ns,
        })
    }
}

fn new() -> Histogram<u32> {
    let histogram = Histogram::new_with_bounds(LOW_NS, HIGH_NS, SIGNIFICANT_DIGITS);
    histogram.expect("the bounds are constants that the histogram accepts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_maximum_are_exact() {
        let mut times = Times::default();
        assert_eq!(times.distribution(), None);
        for us in 1..=100 {
            times.add(us * 1000);
        }
        let found = times.distribution().expect("there are some");
        assert!((found.mean_ns - 50_500.0).abs() < 1e-6);
        assert_eq!(found.max_ns, 100_000);
        assert!((found.percentiles.p50_ns as f64 / 50e3 - 1.0).abs() < 0.02, "{found:?}");
        assert!(found.percentiles.p99_ns <= found.max_ns);
        assert_eq!(times.count(), 100);
    }
}
