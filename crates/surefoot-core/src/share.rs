//! Where the wall time of workers went: computing, waiting for a core, waiting for the GIL, or
//! blocked otherwise. Only the last says that another thread would help.
//!
//! The time of a worker begins with its wait for the interpreter and ends with its task. CPU and
//! run queue are clocks; what is left was *blocked*, and the mean number of threads that waited for
//! the GIL, times the length of the window (Little's law), says how much of that was the GIL.
//! Where the GIL cannot be seen, its share is not guessed: the blocked time stays in one piece, with
//! bounds. Sums are made of time, never of ratios, lest short tasks weigh as much as long ones.

use crate::sample::Sample;
use crate::window::Window;

/// How a figure came about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// From clocks alone.
    Exact,
    /// In part from looks at moments, or from some threads in place of all.
    Sampled,
    /// The blocked time could not be split; the GIL's part is known by bounds.
    Bound,
}

impl Source {
    /// The name, as in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Sampled => "sampled",
            Self::Bound => "bound",
        }
    }
}

/// How much of the blocked share is the GIL's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GilShare {
    /// This much.
    Seen(f64),
    /// Nobody could see; in this range.
    Within {
        /// No less.
        least: f64,
        /// No more.
        most: f64,
    },
}

/// Shares of worker time: `cpu + runqueue + blocked = 1`, and `gil + io = blocked` where the two can
/// be told apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// On a core.
    pub cpu: f64,
    /// Runnable without a core.
    pub runqueue: f64,
    /// Asleep: waiting for the GIL, for I/O, for a lock, for another task.
    pub blocked: f64,
    /// The GIL's part of `blocked`.
    pub gil: GilShare,
    /// One standard deviation of each share, and what is known to be off, together.
    pub error: f64,
    /// How they came about.
    pub source: Source,
}

impl Shares {
    /// The share of waiting for the GIL; `None` if it could not be seen.
    pub fn gil(&self) -> Option<f64> {
        match self.gil {
            GilShare::Seen(gil) => Some(gil),
            GilShare::Within { .. } => None,
        }
    }

    /// The share of all other blocking; `None` if the GIL's could not be seen.
    pub fn io(&self) -> Option<f64> {
        self.gil().map(|gil| self.blocked - gil)
    }

    /// The least and the most that the GIL's share can be.
    pub fn gil_bounds(&self) -> (f64, f64) {
        match self.gil {
            GilShare::Seen(gil) => ((gil - self.error).max(0.0), (gil + self.error).min(self.blocked)),
            GilShare::Within { least, most } => (least, most),
        }
    }
}

/// As long as no more than this part of all time was blocked unsplit (a first window before the
/// sensor was ready), the split of the rest stands, and this goes to the error.
const MOST_UNSPLIT: f64 = 0.02;

/// How many numbers [`ShareSums`] are made of.
pub const SHARE_PARTS: usize = 9;

/// Worker time by where it went, summed over windows or tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ShareSums {
    total_ns: f64,
    cpu_ns: f64,
    runqueue_ns: f64,
    /// Blocked, and known to be the GIL's.
    gil_ns: f64,
    /// Blocked, by what nobody could see.
    unsplit_ns: f64,
    /// Of that, no less and no more is the GIL's.
    gil_least_ns: f64,
    gil_most_ns: f64,
    /// Of the sampling error, in squared nanoseconds.
    variance: f64,
    /// What may be in a wrong place.
    misplaced_ns: f64,
    is_sampled: bool,
}

/// Worker time by where it went, for counters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// On a core.
    pub cpu_ns: f64,
    /// Runnable without a core.
    pub runqueue_ns: f64,
    /// Waiting for the interpreter.
    pub gil_ns: f64,
    /// Blocked otherwise.
    pub io_ns: f64,
    /// Blocked, and nobody can tell in which of the two.
    pub unsplit_ns: f64,
}

