//! Samples in, estimates out. No input, no output, no clock.

/// The share of the best throughput that makes a knee.
const KNEE_SHARE: f64 = 0.95;
/// The share of the best throughput that must be lost for a cliff to be called one.
const CLIFF_SHARE: f64 = 0.20;

/// The middle value, or the mean of the two in the middle; `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[middle - 1], upper))
}

/// The least and the greatest value; `None` of nothing.
pub(crate) fn range(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().min_by(f64::total_cmp)?;
    let greatest = values.iter().copied().max_by(f64::total_cmp)?;
    Some((least, greatest))
}

/// Where a throughput curve peaks, bends and ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    /// Threads at the best throughput (the fewest, if several share it).
    pub(crate) peak_threads: u32,
    pub(crate) peak_tasks_per_s: f64,
    /// The fewest threads that give 95 % of the best throughput.
    pub(crate) knee_threads: u32,
    /// The most threads measured.
    pub(crate) last_threads: u32,
    /// Throughput lost at the most threads, as a share of the best.
    pub(crate) loss_share: f64,
    /// Whether the loss is a cliff: at least 20 % of the best, beyond the knee.
    pub(crate) is_cliff: bool,
}

/// One point of a throughput curve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) threads: u32,
    pub(crate) tasks_per_s: f64,
    /// Taken from a run that was cut short.
    pub(crate) is_truncated: bool,
}

/// Finds the shape of a curve, which ascends in threads; `None` if no task was done.
///
/// A point that was cut short is never the best while there is another: the tasks that happened to end within a
/// short time may come from a handful of threads that kept the others out.
pub(crate) fn shape(curve: &[Rate]) -> Option<Shape> {
    let is_any_whole = curve.iter().any(|point| !point.is_truncated && point.tasks_per_s > 0.0);
    let eligible =
        || curve.iter().filter(|point| !(is_any_whole && point.is_truncated) && point.tasks_per_s > 0.0);
    let mut peak = eligible().next()?;
    for point in eligible() {
        if point.tasks_per_s > peak.tasks_per_s {
            peak = point;
        }
    }
    let knee = eligible().find(|point| point.tasks_per_s >= KNEE_SHARE * peak.tasks_per_s)?;
    let last = curve.last()?;
    Some(Shape {
        peak_threads: peak.threads,
        peak_tasks_per_s: peak.tasks_per_s,
        knee_threads: knee.threads,
        last_threads: last.threads,
        loss_share: (1.0 - last.tasks_per_s / peak.tasks_per_s).max(0.0),
        is_cliff: last.threads > knee.threads && last.tasks_per_s <= (1.0 - CLIFF_SHARE) * peak.tasks_per_s,
    })
}

/// A curve of runs that were not cut short.
#[cfg(test)]
pub(crate) fn whole(points: &[(u32, f64)]) -> Vec<Rate> {
    points.iter().map(|&(threads, tasks_per_s)| Rate { threads, tasks_per_s, is_truncated: false }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_and_ignores_order() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn range_is_least_and_greatest() {
        assert_eq!(range(&[]), None);
        assert_eq!(range(&[2.0, -1.0, 7.0]), Some((-1.0, 7.0)));
    }

    #[test]
    fn the_knee_comes_before_the_peak_if_95_percent_is_reached_there() {
        let shape = shape(&whole(&[(1, 100.0), (2, 190.0), (4, 195.0), (8, 200.0), (16, 198.0)])).unwrap();
        assert_eq!((shape.peak_threads, shape.knee_threads, shape.last_threads), (8, 2, 16));
        assert!((shape.loss_share - 0.01).abs() < 1e-12);
        assert!(!shape.is_cliff);
    }

    #[test]
    fn a_loss_of_20_percent_beyond_the_knee_is_a_cliff() {
        let at = |last| shape(&whole(&[(1, 50.0), (8, 100.0), (64, last)])).unwrap();
        assert!(at(80.0).is_cliff);
        assert!(!at(81.0).is_cliff);
        assert!((at(40.0).loss_share - 0.6).abs() < 1e-12);
    }

    #[test]
    fn a_rising_curve_has_its_knee_at_the_end_and_no_cliff() {
        let shape = shape(&whole(&[(1, 20.0), (2, 40.0), (4, 80.0)])).unwrap();
        assert_eq!((shape.knee_threads, shape.peak_threads), (4, 4));
        assert!(shape.loss_share.abs() < 1e-12 && !shape.is_cliff);
    }

    #[test]
    fn nothing_done_has_no_shape() {
        assert_eq!(shape(&[]), None);
        assert_eq!(shape(&whole(&[(1, 0.0), (2, 0.0)])), None);
    }

    #[test]
    fn a_point_that_was_cut_short_is_the_end_but_not_the_best() {
        let mut curve = whole(&[(1, 190.0), (8, 180.0), (2048, 500.0)]);
        curve[2].is_truncated = true;
        let lucky = shape(&curve).unwrap();
        assert_eq!((lucky.peak_threads, lucky.knee_threads, lucky.last_threads), (1, 1, 2048));
        assert!(!lucky.is_cliff && lucky.loss_share.abs() < 1e-12);
        curve[2].tasks_per_s = 19.0;
        let fallen = shape(&curve).unwrap();
        assert!(fallen.is_cliff && (fallen.loss_share - 0.9).abs() < 1e-12);
        let alone = shape(&curve[2..]).unwrap();
        assert_eq!(alone.peak_threads, 2048);
    }
}
