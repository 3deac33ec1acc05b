//! What a submitter meets when as many tasks wait as may: the slow half of `submit`.
//!
//! The bound is the core's (`pool/room.rs`). Nobody in here holds a lock while a task is run or
//! while somebody waits, and a task that is not accepted is dropped whole.

use std::cell::Cell;
use std::sync::Arc;

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use surefoot_core::clock;
use surefoot_core::parker::Wake;
use surefoot_core::pool::{Action, Block, Closed, Refused, Rejected};
use surefoot_core::sample::{Outcome, Sample};

use crate::attach;
use crate::executor::{ExecutorCore, refused};
use crate::function::LastSeen;
use crate::future::{Ending, FutureCore};
use crate::join::{self, PoolId};
use crate::name::name;
use crate::process;
use crate::sensors::clocks;
use crate::shared::{Item, Refusal, Shared, Why};
use crate::standard::Standard;

/// How often a blocked main thread looks whether a signal came.
const SIGNAL_SLICE_NS: u64 = 50_000_000;

/// What a full queue does to a submitter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WhenFull {
    Block,
    Raise,
    CallerRuns,
}

impl WhenFull {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "block" => Some(Self::Block),
            "raise" => Some(Self::Raise),
            "caller-runs" => Some(Self::CallerRuns),
            _ => None,
        }
    }
}

/// Why a wait for room ended without any.
enum Left {
    Closed(Closed),
    /// The executor has another pool by now: this is a forked child, or `_work_queue` was replaced.
    Moved,
    /// A signal handler raised this.
    Interrupted(PyErr),
}

/// Submits `future`, whose `item` the full queue has given back.
#[cold]
pub(crate) fn full<'py>(
    executor: &Bound<'py, ExecutorCore>,
    shared: &Arc<Shared>,
    future: Bound<'py, FutureCore>,
    item: Item,
    since_ns: u64,
) -> PyResult<Bound<'py, PyAny>> {
    let py = executor.py();
    match shared.when_full {
        Some(WhenFull::Raise) => {
            item.release(py);
            Err(rejected(py, shared)?)
        }
        Some(WhenFull::CallerRuns) => {
            item.release(py);
            run_here(shared, &future)?;
            Ok(future.into_any())
        }
        // A worker must not wait for its own pool: perhaps it alone can make the room.
        _ if join::is_own_worker(shared.id) => match shared.submit_anyway(py, item, since_ns) {
            Ok(None) => Ok(future.into_any()),
            Ok(Some(interrupt)) => Err(interrupt),
            Err(Refusal { item, why }) => {
                item.release(py);
                Err(match why {
                    Why::Refused(Refused::Closed(_)) if !executor.get().is_tied_to(shared) => {
                        return ExecutorCore::submit_again(executor, &future);
                    }
                    Why::Refused(Refused::Closed(closed)) => refused(executor, closed)?,
                    Why::NoThread(error) => error,
                    Why::Refused(Refused::Full) => rejected(py, shared)?,
                })
            }
        },
        _ => match wait(py, shared, Some(item), since_ns) {
            Ok(action) => {
                shared.carry_out(py, action);
                Ok(future.into_any())
            }
            Err(Left::Interrupted(error)) => Err(error),
            Err(Left::Closed(closed)) if executor.get().is_tied_to(shared) => Err(refused(executor, closed)?),
            Err(Left::Closed(_) | Left::Moved) => ExecutorCore::submit_again(executor, &future),
        },
    }
}

/// Submits through a `ThreadPoolExecutor.submit` that somebody replaced. That one ends in our
/// `_work_queue`, under locks that a thread must not wait under: so the place there is reserved
/// before.
#[cold]
pub(crate) fn submit_replaced<'py>(
    executor: &Bound<'py, ExecutorCore>,
    shared: &Arc<Shared>,
    function: &Bound<'py, PyAny>,
    args: Bound<'py, PyTuple>,
    kwargs: Option<Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = executor.py();
    let standard = Standard::get(py)?;
    let reservation = match reserve(py, shared) {
        Ok(reservation) => reservation,
        Err(Left::Interrupted(error)) => return Err(error),
        // The replacement finds out by itself, and says it in its own way.
        Err(Left::Closed(_)) => None,
        Err(Left::Moved) => return ExecutorCore::submit(executor, function, args, kwargs),
    };
    if reservation.is_none() && shared.when_full == Some(WhenFull::Raise) && shared.pool.closed().is_none() {
        return Err(rejected(py, shared)?);
    }
    if reservation.is_none()
        && shared.when_full == Some(WhenFull::CallerRuns)
        && shared.pool.closed().is_none()
    {
        let future = shared.future_of(standard, function, args, kwargs)?;
        run_here(shared, &future)?;
        return Ok(future.into_any());
    }
    let Some(context) = shared.copied_context(py)? else {
        return standard.call_submit(executor.as_any(), function, &args, kwargs.as_ref());
    };
    let run = context.into_bound(py).getattr(name!(py, "run"))?;
    let mut all = vec![function.clone()];
    all.extend(args.iter());
    let submitted = standard.call_submit(executor.as_any(), &run, &PyTuple::new(py, all)?, kwargs.as_ref());
    drop(reservation);
    submitted
}

