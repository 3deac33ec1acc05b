//! What a thread remembers from one observed call to the next.

use std::cell::RefCell;

use surefoot_core::observation::Ticket;

use crate::function::LastSeen;
use crate::process;
use crate::sensors::clocks;
use crate::sensors::own_delay::OwnDelay;

/// Observations remembered at once by a thread. There are more only if as many programs inside one
/// another profile themselves.
const MOST_SEATS: usize = 8;

/// One thread in one observation.
#[derive(Debug)]
pub(super) struct Seat {
    observation: u64,
    generation: u64,
    pub(super) thread_id: u64,
    pub(super) last_seen: LastSeen,
    pub(super) own_delay: OwnDelay,
    /// The innermost observed call that it is in.
    pub(super) inside: Option<Ticket>,
}

thread_local! {
    static SEATS: RefCell<Vec<Seat>> = const { RefCell::new(Vec::new()) };
}

/// Hands the calling thread's seat in an observation to `with`, which runs no Python code. `None` while
/// the thread ends.
#[inline]
pub(super) fn with<T>(observation: u64, with: impl FnOnce(&mut Seat) -> T) -> Option<T> {
    let enter = |seats: &RefCell<Vec<Seat>>| {
        let mut seats = seats.borrow_mut();
        let generation = process::generation();
        let is_it = |seat: &Seat| seat.observation == observation && seat.generation == generation;
        let place = seats.iter().position(is_it).unwrap_or_else(|| take(&mut seats, observation, generation));
        with(&mut seats[place])
    };
    SEATS.try_with(enter).ok()
}

/// The call that the calling thread is in.
pub(super) fn inside(observation: u64) -> Option<Ticket> {
    let look = |seats: &RefCell<Vec<Seat>>| {
        let seats = seats.borrow();
        seats.iter().find(|seat| seat.observation == observation).and_then(|seat| seat.inside)
    };
    SEATS.try_with(look).ok().flatten()
}

#[cold]
fn take(seats: &mut Vec<Seat>, observation: u64, generation: u64) -> usize {
    if seats.len() >= MOST_SEATS {
        let place = seats.iter().position(|seat| seat.inside.is_none()).unwrap_or(0);
        seats.remove(place);
    }
    seats.push(Seat {
        observation,
        generation,
        // 0 is no thread's: nothing will be read of it.
        thread_id: clocks::own_thread_id().unwrap_or(0),
        last_seen: LastSeen::default(),
        own_delay: OwnDelay::new(),
        inside: None,
    });
    seats.len() - 1
}
