//! When to keep the workers of a pool on one core: a pure function of time and readings.
//!
//! Fine-grained work under the interpreter's lock runs slower on two cores than on one, because the
//! lock goes from core to core and each time a sleeping thread must be woken there. Workers kept on
//! one core pass it on where they are. Work *outside* the lock is halved by the same, or worse, so
//! nothing here is taken on trust: a pool is gathered on trial, stays gathered only while its own
//! throughput is higher for it, and is let go at the first sign that it is not.
//!
//! ```text
//!          may gain                 gained                    every CHECK
//! Free ---------------> Trial ----------------> Kept ----------------------> Check
//!  ^                      | did not               | disturbed, idle, slower,   | as fast free
//!  +----------------------+-----------------------+ outside the lock ----------+
//! ```
//! Whoever asks says how things are ([`Reading`]) and is told where the workers should be
//! ([`Place`]) and when to ask again. Where it takes several cores to be told apart from one, or
//! nobody completes anything, the answer is [`Place::Anywhere`].

use crate::gil::GilReading;

/// Where the workers are to be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Place {
    /// Where the system puts them.
    #[default]
    Anywhere,
    /// All on one core.
    OneCore,
}

/// What is seen of a pool and its process at one moment. Counters only go up, but for CPU time,
/// which a worker that leaves takes along.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Monotonic clock.
    pub at_ns: u64,
    /// Tasks completed so far.
    pub completed: u64,
    /// CPU time of the live workers; `None` where it cannot be read, and then nothing is gathered.
    pub workers_cpu_ns: Option<u64>,
    /// Workers that run a task.
    pub workers_busy: usize,
    /// Tasks that wait.
    pub queue_length: usize,
    /// Cores that the workers may use when they are free.
    pub cores: usize,
    /// The interpreter's lock.
    pub gil: GilReading,
    /// A task made, or is about to make, a thread or a process, which would inherit the place.
    pub is_disturbed: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Advice {
    /// Where the workers are to be from now on.
    pub place: Place,
    /// When to ask again.
    pub due_ns: u64,
}

/// The constants; their origin is with each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// Between two looks at a gathered pool: the longest time that GIL-free work goes unseen is a
    /// few of these. A hundred looks a second cost about a thousandth of a core.
    pub look_ns: u64,
    /// Least length of what is measured: a few switch intervals of the interpreter (5 ms).
    pub window_ns: u64,
    /// A window that lacks completions goes on for so long, then the pool counts as unmeasurable.
    pub window_most_ns: u64,
    /// Completions that a window needs. The spread of a throughput is at least one in its root, so
    /// 150 tell a tenth apart.
    pub window_completions: u64,
    /// Not measured after the workers were moved.
    pub settle_ns: u64,
    /// What gathering must gain at first. Below it, what is gained is not worth the constraint.
    pub least_gain: f64,
    /// What it must keep gaining. Between the two nothing changes.
    pub least_keep: f64,
    /// A gathered pool is compared with a free one so often, at first; doubled each time it wins.
    pub check_ns: u64,
    /// But not more rarely than so: what a comparison costs is then far below a hundredth.
    pub check_most_ns: u64,
    /// After a trial that lost, the next one is so far off; doubled each time.
    pub backoff_ns: u64,
    /// But not more than so.
    pub backoff_most_ns: u64,
    /// After a disturbance: far longer than it takes from the announcement of a child to the child.
    pub disturbed_ns: u64,
    /// CPU time of the workers, in cores, above which a free pool provably computes outside the
    /// lock: one core is all that the lock allows, and some time is spent on getting it.
    pub most_cores: f64,
    /// Below it there is nothing to gain: the core that everybody waits for is mostly idle.
    pub least_cores: f64,
    /// CPU time per task above which a hand-over is too rare to matter (each costs some tens of us).
    pub most_task_cpu_ns: f64,
    /// Part of the workers' CPU time during which the lock must be held, where it can be seen. Work
    /// under the lock spends the rest on going to sleep and waking up. That a thread holds it while it
    /// has no core makes work outside the lock show up to a quarter.
    pub least_held: f64,
    /// Looks before that part is believed: 8 looks at work that holds it for two thirds find it held
    /// less than so once in a hundred times.
    pub least_held_looks: u32,
    /// Times a second that the lock must change hands, where that can be counted: each time costs some
    /// tens of us between cores, so more rarely there is nothing to gain.
    pub least_switches_per_s: f64,
    /// A gathered pool that falls below this part of what it did is let go without more ado.
    pub least_of_reference: f64,
    /// A task that takes so many times the CPU time it took is another kind of task.
    pub most_of_reference_cpu: f64,
}

