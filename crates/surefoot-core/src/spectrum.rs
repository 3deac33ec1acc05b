//! A coarse distribution of times: few enough numbers to be written out several times a second, and
//! cumulative, so that a reader finds the distribution of any span as a difference.
//!
//! Four buckets to a factor of two: a quantile is within 10 % of the truth. The exact distribution of a
//! pool's whole life is in its [ledger](crate::ledger).

/// Number of buckets.
pub const BUCKETS: usize = 144;

/// The first bucket holds all that is shorter, as the ledger's histograms do.
const LOW_BITS: u32 = 7;

/// Cumulative counts of times by bucket; they wrap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Spectrum(pub [u32; BUCKETS]);

impl Default for Spectrum {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

/// The bucket of a time: 0 below 128 ns, then four for each factor of two; the last takes the rest, from
/// about 100 minutes on.
#[inline]
pub fn bucket_of(ns: u64) -> usize {
    let bits = 63_u32.saturating_sub(ns.leading_zeros());
    if bits < LOW_BITS {
        return 0;
    }
    let quarter = (ns >> (bits - 2)) & 3;
    let bucket = 1 + (bits - LOW_BITS) * 4 + u32::try_from(quarter).unwrap_or(0);
    (bucket as usize).min(BUCKETS - 1)
}

/// The least time in a bucket.
pub fn least_ns(bucket: usize) -> u64 {
    let Some(place) = bucket.checked_sub(1) else { return 0 };
    let (octave, quarter) = (place / 4, place as u64 % 4);
    (4 + quarter) << (LOW_BITS as usize - 2 + octave.min(56))
}

impl Spectrum {
    /// Counts one time.
    #[inline]
    pub fn add(&mut self, ns: u64) {
        let count = &mut self.0[bucket_of(ns)];
        *count = count.wrapping_add(1);
    }

    /// What was counted since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut counts = self.0;
        for (count, before) in counts.iter_mut().zip(&before.0) {
            *count = count.wrapping_sub(*before);
        }
        Self(counts)
    }

    /// How many times were counted.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    /// The time that a share `quantile` of all do not exceed, by a straight line within its bucket;
    /// `None` if nothing was counted.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within a bucket's bounds")]
    pub fn quantile_ns(&self, quantile: f64) -> Option<u64> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let wanted = quantile.clamp(0.0, 1.0) * total as f64;
        let mut below = 0.0;
        let mut longest = 0;
        for (bucket, count) in self.0.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = f64::from(*count);
            if below + count >= wanted {
                let (least, next) = (least_ns(bucket) as f64, least_ns(bucket + 1) as f64);
                return Some((least + (next - least) * (wanted - below) / count) as u64);
            }
            below += count;
            longest = bucket;
        }
        Some(least_ns(longest + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for bucket in 0..BUCKETS {
            assert_eq!(bucket_of(least_ns(bucket)), bucket);
            if bucket > 0 {
                assert_eq!(bucket_of(least_ns(bucket) - 1), bucket - 1);
            }
        }
        assert_eq!((bucket_of(0), bucket_of(u64::MAX)), (0, BUCKETS - 1));
    }

    #[test]
    fn counts_may_wrap_between_two_readings() {
        let mut before = Spectrum([u32::MAX - 1; BUCKETS]);
        before.0[0] = 3;
        let mut now = before;
        for _ in 0..10 {
            now.add(1_000_000);
        }
        assert_eq!(now.since(&before).total(), 10);
        assert_eq!(Spectrum::default().quantile_ns(0.5), None);
    }

    proptest! {
        #[test]
        fn a_quantile_is_near_the_exact_one(
            mut times in prop::collection::vec(128_u64..10_000_000_000, 1..200),
            quantile in 0.0..=1.0_f64,
        ) {
            let mut spectrum = Spectrum::default();
            for ns in &times {
                spectrum.add(*ns);
            }
            times.sort_unstable();
            let found = spectrum.quantile_ns(quantile).expect("something was counted") as f64;
            // Between the neighbours in rank, and the width of a bucket on top.
            let rank = quantile * times.len() as f64;
            let at = |rank: f64| {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
                let place = (rank.max(0.0) as usize).min(times.len() - 1);
                times[place] as f64
            };
            prop_assert!(found >= at(rank.ceil() - 1.0) / 1.26 && found <= at(rank) * 1.26, "{found} of {times:?}");
        }
    }
}
