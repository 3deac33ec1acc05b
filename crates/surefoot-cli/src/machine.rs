//! What this machine is, as far as it bears on a measurement. No host name: records are made to be shared.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use serde::{Deserialize, Serialize};

/// The machine of a record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu_model: String,
    pub(crate) architecture: String,
    /// Cores this process may use.
    pub(crate) cores: u32,
    /// CPU quota of the control group, in cores; absent without one.
    pub(crate) quota_cores: Option<f64>,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) kernel: String,
    pub(crate) system: String,
}

impl Machine {
    /// Reads what the system says of itself; what it does not say becomes "unknown".
    pub(crate) fn read() -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            cpu_model: cpu_model().unwrap_or_else(unknown),
            architecture: std::env::consts::ARCH.to_owned(),
            cores: cores_allowed(),
            quota_cores: quota_cores(),
            memory_bytes: memory_bytes(),
            kernel: read_trimmed("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
            system: system_name().unwrap_or_else(unknown),
        }
    }
}

fn read_trimmed(path: impl AsRef<Path>) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().trim_end_matches('\0').to_owned())
}

/// The value of the first line `key<separator>value`.
fn field(text: &str, key: &str, separator: char) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(separator)?;
        (name.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn cpu_model() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    // Boards with an ARM processor name themselves in the device tree.
    field(&info, "model name", ':').or_else(|| read_trimmed("/proc/device-tree/model"))
}

fn system_name() -> Option<String> {
    field(&fs::read_to_string("/etc/os-release").ok()?, "PRETTY_NAME", '=')
}

fn memory_bytes() -> Option<u64> {
    let total = field(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal", ':')?;
    let kib: u64 = total.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn cores_allowed() -> u32 {
    // Not `available_parallelism` first: that also applies a quota, and a quota is no affinity.
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| field(&status, "Cpus_allowed_list", ':'))
        .and_then(|list| count_of_list(&list))
        .or_else(|| thread::available_parallelism().ok()?.get().try_into().ok())
        .unwrap_or(1)
}

/// How many numbers a list such as `0-3,8` names.
fn count_of_list(ranges: &str) -> Option<u32> {
    let mut count = 0;
    for part in ranges.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        count += last.checked_sub(first)? + 1;
    }
    Some(count)
}

/// The tightest CPU quota of our control group and its parents (cgroup v2).
fn quota_cores() -> Option<f64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let root = PathBuf::from("/sys/fs/cgroup");
    let own = root.join(group.trim_start_matches('/'));
    own.ancestors()
        .take_while(|path| path.starts_with(&root))
        .filter_map(|path| cores_of_quota(&fs::read_to_string(path.join("cpu.max")).ok()?))
        .min_by(f64::total_cmp)
}

/// Cores granted by the text of a `cpu.max` file; `None` for `max`.
fn cores_of_quota(text: &str) -> Option<f64> {
    let (quota_us, period_us) = text.trim().split_once(' ')?;
    let (quota_us, period_us): (f64, f64) = (quota_us.parse().ok()?, period_us.parse().ok()?);
    (period_us > 0.0).then(|| quota_us / period_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_counted() {
        assert_eq!(count_of_list("0"), Some(1));
        assert_eq!(count_of_list("0-3,8"), Some(5));
        assert_eq!(count_of_list("0-1,4-5,7"), Some(5));
        assert_eq!(count_of_list("3-1"), None);
        assert_eq!(count_of_list(""), None);
    }

    #[test]
    fn a_quota_is_read_in_cores() {
        assert_eq!(cores_of_quota("150000 100000\n"), Some(1.5));
        assert_eq!(cores_of_quota("max 100000\n"), None);
        assert_eq!(cores_of_quota("1 0"), None);
    }

    #[test]
    fn this_machine_has_a_core_and_a_kernel() {
        let machine = Machine::read();
        assert!(machine.cores >= 1);
        assert!(!machine.kernel.is_empty());
    }
}
