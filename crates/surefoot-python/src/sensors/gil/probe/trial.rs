//! The last proof before waiters are believed: threads of ours wait for the GIL, and are counted.
//!
//! The caller holds the GIL, so that threads that want it can only wait: the count must rise by
//! their number. It does not wait for them to get it, since it might hold up a program in which
//! many want it; the last of them sees to it that the count has fallen. If they were not there in
//! time, the last of them, which has the GIL then, may try again in the caller's place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use surefoot_core::clock;

use crate::attach;

/// Two, so that one stray thread does not look like a success.
const WAITERS: u32 = 2;
/// How long the caller looks out for them, and the interpreter stands still: they need a fraction
/// of a millisecond, unless the machine has no core for them.
const PATIENCE_NS: u64 = 5_000_000;
const PAUSE: Duration = Duration::from_micros(20);
/// More waiters than a process has threads: not a count.
const MOST: u32 = 1 << 22;
/// How often the last thread looks whether the count has fallen. In a busy program others may come
/// to wait where ours have left.
const LOOKS: u32 = 20;
const STACK_BYTES: usize = 256 * 1024;
/// In place of a peak: the caller gave up.
const NO_PEAK: u32 = u32::MAX;

/// How the trial reads the count, and whom its threads tell what comes out later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) waiters: fn() -> Option<u32>,
    /// The count has not fallen again.
    pub(super) disprove: fn(String),
    /// The threads came late: another trial may succeed.
    pub(super) again: fn(Python<'_>),
}

impl Trial {
    /// Proves that those who wait for the GIL, which the caller holds, are counted.
    pub(super) fn run(self) -> Result<(), String> {
        let before = self.count()?;
        let peak = Arc::new(AtomicU32::new(NO_PEAK));
        let left = Arc::new(AtomicU32::new(WAITERS));
        for _ in 0..WAITERS {
            let (peak, left) = (Arc::clone(&peak), Arc::clone(&left));
            thread::Builder::new()
                .name("surefoot-trial".to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || self.wait(&peak, &left))
                .map_err(|error| format!("no thread for a trial: {error}"))?;
        }
        let deadline_ns = clock::now_ns() + PATIENCE_NS;
        // Nobody sends: this is a pause.
        let (_send, pause) = channel::<()>();
        loop {
            let now = self.count()?;
            if now >= before + WAITERS {
                // The GIL orders this before the threads' loads.
                peak.store(now, Ordering::Relaxed);
                return Ok(());
            }
            if clock::now_ns() > deadline_ns {
                return Err(format!(
                    "with {WAITERS} more threads waiting the count went from {before} to {now}"
                ));
            }
            let _ = pause.recv_timeout(PAUSE);
        }
    }

    fn count(self) -> Result<u32, String> {
        match (self.waiters)() {
            Some(count) if count < MOST => Ok(count),
            Some(count) => Err(format!("{count} waiters cannot be")),
            None => Err("the waiters cannot be read".to_owned()),
        }
    }

    fn wait(self, peak: &AtomicU32, left: &AtomicU32) {
        let is_last = attach::try_attached(|_py| left.fetch_sub(1, Ordering::Relaxed) == 1);
        // `None`: the interpreter goes down, and nobody will read the sensor.
        if is_last != Some(true) {
            return;
        }
        let peak = peak.load(Ordering::Relaxed);
        if peak == NO_PEAK {
            let _ = attach::try_attached(self.again);
            return;
        }
        for _ in 0..LOOKS {
            let has_fallen = attach::try_attached(|_py| (self.waiters)().is_some_and(|now| now < peak));
            if has_fallen != Some(false) {
                return;
            }
        }
        (self.disprove)(format!("the count rose to {peak} and was not seen to fall"));
    }
}
