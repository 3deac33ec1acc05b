//! What threads of this process are blocked in, by the kernel's word, one by one.
//!
//! `/proc/self/task/TID/syscall` names the system call that a thread sleeps in, with its arguments;
//! the kernel checks that the thread did not run meanwhile. A futex inside the GIL's condition or
//! mutex is a wait for the GIL; any other futex is a lock of the program's; the rest is I/O.
//! Some microseconds a thread, so on demand: the count of waiters is cheaper, but cannot say who.

use std::fs;
use std::ops::Range;
use std::sync::OnceLock;

use pyo3::prelude::*;

use super::gil;
use super::report::{Report, Sensor};

/// What a thread does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// On a core, or ready to be.
    Running,
    /// Asleep, waiting for the GIL.
    Gil,
    /// Asleep, having given up the GIL when asked, until another thread has it.
    HandOver,
    /// Asleep at another lock.
    Lock,
    /// Asleep in the system call of this number.
    Io(i64),
    /// Asleep outside any system call: a page comes from the disk.
    Fault,
    /// No such thread any more.
    Gone,
}

/// How many threads do what.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) running: u32,
    pub(crate) gil: u32,
    pub(crate) hand_over: u32,
    pub(crate) lock: u32,
    /// Page faults included.
    pub(crate) io: u32,
}

impl Counts {
    /// Counts a census; threads that are gone count nothing.
    pub(crate) fn of(kinds: &[Kind]) -> Self {
        let mut counts = Self::default();
        for kind in kinds {
            match kind {
                Kind::Running => counts.running += 1,
                Kind::Gil => counts.gil += 1,
                Kind::HandOver => counts.hand_over += 1,
                Kind::Lock => counts.lock += 1,
                Kind::Io(_) | Kind::Fault => counts.io += 1,
                Kind::Gone => {}
            }
        }
        counts
    }

    /// Adds another census.
    pub(crate) fn add(&mut self, other: Self) {
        self.running += other.running;
        self.gil += other.gil;
        self.hand_over += other.hand_over;
        self.lock += other.lock;
        self.io += other.io;
    }
}

/// Looks at each of these threads of this process, by the kernel's ids.
///
/// # Errors
/// Why it cannot be done here, in words.
pub(crate) fn look(thread_ids: &[u64]) -> Result<Vec<Kind>, String> {
    if cfg!(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))) {
        // musl's condition variables sleep at a word on the waiter's stack, which tells nothing.
        return Err("not here: it needs 64-bit Linux with glibc".to_owned());
    }
    kernel_is_safe()?;
    let places = gil::sleeping_places();
    let own = super::clocks::own_thread_id();
    let kind_of = |thread_id: &u64| match fs::read_to_string(format!("/proc/self/task/{thread_id}/syscall")) {
        // In the system call that asks.
        Ok(_) if own == Some(*thread_id) => Ok(Kind::Running),
        Ok(text) => kind(&text, places.as_ref())
            .ok_or_else(|| format!("the kernel says {:?} of a thread", text.trim())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Kind::Gone),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(Kind::Gone),
        Err(error) => Err(format!("/proc/self/task/TID/syscall: {error}")),
    };
    thread_ids.iter().map(kind_of).collect()
}

/// From 6.12 to 6.12.53 the kernel may loop for ever when it is asked about a thread in a control
/// group that has used up its CPU quota; a quota may be set at any time.
fn kernel_is_safe() -> Result<(), String> {
    static RELEASE: OnceLock<Option<String>> = OnceLock::new();
    let unsafe_release = RELEASE.get_or_init(|| {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        may_hang(release.trim()).then(|| release.trim().to_owned())
    });
    match unsafe_release {
        None => Ok(()),
        Some(release) => {
            Err(format!("kernel {release} may hang in a throttled control group (mended in 6.12.54)"))
        }
    }
}

fn may_hang(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(Result::ok);
    (next(), next()) == (Some(6), Some(12)) && next().is_none_or(|patch| patch < 54)
}

/// Reads the kernel's line. `places` are where threads wait for the GIL, and where they hand it over.
fn kind(line: &str, places: Option<&(Range<usize>, Range<usize>)>) -> Option<Kind> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    if first == "running" {
        return Some(Kind::Running);
    }
    let number: i64 = first.parse().ok()?;
    if number == -1 {
        return Some(Kind::Fault);
    }
    if !is_futex(number) {
        return Some(Kind::Io(number));
    }
    let address = usize::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
    Some(match places {
        Some((waiting, _)) if waiting.contains(&address) => Kind::Gil,
        Some((_, handing_over)) if handing_over.contains(&address) => Kind::HandOver,
        _ => Kind::Lock,
    })
}

#[cfg(target_os = "linux")]
fn is_futex(number: i64) -> bool {
    /// `futex_waitv`, `futex_wait`: the same on every architecture.
    const NEW: [i64; 2] = [449, 455];
    #[allow(clippy::useless_conversion, reason = "`c_long` is not 64 bits everywhere")]
    let classic = i64::from(libc::SYS_futex);
    number == classic || NEW.contains(&number)
}

