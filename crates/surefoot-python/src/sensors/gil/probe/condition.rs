//! Where glibc counts the waiters of a condition variable: learnt from one of our own.
//!
//! glibc (from 2.25 on) keeps in a `pthread_cond_t` a number of references, eight for each thread
//! that waits, its low three bits being flags; and a sequence number that grows by two with each
//! wait begun. Where they lie is no contract and has changed. So threads are set to wait, one by
//! one, at a condition made as the interpreter makes its own, and the words are watched: only one may
//! count them so.

use std::cell::UnsafeCell;
use std::mem::size_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Threads that wait in the trial. Three, because other counters of the structure agree on fewer.
const WAITERS: usize = 3;
const WORDS: usize = size_of::<libc::pthread_cond_t>() / 4;
/// Far more than a thread needs to start and go to sleep; not critical.
const PATIENCE: Duration = Duration::from_millis(500);
/// A waiter may wake for no reason, which spoils a trial.
const ATTEMPTS: u32 = 3;
const STACK_BYTES: usize = 64 * 1024;

/// Byte offsets in a `pthread_cond_t`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Offsets {
    /// Of the 32-bit count of references: eight for each waiter.
    pub(super) references: usize,
    /// Of the 64-bit number of waits begun, times two.
    pub(super) sequence: usize,
}

