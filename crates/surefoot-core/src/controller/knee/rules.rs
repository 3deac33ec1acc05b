//! The rules that a window may call for: down to the knee, up to it, or a probe.

use super::evidence::{Bottleneck, Estimate};
use super::trial::Kind;
use super::{Bound, Knee};
use crate::decision::{Decision, Rule, Veto};
use crate::window::Window;

impl Knee {
    /// Workers that the model asks for: the asymptotic knee and some headroom.
    pub(super) fn target(&self, seen: &Estimate) -> f64 {
        let above = (seen.knee - seen.servers).max(0.0);
        // Pollaczek and Khinchine: tasks of unequal length wait longer for each other, by this factor.
        let unequal = f64::midpoint(1.0, seen.variation).clamp(1.0, self.constants.most_unequal);
        (seen.knee + self.constants.headroom * unequal * above.sqrt()) * self.extra
    }

    /// Down, if more workers are there than the bottleneck can serve.
    pub(super) fn lower(&mut self, window: &Window, seen: &Estimate) -> Option<Decision> {
        let enough = self.evidence.seen_completions >= seen.workers.max(2.0)
            || self.evidence.seen_ns >= self.constants.lower_after_ns;
        if !enough || seen.pressure < self.constants.busy_high {
            return None;
        }
        let mut target = (whole(self.target(seen))).max(window.min_workers).max(1);
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
        let surplus = seen.workers.min(limit) / target as f64 - 1.0;
        if surplus * self.evidence.seen_ns < self.constants.surplus_ns {
            return None;
        }
        self.try_out(Kind::Fall, window.limit, seen.pressure);
        self.fallen_from = Some(window.limit);
        self.is_settled = true;
        let reason = match seen.bottleneck {
            Bottleneck::Gil => (Rule::Gil, "workers queue for the GIL: down to the knee"),
            Bottleneck::Cores => (Rule::Cpu, "workers queue for the cores: down to the knee"),
            Bottleneck::Quota => (Rule::Quota, "the CPU quota is used up: down to the knee"),
        };
        Some(self.go(window, target, reason))
    }

    /// Up, if the limit holds back tasks that the bottleneck has time for; else a veto that says why
    /// not.
    pub(super) fn raise(&mut self, window: &Window, seen: &Estimate) -> Option<Decision> {
        let target = whole(self.target(seen));
        let is_beyond = window.limit >= target;
        let low = if is_beyond { self.constants.busy_low_beyond } else { self.constants.busy_low };
        // A difference that cannot be seen is not acted on.
        if seen.pressure + seen.utilisation_error >= low {
            self.is_settled = true;
            return Some(veto(window, used_up(seen.bottleneck)));
        }
        if window.limit >= window.cap {
            self.is_settled = true;
            return Some(veto(window, (Veto::Cap, "tasks wait, but the cap is reached")));
        }
        if self.trial.is_some_and(|trial| matches!(trial.kind, Kind::Probe | Kind::Reach)) {
            return None;
        }
        let unused_ns = (1.0 - seen.pressure) * self.evidence.seen_ns;
        let enough_ns = if is_beyond { 2.0 } else { 1.0 } * self.constants.unused_ns;
        let least_ns = if is_beyond { self.constants.beyond_walls * self.mean_wall_ns } else { 0.0 };
        let least_ns = least_ns.max(self.constants.rise_after_ns);
        if self.evidence.seen_ns < least_ns || unused_ns < enough_ns {
            return None;
        }
        if !self.has_memory {
            return Some(veto(
                window,
                (Veto::Memory, "tasks wait, but too little memory is left for threads"),
            ));
        }
        let now_ns = self.now_ns;
        if self.plateau.is_some_and(|plateau| window.limit >= plateau.limit && plateau.until_ns > now_ns) {
            self.is_settled = true;
            return Some(veto(window, (Veto::Plateau, "tasks wait, but more workers brought nothing")));
        }
        let limit = window.limit as f64;
        let (want, reason) = if is_beyond || self.plateau.is_some() {
            let by_use = (limit * self.constants.busy_aim / seen.pressure.max(0.01)).ceil();
            let want = by_use.min((limit * 1.25).ceil());
            (want, "tasks wait and the bottleneck has time left: beyond the model's knee")
        } else {
            let blind = self.evidence.seen_completions < 8.0 || seen.pressure < 0.05;
            let most = if blind { self.constants.most_blind_rise } else { self.constants.most_rise };
            let want = (target as f64).min((limit * most).ceil());
            (want, "tasks wait and the bottleneck has time left: up to the knee")
        };
        let want = to_count(want).clamp(window.limit + 1, window.cap);
        self.try_out(
            if is_beyond || self.plateau.is_some() { Kind::Reach } else { Kind::Rise },
            window.limit,
            seen.utilisation,
        );
        Some(self.go(window, want, (Rule::Room, reason)))
    }

