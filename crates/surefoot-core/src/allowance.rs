//! What the machine lets the process use at the moment.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{capacity, control_groups};

/// Cores, memory and heat, as last read. Re-read about once a second: the numbers change by hand or
/// by an orchestrator, not by the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// Cores that may be used: affinity, and the quota of control groups as a fraction.
    pub cores: f64,
    /// Whether a quota stopped the process since the reading before.
    pub is_throttled: bool,
    /// Memory that is left, of the machine or of the tightest control group; `None` if unknown.
    pub memory_available_bytes: Option<u64>,
    /// Whether the machine slows down for heat; `None` where it does not say.
    pub is_hot: Option<bool>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { cores: 1.0, is_throttled: false, memory_available_bytes: None, is_hot: None }
    }
}

/// Most files of one kind that tell of heat: a machine of many cores has one or two for each, and
/// what slows a few of them slows all.
const MOST_HEAT_FILES: usize = 16;

/// Reads the allowance again and again, and what grew between two readings.
#[derive(Debug)]
pub struct AllowanceReader {
    root: PathBuf,
    /// Of each group: how often its quota had stopped it.
    throttled: Vec<(PathBuf, u64)>,
    heat: Heat,
}

impl AllowanceReader {
    /// Makes a reader of the file system at `root`, which is `/` but for tests.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), throttled: Vec::new(), heat: Heat::find(root) }
    }

    /// Reads everything.
    ///
    /// The affinity is that of the process's first thread and of the calling thread, taken
    /// together. Each thread has a mask of its own, made with it from its maker's: a program that
    /// narrows its first thread leaves the workers that exist where they are, and one that widens
    /// it gives the next workers more, so neither mask alone is the pool's. The workers' own are not
    /// asked: some may be narrowed for a reason of their own. A change from outside, for all
    /// threads or by control group, moves both.
    pub fn read(&mut self) -> Allowance {
        let groups = control_groups::folders(&self.root, "cpu");
        let quota = groups.iter().filter_map(|group| control_groups::quota_cores(group)).reduce(f64::min);
        let cores = allowed_cores(&self.root).map_or_else(
            || std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64),
            |count| count as f64,
        );
        Allowance {
            cores: quota.map_or(cores, |quota| quota.min(cores)),
            is_throttled: self.was_throttled(groups),
            memory_available_bytes: capacity::memory_bytes(&self.root),
            is_hot: self.heat.read(),
        }
    }

    /// Whether the quota of a group was used up since the last reading that knew of the group.
    fn was_throttled(&mut self, groups: Vec<PathBuf>) -> bool {
        let before = std::mem::take(&mut self.throttled);
        for group in groups {
            if let Some(times) = control_groups::times_throttled(&group) {
                self.throttled.push((group, times));
            }
        }
        self.throttled.iter().any(|(group, times)| {
            before.iter().any(|(known, times_before)| known == group && times > times_before)
        })
    }
}

/// How many cores the masks of the first thread and of this one allow together; `None` where the
/// kernel does not say.
fn allowed_cores(root: &Path) -> Option<usize> {
    let mut cores = BTreeSet::new();
    for status in ["proc/self/status", "proc/thread-self/status"] {
        let Ok(text) = fs::read_to_string(root.join(status)) else { continue };
        let list = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        cores.extend(list.and_then(core_list).into_iter().flatten());
    }
    (!cores.is_empty()).then_some(cores.len())
}

/// The kernel's lists of cores, as in `0-3,8,10-11`. `None` for anything else.
fn core_list(text: &str) -> Option<Vec<u32>> {
    /// More than any kernel can be built for.
    const MOST_CORES: u32 = 65_536;
    let mut cores = Vec::new();
    for range in text.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last || last >= MOST_CORES {
            return None;
        }
        cores.extend(first..=last);
    }
    Some(cores)
}

/// Where this machine tells of heat.
///
/// A temperature does not count: what matters is whether the machine slows down, and that is what
/// the kernel's cooling devices and the processor's own count say.
#[derive(Debug)]
struct Heat {
    /// States of cooling devices that slow a processor down while they are above 0.
    states: Vec<PathBuf>,
    /// Counts of slow-downs, and what they were.
    counts: Vec<(PathBuf, Option<u64>)>,
}

impl Heat {
    fn find(root: &Path) -> Self {
        let mut states: Vec<_> = entries(&root.join("sys/class/thermal"), "cooling_device")
            .filter(|device| fs::read_to_string(device.join("type")).is_ok_and(|kind| slows_cores(&kind)))
            .map(|device| device.join("cur_state"))
            .collect();
        let cores = root.join("sys/devices/system/cpu");
        let mut counts: Vec<_> = entries(&cores, "cpu")
            .map(|core| core.join("thermal_throttle/core_throttle_count"))
            .filter_map(|file| Some((file.clone(), Some(control_groups::read_number(&file)?))))
            .collect();
        states.sort();
        states.truncate(MOST_HEAT_FILES);
        counts.sort();
        counts.truncate(MOST_HEAT_FILES);
        Self { states, counts }
    }

