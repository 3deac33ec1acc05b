//! Keeps this process's snapshot file, from which `surefoot top` shows what its pools do.
//!
//! The monitor writes it, without the interpreter, by `pwrite`: a page or two each 50 ms while there is
//! work, nothing while there is none. It is not mapped on purpose: a writer of mapped memory dies by SIGBUS
//! when the disk is full or somebody has cut the file short, and here it is told by a result. Whatever fails, the
//! process goes on without a file.

mod file;
mod own_record;

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use arc_swap::ArcSwapOption;
use pyo3::prelude::*;
use surefoot_core::snapshot_file::place::Surroundings;

use crate::process;
pub(crate) use file::Publisher;
pub(crate) use own_record::{OwnRecord, Reading};

/// What is to be known before a file can be made.
#[derive(Debug)]
struct Settings {
    /// `None`: there is to be no file.
    surroundings: Option<Surroundings>,
    python: String,
}

static SETTINGS: ArcSwapOption<Settings> = ArcSwapOption::const_empty();

/// The descriptor of the file, for a forked child to close; negative if there is none.
static DESCRIPTOR: AtomicI32 = AtomicI32::new(-1);

/// Reads the environment, at the first pool: while attached, so that no Python code changes it meanwhile.
/// Returns whether there is to be a file.
pub(crate) fn prepare(py: Python<'_>) -> bool {
    if let Some(settings) = &*SETTINGS.load() {
        return settings.surroundings.is_some();
    }
    let is_off = std::env::var_os("SUREFOOT_NO_SNAPSHOT").is_some_and(|value| value == "1");
    // SAFETY: `geteuid` takes nothing and cannot fail.
    let user = unsafe { libc::geteuid() };
    let surroundings = (!is_off).then(|| Surroundings::of_environment(user));
    let version = py.version_info();
    let python = format!(
        "{}.{}.{}{}{}",
        version.major,
        version.minor,
        version.patch,
        version.suffix.unwrap_or_default(),
        if Python::version_str().contains("free-threading") { "t" } else { "" }
    );
    SETTINGS.store(Some(Arc::new(Settings { surroundings, python })));
    !is_off
}

/// Says that the interpreter is about to exit. The file goes once no pool has work, or at once.
#[pyfunction]
pub(crate) fn end_snapshot(at_once: bool) {
    process::publisher().end(at_once);
}

/// The file is the parent's: the child closes it and will make its own. It has but one thread yet.
pub(crate) fn after_fork_in_child() {
    std::mem::forget(SETTINGS.swap(None));
    let descriptor = DESCRIPTOR.swap(-1, Ordering::Relaxed);
    if descriptor >= 0 {
        // SAFETY: the publisher that owned it has been left behind and will never be dropped.
        unsafe { libc::close(descriptor) };
    }
}
