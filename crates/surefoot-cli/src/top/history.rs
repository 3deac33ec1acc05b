//! Rates, latencies and shares of the time between two readings, and of the intervals before.

use std::collections::{BTreeMap, VecDeque};

use surefoot_core::share::Shares;
use surefoot_core::snapshot_file::PoolRecord;
use surefoot_core::spectrum::Spectrum;

use super::target::Sighting;

/// Points kept for the sparklines: more than any terminal is wide.
const POINTS: usize = 600;

/// A writer with work writes each 50 ms, or once a control interval; silence for longer than this and five
/// intervals is news.
const SILENCE_NS: u64 = 1_000_000_000;

/// A pool without work for longer than this is called idle.
const REST_NS: u64 = 1_000_000_000;

/// Times of the tasks that ended in an interval; within 10 %.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "the unit is last in each name")]
pub(crate) struct Quantiles {
    pub(crate) p50_ns: u64,
    pub(crate) p95_ns: u64,
    pub(crate) p99_ns: u64,
}

/// One pool between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Interval {
    pub(crate) throughput_per_s: f64,
    pub(crate) arrivals_per_s: f64,
    pub(crate) wall: Option<Quantiles>,
    pub(crate) queued: Option<Quantiles>,
    pub(crate) shares: Option<Shares>,
}

/// One pool.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    /// As last seen.
    pub(crate) record: PoolRecord,
    pub(crate) interval: Interval,
    /// How long ago the record was written.
    pub(crate) age_ns: u64,
    /// Tasks a second, oldest first.
    pub(crate) throughput_per_s: VecDeque<f64>,
    /// 99 % of the tasks took at most this; `None` where none ended.
    pub(crate) wall_p99_ns: VecDeque<Option<u64>>,
}

impl Course {
    /// Whether there has been no work for some time; a pause between two tasks is no rest.
    pub(crate) fn is_idle(&self) -> bool {
        !self.record.is_busy && self.age_ns > REST_NS
    }

    /// Whether there is work, but no news of it: the process is stopped, or starved.
    pub(crate) fn is_silent(&self) -> bool {
        self.record.is_busy && self.age_ns > SILENCE_NS.max(5 * self.record.interval_ns)
    }
}

/// All pools of a process, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) pools: BTreeMap<u64, Course>,
    /// Of the last sighting, on the clock of the records.
    pub(crate) at_ns: u64,
    pub(crate) unshown: u32,
    pub(crate) ended: Option<String>,
}

impl History {
    /// Takes up what was seen. Pools that are gone go; those of a process that has ended stay.
    pub(crate) fn add(&mut self, sighting: &Sighting) {
        let span_ns = sighting.at_ns.saturating_sub(self.at_ns);
        (self.at_ns, self.unshown, self.ended) = (sighting.at_ns, sighting.unshown, sighting.ended.clone());
        if self.ended.is_some() && sighting.records.is_empty() {
            return;
        }
        let mut before = std::mem::take(&mut self.pools);
        for record in &sighting.records {
            let age_ns = sighting.at_ns.saturating_sub(record.at_ns);
            let course = match before.remove(&record.pool) {
                Some(course) => course.go_on(record, age_ns, span_ns),
                None => Course {
                    interval: Interval {
                        throughput_per_s: if record.is_busy { record.throughput_per_s } else { 0.0 },
                        ..Interval::default()
                    },
                    record: record.clone(),
                    age_ns,
                    throughput_per_s: VecDeque::new(),
                    wall_p99_ns: VecDeque::new(),
                },
            };
            self.pools.insert(record.pool, course);
        }
    }
}

impl Course {
    fn go_on(mut self, record: &PoolRecord, age_ns: u64, span_ns: u64) -> Self {
        // A pool at rest is not written: then the time between the looks is that of the interval.
        let written_ns = record.at_ns.saturating_sub(self.record.at_ns);
        let is_busy = record.is_busy && self.record.is_busy && written_ns > 0;
        let shares_before = self.interval.shares;
        self.interval = Interval::between(&self.record, record, if is_busy { written_ns } else { span_ns });
        self.age_ns = age_ns;
        self.record = record.clone();
        // Shares come once a control interval, which may be longer than ours.
        if !self.is_idle() {
            self.interval.shares = self.interval.shares.or(shares_before);
        }
        push(&mut self.throughput_per_s, self.interval.throughput_per_s);
        push(&mut self.wall_p99_ns, self.interval.wall.map(|wall| wall.p99_ns));
        self
    }
}

