//! What the windows since the last change of the limit say together.

use crate::ledger::Demand;
use crate::window::Window;

/// Sums over windows, older ones weighing less. All times in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// Time covered, unweighted: how much has been seen since the last change.
    pub(super) seen_ns: f64,
    /// Tasks completed, unweighted.
    pub(super) seen_completions: f64,
    time_ns: f64,
    busy_ns: f64,
    joining_ns: f64,
    wall_ns: f64,
    completions: f64,
    demand: Demand,
    cpu_ns: f64,
    foreign_cpu_ns: f64,
    runqueue_ns: f64,
    core_ns: f64,
    gil_looks: f64,
    gil_seen_ns: f64,
    gil_held_ns: f64,
    gil_busy_ns: f64,
    gil_counted_ns: f64,
    gil_waited_ns: f64,
    gil_told_waiters: f64,
    gil_foreign_waiters: f64,
    gil_off: f64,
    is_throttled: bool,
}

/// Which resource is used most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bottleneck {
    Gil,
    Cores,
    Quota,
}

/// Operational analysis of what was seen: utilisation law, Little's law.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    /// The resource used most.
    pub(super) bottleneck: Bottleneck,
    /// Its utilisation, `0..=1`.
    pub(super) utilisation: f64,
    /// Share of the time that somebody used it or wanted it. More than its utilisation where it takes
    /// time to go from one to the next, which the GIL does between cores.
    pub(super) pressure: f64,
    /// Standard error of the utilisation: sampled, so that a share `u` of `n` looks is known to `sqrt(u (1 - u) / n)`;
    /// 0 where the clocks say it.
    pub(super) utilisation_error: f64,
    /// Mean number of workers in tasks, without those that wait for other tasks of the pool.
    pub(super) workers: f64,
    /// The asymptotic knee `(D + Z) / D`: workers at which the bottleneck would be used up if no
    /// task ever waited for it.
    pub(super) knee: f64,
    /// Squared coefficient of variation of the tasks' CPU time; 0 if too few were seen.
    pub(super) variation: f64,
    /// Servers of the bottleneck: 1 for the GIL, the usable cores else.
    pub(super) servers: f64,
    /// Whether the GIL was seen, or known to be off; without it a low utilisation proves nothing.
    pub(super) sees_gil: bool,
}

impl Evidence {
    /// Adds a window.
    pub(super) fn add(&mut self, window: &Window, memory_ns: f64) {
        let duration_ns = window.duration_ns as f64;
        let weight = (-duration_ns / memory_ns).exp();
        let looks = &window.looks;
        let count = f64::from(looks.count.max(1));
        let joining = looks.joining as f64 / count;
        let cpu_ns = window.workers_cpu_ns.map_or(0.0, |ns| ns as f64);
        let foreign_ns = window.process_cpu_ns.map_or(0.0, |ns| (ns as f64 - cpu_ns).max(0.0));
        self.seen_ns += duration_ns;
        self.seen_completions += window.completions as f64;
        for (sum, value) in [
            (&mut self.time_ns, duration_ns),
            (&mut self.busy_ns, window.busy_ns as f64),
            (&mut self.joining_ns, joining * duration_ns),
            (&mut self.wall_ns, window.wall_ns as f64),
            (&mut self.completions, window.completions as f64),
            (&mut self.demand.tasks, window.demand.tasks),
            (&mut self.demand.sum_ns, window.demand.sum_ns),
            (&mut self.demand.squares_ns2, window.demand.squares_ns2),
            (&mut self.cpu_ns, cpu_ns),
            (&mut self.foreign_cpu_ns, foreign_ns),
            (&mut self.runqueue_ns, window.workers_runqueue_ns.map_or(0.0, |ns| ns as f64)),
            (&mut self.core_ns, window.allowance.cores.max(0.01) * duration_ns),
            (&mut self.gil_looks, f64::from(looks.seen)),
            (&mut self.gil_seen_ns, looks.seen_ns),
            (&mut self.gil_held_ns, looks.held_ns),
            (&mut self.gil_busy_ns, looks.busy_ns),
            (&mut self.gil_counted_ns, looks.counted_ns),
            (&mut self.gil_waited_ns, looks.waited_ns),
            (&mut self.gil_told_waiters, looks.told_waiters),
            (&mut self.gil_foreign_waiters, looks.foreign_waiters),
            (&mut self.gil_off, f64::from(looks.off)),
        ] {
            *sum = *sum * weight + value;
        }
        self.is_throttled = window.allowance.is_throttled;
    }