impl ShareSums {
    /// The sums of one window; `None` if the workers' CPU time is not known, or nobody worked.
    pub fn of_window(window: &Window) -> Option<Self> {
        let total_ns = window.busy_ns as f64 + window.attach_wait_ns as f64;
        let cpu_ns = (window.workers_cpu_ns? as f64).min(total_ns);
        if total_ns <= 0.0 {
            return None;
        }
        let runqueue_ns = window.workers_runqueue_ns.map_or(0.0, |ns| (ns as f64).min(total_ns - cpu_ns));
        let blocked_ns = total_ns - cpu_ns - runqueue_ns;
        let attach_wait_ns = (window.attach_wait_ns as f64).min(blocked_ns);
        let mut sums = Self { total_ns, cpu_ns, runqueue_ns, ..Self::default() };
        sums.is_sampled = window.is_runqueue_sampled;
        let looks = &window.looks;
        if let Some(waiters) = looks.own_waiters_mean() {
            let waited_ns = waiters * window.duration_ns as f64;
            let all_ns = looks.waited_ns * window.duration_ns as f64 / looks.counted_ns;
            let whose_ns2 = all_ns * all_ns * looks.foreign_variance();
            sums.variance = (sampling_variance(window, waited_ns) + whose_ns2).min(blocked_ns * blocked_ns);
            // Looks err to either side: what is cut off here would be missing from the sum of many
            // windows. But more than they can err was other threads, and how many of those were
            // among the rest is not known.
            sums.gil_ns = waited_ns.min(blocked_ns + 2.0 * sums.variance.sqrt());
            sums.misplaced_ns += (waited_ns - sums.gil_ns).min(blocked_ns);
            sums.is_sampled = true;
        } else if !looks.is_gil_off() {
            sums.unsplit_ns = blocked_ns;
            sums.gil_least_ns = attach_wait_ns;
            sums.gil_most_ns = busy_bound_ns(window).map_or(blocked_ns, |ns| ns.min(blocked_ns));
            sums.gil_most_ns = sums.gil_most_ns.max(attach_wait_ns);
        }
        if window.workers_runqueue_ns.is_none() {
            sums.misplaced_ns += (blocked_ns - sums.gil_ns).max(0.0);
            sums.is_sampled = true;
        }
        Some(sums)
    }

    /// An estimate of one task: what was not measured of it is divided as in the last window.
    pub fn of_task(sample: &Sample, division: &Division) -> Self {
        let attach_wait_ns = sample.attach_wait_ns as f64;
        let total_ns = attach_wait_ns + sample.wall_ns as f64;
        let cpu_ns = (sample.cpu_ns.unwrap_or(0) as f64).min(total_ns);
        let idle_ns = total_ns - cpu_ns;
        let runqueue_ns = sample.runqueue_ns.map_or(idle_ns * division.runqueue, |ns| ns as f64).min(idle_ns);
        let blocked_ns = idle_ns - runqueue_ns;
        let attach_wait_ns = attach_wait_ns.min(blocked_ns);
        let mut sums = Self { total_ns, cpu_ns, runqueue_ns, ..Self::default() };
        sums.is_sampled = sample.runqueue_ns.is_none();
        match division.gil {
            GilDivision::Off => {}
            GilDivision::Seen(part) => {
                sums.gil_ns = attach_wait_ns + part * (blocked_ns - attach_wait_ns);
                sums.is_sampled = true;
            }
            GilDivision::Unseen => {
                sums.unsplit_ns = blocked_ns;
                (sums.gil_least_ns, sums.gil_most_ns) = (attach_wait_ns, blocked_ns);
            }
        }
        sums.misplaced_ns =
            if sample.cpu_ns.is_none() { idle_ns } else { (division.error * total_ns).min(idle_ns) };
        sums
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.total_ns += other.total_ns;
        self.cpu_ns += other.cpu_ns;
        self.runqueue_ns += other.runqueue_ns;
        self.gil_ns += other.gil_ns;
        self.unsplit_ns += other.unsplit_ns;
        self.gil_least_ns += other.gil_least_ns;
        self.gil_most_ns += other.gil_most_ns;
        self.variance += other.variance;
        self.misplaced_ns += other.misplaced_ns;
        self.is_sampled |= other.is_sampled;
    }

