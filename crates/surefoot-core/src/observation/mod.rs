//! The books of a program whose threads are observed, whoever owns them: calls by function and by
//! pool, as the ledger of a pool of ours has them, and who holds the interpreter's lock.
//!
//! A call says what it took when it ends. The rest is seen by looks: who holds the lock at a moment
//! (its thread is named by the interpreter itself), and what some of the threads are blocked in.
//! Everything is shown the time and the readings, so it is tested without threads.

mod calls;
mod timeline;
mod times;

use std::collections::HashMap;

pub use self::calls::{Call, Ticket};
pub use self::timeline::{MOST_POINTS, Point, Timeline};
pub use self::times::{Distribution, Times};

use self::calls::Calls;
use crate::allowance::Allowance;
use crate::gil::GilReading;
use crate::ledger::{FunctionSums, Ledger};
use crate::sample::{FunctionId, Outcome, Sample};
use crate::share::{Division, ShareSums};
use crate::window::{Looks, Window};

/// Threads that made no call for so many windows are not read any more.
const MOST_IDLE_WINDOWS: u64 = 3;

/// What a thread in a call was seen to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Doing {
    /// On a core, or ready to be.
    Running,
    /// Waiting for the interpreter's lock.
    WaitingForGil,
    /// Asleep at another lock.
    AtLock,
    /// Asleep otherwise.
    InIo,
}

/// How often threads were seen to do what.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Seen {
    /// See [`Doing`].
    pub running: u64,
    /// See [`Doing`].
    pub gil: u64,
    /// See [`Doing`].
    pub lock: u64,
    /// See [`Doing`].
    pub io: u64,
}

impl Seen {
    fn add(&mut self, doing: Doing) {
        match doing {
            Doing::Running => self.running += 1,
            Doing::WaitingForGil => self.gil += 1,
            Doing::AtLock => self.lock += 1,
            Doing::InIo => self.io += 1,
        }
    }

    /// Splits the blocked time of these sums as it was seen to split, if it was seen often enough.
    #[must_use]
    pub fn split(&self, sums: &ShareSums) -> ShareSums {
        /// Fewer sightings of blocked threads say less than their neighbours do.
        const LEAST: u64 = 12;
        let blocked = self.gil + self.lock + self.io;
        let all = blocked + self.running;
        if blocked < LEAST {
            return *sums;
        }
        let (count, seen) = (all as f64, self.running as f64 / all as f64);
        // As if one more had been seen of each: none among a few is not none.
        let deviation = ((seen * (1.0 - seen)).max(1.0 / count) / count).sqrt();
        sums.resplit(self.gil as f64 / blocked as f64, blocked as f64, seen, deviation)
    }
}

/// What is known of one function beyond what the ledgers have.
#[derive(Clone, Debug, Default)]
pub struct FunctionBook {
    /// Calls that raised.
    pub failed: u64,
    /// From submission to start, of those that were submitted.
    pub queued: Times,
    /// From start to end.
    pub wall: Times,
    /// What its threads were seen to do.
    pub seen: Seen,
    /// Time that a thread in it held the interpreter's lock: an estimate from looks.
    pub held_ns: f64,
    /// Of that, time that the thread was asleep.
    pub asleep_holding_ns: f64,
}

