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
mod rules;
mod trial;

pub use constants::{Constants, INTERVAL_NS};

use super::Controller;
use crate::decision::{Decision, Rule};
use crate::gil::GilReading;
use crate::look::Look;
use crate::window::{Looks, Window};
use evidence::{Estimate, Evidence};
use gate::Gate;
use trial::{Kind, Throughput, Trial, Verdict};

/// Tasks of one window whose mean wall time means something.
const LEAST_COMPLETIONS: u64 = 4;

/// Windows without a switch that make a sensor frozen, and not a chance.
const FROZEN_WINDOWS: u32 = 3;

/// Clocks that are read one after the other disagree by some time.
const SLACK_NS: f64 = 20e6;

/// More cores, and more threads of others that want the GIL, than any machine that this runs on has.
const MOST_CORES: f64 = 1024.0;
const MOST_FOREIGN: f64 = 1024.0;

/// A limit that throughput has shown to be enough, or needed.
#[derive(Clone, Copy, Debug)]
struct Bound {
    limit: usize,
    until_ns: f64,
}

/// The knee controller.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent findings, each named for what it says")]
pub struct Knee {
    constants: Constants,
    gate: Gate,
    /// Since the load changed, whatever the limit: the knee belongs to the load.
    load: Evidence,
    /// Since the last change of the limit: what it is used for.
    evidence: Evidence,
    throughput: Throughput,
    /// The last few windows: tells a change of load.
    recent: Evidence,
    trial: Option<Trial>,
    /// More workers than this brought nothing.
    plateau: Option<Bound>,
    /// Fewer workers than this cost throughput.
    floor: Option<Bound>,
    /// How long the next of either will stand.
    hold_ns: f64,
    /// The bottleneck is used up, or the cap is reached.
    is_settled: bool,
    /// The last fall came from here, and has not been borne out yet.
    fallen_from: Option<usize>,
    /// Most of a bottleneck has been used by this load, so a moment without anybody runnable is a gap.
    is_known: bool,
    /// A sensor said what cannot be.
    is_fooled: bool,
    /// Windows in a row in which several workers completed tasks while the GIL never changed hands.
    frozen_windows: u32,
    /// Some look could see who is runnable.
    has_sight: bool,
    /// What the load was shown to need above the model's target, as a factor: tasks that go through
    /// several resources use each of them less than one alone would be.
    extra: f64,
    /// Windows in a row that saw another knee.
    changed_windows: u32,
    /// Least mean wall time of a task in any window, to suspect a remote bottleneck by.
    least_wall_ns: Option<f64>,
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

impl Default for Knee {
    fn default() -> Self {
        Self::with(Constants::default())
    }
}

impl Knee {
    /// Makes one with other constants.
    pub fn with(constants: Constants) -> Self {
        Self {
            constants,
            gate: Gate::default(),
            load: Evidence::default(),
            evidence: Evidence::default(),
            throughput: Throughput::default(),
            recent: Evidence::default(),
            trial: None,
            plateau: None,
            floor: None,
            hold_ns: 0.0,
            is_settled: false,
            fallen_from: None,
            is_known: false,
            is_fooled: false,
            frozen_windows: 0,
            has_sight: false,
            extra: 1.0,
            changed_windows: 0,
            least_wall_ns: None,
            now_ns: 0.0,
            limit: None,
            start: 1,
            barren_ns: 0,
            mean_wall_ns: 0.0,
            has_memory: true,
            skip: false,
        }
    }

    /// The limit was changed: what was seen of its use says little of the new one's.
    fn changed(&mut self, limit: usize) {
        self.limit = Some(limit);
        self.evidence = Evidence::default();
        self.throughput = Throughput::default();
        self.skip = true;
    }

    /// The load is another: nothing that was learned holds.
    fn forget(&mut self) {
        self.load = self.recent;
        self.evidence = self.recent;
        self.throughput = Throughput::default();
        self.trial = None;
        self.plateau = None;
        self.floor = None;
        self.hold_ns = 0.0;
        self.is_settled = false;
        self.is_known = false;
        self.fallen_from = None;
        self.extra = 1.0;
        self.least_wall_ns = None;
        self.changed_windows = 0;
    }

