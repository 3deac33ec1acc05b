//! Finds how many workers this machine and this process could bear at most.
//!
//! The cap is no estimate of the best size (that is the controller's work): it is the size beyond
//! which a pool could do harm. It is the least of
//! - `1024`, an end to every search;
//! - 256 for each usable core (affinity and CPU quota): workers that each compute for 1/256 of
//!   their time already fill the core;
//! - a quarter of the memory left (machine and control groups) at 256 KiB for each worker;
//! - half of the threads that the process limits leave (`RLIMIT_NPROC`, `pids.max`);
//!
//! and never less than the standard pool's default, `min(32, cores + 4)`, which every program gets
//! today.

use std::fs;
use std::path::Path;

use crate::control_groups::{folders, read_number};

/// No cap exceeds this.
pub const MOST_WORKERS: usize = 1024;
const WORKERS_PER_CORE: usize = 256;
/// Memory set aside for a worker. An idle one takes about 20 KiB (`bench/memory`), one in a deep
/// call with buffers more; not critical.
const WORKER_BYTES: u64 = 256 * 1024;
const MEMORY_DIVISOR: u64 = 4;
const THREADS_DIVISOR: u64 = 2;

/// What the machine and the process allow; `None` where unknown or unlimited.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Room {
    /// Cores that may be used, at least 1.
    pub cores: usize,
    /// Memory that is left.
    pub memory_bytes: Option<u64>,
    /// Threads that may still be made.
    pub threads: Option<u64>,
}

/// A cap and where it comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cap {
    /// Most workers.
    pub workers: usize,
    /// What set it, in words.
    pub reason: String,
}

/// The standard pool's default size, `min(32, cores + 4)`.
pub fn standard_default(cores: usize) -> usize {
    cores.saturating_add(4).min(32)
}

/// Computes the cap from the room there is.
pub fn cap(room: &Room) -> Cap {
    let mut least = (MOST_WORKERS, format!("the most that any pool gets, {MOST_WORKERS}"));
    let mut bound = |workers: usize, reason: String| {
        if workers < least.0 {
            least = (workers, reason);
        }
    };
    let cores = room.cores.max(1);
    bound(
        cores.saturating_mul(WORKERS_PER_CORE),
        format!("{WORKERS_PER_CORE} for each of {cores} usable cores"),
    );
    if let Some(bytes) = room.memory_bytes {
        bound(
            usize::try_from(bytes / MEMORY_DIVISOR / WORKER_BYTES).unwrap_or(usize::MAX),
            format!("a quarter of {} MiB of memory left, 256 KiB each", bytes >> 20),
        );
    }
    if let Some(threads) = room.threads {
        bound(
            usize::try_from(threads / THREADS_DIVISOR).unwrap_or(usize::MAX),
            format!("half of the {threads} threads that the process may still make"),
        );
    }
    let floor = standard_default(cores);
    if least.0 < floor {
        return Cap { workers: floor, reason: format!("the standard default, though {} is less", least.1) };
    }
    Cap { workers: least.0, reason: least.1 }
}

/// Reads what this machine and process allow. Only Linux tells all of it.
pub fn room() -> Room {
    Room {
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        memory_bytes: memory_bytes(Path::new("/")),
        threads: threads(Path::new("/")),
    }
}

/// Memory left, of the machine or of the tightest control group.
pub(crate) fn memory_bytes(root: &Path) -> Option<u64> {
    let machine = fs::read_to_string(root.join("proc/meminfo")).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    });
    let groups = folders(root, "memory").into_iter().filter_map(|group| {
        let left = |limit: &str, used: &str| {
            Some(read_number(&group.join(limit))?.saturating_sub(read_number(&group.join(used))?))
        };
        left("memory.max", "memory.current")
            .or_else(|| left("memory.limit_in_bytes", "memory.usage_in_bytes"))
    });
    groups.chain(machine).min()
}

fn threads(root: &Path) -> Option<u64> {
    let process = fs::read_to_string(root.join("proc/self/limits")).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("Max processes"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    let groups = folders(root, "pids").into_iter().filter_map(|group| {
        Some(read_number(&group.join("pids.max"))?.saturating_sub(read_number(&group.join("pids.current"))?))
    });
    groups.chain(process).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_groups::tests::FakeRoot;

    #[test]
    fn the_least_room_sets_the_cap() {
        let table = [
            (Room { cores: 8, ..Room::default() }, 1024),
            (Room { cores: 2, ..Room::default() }, 512),
            (Room { cores: 4, memory_bytes: Some(512 << 20), threads: None }, 512),
            (Room { cores: 4, memory_bytes: Some(64 << 20), threads: None }, 64),
            (Room { cores: 4, memory_bytes: None, threads: Some(100) }, 50),
            (Room { cores: 4, memory_bytes: Some(1 << 20), threads: Some(3) }, 8),
            (Room::default(), 256),
        ];
        for (room, workers) in table {
            assert_eq!(cap(&room).workers, workers, "{room:?}: {}", cap(&room).reason);
        }
    }

    #[test]
    fn the_standard_default_is_the_standard_pools() {
        assert_eq!([1, 2, 28, 64].map(standard_default), [5, 6, 32, 32]);
    }

    #[test]
    fn limits_of_ancestors_count() {
        let root = FakeRoot::new("capacity");
        let write = |path: &str, text: &str| root.write(path, text);
        write("proc/self/cgroup", "0::/outer/inner\n");
        write("proc/meminfo", "MemTotal: 900 kB\nMemAvailable:     800 kB\n");
        write("sys/fs/cgroup/outer/memory.max", "500000\n");
        write("sys/fs/cgroup/outer/memory.current", "100000\n");
        write("sys/fs/cgroup/outer/inner/memory.max", "max\n");
        write("sys/fs/cgroup/outer/inner/pids.max", "70\n");
        write("sys/fs/cgroup/outer/inner/pids.current", "10\n");
        write("proc/self/limits", "Limit  Soft  Hard  Units\nMax processes   95   95   processes\n");
        assert_eq!(memory_bytes(root.path()), Some(400_000));
        assert_eq!(threads(root.path()), Some(60));
    }

    #[test]
    fn this_machine_has_room() {
        assert!(cap(&room()).workers >= 5);
    }
}
