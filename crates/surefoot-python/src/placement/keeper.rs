//! Moves the workers of one pool, as its [`Placement`] says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use surefoot_core::clock;
use surefoot_core::monitor::Watched;
use surefoot_core::placement::{Advice, Place, Placement, Reading};
use surefoot_core::sync::lock_std;

use super::affinity::{self, Mask};
use super::{guard, home};
use crate::process;
use crate::sensors::{clocks, gil};
use crate::shared::Shared;

/// One pool's.
#[derive(Debug)]
pub(crate) struct Keeper {
    process_id: u32,
    shared: OnceLock<Weak<Shared>>,
    roster: Mutex<Roster>,
    is_watched: AtomicBool,
    is_gathered: AtomicBool,
}

#[derive(Debug, Default)]
struct Roster {
    placement: Placement,
    members: Vec<Member>,
    /// Where the members are gathered.
    core: Option<usize>,
    is_disturbed: bool,
}

#[derive(Debug)]
struct Member {
    thread_id: u64,
    /// What it had before it was moved; `None`: it is free.
    before: Option<Mask>,
}

impl Member {
    fn gather(&mut self, core: usize) {
        let Some(before) = affinity::mask_of(self.thread_id) else { return };
        // A task may have given its thread a mask of its own, which stays.
        if self.before.is_none()
            && before.count() > 1
            && before.has(core)
            && affinity::set_mask_of(self.thread_id, &Mask::only(core))
        {
            self.before = Some(before);
        }
    }

    fn release(&mut self, core: usize) {
        if let Some(before) = self.before.take()
            && affinity::mask_of(self.thread_id) == Some(Mask::only(core))
        {
            affinity::set_mask_of(self.thread_id, &before);
        }
    }

    /// Whether somebody else moved it since it was gathered.
    fn is_astray(&self, core: usize) -> bool {
        self.before.is_some()
            && affinity::mask_of(self.thread_id).is_some_and(|mask| mask != Mask::only(core))
    }
}

impl Roster {
    fn release(&mut self, has_gained: bool) {
        if let Some(core) = self.core.take() {
            self.members.iter_mut().for_each(|member| member.release(core));
            home::move_out(has_gained);
        }
    }

    fn gather(&mut self) {
        if self.core.is_some() {
            return;
        }
        let Some(usual) = self.usual() else { return };
        if let Some(core) = home::move_in(&usual) {
            self.core = Some(core);
            self.members.iter_mut().for_each(|member| member.gather(core));
        }
    }

    /// What a free worker has.
    fn usual(&self) -> Option<Mask> {
        self.members
            .iter()
            .find(|member| member.before.is_none())
            .and_then(|member| affinity::mask_of(member.thread_id))
    }

    fn cores(&self) -> usize {
        let before = self.members.iter().find_map(|member| member.before);
        before.or_else(|| self.usual()).map_or(1, |mask| mask.count())
    }
}

impl Keeper {
    /// Makes a pool's keeper, which looks after it once there is a task.
    pub(crate) fn new() -> Arc<Self> {
        home::put_to_use();
        Arc::new(Self {
            process_id: std::process::id(),
            shared: OnceLock::new(),
            roster: Mutex::default(),
            is_watched: AtomicBool::new(false),
            is_gathered: AtomicBool::new(false),
        })
    }

    /// Says whose keeper it is.
    pub(crate) fn look_after(&self, shared: &Arc<Shared>) {
        // It is set once.
        drop(self.shared.set(Arc::downgrade(shared)));
    }

    /// Has the monitor look, if it does not already. Called after a task was queued.
    #[inline]
    pub(crate) fn watch(self: &Arc<Self>, now_ns: u64) {
        if self.is_watched.load(Ordering::Relaxed) || self.is_watched.swap(true, Ordering::Relaxed) {
            return;
        }
        let weak: Weak<Self> = Arc::downgrade(self);
        if process::watch(weak, now_ns).is_err() {
            self.is_watched.store(false, Ordering::Relaxed);
        }
    }

    /// See [`Placement::trust`].
    pub(crate) fn trust(&self) {
        lock_std(&self.roster).placement.trust();
    }

    /// Whether this is the process that the pool is in. In a forked child the lock is not to be asked:
    /// whoever held it stayed in the parent.
    pub(super) fn is_here(&self) -> bool {
        self.process_id == std::process::id()
    }

