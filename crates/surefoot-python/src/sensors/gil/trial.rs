//! The last proof before waiters are believed: threads of ours wait for the GIL, and are counted.
//!
//! The caller holds the GIL, so that threads that want it can only wait: the count must rise by
//! their number. It does not wait for them to get it, since it might hold up a program in which
//! many want it; the last of them sees to it that the count has fallen, while it has the GIL
//! itself, and says so if it has not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use surefoot_core::clock;

use crate::attach;

/// Two, so that one stray thread does not look like a success.
const WAITERS: u32 = 2;
/// How long the caller looks out for them: time to start two threads on a busy machine; the
/// interpreter stands still meanwhile, and a later start tries again.
const PATIENCE_NS: u64 = 20_000_000;
/// More waiters than a process has threads: not a count.
const MOST: u32 = 1 << 22;
/// How often the last thread looks whether the count has fallen. In a busy program others may come
/// to wait where ours have left.
const LOOKS: u32 = 20;
const STACK_BYTES: usize = 256 * 1024;

/// Proves that `waiters` counts those who wait for the GIL, which the caller holds. `disprove` is
/// told later, by another thread, if the count has not fallen again.
pub(super) fn run(waiters: fn() -> Option<u32>, disprove: fn(String)) -> Result<(), String> {
    let count = || match waiters() {
        Some(count) if count < MOST => Ok(count),
        Some(count) => Err(format!("{count} waiters cannot be")),
        None => Err("the waiters cannot be read".to_owned()),
    };
    let before = count()?;
    let peak = Arc::new(AtomicU32::new(u32::MAX));
    let left = Arc::new(AtomicU32::new(WAITERS));
    for _ in 0..WAITERS {
        let (peak, left) = (Arc::clone(&peak), Arc::clone(&left));
        let wait = move || {
            let is_last = attach::try_attached(|_py| left.fetch_sub(1, Ordering::Relaxed) == 1);
            // `None`: the interpreter goes down, and nobody will read the sensor.
            if is_last == Some(true) {
                see_it_fall(waiters, peak.load(Ordering::Relaxed), disprove);
            }
        };
        thread::Builder::new()
            .name("surefoot-trial".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(wait)
            .map_err(|error| format!("no thread for a trial: {error}"))?;
    }
    let deadline_ns = clock::now_ns() + PATIENCE_NS;
    loop {
        let now = count()?;
        if now >= before + WAITERS {
            // The GIL orders this before the threads' loads.
            peak.store(now, Ordering::Relaxed);
            return Ok(());
        }
        if clock::now_ns() > deadline_ns {
            return Err(format!("with {WAITERS} more threads waiting the count went from {before} to {now}"));
        }
        thread::yield_now();
    }
}

fn see_it_fall(waiters: fn() -> Option<u32>, peak: u32, disprove: fn(String)) {
    for _ in 0..LOOKS {
        let has_fallen = attach::try_attached(|_py| waiters().is_some_and(|now| now < peak));
        if has_fallen != Some(false) {
            return;
        }
    }
    disprove(format!("the count rose to {peak} and was not seen to fall"));
}
