//! What the monitor does for an observation, without the interpreter: looks at the lock and at some
//! of the threads, and ends the windows.

use std::sync::Arc;

use surefoot_core::monitor::Watched;
use surefoot_core::observation::{Doing, Glance, Point, ToRead, Used};
use surefoot_core::sync::lock_std;

use crate::observe::books::{Observed, OwnPool, Watching};
use crate::sensors::census::{self, Kind};
use crate::sensors::{allowance, clocks, gil};

/// Between two looks while calls run: 250 a second see a lock that is half used within 2 % after two
/// seconds, and cost two thousandths of a core.
const LOOK_NS: u64 = 4_000_000;
/// Between two looks while none runs.
const IDLE_NS: u64 = 20_000_000;
/// A load with a beat of its own must not be met at the same phase each time.
const JITTER: f64 = 0.4;
/// The golden ratio's fraction: its multiples, modulo 1, fill the interval evenly in any order.
const GOLDEN: f64 = 0.618_033_988_749_894_9;
const WINDOW_NS: u64 = 100_000_000;
/// Between two rounds of looking at threads one by one, and how many each takes: some microseconds
/// a thread, so two thousandths of a core.
const CENSUS_NS: u64 = 25_000_000;
const CENSUS_THREADS: usize = 6;
/// CPU clocks read at the end of a window; of the calls beyond nothing is known before they end.
const MOST_CLOCKS: usize = 128;

impl Watched for Observed {
    fn tick(self: Arc<Self>, now_ns: u64) -> Option<u64> {
        if !self.is_on() {
            return None;
        }
        let mut watching = lock_std(&self.watching);
        let is_active = self.look(&mut watching, now_ns);
        if now_ns.saturating_sub(watching.windowed_ns) >= WINDOW_NS {
            self.end_window(&mut watching, now_ns);
        }
        watching.looks = watching.looks.wrapping_add(1);
        let interval_ns = if is_active { LOOK_NS } else { IDLE_NS };
        let phase = (f64::from(watching.looks) * GOLDEN).fract() - 0.5;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, some milliseconds"
        )]
        let distance_ns = (interval_ns as f64 * (1.0 + 2.0 * JITTER * phase)) as u64;
        Some(now_ns + distance_ns)
    }
}

impl Observed {
    /// Looks once; says whether calls run.
    fn look(&self, watching: &mut Watching, now_ns: u64) -> bool {
        let glance = Glance { gil: gil::read(), holder_id: gil::holder() };
        let switches = switches(&glance);
        let is_census_due = now_ns.saturating_sub(watching.census_ns) >= CENSUS_NS;
        let (is_active, holder, some) = {
            let Some(mut books) = self.books() else { return false };
            let holder = books.look(now_ns, &glance);
            let some = if is_census_due { books.some_threads(CENSUS_THREADS) } else { Vec::new() };
            (books.is_active(), holder, some)
        };
        if let Some(holder) = holder {
            let is_asleep = is_asleep(holder.thread_id);
            // If the lock went on meanwhile, the thread may have let it go before it fell asleep.
            let is_holding = || {
                let now = Glance { gil: gil::read(), holder_id: gil::holder() };
                now.holder_id == glance.holder_id && self::switches(&now) == switches
            };
            if is_asleep
                && is_holding()
                && let Some(mut books) = self.books()
            {
                books.slept(&holder);
            }
        }
        if is_census_due {
            watching.census_ns = now_ns;
        }
        for (ticket, thread_id) in some {
            let doing = match kind_of(thread_id) {
                Some(Kind::Running) => Doing::Running,
                Some(Kind::Gil | Kind::HandOver) => Doing::WaitingForGil,
                Some(Kind::Lock) => Doing::AtLock,
                Some(Kind::Io(_) | Kind::Fault) => Doing::InIo,
                Some(Kind::Gone) | None => continue,
            };
            watching.sightings += 1;
            if let Some(mut books) = self.books() {
                books.saw(ticket, doing);
            }
        }
        for pool in &mut watching.own_pools {
            pool.look(now_ns);
        }
        is_active
    }

