//! In which folder snapshot files are, what they are called, and which of them are left over.

use std::fs::{self, DirBuilder, File};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::owner::Life;
use super::{BLOCK, Header};

const SUFFIX: &str = ".snapshot";

/// What of the environment says where the files are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Surroundings {
    /// `SUREFOOT_RUNTIME_DIR`: there and nowhere else.
    pub chosen: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
    /// The effective user.
    pub user: u32,
}

impl Surroundings {
    /// Of this process's environment, for the effective user `user`.
    pub fn of_environment(user: u32) -> Self {
        let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self { chosen: folder("SUREFOOT_RUNTIME_DIR"), runtime: folder("XDG_RUNTIME_DIR"), user }
    }

    /// Folders, in the order in which a writer tries them. A reader looks into all.
    pub fn folders(&self) -> Vec<PathBuf> {
        if let Some(chosen) = &self.chosen {
            return vec![chosen.clone()];
        }
        let runtime = self.runtime.as_ref().filter(|folder| is_safe(folder, self.user).is_ok());
        let common = PathBuf::from(format!("/tmp/surefoot-{}", self.user));
        runtime.map(|folder| folder.join("surefoot")).into_iter().chain([common]).collect()
    }
}

/// Whether nobody but `user` can put something into a folder.
///
/// # Errors
/// Why it cannot be used, in words.
pub fn is_safe(folder: &Path, user: u32) -> Result<(), String> {
    let shown = folder.display();
    // Not through a symbolic link: in a folder for everybody, somebody else may have put it there.
    let facts = fs::symlink_metadata(folder).map_err(|error| format!("{shown}: {error}"))?;
    if !facts.is_dir() {
        return Err(format!("{shown} is no folder"));
    }
    if facts.uid() != user {
        return Err(format!("{shown} belongs to user {}", facts.uid()));
    }
    if facts.mode() & 0o022 != 0 {
        return Err(format!("others may write to {shown}"));
    }
    Ok(())
}

/// Makes a folder, for the user alone, if there is none; says whether it can be used.
///
/// # Errors
/// Why it cannot be used, in words.
pub fn prepare(folder: &Path, user: u32) -> Result<(), String> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(format!("{}: {error}", folder.display()))
        }
        _ => is_safe(folder, user),
    }
}

/// The name of a process's file.
pub fn file_name(pid: u32, start_ticks: u64) -> String {
    format!("{pid}-{start_ticks}{SUFFIX}")
}

/// The process number in a file's name; `None` if it is no snapshot's.
pub fn pid_in(name: &str) -> Option<u32> {
    let (pid, start_ticks) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    start_ticks.parse::<u64>().ok()?;
    pid.parse().ok()
}

/// The snapshot files in a folder, with the process numbers in their names.
pub fn files(folder: &Path) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((pid_in(entry.file_name().to_str()?)?, entry.path()))
        })
        .collect();
    found.sort();
    found
}

/// Removes what processes of this user and namespace have left behind in a folder that [`is_safe`]: they
/// were killed. A file that is not understood stays.
pub fn sweep(folder: &Path, user: u32) {
    for (_, path) in files(folder) {
        let is_ours = fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_file() && facts.uid() == user);
        if is_ours && header_of(&path).is_some_and(|header| header.owner.life() == Life::Ended) {
            // Somebody else who sweeps may have been faster.
            let _ = fs::remove_file(&path);
        }
    }
}

fn header_of(path: &Path) -> Option<Header> {
    let mut bytes = Vec::with_capacity(BLOCK);
    File::open(path).ok()?.take(BLOCK as u64).read_to_end(&mut bytes).ok()?;
    Header::decode(&bytes).ok()
}
