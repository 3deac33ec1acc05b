//! Notes Ctrl-C and SIGTERM instead of dying of them, for as long as a [`Guard`] lives.
//!
//! The host process is usually Python, which has handlers of its own. They are put back afterwards and do not
//! see what the guard took, so that no `KeyboardInterrupt` follows an interruption that was already dealt with.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

/// The signal that arrived, or 0. A process has one set of handlers, so one place is enough.
static RECEIVED: AtomicI32 = AtomicI32::new(0);

extern "C" fn note(signal: libc::c_int) {
    // Relaxed: the flag guards no other data.
    RECEIVED.store(signal, Ordering::Relaxed);
}

/// Which signal has arrived since the guard was made, if any.
pub(crate) fn received() -> Option<i32> {
    match RECEIVED.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(signal),
    }
}

/// Waits, at most `timeout`; a signal ends the wait at once, also one that restarts other calls.
pub(crate) fn wait(timeout: Duration) {
    let timeout_ms = libc::c_int::try_from(timeout.as_millis().max(1)).unwrap_or(libc::c_int::MAX);
    // SAFETY: no descriptors are passed.
    unsafe { libc::poll(ptr::null_mut(), 0, timeout_ms) };
}

/// While it lives, SIGINT and SIGTERM are noted; dropping it restores the former handlers.
pub(crate) struct Guard {
    former: Vec<(libc::c_int, libc::sigaction)>,
}

impl Guard {
    pub(crate) fn install() -> io::Result<Self> {
        RECEIVED.store(0, Ordering::Relaxed);
        let mut guard = Self { former: Vec::with_capacity(2) };
        for signal in [libc::SIGINT, libc::SIGTERM] {
            let former = replace(signal, None)?;
            if former.sa_sigaction == libc::SIG_IGN {
                // Whoever started us wants us to outlive Ctrl-C, as nohup and `&` do.
                continue;
            }
            // SAFETY: all-zero bytes are a valid sigaction: integers, an empty mask and no restorer.
            let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
            let handler: extern "C" fn(libc::c_int) = note;
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            replace(signal, Some(&action))?;
            guard.former.push((signal, former));
        }
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        for (signal, former) in &self.former {
            // Nothing can be done about a failure, and putting back what the kernel gave us does not fail.
            let _ = replace(*signal, Some(former));
        }
    }
}

/// Installs `action` if there is one; returns what was in force before.
fn replace(signal: libc::c_int, action: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let mut former = MaybeUninit::<libc::sigaction>::zeroed();
    let action = action.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `action` is null or points to a live sigaction whose handler only stores to an atomic, which is
    // async-signal-safe (or is one the kernel itself reported); `former` is writable.
    let status = unsafe { libc::sigaction(signal, action, former.as_mut_ptr()) };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed is valid already, and the call has filled it in.
    Ok(unsafe { former.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_notes_the_signal_and_restores_the_former_handler() {
        let before = replace(libc::SIGTERM, None).unwrap();
        {
            let _guard = Guard::install().unwrap();
            assert_eq!(received(), None);
            // SAFETY: raise has no preconditions; the guard's handler is in force.
            unsafe { libc::raise(libc::SIGTERM) };
            assert_eq!(received(), Some(libc::SIGTERM));
        }
        let after = replace(libc::SIGTERM, None).unwrap();
        assert_eq!(after.sa_sigaction, before.sa_sigaction);
    }
}