impl Default for Constants {
    fn default() -> Self {
        const MS: u64 = 1_000_000;
        Self {
            look_ns: 10 * MS,
            window_ns: 40 * MS,
            window_most_ns: 200 * MS,
            window_completions: 150,
            settle_ns: 10 * MS,
            least_gain: 1.10,
            least_keep: 1.05,
            check_ns: 500 * MS,
            check_most_ns: 8_000 * MS,
            backoff_ns: 500 * MS,
            backoff_most_ns: 32_000 * MS,
            disturbed_ns: 2_000 * MS,
            most_cores: 1.10,
            least_cores: 0.40,
            most_task_cpu_ns: 500_000.0,
            least_held: 0.35,
            least_held_looks: 8,
            least_switches_per_s: 3_000.0,
            least_of_reference: 0.60,
            most_of_reference_cpu: 2.5,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Where the system puts them; not before then is another trial made.
    Free { not_before_ns: u64 },
    /// Gathered on trial, against this.
    Trial { free: Rate },
    /// Gathered; compared with a free pool then.
    Kept { reference: Rate, check_at_ns: u64 },
    /// Free for a moment, against this.
    Check { kept: Rate },
}

/// What a window measured.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate {
    tasks_per_s: f64,
    task_cpu_ns: f64,
    cores: f64,
    /// `None` where they cannot be counted.
    switches_per_s: Option<f64>,
}

/// How much of the workers' CPU time the lock was held, by looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Held {
    looks: f64,
    found: f64,
    passed_ns: f64,
    cpu_ns: f64,
}

/// One pool's state.
#[derive(Debug)]
pub struct Placement {
    constants: Constants,
    state: State,
    /// Where the window under way began; `None`: with the next reading.
    began: Option<Reading>,
    /// Not measured before.
    settled_at_ns: u64,
    looked: Option<Reading>,
    held: Held,
    looks: u32,
    /// Of those, at which nobody waited: what is measured then is demand, not the pool.
    slack_looks: u32,
    backoff_ns: u64,
    check_ns: u64,
    is_on_trust: bool,
}

impl Default for Placement {
    fn default() -> Self {
        Self::new(Constants::default())
    }
}

impl Placement {
    /// Starts free.
    pub fn new(constants: Constants) -> Self {
        Self {
            constants,
            state: State::Free { not_before_ns: 0 },
            began: None,
            settled_at_ns: 0,
            looked: None,
            held: Held::default(),
            looks: 0,
            slack_looks: 0,
            backoff_ns: constants.backoff_ns,
            check_ns: constants.check_ns,
            is_on_trust: false,
        }
    }

    /// Where the workers are meant to be.
    pub fn place(&self) -> Place {
        match self.state {
            State::Trial { .. } | State::Kept { .. } => Place::OneCore,
            State::Free { .. } | State::Check { .. } => Place::Anywhere,
        }
    }

    /// Gathers from now on whenever there is work, without asking what it gains. For tests of what a
    /// gathered pool must not do.
    pub fn trust(&mut self) {
        self.is_on_trust = true;
    }

    /// Whether a gathered pool has shown that it gains.
    pub fn is_kept(&self) -> bool {
        matches!(self.state, State::Kept { .. } | State::Check { .. })
    }

    /// Looks at the pool.
    pub fn look(&mut self, reading: &Reading) -> Advice {
        let now_ns = reading.at_ns;
        if reading.is_disturbed {
            self.release(now_ns, now_ns + self.constants.disturbed_ns);
        } else if reading.workers_busy == 0 && reading.queue_length == 0 {
            // Between two loads nothing is measured, and the next one may be another kind.
            if !matches!(self.state, State::Free { .. }) {
                self.release(now_ns, now_ns);
            }
            self.began = None;
        } else if self.is_on_trust {
            self.gather_on_trust(reading);
        } else {
            self.measure(reading);
        }
        Advice { place: self.place(), due_ns: now_ns + self.constants.look_ns }
    }

    fn gather_on_trust(&mut self, reading: &Reading) {
        if let State::Free { not_before_ns } = self.state
            && reading.at_ns >= not_before_ns
            && reading.cores > 1
        {
            let reference = Rate { tasks_per_s: 0.0, task_cpu_ns: 0.0, cores: 0.0, switches_per_s: None };
            self.enter(reading.at_ns, State::Kept { reference, check_at_ns: u64::MAX });
        }
    }

