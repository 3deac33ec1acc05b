//! Curves as tables, in Markdown so that they can be pasted anywhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::args::{Pool, Workload};
use crate::curve::{Curve, Point};
use crate::plan::Nominal;
use crate::statistics::Shape;

/// Marks a figure of a run that was cut short.
const MARK: char = '*';

/// Shows every curve, and below them how the pools compare.
pub(crate) fn render(curves: &[Curve], nominal: &BTreeMap<Workload, Nominal>) -> String {
    let mut text = String::new();
    for curve in curves {
        let kind = nominal.get(&curve.workload).map_or("", |task| task.kind.as_str());
        let plural = if curve.cores == 1 { "" } else { "s" };
        let (workload, cores, pool) = (curve.workload, curve.cores, curve.pool);
        let _ = writeln!(text, "{workload} ({kind}), {cores} core{plural}, {pool} pool\n{}", table(curve));
        let _ = writeln!(text, "{}\n", verdict(curve));
    }
    for line in comparisons(curves) {
        let _ = writeln!(text, "{line}");
    }
    if curves.iter().any(|curve| curve.points.iter().any(|point| point.is_truncated)) {
        let _ = writeln!(
            text,
            "{MARK} cut short before each thread could do two tasks: rough, and the percentiles are lower bounds.\n  \
             A longer --seconds-max gives it the time."
        );
    }
    text
}

