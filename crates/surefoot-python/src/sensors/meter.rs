//! What all workers of a pool have used so far: CPU time, and time in the run queue.
//!
//! Threads come and go and their kernel ids are used again, so the sums are made of what each
//! thread added since the reading before; they never fall. What a thread used between the last
//! reading and its end is lost: workers leave when they have long been idle.

use std::collections::{HashMap, VecDeque};

use surefoot_core::regulator::Totals;

use super::clocks;
use super::schedstat::{self, Descriptor};

/// Threads watched although no file may be kept open for them; each costs an opening a reading.
const MOST_REOPENED: usize = 8;

/// Of a watched subset, this part is exchanged at each reading.
const ROTATION_DIVISOR: usize = 8;

/// Reads one pool's workers; it is the monitor's alone.
#[derive(Debug, Default)]
pub(crate) struct WorkerMeter {
    cpu: Sum,
    runqueue: Sampler<Watch>,
}

impl WorkerMeter {
    /// Reads the sums over these threads and all that were read before.
    pub(crate) fn read(&mut self, thread_ids: &[u64]) -> Totals {
        let mut newcomers = Vec::new();
        let mut cpu_ns = None;
        if clocks::ARE_OTHERS_READABLE {
            let readings = thread_ids.iter().filter_map(|&id| Some((id, clocks::cpu_ns_of(id)?)));
            cpu_ns = Some(self.cpu.read(readings, &mut newcomers));
        }
        let is_counted = schedstat::is_counted();
        let runqueue_ns = is_counted.then(|| self.runqueue.read(thread_ids, &newcomers));
        Totals { cpu_ns, runqueue_ns, is_runqueue_sampled: is_counted && self.runqueue.is_sampled }
    }

    /// Reads the run-queue delay over these threads and all that were read before, each from when it
    /// was read first; and whether of some of them only. For threads that had a life before.
    pub(crate) fn read_runqueue(&mut self, thread_ids: &[u64]) -> (Option<u64>, bool) {
        if !schedstat::is_counted() {
            return (None, false);
        }
        let runqueue_ns = self.runqueue.read(thread_ids, &[]);
        (Some(runqueue_ns), self.runqueue.is_sampled)
    }

    /// Closes the files: nobody will read for some time. What the threads wait until the next
    /// reading does not count.
    pub(crate) fn rest(&mut self) {
        self.runqueue.watched.clear();
    }
}

/// A sum of counters that come and go.
#[derive(Debug, Default)]
struct Sum {
    total: u64,
    /// The last value of each counter, and the number of the reading.
    last: HashMap<u64, (u64, u64)>,
    round: u64,
}

impl Sum {
    /// Adds what was counted since the last reading; a counter not read now is forgotten. The ids
    /// not known before are added to `newcomers`.
    fn read(&mut self, readings: impl Iterator<Item = (u64, u64)>, newcomers: &mut Vec<u64>) -> u64 {
        self.round += 1;
        let mut known = 0;
        for (id, now) in readings {
            known += 1;
            let (last, round) = self.last.entry(id).or_insert((0, 0));
            // A counter that fell is a new one with an old id.
            let is_new = *round == 0 || now < *last;
            if is_new {
                newcomers.push(id);
            }
            self.total += if is_new { now } else { now - *last };
            (*last, *round) = (now, self.round);
        }
        if known < self.last.len() {
            let round = self.round;
            self.last.retain(|_, (_, read)| *read == round);
        }
        self.total
    }
}

/// A counter of a thread.
trait Counter: Sized {
    /// Begins to watch a thread; `watched` others are watched already.
    fn open(thread_id: u64, watched: usize) -> Option<Self>;
    /// Its value; `None` if the thread is gone.
    fn value(&self) -> Option<u64>;
}

/// A run-queue delay.
#[derive(Debug)]
enum Watch {
    Kept(Descriptor),
    Reopened(u64),
}

impl Counter for Watch {
    fn open(thread_id: u64, watched: usize) -> Option<Self> {
        let kept = Descriptor::open(thread_id).map(Self::Kept);
        kept.or_else(|| (watched < MOST_REOPENED).then_some(Self::Reopened(thread_id)))
    }

    fn value(&self) -> Option<u64> {
        match self {
            Self::Kept(descriptor) => descriptor.runqueue_ns(),
            Self::Reopened(thread_id) => schedstat::runqueue_ns_of(*thread_id),
        }
    }
}

/// A sum of counters that are too many to watch all: some are watched, in turn, and stand for the
/// others.
#[derive(Debug)]
struct Sampler<C> {
    total: f64,
    is_sampled: bool,
    /// Counters, their threads and last values; who is watched longest is first.
    watched: VecDeque<(u64, C, u64)>,
    /// Where among the threads the search for the next to watch goes on.
    place: usize,
}

impl<C> Default for Sampler<C> {
    fn default() -> Self {
        Self { total: 0.0, is_sampled: false, watched: VecDeque::new(), place: 0 }
    }
}

impl<C: Counter> Sampler<C> {
    /// Adds what was counted since the last reading. A newcomer's counter began at 0 since then;
    /// of another thread that is not watched yet, the past is not known.
    fn read(&mut self, thread_ids: &[u64], newcomers: &[u64]) -> u64 {
        let mut added = 0;
        let mut seen = 0_usize;
        self.watched.retain_mut(|(_, counter, last)| {
            let Some(now) = counter.value() else { return false };
            added += now.saturating_sub(*last);
            seen += 1;
            *last = now;
            true
        });
        self.exchange(thread_ids, |thread_id, value| {
            if newcomers.contains(&thread_id) {
                added += value;
                seen += 1;
            }
        });
        self.is_sampled = self.watched.len() < thread_ids.len();
        let scale = if seen > 0 { (thread_ids.len() as f64 / seen as f64).max(1.0) } else { 1.0 };
        self.total += added as f64 * scale;
        saturating_u64(self.total)
    }

