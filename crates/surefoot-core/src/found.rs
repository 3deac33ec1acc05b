//! A number that is found out once and kept.
//!
//! Not a `OnceLock`: a process may fork while another thread finds it out, and the child would wait
//! for ever for a thread that it does not have. Two threads that come at once both find it out, and
//! either's number is kept.

use std::sync::atomic::{AtomicU64, Ordering};

/// The place of such a number; `u64::MAX` is kept as one less.
#[derive(Debug, Default)]
pub struct Found(AtomicU64);

impl Found {
    /// Nothing found yet.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The number, found out by `find` if it is not known yet.
    #[inline]
    pub fn get_or_find(&self, find: impl FnOnce() -> u64) -> u64 {
        // Relaxed: the number is all there is to see. Kept one higher, since 0 means unknown.
        match self.0.load(Ordering::Relaxed) {
            0 => {
                let number = find().min(u64::MAX - 1);
                self.0.store(number + 1, Ordering::Relaxed);
                number
            }
            kept => kept - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_once() {
        let found = Found::new();
        assert_eq!(found.get_or_find(|| 0), 0);
        assert_eq!(found.get_or_find(|| 7), 0, "found before");
        assert_eq!(Found::new().get_or_find(|| u64::MAX), u64::MAX - 1);
    }
}
