//! Runs one pool's controller at its interval, with the liveness guard above it, and keeps the log.
//!
//! The regulator is shown the time and the pool's readings and answers with what to do, so it is
//! tested without threads. The [monitor](crate::monitor) calls it, the simulator too.

use crate::allowance::Allowance;
use crate::controller::Controller;
use crate::decision::{Decision, Entry, Log};
use crate::gil::{GilReading, GilState};
use crate::ledger::PeriodSums;
use crate::liveness::Liveness;
use crate::look::Look;
use crate::share::{Division, ShareSums};
use crate::snapshot::Snapshot;
use crate::starvation::{Hunger, Starvation};
use crate::window::{Looks, Window};

/// Looks of the liveness guard per control interval.
const GUARDS_PER_INTERVAL: u64 = 5;

/// Shortest time between two looks of the guard, which reads every worker's clock.
const MIN_GUARD_NS: u64 = 20_000_000;

/// Control intervals that a pool stands still before the guard acts. Two: the controller has had a
/// whole window without a completion to act on and did not.
const PATIENCE_INTERVALS: u64 = 2;

/// Shortest patience, however short the interval: on a busy machine workers that are not blocked
/// at all may go without a core for some tens of milliseconds.
const MIN_PATIENCE_NS: u64 = 200_000_000;

/// Longest patience, however long the tasks.
const MOST_PATIENCE_NS: u64 = 2_000_000_000;

/// Shortest interval, 1 ms: below it a window says nothing.
pub const MIN_INTERVAL_NS: u64 = 1_000_000;

/// Looks are spread by this share of their distance to either side. A load with a beat of its own
/// (the interpreter's switch interval is one) must not be met at the same phase each time.
const JITTER: f64 = 0.25;

/// Between two looks that tell whose the waiters are. Each costs some microseconds a thread; at a hundred a
/// second, a thousandth of a core.
const TELL_NS: u64 = 10_000_000;

/// The golden ratio's fraction: its multiples, modulo 1, fill the interval evenly in any order.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// Who decides.
#[derive(Debug)]
pub enum Decider {
    /// A controller of this crate.
    Native(Box<dyn Controller>),
    /// Somebody outside, who is handed a window and answers later, through [`Regulator::decided`]
    /// or [`Regulator::undecided`]. There is no next window before the answer to the last.
    External,
}

/// What a tick asks for.
#[derive(Debug, Default, PartialEq)]
pub struct Tick {
    /// Set the limit to this.
    pub limit: Option<usize>,
    /// Hand this window to the external decider.
    pub ask: Option<Window>,
    /// Tell somebody: the pool starves.
    pub hunger: Option<Hunger>,
    /// Tick again then; `None`: not before the next task arrives.
    pub due_ns: Option<u64>,
}

/// How much of the pool the next tick must read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wanted {
    /// [`Readings::totals`], for the guard or for the end of a control period.
    pub totals: bool,
    /// [`Readings::period`]: the control period is over.
    pub period: bool,
    /// [`Readings::foreign_waiters`], if threads wait for the GIL.
    pub foreign_waiters: bool,
}

/// The readings of a pool at a tick.
#[derive(Clone, Copy, Debug)]
pub struct Readings {
    /// The pool's own.
    pub snapshot: Snapshot,
    /// The interpreter's lock.
    pub gil: GilReading,
    /// Threads that wait for it and are not the pool's; `None` unless [`Wanted::foreign_waiters`], or if
    /// nobody waits, or nobody can tell.
    pub foreign_waiters: Option<f64>,
    /// CPU time of the process so far.
    pub process_cpu_ns: Option<u64>,
    /// What costs a system call for each worker; `None` unless [`Wanted::totals`].
    pub totals: Option<Totals>,
    /// The sums of the control period; `None` unless [`Wanted::period`].
    pub period: Option<PeriodSums>,
    /// What the machine lets the process use.
    pub allowance: Allowance,
}

/// Sums over all workers that the pool ever had; they never fall.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Their CPU time, where it can be read.
    pub cpu_ns: Option<u64>,
    /// Time that they were runnable without a core, where the kernel says.
    pub runqueue_ns: Option<u64>,
    /// Whether that was measured on some of the workers only, and scaled.
    pub is_runqueue_sampled: bool,
}

