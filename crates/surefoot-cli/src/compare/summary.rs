//! What a record file says, as tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::bootstrap::{self, Estimate};
use crate::compare::record::{Line, Measured, trusted};
use crate::compare::run::{Identity, Phase, STATIC, bare};
use crate::compare::suite::{Parameters, STATIC_BEST};
use crate::table::{self, figure, grouped};

/// Runs that differ in their repeat alone.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) identity: &'a Identity,
    /// Without the noisy ones, where there are others.
    pub(crate) runs: Vec<&'a Measured>,
    pub(crate) noisy: usize,
}

/// Rows that can be compared with each other.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) title: String,
    pub(crate) rows: Vec<Row<'a>>,
}

/// Puts runs next to those that they are to be compared with, in the order of the file.
pub(crate) fn groups(lines: &[Line]) -> Vec<Group<'_>> {
    /// One group under way: rows, and which of them has which key.
    #[derive(Default)]
    struct Gathered<'a> {
        title: String,
        places: BTreeMap<String, usize>,
        rows: Vec<Vec<&'a Measured>>,
    }
    let mut groups: Vec<Gathered<'_>> = Vec::new();
    for run in lines.iter().filter_map(Line::measured) {
        let title = title(run);
        let at = groups.iter().position(|other| other.title == title).unwrap_or_else(|| {
            groups.push(Gathered { title, ..Gathered::default() });
            groups.len() - 1
        });
        let Gathered { places, rows, .. } = &mut groups[at];
        let identity = Identity { repeat: 0, ..run.context.identity.clone() };
        let place = *places.entry(identity.key(&run.context.interpreter.tag, 0)).or_insert_with(|| {
            rows.push(Vec::new());
            rows.len() - 1
        });
        rows[place].push(run);
    }
    let mut ordered = Vec::new();
    for Gathered { title, rows, .. } in groups {
        let mut rows: Vec<Row<'_>> = rows.iter().map(|runs| Row::of(runs)).collect();
        rows.sort_by_key(|row| {
            let Identity { phase, strategy, threads, parameters, .. } = row.identity;
            (*phase != Phase::Sweep, strategy.clone(), *threads, shown(parameters))
        });
        ordered.push(Group { title, rows });
    }
    ordered
}

fn title(run: &Measured) -> String {
    let Identity { experiment, workload, cores, cores_asked, quota_cores, .. } = &run.context.identity;
    let plural = if *cores == 1 { "" } else { "s" };
    let mut title = format!("{experiment}: {workload}, {cores} core{plural}");
    if cores_asked != cores {
        let _ = write!(title, " (asked for {cores_asked})");
    }
    if let Some(quota) = quota_cores {
        let _ = write!(title, ", quota {quota}");
    }
    title + &format!(", {}", run.context.interpreter.tag)
}

impl<'a> Row<'a> {
    fn of(runs: &[&'a Measured]) -> Self {
        Self {
            identity: &runs[0].context.identity,
            noisy: runs.iter().filter(|run| run.is_noisy).count(),
            runs: trusted(runs),
        }
    }

    pub(crate) fn samples(&self, name: &str) -> Vec<f64> {
        self.runs.iter().filter_map(|run| run.figure(name)).collect()
    }

    /// The strategy with its size and parameters.
    pub(crate) fn name(&self) -> String {
        let Identity { strategy, threads, parameters, .. } = self.identity;
        let threads = threads.map_or_else(String::new, |threads| format!(" {}", grouped(f64::from(threads))));
        let shown = if parameters.is_empty() { String::new() } else { format!(" ({})", shown(parameters)) };
        format!("{strategy}{threads}{shown}")
    }
}

fn shown(parameters: &Parameters) -> String {
    let pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}={}", bare(value))).collect();
    pairs.join(" ")
}

/// Which row a ratio has below its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reference {
    /// Fresh runs of the best static size.
    Best,
    /// The standard pool of the same size.
    SameSize,
}

impl Group<'_> {
    /// What a row is to be compared with: the best static pool of its workload's parameters, or else the standard
    /// pool of the same size.
    pub(crate) fn reference(&self, row: &Row<'_>) -> Option<(Reference, &Row<'_>)> {
        if row.identity.phase == Phase::Sweep {
            return None;
        }
        let fits = |other: &&Row<'_>| {
            let (own, others) = (&row.identity.parameters, &other.identity.parameters);
            other.identity.phase == row.identity.phase
                && others.iter().all(|(name, value)| own.get(name) == Some(value))
        };
        let of = |strategy: &'static str| {
            self.rows.iter().filter(fits).filter(move |other| other.identity.strategy == strategy)
        };
        let best = of(STATIC_BEST).next().map(|best| (Reference::Best, best));
        let same = || of(STATIC).find(|other| other.identity.threads == row.identity.threads);
        let found = best.or_else(|| same().map(|same| (Reference::SameSize, same)));
        found.filter(|(_, other)| !std::ptr::eq(*other, row))
    }

    fn table(&self) -> String {
        let rows: Vec<[String; 6]> = self
            .rows
            .iter()
            .map(|row| {
                let rate = bootstrap::median_interval(&row.samples("tasks_per_s"));
                let tail = bootstrap::median_interval(&row.samples("wall_ms_p99"));
                let ratio = self.reference(row).and_then(|(kind, reference)| {
                    let ratio = bootstrap::ratio_interval(
                        &row.samples("tasks_per_s"),
                        &reference.samples("tasks_per_s"),
                    )?;
                    let mark = if kind == Reference::Best { "" } else { " (same size)" };
                    Some(within(ratio, |value| format!("{value:.2}")) + mark)
                });
                let phase = if row.identity.phase == Phase::Sweep { "sweep: " } else { "" };
                let mark = if row.runs.iter().any(|run| run.is_truncated()) { "*" } else { "" };
                let count = match (row.runs.len(), row.noisy) {
                    (runs, 0) => runs.to_string(),
                    (_, noisy) if row.runs.iter().all(|run| run.is_noisy) => format!("{noisy} noisy"),
                    (runs, noisy) => format!("{runs} + {noisy} noisy"),
                };
                let nothing = || "-".to_owned();
                [
                    format!("{phase}{}", row.name()),
                    count,
                    rate.map_or_else(nothing, |rate| within(rate, figure) + mark),
                    ratio.unwrap_or_else(nothing),
                    tail.map_or_else(nothing, |tail| within(tail, figure)),
                    figures(row, "limit"),
                ]
            })
            .collect();
        table::plain(&["strategy", "runs", "tasks/s", "of static best", "p99 ms", "limit at end"], &rows)
    }
}