/// One pool of threads, or all threads of none.
#[derive(Debug, Default)]
pub struct PoolBook {
    /// Its tasks.
    pub ledger: Ledger,
    /// Tasks in the queue now.
    pub queue_length: u64,
    /// Most tasks in the queue at once.
    pub queue_peak: u64,
    /// Most calls at once.
    pub busy_peak: u64,
    /// Calls that wait for another task of the pool now.
    pub joining: u64,
    /// Most of those at once.
    pub joining_peak: u64,
    /// Where the time of its threads went, by windows.
    pub shares: ShareSums,
    /// What its threads were seen to do.
    pub seen: Seen,
    /// Time that calls of it held the interpreter's lock: an estimate from looks.
    pub held_ns: f64,
    /// Of that, time that the thread was asleep.
    pub asleep_holding_ns: f64,
    cap: u64,
    is_elsewhere: bool,
    busy: u64,
    /// Time that workers took to wake in the current window.
    waking_ns: u64,
    /// CPU time of the calls that ended.
    cpu_ns: u64,
    is_cpu_known: bool,
    /// The cumulative CPU time at the last window.
    cpu_marked_ns: u64,
    runqueue_marked_ns: Option<u64>,
    /// When each thread was seen last in it, in windows.
    threads: HashMap<u64, u64>,
}

/// What a look at the lock showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Glance {
    /// The lock.
    pub gil: GilReading,
    /// The interpreter's word for the thread that holds it.
    pub holder_id: Option<u64>,
}

/// Time by who held the interpreter's lock: estimates from looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Held {
    /// Time that was looked at.
    pub seen_ns: f64,
    /// Looks in it.
    pub looks: u64,
    /// Time that it was held.
    pub held_ns: f64,
    /// Time that it was held or wanted.
    pub busy_ns: f64,
    /// Of the time that it was held, by observed calls.
    pub in_calls_ns: f64,
    /// Time that there were observed calls.
    pub active_ns: f64,
}

/// The thread that holds the lock in an observed call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holder {
    /// Its call.
    pub ticket: Ticket,
    /// The kernel's id of the thread.
    pub thread_id: u64,
    /// How long the look stands for.
    pub since_ns: u64,
}

/// What the threads of a pool have used, to be read at the end of a window.
#[derive(Clone, Debug, Default)]
pub struct ToRead {
    /// Threads that were in calls in the window.
    pub thread_ids: Vec<u64>,
    /// Threads in calls now, with their CPU time at the start of those.
    pub in_calls: Vec<(u64, u64)>,
    /// CPU time of calls that ended.
    pub ended_cpu_ns: Option<u64>,
}

/// What was read of the threads of a pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// CPU time of all calls so far, those that run now included.
    pub cpu_ns: Option<u64>,
    /// Run-queue delay of the threads so far.
    pub runqueue_ns: Option<u64>,
    /// Whether that was measured on some of the threads only.
    pub is_runqueue_sampled: bool,
}

/// The books.
#[derive(Debug, Default)]
pub struct Books {
    pools: Vec<PoolBook>,
    functions: Vec<FunctionBook>,
    calls: Calls,
    held: Held,
    /// Of the current window.
    looks: Looks,
    looked: Option<(u64, GilReading)>,
    window_began_ns: u64,
    windows: u64,
    timeline: Timeline,
}

impl Books {
    /// Begins at `now_ns`.
    pub fn new(now_ns: u64) -> Self {
        Self { window_began_ns: now_ns, ..Self::default() }
    }

    /// Adds a pool of at most `cap` workers; its number.
    pub fn add_pool(&mut self, cap: u64) -> usize {
        self.pools.push(PoolBook { cap, is_cpu_known: true, ..PoolBook::default() });
        self.pools.len() - 1
    }

    /// Adds a pool that keeps its own books: only its number, for the timeline.
    pub fn add_elsewhere(&mut self) -> usize {
        self.pools.push(PoolBook { is_elsewhere: true, ..PoolBook::default() });
        self.pools.len() - 1
    }

    /// A worker was woken for a task, and this much later began it.
    pub fn woke(&mut self, pool: usize, delay_ns: u64) {
        self.pools[pool].waking_ns += delay_ns;
    }

    /// The pools; the place is the number.
    pub fn pools(&self) -> &[PoolBook] {
        &self.pools
    }

    /// The functions; the place is the number.
    pub fn functions(&self) -> &[FunctionBook] {
        &self.functions
    }