    fn measure(&mut self, reading: &Reading) {
        if reading.at_ns < self.settled_at_ns {
            return;
        }
        let Some(began) = self.began else { return self.begin(reading) };
        let before = self.looked.replace(*reading);
        self.held.look(&before.unwrap_or(began), reading);
        self.looks += 1;
        self.slack_looks += u32::from(reading.queue_length == 0 || reading.workers_busy < 2);
        if self.place() == Place::OneCore {
            if self.is_outside() {
                return self.lose(reading.at_ns);
            }
            if self.looks >= 2 && self.is_coarse(switches_per_s(&began, reading)) {
                // Another kind of work: it gets its own trial if it ever looks like one.
                return self.release(reading.at_ns, reading.at_ns);
            }
        }
        let passed_ns = reading.at_ns.saturating_sub(began.at_ns);
        let completions = reading.completed.saturating_sub(began.completed);
        let is_enough = completions >= self.constants.window_completions;
        if passed_ns < self.constants.window_ns || (!is_enough && passed_ns < self.constants.window_most_ns) {
            return;
        }
        let is_slack = 2 * self.slack_looks > self.looks;
        let rate = Self::rate(&began, reading).filter(|_| is_enough && !is_slack);
        let is_outside = self.is_outside();
        self.begin(reading);
        match (rate, self.place()) {
            (Some(rate), _) => self.judge(reading, rate, is_outside),
            // Not to be measured, so not to be shown to gain.
            (None, Place::OneCore) => self.release(reading.at_ns, reading.at_ns),
            (None, Place::Anywhere) => {
                if matches!(self.state, State::Check { .. }) {
                    self.release(reading.at_ns, reading.at_ns);
                }
            }
        }
    }

    fn judge(&mut self, reading: &Reading, rate: Rate, is_outside: bool) {
        let Constants { least_gain, least_keep, .. } = self.constants;
        let now_ns = reading.at_ns;
        match self.state {
            State::Free { not_before_ns } => {
                if now_ns >= not_before_ns && reading.cores > 1 && !is_outside && self.may_gain(&rate) {
                    self.enter(now_ns, State::Trial { free: rate });
                }
            }
            State::Trial { free } if rate.tasks_per_s >= least_gain * free.tasks_per_s => {
                self.keep(now_ns, rate);
            }
            State::Trial { .. } => self.lose(now_ns),
            State::Kept { reference, check_at_ns } => {
                if !self.is_like(&rate, &reference) {
                    // Another kind of work: it gets its own trial, at once.
                    self.release(now_ns, now_ns);
                } else if now_ns >= check_at_ns {
                    self.enter(now_ns, State::Check { kept: rate });
                } else {
                    self.state = State::Kept { reference: rate.smoothed(&reference), check_at_ns };
                }
            }
            State::Check { kept } => {
                if self.may_gain(&rate) && !is_outside && kept.tasks_per_s >= least_keep * rate.tasks_per_s {
                    self.check_ns = (2 * self.check_ns).min(self.constants.check_most_ns);
                    self.keep(now_ns, kept);
                    self.settle(now_ns);
                } else {
                    self.lose(now_ns);
                }
            }
        }
    }

    fn may_gain(&self, rate: &Rate) -> bool {
        let Constants { least_cores, most_cores, most_task_cpu_ns, .. } = self.constants;
        (least_cores..=most_cores).contains(&rate.cores)
            && rate.task_cpu_ns <= most_task_cpu_ns
            && !self.is_coarse(rate.switches_per_s)
    }

    fn is_like(&self, rate: &Rate, reference: &Rate) -> bool {
        let Constants { least_of_reference, most_of_reference_cpu, most_task_cpu_ns, .. } = self.constants;
        rate.tasks_per_s >= least_of_reference * reference.tasks_per_s
            && rate.task_cpu_ns <= most_of_reference_cpu * reference.task_cpu_ns
            && rate.task_cpu_ns <= most_task_cpu_ns
    }

    /// The workers compute without holding the lock.
    fn is_outside(&self) -> bool {
        let Constants { least_held, least_held_looks, .. } = self.constants;
        self.held.share_of_cpu(least_held_looks).is_some_and(|share| share < least_held)
    }

