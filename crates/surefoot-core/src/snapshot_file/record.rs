//! One pool.

use super::bytes::{Eye, Pen, block, check};
use super::{Block, DECISIONS, Damage};
use crate::decision::{Log, Veto};
use crate::ledger::{Counts, Spectra};
use crate::share::{SHARE_PARTS, ShareSums};
use crate::spectrum::{BUCKETS, Spectrum};
use crate::window::Window;

const NAME: usize = 64;
const CONTROLLER: usize = 24;
const REASON: usize = 104;
const SPECTRA_AT: usize = 384;
const DECISIONS_AT: usize = 1536;
const DECISION: usize = 144;

const BUSY: u32 = 1;
const CLOSED: u32 = 2;
const THROTTLED: u32 = 4;
const SAMPLED: u32 = 8;

/// What is seen of the interpreter's lock.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum GilSensor {
    /// Nothing, or nobody looked.
    #[default]
    Unknown,
    /// There is none in force.
    Off,
    /// Whether it is held.
    Lock,
    /// How many wait for it, too.
    Waiters,
}

impl GilSensor {
    /// The one that a window was seen by.
    pub fn of(window: &Window) -> Self {
        let looks = &window.looks;
        match (looks.is_gil_off(), looks.counted > 0, looks.seen > 0) {
            (true, ..) => Self::Off,
            (_, true, _) => Self::Waiters,
            (_, _, true) => Self::Lock,
            _ => Self::Unknown,
        }
    }

    /// The word used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Off => "off",
            Self::Lock => "lock",
            Self::Waiters => "waiters",
        }
    }

    fn of_code(code: u32) -> Self {
        match code {
            1 => Self::Off,
            2 => Self::Lock,
            3 => Self::Waiters,
            _ => Self::Unknown,
        }
    }
}

/// Decisions that followed each other and were the same, as one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecisionRecord {
    /// When the last of them fell, on the clock of the records.
    pub at_ns: u64,
    /// When the first did.
    pub first_at_ns: u64,
    /// How many they are.
    pub times: u32,
    /// The limit before.
    pub limit_before: u32,
    /// The limit after.
    pub limit: u32,
    /// Set if the limit stayed although tasks waited.
    pub veto: Option<Veto>,
    /// Tasks that waited at the last.
    pub queue_length: u32,
    /// Why, in words.
    pub reason: String,
}

/// One pool at one moment. Counts, share sums and spectra are of its whole life: those of a span are the
/// difference between two records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolRecord {
    /// Counts the writings of this place in the file, from 1.
    pub sequence: u64,
    /// The pool's number in its process; never used again.
    pub pool: u64,
    /// When it was written, on the clock of the records.
    pub at_ns: u64,
    /// When its first task was seen.
    pub first_at_ns: u64,
    /// Whether there is work. A pool without any is not written again until there is.
    pub is_busy: bool,
    /// Whether it takes no more tasks.
    pub is_closed: bool,
    /// Whether a quota stopped the process of late.
    pub is_throttled: bool,
    /// The limit in force.
    pub limit: u32,
    /// The limit never exceeds it.
    pub cap: u32,
    /// The limit never goes below it.
    pub min_workers: u32,
    /// Workers that exist.
    pub workers_live: u32,
    /// Of those, workers that run a task.
    pub workers_busy: u32,
    /// Of those, workers that wait for another task of the pool.
    pub workers_joining: u32,
    /// What is seen of the interpreter's lock.
    pub gil_sensor: GilSensor,
    /// Tasks waiting.
    pub queue_length: u64,
    /// How long the oldest of them has waited.
    pub queue_head_age_ns: u64,
    /// Tasks by what became of them.
    pub tasks: Counts,
    /// Tasks a second that returned or raised, between this writing and the one before.
    pub throughput_per_s: f64,
    /// Cores that the process may use.
    pub cores: Option<f64>,
    /// Cores that the process used in the last window.
    pub cores_used: Option<f64>,
    /// Share of the last window that the lock was held or wanted.
    pub gil_busy_share: Option<f64>,
    /// Where the workers' time went.
    pub shares: ShareSums,
    /// `thread_name_prefix`.
    pub name: String,
    /// Who decides.
    pub controller: String,
    /// The control interval; 0 for a pool without a controller.
    pub interval_ns: u64,
    /// Times of tasks.
    pub spectra: Spectra,
    /// The last decisions, oldest first, at most [`DECISIONS`].
    pub decisions: Vec<DecisionRecord>,
}

