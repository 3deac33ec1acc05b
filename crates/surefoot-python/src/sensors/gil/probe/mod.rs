//! Reads the lock's members where [`place`] found them.

mod condition;
mod oracle;
mod place;
mod trial;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::prelude::*;
use surefoot_core::gil::{GilReading, GilState};

use self::oracle::Waited;
use self::place::Place;
use self::trial::Trial;

static INTERVAL: AtomicUsize = AtomicUsize::new(0);
static IS_FREE_THREADED: AtomicBool = AtomicBool::new(false);
static REFERENCES: AtomicUsize = AtomicUsize::new(NONE);
static SEQUENCE: AtomicUsize = AtomicUsize::new(NONE);
/// What a trial is about to prove in the place of `REFERENCES`.
static CANDIDATE: AtomicUsize = AtomicUsize::new(NONE);
/// An offset that is not known.
const NONE: usize = usize::MAX;

/// Why the lock was not found.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) why: String,
    /// The interpreter says that no lock is in force.
    pub(super) is_off: bool,
}

/// How well the count of waiters is proved.
#[derive(Debug)]
pub(super) enum Proof {
    Whole(String),
    /// Up to what needs the lock in force.
    Part(String),
}

fn place() -> Place {
    Place::from_parts((INTERVAL.load(Ordering::Relaxed), IS_FREE_THREADED.load(Ordering::Relaxed)))
}

/// Where threads that wait for the lock sleep, and where those that hand it over; nothing before
/// the lock is found.
pub(crate) fn sleeping_places() -> Option<(Range<usize>, Range<usize>)> {
    // Acquire: for the release in `find`.
    let is_found = INTERVAL.load(Ordering::Acquire) != 0;
    is_found.then(|| (place().waiting(), place().handing_over()))
}

/// The lock as it is now. To be called only after [`find`] succeeded.
#[inline]
pub(super) fn read() -> GilReading {
    let place = place();
    if !place.is_enabled() {
        return GilReading::Off;
    }
    let is_held = match place.locked() {
        1 => true,
        0 => false,
        // Not made yet, or gone with its interpreter.
        _ => return GilReading::Unknown,
    };
    GilReading::Seen(GilState {
        is_held,
        waiters: waiters(place, REFERENCES.load(Ordering::Relaxed)),
        waits: match SEQUENCE.load(Ordering::Relaxed) {
            NONE => None,
            offset => Some(place.condition_double_word(offset) >> 1),
        },
        switches: Some(place.switch_number()),
    })
}

/// The interpreter's address for the thread that holds the lock now. To be called only after [`find`]
/// succeeded.
pub(super) fn holder() -> Option<u64> {
    let place = place();
    let switches = place.switch_number();
    let holder = place.last_holder();
    // The holder is written just after the lock is taken, and the count after that.
    let is_steady = place.is_enabled() && place.locked() == 1 && place.switch_number() == switches;
    (is_steady && holder != 0).then_some(holder)
}

#[inline]
fn waiters(place: Place, offset: usize) -> Option<u32> {
    (offset != NONE).then(|| place.condition_word(offset) >> 3)
}

fn candidate() -> Option<u32> {
    waiters(place(), CANDIDATE.load(Ordering::Relaxed))
}

/// Finds the lock. The caller holds it, if it is in force.
pub(super) fn find(py: Python<'_>) -> Result<String, Failure> {
    match place::find(py) {
        Ok((found, how)) => {
            let (interval, is_free_threaded) = found.into_parts();
            IS_FREE_THREADED.store(is_free_threaded, Ordering::Relaxed);
            // Release: for `sleeping_places`; whoever reads is ordered by METHOD.
            INTERVAL.store(interval, Ordering::Release);
            Ok(how)
        }
        Err(why) => Err(Failure { why, is_off: place::is_gil_enabled(py).is_ok_and(|is_on| !is_on) }),
    }
}

/// Learns to count the waiters and proves it, as far as possible now. To be called after [`find`],
/// attached.
pub(super) fn count_waiters(
    py: Python<'_>,
    disprove: fn(String),
    again: fn(Python<'_>),
) -> Result<Proof, String> {
    let offsets = condition::calibrate()?;
    let how = format!("count at byte {} of the lock's condition variable", offsets.references);
    let proof = if place::is_gil_enabled(py)? {
        CANDIDATE.store(offsets.references, Ordering::Relaxed);
        (Trial { waiters: candidate, disprove, again }).run()?;
        Proof::Whole(how)
    } else {
        Proof::Part(format!("{how}; to be tried when the lock is switched on"))
    };
    REFERENCES.store(offsets.references, Ordering::Relaxed);
    SEQUENCE.store(offsets.sequence, Ordering::Relaxed);
    Ok(proof)
}

/// Waiters are not to be believed.
pub(super) fn forget_waiters() {
    REFERENCES.store(NONE, Ordering::Relaxed);
    SEQUENCE.store(NONE, Ordering::Relaxed);
}

/// Time spent waiting for the lock, exactly; the first call begins to measure.
pub(crate) fn waited(py: Python<'_>) -> Result<Waited, String> {
    super::start(py);
    if INTERVAL.load(Ordering::Acquire) == 0 {
        return Err("the lock was not found".to_owned());
    }
    oracle::install(place().condition())?;
    Ok(oracle::waited())
}
