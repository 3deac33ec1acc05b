//! The default controller: finds the knee from what the GIL, the cores and the throughput say.
//!
//! Three rules, from the fastest to the surest:
//! 1. The [fast gate](gate): work waits and nobody is runnable, so admit more within milliseconds.
//! 2. The [model](evidence): by the utilisation law, workers that do not queue for the bottleneck,
//!    divided by its utilisation, are the asymptotic knee. The limit goes to the knee and its square
//!    root above, up while the bottleneck has time left, down when workers queue for it.
//! 3. The [trial](trial): a rise that brings nothing, or a fall that costs, is taken back, whatever
//!    the sensors say.
//!
//! A queue alone moves nothing, and a window in which the limit did not bind teaches nothing about
//! more workers. Liveness stands over all this: the gate opens against every veto once nothing has
//! been completed for long, and [the guard](crate::liveness) watches even the gate.
//!
//! States: *seeking* (nothing known), *settled* (the bottleneck is used up, or the cap is reached),
//! *plateau* (more workers brought nothing). A changed knee makes it seek again.

mod constants;
mod evidence;
mod gate;
mod trial;

pub use constants::{Constants, INTERVAL_NS};

use super::Controller;
use crate::decision::{Decision, Veto};
use crate::look::Look;
use crate::window::Window;
use evidence::{Bottleneck, Estimate, Evidence};
use gate::Gate;
use trial::{Kind, Throughput, Trial, Verdict};

/// A limit that throughput has shown to be enough, or needed.
#[derive(Clone, Copy, Debug)]
struct Bound {
    limit: usize,
    until_ns: f64,
}

/// The knee controller.
#[derive(Clone, Debug, Default)]
pub struct Knee {
    constants: Constants,
    gate: Gate,
    /// Since the last change of the limit.
    evidence: Evidence,
    throughput: Throughput,
    /// The last few windows, whatever the limit: tells a change of load.
    recent: Evidence,
    trial: Option<Trial>,
    /// More workers than this brought nothing.
    plateau: Option<Bound>,
    /// Fewer workers than this cost throughput.
    floor: Option<Bound>,
    hold_ns: f64,
    is_settled: bool,
    /// The knee when it settled, and the windows in a row that saw another.
    settled_knee: f64,
    changed_windows: u32,
    /// Least time away per task that was seen, to suspect a remote bottleneck by.
    least_away_ns: Option<f64>,
    /// Time that was shown in windows.
    now_ns: f64,
    /// The limit that the last decision left, and the limit of the pool's start.
    limit: Option<usize>,
    start: usize,
    /// Since the last completed task, by the looks.
    barren_ns: u64,
    mean_wall_ns: f64,
    has_memory: bool,
    /// Windows to leave out: they still show the limit before.
    skip: bool,
}

impl Knee {
    /// Makes one with other constants.
    pub fn with(constants: Constants) -> Self {
        Self { constants, ..Self::default() }
    }

    /// The limit was changed: what was seen of the old one says little of the new.
    fn changed(&mut self, limit: usize) {
        self.limit = Some(limit);
        self.evidence = Evidence::default();
        self.throughput = Throughput::default();
        self.skip = true;
    }

    /// The load is another: nothing that was learned holds.
    fn forget(&mut self) {
        self.evidence = self.recent;
        self.throughput = Throughput::default();
        self.trial = None;
        self.plateau = None;
        self.floor = None;
        self.hold_ns = 0.0;
        self.is_settled = false;
        self.least_away_ns = None;
        self.changed_windows = 0;
    }

    fn go(&mut self, window: &Window, limit: usize, reason: &'static str) -> Decision {
        self.changed(limit);
        if limit != window.limit {
            self.gate = Gate::default();
        }
        Decision::hold(limit, reason)
    }

    /// Begins or goes on with a trial of the change from `from`.
    fn try_out(&mut self, kind: Kind, from: usize) {
        match &mut self.trial {
            Some(trial) if trial.kind == kind => trial.moved(),
            _ => self.trial = Trial::begin(kind, from, self.throughput, &self.constants),
        }
    }

    fn next_hold_ns(&mut self) -> f64 {
        let (first, most) = (self.constants.hold_ns as f64, self.constants.most_hold_ns as f64);
        self.hold_ns = if self.hold_ns > 0.0 { (self.hold_ns * 2.0).min(most) } else { first };
        self.now_ns + self.hold_ns
    }

    /// Workers that the model asks for: the asymptotic knee and some headroom.
    fn target(&self, seen: &Estimate) -> f64 {
        let above = (seen.knee - seen.servers).max(0.0);
        seen.knee + self.constants.headroom * above.sqrt()
    }

    fn notice_change(&mut self, window: &Window) {
        self.recent.add(window, 2.0 * INTERVAL_NS as f64);
        let Some(now) = self.recent.estimate() else { return };
        let far = |knee: f64| {
            let (low, high) = (knee.min(self.settled_knee), knee.max(self.settled_knee));
            high > low * self.constants.change + 1.0
        };
        let differs = self.is_settled && window.completions > 0 && far(now.knee);
        self.changed_windows = if differs { self.changed_windows + 1 } else { 0 };
        if self.changed_windows >= self.constants.change_windows {
            self.forget();
        }
    }

