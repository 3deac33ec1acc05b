//! What the controller is shown, and the ways in which that can be wrong.

use super::random::Random;
use crate::gil::{GilReading, GilState};
use crate::regulator::Readings;

/// A fault of the sensors. It concerns the sensors of the machine (GIL, CPU clocks, run queue); what
/// the pool says of itself is always right.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fault {
    /// They are right.
    #[default]
    None,
    /// There are none.
    Missing,
    /// The GIL cannot be seen; the CPU clocks work.
    NoGil,
    /// The GIL's waiters cannot be counted.
    NoWaiters,
    /// From this time on they say what they said then.
    Frozen(u64),
    /// They say anything.
    Garbage,
    /// This share of the readings is lost.
    Loss(f64),
    /// The number of waiters is wrong by a factor of `exp(normal * sigma)`, the lock's flag by a
    /// coin in this share of the readings.
    Noise(f64),
}

/// The sensors of one run.
#[derive(Debug)]
pub(super) struct Sensors {
    fault: Fault,
    random: Random,
    frozen: Option<Readings>,
}

impl Sensors {
    pub(super) fn new(fault: Fault, seed: u64) -> Self {
        Self { fault, random: Random::new(seed, 3), frozen: None }
    }

    /// What is shown in place of the true `readings`.
    pub(super) fn show(&mut self, now_ns: u64, readings: &Readings) -> Readings {
        let blind = Readings {
            gil: GilReading::Unknown,
            foreign_waiters: None,
            process_cpu_ns: None,
            totals: readings.totals.map(|_| crate::regulator::Totals::default()),
            ..*readings
        };
        match self.fault {
            Fault::None => *readings,
            Fault::Frozen(from_ns) if now_ns < from_ns => *readings,
            Fault::Missing => blind,
            Fault::NoGil => Readings { gil: GilReading::Unknown, ..*readings },
            Fault::NoWaiters => Readings {
                gil: match readings.gil {
                    GilReading::Seen(state) => {
                        GilReading::Seen(GilState { waiters: None, waits: None, ..state })
                    }
                    other => other,
                },
                ..*readings
            },
            Fault::Frozen(_) => {
                let frozen = self.frozen.get_or_insert(*readings);
                if readings.totals.is_some() && frozen.totals.is_none() {
                    frozen.totals = readings.totals;
                }
                Readings {
                    gil: frozen.gil,
                    foreign_waiters: frozen.foreign_waiters,
                    process_cpu_ns: frozen.process_cpu_ns,
                    totals: readings.totals.and(frozen.totals),
                    ..*readings
                }
            }

            Fault::Garbage => self.garbage(readings),
            Fault::Loss(share) => {
                if self.random.unit() < share {
                    blind
                } else {
                    *readings
                }
            }
            Fault::Noise(sigma) => self.noisy(readings, sigma),
        }
    }

    fn garbage(&mut self, readings: &Readings) -> Readings {
        let gil = match self.random.below(3) {
            0 => GilReading::Unknown,
            1 => GilReading::Off,
            _ => GilReading::Seen(GilState {
                is_held: self.random.unit() < 0.5,
                waiters: (self.random.unit() < 0.8).then(|| self.random.bits() as u32),
                waits: Some(self.random.bits()),
                switches: Some(self.random.bits()),
            }),
        };
        let foreign_waiters = (self.random.unit() < 0.5).then(|| self.random.unit() * 1e3);
        let mut any = || (self.random.unit() < 0.8).then(|| self.random.bits());
        Readings {
            gil,
            foreign_waiters,
            process_cpu_ns: any(),
            totals: readings.totals.map(|_| crate::regulator::Totals {
                cpu_ns: any(),
                runqueue_ns: any(),
                is_runqueue_sampled: false,
            }),
            ..*readings
        }
    }

    fn noisy(&mut self, readings: &Readings, sigma: f64) -> Readings {
        let GilReading::Seen(state) = readings.gil else { return *readings };
        let is_flipped = self.random.unit() < sigma;
        let is_held = if is_flipped { self.random.unit() < 0.5 } else { state.is_held };
        let factor = (sigma * self.random.normal()).exp();
        let waiters = state.waiters.map(|waiters| (f64::from(waiters) * factor).round() as u32);
        Readings { gil: GilReading::Seen(GilState { is_held, waiters, ..state }), ..*readings }
    }
}
