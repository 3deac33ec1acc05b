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

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use surefoot_core::clock;
use surefoot_core::parker::Wake;
use surefoot_core::pool::{Next, Retire, Worker};
use surefoot_core::sample::{FunctionId, Outcome, Sample};
use surefoot_core::spin::Spinner;

use crate::attach;
use crate::function::LastSeen;
use crate::future::{Announced, Ending, FutureCore};
use crate::handover;
use crate::join::Member;
use crate::journal;
use crate::name::name;
use crate::placement::Seat;
use crate::process;
use crate::sensors::clocks;
use crate::sensors::own_delay::OwnDelay;
use crate::shared::{Item, Shared};
use crate::standard::Standard;
use crate::task::Task;

/// How long a worker runs tasks before it offers the interpreter. Not critical: a fiftieth of the
/// default switch interval, and a call of 40 ns each 100 us is not to be seen.
const BREATH_NS: u64 = 100_000;

/// Shorter than any thread is off its core: a switch away and back takes several microseconds.
const BLIP_NS: u64 = 1_000;

/// What the target of a worker's thread knows.
#[pyclass(frozen, module = "surefoot._core")]
#[derive(Debug)]
pub(crate) struct WorkerEntry {
    shared: Arc<Shared>,
    index: usize,
}

/// The definition that the targets point to; it lives as long as the process.
struct Definition(ffi::PyMethodDef);

// SAFETY: it is never written after it was made, and points to constants only.
unsafe impl Sync for Definition {}

static DEFINITION: Definition = Definition(ffi::PyMethodDef {
    ml_name: c"worker".as_ptr(),
    ml_meth: ffi::PyMethodDefPointer { PyCFunction: enter },
    ml_flags: ffi::METH_NOARGS,
    ml_doc: std::ptr::null(),
});

/// Makes the target of the thread of `index`. It is a plain C function, because what the
/// interpreter and `PyO3` put on the stack to call an object stays there as long as the worker.
pub(crate) fn target(py: Python<'_>, shared: Arc<Shared>, index: usize) -> PyResult<Bound<'_, PyAny>> {
    let entry = Bound::new(py, WorkerEntry { shared, index })?;
    let definition = (&raw const DEFINITION.0).cast_mut();
    // SAFETY: a definition that is static and that CPython only reads, and a live object.
    let target = unsafe { ffi::PyCFunction_NewEx(definition, entry.as_ptr(), std::ptr::null_mut()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, target) }
}

/// Called by the interpreter: attached, with the [`WorkerEntry`] given to [`target`].
unsafe extern "C" fn enter(entry: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls only attached threads.
    let py = unsafe { Python::assume_attached() };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: live for the call, since the function object holds it.
        let entry = unsafe { Borrowed::from_ptr(py, entry) };
        run_worker(py, entry)
    }));
    conclude(py, ended)
}