fn push<T>(points: &mut VecDeque<T>, point: T) {
    if points.len() == POINTS {
        points.pop_front();
    }
    points.push_back(point);
}

impl Interval {
    fn between(before: &PoolRecord, now: &PoolRecord, span_ns: u64) -> Self {
        let rate = |count: u64| if span_ns > 0 { count as f64 * 1e9 / span_ns as f64 } else { 0.0 };
        Self {
            throughput_per_s: rate(now.completed().saturating_sub(before.completed())),
            arrivals_per_s: rate(now.tasks.submitted.saturating_sub(before.tasks.submitted)),
            wall: quantiles(&now.spectra.wall.since(&before.spectra.wall)),
            queued: quantiles(&now.spectra.queued.since(&before.spectra.queued)),
            shares: now.shares.since(&before.shares).shares(),
        }
    }
}

pub(crate) fn quantiles(spectrum: &Spectrum) -> Option<Quantiles> {
    Some(Quantiles {
        p50_ns: spectrum.quantile_ns(0.50)?,
        p95_ns: spectrum.quantile_ns(0.95)?,
        p99_ns: spectrum.quantile_ns(0.99)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn record(at_ns: u64, done: u64, is_busy: bool) -> PoolRecord {
        let mut record = PoolRecord { pool: 1, sequence: 1, at_ns, is_busy, ..PoolRecord::default() };
        record.tasks.done = done;
        record.tasks.submitted = done;
        for _ in 0..done {
            record.spectra.wall.add(1_000_000);
        }
        record
    }

    fn seen(history: &mut History, at_ns: u64, record: PoolRecord) -> Interval {
        history.add(&Sighting { at_ns, records: vec![record], ..Sighting::default() });
        history.pools[&1].interval
    }

    #[test]
    fn rates_are_over_the_time_between_the_writings() {
        let mut history = History::default();
        seen(&mut history, SECOND, record(SECOND, 100, true));
        let interval = seen(&mut history, 2 * SECOND, record(SECOND + SECOND / 2, 200, true));
        assert!((interval.throughput_per_s - 200.0).abs() < 1e-9, "{interval:?}");
        let wall = interval.wall.unwrap();
        assert!((wall.p50_ns as f64 / 1e6 - 1.0).abs() < 0.2, "{wall:?}");
        assert_eq!(history.pools[&1].throughput_per_s.len(), 1);
    }

    #[test]
    fn a_pool_at_rest_does_nothing_and_is_not_silent() {
        let mut history = History::default();
        seen(&mut history, SECOND, record(SECOND, 100, false));
        let interval = seen(&mut history, 9 * SECOND, record(SECOND, 100, false));
        assert_eq!(interval, Interval::default());
        assert!(!history.pools[&1].is_silent());
        let interval = seen(&mut history, 10 * SECOND, record(9 * SECOND, 150, false));
        assert!((interval.throughput_per_s - 50.0).abs() < 1e-9, "{interval:?}");
        seen(&mut history, 11 * SECOND, record(11 * SECOND, 150, true));
        seen(&mut history, 19 * SECOND, record(11 * SECOND, 150, true));
        assert!(history.pools[&1].is_silent(), "there is work and no news");
    }

    #[test]
    fn pools_go_when_they_are_gone_but_stay_when_the_process_is() {
        let mut history = History::default();
        seen(&mut history, SECOND, record(SECOND, 100, true));
        let end = Sighting { at_ns: 2 * SECOND, ended: Some("it has ended".into()), ..Sighting::default() };
        history.add(&end);
        assert_eq!(history.pools.len(), 1);
        history.add(&Sighting { ended: None, ..end });
        assert_eq!(history.pools.len(), 0);
    }
}
