//! Finds the processes that show their pools, and says what is the matter with one that does not.

use std::fs;
use std::path::PathBuf;

use surefoot_core::snapshot_file::Damage;
use surefoot_core::snapshot_file::owner::{self, Life};
use surefoot_core::snapshot_file::place::{self, Surroundings};

use super::target::{Target, Unusable};
use crate::stop::Stop;

/// There is no such process, or it has ended.
const NO_PROCESS: i32 = 3;
/// It shows no pools.
const NO_SNAPSHOT: i32 = 4;
/// It is somebody else's.
const FOREIGN: i32 = 5;
/// Its file has a format that this build does not read.
const UNREADABLE: i32 = 6;

fn stop(code: i32, message: impl Into<String>) -> Stop {
    Stop { code, message: message.into() }
}

fn surroundings() -> Surroundings {
    // SAFETY: `geteuid` takes nothing and cannot fail.
    Surroundings::of_environment(unsafe { libc::geteuid() })
}

/// All processes of this user that show their pools, by number. Leftovers are removed.
pub(crate) fn all() -> Vec<Target> {
    let here = surroundings();
    let mut found = Vec::new();
    for folder in here.folders() {
        if place::is_safe(&folder, here.user).is_ok() {
            place::sweep(&folder, here.user);
            let targets = place::files(&folder).into_iter().filter_map(|(_, path)| {
                Target::open(&path, here.user).ok().filter(|target| target.life() != Life::Ended)
            });
            found.extend(targets);
        }
    }
    found.sort_by_key(|target| target.header().owner.pid);
    found
}

/// No process shows anything.
pub(crate) fn nothing() -> Stop {
    let here = surroundings();
    let shown = folders_in_words(&here.folders());
    stop(
        NO_SNAPSHOT,
        format!(
            "no process of yours shows a pool ({shown})\n\
             A pool is shown once it has had work for a tenth of a second; a process with SUREFOOT_NO_SNAPSHOT=1 shows none."
        ),
    )
}

fn folders_in_words(folders: &[PathBuf]) -> String {
    let shown: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    format!("looked in {}", shown.join(", "))
}

/// The process of this number.
pub(crate) fn target(pid: u32) -> Result<Target, Stop> {
    target_among(pid, &surroundings())
}

fn target_among(pid: u32, here: &Surroundings) -> Result<Target, Stop> {
    let start_ticks = owner::start_ticks(pid);
    if let Some(other) = user_of(pid).filter(|other| *other != here.user) {
        return Err(stop(
            FOREIGN,
            format!("process {pid} belongs to user {other}: only that user may watch it"),
        ));
    }
    let mut was_killed = false;
    let mut refused = None;
    for folder in here.folders() {
        match place::is_safe(&folder, here.user) {
            Ok(()) => {}
            // There is none: nobody of this user has shown anything yet.
            Err(_) if fs::symlink_metadata(&folder).is_err() => continue,
            Err(why) => {
                refused.get_or_insert(stop(FOREIGN, format!("not to be trusted: {why}")));
                continue;
            }
        }
        for (_, path) in place::files(&folder).into_iter().filter(|(owner, _)| *owner == pid) {
            match Target::open(&path, here.user) {
                Ok(target) if target.life() != Life::Ended => return Ok(target),
                Ok(_) => was_killed = true,
                Err(Unusable::Gone) => {}
                Err(Unusable::Foreign(why)) => {
                    refused.get_or_insert(stop(FOREIGN, format!("not to be trusted: {why}")));
                }
                Err(Unusable::Damaged(damage)) => {
                    refused.get_or_insert(unreadable(pid, damage));
                }
            }
        }
        place::sweep(&folder, here.user);
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    if start_ticks.is_some() {
        let shown = folders_in_words(&here.folders());
        return Err(stop(
            NO_SNAPSHOT,
            format!(
                "process {pid} shows no pools ({shown})\n\
                 Either it does not use surefoot, or none of its pools has had work for a tenth of a second yet, or it runs \
                 with SUREFOOT_NO_SNAPSHOT=1 or another SUREFOOT_RUNTIME_DIR."
            ),
        ));
    }
    let end = if was_killed { "has ended: it was killed, or it crashed" } else { "does not exist" };
    Err(stop(NO_PROCESS, format!("process {pid} {end}")))
}

fn unreadable(pid: u32, damage: Damage) -> Stop {
    let advice = if let Damage::Version(_) = damage {
        "\nUse the `surefoot` of the environment that the process runs in."
    } else {
        ""
    };
    stop(UNREADABLE, format!("cannot read the snapshot of process {pid}: {damage}{advice}"))
}

/// The effective user of a process.
fn user_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    users.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::Path;

    use surefoot_core::snapshot_file::owner::Owner;
    use surefoot_core::snapshot_file::{BLOCK, Header};

    use super::*;

    fn with_folder(name: &str, test: impl FnOnce(&Path, &Surroundings)) {
        let folder = std::env::temp_dir().join(format!("surefoot-find-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let user = fs::metadata(&folder).unwrap().uid();
        test(&folder, &Surroundings { chosen: Some(folder.clone()), runtime: None, user });
        fs::remove_dir_all(&folder).unwrap();
    }

    fn write(folder: &Path, owner: Owner, change: impl FnOnce(&mut [u8; BLOCK])) {
        let mut block = [0; BLOCK];
        Header { owner, ..Header::default() }.encode(&mut block);
        change(&mut block);
        fs::write(folder.join(place::file_name(owner.pid, owner.start_ticks)), block).unwrap();
    }

    fn refusal(pid: u32, here: &Surroundings) -> (i32, String) {
        let stop = target_among(pid, here).unwrap_err();
        (stop.code, stop.message)
    }

    #[test]
    fn each_kind_of_failure_has_its_words_and_its_code() {
        let own = Owner::this_process().unwrap();
        with_folder("kinds", |folder, here| {
            let (code, words) = refusal(own.pid, here);
            assert!(code == NO_SNAPSHOT && words.contains("shows no pools"), "{words}");
            write(folder, own, |block| block[8] = 9);
            let (code, words) = refusal(own.pid, here);
            assert!(code == UNREADABLE && words.contains("version 9"), "{words}");
            write(folder, own, |block| block[100] ^= 1);
            let (code, words) = refusal(own.pid, here);
            assert!(code == UNREADABLE && words.contains("checksum"), "{words}");
            write(folder, own, |_| ());
            assert_eq!(target_among(own.pid, here).unwrap().header().owner, own);
            let (code, words) = refusal(own.pid, &Surroundings { user: here.user + 1, ..here.clone() });
            assert!(code == FOREIGN && words.contains("belongs to user"), "{words}");
            fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
            let (code, words) = refusal(own.pid, here);
            assert!(code == FOREIGN && words.contains("others may write"), "{words}");
        });
    }

    #[test]
    fn what_the_dead_left_is_told_and_removed() {
        // No process has this number: it is beyond what the kernel gives out.
        let dead = Owner { pid: 4_194_305, ..Owner::this_process().unwrap() };
        with_folder("dead", |folder, here| {
            assert_eq!(refusal(dead.pid, here), (NO_PROCESS, "process 4194305 does not exist".to_owned()));
            write(folder, dead, |_| ());
            let (code, words) = refusal(dead.pid, here);
            assert!(code == NO_PROCESS && words.contains("was killed"), "{words}");
            assert_eq!(place::files(folder), []);
        });
    }
}
