//! The course of time: the next event, and what flows until then.

use std::cmp::Reverse;

use super::{ATTENDANT, After, Event, FIRST_WORKER, HOG, Holding, Plant};
use crate::sim::load::Arrival;
use crate::sim::random::Random;
use crate::sim::trace::Trace;

/// What happens next without being in the calendar: its time depends on what happens before.
#[derive(Clone, Copy, Debug)]
enum Due {
    HolderDone,
    FreeDone,
    StationDone(usize),
    Drop,
    QuotaGone,
    QuotaBack,
}

/// How fast things go at the moment, as shares of a core.
#[derive(Clone, Copy, Debug)]
struct Rates {
    /// A thread that computes without the GIL.
    free: f64,
    /// The holder of the GIL.
    holder: f64,
    /// Waiters waking for nothing, all together.
    futile: f64,
}

impl Plant<'_> {
    pub(super) fn run(mut self, length_ns: u64) -> Trace {
        self.begin();
        loop {
            let (due_ns, due) = self.next_due();
            let event_ns = self.events.peek().map_or(u64::MAX, |Reverse((at_ns, ..))| *at_ns);
            let next_ns = due_ns.min(event_ns);
            if next_ns > length_ns || self.trace.finished_ns.is_some() || self.trace.is_jammed {
                break;
            }
            self.advance(next_ns);
            match due {
                Some(due) if due_ns <= event_ns => self.come_due(due),
                _ => {
                    if let Some(Reverse((_, _, event))) = self.events.pop() {
                        self.happen(event);
                    }
                }
            }
            self.drain_submissions();
        }
        self.trace.ended_ns = self.trace.finished_ns.unwrap_or(length_ns);
        self.trace.workers_made = self.threads.len() - FIRST_WORKER;
        self.trace
    }

    fn begin(&mut self) {
        for (change, &(at_ns, _)) in self.setup.core_changes.iter().enumerate() {
            self.at(at_ns, Event::Cores(change));
        }
        if self.setup.hog.is_some() {
            self.at(0, Event::Ready(HOG));
        }
        match self.setup.arrival {
            Arrival::Closed(count) | Arrival::Once(count) => {
                for _ in 0..count {
                    self.submit_next();
                }
            }
            Arrival::Poisson(_) | Arrival::Bursts { .. } => self.at(0, Event::Arrive),
        }
        self.drain_submissions();
    }

    fn rates(&self) -> Rates {
        let interval_ns = self.machine.switch_interval_ns as f64;
        let waiting = self.gil.waiters.len() as f64 / interval_ns;
        if self.quota.as_ref().is_some_and(|quota| quota.is_exhausted) {
            return Rates { free: 0.0, holder: 0.0, futile: 0.0 };
        }
        let holding = usize::from(matches!(self.holding, Holding::Computing(_)));
        let count = self.free.len() + holding;
        let free = if count == 0 { 0.0 } else { (self.machine.cores / count as f64).min(1.0) };
        let stall = (1.0 - waiting * self.machine.futile_stall_ns).max(self.machine.stall_floor);
        let futile = (waiting * self.machine.futile_cpu_ns).min(self.machine.cores);
        Rates { free, holder: free * stall, futile }
    }

    fn next_due(&mut self) -> (u64, Option<Due>) {
        let rates = self.rates();
        let mut best = (u64::MAX, None);
        let now_ns = self.now_ns;
        let mut consider = |left_ns: f64, due: Due| {
            let at_ns = now_ns.saturating_add(left_ns.ceil().max(0.0) as u64);
            if at_ns < best.0 {
                best = (at_ns, Some(due));
            }
        };
        let holder_left_ns = match self.holding {
            Holding::Computing(left_ns) if rates.holder > 0.0 => Some(left_ns),
            _ => None,
        };
        if let Some(left_ns) = holder_left_ns {
            consider(left_ns / rates.holder, Due::HolderDone);
        }
        if let Some(left_ns) = self.free.left_ns().filter(|_| rates.free > 0.0) {
            consider(left_ns / rates.free, Due::FreeDone);
        }
        for (number, station) in self.stations.iter().enumerate() {
            if let Some(left_ns) = station.left_ns() {
                consider(left_ns, Due::StationDone(number));
            }
        }
        if let Some(quota) = &self.quota {
            let holding = matches!(self.holding, Holding::Computing(_));
            let used = rates.free * (self.free.len() + usize::from(holding)) as f64 + rates.futile;
            if !quota.is_exhausted && used > 0.0 {
                consider(quota.left_ns() / used, Due::QuotaGone);
            }
            consider(quota.period_end_ns.saturating_sub(now_ns) as f64, Due::QuotaBack);
        }
        let drop_ns = holder_left_ns.and_then(|_| self.gil.drop_request_ns(best.0));
        if let Some(drop_ns) = drop_ns {
            return (drop_ns.max(now_ns), Some(Due::Drop));
        }
        best
    }

    fn advance(&mut self, to_ns: u64) {
        let passed_ns = (to_ns - self.now_ns) as f64;
        self.now_ns = to_ns;
        if passed_ns <= 0.0 {
            return;
        }
        let rates = self.rates();
        let mut running = self.free.len() as f64;
        let mut of_workers = running;
        if let Holding::Computing(left_ns) = &mut self.holding {
            *left_ns -= passed_ns * rates.holder;
            running += 1.0;
            of_workers += f64::from(self.gil.holder.is_some_and(|holder| holder >= FIRST_WORKER));
        }
        self.free.advance(passed_ns * rates.free);
        for station in &mut self.stations {
            station.advance(passed_ns);
        }
        let spent_ns = passed_ns * (running * rates.free + rates.futile);
        self.process_cpu_ns += spent_ns;
        self.workers_cpu_ns += passed_ns * (of_workers * rates.free + rates.futile);
        self.runqueue_ns += passed_ns * running * (1.0 - rates.free);
        self.gil.waits += passed_ns * self.gil.waiters.len() as f64 / self.machine.switch_interval_ns as f64;
        if let Some(quota) = &mut self.quota {
            quota.spend(spent_ns);
        }
    }

    fn come_due(&mut self, due: Due) {
        match due {
            Due::HolderDone => {
                if let Some(holder) = self.gil.holder {
                    self.computed(holder);
                }
            }
            Due::FreeDone => {
                if let Some(thread) = self.free.pop_done() {
                    self.computed_free(thread);
                }
            }
            Due::StationDone(number) => {
                if let Some(thread) = self.stations[number].pop_done() {
                    self.ready(thread);
                }
            }
            Due::Drop => self.drop_gil(),
            // `advance` has seen to it.
            Due::QuotaGone => {}
            Due::QuotaBack => {
                if let Some(quota) = &mut self.quota {
                    quota.refresh(self.now_ns);
                }
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ready(thread) => self.ready(thread),
            Event::Reach(thread) => self.reach(thread),
            Event::EndHold(thread) => {
                self.holding = Holding::Computing(0.0);
                self.threads[thread].after = After::Next;
                self.computed(thread);
            }
            Event::Arrive => self.arrive(),
            Event::Tick => self.tick(),
            Event::Cores(change) => self.machine.cores = self.setup.core_changes[change].1,
        }
    }

    fn arrive(&mut self) {
        match self.setup.arrival {
            Arrival::Poisson(per_s) => {
                self.submit_next();
                let mut random = Random::new(self.seed, 0x0A00_0000_0000_0000 | self.submitted as u64);
                let gap_ns = (random.exponential() * 1e9 / per_s) as u64;
                self.at(self.now_ns + gap_ns, Event::Arrive);
            }
            Arrival::Bursts { size, every_ns } => {
                for _ in 0..size {
                    self.submit_next();
                }
                self.at(self.now_ns + every_ns, Event::Arrive);
            }
            Arrival::Closed(_) | Arrival::Once(_) => {}
        }
    }

    /// The thread's wait is over: it wants to go on in Python.
    pub(super) fn ready(&mut self, thread: usize) {
        self.threads[thread].ready_ns = self.now_ns;
        if !self.machine.has_gil {
            self.go_on(thread);
        } else if self.gil.holder.is_none() {
            self.gil.take(thread, self.now_ns);
            self.go_on(thread);
        } else {
            self.gil.wait(thread, self.now_ns);
        }
    }

    fn reach(&mut self, thread: usize) {
        self.gil.woken = None;
        if self.gil.holder.is_some() {
            // Somebody was quicker. It sleeps again, from now.
            if self.gil.end_wait(thread).is_some() {
                self.gil.wait(thread, self.now_ns);
            }
            return;
        }
        if let Some(since_ns) = self.gil.end_wait(thread) {
            let intervals = (self.now_ns - since_ns) as f64 / self.machine.switch_interval_ns as f64;
            self.threads[thread].cpu_ns += intervals.floor() * self.machine.futile_cpu_ns;
        }
        self.gil.take(thread, self.now_ns);
        self.go_on(thread);
    }

    pub(super) fn release(&mut self) {
        self.holding = Holding::Nothing;
        if let Some(woken) = self.gil.release(&mut self.gil_random) {
            self.at(self.now_ns + self.machine.handoff_ns, Event::Reach(woken));
        }
    }

    fn drop_gil(&mut self) {
        let (Holding::Computing(left_ns), Some(holder)) = (self.holding, self.gil.holder) else { return };
        self.threads[holder].after = After::Resume(left_ns.max(0.0));
        self.holding = Holding::Nothing;
        if let Some(woken) = self.gil.drop_forced(&mut self.gil_random) {
            self.at(self.now_ns + self.machine.forced_handoff_ns, Event::Reach(woken));
        }
    }

    /// The attendant has work.
    pub(super) fn send_for_threads(&mut self) {
        if !std::mem::replace(&mut self.is_attendant_out, true) {
            self.threads[ATTENDANT].after = After::MakeThreads;
            self.at(self.now_ns + self.machine.wake_ns, Event::Ready(ATTENDANT));
        }
    }
}