impl PoolRecord {
    /// Writes it.
    pub fn encode(&self, block: &mut Block) {
        let mut pen = Pen::new(block);
        pen.u64(self.sequence);
        pen.u64(self.pool);
        pen.u64(self.at_ns);
        pen.u64(self.first_at_ns);
        let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
        pen.u32(
            flag(self.is_busy, BUSY)
                | flag(self.is_closed, CLOSED)
                | flag(self.is_throttled, THROTTLED)
                | flag(self.shares.is_sampled(), SAMPLED),
        );
        pen.u32(self.limit);
        pen.u32(self.cap);
        pen.u32(self.min_workers);
        pen.u32(self.workers_live);
        pen.u32(self.workers_busy);
        pen.u32(self.workers_joining);
        pen.u32(self.gil_sensor as u32);
        pen.u64(self.queue_length);
        pen.u64(self.queue_head_age_ns);
        let Counts { submitted, running, done, failed, cancelled, .. } = self.tasks;
        for count in [submitted, running, done, failed, cancelled] {
            pen.u64(count);
        }
        pen.f64(self.throughput_per_s);
        let unknown = f64::NAN;
        let figures = [self.cores, self.cores_used, self.gil_busy_share];
        for figure in
            figures.map(|figure| figure.unwrap_or(unknown)).into_iter().chain(self.shares.to_array())
        {
            pen.f64(figure);
        }
        pen.u64(self.interval_ns);
        pen.text(&self.name, NAME);
        pen.text(&self.controller, CONTROLLER);
        let first = self.decisions.len().saturating_sub(DECISIONS);
        let decisions = &self.decisions[first..];
        pen.u32(count_of(decisions.len()));
        pen.skip_to(SPECTRA_AT);
        for spectrum in [&self.spectra.queued, &self.spectra.wall] {
            for count in spectrum.0 {
                pen.u32(count);
            }
        }
        for (place, decision) in decisions.iter().enumerate() {
            pen.skip_to(DECISIONS_AT + place * DECISION);
            decision.encode(&mut pen);
        }
        pen.seal();
    }

    /// Reads it; `None` for a free place. Whatever the bytes, this ends, and the texts are harmless.
    ///
    /// # Errors
    /// If there are too few, or the record is half written: read it again.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Damage> {
        let block = block(bytes)?;
        let mut eye = Eye::new(block);
        let sequence = eye.u64();
        if sequence == 0 {
            return Ok(None);
        }
        check(block)?;
        let (pool, at_ns, first_at_ns, flags) = (eye.u64(), eye.u64(), eye.u64(), eye.u32());
        Ok(Some(Self {
            sequence,
            pool,
            at_ns,
            first_at_ns,
            is_busy: flags & BUSY != 0,
            is_closed: flags & CLOSED != 0,
            is_throttled: flags & THROTTLED != 0,
            limit: eye.u32(),
            cap: eye.u32(),
            min_workers: eye.u32(),
            workers_live: eye.u32(),
            workers_busy: eye.u32(),
            workers_joining: eye.u32(),
            gil_sensor: GilSensor::of_code(eye.u32()),
            queue_length: eye.u64(),
            queue_head_age_ns: eye.u64(),
            tasks: Counts {
                submitted: eye.u64(),
                running: eye.u64(),
                done: eye.u64(),
                failed: eye.u64(),
                cancelled: eye.u64(),
                // Not in the file.
                ..Counts::default()
            },
            throughput_per_s: eye.f64().unwrap_or(0.0),
            cores: eye.f64(),
            cores_used: eye.f64(),
            gil_busy_share: eye.f64(),
            shares: ShareSums::of_array(
                [(); SHARE_PARTS].map(|()| eye.f64().unwrap_or(0.0)),
                flags & SAMPLED != 0,
            ),
            interval_ns: eye.u64(),
            name: eye.text(NAME),
            controller: eye.text(CONTROLLER),
            decisions: {
                let count = (eye.u32() as usize).min(DECISIONS);
                (0..count).map(|place| DecisionRecord::decode(&mut eye, place)).collect()
            },
            spectra: {
                eye.skip_to(SPECTRA_AT);
                let queued = Spectrum([(); BUCKETS].map(|()| eye.u32()));
                Spectra { queued, wall: Spectrum([(); BUCKETS].map(|()| eye.u32())) }
            },
        }))
    }

    /// Tasks that returned or raised.
    pub fn completed(&self) -> u64 {
        self.tasks.done.saturating_add(self.tasks.failed)
    }
}

