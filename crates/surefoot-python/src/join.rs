//! Workers that wait in `result()` for a task of their own pool.
//!
//! Such a worker holds its permit and does nothing with it, while the task that it waits for may be
//! queued behind the limit. So it is not counted until the wait ends: the pool admits another in
//! its place, up to the cap. Beyond the cap nested waits stop a pool for ever, as they do the
//! standard one.

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
}

thread_local! {
    static MEMBERSHIP: RefCell<Option<Membership>> = const { RefCell::new(None) };
}

/// Makes the calling thread known as a worker of a pool, until dropped.
#[derive(Debug)]
pub(crate) struct Member(());

impl Member {
    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        let membership = Membership { shared: Arc::clone(shared), generation: process::generation() };
        MEMBERSHIP.set(Some(membership));
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
            let Membership { shared, generation } = membership.as_ref()?;
            // In a forked child the pool is a copy whose locks may be held by nobody.
            (shared.id == task_pool && *generation == process::generation()).then(|| Arc::clone(shared))
        })?;
        let action = shared.pool.joining();
        shared.carry_out(py, action);
        Some(Self(shared))
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        self.0.pool.joined();
    }
}
