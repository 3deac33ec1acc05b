//! How long tasks waited, ran and computed, counted over fixed bounds: what metrics systems can add
//! up over pools and processes, as they cannot with percentiles.

use hdrhistogram::Histogram;

/// A histogram and the exact sum of what was recorded in it.
type Summed = (Histogram<u32>, u64);

/// A copy of a pool's distributions.
#[derive(Clone, Debug)]
pub struct Times {
    /// From submission to a worker.
    pub(crate) queued: Summed,
    /// From start to end of the call.
    pub(crate) wall: Summed,
    /// CPU time of the call.
    pub(crate) cpu: Summed,
}

/// Samples over fixed bounds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Distribution {
    /// How many lay between the bound before and each bound; one more for those beyond the last.
    pub counts: Vec<u64>,
    /// Their exact sum.
    pub sum_ns: u64,
}

/// The distributions of one pool over fixed bounds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Distributions {
    /// From submission to a worker.
    pub queued: Distribution,
    /// From start to end of the call.
    pub wall: Distribution,
    /// CPU time of the call.
    pub cpu: Distribution,
}

impl Times {
    /// Reduces to rising bounds. A sample within the histogram's 1 % of a bound may be counted on
    /// either side of it.
    pub fn over(&self, bounds_ns: &[u64]) -> Distributions {
        let of = |(histogram, sum_ns): &Summed| {
            let mut counts = vec![0; bounds_ns.len() + 1];
            for step in histogram.iter_recorded() {
                let value_ns = histogram.median_equivalent(step.value_iterated_to());
                let place = bounds_ns.partition_point(|&bound_ns| bound_ns < value_ns);
                counts[place] += step.count_since_last_iteration();
            }
            Distribution { counts, sum_ns: *sum_ns }
        };
        Distributions { queued: of(&self.queued), wall: of(&self.wall), cpu: of(&self.cpu) }
    }
}

#[cfg(test)]
mod tests {
    use crate::ledger::Ledger;
    use crate::sample::{Outcome, Sample};

    #[test]
    fn every_sample_lies_between_its_bounds() {
        let mut ledger = Ledger::default();
        assert!(ledger.times().is_none());
        for wall_ns in [100, 9_000, 11_000, 500_000, 990_000, 2_000_000, 7_200_000_000_000] {
            ledger.submitted();
            ledger.taken(0);
            let sample = Sample { wall_ns, cpu_ns: Some(wall_ns / 10), queued_ns: 5, ..Sample::default() };
            ledger.finished(&sample, Outcome::Done, 0);
        }
        let times = ledger.times().expect("samples were recorded").over(&[10_000, 1_000_000]);
        assert_eq!(times.wall.counts, [2, 3, 2]);
        assert_eq!(times.wall.sum_ns, 7_200_003_510_100, "the sum is exact, beyond the longest bound too");
        assert_eq!(times.cpu.counts, [3, 3, 1]);
        assert_eq!((times.queued.counts, times.queued.sum_ns), (vec![7, 0, 0], 35));
    }
}
