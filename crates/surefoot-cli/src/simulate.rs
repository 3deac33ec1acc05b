//! `surefoot simulate`: controllers against each other in virtual time.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;
use surefoot_core::sim::contender::{self, Contender};
use surefoot_core::sim::contest::{self, Contest, Summary};
use surefoot_core::sim::optimum::Best;
use surefoot_core::sim::scenario::{self, Judged, Scenario};
use surefoot_core::sim::score::Way;

use crate::args::SimulateArgs;
use crate::stop::Stop;

/// Raised whenever a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// One run, as a JSON line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    kind: &'static str,
    schema: u32,
    surefoot_version: &'a str,
    scenario: &'a str,
    is_counted: bool,
    controller: &'a str,
    seed: u64,
    simulated_s: f64,
    knees: Vec<usize>,
    optimum_tasks_per_s: Vec<f64>,
    efficiency: f64,
    limit_over_knee: f64,
    overshoot: f64,
    response_p99_ratio: Option<f64>,
    reversals_per_10s: f64,
    settlings: Vec<Turn>,
    finish_lag_s: Option<f64>,
    is_stuck: bool,
}

#[derive(Debug, Serialize)]
struct Turn {
    at_s: f64,
    way: &'static str,
    /// `None`: not before the turn ended.
    took_s: Option<f64>,
    regret_s: f64,
}

fn seconds(time_ns: u64) -> f64 {
    time_ns as f64 / 1e9
}

fn nanoseconds(time_s: f64) -> u64 {
    u64::try_from(std::time::Duration::from_secs_f64(time_s.min(1e6)).as_nanos()).unwrap_or(u64::MAX)
}

fn line<'a>(
    scenario: &'a Scenario,
    contest: &Contest,
    entry: &'a contest::Entry,
    length_ns: u64,
) -> Line<'a> {
    let score = &entry.score;
    let of_turns = |of: fn(&Best) -> f64| contest.optimum.turns.iter().map(of).collect();
    Line {
        kind: "simulated_run",
        schema: SCHEMA,
        surefoot_version: env!("CARGO_PKG_VERSION"),
        scenario: scenario.name,
        is_counted: scenario.is_counted,
        controller: entry.contender,
        seed: entry.seed,
        simulated_s: seconds(length_ns),
        knees: contest.optimum.turns.iter().map(|best| best.knee).collect(),
        optimum_tasks_per_s: of_turns(|best| best.tasks_per_s),
        efficiency: score.efficiency,
        limit_over_knee: score.limit_over_knee,
        overshoot: score.overshoot,
        response_p99_ratio: score.response_p99_ratio,
        reversals_per_10s: score.reversals_per_10s,
        settlings: score
            .settlings
            .iter()
            .map(|settling| Turn {
                at_s: seconds(settling.at_ns),
                way: match settling.way {
                    Way::Up => "up",
                    Way::Down => "down",
                    Way::There => "there",
                },
                took_s: settling.took_ns.map(seconds),
                regret_s: settling.regret_s,
            })
            .collect(),
        finish_lag_s: score.finish_lag_s,
        is_stuck: score.is_stuck,
    }
}

/// Runs the sub-command and returns its exit code.
pub(crate) fn run(args: &SimulateArgs) -> Result<i32, Stop> {
    if args.list {
        print!("{}", listing());
        return Ok(0);
    }
    let scenarios = chosen(scenario::all(), &args.scenarios, "scenario", |scenario| scenario.name)?;
    let contenders =
        chosen(contender::ALL.to_vec(), &args.controllers, "controller", |contender| contender.name)?;
    let mut records = match &args.json {
        None => None,
        Some(path) => Some(
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|error| Stop::usage(format!("cannot write {}: {error}", path.display())))?,
        ),
    };
    let mut runs: Vec<(Scenario, contest::Entry)> = Vec::new();
    let mut table = new_table("scenario");
    let contests = hold_all(&scenarios, |scenario| {
        contest::hold(scenario, &contenders, u64::from(args.seeds), length_ns(args, scenario))
    });
    for (scenario, contest) in scenarios.into_iter().zip(contests) {
        for entry in &contest.entries {
            if let Some(file) = &mut records {
                let line = line(&scenario, &contest, entry, length_ns(args, &scenario));
                append(file, &line)
                    .map_err(|error| Stop::failure(format!("cannot write a record: {error}")))?;
            }
        }
        if args.decisions {
            contest.entries.iter().for_each(|entry| show_decisions(scenario.name, entry));
        }
        let knees: Vec<String> = contest.optimum.turns.iter().map(|best| best.knee.to_string()).collect();
        for contender in &contenders {
            let scores = contest.entries.iter().filter(|entry| entry.contender == contender.name);
            let summary = Summary::of(scores.map(|entry| (scenario.judged, &entry.score)));
            table.add_row(row(&[scenario.name, &knees.join("/"), contender.name], &summary));
        }
        runs.extend(contest.entries.into_iter().map(|entry| (scenario.clone(), entry)));
    }
    println!("{table}\n");
    println!("{}", totals(&contenders, &runs));
    Ok(0)
}

