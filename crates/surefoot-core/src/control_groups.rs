//! The control groups that bind this process, version 1 and 2, ancestors included: a limit anywhere
//! on the way to the top counts, so every reader takes the tightest.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the groups that bind this process for `controller`, its own group first.
///
/// Without a namespace of its own a container sees its path on the host, where its own view of the
/// file system has nothing; its real group is then the top of the mount, which is in the list too.
pub(crate) fn folders(root: &Path, controller: &str) -> Vec<PathBuf> {
    let Ok(text) = fs::read_to_string(root.join("proc/self/cgroup")) else { return Vec::new() };
    let mut folders = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let mount = root.join("sys/fs/cgroup");
        let top = if controllers.is_empty() {
            mount
        } else if controllers.split(',').any(|name| name == controller) {
            mount.join(controller)
        } else {
            continue;
        };
        let mut folder = top.join(path.trim_start_matches('/'));
        while folder.starts_with(&top) {
            folders.push(folder.clone());
            if !folder.pop() {
                break;
            }
        }
    }
    folders
}

/// Reads a number; `max` and anything else that is no number counts as unlimited.
pub(crate) fn read_number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The cores that one group's CPU quota comes to; `None` if it has none.
pub(crate) fn quota_cores(folder: &Path) -> Option<f64> {
    let version_2 = || quota_of(&fs::read_to_string(folder.join("cpu.max")).ok()?);
    let version_1 = || {
        let quota = fs::read_to_string(folder.join("cpu.cfs_quota_us")).ok()?;
        let period = fs::read_to_string(folder.join("cpu.cfs_period_us")).ok()?;
        quota_of(&format!("{} {}", quota.trim(), period.trim()))
    };
    version_2().or_else(version_1)
}

/// Reads `quota period`, in microseconds each; the quota is `max` or negative for none.
fn quota_of(text: &str) -> Option<f64> {
    let mut fields = text.split_whitespace();
    let quota: f64 = fields.next()?.parse().ok()?;
    let period: f64 = fields.next()?.parse().ok()?;
    (quota > 0.0 && period > 0.0).then(|| quota / period).filter(|cores| cores.is_finite())
}

/// How often a group's quota has stopped it so far; `None` if it keeps no such count.
pub(crate) fn times_throttled(folder: &Path) -> Option<u64> {
    let text = fs::read_to_string(folder.join("cpu.stat")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("nr_throttled "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A file system of its own, that a test fills and that goes with it.
    pub(crate) struct FakeRoot(PathBuf);

    impl FakeRoot {
        pub(crate) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("surefoot-{name}-{}", std::process::id()));
            drop(fs::remove_dir_all(&path));
            fs::create_dir_all(&path).expect("a temporary folder");
            Self(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }

        pub(crate) fn write(&self, file: &str, text: &str) {
            let file = self.0.join(file);
            fs::create_dir_all(file.parent().expect("a file in a folder")).expect("a temporary folder");
            fs::write(file, text).expect("a temporary file");
        }
    }

    impl Drop for FakeRoot {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn both_versions_lead_to_the_top() {
        let root = FakeRoot::new("control-groups");
        root.write("proc/self/cgroup", "3:cpu,cpuacct:/a/b\n2:pids:/\n0::/c\nnonsense\n");
        let top = root.path().join("sys/fs/cgroup");
        let expected = ["cpu/a/b", "cpu/a", "cpu", "c"].map(|path| top.join(path));
        let mut expected = expected.to_vec();
        expected.push(top);
        assert_eq!(folders(root.path(), "cpu"), expected);
    }

    #[test]
    fn quotas_are_fractions_of_cores() {
        let table = [
            ("150000 100000\n", Some(1.5)),
            ("max 100000", None),
            ("-1 100000", None),
            ("50000 0", None),
            ("50000", None),
            ("", None),
        ];
        for (text, cores) in table {
            assert_eq!(quota_of(text), cores, "{text:?}");
        }
    }
}