    /// All pools over time.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// To add points of pools that keep their own books.
    pub fn timeline_mut(&mut self) -> &mut Timeline {
        &mut self.timeline
    }

    /// Who held the lock.
    pub fn held(&self) -> Held {
        self.held
    }

    /// Whether any observed call runs.
    pub fn is_active(&self) -> bool {
        !self.calls.is_empty()
    }

    /// A task was submitted to a pool. Says whether a worker is free to take it at once: then the time
    /// up to its start is that of waking a worker, most of which may be a wait for the interpreter.
    pub fn submitted(&mut self, pool: usize) -> bool {
        let book = &mut self.pools[pool];
        let is_prompt = book.queue_length == 0 && book.busy < book.cap;
        book.ledger.submitted();
        book.queue_length += 1;
        book.queue_peak = book.queue_peak.max(book.queue_length);
        is_prompt
    }

    /// A task that was submitted will never run.
    pub fn withdrawn(&mut self, pool: usize) {
        let book = &mut self.pools[pool];
        book.ledger.withdrawn();
        book.queue_length = book.queue_length.saturating_sub(1);
    }

    /// A call begins; `was_queued`: it is of a task that was submitted. `None`: its function runs in
    /// this thread already, and a recursive call is a part of the outermost.
    pub fn begin(&mut self, call: Call, was_queued: bool, now_ns: u64) -> Option<Ticket> {
        if call.function != FunctionId::OTHERS
            && let Some(outer) = call.outer
            && self.calls.chain(outer).any(|each| each.function == call.function)
        {
            return None;
        }
        let book = &mut self.pools[call.pool];
        if was_queued {
            book.queue_length = book.queue_length.saturating_sub(1);
        }
        if call.outer.is_none() {
            book.ledger.taken(now_ns);
            book.busy += 1;
            book.busy_peak = book.busy_peak.max(book.busy);
            book.is_cpu_known &= call.start_cpu_ns.is_some();
            book.threads.insert(call.thread_id, self.windows);
        }
        Some(self.calls.begin(call))
    }

    /// A call ended.
    pub fn end(&mut self, ticket: Ticket, sample: &Sample, was_queued: bool, is_ok: bool, now_ns: u64) {
        let Some(call) = self.calls.end(ticket) else { return };
        let outcome = if is_ok { Outcome::Done } else { Outcome::Failed };
        let book = &mut self.pools[call.pool];
        if call.outer.is_none() {
            book.ledger.finished(sample, outcome, now_ns);
            book.busy = book.busy.saturating_sub(1);
            book.cpu_ns += sample.cpu_ns.unwrap_or(0);
        } else {
            book.ledger.measured(sample);
        }
        let number = usize::from(sample.function.0);
        let function = function_of(&mut self.functions, number);
        function.failed += u64::from(!is_ok);
        function.wall.add(sample.wall_ns);
        if was_queued {
            function.queued.add(sample.queued_ns);
        }
    }

    /// A task of a pool that keeps its own books ended: here only what those do not have is kept.
    pub fn told(&mut self, sample: &Sample, is_ok: bool) {
        let function = function_of(&mut self.functions, usize::from(sample.function.0));
        function.failed += u64::from(!is_ok);
        function.wall.add(sample.wall_ns);
        function.queued.add(sample.queued_ns);
    }

    /// The thread of this call waits for another task of its pool, or (`false`) does no more.
    pub fn joins(&mut self, ticket: Ticket, pool: usize, is_waiting: bool) {
        // The pool whose thread it is: the outermost call's.
        if self.calls.chain(ticket).last().is_none_or(|call| call.pool != pool) {
            return;
        }
        let book = &mut self.pools[pool];
        if is_waiting {
            book.joining += 1;
            book.joining_peak = book.joining_peak.max(book.joining);
        } else {
            book.joining = book.joining.saturating_sub(1);
        }
    }