    fn read(&mut self) -> Option<bool> {
        if self.states.is_empty() && self.counts.is_empty() {
            return None;
        }
        // A state may be -1, for "off"; that is no number here.
        let mut is_hot =
            self.states.iter().filter_map(|file| control_groups::read_number(file)).any(|state| state > 0);
        for (file, before) in &mut self.counts {
            let now = control_groups::read_number(file);
            is_hot |= now.zip(*before).is_some_and(|(now, before)| now > before);
            *before = now;
        }
        Some(is_hot)
    }
}

/// Whether a cooling device of this type acts by slowing a processor: not fans, chargers, radios,
/// or a limit that is merely set.
fn slows_cores(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let is_of_cores =
        ["processor", "cpu", "powerclamp", "thermal-idle"].iter().any(|word| kind.contains(word));
    is_of_cores && !kind.contains("fan")
}

fn entries(folder: &Path, prefix: &'static str) -> impl Iterator<Item = PathBuf> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    found.map(|entry| entry.path()).filter(move |path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(prefix))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_groups::tests::FakeRoot;

    #[test]
    fn lists_of_cores() {
        let table = [
            ("0-1\n", Some(vec![0, 1])),
            ("\t0,2-4,9", Some(vec![0, 2, 3, 4, 9])),
            ("3", Some(vec![3])),
            ("", None),
            ("4-2", None),
            ("0-4000000000", None),
            ("a-b", None),
        ];
        for (text, cores) in table {
            assert_eq!(core_list(text), cores, "{text:?}");
        }
    }

    fn assert_cores(reader: &mut AllowanceReader, expected: f64) {
        let cores = reader.read().cores;
        assert!((cores - expected).abs() < 1e-9, "{cores} for {expected}");
    }

    #[test]
    fn the_tightest_of_affinity_and_quotas_counts() {
        let root = FakeRoot::new("allowance-cores");
        let mut reader = AllowanceReader::new(root.path());
        root.write("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-3\n");
        assert_cores(&mut reader, 4.0);
        root.write("proc/thread-self/status", "Cpus_allowed_list:\t2-5\n");
        // The masks of both threads together.
        assert_cores(&mut reader, 6.0);
        root.write("proc/self/cgroup", "0::/outer/inner\n");
        root.write("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
        root.write("sys/fs/cgroup/outer/cpu.max", "250000 100000\n");
        // An ancestor's quota.
        assert_cores(&mut reader, 2.5);
        root.write("proc/self/cgroup", "4:cpuacct,cpu:/job\n");
        root.write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "50000\n");
        root.write("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
        root.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
        root.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
        assert_cores(&mut reader, 0.5);
    }

    #[test]
    fn throttling_is_what_happened_since_the_last_reading() {
        let root = FakeRoot::new("allowance-throttled");
        let mut reader = AllowanceReader::new(root.path());
        root.write("proc/self/cgroup", "0::/job\n");
        let throttled = |reader: &mut AllowanceReader, times: u32| {
            root.write("sys/fs/cgroup/job/cpu.stat", &format!("nr_periods 9\nnr_throttled {times}\n"));
            reader.read().is_throttled
        };
        assert!(!throttled(&mut reader, 7), "long ago");
        assert!(throttled(&mut reader, 8));
        assert!(!throttled(&mut reader, 8));
        assert!(!throttled(&mut reader, 2), "a group made anew counts from 0");
        root.write("proc/self/cgroup", "0::/elsewhere\n");
        root.write("sys/fs/cgroup/elsewhere/cpu.stat", "nr_throttled 99\n");
        assert!(!reader.read().is_throttled, "another group's past");
    }

    #[test]
    fn heat_is_what_slows_the_cores() {
        let root = FakeRoot::new("allowance-heat");
        assert_eq!(AllowanceReader::new(root.path()).read().is_hot, None);
        root.write("sys/class/thermal/cooling_device0/type", "Fan\n");
        root.write("sys/class/thermal/cooling_device0/cur_state", "3\n");
        assert_eq!(AllowanceReader::new(root.path()).read().is_hot, None, "a fan slows nothing");
        root.write("sys/class/thermal/cooling_device1/type", "cpufreq-cpu0\n");
        root.write("sys/class/thermal/cooling_device1/cur_state", "0\n");
        root.write("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "5\n");
        let mut reader = AllowanceReader::new(root.path());
        assert_eq!(reader.read().is_hot, Some(false));
        root.write("sys/class/thermal/cooling_device1/cur_state", "2\n");
        assert_eq!(reader.read().is_hot, Some(true));
        root.write("sys/class/thermal/cooling_device1/cur_state", "0\n");
        root.write("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "6\n");
        assert_eq!(reader.read().is_hot, Some(true));
        assert_eq!(reader.read().is_hot, Some(false));
    }

    #[test]
    fn this_machine_allows_at_least_something() {
        let allowance = AllowanceReader::new(Path::new("/")).read();
        assert!(allowance.cores > 0.0, "{allowance:?}");
    }
}
