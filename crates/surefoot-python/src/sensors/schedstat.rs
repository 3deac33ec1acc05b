//! How long threads were runnable without a core: the kernel's `schedstat` files.
//!
//! A file holds three numbers: CPU time (stale by up to a tick when read from another thread),
//! time in the run queue, and turns on a core. The second grows when a wait ends, so it is exact for
//! a thread that reads its own; read by others it misses the wait in progress.
//!
//! Reading a file that is open is several times cheaper than opening it, so some stay open:
//! [`MOST_OPEN`] in the process at most, and no more than a sixteenth of what it may open.

/// What a file says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Schedstat {
    pub(crate) runqueue_ns: u64,
    pub(crate) turns: u64,
}

/// Reads `cpu_ns runqueue_ns turns`.
pub(crate) fn parse(text: &[u8]) -> Option<Schedstat> {
    let text = std::str::from_utf8(text).ok()?;
    let mut fields = text.split_ascii_whitespace().skip(1);
    Some(Schedstat { runqueue_ns: fields.next()?.parse().ok()?, turns: fields.next()?.parse().ok()? })
}

#[cfg(target_os = "linux")]
pub(crate) use linux::{
    Descriptor, after_fork_in_child, is_counted, own_cost_ns, own_runqueue_ns, runqueue_ns_of,
};

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{
    Descriptor, after_fork_in_child, is_counted, own_cost_ns, own_runqueue_ns, runqueue_ns_of,
};

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::{AsRawFd, IntoRawFd};
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::{AtomicI32, Ordering};

    use surefoot_core::clock;
    use surefoot_core::found::Found;

    use super::{Schedstat, parse};
    use crate::process;

    /// Files kept open in the whole process.
    pub(crate) const MOST_OPEN: usize = 64;
    /// Of the files that the process may open, one in this many.
    const OPEN_DIVISOR: u64 = 16;
    /// Longer than any content: three numbers of 20 digits.
    const LENGTH: usize = 72;

    const FREE: i32 = -1;
    const CLAIMED: i32 = -2;
    /// The descriptors that are open, so that a forked child can close its copies.
    static OPEN: [AtomicI32; MOST_OPEN] = [const { AtomicI32::new(FREE) }; MOST_OPEN];

    fn most_open() -> usize {
        static MOST: Found = Found::new();
        let most = MOST.get_or_find(|| {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: a live struct to write to; a failure is reported by the result.
            let status = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
            let share = if status == 0 { limit.rlim_cur / OPEN_DIVISOR } else { 0 };
            share.min(MOST_OPEN as u64)
        });
        usize::try_from(most).unwrap_or(MOST_OPEN)
    }

    /// The file of another thread, kept open.
    #[derive(Debug)]
    pub(crate) struct Descriptor {
        /// `None` only while it is dropped.
        file: Option<File>,
        slot: usize,
        generation: u64,
    }

    impl Descriptor {
        /// Opens a thread's file; `None` if the thread is gone or enough files are open.
        pub(crate) fn open(thread_id: u64) -> Option<Self> {
            let claim = |place: &AtomicI32| {
                place.compare_exchange(FREE, CLAIMED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            };
            let slot = OPEN.iter().take(most_open()).position(claim)?;
            let file = open(thread_id);
            let number = file.as_ref().map_or(FREE, AsRawFd::as_raw_fd);
            OPEN[slot].store(number, Ordering::Relaxed);
            Some(Self { file: Some(file?), slot, generation: process::generation() })
        }

        /// The thread's run-queue delay; `None` if it is gone. An id that another thread has got
        /// since is no danger: an open file stays with its thread.
        pub(crate) fn runqueue_ns(&self) -> Option<u64> {
            let mut text = [0; LENGTH];
            let length = self.file.as_ref()?.read_at(&mut text, 0).ok()?;
            Some(parse(text.get(..length)?)?.runqueue_ns)
        }
    }

    impl Drop for Descriptor {
        fn drop(&mut self) {
            let Some(file) = self.file.take() else { return };
            if self.generation == process::generation() {
                drop(file);
                OPEN[self.slot].store(FREE, Ordering::Relaxed);
            } else {
                // A forked child has closed it already, and the number may be somebody else's now.
                let _ = file.into_raw_fd();
            }
        }
    }

    /// Closes the copies of what the parent had open. The child has one thread yet.
    pub(crate) fn after_fork_in_child() {
        for place in &OPEN {
            let number = place.swap(FREE, Ordering::Relaxed);
            if number >= 0 {
                // SAFETY: the number is in the list, so a `Descriptor` of the parent owns it, and that
                // will not close it in this process: see its `drop`.
                unsafe { libc::close(number) };
            }
        }
    }

    fn open(thread_id: u64) -> Option<File> {
        // Rust opens with O_CLOEXEC.
        File::open(format!("/proc/self/task/{thread_id}/schedstat")).ok()
    }

    fn read(mut file: &File) -> Option<Schedstat> {
        let mut text = [0; LENGTH];
        let length = file.read(&mut text).ok()?;
        parse(text.get(..length)?)
    }

    fn own() -> Option<Schedstat> {
        read(&File::open("/proc/thread-self/schedstat").ok()?)
    }

    /// A thread's run-queue delay, by opening its file; `None` if it is gone.
    pub(crate) fn runqueue_ns_of(thread_id: u64) -> Option<u64> {
        Some(read(&open(thread_id)?)?.runqueue_ns)
    }

    /// The calling thread's run-queue delay; `None` where it is not counted.
    pub(crate) fn own_runqueue_ns() -> Option<u64> {
        if is_counted() { Some(own()?.runqueue_ns) } else { None }
    }

    /// What one call of [`own_runqueue_ns`] takes here: the least of a few, measured once.
    pub(crate) fn own_cost_ns() -> u64 {
        static COST: Found = Found::new();
        COST.get_or_find(|| {
            let cost = || {
                let began_ns = clock::now_ns();
                own();
                clock::now_ns() - began_ns
            };
            (0..5).map(|_| cost()).min().unwrap_or(0)
        })
    }

    /// Whether the kernel counts at all: one that does not shows zeros, and this thread has had at
    /// least the turn that it is in.
    pub(crate) fn is_counted() -> bool {
        static COUNTED: Found = Found::new();
        COUNTED.get_or_find(|| u64::from(own().is_some_and(|own| own.turns > 0))) != 0
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::sensors::clocks;

        #[test]
        fn a_file_stays_with_its_thread() {
            assert!(is_counted(), "no run-queue delay on this kernel");
            assert!(own_cost_ns() > 0);
            let (send, receive) = std::sync::mpsc::channel();
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            let worker = std::thread::Builder::new()
                .spawn(move || {
                    send.send(clocks::own_thread_id().unwrap()).unwrap();
                    stopped.recv().ok();
                })
                .unwrap();
            let descriptor = Descriptor::open(receive.recv().unwrap()).unwrap();
            let slot = descriptor.slot;
            assert!(descriptor.runqueue_ns().is_some());
            drop(stop);
            worker.join().unwrap();
            // The kernel lets the joiner go on before the thread has quite left its tables.
            while descriptor.runqueue_ns().is_some() {
                std::thread::yield_now();
            }
            drop(descriptor);
            assert_eq!(OPEN[slot].load(Ordering::Relaxed), FREE);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    /// There are no such files.
    #[derive(Debug)]
    pub(crate) enum Descriptor {}

    impl Descriptor {
        pub(crate) fn open(_thread_id: u64) -> Option<Self> {
            None
        }

        pub(crate) fn runqueue_ns(&self) -> Option<u64> {
            None
        }
    }

    pub(crate) fn after_fork_in_child() {}

    pub(crate) fn runqueue_ns_of(_thread_id: u64) -> Option<u64> {
        None
    }

    pub(crate) fn own_runqueue_ns() -> Option<u64> {
        None
    }

    pub(crate) fn own_cost_ns() -> u64 {
        0
    }

    pub(crate) fn is_counted() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers_and_nothing_else() {
        assert_eq!(parse(b"67668 48032 2\n"), Some(Schedstat { runqueue_ns: 48032, turns: 2 }));
        assert_eq!(parse(b"0 0 0\n"), Some(Schedstat::default()));
        for text in [&b""[..], b"12", b"1 2", b"1 -2 3", b"a b c", b"\xff 1 2"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
