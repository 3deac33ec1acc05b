//! The monitor's part: it looks when the regulator says so, and applies what it decides.

use super::{Event, FIRST_WORKER, Plant};
use crate::allowance::Allowance;
use crate::gil::{GilReading, GilState};
use crate::regulator::{Readings, Totals};

/// How often the machine's allowance is read anew.
const ALLOWANCE_NS: u64 = 1_000_000_000;

/// How late a thread wakes from a timed wait.
const TIMER_LATE_NS: u64 = 60_000;

impl Plant<'_> {
    /// Has the monitor look after the pool, if it does not already.
    pub(super) fn watch(&mut self) {
        let Some(regulator) = &self.regulator else { return };
        if !self.is_watched {
            self.is_watched = true;
            let due_ns = regulator.first_due_ns(self.now_ns);
            self.at(due_ns + TIMER_LATE_NS, Event::Tick);
        }
    }

    pub(super) fn tick(&mut self) {
        if let Some(quota) = self.quota.as_ref().filter(|quota| quota.is_exhausted) {
            // The monitor is stopped like everybody.
            let back_ns = quota.period_end_ns;
            self.at(back_ns, Event::Tick);
            return;
        }
        if self.is_jammed() {
            self.trace.is_jammed = true;
            return;
        }
        let now_ns = self.now_ns;
        let Some(mut regulator) = self.regulator.take() else { return };
        let wanted = regulator.wanted(now_ns);
        let (snapshot, period) = self.pool.vitals(now_ns, wanted.period);
        let totals = wanted.totals.then_some(Totals {
            is_runqueue_sampled: false,
            cpu_ns: Some(self.workers_cpu_ns as u64),
            runqueue_ns: Some(self.runqueue_ns as u64),
        });
        let truth = Readings {
            snapshot,
            gil: self.gil_reading(),
            foreign_waiters: wanted.foreign_waiters.then(|| self.foreign_waiters()),
            process_cpu_ns: Some(self.process_cpu_ns as u64),
            totals,
            period,
            allowance: self.allowance(),
        };
        let readings = self.sensors.show(now_ns, &truth);
        let tick = regulator.tick(now_ns, &readings);
        self.trace.ticks += 1;
        if let Some(limit) = tick.limit {
            let action = self.pool.set_limit(limit);
            self.trace.limited(now_ns, self.pool.limit_and_cap().0);
            self.trace.decisions.extend(regulator.log().entries().last().cloned());
            self.carry_out(action);
        } else if snapshot.queue_length > 0 {
            let action = self.pool.claim_detached();
            self.carry_out(action);
        }
        let due_ns = match tick.due_ns {
            Some(due_ns) => Some(due_ns),
            None if self.pool.is_idle() => None,
            None => Some(regulator.first_due_ns(now_ns)),
        };
        self.regulator = Some(regulator);
        match due_ns {
            Some(due_ns) => self.at(due_ns.max(now_ns) + TIMER_LATE_NS, Event::Tick),
            None => self.is_watched = false,
        }
    }

    /// Whether every worker that may ever be had waits for another task: no limit helps any more.
    fn is_jammed(&self) -> bool {
        let snapshot = self.pool.vitals(self.now_ns, false).0;
        snapshot.workers_joining >= snapshot.cap && self.events.is_empty() && self.gil.holder.is_none()
    }

    fn gil_reading(&self) -> GilReading {
        if !self.machine.has_gil {
            return GilReading::Off;
        }
        GilReading::Seen(GilState {
            is_held: self.gil.holder.is_some(),
            waiters: Some(u32::try_from(self.gil.waiters.len()).unwrap_or(u32::MAX)),
            waits: Some(self.gil.waits as u64),
            switches: Some(self.gil.switches),
        })
    }

    /// The hog and the attendant, when they wait for the GIL.
    fn foreign_waiters(&self) -> f64 {
        self.gil.waiters.iter().filter(|waiter| waiter.thread < FIRST_WORKER).count() as f64
    }

    fn allowance(&mut self) -> Allowance {
        let is_stale = self.allowance_read_ns.is_none_or(|read_ns| self.now_ns >= read_ns + ALLOWANCE_NS);
        if is_stale {
            self.allowance_read_ns = Some(self.now_ns);
            let throttles = self.quota.as_ref().map_or(0, |quota| quota.throttled_count);
            self.is_throttled_lately = throttles > self.allowance_throttles;
            self.allowance_throttles = throttles;
            self.cores_read = self.machine.usable_cores();
        }
        Allowance { cores: self.cores_read, is_throttled: self.is_throttled_lately, ..Allowance::default() }
    }
}