fn figures(row: &Row<'_>, name: &str) -> String {
    crate::statistics::median(&row.samples(name)).map_or_else(|| "-".to_owned(), grouped)
}

/// A figure and its interval.
pub(crate) fn within(estimate: Estimate, show: impl Fn(f64) -> String) -> String {
    let Estimate { value, low, high } = estimate;
    format!("{} [{}, {}]", show(value), show(low), show(high))
}

/// All tables, and what was not measured.
pub(crate) fn render(lines: &[Line]) -> String {
    let mut text = String::new();
    let groups = groups(lines);
    for group in &groups {
        let _ = writeln!(text, "{}\n{}", group.title, group.table());
    }
    let absent = absences(lines);
    for (what, count) in &absent {
        let _ = writeln!(text, "{what} ({count} runs)");
    }
    if !absent.is_empty() {
        text.push('\n');
    }
    if groups.is_empty() {
        text += "no run was measured\n";
    } else {
        text += "medians with 95 % bootstrap intervals; of few runs the interval is their range. * cut short: rough.\n\
                 of static best: fresh runs of the best size that a sweep of the standard pool found; (same size): \
                 no sweep, the standard pool of the same size.\n";
    }
    text
}

/// What failed or cannot be here, and how often.
fn absences(lines: &[Line]) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for line in lines {
        let (kind, unmeasured) = match line {
            Line::Failure(unmeasured) => ("failed", unmeasured),
            Line::Unavailable(unmeasured) => ("not available", unmeasured),
            _ => continue,
        };
        let Identity { experiment, strategy, .. } = &unmeasured.context.identity;
        let tag = &unmeasured.context.interpreter.tag;
        *found
            .entry(format!("{kind}: {experiment}: {strategy}, {tag}: {}", unmeasured.reason))
            .or_insert(0) += 1;
    }
    found
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::compare::record::Unmeasured;
    use crate::compare::record::tests::{context, measured};
    use crate::compare::run::tests::identity;

    /// Runs of a strategy in a contest.
    pub(crate) fn contest(strategy: &str, threads: Option<u32>, rates: &[f64]) -> Vec<Line> {
        let identity =
            Identity { phase: Phase::Contest, strategy: strategy.to_owned(), threads, ..identity() };
        (0..)
            .zip(rates)
            .map(|(repeat, rate)| {
                Line::Run(Box::new(measured(Identity { repeat, ..identity.clone() }, *rate)))
            })
            .collect()
    }

    #[test]
    fn a_table_has_medians_intervals_and_ratios_to_the_best_static_pool() {
        let mut lines = contest("knee", None, &[90.0, 96.0, 94.0]);
        lines.extend(contest(STATIC_BEST, Some(8), &[100.0, 104.0, 98.0]));
        let text = render(&lines);
        assert!(text.contains("first: micro, 1 core, 3.13"), "{text}");
        assert!(text.contains("94.0 [90.0, 96.0]"), "{text}");
        assert!(text.contains("0.94 [0.8"), "{text}");
        assert!(text.contains("static-best 8"), "{text}");
        let best = text.lines().find(|line| line.contains("static-best 8")).unwrap();
        assert!(best.contains(" - "), "the best is not compared with itself: {best}");
    }

    #[test]
    fn without_a_sweep_the_same_size_is_compared() {
        let mut lines = contest("fixed", Some(8), &[50.0]);
        lines.extend(contest(STATIC, Some(8), &[100.0]));
        lines.extend(contest(STATIC, Some(16), &[10.0]));
        let text = render(&lines);
        assert!(text.contains("0.50 [0.50, 0.50] (same size)"), "{text}");
    }

    #[test]
    fn noisy_runs_are_counted_and_left_out_where_there_are_others() {
        let mut lines = contest("knee", None, &[100.0, 101.0, 5.0]);
        if let Line::Run(run) = &mut lines[2] {
            run.is_noisy = true;
        }
        let text = render(&lines);
        assert!(text.contains("2 + 1 noisy") && text.contains("[100, 101]"), "{text}");
    }

    #[test]
    fn parameters_make_rows_and_what_is_missing_is_said() {
        let mut lines = contest("paper", None, &[1.0]);
        for line in &mut lines {
            if let Line::Run(run) = line {
                run.context.identity.parameters.insert("beta".to_owned(), 0.3.into());
            }
        }
        let unmeasured = Unmeasured { context: context(identity()), reason: "no such package".to_owned() };
        lines.push(Line::Unavailable(Box::new(unmeasured)));
        let text = render(&lines);
        assert!(text.contains("paper (beta=0.3)"), "{text}");
        assert!(text.contains("not available: first: static, 3.13: no such package (1 runs)"), "{text}");
        assert!(render(&[]).contains("no run was measured"));
    }
}
