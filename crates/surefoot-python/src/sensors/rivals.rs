//! Threads of the process that want the GIL and are not a pool's: an event loop, a main thread that
//! submits, other pools' workers.
//!
//! The count of the GIL's waiters does not say who they are. So some of the threads that lately used a CPU
//! are looked at one by one, by the [census]. A thread that uses none takes the GIL for no time worth
//! speaking of, and is not looked at.

use std::collections::{HashMap, HashSet};

use super::census::{self, Kind};
use super::clocks;

/// Between two searches for threads that use a CPU: a listing of a directory and a clock for each thread,
/// some 50 us where there are a hundred.
const SEARCH_NS: u64 = 500_000_000;

/// CPU time between two searches from which on a thread counts: a thousandth of a core.
const LEAST_CPU_NS: u64 = SEARCH_NS / 1000;

/// Threads looked at each time, in turn; they stand for the others.
const MOST_LOOKED_AT: usize = 2;

/// Reads the rivals of one pool; it is the monitor's alone.
#[derive(Debug, Default)]
pub(crate) struct Rivals {
    /// When they were last searched for; `None`: never.
    searched_ns: Option<u64>,
    /// CPU time of each thread then.
    cpu_ns: HashMap<u64, u64>,
    /// Threads that used a CPU between the last two searches, the pool's own left out.
    active: Vec<u64>,
    /// Which of them is looked at next.
    place: usize,
    /// The census does not work here.
    is_blind: bool,
}

impl Rivals {
    /// How many threads wait for the GIL and are not among `own`, the pool's, which is asked for at a search
    /// only; `None` if nobody can tell. An estimate where there are more than [`MOST_LOOKED_AT`].
    pub(crate) fn waiting(&mut self, now_ns: u64, own: impl FnOnce() -> Vec<u64>) -> Option<f64> {
        if self.is_blind || !clocks::ARE_OTHERS_READABLE {
            return None;
        }
        if self.searched_ns.is_none_or(|searched_ns| now_ns >= searched_ns + SEARCH_NS) {
            self.search(&own().into_iter().collect());
            self.searched_ns = Some(now_ns);
        }
        let rivals = &self.active;
        let looked_at = rivals.len().min(MOST_LOOKED_AT);
        if looked_at == 0 {
            return Some(0.0);
        }
        let chosen: Vec<u64> =
            (0..looked_at).map(|step| rivals[(self.place + step) % rivals.len()]).collect();
        self.place = self.place.wrapping_add(looked_at);
        let Ok(kinds) = census::look(&chosen) else {
            self.is_blind = true;
            return None;
        };
        let waiting = kinds.iter().filter(|&&kind| kind == Kind::Gil).count();
        Some(waiting as f64 * rivals.len() as f64 / looked_at as f64)
    }

    fn search(&mut self, own: &HashSet<u64>) {
        let is_first = self.searched_ns.is_none();
        let now: HashMap<u64, u64> =
            thread_ids().filter_map(|id| Some((id, clocks::cpu_ns_of(id)?))).collect();
        let itself = clocks::own_thread_id();
        let has_run = |(&id, &cpu_ns): (&u64, &u64)| {
            let before_ns = self.cpu_ns.get(&id).copied();
            // At first all that ever ran: who runs now is not known yet.
            let used_ns = if is_first { cpu_ns } else { cpu_ns.saturating_sub(before_ns.unwrap_or(0)) };
            (used_ns >= LEAST_CPU_NS && Some(id) != itself && !own.contains(&id)).then_some(id)
        };
        self.active = now.iter().filter_map(has_run).collect();
        self.active.sort_unstable();
        self.cpu_ns = now;
    }
}

/// The threads of this process, by the kernel's ids; none where it does not say.
fn thread_ids() -> impl Iterator<Item = u64> {
    let entries = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(all(test, target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;

    #[test]
    fn a_thread_that_computes_is_a_rival_and_one_that_sleeps_or_belongs_to_the_pool_is_none() {
        let stop = Arc::new(AtomicBool::new(false));
        let (send, receive) = channel();
        let (busy_send, until) = (send.clone(), Arc::clone(&stop));
        let busy = std::thread::Builder::new().spawn(move || {
            busy_send.send(clocks::own_thread_id().unwrap()).unwrap();
            while !until.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let (busy, busy_id) = (busy.unwrap(), receive.recv().unwrap());
        let (stay, until_dropped) = channel::<()>();
        let asleep = std::thread::Builder::new().spawn(move || {
            send.send(clocks::own_thread_id().unwrap()).unwrap();
            until_dropped.recv().ok();
        });
        let (asleep, asleep_id) = (asleep.unwrap(), receive.recv().unwrap());
        while clocks::cpu_ns_of(busy_id).unwrap() < LEAST_CPU_NS {
            std::thread::yield_now();
        }
        let mut rivals = Rivals::default();
        rivals.search(&HashSet::new());
        assert!(rivals.active.contains(&busy_id) && !rivals.active.contains(&asleep_id), "{rivals:?}");
        // Nobody waits for a GIL that is not there.
        assert_eq!(rivals.waiting(SEARCH_NS, Vec::new), Some(0.0));
        let all = rivals.active.clone();
        assert_eq!(rivals.waiting(3 * SEARCH_NS, || all), Some(0.0));
        assert!(!rivals.active.contains(&busy_id), "it belongs to the pool: {rivals:?}");
        stop.store(true, Ordering::Relaxed);
        drop(stay);
        busy.join().unwrap();
        asleep.join().unwrap();
    }
}
