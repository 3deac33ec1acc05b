//! Pools over time, in a bounded number of points.
//!
//! Each window adds a point. Once there are too many, neighbours are made one and all later points
//! are twice as long: a long run is seen as a whole, a short one in detail.

use crate::share::ShareSums;

/// Points of all pools together.
pub const MOST_POINTS: usize = 2000;

/// One pool for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Its end.
    pub at_ns: u64,
    /// Its length.
    pub duration_ns: u64,
    /// Workers admitted, at its end; `None` for a pool without a limit.
    pub limit: Option<usize>,
    /// Workers in tasks times time.
    pub busy_ns: u64,
    /// Tasks waiting, the most of the window ends in it.
    pub queue_length: usize,
    /// Tasks that ended.
    pub completions: u64,
    /// Where the workers' time went.
    pub shares: ShareSums,
}

impl Point {
    fn add(&mut self, later: &Self) {
        self.at_ns = later.at_ns;
        self.duration_ns += later.duration_ns;
        self.limit = later.limit;
        self.busy_ns += later.busy_ns;
        self.queue_length = self.queue_length.max(later.queue_length);
        self.completions += later.completions;
        self.shares.add(&later.shares);
    }

    fn is_idle(&self) -> bool {
        self.busy_ns == 0 && self.completions == 0 && self.queue_length == 0
    }
}

/// The points of each pool, oldest first; the place is the pool's number.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    pools: Vec<Vec<Point>>,
    count: usize,
    /// A point shorter than this is not finished.
    least_ns: u64,
}

impl Timeline {
    /// Adds what happened in a pool in one window.
    pub fn push(&mut self, pool: usize, point: Point) {
        if pool >= self.pools.len() {
            self.pools.resize_with(pool + 1, Vec::new);
        }
        let points = &mut self.pools[pool];
        if let Some(last) = points.last_mut()
            && last.duration_ns < self.least_ns
            && last.at_ns + point.duration_ns >= point.at_ns
        {
            return last.add(&point);
        }
        if point.is_idle() && points.last().is_none_or(Point::is_idle) {
            // Of a pause its beginning is enough.
            return;
        }
        points.push(point);
        self.count += 1;
        if self.count > MOST_POINTS {
            self.halve();
        }
    }

    fn halve(&mut self) {
        let longest_ns = self.pools.iter().flatten().map(|point| point.duration_ns).max().unwrap_or(0);
        self.least_ns = 2 * longest_ns;
        for points in &mut self.pools {
            let halved = points.chunks(2).map(|pair| {
                let mut first = pair[0];
                pair[1..].iter().for_each(|later| first.add(later));
                first
            });
            *points = halved.collect();
        }
        self.count = self.pools.iter().map(Vec::len).sum();
    }

    /// The points of one pool.
    pub fn of(&self, pool: usize) -> &[Point] {
        self.pools.get(pool).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(number: u64) -> Point {
        Point { at_ns: (number + 1) * 100, duration_ns: 100, completions: 3, busy_ns: 50, ..Point::default() }
    }

    #[test]
    fn it_is_bounded_and_nothing_is_lost() {
        let mut timeline = Timeline::default();
        for number in 0..100_000 {
            timeline.push(0, point(number));
            timeline.push(2, point(number));
            assert!(timeline.of(0).len() + timeline.of(2).len() <= MOST_POINTS);
        }
        let all = timeline.of(2);
        assert!(all.len() > MOST_POINTS / 8, "{}", all.len());
        assert_eq!(all.iter().map(|point| point.completions).sum::<u64>(), 300_000);
        assert_eq!(all.last().map(|point| point.at_ns), Some(100 * 100_000));
        assert!(all.is_sorted_by_key(|point| point.at_ns));
        assert!(timeline.of(1).is_empty() && timeline.of(9).is_empty());
    }

    #[test]
    fn a_pause_takes_one_point() {
        let mut timeline = Timeline::default();
        timeline.push(0, point(0));
        for number in 1..50 {
            timeline.push(0, Point { busy_ns: 0, completions: 0, ..point(number) });
        }
        timeline.push(0, point(50));
        assert_eq!(timeline.of(0).len(), 3);
    }
}