    fn go(&mut self, window: &Window, limit: usize, (rule, reason): (Rule, &'static str)) -> Decision {
        self.changed(limit);
        if limit != window.limit {
            self.gate = Gate::default();
        }
        Decision::hold(limit, reason).by(rule)
    }

    /// Begins or goes on with a trial of the change from `from`.
    fn try_out(&mut self, kind: Kind, from: usize, utilisation: f64) {
        match &mut self.trial {
            Some(trial) if trial.kind == kind => trial.moved(),
            _ => {
                self.trial = Trial::begin(kind, (from, utilisation), self.throughput, &self.constants);
            }
        }
    }

    fn next_hold_ns(&mut self) -> f64 {
        let (first, most) = (self.constants.hold_ns as f64, self.constants.most_hold_ns as f64);
        self.hold_ns = if self.hold_ns > 0.0 { (self.hold_ns * 2.0).min(most) } else { first };
        self.now_ns + self.hold_ns
    }

    /// The window without what cannot be: a sensor that once said the impossible is not asked again.
    fn believable(&mut self, window: &Window) -> Window {
        let duration_ns = window.duration_ns as f64;
        let threads = window.workers_live.max(window.workers_busy) as f64;
        let cpu = window.workers_cpu_ns.map_or(0.0, |ns| ns as f64);
        let process = window.process_cpu_ns.map_or(0.0, |ns| ns as f64);
        let runqueue = window.workers_runqueue_ns.map_or(0.0, |ns| ns as f64);
        let slack_ns = duration_ns + SLACK_NS;
        let is_frozen = window.looks.switches == Some(0)
            && window.completions >= LEAST_COMPLETIONS
            && window.limit.min(window.workers_busy) >= 2;
        self.frozen_windows = if is_frozen { self.frozen_windows + 1 } else { 0 };
        self.is_fooled |= self.frozen_windows >= FROZEN_WINDOWS
            || cpu > threads * slack_ns
            || runqueue > threads * slack_ns
            || process > MOST_CORES * slack_ns
            || window.looks.gil_waiters_mean().is_some_and(|waiters| waiters > threads + MOST_FOREIGN);
        if !self.is_fooled {
            return *window;
        }
        Window {
            workers_cpu_ns: None,
            workers_runqueue_ns: None,
            process_cpu_ns: None,
            looks: Looks { seen: 0, seen_ns: 0.0, counted: 0, counted_ns: 0.0, ..window.looks },
            ..*window
        }
    }

    /// Takes a window into all that is remembered; whether the load is another since some windows.
    fn observe(&mut self, window: &Window) {
        let (least_ns, most_ns) = (2.0 * INTERVAL_NS as f64, self.constants.memory_ns);
        self.recent.add(window, least_ns);
        // All windows count alike while there are few; later the older ones fade.
        self.load.add(window, self.load.seen_ns.clamp(least_ns, most_ns));
        if window.completions > 0 {
            self.mean_wall_ns = window.wall_ns as f64 / window.completions as f64;
        }
        if window.completions >= LEAST_COMPLETIONS {
            let least_ns = self.least_wall_ns.unwrap_or(self.mean_wall_ns);
            self.least_wall_ns = Some(least_ns.min(self.mean_wall_ns));
        }
        let differs = || {
            let (now, before) = (self.recent.estimate()?, self.load.estimate()?);
            // With the bottleneck out of sight the time outside depends on the limit, not the load.
            if now.pressure.max(before.pressure) < self.constants.quiet_share {
                return None;
            }
            // Beyond twice the cap one knee is as good as another.
            let [now, before] = [now, before].map(|seen| seen.knee.min(2.0 * window.cap as f64));
            // Windows shorter than a task also say which part of it the workers are in.
            let is_long = 3.0 * window.duration_ns as f64 >= self.mean_wall_ns;
            let change = if is_long { self.constants.change } else { self.constants.large_change };
            Some(now.max(before) > now.min(before) * change + 1.0)
        };
        let differs = window.completions > 0 && self.is_settled && differs() == Some(true);
        self.changed_windows = if differs { self.changed_windows + 1 } else { 0 };
        if self.changed_windows >= self.constants.change_windows {
            self.forget();
        }
    }

    /// The verdict on a running trial, as a decision if it is to be taken back.
    fn judge(&mut self, window: &Window, seen: &Estimate) -> Option<Decision> {
        let mut trial = self.trial?;
        trial.add(window);
        self.trial = Some(trial);
        match trial.verdict(window.limit, seen.pressure, &self.constants) {
            Verdict::Open => None,
            Verdict::Kept => {
                self.trial = None;
                if trial.kind == Kind::Probe {
                    let until_ns = self.now_ns + self.constants.hold_ns as f64;
                    self.plateau = Some(Bound { limit: window.limit, until_ns });
                } else if matches!(trial.kind, Kind::Rise | Kind::Reach) {
                    self.plateau = None;
                    self.hold_ns = 0.0;
                }
                if trial.kind == Kind::Reach {
                    self.extra = self.extra.max(window.limit as f64 * self.extra / self.target(seen));
                }
                None
            }
            Verdict::TakenBack => {
                self.trial = None;
                let until_ns = self.next_hold_ns();
                let limit = trial.from.clamp(window.min_workers, window.cap);
                if matches!(trial.kind, Kind::Rise | Kind::Reach) {
                    self.plateau = Some(Bound { limit, until_ns });
                    let reason = "plateau: more workers brought no more throughput";
                    Some(self.go(window, limit, (Rule::Plateau, reason)))
                } else {
                    self.floor = Some(Bound { limit, until_ns });
                    self.least_wall_ns = None;
                    let reason = "fewer workers cost throughput: taken back";
                    Some(self.go(window, limit, (Rule::Trial, reason)))
                }
            }
        }
    }
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
            // The guard or somebody's hand moved it.
            self.trial = None;
            self.changed(window.limit);
        }
        let (lowest, cap) = (window.min_workers.min(window.cap), window.cap);
        if window.limit < lowest || window.limit > cap {
            let reason = "held between min_workers and the cap";
            return self.go(window, window.limit.clamp(lowest, cap), (Rule::Bounds, reason));
        }
        let window = &self.believable(window);
        self.observe(window);
        if std::mem::take(&mut self.skip) {
            // The window in which it changed, and those until surplus workers have finished.
            self.skip = window.workers_counted() > window.limit;
            return Decision::hold(window.limit, "the last change has not taken effect yet");
        }
        self.evidence.add(window, self.constants.memory_ns);
        let (Some(load), Some(seen)) = (self.load.estimate(), self.evidence.estimate()) else {
            return Decision::hold(window.limit, "nothing was seen");
        };
        // The knee from all that was seen of the load, its use from what was seen of this limit.
        let seen = Estimate { knee: load.knee, variation: load.variation, ..seen };
        let is_bound = window.looks.bound_share() >= 0.5;
        if is_bound {
            self.throughput.add(window);
            if let Some(decision) = self.judge(window, &seen) {
                return decision;
            }
        }
        let is_used = seen.pressure >= self.constants.busy_high;
        self.is_known = load.pressure >= self.constants.quiet_share;
        if is_used && self.evidence.seen_ns >= 2.0 * INTERVAL_NS as f64 {
            self.fallen_from = None;
        }
        if let Some(decision) = self.lower(window, &seen) {
            return decision;
        }
        if !is_bound {
            return Decision::hold(window.limit, "the limit does not bind");
        }
        self.probe(window, &seen)
            .or_else(|| self.probe_handover(window, &seen))
            .or_else(|| self.raise(window, &seen))
            .unwrap_or(Decision::hold(window.limit, "too little was seen since the last change"))
    }

