//! Widens threads that inherited a gathered worker's mask without anybody having been told: those
//! made by native code inside a task.
//!
//! It looks while a home exists and for a moment after, since a thread that is being made just then
//! may carry a mask that its maker no longer has. Threads that were there before the home was, and
//! had that mask, have it by their own choice.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, Weak};

use arc_swap::ArcSwapOption;
use surefoot_core::clock;
use surefoot_core::monitor::Watched;
use surefoot_core::sync::lock_std;

use super::affinity::{self, Mask};
use super::home;
use crate::process;

/// Between two looks at the number of threads.
const LOOK_NS: u64 = 10_000_000;

/// Every so many looks the threads are listed though their number is the same: one may have gone
/// and another come.
const LIST_EVERY: u32 = 10;

/// Looks after the home is gone.
const LAST_LOOKS: u32 = 3;

const TASKS: &str = "/proc/self/task";

static SWEEPER: ArcSwapOption<Sweeper> = ArcSwapOption::const_empty();

#[derive(Debug, Default)]
struct Sweeper(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_watched: bool,
    core: usize,
    /// Threads that need not be looked at again.
    seen: HashSet<u64>,
    looks: u32,
    last_looks: u32,
    links: u64,
}

pub(super) fn leave_behind() {
    std::mem::forget(SWEEPER.swap(None));
}

/// Begins to look for threads that are on `core` without having been there before.
pub(super) fn begin(core: usize) {
    let sweeper = SWEEPER.load_full().unwrap_or_else(|| {
        let made = Arc::new(Sweeper::default());
        SWEEPER.store(Some(Arc::clone(&made)));
        made
    });
    let mut state = lock_std(&sweeper.0);
    state.core = core;
    state.last_looks = LAST_LOOKS;
    state.seen = threads().collect();
    if !state.is_watched {
        let weak = Arc::downgrade(&sweeper);
        let weak: Weak<dyn Watched> = weak;
        state.is_watched = process::watch(weak, clock::now_ns() + LOOK_NS).is_ok();
    }
}

fn threads() -> impl Iterator<Item = u64> {
    let entries = std::fs::read_dir(TASKS).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

impl State {
    fn sweep(&mut self, usual: &Mask, workers: &HashSet<u64>) {
        let narrow = Mask::only(self.core);
        let now: Vec<u64> = threads().collect();
        for &thread_id in &now {
            let is_known = self.seen.contains(&thread_id) || workers.contains(&thread_id);
            if !is_known && affinity::mask_of(thread_id) == Some(narrow) {
                affinity::set_mask_of(thread_id, usual);
            }
        }
        // A thread that is seen wide can only be narrowed by somebody who means it.
        self.seen = now.into_iter().collect();
    }
}

impl Watched for Sweeper {
    fn tick(self: Arc<Self>, now_ns: u64) -> Option<u64> {
        let home = home::home();
        let (usual, workers) = {
            let home = lock_std(&home);
            (home.usual, home.workers.clone())
        };
        let mut state = lock_std(&self.0);
        let is_over = home::core().is_none();
        // The directory has a link for each thread: one call tells their number.
        let links = std::fs::metadata(TASKS).map_or(0, |tasks| tasks.nlink());
        if let Some(usual) = usual
            && (is_over || links != state.links || state.looks.is_multiple_of(LIST_EVERY))
        {
            state.sweep(&usual, &workers);
        }
        state.links = links;
        state.looks = state.looks.wrapping_add(1);
        if is_over {
            state.last_looks = state.last_looks.saturating_sub(1);
            if state.last_looks == 0 {
                state.is_watched = false;
                return None;
            }
        } else {
            state.last_looks = LAST_LOOKS;
        }
        Some(now_ns + LOOK_NS)
    }
}
