//! One thread for the process that looks after every pool that has work.
//!
//! It never needs the interpreter, holds only weak references, and sleeps without a time-out while
//! no pool is watched. A pool is watched from its first task until its regulator has nothing left
//! to do.

use std::sync::{Arc, Condvar, Mutex, Weak};

use crate::clock;
use crate::sync::lock_std;

/// Something that wants to be looked at from time to time.
pub trait Watched: Send + Sync {
    /// Looks; returns when to look again (monotonic clock), or `None` to be forgotten.
    fn tick(self: Arc<Self>, now_ns: u64) -> Option<u64>;
}

struct Watch {
    pool: Weak<dyn Watched>,
    due_ns: u64,
}

#[derive(Default)]
struct Roster {
    watches: Vec<Watch>,
    is_running: bool,
}

/// The process's monitor.
#[derive(Default)]
pub struct Monitor {
    roster: Mutex<Roster>,
    changed: Condvar,
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Monitor")
            .field("watched", &lock_std(&self.roster).watches.len())
            .finish_non_exhaustive()
    }
}

impl Monitor {
    /// Watches `pool` from `due_ns` on, starting the thread if there is none yet.
    ///
    /// # Errors
    /// If the system gives no thread; the pool is not watched then, and may be offered again.
    pub fn watch(self: &Arc<Self>, pool: Weak<dyn Watched>, due_ns: u64) -> std::io::Result<()> {
        let mut roster = lock_std(&self.roster);
        if !roster.is_running {
            let monitor = Arc::clone(self);
            // The thread keeps the monitor alive and never ends: the process's end takes it along.
            std::thread::Builder::new()
                .name("surefoot-monitor".to_owned())
                .stack_size(256 * 1024)
                .spawn(move || monitor.run())?;
            roster.is_running = true;
        }
        roster.watches.push(Watch { pool, due_ns });
        drop(roster);
        self.changed.notify_one();
        Ok(())
    }

    fn run(&self) {
        let mut roster = lock_std(&self.roster);
        loop {
            let now_ns = clock::now_ns();
            let due: Vec<_> = extract_due(&mut roster.watches, now_ns);
            if due.is_empty() {
                roster = self.sleep(roster, now_ns);
                continue;
            }
            drop(roster);
            let again: Vec<Watch> = due
                .into_iter()
                .filter_map(|watch| {
                    let due_ns = watch.pool.upgrade()?.tick(clock::now_ns())?;
                    Some(Watch { due_ns, ..watch })
                })
                .collect();
            roster = lock_std(&self.roster);
            roster.watches.extend(again);
        }
    }

    fn sleep<'a>(
        &'a self,
        roster: std::sync::MutexGuard<'a, Roster>,
        now_ns: u64,
    ) -> std::sync::MutexGuard<'a, Roster> {
        let next_ns = roster.watches.iter().map(|watch| watch.due_ns).min();
        let poisoned = std::sync::PoisonError::into_inner;
        match next_ns {
            None => self.changed.wait(roster).unwrap_or_else(poisoned),
            Some(next_ns) => {
                let left = std::time::Duration::from_nanos(next_ns.saturating_sub(now_ns));
                self.changed.wait_timeout(roster, left).unwrap_or_else(std::sync::PoisonError::into_inner).0
            }
        }
    }
}

/// Takes out the watches that are due, and drops those whose pool is gone.
fn extract_due(watches: &mut Vec<Watch>, now_ns: u64) -> Vec<Watch> {
    let mut due = Vec::new();
    let mut place = 0;
    while place < watches.len() {
        if watches[place].due_ns <= now_ns {
            due.push(watches.swap_remove(place));
        } else if watches[place].pool.strong_count() == 0 {
            watches.swap_remove(place);
        } else {
            place += 1;
        }
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    struct Countdown {
        left: Mutex<u32>,
        ticked: mpsc::Sender<()>,
    }

    impl Watched for Countdown {
        fn tick(self: Arc<Self>, now_ns: u64) -> Option<u64> {
            self.ticked.send(()).expect("the test listens");
            let mut left = lock_std(&self.left);
            *left -= 1;
            (*left > 0).then_some(now_ns)
        }
    }

    #[test]
    fn ticks_until_it_is_told_to_forget() {
        let monitor = Arc::new(Monitor::default());
        let (ticked, ticks) = mpsc::channel();
        let pool: Arc<dyn Watched> = Arc::new(Countdown { left: Mutex::new(3), ticked });
        monitor.watch(Arc::downgrade(&pool), 0).expect("a thread can be made");
        for _ in 0..3 {
            ticks.recv_timeout(std::time::Duration::from_secs(10)).expect("a tick");
        }
        drop(pool);
        // The pool holds the only sender. A fourth tick, or a monitor that keeps the pool, shows here.
        let end = ticks.recv_timeout(std::time::Duration::from_secs(10));
        assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_pool_that_is_gone_is_forgotten() {
        let (ticked, _ticks) = mpsc::channel();
        let pool: Arc<dyn Watched> = Arc::new(Countdown { left: Mutex::new(1), ticked });
        let mut watches = vec![Watch { pool: Arc::downgrade(&pool), due_ns: u64::MAX }];
        drop(pool);
        assert!(extract_due(&mut watches, 0).is_empty());
        assert!(watches.is_empty());
    }
}
