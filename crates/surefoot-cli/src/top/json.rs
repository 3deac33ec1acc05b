//! A line of JSON for each interval. The unit is last in each name.
//!
//! Schema history:
//! 1. first version.

use std::time::Duration;

use serde::Serialize;
use surefoot_core::share::Shares;
use surefoot_core::snapshot_file::{DecisionRecord, Header, PoolRecord};

use super::history::{Course, History, Quantiles, quantiles};
use super::target::Sighting;
use crate::clock;

/// Raised whenever a field changes its meaning or goes away.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    version: u32,
    at_unix_s: f64,
    interval_s: f64,
    pid: u32,
    program: &'a str,
    python: &'a str,
    surefoot: &'a str,
    /// Why nothing more will come; `null` while the process runs.
    ended: Option<&'a str>,
    pools_unshown: u32,
    pools: Vec<Pool<'a>>,
}

#[derive(Serialize)]
struct Pool<'a> {
    number: u64,
    name: &'a str,
    controller: &'a str,
    age_s: f64,
    is_busy: bool,
    is_closed: bool,
    limit: u32,
    cap: u32,
    min_workers: u32,
    workers_live: u32,
    workers_busy: u32,
    workers_joining: u32,
    queue_length: u64,
    queue_head_age_s: f64,
    tasks_submitted: u64,
    tasks_running: u64,
    tasks_done: u64,
    tasks_failed: u64,
    tasks_cancelled: u64,
    throughput_per_s: f64,
    arrivals_per_s: f64,
    /// Of the tasks that ended in the interval, and of all.
    wall: Option<Times>,
    wall_life: Option<Times>,
    queued: Option<Times>,
    queued_life: Option<Times>,
    shares: Option<Division>,
    shares_life: Option<Division>,
    gil_sensor: &'static str,
    gil_busy_share: Option<f64>,
    cores: Option<f64>,
    cores_used: Option<f64>,
    is_throttled: bool,
    decisions: Vec<Decision<'a>>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the unit is last in each name")]
struct Times {
    p50_s: f64,
    p95_s: f64,
    p99_s: f64,
}

#[derive(Serialize)]
struct Division {
    cpu: f64,
    runqueue: f64,
    gil: Option<f64>,
    io: Option<f64>,
    blocked: f64,
    gil_bounds: (f64, f64),
    error: f64,
    source: &'static str,
}

#[derive(Serialize)]
struct Decision<'a> {
    ago_s: f64,
    times: u32,
    limit_before: u32,
    limit: u32,
    veto: Option<&'static str>,
    queue_length: u32,
    reason: &'a str,
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn times(quantiles: Quantiles) -> Times {
    let Quantiles { p50_ns, p95_ns, p99_ns } = quantiles;
    Times { p50_s: seconds(p50_ns), p95_s: seconds(p95_ns), p99_s: seconds(p99_ns) }
}

fn division(shares: Shares) -> Division {
    Division {
        cpu: shares.cpu,
        runqueue: shares.runqueue,
        gil: shares.gil(),
        io: shares.io(),
        blocked: shares.blocked,
        gil_bounds: shares.gil_bounds(),
        error: shares.error,
        source: shares.source.name(),
    }
}

fn decision(line: &DecisionRecord, now_ns: u64) -> Decision<'_> {
    Decision {
        ago_s: seconds(now_ns.saturating_sub(line.at_ns)),
        times: line.times,
        limit_before: line.limit_before,
        limit: line.limit,
        veto: line.veto.map(surefoot_core::decision::Veto::name),
        queue_length: line.queue_length,
        reason: &line.reason,
    }
}

fn pool(course: &Course, now_ns: u64) -> Pool<'_> {
    let Course { record, interval, age_ns, .. } = course;
    let PoolRecord { tasks, spectra, .. } = record;
    Pool {
        number: record.pool,
        name: &record.name,
        controller: &record.controller,
        age_s: seconds(*age_ns),
        is_busy: record.is_busy,
        is_closed: record.is_closed,
        limit: record.limit,
        cap: record.cap,
        min_workers: record.min_workers,
        workers_live: record.workers_live,
        workers_busy: record.workers_busy,
        workers_joining: record.workers_joining,
        queue_length: record.queue_length,
        queue_head_age_s: seconds(record.queue_head_age_ns),
        tasks_submitted: tasks.submitted,
        tasks_running: tasks.running,
        tasks_done: tasks.done,
        tasks_failed: tasks.failed,
        tasks_cancelled: tasks.cancelled,
        throughput_per_s: interval.throughput_per_s,
        arrivals_per_s: interval.arrivals_per_s,
        wall: interval.wall.map(times),
        wall_life: quantiles(&spectra.wall).map(times),
        queued: interval.queued.map(times),
        queued_life: quantiles(&spectra.queued).map(times),
        shares: interval.shares.map(division),
        shares_life: record.shares.shares().map(division),
        gil_sensor: record.gil_sensor.name(),
        gil_busy_share: record.gil_busy_share,
        cores: record.cores,
        cores_used: record.cores_used,
        is_throttled: record.is_throttled,
        decisions: record.decisions.iter().map(|line| decision(line, now_ns)).collect(),
    }
}

/// What is printed of one interval.
pub(crate) fn line(header: &Header, sighting: &Sighting, history: &History, interval: Duration) -> String {
    let line = Line {
        schema: "surefoot.top",
        version: VERSION,
        at_unix_s: clock::unix_s(),
        interval_s: interval.as_secs_f64(),
        pid: header.owner.pid,
        program: &header.program,
        python: &header.python,
        surefoot: &header.surefoot,
        ended: sighting.ended.as_deref(),
        pools_unshown: sighting.unshown,
        pools: history.pools.values().map(|course| pool(course, history.at_ns)).collect(),
    };
    // Names and numbers only: nothing that JSON could not say.
    serde_json::to_string(&line).unwrap_or_default()
}
