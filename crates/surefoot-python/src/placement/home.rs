//! The one core of the process that gathered workers share, and that waiting threads wait at.
//!
//! There is one, not one per pool: all pools of a process pass the same lock around.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;
use surefoot_core::sync::lock_std;

use super::affinity::{self, Mask, OWN};
#[cfg(target_os = "linux")]
use super::sweep;

/// How long a waiting thread sleeps before it asks to be woken. While tasks finish every few dozen
/// microseconds, one look each 200 us finds several results, and no worker has to wake anybody.
pub(crate) const LAZY_WAIT_NS: u64 = 200_000;

/// Longest time that a waiting thread stays at home without looking whether it still should.
pub(crate) const WAIT_SLICE_NS: u64 = 50_000_000;

/// No core.
const NOWHERE: u32 = u32::MAX;

/// The core, for those who only want to know. Who acts on a stale value waits at a core that is as
/// good as any for a moment.
static CORE: AtomicU32 = AtomicU32::new(NOWHERE);

/// Where a thread last waited for a result: the best place for those who produce them.
static WAITED_AT: AtomicU32 = AtomicU32::new(NOWHERE);

/// Whether any pool asked to be kept on one core: if not, nothing here is ever done.
static IS_IN_USE: AtomicBool = AtomicBool::new(false);

static HOME: ArcSwapOption<Mutex<Home>> = ArcSwapOption::const_empty();

/// The process's own view of who is where.
#[derive(Debug, Default)]
pub(super) struct Home {
    /// The core, and pools gathered there.
    core: Option<usize>,
    tenants: usize,
    /// Homes chosen so far.
    moves: usize,
    /// What a thread of this process has by itself.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody sweeps there"))]
    pub(super) usual: Option<Mask>,
    /// Workers of pools that may be gathered, by thread id: their keepers look after them.
    pub(super) workers: HashSet<u64>,
}

pub(super) fn home() -> Arc<Mutex<Home>> {
    if let Some(home) = HOME.load_full() {
        return home;
    }
    let made = Arc::new(Mutex::new(Home::default()));
    let before = HOME.compare_and_swap(&None::<Arc<Mutex<Home>>>, Some(Arc::clone(&made)));
    arc_swap::Guard::into_inner(before).unwrap_or(made)
}

/// In a forked child: nobody is gathered, and a lock that was held stays held.
pub(super) fn leave_behind() {
    CORE.store(NOWHERE, Ordering::Relaxed);
    std::mem::forget(HOME.swap(None));
    #[cfg(target_os = "linux")]
    sweep::leave_behind();
}

pub(super) fn put_to_use() {
    IS_IN_USE.store(true, Ordering::Relaxed);
}

/// The core that gathered workers are on now.
pub(super) fn core() -> Option<usize> {
    let core = CORE.load(Ordering::Relaxed);
    (core != NOWHERE).then_some(core as usize)
}

/// Takes a place at home for a pool whose workers have `usual`: the core to move to.
pub(super) fn move_in(usual: &Mask) -> Option<usize> {
    let home = home();
    let mut home = lock_std(&home);
    if let Some(core) = home.core.filter(|&core| usual.has(core)) {
        home.tenants += 1;
        return Some(core);
    }
    if home.core.is_some() {
        return None;
    }
    // Where somebody waits; the next time elsewhere, since another process may keep that core busy.
    let cores: Vec<usize> = usual.cores().collect();
    let waited_at = WAITED_AT.load(Ordering::Relaxed) as usize;
    let first = cores.iter().position(|&core| core == waited_at).unwrap_or(0);
    let core = *cores.get((first + home.moves) % cores.len().max(1))?;
    home.core = Some(core);
    home.tenants = 1;
    home.usual = Some(*usual);
    // Before anybody is moved, so that who is there by its own choice is known.
    #[cfg(target_os = "linux")]
    sweep::begin(core);
    CORE.store(u32::try_from(core).unwrap_or(NOWHERE), Ordering::Relaxed);
    Some(core)
}

/// Gives the place back; `has_gained` says whether it was a good one.
pub(super) fn move_out(has_gained: bool) {
    let home = home();
    let mut home = lock_std(&home);
    home.tenants = home.tenants.saturating_sub(1);
    if home.tenants == 0 {
        home.core = None;
        home.moves = if has_gained { home.moves } else { home.moves + 1 };
        CORE.store(NOWHERE, Ordering::Relaxed);
    }
}

/// Keeps the calling thread at home; puts it back exactly as it was when it is dropped.
#[derive(Debug)]
pub(crate) struct AtHome {
    before: Mask,
    narrow: Mask,
}

impl Drop for AtHome {
    fn drop(&mut self) {
        // Unless somebody gave the thread another mask meanwhile.
        if affinity::mask_of(OWN) == Some(self.narrow) {
            affinity::set_mask_of(OWN, &self.before);
        }
    }
}

/// Whether workers are gathered now.
pub(crate) fn is_home_set() -> bool {
    core().is_some()
}

/// Whether any pool of this process may ever be gathered.
fn is_in_use() -> bool {
    IS_IN_USE.load(Ordering::Relaxed)
}

/// For a thread that is about to wait for a result: takes it home, if there is one.
pub(crate) fn wait_at_home() -> Option<AtHome> {
    if !is_in_use() {
        return None;
    }
    if let Some(core) = affinity::own_core() {
        WAITED_AT.store(u32::try_from(core).unwrap_or(NOWHERE), Ordering::Relaxed);
    }
    let core = core()?;
    let (before, narrow) = (affinity::mask_of(OWN)?, Mask::only(core));
    if before == narrow || !before.has(core) || !affinity::set_mask_of(OWN, &narrow) {
        return None;
    }
    Some(AtHome { before, narrow })
}
