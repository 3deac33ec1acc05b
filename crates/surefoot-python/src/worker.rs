//! The loop of a worker thread.
//!
//! A worker is a `threading.Thread` whose target is a [`WorkerEntry`]. It attaches once, by being
//! a Python thread, runs task after task without leaving the interpreter, and detaches only to
//! wait. Between two tasks it takes one reading of the clocks, which ends the one and starts the
//! other.
//!
//! A task that never enters Python code (a C function) never offers the interpreter to others, and
//! a worker that goes from one such task to the next would keep it for ever. So a worker calls a
//! Python function that does nothing whenever [`BREATH_NS`] have passed: entering one is where
//! `CPython` looks whether somebody else wants to run, and on builds without a GIL whether the world
//! is to stop.
//!
//! What the loop does besides the task itself is kept out of its stack frame (`inline(never)`): an
//! idle worker's resident memory is mostly the stack pages that its deepest call touched.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use surefoot_core::clock;
use surefoot_core::parker::Wake;
use surefoot_core::pool::{Next, Retire, Worker};
use surefoot_core::sample::{Outcome, Sample};
use surefoot_core::spin::Spinner;

use crate::attach;
use crate::future::{Announced, Ending, FutureCore};
use crate::handover;
use crate::process;
use crate::sensors::clocks;
use crate::shared::{Item, Shared};
use crate::standard::Standard;

/// How long a worker runs tasks before it offers the interpreter. Not critical: a fiftieth of the
/// default switch interval, and a call of 40 ns each 100 us is not to be seen.
const BREATH_NS: u64 = 100_000;

/// Shorter than any thread is off its core: a switch away and back takes several microseconds.
const BLIP_NS: u64 = 1_000;

/// The target of a worker's thread.
#[pyclass(frozen, module = "surefoot._core")]
#[derive(Debug)]
pub(crate) struct WorkerEntry {
    shared: Arc<Shared>,
    index: usize,
}

impl WorkerEntry {
    pub(crate) fn new(shared: Arc<Shared>, index: usize) -> Self {
        Self { shared, index }
    }
}

#[pymethods]
impl WorkerEntry {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let standard = Standard::get(py).inspect_err(|_| {
            drop(self.shared.pool.start_failed(self.index, |_| false));
        })?;
        let worker = self.shared.pool.enter(self.index, clocks::own_thread_id());
        let generation = process::generation();
        Loop {
            shared: &self.shared,
            standard,
            worker,
            generation,
            has_permit: true,
            spinner: Spinner::default(),
        }
        .run(py);
        Ok(())
    }
}

/// A reading of both clocks.
#[derive(Clone, Copy, Debug)]
struct Reading {
    wall_ns: u64,
    cpu_ns: Option<u64>,
}

impl Reading {
    fn now() -> Self {
        Self { wall_ns: clock::now_ns(), cpu_ns: clocks::own_cpu_ns() }
    }

    /// A reading at the end of what started at `start`. The CPU clock costs a system call, some
    /// 200 ns; the wall clock does not. A thread that went on within [`BLIP_NS`] was on its core
    /// all the while, so its CPU time is the wall time.
    fn after(start: Self) -> Self {
        let wall_ns = clock::now_ns();
        let passed_ns = wall_ns.saturating_sub(start.wall_ns);
        let cpu_ns = match start.cpu_ns {
            Some(cpu_ns) if passed_ns < BLIP_NS => Some(cpu_ns + passed_ns),
            _ => clocks::own_cpu_ns(),
        };
        Self { wall_ns, cpu_ns }
    }
}

/// What a wait ended with.
enum Waited {
    Woken { at_ns: u64 },
    Retired,
}

struct Loop<'a> {
    shared: &'a Arc<Shared>,
    standard: &'a Standard,
    worker: Worker,
    generation: u64,
    has_permit: bool,
    spinner: Spinner,
}