    fn settle(&mut self, seen: &Estimate) {
        if !self.is_settled {
            self.is_settled = true;
            self.settled_knee = seen.knee;
        } else if self.changed_windows == 0 {
            // Follows slowly, so that a drift is no change.
            self.settled_knee += (seen.knee - self.settled_knee) / 16.0;
        }
    }

    /// The verdict on a running trial, as a decision if it is to be taken back.
    fn judge(&mut self, window: &Window) -> Option<Decision> {
        let mut trial = self.trial?;
        trial.add(window);
        self.trial = Some(trial);
        match trial.verdict(window.limit, &self.constants) {
            Verdict::Open => None,
            Verdict::Kept => {
                self.trial = None;
                if trial.kind == Kind::Probe {
                    let until_ns = self.next_hold_ns();
                    self.plateau = Some(Bound { limit: window.limit, until_ns });
                } else if trial.kind == Kind::Rise {
                    self.plateau = None;
                    self.hold_ns = 0.0;
                }
                None
            }
            Verdict::TakenBack => {
                self.trial = None;
                let until_ns = self.next_hold_ns();
                let limit = trial.from.clamp(window.min_workers, window.cap);
                if trial.kind == Kind::Rise {
                    self.plateau = Some(Bound { limit, until_ns });
                    Some(self.go(window, limit, "plateau: more workers brought no more throughput"))
                } else {
                    self.floor = Some(Bound { limit, until_ns });
                    self.least_away_ns = None;
                    Some(self.go(window, limit, "fewer workers cost throughput: taken back"))
                }
            }
        }
    }

    fn lower(&mut self, window: &Window, seen: &Estimate) -> Option<Decision> {
        let enough = self.evidence.seen_completions >= seen.workers.max(2.0)
            || self.evidence.seen_ns >= self.constants.lower_after_ns;
        if !enough || seen.utilisation < self.constants.busy_high {
            return None;
        }
        let mut target = (self.target(seen).round() as usize).max(window.min_workers).max(1);
        if let Some(floor) = self.floor.filter(|floor| floor.until_ns > self.now_ns) {
            target = target.max(floor.limit);
        }
        if !seen.sees_gil {
            // What cannot be seen is no reason to serve fewer than the standard pool would.
            target = target.max(self.start);
        }
        let limit = window.limit as f64;
        let least_spare = if target == 1 { 0.0 } else { 1.0 };
        let spare = (target as f64 * self.constants.dead_band).max(least_spare);
        // A limit that is not reached does no harm yet, so only the workers there are count.
        if seen.workers <= target as f64 + 0.5 || limit <= target as f64 + spare || target >= window.limit {
            return None;
        }
        self.try_out(Kind::Fall, window.limit);
        let reason = match seen.bottleneck {
            Bottleneck::Gil => "workers queue for the GIL: down to the knee",
            Bottleneck::Cores => "workers queue for the cores: down to the knee",
            Bottleneck::Quota => "the CPU quota is used up: down to the knee",
        };
        Some(self.go(window, target, reason))
    }

    fn raise(&mut self, window: &Window, seen: &Estimate) -> Option<Decision> {
        let target = self.target(seen);
        let low = if (window.limit as f64) < target.round() {
            self.constants.busy_low
        } else {
            self.constants.busy_low_beyond
        };
        // A difference that cannot be seen is not acted on.
        if seen.utilisation + seen.utilisation_error >= low {
            self.settle(seen);
            return Some(veto(
                window,
                match seen.bottleneck {
                    Bottleneck::Gil => (Veto::Gil, "tasks wait, but the GIL is used up"),
                    Bottleneck::Cores => (Veto::Cpu, "tasks wait, but the cores are used up"),
                    Bottleneck::Quota => (Veto::Quota, "tasks wait, but the CPU quota is used up"),
                },
            ));
        }
        if window.limit >= window.cap {
            self.settle(seen);
            return Some(veto(window, (Veto::Cap, "tasks wait, but the cap is reached")));
        }
        if self.evidence.seen_ns < self.constants.rise_after_ns {
            return None;
        }
        if !self.has_memory {
            return Some(veto(
                window,
                (Veto::Memory, "tasks wait, but too little memory is left for threads"),
            ));
        }
        let blind = self.evidence.seen_completions < 8.0 || seen.utilisation < 0.05;
        let most = if blind { self.constants.most_blind_rise } else { self.constants.most_rise };
        let limit = window.limit as f64;
        let by_use = limit * self.constants.busy_aim / seen.utilisation.max(1e-6);
        let mut want = by_use.max(target).min(limit * most).ceil() as usize;
        if let Some(plateau) = self.plateau {
            if plateau.until_ns > self.now_ns {
                self.settle(seen);
                return Some(veto(window, (Veto::Plateau, "tasks wait, but more workers brought nothing")));
            }
            want = want.min(window.limit + (window.limit / 4).max(1));
        }
        let want = want.clamp(window.limit + 1, window.cap);
        self.try_out(Kind::Rise, window.limit);
        Some(self.go(window, want, "tasks wait and the bottleneck has time left: up to the knee"))
    }