#[cfg(not(target_os = "linux"))]
fn is_futex(_number: i64) -> bool {
    false
}

/// The census as a sensor: who waits for what.
#[derive(Debug)]
pub(crate) struct Census;

impl Sensor for Census {
    fn report(&self, py: Python<'_>) -> Report {
        let error = "exact at a look; a share p of n looks: sqrt(p (1 - p) / n)";
        Report::new("GIL wait by thread", "census of system calls", error, trial(py))
    }
}

/// Looks at a thread that waits for the GIL, which the caller holds.
fn trial(py: Python<'_>) -> Result<String, String> {
    use crate::attach;
    use crate::sensors::clocks;
    use std::sync::mpsc::channel;
    use std::time::Duration;
    use surefoot_core::clock;

    const PATIENCE: Duration = Duration::from_millis(100);
    /// How often to look: a thread needs some microseconds to go to sleep.
    const PAUSE: Duration = Duration::from_micros(100);

    gil::start(py);
    let own = clocks::own_thread_id().ok_or("not here: threads have no kernel ids")?;
    match look(&[own])?.as_slice() {
        [Kind::Running] => {}
        other => return Err(format!("the asking thread is said to be {other:?}")),
    }
    if !matches!(gil::read(), surefoot_core::gil::GilReading::Seen(_)) {
        return Ok("tells locks from I/O; where the GIL is, is not known, or none is in force".to_owned());
    }
    let (send, receive) = channel();
    std::thread::Builder::new()
        .name("surefoot-trial".to_owned())
        .spawn(move || {
            // The caller may have given up.
            let _ = send.send(clocks::own_thread_id());
            let _ = attach::try_attached(|_py| ());
        })
        .map_err(|error| format!("no thread for a trial: {error}"))?;
    let thread_id = receive.recv_timeout(PATIENCE).ok().flatten().ok_or("a thread did not start in time")?;
    let deadline_ns = clock::now_ns() + u64::try_from(PATIENCE.as_nanos()).unwrap_or(u64::MAX);
    loop {
        let seen = look(&[thread_id])?;
        if seen == [Kind::Gil] {
            return Ok("a thread that waits for the GIL is seen to".to_owned());
        }
        if clock::now_ns() > deadline_ns {
            return Err(format!("a thread that waits for the GIL is said to be {seen:?}"));
        }
        // Nobody sends any more: this is a pause.
        let _ = receive.recv_timeout(PAUSE);
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
mod tests {
    use super::*;

    fn futex(address: usize) -> String {
        format!("{} {address:#x} 0x189 0x0 0x0 0x0 0xffffffff 0x7ffc00 0x7f00\n", libc::SYS_futex)
    }

    #[test]
    fn lines_of_the_kernel_are_told_apart() {
        let places = (0x1000..0x1058, 0x1058..0x10b0);
        let kind = |line: &str| kind(line, Some(&places));
        assert_eq!(kind("running\n"), Some(Kind::Running));
        assert_eq!(kind("-1 0x7ffc00 0x7f00\n"), Some(Kind::Fault));
        assert_eq!(kind("0 0x3 0x7f 0x10 0x0 0x0 0x0 0x7ffc00 0x7f00\n"), Some(Kind::Io(0)));
        assert_eq!(kind(&futex(0x1008)), Some(Kind::Gil));
        assert_eq!(kind(&futex(0x1057)), Some(Kind::Gil));
        assert_eq!(kind(&futex(0x1058)), Some(Kind::HandOver));
        assert_eq!(kind(&futex(0x10b0)), Some(Kind::Lock));
        assert_eq!(super::kind(&futex(0x1008), None), Some(Kind::Lock));
        assert_eq!(kind(""), None);
        assert_eq!(kind("what is this"), None);
    }

    #[test]
    fn kernels_with_the_endless_loop_are_known() {
        assert!(may_hang("6.12.0-rc1") && may_hang("6.12") && may_hang("6.12.53+deb13-amd64"));
        assert!(!may_hang("6.12.54") && !may_hang("6.11.9") && !may_hang("6.18.4-x") && !may_hang("5.6.12"));
    }

    #[test]
    fn a_running_a_blocked_and_a_gone_thread() {
        let (send, receive) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .spawn(move || {
                send.send(crate::sensors::clocks::own_thread_id().unwrap()).unwrap();
                stopped.recv().ok();
            })
            .unwrap();
        let (own, other) = (crate::sensors::clocks::own_thread_id().unwrap(), receive.recv().unwrap());
        // It has yet to go to sleep.
        let blocked = (0..1_000_000).any(|_| look(&[other]) == Ok(vec![Kind::Lock]));
        assert!(blocked, "{:?}", look(&[other]));
        assert_eq!(look(&[own]), Ok(vec![Kind::Running]));
        drop(stop);
        thread.join().unwrap();
        assert!((0..1_000_000).any(|_| look(&[other]) == Ok(vec![Kind::Gone])));
        let counts = Counts::of(&[Kind::Running, Kind::Io(0), Kind::Fault, Kind::Gone]);
        assert_eq!(counts, Counts { running: 1, io: 2, ..Counts::default() });
    }
}