impl Loop<'_> {
    fn run(mut self, py: Python<'_>) {
        if let Err(error) = self.initialize(py) {
            self.standard.critical(py, "Exception in initializer:", error);
            self.leave_broken(py);
            return;
        }
        let mut reading = Reading::now();
        let mut breathed_ns = reading.wall_ns;
        let mut attach_wait_ns = 0;
        loop {
            match self.shared.pool.next(&mut self.worker, reading.wall_ns) {
                Next::Run { task, queued_ns, action } => {
                    self.shared.carry_out(py, action);
                    let sample = Sample { queued_ns, attach_wait_ns, ..Sample::default() };
                    let Some(after) = self.run_item(py, task, reading, sample) else { return self.vanish() };
                    reading = after;
                    attach_wait_ns = 0;
                    if reading.wall_ns.saturating_sub(breathed_ns) > BREATH_NS {
                        self.breathe(py);
                        breathed_ns = reading.wall_ns;
                    }
                }
                Next::Park => match self.wait(py) {
                    Waited::Woken { at_ns } => {
                        self.has_permit = true;
                        self.worker.woken();
                        reading = Reading::now();
                        breathed_ns = reading.wall_ns;
                        attach_wait_ns = reading.wall_ns.saturating_sub(at_ns);
                    }
                    Waited::Retired => {
                        self.forget_thread(py);
                        return;
                    }
                },
                Next::Leave(action) => {
                    self.has_permit = false;
                    self.shared.carry_out(py, action);
                    return;
                }
            }
        }
    }

    #[inline(never)]
    fn initialize(&self, py: Python<'_>) -> PyResult<()> {
        if let Some((initializer, args)) = &self.shared.initializer {
            let args = args.bind(py).try_iter()?.collect::<PyResult<Vec<_>>>()?;
            attach::call(initializer.bind(py), &PyTuple::new(py, args)?, None)?;
        }
        Ok(())
    }

    /// Says that the pool is broken: the standard class marks it and fails what is queued.
    #[inline(never)]
    fn leave_broken(mut self, py: Python<'_>) {
        let told = || {
            let executor = self.shared.executor.bind(py).call0()?;
            if !executor.is_none() {
                attach::call_method(&executor, intern!(py, "_initializer_failed"), ())?;
            }
            PyResult::Ok(())
        };
        if let Err(error) = told() {
            self.standard.critical(py, "Exception in worker", error);
        }
        self.has_permit = false;
        let action = self.shared.pool.lost(&self.worker);
        self.shared.carry_out(py, action);
    }

    /// Waits for a grant or for the end of the worker.
    #[inline(never)]
    fn wait(&mut self, py: Python<'_>) -> Waited {
        self.has_permit = false;
        let (pool, worker) = (&self.shared.pool, &self.worker);
        let timeout_ns = self.shared.idle_timeout_ns;
        let spins = self.spinner.is_worth_it();
        let began_ns = clock::now_ns();
        let waited = attach::detached(py, || {
            if spins {
                handover::poll(|| worker.parker().is_granted());
            }
            loop {
                match worker.parker().wait(timeout_ns) {
                    Wake::Granted => break,
                    Wake::TimedOut => match pool.retire(worker) {
                        Retire::Leave => return Waited::Retired,
                        Retire::Stay => {}
                        Retire::Granted => {
                            worker.parker().wait(None);
                            break;
                        }
                    },
                }
            }
            Waited::Woken { at_ns: clock::now_ns() }
        });
        self.spinner.waited(clock::now_ns() - began_ns);
        waited
    }

    /// Runs an item that was `next`; the reading after it, or `None` if this is a forked child.
    fn run_item(&self, py: Python<'_>, item: Item, start: Reading, sample: Sample) -> Option<Reading> {
        match item {
            Item::Task(future) => self.run_task(&future.into_bound(py), start, sample),
            Item::Foreign(item) => self.run_foreign(item.into_bound(py), start, sample),
        }
    }

    fn run_task(&self, future: &Bound<'_, FutureCore>, start: Reading, sample: Sample) -> Option<Reading> {
        let py = future.py();
        let task = match FutureCore::begin(future) {
            Ok(Some(task)) => task,
            Ok(None) => {
                self.shared.pool.finish(&Sample::default(), Outcome::Cancelled);
                return Some(Reading::now());
            }
            Err(error) => {
                self.shared.pool.finish(&Sample::default(), Outcome::Cancelled);
                self.standard.critical(py, "Exception in worker", error);
                return Some(Reading::now());
            }
        };
        let ended = task.call(py);
        let end = Reading::after(start);
        if process::generation() != self.generation {
            self.announce(future, ended);
            return None;
        }
        let outcome = if ended.is_ok() { Outcome::Done } else { Outcome::Failed };
        self.record(start, end, sample, outcome);
        // With callbacks, the next task must not be charged for them.
        Some(match self.announce(future, ended) {
            Announced::ToNobody => end,
            Announced::ToSomebody => Reading::now(),
        })
    }

    #[inline(never)]
    fn announce(&self, future: &Bound<'_, FutureCore>, ended: PyResult<Py<PyAny>>) -> Announced {
        let py = future.py();
        let ending = match ended {
            Ok(value) => Ending::Returned(value),
            Err(error) => Ending::Raised(error.into_value(py).into_any()),
        };
        FutureCore::end(future, ending).unwrap_or_else(|error| {
            self.standard.critical(py, "Exception in worker", error);
            Announced::ToSomebody
        })
    }

    /// Runs an item of the standard library's kind, which ends its own future.
    #[inline(never)]
    fn run_foreign(&self, item: Bound<'_, PyAny>, start: Reading, sample: Sample) -> Option<Reading> {
        let py = item.py();
        let ran = match &self.standard.worker_context {
            Some(context) => attach::call_method(&item, intern!(py, "run"), (context,)),
            None => attach::call_method(&item, intern!(py, "run"), ()),
        };
        drop(item);
        let end = Reading::now();
        let outcome = if ran.is_ok() { Outcome::Done } else { Outcome::Failed };
        if process::generation() != self.generation {
            return None;
        }
        self.record(start, end, sample, outcome);
        if let Err(error) = ran {
            self.standard.critical(py, "Exception in worker", error);
        }
        Some(Reading::now())
    }

    #[inline(never)]
    fn record(&self, start: Reading, end: Reading, sample: Sample, outcome: Outcome) {
        let cpu_ns = start.cpu_ns.zip(end.cpu_ns).map(|(start, end)| end.saturating_sub(start));
        let wall_ns = end.wall_ns.saturating_sub(start.wall_ns);
        self.shared.pool.finish(&Sample { wall_ns, cpu_ns, ..sample }, outcome);
    }

    /// Lets other threads run, if any wants to.
    #[inline(never)]
    fn breathe(&self, py: Python<'_>) {
        if let Err(error) = attach::call(self.standard.breath.bind(py), &PyTuple::empty(py), None) {
            // Somebody injected an exception between two tasks, where it has no future to go to.
            self.standard.critical(py, "Exception in worker", error);
        }
    }

    /// Takes the thread out of the executor's `_threads`: its name is free for the next one.
    #[inline(never)]
    fn forget_thread(&self, py: Python<'_>) {
        if let Err(error) = attach::call_method(self.shared.maker.bind(py), intern!(py, "forget_current"), ())
        {
            self.standard.critical(py, "Exception in worker", error);
        }
    }

    /// Ends a worker that finds itself in a forked child: its pool stayed in the parent.
    fn vanish(mut self) {
        self.has_permit = false;
    }
}

impl Drop for Loop<'_> {
    fn drop(&mut self) {
        // A panic of ours ended the loop: the pool must not count on this worker any more.
        if self.has_permit {
            self.shared.worker_lost(&self.worker);
        }
    }
}