#[inline(never)]
fn conclude(py: Python<'_>, ended: std::thread::Result<PyResult<()>>) -> *mut ffi::PyObject {
    match ended.unwrap_or_else(|_| Err(PanicException::new_err("surefoot panicked in a worker"))) {
        Ok(()) => py.None().into_ptr(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}

fn run_worker(py: Python<'_>, entry: Borrowed<'_, '_, PyAny>) -> PyResult<()> {
    let entry = entry.cast::<WorkerEntry>()?;
    begin_loop(py, entry.get())?.run(py);
    Ok(())
}

/// Enters the pool. The loop is on the heap: see this module's head.
#[inline(never)]
fn begin_loop<'a>(py: Python<'a>, entry: &'a WorkerEntry) -> PyResult<Box<Loop<'a>>> {
    let WorkerEntry { shared, index } = entry;
    let standard = Standard::get(py).inspect_err(|_| {
        drop(shared.pool.start_failed(*index, |_| false));
    })?;
    Ok(Box::new(Loop {
        shared,
        standard,
        worker: shared.pool.enter(*index, clocks::own_thread_id()),
        generation: process::generation(),
        has_permit: true,
        spinner: Spinner::default(),
        reading: Reading { wall_ns: 0, cpu_ns: None },
        breathed_ns: 0,
        queued_ns: 0,
        attach_wait_ns: 0,
        function: FunctionId::OTHERS,
        last_seen: LastSeen::default(),
        own_delay: OwnDelay::new(),
        _seat: shared.keeper.as_ref().and_then(Seat::take),
    }))
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
    /// Where the last task ended, so where the next one starts.
    reading: Reading,
    breathed_ns: u64,
    /// Of the task taken last.
    queued_ns: u64,
    attach_wait_ns: u64,
    function: FunctionId,
    /// Where that number comes from, for the next task.
    last_seen: LastSeen,
    own_delay: OwnDelay,
    /// In a pool that may be kept on one core.
    _seat: Option<Seat>,
}

impl Loop<'_> {
    fn run(&mut self, py: Python<'_>) {
        let _member = Member::of(self.shared);
        if self.is_set_up(py) {
            while self.step(py) {}
        }
    }

    /// Runs the initializer; if it fails, the pool is broken.
    #[inline(never)]
    fn is_set_up(&mut self, py: Python<'_>) -> bool {
        if let Err(error) = self.initialize(py) {
            self.leave_broken(py, error);
            return false;
        }
        self.reading = Reading::now();
        self.breathed_ns = self.reading.wall_ns;
        true
    }

    /// Runs a task, waits for one, or leaves; says whether to go on.
    fn step(&mut self, py: Python<'_>) -> bool {
        let Some(item) = self.take(py) else { return self.has_permit };
        let goes_on = match item {
            Item::Task(future) => self.run_task(&future.into_bound(py)),
            Item::Foreign(item) => self.run_foreign(item.into_bound(py)),
        };
        if !goes_on {
            // This is a forked child; the pool stayed in the parent.
            self.has_permit = false;
            return false;
        }
        if self.reading.wall_ns.saturating_sub(self.breathed_ns) > BREATH_NS {
            self.breathe(py);
        }
        true
    }

    /// Takes a task. `None`: there was none; the worker has waited and still has a permit, or it
    /// leaves and has none.
    #[inline(never)]
    fn take(&mut self, py: Python<'_>) -> Option<Item> {
        match self.shared.pool.next(&mut self.worker, self.reading.wall_ns) {
            Next::Run { task, queued_ns, action } => {
                self.queued_ns = queued_ns;
                self.shared.carry_out(py, action);
                Some(task)
            }
            Next::Park => {
                self.wait_and_look(py);
                None
            }
            Next::Leave(action) => {
                self.has_permit = false;
                self.shared.carry_out(py, action);
                None
            }
        }
    }

    fn wait_and_look(&mut self, py: Python<'_>) {
        match self.wait(py) {
            Waited::Woken { at_ns } => {
                self.has_permit = true;
                self.worker.woken();
                self.reading = Reading::now();
                self.breathed_ns = self.reading.wall_ns;
                self.attach_wait_ns = self.reading.wall_ns.saturating_sub(at_ns);
                self.own_delay.woken();
                journal::look(py, self.reading.wall_ns);
            }
            Waited::Retired => self.forget_thread(py),
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
    fn leave_broken(&mut self, py: Python<'_>, error: PyErr) {
        self.standard.critical(py, "Exception in initializer:", error);
        let told = || {
            let executor = self.shared.executor.bind(py).call0()?;
            if !executor.is_none() {
                attach::call_method(&executor, name!(py, "_initializer_failed"), ())?;
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

    /// Runs a task; says whether this is still the process that the pool is in.
    fn run_task(&mut self, future: &Bound<'_, FutureCore>) -> bool {
        let Some(task) = self.begin(future) else { return true };
        self.function = self.shared.functions.id_of(future.py(), &task, &mut self.last_seen);
        let ended = task.call(future.py());
        let end = Reading::after(self.reading);
        let goes_on = process::generation() == self.generation;
        if goes_on {
            self.record(future.py(), end, ended.is_ok());
        }
        // With callbacks, the next task must not be charged for them.
        self.reading = match self.announce(future, ended) {
            Announced::ToNobody => end,
            Announced::ToSomebody => self.reading_after_pause(end),
        };
        goes_on
    }

    /// A reading after something that is no task's.
    fn reading_after_pause(&mut self, before: Reading) -> Reading {
        let reading = Reading::now();
        self.own_delay.paused(reading.wall_ns.saturating_sub(before.wall_ns));
        reading
    }

    /// Takes the task out of its future; `None` if there is nothing to run.
    #[inline(never)]
    fn begin(&mut self, future: &Bound<'_, FutureCore>) -> Option<Task> {
        let begun = FutureCore::begin(future);
        if let Ok(Some(task)) = begun {
            return Some(task);
        }
        let action = self.shared.pool.finish(&Sample::default(), Outcome::Cancelled, self.reading.wall_ns);
        self.shared.carry_out(future.py(), action);
        if let Err(error) = begun {
            self.standard.critical(future.py(), "Exception in worker", error);
        }
        self.reading = Reading::now();
        None
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

    /// Runs an item of the standard library's kind, which ends its own future; says whether this is
    /// still the process that the pool is in.
    #[inline(never)]
    fn run_foreign(&mut self, item: Bound<'_, PyAny>) -> bool {
        let py = item.py();
        let ran = match &self.standard.worker_context {
            Some(context) => attach::call_method(&item, name!(py, "run"), (context,)),
            None => attach::call_method(&item, name!(py, "run"), ()),
        };
        drop(item);
        if process::generation() != self.generation {
            return false;
        }
        self.function = FunctionId::OTHERS;
        self.record(py, Reading::now(), ran.is_ok());
        if let Err(error) = ran {
            self.standard.critical(py, "Exception in worker", error);
        }
        self.reading = Reading::now();
        true
    }

    /// Books what was run since the last reading.
    #[inline(never)]
    fn record(&mut self, py: Python<'_>, end: Reading, is_ok: bool) {
        let start = self.reading;
        let cpu_ns = start.cpu_ns.zip(end.cpu_ns).map(|(start, end)| end.saturating_sub(start));
        let wall_ns = end.wall_ns.saturating_sub(start.wall_ns);
        let attach_wait_ns = std::mem::take(&mut self.attach_wait_ns);
        let pause_ns = wall_ns.saturating_sub(cpu_ns.unwrap_or(0));
        let runqueue_ns = self.own_delay.ended(wall_ns, pause_ns);
        let outcome = if is_ok { Outcome::Done } else { Outcome::Failed };
        let (queued_ns, function) = (self.queued_ns, self.function);
        let sample = Sample { queued_ns, attach_wait_ns, wall_ns, cpu_ns, runqueue_ns, function };
        let action = self.shared.pool.finish(&sample, outcome, end.wall_ns);
        self.shared.carry_out(py, action);
        self.shared.listeners.tell(&self.shared.functions, &sample, is_ok);
    }

    /// Lets other threads run, if any wants to.
    #[inline(never)]
    fn breathe(&mut self, py: Python<'_>) {
        self.breathed_ns = self.reading.wall_ns;
        if let Err(error) = attach::call(self.standard.breath.bind(py), &PyTuple::empty(py), None) {
            // Somebody injected an exception between two tasks, where it has no future to go to.
            self.standard.critical(py, "Exception in worker", error);
        }
        journal::look(py, self.reading.wall_ns);
    }

    /// Takes the thread out of the executor's `_threads`: its name is free for the next one.
    #[inline(never)]
    fn forget_thread(&self, py: Python<'_>) {
        if let Err(error) = attach::call_method(self.shared.maker.bind(py), name!(py, "forget_current"), ()) {
            self.standard.critical(py, "Exception in worker", error);
        }
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
