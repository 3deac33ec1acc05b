//! Broken sensors, on demand: what a pool does with them is tested, not hoped for.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use surefoot_core::gil::{GilReading, GilState};

static FROZEN: OnceLock<GilReading> = OnceLock::new();
static SEED: AtomicU64 = AtomicU64::new(0);

/// The first reading, for ever.
pub(super) fn frozen(read: impl FnOnce() -> GilReading) -> GilReading {
    *FROZEN.get_or_init(read)
}

/// A sensor gone mad: any figure, now and then none.
pub(super) fn garbage() -> GilReading {
    // SplitMix64 (Steele, Lea, Flood 2014): good enough to be no pattern.
    let mut bits = SEED.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
    let waiters = (bits >> 8) as u32 >> (bits & 31);
    match bits >> 61 {
        0 => GilReading::Unknown,
        1 => GilReading::Off,
        odd => GilReading::Seen(GilState {
            is_held: bits & 64 != 0,
            waiters: (odd != 2).then_some(waiters),
            waits: (odd != 3).then_some(bits.rotate_left(17)),
            switches: (odd != 4).then_some(bits.rotate_left(31)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_of_every_kind() {
        let readings: Vec<_> = (0..1000).map(|_| garbage()).collect();
        assert!(readings.contains(&GilReading::Unknown));
        assert!(readings.contains(&GilReading::Off));
        let states =
            || readings.iter().filter_map(|r| if let GilReading::Seen(s) = r { Some(s) } else { None });
        assert!(states().any(|state| state.waiters.is_some_and(|waiters| waiters > 1 << 20)));
        assert!(states().any(|state| state.waiters.is_none()));
        assert!(states().any(|state| state.is_held) && states().any(|state| !state.is_held));
    }

    #[test]
    fn frozen_reads_once() {
        let first = frozen(|| GilReading::Off);
        assert_eq!(frozen(|| GilReading::Unknown), first);
    }
}