    /// Suspects that workers only take the GIL from each other: it is wanted all the time, and held for a
    /// good part less, as it is on its way from one to the next. Fewer workers hand it over less often
    /// and may do more, which no law of queues says; so some fewer are tried.
    pub(super) fn probe_handover(&mut self, window: &Window, seen: &Estimate) -> Option<Decision> {
        let lost = seen.pressure - seen.utilisation;
        let is_held = |bound: Bound| bound.until_ns > self.now_ns && window.limit <= bound.limit;
        let least = self.constants.comparable.max(window.limit as f64);
        if seen.bottleneck != Bottleneck::Gil
            || seen.pressure < self.constants.busy_high
            || lost - 2.0 * seen.utilisation_error < self.constants.handover_lost
            || self.evidence.seen_ns < self.constants.handover_after_ns
            || self.evidence.seen_completions < least
            || self.trial.is_some()
            || self.floor.is_some_and(is_held)
        {
            return None;
        }
        let target = to_count((window.limit as f64 * self.constants.probe_factor).ceil());
        if target >= window.limit || target < window.min_workers.max(2) {
            return None;
        }
        self.try_out(Kind::Probe, window.limit, seen.pressure);
        self.trial?;
        self.is_settled = true;
        let reason = "the GIL is handed from worker to worker more than it is used: trying fewer";
        Some(self.go(window, target, (Rule::Trial, reason)))
    }

    /// Suspects a bottleneck out of sight: tasks take longer than they did with fewer workers, and not
    /// for want of the GIL or of cores.
    pub(super) fn probe(&mut self, window: &Window, seen: &Estimate) -> Option<Decision> {
        let growth = self.evidence.wall_ns()? / self.least_wall_ns?.max(1.0);
        let is_held = |bound: Bound| bound.until_ns > self.now_ns && window.limit <= bound.limit;
        // Every worker must have gone round, or the mean is of the short ones.
        let least = self.constants.comparable.max(window.limit as f64);
        if self.evidence.seen_completions < least
            || seen.pressure > self.constants.quiet_share
            || self.trial.is_some()
            || self.floor.is_some_and(is_held)
        {
            return None;
        }
        let limit = window.limit as f64;
        // The first probe needs good reason. Once one has shown that the bottleneck is elsewhere, less
        // says that tasks still queue there; and as the least wall time may have been taken while some
        // queued already, the rest is tried.
        let has_plateau = self.plateau.is_some_and(is_held);
        let needed =
            if has_plateau { self.constants.remote_growth_left } else { self.constants.remote_growth };
        let target = if growth >= needed {
            let slots = limit / growth;
            slots + slots.sqrt()
        } else if has_plateau {
            limit * self.constants.probe_factor
        } else {
            return None;
        };
        let target = to_count(target.ceil());
        if target >= window.limit || target < window.min_workers.max(2) {
            return None;
        }
        self.try_out(Kind::Probe, window.limit, seen.pressure);
        self.trial?;
        let reason = "tasks take longer than with fewer workers: trying fewer";
        Some(self.go(window, target, (Rule::Trial, reason)))
    }
}

/// Rounds up, but for a small excess: a knee of 1.1 is one worker's.
fn whole(target: f64) -> usize {
    to_count((target + 0.25).round())
}

/// A number of workers; a negative one is none.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
fn to_count(workers: f64) -> usize {
    workers as usize
}

fn used_up(bottleneck: Bottleneck) -> (Veto, &'static str) {
    match bottleneck {
        Bottleneck::Gil => (Veto::Gil, "tasks wait, but the GIL is used up"),
        Bottleneck::Cores => (Veto::Cpu, "tasks wait, but the cores are used up"),
        Bottleneck::Quota => (Veto::Quota, "tasks wait, but the CPU quota is used up"),
    }
}

/// Leaves the limit where it is although tasks wait.
fn veto(window: &Window, (veto, reason): (Veto, &'static str)) -> Decision {
    Decision::refuse(window.limit, veto, reason)
}