    /// What was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let (now, before) = (self.to_array(), before.to_array());
        let mut parts = [0.0; SHARE_PARTS];
        for (place, part) in parts.iter_mut().enumerate() {
            *part = (now[place] - before[place]).max(0.0);
        }
        Self::of_array(parts, self.is_sampled)
    }

    /// The sums one by one, as snapshot files have them: total, CPU, run queue, GIL, unsplit, the least and
    /// the most of that which is the GIL's, all in nanoseconds; variance in their square; misplaced.
    pub fn to_array(&self) -> [f64; SHARE_PARTS] {
        [
            self.total_ns,
            self.cpu_ns,
            self.runqueue_ns,
            self.gil_ns,
            self.unsplit_ns,
            self.gil_least_ns,
            self.gil_most_ns,
            self.variance,
            self.misplaced_ns,
        ]
    }

    /// Sums of such parts; what is no number, or negative, counts as 0.
    pub fn of_array(parts: [f64; SHARE_PARTS], is_sampled: bool) -> Self {
        let [
            total_ns,
            cpu_ns,
            runqueue_ns,
            gil_ns,
            unsplit_ns,
            gil_least_ns,
            gil_most_ns,
            variance,
            misplaced_ns,
        ] = parts.map(|part| if part.is_finite() { part.max(0.0) } else { 0.0 });
        Self {
            total_ns,
            cpu_ns,
            runqueue_ns,
            gil_ns,
            unsplit_ns,
            gil_least_ns,
            gil_most_ns,
            variance,
            misplaced_ns,
            is_sampled,
        }
    }

    /// Whether some of it comes from looks at moments, or from some threads in place of all.
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// Splits what could not be split when it was summed as the first division that can tells to.
    pub fn split(&mut self, division: &Division) {
        match division.gil {
            GilDivision::Unseen => return,
            GilDivision::Off => {}
            GilDivision::Seen(part) => {
                self.gil_ns += self.gil_least_ns + part * (self.unsplit_ns - self.gil_least_ns);
                self.is_sampled = true;
            }
        }
        self.misplaced_ns += division.error * self.unsplit_ns;
        (self.unsplit_ns, self.gil_least_ns, self.gil_most_ns) = (0.0, 0.0, 0.0);
    }

    /// The sums themselves. As long as tasks are added and nothing else, none of the first four
    /// ever falls.
    pub fn parts(&self) -> Parts {
        let known_ns = self.cpu_ns + self.runqueue_ns + self.gil_ns + self.unsplit_ns;
        Parts {
            cpu_ns: self.cpu_ns,
            runqueue_ns: self.runqueue_ns,
            gil_ns: self.gil_ns,
            io_ns: (self.total_ns - known_ns).max(0.0),
            unsplit_ns: self.unsplit_ns,
        }
    }

    /// These sums with the blocked time split as threads were seen to be blocked, one by one: of
    /// `count` sightings of a blocked thread the part `gil` waited for the lock. Of all sightings the
    /// part `running`, with that deviation, were on a core or ready to be: where that is not what the
    /// clocks say, something was misplaced.
    #[must_use]
    pub fn resplit(&self, gil: f64, count: f64, running: f64, deviation: f64) -> Self {
        let ready_ns = self.cpu_ns + self.runqueue_ns;
        let blocked_ns = (self.total_ns - ready_ns).max(0.0);
        // As if one more had been seen of each kind: none among a few is not none.
        let spread = ((gil * (1.0 - gil)).max(1.0 / count) / count).sqrt() * blocked_ns;
        let off_ns = (running * self.total_ns - ready_ns).abs() - 2.0 * deviation * self.total_ns;
        Self {
            gil_ns: gil * blocked_ns,
            variance: spread * spread,
            misplaced_ns: off_ns.clamp(0.0, self.total_ns),
            is_sampled: true,
            unsplit_ns: 0.0,
            gil_least_ns: 0.0,
            gil_most_ns: 0.0,
            ..*self
        }
    }

    /// Worker time summed.
    pub fn total_ns(&self) -> f64 {
        self.total_ns
    }

    /// The shares; `None` if nothing was summed.
    pub fn shares(&self) -> Option<Shares> {
        if self.total_ns <= 0.0 {
            return None;
        }
        let share = |ns: f64| (ns / self.total_ns).clamp(0.0, 1.0);
        let (cpu, runqueue) = (share(self.cpu_ns), share(self.runqueue_ns));
        let blocked = (1.0 - cpu - runqueue).max(0.0);
        let mut error = share(self.variance.sqrt() + self.misplaced_ns);
        let is_split = share(self.unsplit_ns) <= MOST_UNSPLIT;
        let gil = if is_split {
            error = (error + share(self.unsplit_ns)).min(1.0);
            GilShare::Seen(share(self.gil_ns + self.gil_least_ns).min(blocked))
        } else {
            let least = share(self.gil_ns + self.gil_least_ns).min(blocked);
            GilShare::Within {
                least,
                most: share(self.gil_ns + self.gil_most_ns).clamp(least, blocked.max(least)),
            }
        };
        let source = match (is_split, self.is_sampled) {
            (false, _) => Source::Bound,
            (true, true) => Source::Sampled,
            (true, false) => Source::Exact,
        };
        Some(Shares { cpu, runqueue, blocked, gil, error, source })
    }
}