/// One pool's controller, guard and log.
#[derive(Debug)]
pub struct Regulator {
    decider: Decider,
    guard: Liveness,
    starvation: Starvation,
    /// The guard's, if tasks are short.
    patience_ns: u64,
    /// Of the tasks completed last.
    mean_wall_ns: u64,
    log: Log,
    interval_ns: u64,
    min_workers: usize,
    /// An external decider has not answered yet.
    is_asked: bool,
    /// Since the last pause; `None` while nobody looks.
    course: Option<Course>,
    /// Numbers the looks, for their jitter.
    look_count: u32,
    /// Of all windows so far.
    shares: ShareSums,
    /// Of the last window with work in it.
    division: Division,
    /// The last control period.
    last_window: Option<Window>,
}

/// What is remembered from tick to tick while the pool has work.
#[derive(Clone, Copy, Debug)]
struct Course {
    /// The last look.
    looked: Mark,
    /// The last look of the guard.
    guarded: Mark,
    /// The start of the control period.
    period: Mark,
    /// When others' waits were last told from the pool's.
    told_ns: u64,
    /// The looks of the control period so far.
    looks: Looks,
}

/// Cumulative readings at one moment.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at_ns: u64,
    completed: u64,
    turned_away: u64,
    process_cpu_ns: Option<u64>,
    totals: Totals,
    gil: GilReading,
}

impl Mark {
    fn new(at_ns: u64, readings: &Readings) -> Self {
        let Readings { snapshot, gil, process_cpu_ns, totals, .. } = *readings;
        let completed = snapshot.tasks.completed_by_workers();
        let turned_away = snapshot.tasks.turned_away();
        Self { at_ns, completed, turned_away, process_cpu_ns, totals: totals.unwrap_or_default(), gil }
    }

    /// Tasks that want a worker: what a bounded queue keeps out counts, too. Behind a short queue
    /// they would be out of sight.
    fn waiting(&self, since: &Self, snapshot: &Snapshot) -> usize {
        let turned_away = usize::try_from(self.turned_away - since.turned_away).unwrap_or(usize::MAX);
        (snapshot.queue_length + snapshot.submitters_blocked).saturating_add(turned_away)
    }
}

fn difference(now: Option<u64>, before: Option<u64>) -> Option<u64> {
    now.zip(before).map(|(now, before)| now.saturating_sub(before))
}

impl Regulator {
    /// Makes a regulator; `interval_ns` is at least [`MIN_INTERVAL_NS`].
    pub fn new(decider: Decider, interval_ns: u64, min_workers: usize) -> Self {
        let interval_ns = interval_ns.max(MIN_INTERVAL_NS);
        let patience_ns = (PATIENCE_INTERVALS * interval_ns).max(MIN_PATIENCE_NS);
        Self {
            decider,
            guard: Liveness::new(patience_ns),
            starvation: Starvation::default(),
            patience_ns,
            mean_wall_ns: 0,
            log: Log::default(),
            interval_ns,
            min_workers,
            is_asked: false,
            course: None,
            look_count: 0,
            shares: ShareSums::default(),
            division: Division::default(),
            last_window: None,
        }
    }

