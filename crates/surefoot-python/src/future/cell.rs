//! What a future's own lock protects.
//!
//! Nothing in here runs Python code or drops a Python object: what must go is handed to the
//! caller, who drops it when the lock is free.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::join::PoolId;
use crate::task::Task;

/// The standard future's states.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Phase {
    #[default]
    Pending,
    Running,
    Cancelled,
    CancelledAndNotified,
    Finished,
}

impl Phase {
    pub(super) const ALL: [Self; 5] =
        [Self::Pending, Self::Running, Self::Cancelled, Self::CancelledAndNotified, Self::Finished];

    /// The name that `_state` shows.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Cancelled => "CANCELLED",
            Self::CancelledAndNotified => "CANCELLED_AND_NOTIFIED",
            Self::Finished => "FINISHED",
        }
    }

    /// The word in `repr`.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Cancelled | Self::CancelledAndNotified => "cancelled",
            Self::Finished => "finished",
        }
    }

    pub(super) fn is_cancelled(self) -> bool {
        matches!(self, Self::Cancelled | Self::CancelledAndNotified)
    }

    pub(super) fn is_done(self) -> bool {
        self.is_cancelled() || self == Self::Finished
    }
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Ending {
    Returned(Py<PyAny>),
    Raised(Py<PyAny>),
}

/// The callbacks that were added, in order; none is usual.
pub(super) type Callbacks = Option<Py<PyList>>;

#[derive(Debug, Default)]
pub(super) struct Cell {
    pub(super) phase: Phase,
    /// The pool that runs it.
    pub(super) pool: PoolId,
    /// The call, from submission until a worker takes it or it is cancelled.
    pub(super) task: Option<Task>,
    pub(super) result: Option<Py<PyAny>>,
    pub(super) exception: Option<Py<PyAny>>,
    pub(super) callbacks: Callbacks,
    /// Made when somebody asks for `_waiters`.
    pub(super) waiters: Option<Py<PyList>>,
    /// Made when somebody asks for `_condition`; from then on every change of state is made while
    /// holding it, because `wait()` and `as_completed()` read the state under it.
    pub(super) condition: Option<Py<PyAny>>,
}

impl Cell {
    /// Ends the future and returns the callbacks; gives the ending back if it had ended before.
    pub(super) fn finish(&mut self, ending: Ending) -> Result<Callbacks, (Phase, Ending)> {
        if self.phase.is_done() {
            return Err((self.phase, ending));
        }
        match ending {
            Ending::Returned(value) => self.result = Some(value),
            Ending::Raised(error) => self.exception = Some(error),
        }
        self.phase = Phase::Finished;
        Ok(self.callbacks.take())
    }

    /// Starts the call, or acknowledges that it was cancelled.
    pub(super) fn begin(&mut self) -> Begin {
        match self.phase {
            Phase::Pending => {
                self.phase = Phase::Running;
                Begin::Run(self.task.take())
            }
            Phase::Cancelled => {
                self.phase = Phase::CancelledAndNotified;
                Begin::Cancelled
            }
            phase => Begin::Unexpected(phase),
        }
    }

    /// Cancels, if it is not too late.
    pub(super) fn cancel(&mut self) -> Cancel {
        match self.phase {
            Phase::Pending => {
                self.phase = Phase::Cancelled;
                Cancel::Now(self.task.take(), self.callbacks.take())
            }
            Phase::Cancelled | Phase::CancelledAndNotified => Cancel::Before,
            Phase::Running | Phase::Finished => Cancel::TooLate,
        }
    }

    pub(super) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(task) = &self.task {
            task.traverse(visit)?;
        }
        visit.call(&self.result)?;
        visit.call(&self.exception)?;
        visit.call(&self.callbacks)?;
        visit.call(&self.waiters)?;
        visit.call(&self.condition)
    }
}

/// What `begin` found.
#[derive(Debug)]
pub(super) enum Begin {
    Run(Option<Task>),
    Cancelled,
    Unexpected(Phase),
}

/// What `cancel` did.
#[derive(Debug)]
pub(super) enum Cancel {
    /// Cancelled: this task must be dropped, and these must be called.
    Now(Option<Task>, Callbacks),
    /// It had been cancelled.
    Before,
    /// It runs or has ended.
    TooLate,
}