/// How the time divides that was not measured task by task: as it did in the last window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Division {
    /// The run queue's part of the time not spent computing.
    runqueue: f64,
    gil: GilDivision,
    /// The error of all windows.
    error: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum GilDivision {
    #[default]
    Unseen,
    Off,
    /// The GIL's part of the time blocked after the worker had attached.
    Seen(f64),
}

impl Division {
    /// The division of a window; `None` if hardly anything was blocked in it, so that it says
    /// nothing. `error` is that of all windows so far: one window errs by more, but tasks are of many.
    pub fn of(window: &Window, sums: &ShareSums, error: f64) -> Option<Self> {
        /// Less tells nothing about other tasks.
        const LEAST: f64 = 0.001;
        let idle_ns = sums.total_ns - sums.cpu_ns;
        if idle_ns < LEAST * sums.total_ns {
            return None;
        }
        let blocked_ns = idle_ns - sums.runqueue_ns;
        let attach_wait_ns = (window.attach_wait_ns as f64).min(blocked_ns);
        let rest_ns = blocked_ns - attach_wait_ns;
        let gil = if window.looks.is_gil_off() {
            GilDivision::Off
        } else if sums.unsplit_ns > 0.0 || window.looks.counted == 0 {
            GilDivision::Unseen
        } else if rest_ns > 0.0 {
            GilDivision::Seen(((sums.gil_ns - attach_wait_ns) / rest_ns).clamp(0.0, 1.0))
        } else {
            GilDivision::Seen(0.0)
        };
        Some(Self { runqueue: sums.runqueue_ns / idle_ns, gil, error })
    }
}

/// Of the time waited for the GIL, in squared nanoseconds.
///
/// A wait of length l that begins anywhere between looks at a distance d is measured with a variance
/// of l (d - l) if it is shorter than d, and of at most d²/4 anyway. There were as many waits as the
/// lock counted; of their length the mean is taken, of what was seen and one look more. Without
/// their number the variance is that of a mean, as if the looks were independent.
fn sampling_variance(window: &Window, waited_ns: f64) -> f64 {
    let looks = &window.looks;
    let (count, duration_ns) = (f64::from(looks.counted), window.duration_ns as f64);
    if let Some(waits) = looks.waits {
        let (distance_ns, waits) = (duration_ns / count, waits.max(1) as f64);
        let length_ns = ((waited_ns + distance_ns) / waits).min(distance_ns / 2.0);
        return waits * length_ns * (distance_ns - length_ns);
    }
    if looks.counted < 2 {
        return f64::INFINITY;
    }
    let sum = looks.waiters as f64;
    let spread = (looks.waiters_squared as f64 - sum * sum / count).max(0.0) / (count - 1.0);
    spread / count * duration_ns * duration_ns
}