impl DecisionRecord {
    fn encode(&self, pen: &mut Pen<'_>) {
        pen.u64(self.at_ns);
        pen.u64(self.first_at_ns);
        pen.u32(self.times);
        pen.u32(self.limit_before);
        pen.u32(self.limit);
        pen.u32(veto_code(self.veto));
        pen.u32(self.queue_length);
        pen.u32(0);
        pen.text(&self.reason, REASON);
    }

    fn decode(eye: &mut Eye<'_>, place: usize) -> Self {
        eye.skip_to(DECISIONS_AT + place * DECISION);
        let (at_ns, first_at_ns, times, limit_before, limit) =
            (eye.u64(), eye.u64(), eye.u32(), eye.u32(), eye.u32());
        let code = eye.u32();
        let veto = VETOES.into_iter().find(|veto| veto_code(Some(*veto)) == code);
        let queue_length = eye.u32();
        eye.u32();
        let reason = eye.text(REASON);
        Self { at_ns, first_at_ns, times, limit_before, limit, veto, queue_length, reason }
    }
}

const VETOES: [Veto; 6] = [Veto::Gil, Veto::Cpu, Veto::Quota, Veto::Memory, Veto::Plateau, Veto::Cap];

fn veto_code(veto: Option<Veto>) -> u32 {
    match veto {
        None => 0,
        Some(Veto::Gil) => 1,
        Some(Veto::Cpu) => 2,
        Some(Veto::Quota) => 3,
        Some(Veto::Memory) => 4,
        Some(Veto::Plateau) => 5,
        Some(Veto::Cap) => 6,
    }
}

/// A count as it stands in a record.
fn count_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The last decisions of a log, oldest first. A veto that was repeated is one line.
pub fn decision_records(log: &Log) -> Vec<DecisionRecord> {
    let mut records: Vec<DecisionRecord> = Vec::with_capacity(DECISIONS);
    for entry in log.entries().rev() {
        let (before, limit) = (count_of(entry.limit_before), count_of(entry.limit));
        if let Some(last) = records.last_mut()
            && entry.veto.is_some()
            && (last.veto, last.limit_before, last.limit) == (entry.veto, before, limit)
            && last.reason == entry.reason
        {
            last.times += 1;
            last.first_at_ns = entry.at_ns;
            continue;
        }
        if records.len() == DECISIONS {
            break;
        }
        records.push(DecisionRecord {
            at_ns: entry.at_ns,
            first_at_ns: entry.at_ns,
            times: 1,
            limit_before: before,
            limit,
            veto: entry.veto,
            queue_length: count_of(entry.queue_length),
            reason: entry.reason.to_owned(),
        });
    }
    records.reverse();
    records
}