fn length_ns(args: &SimulateArgs, scenario: &Scenario) -> u64 {
    args.seconds.map_or(scenario.length_ns, nanoseconds)
}

fn append(file: &mut File, line: &Line<'_>) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)
}

/// Holds the contests side by side on all cores; each is a world of its own, so their order is no matter.
fn hold_all(scenarios: &[Scenario], contest_of: impl Fn(&Scenario) -> Contest + Sync) -> Vec<Contest> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut contests = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = scenarios.get(place) else { return contests };
            contests.push((place, contest_of(scenario)));
        }
    };
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut contests: Vec<(usize, Contest)> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut contests = work();
        for other in others {
            match other.join() {
                Ok(more) => contests.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        contests
    });
    contests.sort_by_key(|one| one.0);
    contests.into_iter().map(|one| one.1).collect()
}

fn show_decisions(scenario: &str, entry: &contest::Entry) {
    println!("{scenario}, {}, seed {}", entry.contender, entry.seed);
    for decision in &entry.decisions {
        let veto = decision.veto.map_or(String::new(), |veto| format!(" [{}]", veto.name()));
        println!(
            "{:9.4} s {:5} -> {:<5} {}{veto}",
            seconds(decision.at_ns),
            decision.limit_before,
            decision.limit,
            decision.reason
        );
    }
    println!();
}

fn totals(contenders: &[Contender], runs: &[(Scenario, contest::Entry)]) -> String {
    let mut table = new_table("all counted");
    for contender in contenders {
        let counted = runs
            .iter()
            .filter(|(scenario, entry)| scenario.is_counted && entry.contender == contender.name)
            .map(|(scenario, entry)| (scenario.judged, &entry.score));
        let summary = Summary::of(counted);
        table.add_row(row(&["", "", contender.name], &summary));
    }
    table.to_string()
}

/// Those that were asked for by name, or all.
fn chosen<T>(
    all: Vec<T>,
    names: &[String],
    what: &str,
    name: fn(&T) -> &'static str,
) -> Result<Vec<T>, Stop> {
    if let Some(unknown) = names.iter().find(|asked| !all.iter().any(|one| name(one) == asked.as_str())) {
        return Err(Stop::usage(format!("there is no {what} {unknown:?}; --list shows all")));
    }
    let is_chosen = |one: &T| names.is_empty() || names.iter().any(|asked| asked == name(one));
    Ok(all.into_iter().filter(is_chosen).collect())
}

fn listing() -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["kind", "name", "what it is"]);
    for scenario in scenario::all() {
        let counted = if scenario.is_counted { "" } else { " (shown, not counted)" };
        let judged = match scenario.judged {
            Judged::Closed => "scenario",
            Judged::Open => "scenario, open",
            Judged::Finish => "scenario, to the end",
        };
        table.add_row([judged, scenario.name, &format!("{}{counted}", scenario.about)]);
    }
    for contender in contender::ALL {
        table.add_row(["controller", contender.name, contender.about]);
    }
    format!("{table}\n")
}

fn new_table(first: &str) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        first,
        "knee",
        "controller",
        "efficiency",
        "worst",
        "limit/knee",
        "worst",
        "up p95 s",
        "down p95 s",
        "overshoot",
        "p99 ratio",
        "reversals/10 s",
        "worst",
        "regret s",
        "finish lag s",
        "stuck",
    ]);
    for (place, column) in table.column_iter_mut().enumerate() {
        if place != 0 && place != 2 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn row(names: &[&str], summary: &Summary) -> Vec<String> {
    let shown = |value: Option<f64>, digits: usize| match value {
        None => "-".to_owned(),
        Some(value) if value.is_infinite() => "never".to_owned(),
        Some(value) => format!("{value:.digits$}"),
    };
    let mut cells: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    cells.extend([
        shown(summary.efficiency_median, 3),
        shown(summary.efficiency_min, 3),
        shown(summary.limit_over_knee_mean, 2),
        shown(summary.limit_over_knee_max, 2),
        shown(summary.settle_up_p95_s, 2),
        shown(summary.settle_down_p95_s, 2),
        shown(summary.overshoot_median, 2),
        shown(summary.response_p99_ratio_median, 2),
        shown(summary.reversals_per_10s_mean, 1),
        shown(summary.reversals_per_10s_max, 1),
        shown(summary.regret_s_mean, 2),
        shown(summary.finish_lag_s_max, 3),
        summary.stuck.to_string(),
    ]);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_a_usage_error() {
        let names = ["stated".to_owned(), "nonsense".to_owned()];
        let error = chosen(scenario::all(), &names, "scenario", |scenario| scenario.name).unwrap_err();
        assert!(error.message.contains("nonsense"), "{error:?}");
        let found = chosen(scenario::all(), &names[..1], "scenario", |scenario| scenario.name).unwrap();
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn the_list_names_every_scenario_and_controller() {
        let text = listing();
        for scenario in scenario::all() {
            assert!(text.contains(scenario.name));
        }
        for contender in contender::ALL {
            assert!(text.contains(contender.name));
        }
    }
}