    fn glance(&mut self, look: &Look) -> Option<Decision> {
        self.barren_ns = if look.completions > 0 { 0 } else { self.barren_ns.saturating_add(look.since_ns) };
        let is_elsewhere =
            self.plateau.is_some() || self.trial.is_some_and(|trial| trial.kind == Kind::Probe);
        if is_elsewhere {
            // The bottleneck is elsewhere: an idle process is as it should be, unless it is a deadlock.
            let patience_ns = (3.0 * self.mean_wall_ns).max(self.constants.gate_settled_ns as f64);
            if (self.barren_ns as f64) < patience_ns {
                return None;
            }
        }
        let fooled = Look { gil: GilReading::Unknown, process_cpu_ns: None, ..*look };
        let look = if self.is_fooled { &fooled } else { look };
        let is_blind = look.gil == GilReading::Unknown && look.process_cpu_ns.is_none();
        self.has_sight |= !is_blind;
        if is_blind && self.has_sight && !self.is_fooled {
            // A sensor that failed for once says nothing; where there is none, patience must do.
            return None;
        }
        let patience_ns = (self.is_settled || self.is_known).then(|| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
            let half_ns = (self.mean_wall_ns / 2.0) as u64;
            half_ns.clamp(self.constants.gate_settled_ns, self.constants.most_gate_settled_ns)
        });
        let limit = self.gate.look(look, patience_ns, &self.constants)?;
        if !self.has_memory && self.barren_ns < self.constants.gate_settled_ns * 10 {
            return None;
        }
        self.trial = None;
        if let Some(from) = self.fallen_from.take() {
            // A fall that leaves nobody runnable was wrong, and so was the sensor that asked for it.
            let until_ns = self.next_hold_ns();
            self.floor = Some(Bound { limit: from.min(look.cap), until_ns });
        }
        self.changed(limit);
        Some(Decision::hold(limit, "tasks wait and nobody is runnable").by(Rule::Blocked))
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