/// The most that all workers together can have waited for a GIL that was not always busy: all of
/// them, whenever it was; with two standard deviations and one look on top. `None` if it was not
/// seen.
fn busy_bound_ns(window: &Window) -> Option<f64> {
    let share = window.looks.gil_busy_share()?;
    let count = f64::from(window.looks.seen);
    let share = (share + 2.0 * (share * (1.0 - share) / count).sqrt() + 1.0 / count).min(1.0);
    Some(share * window.duration_ns as f64 * window.workers_live as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gil::{GilReading, GilState};
    use crate::window::Looks;

    const SECOND: u64 = 1_000_000_000;

    fn looks(waiters: impl IntoIterator<Item = u32>) -> Looks {
        let mut looks = Looks::default();
        for waiters in waiters {
            looks.count += 1;
            let now =
                GilReading::Seen(GilState { is_held: true, waiters: Some(waiters), ..GilState::default() });
            looks.add(now, now, 1_000_000);
        }
        looks
    }

    /// Four workers for a second: one core's worth of work, 0.4 s in the run queue.
    fn window(looks: Looks) -> Window {
        Window {
            duration_ns: SECOND,
            workers_live: 4,
            busy_ns: 4 * SECOND,
            workers_cpu_ns: Some(SECOND),
            workers_runqueue_ns: Some(SECOND * 4 / 10),
            looks,
            ..Window::default()
        }
    }

    fn shares(window: &Window) -> Shares {
        let shares = ShareSums::of_window(window).and_then(|sums| sums.shares()).expect("workers worked");
        assert!((shares.cpu + shares.runqueue + shares.blocked - 1.0).abs() < 1e-12, "{shares:?}");
        if let (Some(gil), Some(io)) = (shares.gil(), shares.io()) {
            assert!((shares.cpu + shares.runqueue + gil + io - 1.0).abs() < 1e-12, "{shares:?}");
        }
        assert!((0.0..=1.0).contains(&shares.error), "{shares:?}");
        shares
    }

    fn assert_near(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-9), "{found:?} for {expected}");
    }

    #[test]
    fn waiters_times_duration_is_the_gils_share() {
        let seen = shares(&window(looks([1, 2, 1, 2])));
        assert_near(Some(seen.cpu), 0.25);
        assert_near(Some(seen.runqueue), 0.1);
        assert_near(seen.gil(), 1.5 / 4.0);
        assert_near(seen.io(), 2.6 / 4.0 - 1.5 / 4.0);
        assert_eq!(seen.source, Source::Sampled);
        assert!(seen.error > 0.0 && seen.error < 0.1, "{seen:?}");
    }

    #[test]
    fn more_waiters_than_workers_were_others_and_that_shows() {
        let seen = shares(&window(looks([5; 100])));
        assert_near(seen.gil(), 0.65);
        assert_near(seen.io(), 0.0);
        assert_near(Some(seen.error), (5.0 - 2.6) / 4.0);
        assert!(shares(&window(looks([2, 3]))).error < 0.5, "that may be the looks' own error");
    }

    #[test]
    fn the_number_of_waits_bounds_the_error() {
        let mut counted = looks([2; 200]);
        counted.waits = Some(400);
        // 20 rounds of half the distance of 5 ms each, in 4 s.
        assert_near(Some(shares(&window(counted)).error), 20.0 * 0.0025 / 4.0);
        counted.waited_ns = 0.0;
        let rare = shares(&window(counted)).error;
        assert!(rare > 0.0 && rare < 0.002, "waits so short that no look met one: {rare}");
    }

    #[test]
    fn what_others_wait_for_the_gil_is_not_the_tasks() {
        let mut told = looks([2; 10]);
        (0..10).for_each(|_| told.tell(2, 1.0));
        let (all, own) = (shares(&window(looks([2; 10]))), shares(&window(told)));
        assert_near(own.gil(), all.gil().expect("it was seen") / 2.0);
        assert_near(own.io(), all.io().expect("it was seen") + all.gil().expect("it was seen") / 2.0);
        assert!(own.error > all.error, "whose they were is known from some looks only: {own:?}");
    }

    #[test]
    fn an_unseen_gil_is_bounded_and_not_guessed() {
        let unseen = shares(&Window { attach_wait_ns: SECOND / 2, ..window(Looks::default()) });
        assert_eq!((unseen.gil(), unseen.io(), unseen.source), (None, None, Source::Bound));
        let (least, most) = unseen.gil_bounds();
        assert_near(Some(least), 0.5 / 4.5);
        assert_near(Some(most), unseen.blocked);
    }

    #[test]
    fn a_gil_that_is_rarely_held_cannot_be_waited_for_long() {
        let mut held = Looks::default();
        for number in 0..1000 {
            let now = GilReading::Seen(GilState { is_held: number % 50 == 0, ..GilState::default() });
            held.add(now, now, 1_000_000);
        }
        let seen = shares(&window(held));
        assert_eq!(seen.gil(), None);
        assert!(seen.gil_bounds().1 < 0.05, "{seen:?}");
    }

    #[test]
    fn without_a_gil_its_share_is_nil() {
        let mut off = Looks::default();
        off.add(GilReading::Off, GilReading::Off, 1_000_000);
        let shares = shares(&window(off));
        assert_eq!((shares.gil(), shares.source, shares.error), (Some(0.0), Source::Exact, 0.0));
        assert_near(shares.io(), 0.65);
    }

    #[test]
    fn an_unknown_run_queue_makes_the_rest_uncertain() {
        let unknown = shares(&Window { workers_runqueue_ns: None, ..window(looks([2; 10])) });
        assert_near(unknown.gil(), 0.5);
        assert!(unknown.error >= 0.25, "{unknown:?}");
        assert_eq!(ShareSums::of_window(&Window { workers_cpu_ns: None, ..window(looks([2])) }), None);
        assert_eq!(ShareSums::of_window(&Window { workers_cpu_ns: Some(9), ..Window::default() }), None);
    }

    #[test]
    fn clocks_that_overlap_stay_within_one() {
        let odd = Window { workers_cpu_ns: Some(9 * SECOND), ..window(looks([3])) };
        assert_near(Some(shares(&odd).cpu), 1.0);
        let odd = Window { workers_runqueue_ns: Some(9 * SECOND), ..window(looks([3])) };
        assert_near(Some(shares(&odd).runqueue), 0.75);
    }

    #[test]
    fn sums_weigh_by_time() {
        let mut sums = ShareSums::of_window(&window(looks([1; 10]))).expect("workers worked");
        let long = Window { busy_ns: 36 * SECOND, workers_live: 36, ..window(looks([0; 10])) };
        sums.add(&ShareSums::of_window(&long).expect("workers worked"));
        let shares = sums.shares().expect("workers worked");
        assert_near(Some(shares.cpu), 2.0 / 40.0);
        assert_near(shares.gil(), 1.0 / 40.0);
        sums.add(&ShareSums::of_window(&window(Looks::default())).expect("workers worked"));
        assert_eq!(sums.shares().map(|shares| shares.source), Some(Source::Bound), "a part was not seen");
    }

    #[test]
    fn tasks_divide_as_the_window_did() {
        let window = window(looks([1; 100]));
        let sums = ShareSums::of_window(&window).expect("workers worked");
        let division = Division::of(&window, &sums, 0.01).expect("much was blocked");
        let task = Sample { wall_ns: 1000, cpu_ns: Some(100), ..Sample::default() };
        let short = ShareSums::of_task(&task, &division).shares().expect("it took time");
        // 0.4 of 3 s not computing in the run queue, 1 of the other 2.6 s for the GIL.
        assert_near(Some(short.runqueue), 0.9 * 0.4 / 3.0);
        assert_near(short.gil(), 0.9 * 1.0 / 3.0);
        let measured = Sample { runqueue_ns: Some(900), attach_wait_ns: 1000, ..task };
        let long = ShareSums::of_task(&measured, &division).shares().expect("it took time");
        assert_near(Some(long.runqueue), 0.45);
        assert_near(long.gil(), 0.5);
        let unseen = ShareSums::of_task(&task, &Division::default()).shares().expect("it took time");
        assert_eq!((unseen.gil(), unseen.gil_bounds()), (None, (0.0, 0.9)));
        let blind =
            ShareSums::of_task(&Sample { cpu_ns: None, ..task }, &division).shares().expect("it took time");
        assert_near(Some(blind.error), 1.0);
        assert_eq!(ShareSums::of_task(&Sample::default(), &division).shares(), None);
    }
}