    /// Whether the pool's workers are on one core.
    pub(crate) fn is_gathered(&self) -> bool {
        self.is_gathered.load(Ordering::Relaxed)
    }

    /// For a task on the worker `thread_id` that is about to make a thread or a process, which inherits
    /// the mask: the worker is free when this returns, and the rest is at the next look.
    pub(super) fn disturb(&self, thread_id: u64) {
        let mut roster = lock_std(&self.roster);
        roster.is_disturbed = true;
        roster.free(thread_id);
    }

    /// Frees the worker `thread_id` alone.
    pub(super) fn step_aside(&self, thread_id: u64) {
        lock_std(&self.roster).free(thread_id);
    }

    /// Takes the worker back to the others.
    pub(super) fn step_back(&self, thread_id: u64) {
        let mut roster = lock_std(&self.roster);
        if let (Some(core), false) = (roster.core, roster.is_disturbed)
            && let Some(member) = roster.members.iter_mut().find(|member| member.thread_id == thread_id)
        {
            member.gather(core);
        }
    }

    fn place(&self, reading: &mut Reading) -> Advice {
        let mut roster = lock_std(&self.roster);
        if let Some(core) = roster.core {
            let is_astray = roster.members.iter().any(|member| member.is_astray(core));
            roster.is_disturbed |= is_astray;
        }
        reading.is_disturbed = std::mem::take(&mut roster.is_disturbed);
        reading.cores = roster.cores();
        reading.workers_cpu_ns =
            roster.members.iter().map(|member| clocks::cpu_ns_of(member.thread_id)).sum::<Option<u64>>();
        let advice = roster.placement.look(reading);
        match advice.place {
            Place::OneCore => roster.gather(),
            Place::Anywhere => {
                let has_gained = roster.placement.is_kept();
                roster.release(has_gained);
            }
        }
        self.is_gathered.store(roster.core.is_some(), Ordering::Relaxed);
        advice
    }
}

impl Roster {
    fn free(&mut self, thread_id: u64) {
        if let Some(core) = self.core
            && let Some(member) = self.members.iter_mut().find(|member| member.thread_id == thread_id)
        {
            member.release(core);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.is_here() {
            lock_std(&self.roster).release(true);
        }
    }
}

impl Watched for Keeper {
    fn tick(self: Arc<Self>, now_ns: u64) -> Option<u64> {
        let shared = self.shared.get()?.upgrade()?;
        let (snapshot, _) = shared.pool.vitals(now_ns, false);
        let mut reading = Reading {
            at_ns: now_ns,
            completed: snapshot.tasks.done + snapshot.tasks.failed,
            workers_busy: snapshot.workers_busy,
            queue_length: snapshot.queue_length,
            gil: gil::read(),
            ..Reading::default()
        };
        let advice = self.place(&mut reading);
        if reading.workers_busy > 0 || reading.queue_length > 0 {
            return Some(advice.due_ns);
        }
        self.is_watched.store(false, Ordering::Relaxed);
        // A task that was queued before the store is seen here; one queued later sees the store.
        if shared.pool.is_idle() || self.is_watched.swap(true, Ordering::Relaxed) {
            return None;
        }
        Some(clock::now_ns())
    }
}

/// A worker's place in its pool's roster, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Seat {
    keeper: Arc<Keeper>,
    thread_id: u64,
}

impl Seat {
    /// Called by the worker itself, before its first task.
    pub(crate) fn take(keeper: &Arc<Keeper>) -> Option<Self> {
        let thread_id = clocks::own_thread_id()?;
        lock_std(&home::home()).workers.insert(thread_id);
        let mut roster = lock_std(&keeper.roster);
        let mut member = Member { thread_id, before: None };
        if let Some(core) = roster.core {
            member.gather(core);
        }
        roster.members.push(member);
        drop(roster);
        guard::remember_seat(keeper, thread_id);
        Some(Self { keeper: Arc::clone(keeper), thread_id })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        guard::leave_seat();
        if !self.keeper.is_here() {
            return;
        }
        let mut roster = lock_std(&self.keeper.roster);
        roster.free(self.thread_id);
        roster.members.retain(|member| member.thread_id != self.thread_id);
        drop(roster);
        lock_std(&home::home()).workers.remove(&self.thread_id);
    }
}
