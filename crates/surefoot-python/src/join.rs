//! Workers that wait in `result()` for a task of their own pool.
//!
//! Such a worker holds its permit and does nothing with it, while the task that it waits for may be
//! queued behind the limit. So it is not counted until the wait ends: the pool admits another in
//! its place, up to the cap. Beyond the cap nested waits stop a pool for ever, as they do the
//! standard one.
//!
//! A task may also say itself that it waits for work that has to come to this pool by another way: it
//! steps out, beyond limit and cap, until it steps in again or its worker ends.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::prelude::*;

use crate::process;
use crate::shared::Shared;

/// Tells pools apart; 0 is no pool's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct PoolId(u32);

impl PoolId {
    pub(crate) const NONE: Self = Self(0);

    /// The next one. After four thousand million pools two may share one: then a worker may go
    /// uncounted that should be counted, which costs a worker too many for the time of a wait.
    pub(crate) fn next() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1))
    }

    /// The number, as snapshot files have it.
    pub(crate) fn number(self) -> u64 {
        u64::from(self.0)
    }
}

/// Whether the calling thread is a worker of the pool.
pub(crate) fn is_own_worker(pool: PoolId) -> bool {
    MEMBERSHIP.with_borrow(|membership| {
        membership.as_ref().is_some_and(|membership| {
            membership.shared.id == pool && membership.generation == process::generation()
        })
    })
}

struct Membership {
    shared: Arc<Shared>,
    generation: u64,
    /// Held while the worker is out by its own word.
    outside: Option<Outside>,
}

thread_local! {
    static MEMBERSHIP: RefCell<Option<Membership>> = const { RefCell::new(None) };
}

/// Makes the calling thread known as a worker of a pool, until dropped.
#[derive(Debug)]
pub(crate) struct Member(());

impl Member {
    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        let generation = process::generation();
        MEMBERSHIP.set(Some(Membership { shared: Arc::clone(shared), generation, outside: None }));
        Self(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Not set within the borrow: the pool may go with it.
        drop(MEMBERSHIP.take());
    }
}

/// A wait of a worker for a task of its own pool, until dropped.
#[derive(Debug)]
pub(crate) struct Joining(Arc<Shared>);

impl Joining {
    /// Begins one if the calling thread is a worker of the pool of `task_pool`.
    pub(crate) fn begin(py: Python<'_>, task_pool: PoolId) -> Option<Self> {
        if task_pool == PoolId::default() {
            return None;
        }
        let shared = MEMBERSHIP.with_borrow(|membership| {
            let Membership { shared, generation, outside } = membership.as_ref()?;
            // In a forked child the pool is a copy whose locks may be held by nobody.
            let counts = shared.id == task_pool && *generation == process::generation();
            // Who is out already is not counted anyway.
            (counts && outside.is_none()).then(|| Arc::clone(shared))
        })?;
        let action = shared.pool.joining();
        shared.carry_out(py, action);
        Some(Self(shared))
    }
}

/// A worker that is out by its own word, until dropped.
#[derive(Debug)]
struct Outside(Arc<Shared>);

impl Drop for Outside {
    fn drop(&mut self) {
        self.0.pool.step_in();
    }
}

/// Takes the calling worker of the pool out of the count, until [`step_in`] or its end. False if it is
/// out already, or is no worker of this pool.
pub(crate) fn step_out(py: Python<'_>, shared: &Arc<Shared>) -> bool {
    let is_in = MEMBERSHIP.with_borrow(|membership| {
        membership.as_ref().is_some_and(|membership| {
            Arc::ptr_eq(&membership.shared, shared)
                && membership.generation == process::generation()
                && membership.outside.is_none()
        })
    });
    if !is_in {
        return false;
    }
    let action = shared.pool.step_out();
    let outside = Outside(Arc::clone(shared));
    // Outside the borrow: a thread may have to be made, which runs Python code.
    shared.carry_out(py, action);
    MEMBERSHIP.with_borrow_mut(|membership| {
        if let Some(membership) = membership {
            membership.outside = Some(outside);
        }
    });
    true
}

/// Counts the calling worker again. False if it was not out.
pub(crate) fn step_in(shared: &Arc<Shared>) -> bool {
    let outside = MEMBERSHIP.with_borrow_mut(|membership| {
        let membership = membership.as_mut()?;
        Arc::ptr_eq(&membership.shared, shared).then(|| membership.outside.take()).flatten()
    });
    outside.is_some()
}

impl Drop for Joining {
    fn drop(&mut self) {
        self.0.pool.joined();
    }
}