/// Finds the offsets, or says why not.
pub(super) fn calibrate() -> Result<Offsets, String> {
    let mut outcome = Err(String::new());
    for _ in 0..ATTEMPTS {
        outcome = observe().and_then(|observed| offsets(&observed));
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

type Words = [u32; WORDS];

/// The words of a condition with 0, 1, 2, 3 threads waiting, and after they have left.
#[derive(Debug)]
struct Observed {
    waiting: [Words; WAITERS + 1],
    after: Words,
}

fn offsets(observed: &Observed) -> Result<Offsets, String> {
    let counts = |word: usize, shift: u32| {
        observed.waiting.iter().zip(0..).all(|(words, waiters)| words[word] >> shift == waiters)
    };
    let flags =
        |word: usize| observed.waiting.iter().all(|words| words[word] & 7 == observed.after[word] & 7);
    let all = 0..WORDS;
    let references =
        all.clone().filter(|&word| counts(word, 3) && observed.after[word] >> 3 == 0 && flags(word));
    let sequences = all.filter(|&word| {
        // The low half of a number that does not go back.
        cfg!(target_endian = "little")
            && word % 2 == 0
            && counts(word, 1)
            && observed.after[word] >> 1 == observed.waiting[WAITERS][word] >> 1
            && observed.after[word + 1] == 0
    });
    Ok(Offsets { references: 4 * only(references, "waiters")?, sequence: 4 * only(sequences, "waits")? })
}

fn only(mut words: impl Iterator<Item = usize>, what: &str) -> Result<usize, String> {
    match (words.next(), words.next()) {
        (Some(word), None) => Ok(word),
        (None, _) => Err(format!("no word of a condition variable counts its {what}")),
        (Some(_), Some(_)) => Err(format!("several words of a condition variable may count its {what}")),
    }
}

/// A condition made as the interpreter makes the GIL's, with its mutex and what its waiters wait for.
#[derive(Debug)]
struct Trial {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    condition: UnsafeCell<libc::pthread_cond_t>,
    may_leave: UnsafeCell<bool>,
}

// SAFETY: `may_leave` is touched under the mutex only; the other two are made to be shared.
unsafe impl Sync for Trial {}
// SAFETY: neither a mutex that nobody holds nor a condition belongs to a thread.
unsafe impl Send for Trial {}

impl Trial {
    /// Boxed before it is made: neither mutex nor condition may move.
    fn new() -> Result<Arc<Self>, String> {
        let trial = Arc::new(Self {
            mutex: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
            condition: UnsafeCell::new(libc::PTHREAD_COND_INITIALIZER),
            may_leave: UnsafeCell::new(false),
        });
        // SAFETY: plain old data, which the next call makes valid.
        let mut attributes = unsafe { std::mem::zeroed::<libc::pthread_condattr_t>() };
        // SAFETY: live memory for attributes.
        let made = unsafe { libc::pthread_condattr_init(&raw mut attributes) };
        // SAFETY: attributes that were just made.
        let set = unsafe { libc::pthread_condattr_setclock(&raw mut attributes, libc::CLOCK_MONOTONIC) };
        // SAFETY: nobody uses the condition yet; the attributes are valid.
        let initialized = unsafe { libc::pthread_cond_init(trial.condition.get(), &raw const attributes) };
        if (made, set, initialized) == (0, 0, 0) {
            Ok(trial)
        } else {
            Err("no condition variable on the monotonic clock can be made".to_owned())
        }
    }

    /// Runs `work` under the mutex.
    fn locked<T>(&self, work: impl FnOnce() -> T) -> T {
        // SAFETY: a valid mutex that this thread does not hold.
        unsafe { libc::pthread_mutex_lock(self.mutex.get()) };
        let result = work();
        // SAFETY: this thread has locked it.
        unsafe { libc::pthread_mutex_unlock(self.mutex.get()) };
        result
    }

    /// What a waiter does. Under the mutex from its arrival on, except while it waits: so whoever
    /// takes the mutex after a message finds the thread waiting, or gone from the condition.
    fn wait(&self, arrived: &Sender<()>, left: &Sender<()>) {
        self.locked(|| {
            // The receiver may have given up.
            let _ = arrived.send(());
            // SAFETY: under the mutex.
            while !unsafe { *self.may_leave.get() } {
                // SAFETY: both are valid, and the mutex is held by this thread.
                unsafe { libc::pthread_cond_wait(self.condition.get(), self.mutex.get()) };
            }
            let _ = left.send(());
        });
    }

    fn dismiss(&self) {
        // SAFETY: under the mutex.
        self.locked(|| unsafe { *self.may_leave.get() = true });
        // SAFETY: a valid condition.
        unsafe { libc::pthread_cond_broadcast(self.condition.get()) };
    }

    fn words(&self) -> Words {
        let first = self.condition.get().cast::<u32>();
        self.locked(|| {
            std::array::from_fn(|index| {
                // SAFETY: `index` is below the number of words.
                let word = unsafe { first.add(index) };
                // SAFETY: an aligned word of a live condition, which others change by atomics only.
                unsafe { AtomicU32::from_ptr(word) }.load(Ordering::Relaxed)
            })
        })
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // SAFETY: the last reference, so nobody waits any more.
        unsafe { libc::pthread_cond_destroy(self.condition.get()) };
        // SAFETY: the last reference, so nobody holds it.
        unsafe { libc::pthread_mutex_destroy(self.mutex.get()) };
    }
}

fn observe() -> Result<Observed, String> {
    let trial = Trial::new()?;
    let (arrived, arrivals) = channel();
    let (left, departures) = channel();
    let waiting = gather(&trial, &arrived, &arrivals, &left);
    // In any case, or they would wait for ever.
    trial.dismiss();
    let waiting = waiting?;
    for _ in 0..WAITERS {
        departures.recv_timeout(PATIENCE).map_err(|_| "a waiting thread did not wake in time")?;
    }
    Ok(Observed { waiting, after: trial.words() })
}

fn gather(
    trial: &Arc<Trial>,
    arrived: &Sender<()>,
    arrivals: &Receiver<()>,
    left: &Sender<()>,
) -> Result<[Words; WAITERS + 1], String> {
    let mut waiting = [trial.words(); WAITERS + 1];
    for words in &mut waiting[1..] {
        let (trial_of_thread, arrived, left) = (Arc::clone(trial), arrived.clone(), left.clone());
        thread::Builder::new()
            .name("surefoot-trial".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || trial_of_thread.wait(&arrived, &left))
            .map_err(|error| format!("no thread for a trial: {error}"))?;
        arrivals.recv_timeout(PATIENCE).map_err(|_| "a thread did not start in time")?;
        *words = trial.words();
    }
    Ok(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_glibc_counts_its_waiters() {
        let offsets = calibrate().unwrap();
        assert!(offsets.references + 4 <= size_of::<libc::pthread_cond_t>());
        assert_eq!(offsets, calibrate().unwrap(), "the layout does not change while we run");
    }

    /// What the two known layouts show (glibc up to 2.40, and without `__g_refs`).
    fn observed(references: usize) -> Observed {
        let mut waiting = [[0; WORDS]; WAITERS + 1];
        for (words, waiters) in waiting.iter_mut().zip(0..) {
            words[0] = 2 * waiters;
            words[8] = if references == 9 { 2 * waiters } else { 0 };
            words[references] = (8 * waiters) | 2;
        }
        let mut after = waiting[0];
        after[0] = (2 * 3) | 1;
        Observed { waiting, after }
    }

    #[test]
    fn both_known_layouts_are_told_apart() {
        assert_eq!(offsets(&observed(9)), Ok(Offsets { references: 36, sequence: 0 }));
        assert_eq!(offsets(&observed(7)), Ok(Offsets { references: 28, sequence: 0 }));
    }

    #[test]
    fn ambiguity_and_silence_are_refused() {
        let mut twice = observed(9);
        for words in &mut twice.waiting {
            words[10] = words[9];
        }
        twice.after[10] = twice.after[9];
        assert!(offsets(&twice).unwrap_err().contains("several"));
        let mut stuck = observed(9);
        stuck.after[9] = 8;
        assert!(offsets(&stuck).unwrap_err().contains("no word"));
    }
}
