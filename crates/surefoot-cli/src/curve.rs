//! Records reduced to curves: one per workload, cores and pool, with a point per number of threads.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::args::{Pool, Workload};
use crate::plan::Run;
use crate::record::Measurement;
use crate::statistics::{self, Rate, Shape};

/// One number of threads; medians over the repeats.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Point {
    pub(crate) threads: u32,
    pub(crate) runs: usize,
    pub(crate) tasks_per_s: f64,
    pub(crate) tasks_per_s_least: f64,
    pub(crate) tasks_per_s_greatest: f64,
    pub(crate) tasks_per_s_per_thread: f64,
    pub(crate) wall_ms_p50: Option<f64>,
    pub(crate) wall_ms_p95: Option<f64>,
    pub(crate) wall_ms_p99: Option<f64>,
    /// The pool's limit at the end of a run.
    pub(crate) limit: f64,
    /// At least one of the runs was cut short.
    pub(crate) is_truncated: bool,
}

/// A curve and what it shows.
#[derive(Debug, Serialize)]
pub(crate) struct Curve {
    pub(crate) workload: Workload,
    pub(crate) cores: u32,
    pub(crate) pool: Pool,
    pub(crate) points: Vec<Point>,
    pub(crate) peak_tasks_per_s: Option<f64>,
    pub(crate) peak_threads: Option<u32>,
    pub(crate) knee_threads: Option<u32>,
    pub(crate) loss_percent: Option<f64>,
    pub(crate) is_cliff: Option<bool>,
    #[serde(skip)]
    pub(crate) shape: Option<Shape>,
}

/// Groups measured runs into curves, ordered by workload, cores and pool.
pub(crate) fn curves(measured: &[(Run, Measurement)]) -> Vec<Curve> {
    let mut groups: BTreeMap<_, BTreeMap<u32, Vec<&Measurement>>> = BTreeMap::new();
    for (run, measurement) in measured {
        let group = groups.entry((run.workload, run.cores, run.pool)).or_default();
        group.entry(run.threads).or_default().push(measurement);
    }
    groups
        .into_iter()
        .map(|((workload, cores, pool), by_threads)| {
            let points: Vec<Point> =
                by_threads.into_iter().filter_map(|(threads, runs)| point(threads, &runs)).collect();
            let rates: Vec<Rate> = points
                .iter()
                .map(|point| Rate {
                    threads: point.threads,
                    tasks_per_s: point.tasks_per_s,
                    is_truncated: point.is_truncated,
                })
                .collect();
            let shape = statistics::shape(&rates);
            Curve {
                workload,
                cores,
                pool,
                points,
                peak_tasks_per_s: shape.map(|shape| shape.peak_tasks_per_s),
                peak_threads: shape.map(|shape| shape.peak_threads),
                knee_threads: shape.map(|shape| shape.knee_threads),
                loss_percent: shape.map(|shape| 100.0 * shape.loss_share),
                is_cliff: shape.map(|shape| shape.is_cliff),
                shape,
            }
        })
        .collect()
}

fn point(threads: u32, runs: &[&Measurement]) -> Option<Point> {
    let rates: Vec<f64> = runs.iter().map(|run| run.tasks_per_s).collect();
    let tasks_per_s = statistics::median(&rates)?;
    let (tasks_per_s_least, tasks_per_s_greatest) = statistics::range(&rates)?;
    let over_runs = |value: fn(&Measurement) -> Option<f64>| {
        let values: Vec<f64> = runs.iter().filter_map(|run| value(run)).collect();
        statistics::median(&values)
    };
    Some(Point {
        threads,
        runs: runs.len(),
        tasks_per_s,
        tasks_per_s_least,
        tasks_per_s_greatest,
        tasks_per_s_per_thread: tasks_per_s / f64::from(threads),
        wall_ms_p50: over_runs(|run| run.wall_ms_p50),
        wall_ms_p95: over_runs(|run| run.wall_ms_p95),
        wall_ms_p99: over_runs(|run| run.wall_ms_p99),
        limit: over_runs(|run| Some(f64::from(run.limit)))?,
        is_truncated: runs.iter().any(|run| run.is_truncated),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn measurement(tasks_per_s: f64) -> Measurement {
        Measurement {
            tasks_done: 10,
            window_s: 1.0,
            tasks_per_s,
            wall_ms_p50: Some(1.0),
            wall_ms_p95: Some(2.0),
            wall_ms_p99: None,
            open_s: 1.0,
            cpu_s: 1.0,
            switches_voluntary: 0,
            switches_involuntary: 0,
            is_truncated: false,
            limit: 1,
            workers_live: 1,
            rss_bytes_max: 0,
            switch_interval_s: 0.005,
            params: serde_json::Map::new(),
        }
    }

    #[test]
    fn repeats_become_medians_and_pools_stay_apart() {
        let run = |pool, threads| Run { workload: Workload::Micro, cores: 1, threads, pool, repeat: 0 };
        let measured = [
            (run(Pool::Surefoot, 8), measurement(300.0)),
            (run(Pool::Standard, 8), measurement(100.0)),
            (run(Pool::Standard, 1), measurement(50.0)),
            (run(Pool::Standard, 8), measurement(120.0)),
            (run(Pool::Standard, 8), measurement(90.0)),
        ];
        let curves = curves(&measured);
        assert_eq!(curves.len(), 2);
        let standard = &curves[0];
        assert_eq!(standard.pool, Pool::Standard);
        let threads: Vec<u32> = standard.points.iter().map(|point| point.threads).collect();
        assert_eq!(threads, [1, 8]);
        let last = &standard.points[1];
        assert_eq!((last.runs, last.tasks_per_s, last.tasks_per_s_least), (3, 100.0, 90.0));
        assert_eq!((last.tasks_per_s_per_thread, last.wall_ms_p99), (12.5, None));
        assert_eq!(standard.knee_threads, Some(8));
    }
}
