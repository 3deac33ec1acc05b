//! Which cores a thread may run on.

/// A set of cores. A machine with more of them than fit has its threads left where they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mask([u64; WORDS]);

/// As many as glibc's `cpu_set_t` has bits: 1024 cores.
const WORDS: usize = 16;

impl Mask {
    pub(super) fn only(core: usize) -> Self {
        let mut words = [0; WORDS];
        words[core / 64] = 1 << (core % 64);
        Self(words)
    }

    pub(super) fn has(&self, core: usize) -> bool {
        self.0.get(core / 64).is_some_and(|word| word >> (core % 64) & 1 == 1)
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn cores(&self) -> impl Iterator<Item = usize> + '_ {
        (0..64 * WORDS).filter(|&core| self.has(core))
    }
}

/// The calling thread, in place of a thread's id.
pub(super) const OWN: u64 = 0;

/// Whether threads can be moved here at all. On a big-endian 32-bit machine the words of a mask would
/// have to be swapped; nobody runs this there.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod system {
    use super::{Mask, WORDS};

    /// Where a thread may run; `None` if it is gone, or the machine has more cores than fit.
    pub(in super::super) fn mask_of(thread_id: u64) -> Option<Mask> {
        let thread_id = libc::pid_t::try_from(thread_id).ok()?;
        let mut mask = Mask([0; WORDS]);
        let place = (&raw mut mask.0).cast();
        // SAFETY: `place` is a live set of the size given, to write to; a thread that is gone is an
        // error. A set of zeros is valid.
        let status = unsafe { libc::sched_getaffinity(thread_id, size_of::<Mask>(), place) };
        (status == 0).then_some(mask)
    }

    /// Lets a thread run there and nowhere else; says whether the system did so.
    pub(in super::super) fn set_mask_of(thread_id: u64, mask: &Mask) -> bool {
        let Ok(thread_id) = libc::pid_t::try_from(thread_id) else { return false };
        let place = (&raw const mask.0).cast();
        // SAFETY: `place` is a live set of the size given, to read; a thread that is gone is an error.
        unsafe { libc::sched_setaffinity(thread_id, size_of::<Mask>(), place) == 0 }
    }

    /// The core that the calling thread is on just now.
    pub(in super::super) fn own_core() -> Option<usize> {
        // SAFETY: takes nothing; an error is negative.
        usize::try_from(unsafe { libc::sched_getcpu() }).ok()
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod system {
    use super::Mask;

    pub(in super::super) fn mask_of(_thread_id: u64) -> Option<Mask> {
        None
    }

    pub(in super::super) fn set_mask_of(_thread_id: u64, _mask: &Mask) -> bool {
        false
    }

    pub(in super::super) fn own_core() -> Option<usize> {
        None
    }
}

pub(super) use system::{mask_of, own_core, set_mask_of};

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_narrowed_and_put_back_exactly() {
        let before = mask_of(OWN).unwrap();
        let core = before.cores().last().unwrap();
        assert!(set_mask_of(OWN, &Mask::only(core)));
        assert_eq!(own_core(), Some(core));
        assert_eq!(mask_of(OWN), Some(Mask::only(core)));
        assert_eq!(Mask::only(core).count(), 1);
        assert!(set_mask_of(OWN, &before));
        assert_eq!(mask_of(OWN), Some(before));
    }

    #[test]
    fn no_thread_no_mask() {
        assert_eq!(mask_of(u64::MAX), None);
        assert!(!set_mask_of(u64::MAX, &Mask::only(0)));
    }
}