    /// The lock changes hands too rarely for it to matter where.
    fn is_coarse(&self, switches_per_s: Option<f64>) -> bool {
        switches_per_s.is_some_and(|switches| switches < self.constants.least_switches_per_s)
    }

    fn rate(began: &Reading, now: &Reading) -> Option<Rate> {
        let passed_ns = (now.at_ns - began.at_ns) as f64;
        let completions = (now.completed - began.completed) as f64;
        let cpu_ns = now.workers_cpu_ns?.saturating_sub(began.workers_cpu_ns?) as f64;
        Some(Rate {
            tasks_per_s: completions * 1e9 / passed_ns,
            task_cpu_ns: cpu_ns / completions,
            cores: cpu_ns / passed_ns,
            switches_per_s: switches_per_s(began, now),
        })
    }

    fn begin(&mut self, reading: &Reading) {
        self.began = Some(*reading);
        self.looks = 0;
        self.slack_looks = 0;
        // It goes over windows, and forgets.
        if self.held.looks >= 2.0 * f64::from(self.constants.least_held_looks) {
            self.held.forget_half();
        }
    }

    fn enter(&mut self, now_ns: u64, state: State) {
        self.state = state;
        self.settle(now_ns);
    }

    fn settle(&mut self, now_ns: u64) {
        self.settled_at_ns = now_ns + self.constants.settle_ns;
        self.began = None;
        self.looked = None;
        self.held = Held::default();
    }

    fn keep(&mut self, now_ns: u64, reference: Rate) {
        self.backoff_ns = self.constants.backoff_ns;
        self.state = State::Kept { reference, check_at_ns: now_ns + self.check_ns };
    }

    /// It did not gain: not again soon.
    fn lose(&mut self, now_ns: u64) {
        let backoff_ns = self.backoff_ns;
        self.backoff_ns = (2 * backoff_ns).min(self.constants.backoff_most_ns);
        self.release(now_ns, now_ns + backoff_ns);
    }

    fn release(&mut self, now_ns: u64, not_before_ns: u64) {
        let not_before_ns = match self.state {
            State::Free { not_before_ns: before_ns } => not_before_ns.max(before_ns),
            _ => not_before_ns,
        };
        self.check_ns = self.constants.check_ns;
        self.enter(now_ns, State::Free { not_before_ns });
    }
}

/// Times a second that the lock changed hands.
fn switches_per_s(began: &Reading, now: &Reading) -> Option<f64> {
    let switches = |reading: &Reading| match reading.gil {
        GilReading::Seen(state) => state.switches,
        // No lock that could change hands.
        GilReading::Off => Some(0),
        GilReading::Unknown => None,
    };
    let passed_ns = now.at_ns.saturating_sub(began.at_ns).max(1);
    Some(switches(now)?.wrapping_sub(switches(began)?) as f64 * 1e9 / passed_ns as f64)
}

impl Held {
    fn look(&mut self, before: &Reading, now: &Reading) {
        let is_held = match now.gil {
            GilReading::Seen(state) => state.is_held,
            GilReading::Off => false,
            GilReading::Unknown => return,
        };
        let cpu_ns = now.workers_cpu_ns.zip(before.workers_cpu_ns);
        self.looks += 1.0;
        self.found += f64::from(u8::from(is_held));
        self.passed_ns += now.at_ns.saturating_sub(before.at_ns) as f64;
        self.cpu_ns += cpu_ns.map_or(0, |(now_ns, before_ns)| now_ns.saturating_sub(before_ns)) as f64;
    }

    fn forget_half(&mut self) {
        for sum in [&mut self.looks, &mut self.found, &mut self.passed_ns, &mut self.cpu_ns] {
            *sum /= 2.0;
        }
    }

    fn share_of_cpu(&self, least_looks: u32) -> Option<f64> {
        let is_enough = self.looks >= f64::from(least_looks) && self.cpu_ns > 0.0;
        is_enough.then(|| self.found / self.looks / (self.cpu_ns / self.passed_ns))
    }
}

impl Rate {
    /// Follows slow drift; what is sudden is compared with it first.
    fn smoothed(&self, before: &Self) -> Self {
        let mix = |now: f64, before: f64| 0.25f64.mul_add(now - before, before);
        Self {
            tasks_per_s: mix(self.tasks_per_s, before.tasks_per_s),
            task_cpu_ns: mix(self.task_cpu_ns, before.task_cpu_ns),
            cores: mix(self.cores, before.cores),
            switches_per_s: self.switches_per_s,
        }
    }
}

#[cfg(test)]
mod tests;
