//! How far a median, or a ratio of medians, can be trusted: percentile bootstrap (Efron 1979).
//!
//! Medians, because a neighbour on the machine makes a few runs slow and none fast. The samples are drawn again
//! with replacement, 10,000 times; the interval holds the middle 95 % of what is drawn. With up to five samples it
//! is their whole range, and of a single one it is that sample: it says nothing then. No input, no output, no
//! clock, and a fixed seed: the same samples always give the same interval.

use surefoot_core::sim::random::Random;

use crate::statistics::median;

/// Not critical: 2,000 draws give the same first two digits.
const DRAWS: usize = 10_000;
/// Fixed, so that records always give the same table.
const SEED: u64 = 20_260;
/// The share of the draws below the interval, and above it.
const TAIL: f64 = 0.025;

/// A figure and the interval that holds it with a confidence of 95 %; all three in the unit of the samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The figure itself, from the samples as they are.
    pub value: f64,
    /// Where the interval begins.
    pub low: f64,
    /// Where the interval ends.
    pub high: f64,
}

/// The median of `samples`; `None` unless there is one at least and all are finite.
pub fn median_interval(samples: &[f64]) -> Option<Estimate> {
    let value = median_of_finite(samples)?;
    let mut drawer = Drawer::new(samples, 0);
    interval(value, || drawer.median())
}

/// The ratio of two medians, each of samples of its own that were not taken in pairs; `None` unless there is one at
/// least of each, all are finite, and all denominators are above zero.
pub fn ratio_interval(numerators: &[f64], denominators: &[f64]) -> Option<Estimate> {
    if denominators.iter().any(|denominator| *denominator <= 0.0) {
        return None;
    }
    let value = median_of_finite(numerators)? / median_of_finite(denominators)?;
    let (mut above, mut below) = (Drawer::new(numerators, 0), Drawer::new(denominators, 1));
    interval(value, || Some(above.median()? / below.median()?))
}

fn median_of_finite(samples: &[f64]) -> Option<f64> {
    if samples.iter().all(|sample| sample.is_finite()) { median(samples) } else { None }
}

/// Draws from samples with replacement, as many as there are.
struct Drawer<'a> {
    samples: &'a [f64],
    drawn: Vec<f64>,
    random: Random,
}

impl<'a> Drawer<'a> {
    fn new(samples: &'a [f64], stream: u64) -> Self {
        Self { samples, drawn: samples.to_vec(), random: Random::new(SEED, stream) }
    }

    fn median(&mut self) -> Option<f64> {
        for place in &mut self.drawn {
            *place = self.samples[self.random.below(self.samples.len())];
        }
        median(&self.drawn)
    }
}

/// Puts around `value` the middle 95 % of what is drawn.
fn interval(value: f64, mut draw: impl FnMut() -> Option<f64>) -> Option<Estimate> {
    let mut drawn = (0..DRAWS).map(|_| draw()).collect::<Option<Vec<f64>>>()?;
    drawn.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the draws")]
    let tail = (TAIL * DRAWS as f64) as usize;
    Some(Estimate { value, low: drawn[tail], high: drawn[DRAWS - 1 - tail] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_samples_have_an_interval_without_width() {
        let estimate = median_interval(&[7.0; 9]).unwrap();
        assert_eq!(estimate, Estimate { value: 7.0, low: 7.0, high: 7.0 });
    }

    #[test]
    fn few_samples_give_their_range() {
        let estimate = median_interval(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!(estimate, Estimate { value: 2.0, low: 1.0, high: 3.0 });
        assert_eq!(median_interval(&[4.0]), Some(Estimate { value: 4.0, low: 4.0, high: 4.0 }));
    }

    #[test]
    fn one_bad_run_among_many_does_not_widen_the_interval() {
        let mut samples = vec![100.0, 101.0, 99.0, 102.0, 98.0, 100.5, 99.5, 101.5, 98.5];
        samples.push(3.0);
        let estimate = median_interval(&samples).unwrap();
        assert!(estimate.low > 90.0 && estimate.high < 103.0, "{estimate:?}");
    }

    #[test]
    fn an_interval_covers_the_truth_about_as_often_as_it_says() {
        let mut random = Random::new(5, 0);
        let trials = 200;
        let covered = (0..trials)
            .filter(|_| {
                let samples: Vec<f64> = (0..15).map(|_| 10.0 + random.normal()).collect();
                let estimate = median_interval(&samples).unwrap();
                estimate.low <= 10.0 && 10.0 <= estimate.high
            })
            .count();
        // The bootstrap of so few is a little too sure of itself or not sure enough; far off, it would be wrong.
        assert!((0.88..=1.0).contains(&(covered as f64 / f64::from(trials))), "{covered} of {trials}");
    }

    #[test]
    fn a_ratio_is_of_the_medians_and_its_interval_holds_it() {
        let estimate = ratio_interval(&[200.0, 210.0, 190.0], &[100.0, 101.0, 99.0]).unwrap();
        assert!((estimate.value - 2.0).abs() < 1e-12);
        assert!(estimate.low < 2.0 && 2.0 < estimate.high, "{estimate:?}");
        assert!((190.0 / 101.0..=210.0 / 99.0).contains(&estimate.low), "{estimate:?}");
    }

    #[test]
    fn what_has_no_interval_has_none() {
        assert_eq!(median_interval(&[]), None);
        assert_eq!(median_interval(&[1.0, f64::NAN]), None);
        assert_eq!(ratio_interval(&[1.0], &[]), None);
        assert_eq!(ratio_interval(&[1.0], &[1.0, 0.0]), None);
        assert_eq!(ratio_interval(&[f64::INFINITY], &[1.0]), None);
    }

    #[test]
    fn the_same_samples_give_the_same_interval() {
        let samples = [5.0, 3.0, 8.0, 1.0, 9.0, 4.0, 7.0];
        assert_eq!(median_interval(&samples), median_interval(&samples));
    }
}
