//! Where threads wait for a future to end.
//!
//! One word: shut, shut and somebody waits, open. Opening costs a system call only if somebody
//! waits. On Linux the wait is a futex, which returns when a signal arrives, so that Ctrl-C
//! reaches `result()` at once; elsewhere the waiter looks up every 50 ms.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::prelude::*;
use surefoot_core::clock;
use surefoot_core::spin::{self, Spinner};

use crate::attach;
use crate::handover;
use crate::placement;
use crate::sensors::clocks;

const SHUT: u32 = 0;
const AWAITED: u32 = 1;
const OPEN: u32 = 2;

#[derive(Debug, Default)]
pub(super) struct Gate(AtomicU32);

impl Gate {
    pub(super) fn is_open(&self) -> bool {
        // Acquire: pairs with the Release swap in `open`.
        self.0.load(Ordering::Acquire) == OPEN
    }

    /// Opens the gate and wakes all who wait.
    pub(super) fn open(&self) {
        // Release: pairs with the Acquire load in `is_open`, so that who passes sees the outcome.
        if self.0.swap(OPEN, Ordering::Release) == AWAITED {
            wake_all(&self.0);
        }
    }

    /// Shuts the gate again, for code that sets a future's private state by hand.
    pub(super) fn shut(&self) {
        self.0.store(SHUT, Ordering::Release);
    }

    /// Waits until the gate is open or `deadline_ns` has come; says whether it is open.
    ///
    /// # Errors
    /// What a signal handler raised meanwhile, such as `KeyboardInterrupt`.
    pub(super) fn wait(&self, py: Python<'_>, deadline_ns: Option<u64>) -> PyResult<bool> {
        thread_local! {
            static SPINNER: Spinner = Spinner::default();
        }
        let began_ns = clock::now_ns();
        let is_open = SPINNER.with(|spinner| {
            !placement::is_home_set()
                && spinner.is_worth_it()
                && deadline_ns.is_none_or(|deadline_ns| deadline_ns > began_ns + spin::SPIN_NS)
                && attach::detached(py, || handover::poll(|| self.is_open()))
        });
        let waited = if is_open { Ok(true) } else { self.sleep_until_open(py, deadline_ns) };
        SPINNER.with(|spinner| spinner.waited(clock::now_ns() - began_ns));
        waited
    }

    /// Where workers pass the interpreter around on one core, looks once after a moment's sleep
    /// before it asks to be woken; says whether the gate is open.
    fn is_seen_lazily(&self, py: Python<'_>, deadline_ns: Option<u64>) -> PyResult<bool> {
        // To the end of this function: until this thread is attached again, with nothing left to wait for.
        let Some(at_home) = placement::wait_at_home() else { return Ok(false) };
        let left_ns = deadline_ns.map_or(u64::MAX, |deadline_ns| deadline_ns.saturating_sub(clock::now_ns()));
        let wait_ns = left_ns.min(placement::LAZY_WAIT_NS);
        attach::detached(py, || sleep(&self.0, SHUT, Some(wait_ns)));
        drop(at_home);
        py.check_signals()?;
        Ok(self.is_open())
    }

    fn sleep_until_open(&self, py: Python<'_>, deadline_ns: Option<u64>) -> PyResult<bool> {
        if self.is_seen_lazily(py, deadline_ns)? {
            return Ok(true);
        }
        // A signal that arrives after the interpreter last looked, but before the sleep begins, wakes
        // nobody. So the thread that signals are for looks again after a moment, and then less often.
        let mut lookouts = clocks::is_main_thread().then_some([10_000_000, 100_000_000].into_iter());
        loop {
            if self.is_open() {
                return Ok(true);
            }
            let left_ns = deadline_ns.map(|deadline_ns| deadline_ns.saturating_sub(clock::now_ns()));
            if left_ns == Some(0) {
                return Ok(false);
            }
            let next_look_ns = lookouts.as_mut().map(|lookouts| lookouts.next().unwrap_or(1_000_000_000));
            let at_home = placement::wait_at_home();
            let slice_ns = at_home.as_ref().map(|_| placement::WAIT_SLICE_NS);
            let left_ns = [left_ns, next_look_ns, slice_ns].into_iter().flatten().min();
            attach::detached(py, || {
                let seen = self.0.compare_exchange(SHUT, AWAITED, Ordering::Relaxed, Ordering::Relaxed);
                if seen != Err(OPEN) {
                    sleep(&self.0, AWAITED, left_ns);
                }
            });
            drop(at_home);
            py.check_signals()?;
        }
    }
}

/// Sleeps while the word is `expected`, until it is woken.
#[cfg(target_os = "linux")]
fn sleep(word: &AtomicU32, expected: u32, timeout_ns: Option<u64>) {
    let timeout = timeout_ns.map(|left_ns| libc::timespec {
        tv_sec: libc::time_t::try_from(left_ns / 1_000_000_000).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::try_from(left_ns % 1_000_000_000).unwrap_or(0),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `word` is a live, aligned 32-bit word, and `timeout` is null or points to a timespec
    // that outlives the call. The result does not matter: the caller looks at the word again.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            expected,
            timeout,
        );
    }
}

#[cfg(target_os = "linux")]
fn wake_all(word: &AtomicU32) {
    // SAFETY: waking reads no memory; `word` is only the address that the waiters named.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, i32::MAX);
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    use surefoot_core::sync::lock_std;

    static LOCK: Mutex<()> = Mutex::new(());
    static OPENED: Condvar = Condvar::new();
    const SLICE: Duration = Duration::from_millis(50);

    pub(super) fn sleep(word: &AtomicU32, expected: u32, timeout_ns: Option<u64>) {
        let guard = lock_std(&LOCK);
        if word.load(Ordering::Acquire) != expected {
            return;
        }
        let slice = timeout_ns.map_or(SLICE, |left_ns| Duration::from_nanos(left_ns).min(SLICE));
        drop(OPENED.wait_timeout(guard, slice));
    }

    pub(super) fn wake_all(_word: &AtomicU32) {
        drop(lock_std(&LOCK));
        OPENED.notify_all();
    }
}
#[cfg(not(target_os = "linux"))]
use portable::{sleep, wake_all};
