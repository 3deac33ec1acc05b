//! Whether our pools have become slower than accepted records say, on the same kind of machine.
//!
//! Throughput itself is not compared, since machines have good and bad days: compared are ratios to the standard
//! pool that ran beside ours, then and now.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::bootstrap::{self, Estimate};
use crate::compare::record::{Line, Measured};
use crate::compare::run::STATIC;
use crate::compare::suite::STATIC_BEST;
use crate::compare::summary::{self, within};
use crate::table;

/// A ratio that fell by less than this is as it was, however narrow the intervals.
const LOSS_SHARE_MIN: f64 = 0.05;

/// What the guard has to say.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) text: String,
    /// A ratio fell beyond both intervals.
    pub(crate) is_slower: bool,
}

/// Machines between which ratios can be compared.
fn kind_of_machine(run: &Measured) -> String {
    let machine = &run.context.machine;
    format!("{}, {}, {} cores", machine.cpu_model, machine.architecture, machine.cores)
}

/// Ratios by what was compared; only those that have a standard pool beside them.
fn ratios(lines: &[Line]) -> BTreeMap<String, Estimate> {
    let mut found = BTreeMap::new();
    for group in summary::groups(lines) {
        for row in &group.rows {
            if [STATIC, STATIC_BEST].contains(&row.identity.strategy.as_str()) {
                continue;
            }
            let Some((_, reference)) = group.reference(row) else { continue };
            let ratio =
                bootstrap::ratio_interval(&row.samples("tasks_per_s"), &reference.samples("tasks_per_s"));
            if let Some(ratio) = ratio {
                found.insert(format!("{}: {}", group.title, row.name()), ratio);
            }
        }
    }
    found
}

/// Compares records with accepted ones.
pub(crate) fn judge(now: &[Line], accepted: &[Line]) -> Verdict {
    let Some(kind) = now.iter().filter_map(Line::measured).map(kind_of_machine).next() else {
        return Verdict { text: "nothing was measured\n".to_owned(), is_slower: false };
    };
    let same: Vec<Line> = accepted
        .iter()
        .filter(|line| line.measured().is_some_and(|run| kind_of_machine(run) == kind))
        .cloned()
        .collect();
    let (now, then) = (ratios(now), ratios(&same));
    let mut text = String::new();
    let mut rows = Vec::new();
    let mut is_slower = false;
    for (what, now) in &now {
        let Some(then) = then.get(what) else { continue };
        let verdict = if now.high < then.low && now.value < (1.0 - LOSS_SHARE_MIN) * then.value {
            is_slower = true;
            "slower"
        } else if now.low > then.high {
            "faster"
        } else {
            "as it was"
        };
        let show = |value: f64| format!("{value:.2}");
        rows.push([what.clone(), within(*then, show), within(*now, show), verdict.to_owned()]);
    }
    if rows.is_empty() {
        let _ =
            writeln!(text, "no accepted records of this kind of machine ({kind}): nothing to compare with");
    } else {
        let _ = writeln!(text, "Ratios to the standard pool in the same run, accepted and now ({kind})");
        text += &table::plain(&["what", "accepted", "now", "verdict"], &rows);
    }
    Verdict { text, is_slower }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::summary::tests::contest;

    fn lines(ours: &[f64], standard: &[f64]) -> Vec<Line> {
        let mut lines = contest("knee", None, ours);
        lines.extend(contest(STATIC_BEST, Some(8), standard));
        lines
    }

    #[test]
    fn a_ratio_that_fell_beyond_both_intervals_is_slower() {
        let accepted = lines(&[100.0, 101.0, 99.0], &[100.0, 102.0, 98.0]);
        let fallen = judge(&lines(&[80.0, 81.0, 82.0], &[100.0, 101.0, 99.0]), &accepted);
        assert!(fallen.is_slower && fallen.text.contains("slower"), "{}", fallen.text);
    }

    #[test]
    fn a_slower_machine_is_not_a_slower_pool() {
        let accepted = lines(&[100.0, 101.0, 99.0], &[100.0, 102.0, 98.0]);
        let verdict = judge(&lines(&[50.0, 50.5, 49.5], &[50.0, 51.0, 49.0]), &accepted);
        assert!(!verdict.is_slower && verdict.text.contains("as it was"), "{}", verdict.text);
    }

    #[test]
    fn within_the_intervals_nothing_fails() {
        let accepted = lines(&[100.0, 110.0, 80.0], &[100.0, 102.0, 98.0]);
        assert!(!judge(&lines(&[85.0, 90.0, 95.0], &[100.0, 101.0, 99.0]), &accepted).is_slower);
        let narrow = lines(&[100.0], &[100.0]);
        assert!(!judge(&lines(&[97.0], &[100.0]), &narrow).is_slower);
    }

    #[test]
    fn another_kind_of_machine_is_not_compared() {
        let mut accepted = lines(&[100.0], &[100.0]);
        for line in &mut accepted {
            if let Line::Run(run) = line {
                run.context.machine.cores += 2;
            }
        }
        let verdict = judge(&lines(&[10.0], &[100.0]), &accepted);
        assert!(!verdict.is_slower && verdict.text.contains("nothing to compare"), "{}", verdict.text);
        assert!(!judge(&[], &accepted).is_slower);
    }
}