    /// Mean wall time of the completed tasks; `None` without any.
    pub(super) fn wall_ns(&self) -> Option<f64> {
        (self.completions > 0.0).then(|| self.wall_ns / self.completions)
    }

    /// Of the pool's own threads: an event loop that waits for the GIL is no worker too many.
    fn gil_waiters_mean(&self) -> f64 {
        let foreign = self.gil_foreign_waiters / self.gil_told_waiters.max(1e-9);
        let all = if self.gil_counted_ns > 0.0 { self.gil_waited_ns / self.gil_counted_ns } else { 0.0 };
        all * (1.0 - foreign.clamp(0.0, 1.0))
    }

    /// What it all says; `None` if no time was seen.
    pub(super) fn estimate(&self) -> Option<Estimate> {
        if self.time_ns <= 0.0 {
            return None;
        }
        let time_ns = self.time_ns;
        let workers = ((self.busy_ns - self.joining_ns) / time_ns).max(0.0);
        let cpu_share = self.cpu_ns / time_ns;
        let foreign_share = self.foreign_cpu_ns / time_ns;
        let cores = self.core_ns / time_ns;
        let (gil, pressed, sees_gil) = self.gil_utilisation(cpu_share, foreign_share);
        // What others use is no capacity of ours, but a pool can claim its part of it back.
        let cores_left = (cores - foreign_share).max(cores / 4.0);
        let core = (cpu_share / cores_left).min(1.0);
        let runqueue = self.runqueue_ns / time_ns;
        // Which of them is it? One that is wanted all the time, though it is on its way from hand to
        // hand for part of it.
        let (bottleneck, mut utilisation, mut pressure, servers) = if pressed >= core {
            (Bottleneck::Gil, gil, pressed, 1.0)
        } else {
            (Bottleneck::Cores, core, core, cores_left.max(1.0))
        };
        let is_sampled = bottleneck == Bottleneck::Gil && self.gil_looks > 0.0;
        let utilisation_error = if is_sampled { (gil * (1.0 - gil) / self.gil_looks).sqrt() } else { 0.0 };
        let mut named = bottleneck;
        if self.is_throttled {
            (utilisation, pressure) = (1.0, 1.0);
            named = Bottleneck::Quota;
        }
        let waiting = (self.gil_waiters_mean() + runqueue).min(workers);
        let active = (workers - waiting).max(0.0);
        // A hand-over is pressure without use. More workers shorten some of them, so the truth lies
        // between; where, was found on two cores with tasks of 20 us.
        let divisor = utilisation + HANDOVER_SHARE * (pressure - utilisation);
        let knee = (active / divisor.max(1e-6)).max(servers.min(1.0));
        Some(Estimate {
            bottleneck: named,
            utilisation,
            utilisation_error,
            pressure,
            workers,
            knee,
            variation: self.demand.variation().filter(|_| self.demand.tasks >= LEAST_TASKS).unwrap_or(0.0),
            servers,
            sees_gil,
        })
    }

