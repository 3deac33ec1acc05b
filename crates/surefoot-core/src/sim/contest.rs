//! Runs contenders in scenarios and sums up.

use super::contender::Contender;
use super::optimum::{self, Optimum, Reference};
use super::plant;
use super::scenario::{Judged, Scenario};
use super::score::{self, Score, Way};
use crate::decision::Entry as Decided;

/// One run of one contender.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who.
    pub contender: &'static str,
    /// With which seed.
    pub seed: u64,
    /// How it went.
    pub score: Score,
    /// Every decision that changed the limit.
    pub decisions: Vec<Decided>,
}

/// All runs of one scenario.
#[derive(Clone, Debug)]
pub struct Contest {
    /// The best that can be had in it.
    pub optimum: Optimum,
    /// Contender by contender, seed by seed.
    pub entries: Vec<Entry>,
}

/// Runs every contender with seeds 1 to `seeds`.
pub fn hold(scenario: &Scenario, contenders: &[Contender], seeds: u64, length_ns: u64) -> Contest {
    let optimum = optimum::find(scenario);
    let references: Vec<Reference> =
        (1..=seeds).map(|seed| Reference::find(scenario, &optimum, seed, length_ns)).collect();
    let mut entries = Vec::new();
    for contender in contenders {
        for (seed, reference) in (1..).zip(&references) {
            let rule = contender.rule(&scenario.setup, &optimum);
            let trace = plant::run(&scenario.setup, rule, seed, length_ns);
            let score = score::score(scenario, &optimum, reference, &trace);
            entries.push(Entry { contender: contender.name, seed, score, decisions: trace.decisions });
        }
    }
    Contest { optimum, entries }
}

/// The figures of many runs. `None`: nothing of the kind in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Runs summed up.
    pub runs: usize,
    /// Median of the efficiency.
    pub efficiency_median: Option<f64>,
    /// The worst.
    pub efficiency_min: Option<f64>,
    /// Mean of limit / knee over the runs that are judged by the limit.
    pub limit_over_knee_mean: Option<f64>,
    /// The worst of it.
    pub limit_over_knee_max: Option<f64>,
    /// 95th percentile of the settling time upwards; infinite where it did not settle.
    pub settle_up_p95_s: Option<f64>,
    /// The same downwards.
    pub settle_down_p95_s: Option<f64>,
    /// Median of the overshoot.
    pub overshoot_median: Option<f64>,
    /// Median of the 99th percentile of the response, against the knee's.
    pub response_p99_ratio_median: Option<f64>,
    /// Mean of the reversals in 10 s.
    pub reversals_per_10s_mean: Option<f64>,
    /// The most in a run.
    pub reversals_per_10s_max: Option<f64>,
    /// Mean regret for each turn.
    pub regret_s_mean: Option<f64>,
    /// How much later than the standard pool of the same cap, at worst.
    pub finish_lag_s_max: Option<f64>,
    /// Runs that never came to an end.
    pub stuck: usize,
}

impl Summary {
    /// Sums up runs, each with the kind of judgement of its scenario.
    pub fn of<'a>(runs: impl Iterator<Item = (Judged, &'a Score)> + Clone) -> Self {
        let scores = |judged: &'static [Judged]| {
            runs.clone().filter(move |run| judged.contains(&run.0)).map(|run| run.1)
        };
        let closed = || scores(&[Judged::Closed]);
        let flowing = || scores(&[Judged::Closed, Judged::Open]);
        let settled = |way| -> Vec<f64> {
            let settlings = closed().flat_map(|score| &score.settlings);
            let ours = settlings.filter(|settling| settling.way == way);
            ours.map(|settling| settling.took_ns.map_or(f64::INFINITY, |ns| ns as f64 / 1e9)).collect()
        };
        let all = |values: &mut dyn Iterator<Item = f64>| values.collect::<Vec<_>>();
        let efficiencies = all(&mut flowing().map(|score| score.efficiency));
        let limits = all(&mut closed().map(|score| score.limit_over_knee));
        let reversals = all(&mut flowing().map(|score| score.reversals_per_10s));
        let regrets = all(&mut closed().flat_map(|score| &score.settlings).map(|turn| turn.regret_s));
        let finishes = all(&mut scores(&[Judged::Finish]).filter_map(|score| score.finish_lag_s));
        Self {
            runs: runs.clone().count(),
            efficiency_median: quantile(&efficiencies, 0.5),
            efficiency_min: quantile(&efficiencies, 0.0),
            limit_over_knee_mean: mean(&limits),
            limit_over_knee_max: quantile(&limits, 1.0),
            settle_up_p95_s: quantile(&settled(Way::Up), 0.95),
            settle_down_p95_s: quantile(&settled(Way::Down), 0.95),
            overshoot_median: quantile(&all(&mut closed().map(|score| score.overshoot)), 0.5),
            response_p99_ratio_median: quantile(
                &all(&mut flowing().filter_map(|score| score.response_p99_ratio)),
                0.5,
            ),
            reversals_per_10s_mean: mean(&reversals),
            reversals_per_10s_max: quantile(&reversals, 1.0),
            regret_s_mean: mean(&regrets),
            finish_lag_s_max: quantile(&finishes, 1.0),
            stuck: runs.filter(|run| run.1.is_stuck).count(),
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The least value that the share `at` of all does not exceed.
fn quantile(values: &[f64], at: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (at * sorted.len() as f64).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_seen() {
        let values = [3.0, 1.0, 2.0, f64::INFINITY];
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&values, 0.5), Some(2.0));
        assert_eq!(quantile(&values, 0.95), Some(f64::INFINITY));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
