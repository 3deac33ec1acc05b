//! The fast gate: work waits and nobody is runnable, so admit more, at once.
//!
//! The rule of Linux's concurrency-managed workqueues and of I/O completion ports: while a worker
//! is runnable no other is started, and when the last one blocks the next is. A look can tell:
//! the GIL is neither held nor wanted, and the process burns little CPU. A load that blocks at once
//! is served by steps that double, so a rendezvous of hundreds is through in some ten looks; a load
//! that computes makes the next look find somebody runnable, which ends the growth.

use super::constants::Constants;
use crate::look::Look;

/// How many workers the first step of a run admits once the knee is known, as a divisor of the limit.
const FIRST_STEP_DIVISOR: usize = 4;

/// What the gate remembers between looks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gate {
    /// Looks in a row that found nobody runnable.
    quiet_looks: u32,
    /// How long that has been so since the last step.
    quiet_ns: u64,
    /// Workers admitted by the last step; doubled by the next as long as it stays quiet.
    step: usize,
    /// Workers of the last step had not come at the last look.
    are_coming: bool,
}

impl Gate {
    /// Looks; the new limit if the gate opens. `patience_ns`: how long nobody may be runnable first;
    /// `None` while the knee is not known, when no gap is expected.
    pub(super) fn look(
        &mut self,
        look: &Look,
        patience_ns: Option<u64>,
        constants: &Constants,
    ) -> Option<usize> {
        // Until the workers of the last step have come, their effect is not to be seen; and making
        // their threads is work that says nothing about the tasks, in the look that ends it, too.
        if self.step > 0 && look.queue_length > 0 {
            let are_coming = !look.is_bound();
            if std::mem::replace(&mut self.are_coming, are_coming) || are_coming {
                return None;
            }
        }
        if !Self::is_quiet(look, constants) {
            // A step that made somebody runnable was enough.
            *self = Self::default();
            return None;
        }
        self.quiet_ns = self.quiet_ns.saturating_add(look.since_ns);
        if !look.is_bound() {
            self.quiet_looks = 0;
            return None;
        }
        self.quiet_looks += 1;
        let least_ns = match (patience_ns, self.step) {
            (None, _) => 0,
            (Some(patience_ns), 0) => patience_ns,
            (Some(_), _) => constants.gate_settled_step_ns,
        };
        if self.quiet_looks < constants.gate_looks || self.quiet_ns < least_ns {
            return None;
        }
        self.quiet_looks = 0;
        self.quiet_ns = 0;
        self.are_coming = true;
        self.step = if self.step == 0 {
            // Nothing known: as fast as the standard pool, nearly, which would start them all at once.
            let divisor = if patience_ns.is_some() { FIRST_STEP_DIVISOR } else { 1 };
            (look.limit / divisor).max(1)
        } else {
            self.step.saturating_mul(2)
        };
        let limit = look.limit.saturating_add(self.step).min(look.cap);
        (limit > look.limit).then_some(limit)
    }

    /// Whether the last look found nobody runnable, so that the next should come soon.
    pub(super) fn is_near(&self) -> bool {
        self.quiet_looks > 0 || self.step > 0
    }

    fn is_quiet(look: &Look, constants: &Constants) -> bool {
        if look.queue_length == 0 {
            return false;
        }
        let quiet_cpu = look
            .process_cpu_ns
            .is_none_or(|cpu_ns| (cpu_ns as f64) < constants.quiet_cpu_share * look.since_ns as f64);
        quiet_cpu && look.gil.is_busy() != Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gil::{GilReading, GilState};

    fn quiet(limit: usize) -> Look {
        Look {
            since_ns: 1_000_000,
            queue_length: 500,
            limit,
            cap: 256,
            min_workers: 1,
            workers_busy: limit,
            process_cpu_ns: Some(10_000),
            gil: GilReading::Seen(GilState { waiters: Some(0), ..GilState::default() }),
            ..Look::default()
        }
    }

    #[test]
    fn a_blocked_pool_reaches_its_cap_in_a_few_looks() {
        let mut gate = Gate::default();
        let mut limit = 6;
        let mut looks = 0;
        while limit < 256 {
            limit = gate.look(&quiet(limit), None, &Constants::default()).unwrap_or(limit);
            looks += 1;
            assert!(looks < 25, "at {limit}");
        }
    }

    #[test]
    fn one_runnable_thread_closes_it() {
        let held = GilReading::Seen(GilState { is_held: true, ..GilState::default() });
        let wanted = GilReading::Seen(GilState { waiters: Some(1), ..GilState::default() });
        let runnable = [
            Look { gil: held, ..quiet(6) },
            Look { gil: wanted, ..quiet(6) },
            Look { process_cpu_ns: Some(900_000), ..quiet(6) },
        ];
        for look in runnable {
            let mut gate = Gate::default();
            for _ in 0..9 {
                assert_eq!(gate.look(&look, None, &Constants::default()), None);
            }
        }
    }

    #[test]
    fn it_waits_for_the_workers_it_asked_for() {
        let mut gate = Gate::default();
        let starting = Look { workers_busy: 3, ..quiet(6) };
        for _ in 0..9 {
            assert_eq!(gate.look(&starting, None, &Constants::default()), None);
        }
    }

    #[test]
    fn a_known_knee_makes_it_patient() {
        let constants = Constants::default();
        let mut gate = Gate::default();
        let mut waited_ns = 0;
        while gate.look(&quiet(8), Some(constants.gate_settled_ns), &constants).is_none() {
            waited_ns += quiet(8).since_ns;
            assert!(waited_ns < 10 * constants.gate_settled_ns);
        }
        assert!(waited_ns + quiet(8).since_ns >= constants.gate_settled_ns);
    }
}
