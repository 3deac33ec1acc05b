//! Which process a file belongs to, so that one whose number is in use again is not taken for it.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// A process, told apart from all others of this machine since it was started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Owner {
    /// Its number in its namespace.
    pub pid: u32,
    /// When it began, as the kernel counts it (field 22 of `/proc/PID/stat`).
    pub start_ticks: u64,
    /// The namespace (inode of `/proc/PID/ns/pid`).
    pub pid_namespace: u64,
}

/// What has become of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Life {
    /// It runs.
    Running,
    /// It has ended.
    Ended,
    /// It is in another namespace (a container that shares the folder): nobody here can tell.
    Elsewhere,
}

impl Owner {
    /// This process; `None` where the kernel does not tell.
    pub fn this_process() -> Option<Self> {
        let pid = std::process::id();
        Some(Self { pid, start_ticks: start_ticks(pid)?, pid_namespace: own_namespace()? })
    }

    /// What has become of it.
    pub fn life(&self) -> Life {
        if own_namespace() != Some(self.pid_namespace) {
            Life::Elsewhere
        } else if start_ticks(self.pid) == Some(self.start_ticks) {
            Life::Running
        } else {
            Life::Ended
        }
    }
}

fn own_namespace() -> Option<u64> {
    Some(fs::metadata("/proc/self/ns/pid").ok()?.ino())
}

/// When a process began; `None` if there is none, or it has ended and only its parent has not looked yet.
pub fn start_ticks(pid: u32) -> Option<u64> {
    start_ticks_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name of a program may contain anything, parentheses too.
fn start_ticks_in(stat: &str) -> Option<u64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let stat = "7 (a) S) b) S 1 7 7 0 -1 4194304 100 0 0 0 5 6 0 0 20 0 1 0 4321 999 1\n";
        assert_eq!(start_ticks_in(stat), Some(4321));
        assert_eq!(start_ticks_in(&stat.replace("b) S", "b) Z")), None, "it has ended");
        assert_eq!(start_ticks_in("7 (a"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_runs_and_its_predecessor_does_not() {
        let own = Owner::this_process().expect("this is Linux");
        assert_eq!(own.life(), Life::Running);
        assert_eq!(Owner { start_ticks: own.start_ticks + 1, ..own }.life(), Life::Ended);
        assert_eq!(Owner { pid_namespace: 1, ..own }.life(), Life::Elsewhere);
    }
}