    pub(super) fn end_window(&self, watching: &mut Watching, now_ns: u64) {
        watching.windowed_ns = now_ns;
        let Some(to_read) = self.books().map(|mut books| books.to_read()) else { return };
        watching.meters.resize_with(to_read.len(), Default::default);
        let used: Vec<Used> = to_read
            .iter()
            .zip(&mut watching.meters)
            .map(|(to_read, meter)| {
                let (runqueue_ns, is_runqueue_sampled) = meter.read_runqueue(&to_read.thread_ids);
                Used { cpu_ns: cpu_ns(to_read), runqueue_ns, is_runqueue_sampled }
            })
            .collect();
        let allowance = allowance::current(now_ns);
        let points: Vec<_> = watching.own_pools.iter_mut().filter_map(|pool| pool.point(now_ns)).collect();
        let Some(mut books) = self.books() else { return };
        books.end_window(now_ns, &used, allowance);
        for (number, point) in points {
            books.timeline_mut().push(number, point);
        }
    }
}

fn switches(glance: &Glance) -> Option<u64> {
    let surefoot_core::gil::GilReading::Seen(state) = glance.gil else { return None };
    state.switches
}

/// Whether a thread is asleep, if that is known. A running clock is ten times cheaper to read than what
/// the thread does, and nearly every holder of the lock runs.
fn is_asleep(thread_id: u64) -> bool {
    let first_ns = clocks::cpu_ns_of(thread_id);
    if first_ns.is_some() && clocks::cpu_ns_of(thread_id) != first_ns {
        return false;
    }
    matches!(kind_of(thread_id), Some(Kind::Io(_) | Kind::Lock | Kind::Fault))
}

fn kind_of(thread_id: u64) -> Option<Kind> {
    census::look(&[thread_id]).ok()?.first().copied()
}

/// CPU time of the calls so far, those that run included.
fn cpu_ns(to_read: &ToRead) -> Option<u64> {
    let ended_ns = to_read.ended_cpu_ns?;
    if !clocks::ARE_OTHERS_READABLE {
        return None;
    }
    let in_call = |&(thread_id, start_ns): &(u64, u64)| {
        clocks::cpu_ns_of(thread_id).map_or(0, |now_ns| now_ns.saturating_sub(start_ns))
    };
    Some(ended_ns + to_read.in_calls.iter().take(MOST_CLOCKS).map(in_call).sum::<u64>())
}

impl OwnPool {
    fn look(&mut self, now_ns: u64) {
        let Some(shared) = self.shared.upgrade() else { return };
        let (snapshot, _) = shared.pool.vitals(now_ns, false);
        self.workers_peak = self.workers_peak.max(snapshot.workers_busy);
        self.queue_peak = self.queue_peak.max(snapshot.queue_length);
    }

    /// The window that ends now.
    fn point(&mut self, now_ns: u64) -> Option<(usize, Point)> {
        let shared = self.shared.upgrade()?;
        let (snapshot, _) = shared.pool.vitals(now_ns, false);
        let completed = snapshot.tasks.done + snapshot.tasks.failed;
        let sums =
            shared.regulator.as_ref().map(|regulator| *lock_std(regulator).shares()).unwrap_or_default();
        let duration_ns = now_ns.saturating_sub(self.at_ns);
        let point = Point {
            at_ns: now_ns,
            duration_ns,
            limit: Some(snapshot.limit),
            busy_ns: snapshot.workers_busy as u64 * duration_ns,
            queue_length: snapshot.queue_length,
            completions: completed.saturating_sub(self.completed),
            shares: sums.since(&self.shares),
        };
        (self.completed, self.shares, self.at_ns) = (completed, sums, now_ns);
        Some((self.number, point))
    }
}
