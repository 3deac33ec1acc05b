//! The calls that run now.

use crate::sample::FunctionId;

/// One call that runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Call {
    /// Whose task it is, by number.
    pub pool: usize,
    /// What is called.
    pub function: FunctionId,
    /// The kernel's id of its thread.
    pub thread_id: u64,
    /// The interpreter's word for its thread, as the holder of its lock is named.
    pub holder_id: u64,
    /// The thread's CPU time at its start.
    pub start_cpu_ns: Option<u64>,
    /// The call in the same thread that it is made from, if that is observed, too.
    pub outer: Option<Ticket>,
}

/// Which of the calls that run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ticket {
    place: usize,
    number: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    call: Call,
    /// Whether it made no other observed call that still runs.
    is_innermost: bool,
}

/// All calls that run, each found by its ticket.
#[derive(Debug, Default)]
pub(super) struct Calls {
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    count: u64,
    /// Where the next choice of some begins.
    turn: usize,
}

impl Calls {
    pub(super) fn begin(&mut self, call: Call) -> Ticket {
        self.count += 1;
        if let Some(outer) = call.outer.and_then(|outer| self.entry_mut(outer)) {
            outer.is_innermost = false;
        }
        let entry = Some(Entry { number: self.count, call, is_innermost: true });
        let place = if let Some(place) = self.free.pop() {
            self.entries[place] = entry;
            place
        } else {
            self.entries.push(entry);
            self.entries.len() - 1
        };
        Ticket { place, number: self.count }
    }

    pub(super) fn end(&mut self, ticket: Ticket) -> Option<Call> {
        let call = self.get(ticket)?;
        self.entries[ticket.place] = None;
        self.free.push(ticket.place);
        if let Some(outer) = call.outer.and_then(|outer| self.entry_mut(outer)) {
            outer.is_innermost = true;
        }
        Some(call)
    }

    pub(super) fn get(&self, ticket: Ticket) -> Option<Call> {
        let entry = self.entries.get(ticket.place)?.as_ref()?;
        (entry.number == ticket.number).then_some(entry.call)
    }

    fn entry_mut(&mut self, ticket: Ticket) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(ticket.place)?.as_mut()?;
        (entry.number == ticket.number).then_some(entry)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.entries.len()
    }

    fn innermost(&self) -> impl Iterator<Item = (Ticket, Call)> {
        self.entries.iter().enumerate().filter_map(|(place, entry)| {
            let entry = entry.as_ref().filter(|entry| entry.is_innermost)?;
            Some((Ticket { place, number: entry.number }, entry.call))
        })
    }

    /// The innermost call of the thread that the interpreter calls so.
    pub(super) fn of_holder(&self, holder_id: u64) -> Option<(Ticket, Call)> {
        self.innermost().find(|(_, call)| call.holder_id == holder_id)
    }

    /// The outermost call of each thread.
    pub(super) fn outermost(&self) -> impl Iterator<Item = Call> {
        self.entries.iter().flatten().map(|entry| entry.call).filter(|call| call.outer.is_none())
    }

    /// A call and all that it was made from, from the inside out.
    pub(super) fn chain(&self, ticket: Ticket) -> impl Iterator<Item = Call> {
        std::iter::successors(self.get(ticket), |call| call.outer.and_then(|outer| self.get(outer)))
    }

    /// Some of the threads that are in calls, at most `most`, each in its turn.
    pub(super) fn some(&mut self, most: usize) -> Vec<(Ticket, u64)> {
        let count = self.entries.len();
        let mut chosen = Vec::new();
        let begin = self.turn;
        for step in 0..count {
            if chosen.len() == most {
                break;
            }
            let place = (begin + step) % count;
            self.turn = place + 1;
            if let Some(entry) = self.entries[place].as_ref().filter(|entry| entry.is_innermost) {
                chosen.push((Ticket { place, number: entry.number }, entry.call.thread_id));
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(thread_id: u64, outer: Option<Ticket>) -> Call {
        Call {
            pool: 0,
            function: FunctionId::OTHERS,
            thread_id,
            holder_id: 1000 + thread_id,
            start_cpu_ns: None,
            outer,
        }
    }

    #[test]
    fn a_ticket_is_good_for_one_call() {
        let mut calls = Calls::default();
        let first = calls.begin(call(1, None));
        assert!(calls.end(first).is_some());
        let second = calls.begin(call(2, None));
        assert!(calls.end(first).is_none(), "the place has another call now");
        assert!(calls.get(second).is_some() && !calls.is_empty());
        calls.end(second);
        assert!(calls.is_empty());
    }

    #[test]
    fn a_call_in_a_call_is_the_one_that_runs() {
        let mut calls = Calls::default();
        let outer = calls.begin(call(1, None));
        let inner = calls.begin(call(1, Some(outer)));
        assert_eq!(calls.of_holder(1001).map(|(ticket, _)| ticket), Some(inner));
        assert_eq!(calls.chain(inner).count(), 2);
        assert_eq!(calls.outermost().count(), 1);
        calls.end(inner);
        assert_eq!(calls.of_holder(1001).map(|(ticket, _)| ticket), Some(outer));
        assert_eq!(calls.of_holder(1002), None);
    }

    #[test]
    fn each_has_its_turn() {
        let mut calls = Calls::default();
        for thread_id in 0..10 {
            calls.begin(call(thread_id, None));
        }
        let mut met = std::collections::BTreeSet::new();
        for _ in 0..4 {
            let some = calls.some(3);
            assert_eq!(some.len(), 3);
            met.extend(some.iter().map(|(_, thread_id)| *thread_id));
        }
        assert_eq!(met.len(), 10);
        assert_eq!(calls.some(100).len(), 10);
    }
}
