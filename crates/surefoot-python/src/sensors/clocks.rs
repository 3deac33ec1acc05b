//! CPU clocks of threads: exact, tasks in flight included.
//!
//! A thread reads its own by `clock_gettime(CLOCK_THREAD_CPUTIME_ID)`. On Linux any thread of the
//! process may be read by its kernel id, through the clock id `(~tid << 3) | 6` that
//! `pthread_getcpuclockid` builds too (`include/linux/posix-timers.h`: `CPUCLOCK_PERTHREAD_MASK |
//! CPUCLOCK_SCHED`); an id whose thread is gone is an error, not another thread's time.

/// CPU time of the calling thread; `None` where there is no such clock.
#[cfg(unix)]
#[inline]
pub(crate) fn own_cpu_ns() -> Option<u64> {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time of the calling thread; `None` where there is no such clock.
#[cfg(not(unix))]
pub(crate) fn own_cpu_ns() -> Option<u64> {
    None
}

/// CPU time of the whole process; `None` where there is no such clock.
#[cfg(unix)]
pub(crate) fn process_cpu_ns() -> Option<u64> {
    read(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time of the whole process; `None` where there is no such clock.
#[cfg(not(unix))]
pub(crate) fn process_cpu_ns() -> Option<u64> {
    None
}

/// The machine's monotonic clock, the same for all processes; `None` where there is no such clock.
pub(crate) fn monotonic_ns() -> Option<u64> {
    read(libc::CLOCK_MONOTONIC)
}

/// The grain of [`own_cpu_ns`].
#[cfg(unix)]
pub(crate) fn own_cpu_resolution_ns() -> Option<u64> {
    let mut grain = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `grain` is a live timespec to write to.
    let status = unsafe { libc::clock_getres(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut grain) };
    (status == 0).then(|| u64::try_from(grain.tv_nsec).ok()).flatten()
}

/// The grain of [`own_cpu_ns`].
#[cfg(not(unix))]
pub(crate) fn own_cpu_resolution_ns() -> Option<u64> {
    None
}

/// Whether [`cpu_ns_of`] can tell anything here.
pub(crate) const ARE_OTHERS_READABLE: bool = cfg!(target_os = "linux");

/// CPU time of a thread of this process; `None` if it is gone.
#[cfg(target_os = "linux")]
pub(crate) fn cpu_ns_of(thread_id: u64) -> Option<u64> {
    let thread_id = libc::clockid_t::try_from(thread_id).ok()?;
    read((!thread_id << 3) | 6)
}

/// CPU time of a thread of this process: other threads' clocks cannot be read.
#[cfg(not(target_os = "linux"))]
pub(crate) fn cpu_ns_of(_thread_id: u64) -> Option<u64> {
    None
}

/// The kernel's id of the calling thread, where it serves to read its clock.
#[cfg(target_os = "linux")]
pub(crate) fn own_thread_id() -> Option<u64> {
    // SAFETY: `gettid` takes nothing and cannot fail.
    u64::try_from(unsafe { libc::gettid() }).ok()
}

/// The kernel's id of the calling thread, where it serves to read its clock.
#[cfg(not(target_os = "linux"))]
pub(crate) fn own_thread_id() -> Option<u64> {
    None
}

/// Whether the calling thread is the process's first, which alone runs Python's signal handlers.
#[cfg(target_os = "linux")]
pub(crate) fn is_main_thread() -> bool {
    // SAFETY: neither takes anything, and neither can fail.
    let (thread, process) = (unsafe { libc::gettid() }, unsafe { libc::getpid() });
    thread == process
}

/// Whether the calling thread may be the one that runs Python's signal handlers.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_main_thread() -> bool {
    true
}

#[cfg(unix)]
fn read(clock: libc::clockid_t) -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec to write to; an unknown clock is reported by the result.
    let status = unsafe { libc::clock_gettime(clock, &raw mut time) };
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec).ok()?, u64::try_from(time.tv_nsec).ok()?);
    (status == 0).then_some(seconds * 1_000_000_000 + nanoseconds)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn another_threads_clock_moves_with_its_work() {
        let (send, receive) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let worker = std::thread::Builder::new()
            .spawn(move || {
                let before = own_cpu_ns().unwrap();
                while own_cpu_ns().unwrap() < before + 20_000_000 {}
                send.send(own_thread_id().unwrap()).unwrap();
                stopped.recv().ok();
            })
            .unwrap();
        let thread_id = receive.recv().unwrap();
        assert!(cpu_ns_of(thread_id).unwrap() >= 20_000_000);
        drop(stop);
        worker.join().unwrap();
    }
}