    /// Looks at the lock. The answer is who holds it in an observed call: whether that thread is
    /// asleep is to be found out, and told to [`Self::slept`].
    pub fn look(&mut self, now_ns: u64, glance: &Glance) -> Option<Holder> {
        let before = self.looked.replace((now_ns, glance.gil));
        let (before_ns, before) = before?;
        let since_ns = now_ns.saturating_sub(before_ns);
        self.looks.count += 1;
        self.looks.add(before, glance.gil, since_ns);
        let since = since_ns as f64;
        if self.is_active() {
            self.held.active_ns += since;
        }
        let GilReading::Seen(state) = glance.gil else { return None };
        self.held.seen_ns += since;
        self.held.looks += 1;
        self.held.busy_ns += if state.is_busy() { since } else { 0.0 };
        if !state.is_held {
            return None;
        }
        self.held.held_ns += since;
        let (ticket, call) = self.calls.of_holder(glance.holder_id?)?;
        self.held.in_calls_ns += since;
        let chain: Vec<Call> = self.calls.chain(ticket).collect();
        for each in &chain {
            function_of(&mut self.functions, usize::from(each.function.0)).held_ns += since;
        }
        if let Some(outermost) = chain.last() {
            self.pools[outermost.pool].held_ns += since;
        }
        Some(Holder { ticket, thread_id: call.thread_id, since_ns })
    }

    /// The holder of the last look was asleep.
    pub fn slept(&mut self, holder: &Holder) {
        let chain: Vec<Call> = self.calls.chain(holder.ticket).collect();
        for each in &chain {
            let function = function_of(&mut self.functions, usize::from(each.function.0));
            function.asleep_holding_ns += holder.since_ns as f64;
        }
        if let Some(outermost) = chain.last() {
            self.pools[outermost.pool].asleep_holding_ns += holder.since_ns as f64;
        }
    }

    /// Some threads in calls, to be looked at one by one.
    pub fn some_threads(&mut self, most: usize) -> Vec<(Ticket, u64)> {
        self.calls.some(most)
    }

    /// What a thread was seen to do, if it is still in that call.
    pub fn saw(&mut self, ticket: Ticket, doing: Doing) {
        let chain: Vec<Call> = self.calls.chain(ticket).collect();
        for each in &chain {
            function_of(&mut self.functions, usize::from(each.function.0)).seen.add(doing);
        }
        if let Some(outermost) = chain.last() {
            self.pools[outermost.pool].seen.add(doing);
        }
    }

    /// What to read of the threads of each pool before [`Self::end_window`].
    pub fn to_read(&mut self) -> Vec<ToRead> {
        self.windows += 1;
        let windows = self.windows;
        let mut all: Vec<ToRead> = self
            .pools
            .iter_mut()
            .map(|book| {
                book.threads.retain(|_, &mut last| last + MOST_IDLE_WINDOWS >= windows);
                let thread_ids = book.threads.keys().copied().collect();
                let ended_cpu_ns = book.is_cpu_known.then_some(book.cpu_ns);
                ToRead { thread_ids, in_calls: Vec::new(), ended_cpu_ns }
            })
            .collect();
        for call in self.calls.outermost() {
            self.pools[call.pool].threads.insert(call.thread_id, windows);
            if let Some(start_cpu_ns) = call.start_cpu_ns {
                all[call.pool].in_calls.push((call.thread_id, start_cpu_ns));
            }
        }
        all
    }