    /// Watches more threads, in place of some others if not all can be watched.
    fn exchange(&mut self, thread_ids: &[u64], mut begun: impl FnMut(u64, u64)) {
        if self.watched.len() == thread_ids.len() {
            return;
        }
        let mut known: std::collections::HashSet<u64> = self.watched.iter().map(|watch| watch.0).collect();
        let mut to_exchange = self.watched.len() / ROTATION_DIVISOR;
        for _ in 0..thread_ids.len() {
            self.place = (self.place + 1) % thread_ids.len();
            let thread_id = thread_ids[self.place];
            if known.contains(&thread_id) {
                continue;
            }
            let mut counter = C::open(thread_id, self.watched.len());
            if counter.is_none() && to_exchange > 0 {
                to_exchange -= 1;
                drop(self.watched.pop_front());
                counter = C::open(thread_id, self.watched.len());
            }
            let Some(counter) = counter else { return };
            let Some(value) = counter.value() else { continue };
            begun(thread_id, value);
            self.watched.push_back((thread_id, counter, value));
            known.insert(thread_id);
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float is cut to the range")]
fn saturating_u64(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    thread_local! {
        /// What the fake kernel has counted, by thread.
        static COUNTED: RefCell<HashMap<u64, u64>> = RefCell::default();
    }

    #[derive(Debug)]
    struct Fake(u64);

    impl Counter for Fake {
        fn open(thread_id: u64, watched: usize) -> Option<Self> {
            (watched < 16).then_some(Self(thread_id))
        }

        fn value(&self) -> Option<u64> {
            COUNTED.with_borrow(|counted| counted.get(&self.0).copied())
        }
    }

    fn count(threads: impl IntoIterator<Item = u64>, each: u64) {
        COUNTED.with_borrow_mut(|counted| {
            for thread_id in threads {
                *counted.entry(thread_id).or_default() += each;
            }
        });
    }

    #[test]
    fn a_sum_never_falls() {
        let mut sum = Sum::default();
        let mut newcomers = Vec::new();
        let mut read = |readings: &[(u64, u64)]| {
            newcomers.clear();
            (sum.read(readings.iter().copied(), &mut newcomers), newcomers.clone())
        };
        assert_eq!(read(&[(1, 10), (2, 20)]), (30, vec![1, 2]));
        assert_eq!(read(&[(1, 15), (2, 20)]), (35, vec![]));
        assert_eq!(read(&[(2, 21)]), (36, vec![]), "one left");
        assert_eq!(read(&[(2, 4)]), (40, vec![2]), "its id was given to another");
        assert_eq!(read(&[(1, 3), (2, 4)]), (43, vec![1]), "an id that is back is new");
        assert_eq!(read(&[]), (43, vec![]));
    }

    #[test]
    fn a_few_threads_are_watched_exactly() {
        let mut sampler = Sampler::<Fake>::default();
        count([1, 2], 100);
        assert_eq!(sampler.read(&[2], &[]), 0, "its past is not known");
        assert_eq!(sampler.read(&[1, 2], &[1]), 100);
        count([1, 2], 7);
        assert_eq!(sampler.read(&[1, 2], &[]), 114);
        COUNTED.with_borrow_mut(|counted| counted.remove(&1));
        count([2], 5);
        assert_eq!(sampler.read(&[2], &[]), 119);
        assert!(!sampler.is_sampled);
        assert_eq!(sampler.watched.len(), 1);
    }

    #[test]
    fn many_threads_are_sampled_in_turn() {
        let mut sampler = Sampler::<Fake>::default();
        let threads: Vec<u64> = (0..100).collect();
        count(threads.iter().copied(), 0);
        sampler.read(&threads, &[]);
        assert!(sampler.is_sampled);
        assert_eq!(sampler.watched.len(), 16);
        let mut met = std::collections::HashSet::new();
        let mut last = 0;
        for round in 0..200 {
            // Half of them wait, at the other end of the list from time to time.
            let half = if round % 20 < 10 { 0..50 } else { 50..100 };
            count(half, 10);
            met.extend(sampler.watched.iter().map(|watch| watch.0));
            let now = sampler.read(&threads, &[]);
            assert!(now >= last);
            last = now;
        }
        assert_eq!(met.len(), 100, "each has its turn");
        let truth = 200.0 * 50.0 * 10.0;
        assert!((last as f64 / truth - 1.0).abs() < 0.25, "{last} for {truth}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_real_threads_work_is_metered() {
        let own = clocks::own_thread_id().unwrap();
        let mut meter = WorkerMeter::default();
        let before = meter.read(&[own]).cpu_ns.unwrap();
        while clocks::own_cpu_ns().unwrap() < before + 5_000_000 {}
        let after = meter.read(&[own]);
        assert!(after.cpu_ns.unwrap() >= before + 5_000_000);
        assert!(after.runqueue_ns.is_some() && !after.is_runqueue_sampled);
        meter.rest();
        assert!(meter.read(&[own]).runqueue_ns.unwrap() >= after.runqueue_ns.unwrap());
    }
}
