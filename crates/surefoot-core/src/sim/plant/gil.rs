//! The GIL as `CPython` hands it over (`Python/ceval_gil.c`, 3.2 to 3.14).
//!
//! - A thread that finds it free takes it, though others wait: a woken waiter may come too late.
//! - A release wakes one waiter, which has the lock after the hand-off time, if nobody was quicker.
//! - A waiter sleeps for one switch interval at a time. If it passed in vain, it begins the next; if
//!   moreover no switch happened in the whole of it, it makes the holder drop the lock.
//! - Which waiter is woken is drawn at random: the condition variable's order is that of arrival only
//!   until the waiters begin their intervals anew.
//!
//! The intervals that end in vain are not single events (2,048 waiters would make 400,000 a
//! second): their number, their CPU time and what they cost the holder flow in proportion to the
//! number of waiters.

use crate::sim::random::Random;

#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) thread: usize,
    pub(super) since_ns: u64,
}

#[derive(Debug)]
pub(super) struct Gil {
    pub(super) holder: Option<usize>,
    pub(super) waiters: Vec<Waiter>,
    /// The waiter that was woken and is on its way.
    pub(super) woken: Option<usize>,
    /// A holder that was made to drop the lock, and waits until somebody else has it.
    forced: Option<usize>,
    last_holder: Option<usize>,
    interval_ns: u64,
    switched_ns: u64,
    pub(super) switches: u64,
    pub(super) waits: f64,
    /// When the first waiter will have seen no switch for a whole interval; `None`: not computed.
    drop_ns: Option<u64>,
}

impl Gil {
    pub(super) fn new(interval_ns: u64) -> Self {
        Self {
            holder: None,
            waiters: Vec::new(),
            woken: None,
            forced: None,
            last_holder: None,
            interval_ns,
            switched_ns: 0,
            switches: 0,
            waits: 0.0,
            drop_ns: None,
        }
    }

    /// Begins a wait.
    pub(super) fn wait(&mut self, thread: usize, now_ns: u64) {
        self.waiters.push(Waiter { thread, since_ns: now_ns });
        self.waits += 1.0;
        if let Some(drop_ns) = &mut self.drop_ns {
            *drop_ns = (*drop_ns).min(now_ns + self.interval_ns);
        }
    }

    /// Gives the free lock to a thread, which is no waiter (any more).
    pub(super) fn take(&mut self, thread: usize, now_ns: u64) {
        debug_assert!(self.holder.is_none(), "two holders");
        self.holder = Some(thread);
        if self.last_holder != Some(thread) {
            self.last_holder = Some(thread);
            self.switches += 1;
            self.switched_ns = now_ns;
            if let Some(forced) = self.forced.take() {
                self.wait(forced, now_ns);
            }
        }
        self.drop_ns = None;
    }

    /// Ends the wait of a thread; since when it waited.
    pub(super) fn end_wait(&mut self, thread: usize) -> Option<u64> {
        let place = self.waiters.iter().position(|waiter| waiter.thread == thread)?;
        Some(self.waiters.swap_remove(place).since_ns)
    }

    /// Frees the lock; the waiter to wake, if none is on its way already.
    pub(super) fn release(&mut self, random: &mut Random) -> Option<usize> {
        self.holder = None;
        if self.woken.is_some() || self.waiters.is_empty() {
            return None;
        }
        self.woken = Some(self.waiters[random.below(self.waiters.len())].thread);
        self.woken
    }

    /// Frees the lock because a waiter asked for it; the holder waits until it is gone.
    pub(super) fn drop_forced(&mut self, random: &mut Random) -> Option<usize> {
        self.forced = self.holder;
        self.release(random)
    }

    /// Whether somebody will have waited for an interval without a switch by `end_ns`, and when.
    pub(super) fn drop_request_ns(&mut self, end_ns: u64) -> Option<u64> {
        if self.waiters.is_empty() || end_ns <= self.switched_ns + self.interval_ns {
            return None;
        }
        let (interval_ns, switched_ns) = (self.interval_ns, self.switched_ns);
        let drop_ns = *self.drop_ns.get_or_insert_with(|| {
            let ask_ns = |waiter: &Waiter| {
                let intervals = switched_ns.saturating_sub(waiter.since_ns).div_ceil(interval_ns);
                waiter.since_ns + (intervals + 1) * interval_ns
            };
            self.waiters.iter().map(ask_ns).min().unwrap_or(u64::MAX)
        });
        (drop_ns < end_ns).then_some(drop_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL_NS: u64 = 5_000_000;

    #[test]
    fn a_waiter_asks_after_a_whole_interval_without_a_switch() {
        let mut gil = Gil::new(INTERVAL_NS);
        gil.take(0, 100);
        gil.wait(1, 1_000);
        assert_eq!(gil.drop_request_ns(u64::MAX), Some(1_000 + INTERVAL_NS));
        assert_eq!(gil.drop_request_ns(2_000), None, "the holder is done before");
    }

    #[test]
    fn a_switch_within_the_interval_puts_the_request_off_to_the_next() {
        let mut gil = Gil::new(INTERVAL_NS);
        gil.take(0, 0);
        gil.wait(1, 1_000);
        let mut random = Random::new(0, 0);
        assert_eq!(gil.release(&mut random), Some(1));
        // Thread 2 is quicker; thread 1 comes too late and waits on.
        gil.take(2, 2_000);
        gil.woken = None;
        assert_eq!(gil.drop_request_ns(u64::MAX), Some(1_000 + 2 * INTERVAL_NS));
    }

    #[test]
    fn a_forced_holder_waits_only_once_the_lock_is_gone() {
        let mut gil = Gil::new(INTERVAL_NS);
        gil.take(0, 0);
        gil.wait(1, 0);
        assert_eq!(gil.drop_forced(&mut Random::new(0, 0)), Some(1));
        assert_eq!(gil.waiters.len(), 1);
        gil.end_wait(1);
        gil.take(1, INTERVAL_NS);
        assert_eq!((gil.waiters.len(), gil.waiters[0].thread), (1, 0));
    }

    #[test]
    fn taking_it_again_is_no_switch() {
        let mut gil = Gil::new(INTERVAL_NS);
        gil.take(0, 0);
        gil.release(&mut Random::new(0, 0));
        gil.take(0, 10);
        assert_eq!(gil.switches, 1);
    }
}