    /// The last control period; `None` before the first has ended.
    pub fn last_window(&self) -> Option<&Window> {
        self.last_window.as_ref()
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Keeps what [`Self::news`] returns, or not.
    pub fn follow(&mut self, is_followed: bool) {
        self.log.follow(is_followed);
    }

    /// Takes out what was decided since the last call.
    pub fn news(&mut self) -> Vec<Entry> {
        self.log.news()
    }

    /// Where the workers' time went in all windows so far.
    pub fn shares(&self) -> &ShareSums {
        &self.shares
    }

    /// How the time of tasks is to be divided that is not measured task by task.
    pub fn division(&self) -> Division {
        self.division
    }

    fn divide(&mut self, window: &Window) {
        let Some(sums) = ShareSums::of_window(window) else { return };
        self.shares.add(&sums);
        let error = self.shares.shares().map_or(1.0, |shares| shares.error);
        if let Some(division) = Division::of(window, &sums, error) {
            self.division = division;
        }
    }

    /// When the next tick is due after a pause, for a pool that just got work.
    pub fn first_due_ns(&self, now_ns: u64) -> u64 {
        let look_ns = match &self.decider {
            Decider::Native(controller) => controller.next_look_ns(&Look::default()),
            Decider::External => None,
        };
        now_ns + look_ns.unwrap_or(self.guard_ns()).min(self.guard_ns())
    }

    fn guard_ns(&self) -> u64 {
        (self.interval_ns / GUARDS_PER_INTERVAL).max(MIN_GUARD_NS).min(self.interval_ns)
    }

    /// What the tick at `now_ns` must read.
    pub fn wanted(&self, now_ns: u64) -> Wanted {
        let Some(course) = &self.course else {
            return Wanted { totals: true, period: true, foreign_waiters: false };
        };
        let period = now_ns >= course.period.at_ns + self.interval_ns;
        Wanted {
            totals: period || now_ns >= course.guarded.at_ns + self.guard_ns(),
            period,
            foreign_waiters: now_ns >= course.told_ns + TELL_NS,
        }
    }

    /// Looks at the pool; `readings` hold what [`Self::wanted`] asked for.
    pub fn tick(&mut self, now_ns: u64, readings: &Readings) -> Tick {
        let mark = Mark::new(now_ns, readings);
        let Some(mut course) = self.course else {
            // The first look after a pause: there is nothing yet to compare with.
            let looks = Looks::default();
            let course = Course { looked: mark, guarded: mark, period: mark, told_ns: now_ns, looks };
            let due_ns =
                self.due_ns(now_ns, &course, readings, mark.waiting(&mark, &readings.snapshot), None);
            self.course = due_ns.is_some().then_some(course);
            return Tick { due_ns, ..Tick::default() };
        };
        let mut tick = Tick::default();
        let look = self.look(&mut course, mark, readings);
        let mut window = Window {
            queue_length: look.queue_length,
            queue_head_age_ns: look.queue_head_age_ns,
            limit: look.limit,
            cap: look.cap,
            min_workers: look.min_workers,
            workers_live: readings.snapshot.workers_live,
            workers_busy: look.workers_busy,
            workers_joining: look.workers_joining,
            allowance: readings.allowance,
            ..Window::default()
        };
        if readings.totals.is_some() {
            // A pool whose tasks take long is not at a standstill while none ends.
            self.guard.patience_ns = self.patience_ns.max((2 * self.mean_wall_ns).min(MOST_PATIENCE_NS));
            let since = std::mem::replace(&mut course.guarded, mark);
            let decision = self.guard.look(&Window {
                duration_ns: now_ns - since.at_ns,
                queue_length: mark.waiting(&since, &readings.snapshot),
                completions: mark.completed - since.completed,
                workers_cpu_ns: difference(mark.totals.cpu_ns, since.totals.cpu_ns),
                ..window
            });
            tick.limit = decision.and_then(|decision| self.record(now_ns, &window, decision));
        }
        if let Some(period) = &readings.period {
            self.mean_wall_ns = period.wall_ns.checked_div(period.completions).unwrap_or(self.mean_wall_ns);
            Self::close_window(&mut window, &mut course, mark, readings, period);
            self.divide(&window);
            tick.hunger = self.starvation.look(now_ns, &window, self.mean_wall_ns);
            self.last_window = Some(window);
            match &mut self.decider {
                Decider::Native(controller) => {
                    let decision = controller.decide(&window);
                    // The guard knows of a standstill and stands over everything.
                    if tick.limit.is_none() {
                        tick.limit = self.record(now_ns, &window, decision);
                    }
                }
                Decider::External if self.is_asked => {}
                Decider::External => {
                    self.is_asked = true;
                    tick.ask = Some(window);
                }
            }
        } else if let (Decider::Native(controller), None) = (&mut self.decider, tick.limit) {
            let decision = controller.glance(&look);
            tick.limit = decision.and_then(|decision| self.record(now_ns, &window, decision));
        }
        tick.due_ns = self.due_ns(now_ns, &course, readings, look.queue_length, tick.limit);
        self.course = tick.due_ns.is_some().then_some(course);
        tick
    }

    fn look(&self, course: &mut Course, mark: Mark, readings: &Readings) -> Look {
        let before = std::mem::replace(&mut course.looked, mark);
        let snapshot = &readings.snapshot;
        let look = Look {
            since_ns: mark.at_ns - before.at_ns,
            queue_length: mark.waiting(&before, snapshot),
            queue_head_age_ns: snapshot.queue_head_age_ns,
            limit: snapshot.limit,
            cap: snapshot.cap,
            min_workers: self.min_workers.min(snapshot.cap),
            workers_busy: snapshot.workers_busy,
            workers_joining: snapshot.workers_joining,
            completions: mark.completed - before.completed,
            gil: readings.gil,
            process_cpu_ns: difference(mark.process_cpu_ns, before.process_cpu_ns),
        };
        course.looks.count += 1;
        course.looks.bound += u32::from(look.is_bound());
        course.looks.joining += look.workers_joining as u64;
        course.looks.add(before.gil, look.gil, look.since_ns);
        if let (GilReading::Seen(GilState { waiters: Some(waiters), .. }), Some(foreign)) =
            (look.gil, readings.foreign_waiters)
        {
            course.told_ns = mark.at_ns;
            course.looks.tell(waiters, foreign);
        }
        look
    }

    fn close_window(
        window: &mut Window,
        course: &mut Course,
        mark: Mark,
        readings: &Readings,
        period: &PeriodSums,
    ) {
        let since = std::mem::replace(&mut course.period, mark);
        window.queue_length = mark.waiting(&since, &readings.snapshot);
        window.duration_ns = mark.at_ns - since.at_ns;
        window.arrivals = period.arrivals;
        window.completions = period.completions;
        window.beta_mean = period.beta_mean();
        window.wall_ns = period.wall_ns;
        window.demand = period.demand;
        window.attach_wait_ns = period.attach_wait_ns;
        window.busy_ns = period.busy_ns;
        window.workers_cpu_ns = difference(mark.totals.cpu_ns, since.totals.cpu_ns);
        window.workers_runqueue_ns = difference(mark.totals.runqueue_ns, since.totals.runqueue_ns);
        window.is_runqueue_sampled = mark.totals.is_runqueue_sampled;
        window.process_cpu_ns = difference(mark.process_cpu_ns, since.process_cpu_ns);
        window.looks = std::mem::take(&mut course.looks);
        if let (GilReading::Seen(now), GilReading::Seen(before)) = (mark.gil, since.gil) {
            let between = |of: fn(&GilState) -> Option<u64>| {
                of(&now).zip(of(&before)).map(|(now, before)| now.wrapping_sub(before))
            };
            window.looks.waits = between(|state| state.waits);
            window.looks.switches = between(|state| state.switches);
        }
    }

    /// Records what the external decider answered to `window`; the limit to set, if it changes.
    /// `limit_now` and `cap_now` are those in force, which may have moved since it was asked.
    pub fn decided(
        &mut self,
        now_ns: u64,
        window: &Window,
        (limit_now, cap_now): (usize, usize),
        limit: usize,
    ) -> Option<usize> {
        self.is_asked = false;
        let limit = limit.clamp(window.min_workers.min(cap_now), cap_now);
        let window = Window { limit: limit_now, cap: cap_now, ..*window };
        self.record(now_ns, &window, Decision::hold(limit, "decided by the given controller"))
    }

    /// Says that the external decider gave no answer; it will be asked again.
    pub fn undecided(&mut self) {
        self.is_asked = false;
    }

    fn due_ns(
        &mut self,
        now_ns: u64,
        course: &Course,
        readings: &Readings,
        queue_length: usize,
        new_limit: Option<usize>,
    ) -> Option<u64> {
        let snapshot = &readings.snapshot;
        let limit = new_limit.unwrap_or(snapshot.limit);
        let is_idle = queue_length == 0 && snapshot.workers_busy == 0;
        let look = Look {
            queue_length,
            limit,
            cap: snapshot.cap,
            min_workers: self.min_workers,
            workers_busy: snapshot.workers_busy,
            workers_joining: snapshot.workers_joining,
            gil: readings.gil,
            ..Look::default()
        };
        let (rests, look_ns) = match &self.decider {
            Decider::Native(controller) => {
                (controller.rests(limit, self.min_workers), controller.next_look_ns(&look))
            }
            Decider::External => (true, None),
        };
        if is_idle && rests {
            return None;
        }
        let mut due_ns = course.period.at_ns + self.interval_ns;
        if queue_length > 0 && limit < snapshot.cap {
            due_ns = due_ns.min(course.guarded.at_ns + self.guard_ns());
        }
        let next_look_ns = look_ns.map(|look_ns| {
            self.look_count = self.look_count.wrapping_add(1);
            let place = (f64::from(self.look_count) * GOLDEN).fract();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "near look_ns")]
            let spread_ns = (look_ns as f64 * (1.0 - JITTER + 2.0 * JITTER * place)) as u64;
            now_ns + spread_ns
        });
        Some(due_ns.min(next_look_ns.unwrap_or(due_ns)).max(now_ns))
    }

    fn record(&mut self, at_ns: u64, window: &Window, decision: Decision) -> Option<usize> {
        self.log.push(Entry {
            at_ns,
            limit_before: window.limit,
            limit: decision.limit,
            rule: decision.rule,
            reason: decision.reason,
            veto: decision.veto,
            queue_length: window.queue_length,
            completions: window.completions,
            beta_mean: window.beta_mean,
        });
        (decision.limit != window.limit).then_some(decision.limit)
    }
}

#[cfg(test)]
mod tests;