    /// Ends a window; `used` has what was read of each pool that [`Self::to_read`] named.
    pub fn end_window(&mut self, now_ns: u64, used: &[Used], allowance: Allowance) {
        let looks = std::mem::take(&mut self.looks);
        let duration_ns = now_ns.saturating_sub(std::mem::replace(&mut self.window_began_ns, now_ns));
        let periods: Vec<_> = self.pools.iter_mut().map(|book| book.ledger.end_period(now_ns)).collect();
        let all_busy_ns: u64 = periods.iter().map(|period| period.busy_ns).sum();
        for (number, ((book, period), used)) in self.pools.iter_mut().zip(&periods).zip(used).enumerate() {
            let cpu_ns = used.cpu_ns.map(|cpu_ns| {
                let before = book.cpu_marked_ns;
                book.cpu_marked_ns = cpu_ns.max(before);
                cpu_ns.saturating_sub(before)
            });
            let runqueue_before = std::mem::replace(&mut book.runqueue_marked_ns, used.runqueue_ns);
            let runqueue_ns =
                used.runqueue_ns.zip(runqueue_before).map(|(now, before)| now.saturating_sub(before));
            // Whose the waiters are is not known: those that were not just waking are taken to be in
            // calls, of each pool as many as its part of the calls.
            let part = if all_busy_ns == 0 { 0.0 } else { period.busy_ns as f64 / all_busy_ns as f64 };
            let waking_ns = std::mem::take(&mut book.waking_ns) as f64;
            let waited_ns = (looks.waited_ns - waking_ns).max(0.0) * part;
            let window = Window {
                duration_ns,
                arrivals: period.arrivals,
                completions: period.completions,
                workers_live: usize::try_from(book.busy_peak).unwrap_or(usize::MAX),
                workers_busy: usize::try_from(book.busy).unwrap_or(usize::MAX),
                wall_ns: period.wall_ns,
                attach_wait_ns: period.attach_wait_ns,
                busy_ns: period.busy_ns,
                workers_cpu_ns: cpu_ns,
                workers_runqueue_ns: runqueue_ns,
                is_runqueue_sampled: used.is_runqueue_sampled,
                looks: Looks { waited_ns, ..looks },
                allowance,
                ..Window::default()
            };
            if book.is_elsewhere {
                continue;
            }
            let sums = ShareSums::of_window(&window);
            if let Some(sums) = &sums {
                book.shares.add(sums);
                let error = book.shares.shares().map_or(1.0, |shares| shares.error);
                if let Some(division) = Division::of(&window, sums, error) {
                    book.ledger.set_division(division);
                }
            }
            self.timeline.push(
                number,
                Point {
                    at_ns: now_ns,
                    duration_ns,
                    limit: None,
                    busy_ns: period.busy_ns,
                    queue_length: usize::try_from(book.queue_length).unwrap_or(usize::MAX),
                    completions: period.completions,
                    shares: sums.unwrap_or_default(),
                },
            );
        }
    }

    /// The sums of a function over all pools.
    pub fn function_sums(&self, number: usize) -> FunctionSums {
        let mut all = FunctionSums::default();
        for sums in self.pools.iter().filter_map(|book| book.ledger.functions().get(number)) {
            all.tasks += sums.tasks;
            all.wall_ns += sums.wall_ns;
            all.cpu_ns += sums.cpu_ns;
            all.queued_ns += sums.queued_ns;
            all.shares.add(&sums.shares);
        }
        if let Some(book) = self.functions.get(number) {
            all.shares = book.seen.split(&all.shares);
        }
        all
    }

    /// Where the time of a pool's threads went.
    pub fn pool_shares(&self, number: usize) -> ShareSums {
        let Some(book) = self.pools.get(number) else { return ShareSums::default() };
        let mut of_calls = ShareSums::default();
        book.ledger.functions().iter().for_each(|sums| of_calls.add(&sums.shares));
        // Windows know more than calls do, but not of what began and ended between two of them.
        let knows_most = book.shares.total_ns() > of_calls.total_ns() / 2.0;
        book.seen.split(if knows_most { &book.shares } else { &of_calls })
    }
}

fn function_of(functions: &mut Vec<FunctionBook>, number: usize) -> &mut FunctionBook {
    if number >= functions.len() {
        functions.resize_with(number + 1, FunctionBook::default);
    }
    &mut functions[number]
}

#[cfg(test)]
mod tests;