    /// Utilisation of the GIL, how much it is wanted, and whether it was seen at all.
    fn gil_utilisation(&self, cpu_share: f64, foreign_share: f64) -> (f64, f64, bool) {
        if self.gil_seen_ns <= 0.0 {
            // Free-threaded: there is none. Unknown: a pool that burns less than a core in all may be
            // bound by the GIL, one that burns more has proved that it is not (by it alone).
            let is_off = self.gil_off > 0.0;
            let bound = if is_off || cpu_share > 1.1 { 0.0 } else { cpu_share.min(1.0) };
            return (bound, bound, is_off);
        }
        // What others keep busy is not used up by us: more workers may get more of it, or not, as the
        // trial will tell. Not counted is what a main thread burns that only hands tasks out.
        let foreign = (foreign_share - FOREIGN_CPU_SHARE).max(0.0);
        let of_ours = |time_ns: f64| (time_ns / self.gil_seen_ns - foreign).clamp(0.0, 1.0);
        (of_ours(self.gil_held_ns), of_ours(self.gil_busy_ns), true)
    }
}

/// CPU time of threads that are not the pool's, as a share of one core, that is no rival for the
/// GIL: a main thread that submits and collects. Not critical.
const FOREIGN_CPU_SHARE: f64 = 0.3;

/// Tasks that a variance is taken from, at least.
const LEAST_TASKS: f64 = 20.0;

/// How much of the time that the GIL is wanted but not held counts as used.
const HANDOVER_SHARE: f64 = 0.35;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allowance::Allowance;
    use crate::window::Looks;

    const MS: u64 = 1_000_000;

    fn window(workers: u64, cpu_percent: u64, looks: Looks) -> Window {
        Window {
            duration_ns: 50 * MS,
            completions: 5,
            busy_ns: workers * 50 * MS,
            workers_cpu_ns: Some(cpu_percent * MS / 2),
            process_cpu_ns: Some(cpu_percent * MS / 2),
            looks,
            allowance: Allowance { cores: 2.0, ..Allowance::default() },
            ..Window::default()
        }
    }

    fn gil(busy: u32, waiters: u64) -> Looks {
        let looks_ns = 20.0 * 2.5e6;
        let busy_ns = f64::from(busy) * 2.5e6;
        Looks {
            count: 20,
            seen: 20,
            seen_ns: looks_ns,
            held_ns: busy_ns,
            busy_ns,
            counted: 20,
            counted_ns: looks_ns,
            waited_ns: waiters as f64 * looks_ns,
            ..Looks::default()
        }
    }

    fn estimate(window: &Window) -> Estimate {
        let mut evidence = Evidence::default();
        evidence.add(window, 300e6);
        evidence.estimate().expect("time was seen")
    }

    #[test]
    fn workers_that_only_fight_for_the_gil_have_a_knee_of_one() {
        let seen = estimate(&window(6, 100, gil(20, 5)));
        assert_eq!(seen.bottleneck, Bottleneck::Gil);
        assert!((seen.knee - 1.0).abs() < 0.01, "{seen:?}");
    }

    #[test]
    fn the_stated_workload_has_a_knee_of_six_seen_from_ten() {
        let seen = estimate(&window(10, 100, gil(20, 4)));
        assert!((seen.knee - 6.0).abs() < 0.01, "{seen:?}");
    }

    #[test]
    fn an_event_loop_that_waits_for_the_gil_is_no_worker_too_many() {
        let mut looks = gil(20, 4);
        (0..5).for_each(|_| looks.tell(4, 1.0));
        let seen = estimate(&window(9, 100, looks));
        assert!((seen.knee - 6.0).abs() < 0.01, "{seen:?}");
    }

    #[test]
    fn native_work_is_bound_by_the_cores() {
        let mut busy = window(8, 195, gil(5, 0));
        busy.workers_runqueue_ns = Some(6 * 50 * MS);
        let seen = estimate(&busy);
        assert_eq!(seen.bottleneck, Bottleneck::Cores);
        assert!((seen.knee - 2.05).abs() < 0.1, "{seen:?}");
    }

    #[test]
    fn a_gil_held_by_a_sleeper_is_used_up() {
        let seen = estimate(&window(6, 0, gil(20, 5)));
        assert!(seen.utilisation > 0.99 && seen.knee < 1.01, "{seen:?}");
    }
}