/// Waits in the line of submitters, as a task or for a reservation.
fn wait(py: Python<'_>, shared: &Arc<Shared>, item: Option<Item>, since_ns: u64) -> Result<Action, Left> {
    let is_reservation = item.is_none();
    let ticket = match shared.pool.block(item, since_ns) {
        Ok(Block::Accepted(action)) => return Ok(action),
        Ok(Block::Waits(ticket)) => ticket,
        Err(rejected) => return Err(why(py, rejected)),
    };
    let generation = process::generation();
    let slice_ns = clocks::is_main_thread().then_some(SIGNAL_SLICE_NS);
    loop {
        let wake = attach::detached(py, || ticket.parker().wait(slice_ns));
        let interrupt = (wake == Wake::TimedOut).then(|| py.check_signals().err()).flatten();
        if process::generation() != generation {
            // A signal handler has forked, and this is the child: the pool's lock is not ours to take.
            return Err(interrupt.map_or(Left::Moved, Left::Interrupted));
        }
        if wake == Wake::TimedOut && interrupt.is_none() {
            continue;
        }
        let unblocked = shared.pool.unblock(&ticket);
        shared.watch(clock::now_ns());
        return match (unblocked, interrupt) {
            (Ok(()), None) => Ok(Action::None),
            (Ok(()), Some(error)) => {
                if is_reservation {
                    shared.unreserve();
                }
                Err(Left::Interrupted(error))
            }
            (Err(rejected), interrupt) => {
                let why = why(py, rejected);
                Err(interrupt.map_or(why, Left::Interrupted))
            }
        };
    }
}

/// Drops the task, attached and without a lock.
fn why(py: Python<'_>, rejected: Rejected<Option<Item>>) -> Left {
    let Rejected { task, why } = rejected;
    if let Some(item) = task {
        item.release(py);
    }
    match why {
        Refused::Closed(closed) => Left::Closed(closed),
        // Only who gives up is told so, and that one has its own reason.
        Refused::Full => Left::Moved,
    }
}

thread_local! {
    /// The pool in which this thread has a place for the item that it is about to put.
    static RESERVED: Cell<PoolId> = const { Cell::new(PoolId::NONE) };
}

/// A place in the queue, given back if it is dropped unused.
struct Reservation {
    shared: Arc<Shared>,
    before: PoolId,
    generation: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let is_unused = RESERVED.replace(self.before) == self.shared.id;
        if is_unused && process::generation() == self.generation {
            self.shared.unreserve();
        }
    }
}

/// Uses up the place that the calling thread has in the pool's queue, if any.
pub(crate) fn take_reservation(pool: PoolId) -> bool {
    let is_reserved = RESERVED.get() == pool;
    if is_reserved {
        RESERVED.set(PoolId::NONE);
    }
    is_reserved
}

/// Reserves a place, with a wait if that is the policy; `None`: the queue is not bounded, or not for
/// this thread, or it is full and the policy is not to wait.
fn reserve(py: Python<'_>, shared: &Arc<Shared>) -> Result<Option<Reservation>, Left> {
    let Some(when_full) = shared.when_full else { return Ok(None) };
    match shared.pool.reserve() {
        Ok(()) => {}
        Err(Refused::Closed(closed)) => return Err(Left::Closed(closed)),
        Err(Refused::Full) if when_full != WhenFull::Block || join::is_own_worker(shared.id) => {
            return Ok(None);
        }
        Err(Refused::Full) => {
            let action = wait(py, shared, None, clock::now_ns())?;
            shared.carry_out(py, action);
        }
    }
    let before = RESERVED.replace(shared.id);
    Ok(Some(Reservation { shared: Arc::clone(shared), before, generation: process::generation() }))
}

/// Runs the task in the calling thread, which is its submitter's. What it raises goes to the future,
/// as in a worker; but an interrupt is meant for the thread, so it goes on there, too.
fn run_here(shared: &Arc<Shared>, future: &Bound<'_, FutureCore>) -> PyResult<()> {
    let py = future.py();
    let Some(task) = FutureCore::begin(future)? else { return Ok(()) };
    let generation = process::generation();
    let function = shared.functions.id_of(py, &task, &mut LastSeen::default());
    let (began_ns, cpu_before_ns) = (clock::now_ns(), clocks::own_cpu_ns());
    let ended = task.call(py);
    let cpu_ns = cpu_before_ns.zip(clocks::own_cpu_ns()).map(|(start, end)| end.saturating_sub(start));
    let wall_ns = clock::now_ns().saturating_sub(began_ns);
    if process::generation() == generation {
        let outcome = if ended.is_ok() { Outcome::Done } else { Outcome::Failed };
        shared.pool.ran_by_caller(&Sample { wall_ns, cpu_ns, function, ..Sample::default() }, outcome);
    }
    let (ending, interrupt) = match ended {
        Ok(value) => (Ending::Returned(value), None),
        Err(error) => {
            let interrupt = error.is_instance_of::<PyKeyboardInterrupt>(py).then(|| error.clone_ref(py));
            (Ending::Raised(error.into_value(py).into_any()), interrupt)
        }
    };
    FutureCore::end(future, ending)?;
    interrupt.map_or(Ok(()), Err)
}

/// Counts a refusal, and makes its `surefoot.QueueFull`.
fn rejected(py: Python<'_>, shared: &Shared) -> PyResult<PyErr> {
    shared.pool.count_rejected();
    let message = "cannot schedule new futures: as many tasks wait as may";
    let error = Standard::get(py)?.queue_full.bind(py);
    Ok(PyErr::from_value(attach::call(error, &PyTuple::new(py, [message])?, None)?))
}