    /// Suspects a bottleneck out of sight: tasks are away for longer than they were with fewer workers.
    fn probe(&mut self, window: &Window, seen: &Estimate) -> Option<Decision> {
        let away_ns = self.evidence.away_ns()?;
        if self.evidence.seen_completions < self.constants.comparable {
            return None;
        }
        let least_ns = self.least_away_ns.map_or(away_ns, |least_ns| least_ns.min(away_ns));
        self.least_away_ns = Some(least_ns);
        let growth = away_ns / least_ns.max(1.0);
        if growth < self.constants.remote_growth || seen.utilisation > 0.5 || self.trial.is_some() {
            return None;
        }
        let slots = window.limit as f64 / growth;
        let target = (slots + slots.sqrt()).ceil() as usize;
        if target >= window.limit || target < window.min_workers.max(2) {
            return None;
        }
        self.try_out(Kind::Probe, window.limit);
        self.trial?;
        Some(self.go(window, target, "tasks are away for longer than with fewer workers: trying fewer"))
    }
}

/// Leaves the limit where it is although tasks wait.
fn veto(window: &Window, (veto, reason): (Veto, &'static str)) -> Decision {
    Decision { limit: window.limit, reason, veto: Some(veto) }
}

impl Controller for Knee {
    fn name(&self) -> &'static str {
        "knee"
    }

    fn decide(&mut self, window: &Window) -> Decision {
        self.now_ns += window.duration_ns as f64;
        self.has_memory = window
            .allowance
            .memory_available_bytes
            .is_none_or(|bytes| bytes >= self.constants.memory_reserve_bytes);
        if self.limit.is_none() {
            self.start = window.limit;
            self.limit = Some(window.limit);
        } else if self.limit != Some(window.limit) {
            // The guard, the gate or somebody's hand moved it.
            self.trial = None;
            self.changed(window.limit);
        }
        let (lowest, cap) = (window.min_workers.min(window.cap), window.cap);
        if window.limit < lowest || window.limit > cap {
            return self.go(window, window.limit.clamp(lowest, cap), "held between min_workers and the cap");
        }
        if window.completions > 0 {
            self.mean_wall_ns = window.wall_ns as f64 / window.completions as f64;
        }
        self.notice_change(window);
        let counted = window.workers_busy.saturating_sub(window.workers_joining);
        if std::mem::take(&mut self.skip) {
            // The window in which it changed, and those until surplus workers have finished.
            self.skip = counted > window.limit;
            return Decision::hold(window.limit, "the last change has not taken effect yet");
        }
        let memory_ns =
            if self.is_settled { self.constants.settled_memory_ns } else { self.constants.memory_ns };
        self.evidence.add(window, memory_ns);
        let is_bound = window.looks.bound_share() >= 0.5;
        let Some(seen) = self.evidence.estimate() else {
            return Decision::hold(window.limit, "nothing was seen");
        };
        if is_bound {
            self.throughput.add(window);
            if let Some(decision) = self.judge(window) {
                return decision;
            }
        }
        if let Some(decision) = self.lower(window, &seen) {
            return decision;
        }
        if !is_bound {
            return Decision::hold(window.limit, "the limit does not bind");
        }
        self.probe(window, &seen)
            .or_else(|| self.raise(window, &seen))
            .unwrap_or(Decision::hold(window.limit, "too little was seen since the last change"))
    }

    fn glance(&mut self, look: &Look) -> Option<Decision> {
        self.barren_ns = if look.completions > 0 { 0 } else { self.barren_ns.saturating_add(look.since_ns) };
        if self.plateau.is_some() {
            // The bottleneck is elsewhere: an idle process is as it should be, unless it is a deadlock.
            let patience_ns = (3.0 * self.mean_wall_ns).max(self.constants.gate_settled_ns as f64);
            if (self.barren_ns as f64) < patience_ns {
                return None;
            }
        }
        let limit = self.gate.look(look, self.is_settled, &self.constants)?;
        if !self.has_memory && self.gate.quiet_ns() < self.constants.gate_settled_ns * 10 {
            return None;
        }
        self.trial = None;
        self.changed(limit);
        Some(Decision::hold(limit, "tasks wait and nobody is runnable"))
    }

    fn next_look_ns(&self, look: &Look) -> Option<u64> {
        Some(if look.queue_length == 0 && look.workers_busy > 0 {
            self.constants.calm_look_ns
        } else if self.plateau.is_some() {
            self.constants.sample_look_ns
        } else if look.limit >= look.cap && look.cap > 0 {
            2 * self.constants.sample_look_ns
        } else if self.gate.is_near() || look.workers_busy == 0 || look.gil.is_busy() == Some(false) {
            self.constants.gate_look_ns
        } else if !self.is_settled {
            self.constants.seek_look_ns
        } else {
            self.constants.sample_look_ns
        })
    }

    fn rests(&self, _limit: usize, _min_workers: usize) -> bool {
        true
    }
}