fn table(curve: &Curve) -> Table {
    let has_spread = curve.points.iter().any(|point| point.runs > 1);
    let has_limit = curve.pool == Pool::Adaptive;
    let mut header = vec![if has_limit { "cap" } else { "threads" }];
    if has_limit {
        header.push("limit at end");
    }
    header.push("tasks/s");
    if has_spread {
        header.push("spread");
    }
    header.extend(["p50 ms", "p95 ms", "p99 ms", "tasks/s per thread"]);

    let mut table = empty();
    table.set_header(header);
    for point in &curve.points {
        let mut row = vec![grouped(f64::from(point.threads))];
        if has_limit {
            row.push(grouped(point.limit));
        }
        let mark = if point.is_truncated { String::from(MARK) } else { String::new() };
        row.push(figure(point.tasks_per_s) + &mark);
        if has_spread {
            row.push(spread(point));
        }
        for wall_ms in [point.wall_ms_p50, point.wall_ms_p95, point.wall_ms_p99] {
            row.push(wall_ms.map_or_else(|| "-".to_owned(), figure));
        }
        row.push(figure(point.tasks_per_s_per_thread));
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Half the range of the repeats, as a share of their median.
fn spread(point: &Point) -> String {
    if point.tasks_per_s <= 0.0 {
        return "-".to_owned();
    }
    let half_range = (point.tasks_per_s_greatest - point.tasks_per_s_least) / 2.0;
    format!("±{:.0} %", 100.0 * half_range / point.tasks_per_s)
}

fn verdict(curve: &Curve) -> String {
    let Some(shape) = curve.shape else { return "no task was done".to_owned() };
    let Shape { peak_threads, peak_tasks_per_s, knee_threads, last_threads, loss_share, is_cliff } = shape;
    let percent = 100.0 * loss_share;
    let end = if last_threads == knee_threads {
        format!("no cliff up to {last_threads} (nothing beyond the knee was measured)")
    } else if is_cliff {
        format!("cliff {percent:.0} % at {last_threads}")
    } else {
        format!("no cliff ({percent:.0} % lost at {last_threads})")
    };
    format!("peak {} tasks/s at {peak_threads}, knee at {knee_threads}, {end}", figure(peak_tasks_per_s))
}

/// One line per workload and cores: each pool of ours against the standard pool, best against best.
fn comparisons(curves: &[Curve]) -> Vec<String> {
    let mut lines = Vec::new();
    for ours in curves.iter().filter(|curve| curve.pool != Pool::Standard) {
        let standard = curves.iter().find(|curve| {
            curve.pool == Pool::Standard && (curve.workload, curve.cores) == (ours.workload, ours.cores)
        });
        let (Some(best), Some(base)) = (ours.shape, standard.and_then(|curve| curve.shape)) else { continue };
        lines.push(format!(
            "{}, cores {}: {} at {} gives {:.2} x the standard pool's best, at {}",
            ours.workload,
            ours.cores,
            ours.pool,
            best.peak_threads,
            best.peak_tasks_per_s / base.peak_tasks_per_s,
            base.peak_threads,
        ));
    }
    lines
}

/// A table of text: the first column to the left, the others to the right.
pub(crate) fn plain<const COLUMNS: usize>(header: &[&str; COLUMNS], rows: &[[String; COLUMNS]]) -> String {
    let mut table = empty();
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row.to_vec());
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}

fn empty() -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// About three significant digits; thousands grouped.
pub(crate) fn figure(value: f64) -> String {
    if value >= 100.0 {
        grouped(value)
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics;

    #[test]
    fn figures_keep_about_three_digits() {
        assert_eq!(figure(1_234_567.8), "1,234,568");
        assert_eq!(figure(999.6), "1,000");
        assert_eq!(figure(123.4), "123");
        assert_eq!(figure(12.34), "12.3");
        assert_eq!(figure(0.123), "0.12");
    }

    fn curve(pool: Pool, rates: &[(u32, f64)], repeats: usize) -> Curve {
        let point = |&(threads, tasks_per_s): &(u32, f64)| Point {
            threads,
            runs: repeats,
            tasks_per_s,
            tasks_per_s_least: 0.9 * tasks_per_s,
            tasks_per_s_greatest: 1.1 * tasks_per_s,
            tasks_per_s_per_thread: tasks_per_s / f64::from(threads),
            wall_ms_p50: Some(1.0),
            wall_ms_p95: Some(2.0),
            wall_ms_p99: None,
            limit: 3.0,
            is_truncated: threads == 64,
        };
        Curve {
            workload: Workload::Micro,
            cores: 2,
            pool,
            points: rates.iter().map(point).collect(),
            peak_tasks_per_s: None,
            peak_threads: None,
            knee_threads: None,
            loss_percent: None,
            is_cliff: None,
            shape: statistics::shape(&statistics::whole(rates)),
        }
    }

    #[test]
    fn a_cliff_is_named_only_when_there_is_one() {
        let cliff = curve(Pool::Standard, &[(1, 10.0), (8, 100.0), (64, 50.0)], 1);
        assert_eq!(verdict(&cliff), "peak 100 tasks/s at 8, knee at 8, cliff 50 % at 64");
        let flat = curve(Pool::Standard, &[(1, 10.0), (8, 100.0), (64, 96.0)], 1);
        assert_eq!(verdict(&flat), "peak 100 tasks/s at 8, knee at 8, no cliff (4 % lost at 64)");
        let rising = curve(Pool::Standard, &[(1, 10.0), (8, 100.0)], 1);
        assert!(verdict(&rising).contains("no cliff up to 8"));
    }

    #[test]
    fn the_text_marks_short_runs_and_compares_best_with_best() {
        let curves = [
            curve(Pool::Standard, &[(1, 10.0), (8, 100.0), (64, 50.0)], 1),
            curve(Pool::Surefoot, &[(1, 10.0), (8, 150.0), (64, 140.0)], 3),
        ];
        let text = render(&curves, &BTreeMap::new());
        assert!(text.contains("surefoot at 8 gives 1.50 x the standard pool's best, at 8"), "{text}");
        assert!(text.contains("50.0*") && text.contains("cut short"), "{text}");
        assert!(text.contains("±10 %"), "{text}");
    }

    #[test]
    fn only_an_adaptive_pool_shows_its_limit() {
        assert!(table(&curve(Pool::Adaptive, &[(8, 1.0)], 1)).to_string().contains("limit at end"));
        assert!(!table(&curve(Pool::Surefoot, &[(8, 1.0)], 1)).to_string().contains("limit at end"));
    }
}
