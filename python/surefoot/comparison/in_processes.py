"""Tasks in other processes, or in other interpreters of the measured process.

A worker is told nothing with a call: it has the task already, takes its times, and returns them. Each call
that ends is followed by the next, so that as many as two for each worker are under way.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, NoReturn

from surefoot.comparison import work
from surefoot.comparison.stage import LOOK_S, Stage
from surefoot.comparison.unavailable import UnavailableError
from surefoot.workloads.measured_process import Supervisor, open_books

if TYPE_CHECKING:
    from surefoot.comparison.notes import Note
    from surefoot.comparison.parameters import Value
    from surefoot.workloads import Task

__all__ = ["run_interpreters", "run_processes", "why_no_interpreters", "why_no_processes"]

_START_TIMEOUT_S = 60.0
_CALLS_PER_WORKER = 2
_PR_SET_PDEATHSIG = 1


class _Worker:
    """What one worker process or interpreter has: its task, or why it has none."""

    def __init__(self) -> None:
        self.task: Task | None = None
        self.failure: Exception | None = None
        # Keeps what `setup` has prepared.
        self.context: Any = None

    def prepare(self, make_task: Callable[[], Task]) -> None:
        # The pools hide what went wrong in an initializer. So it is told at the first call.
        try:
            self.task = make_task()
        except (ImportError, UnavailableError) as error:
            self.failure = UnavailableError(f"a worker cannot have this workload: {error}")
        except Exception as error:
            self.failure = RuntimeError(f"a worker cannot prepare its task: {type(error).__name__}: {error}")


_worker = _Worker()


def _call() -> tuple[int, int]:
    """Run the task; return when it ended and its wall time, in nanoseconds."""
    task = _worker.task
    assert task is not None
    clock = time.perf_counter_ns
    begin_ns = clock()
    task()
    end_ns = clock()
    return end_ns, end_ns - begin_ns


def _arrive(arrivals: int, gate: int) -> None:
    """Say that this worker is ready, and hold it until all are."""
    if _worker.failure is not None:
        raise _worker.failure
    os.write(arrivals, b".")
    os.read(gate, 1)


def why_no_processes() -> str | None:
    """Return why there can be no pool of processes here, ``None`` if there can."""
    if "fork" not in multiprocessing.get_all_start_methods():
        return "processes cannot be forked here"
    return None


def run_processes(stage: Stage) -> NoReturn:
    """The standard library's pool of processes, forked before the first thread."""
    assert stage.make_task is not None
    workers = stage.need_threads()
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("fork"),
        initializer=_begin_process,
        initargs=(os.getpid(), stage.make_task),
    )
    _keep_busy(stage, pool, workers, lambda: len(pool._processes))


def _begin_process(parent: int, make_task: Callable[[], Task]) -> None:
    # The pool's own process is killed at the end, and may be killed before anybody has seen this one.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It was killed before it could be asked.
        os._exit(1)
    _worker.prepare(make_task)


def why_no_interpreters() -> str | None:
    """Return why there can be no pool of interpreters here, ``None`` if there can."""
    try:
        from concurrent.futures import InterpreterPoolExecutor  # type: ignore[attr-defined] # noqa: F401
    except ImportError:
        return "this Python has no pool of interpreters: it comes with 3.14"
    return None


def run_interpreters(stage: Stage) -> NoReturn:
    """The standard library's pool of interpreters; each prepares the workload for itself."""
    from concurrent.futures import InterpreterPoolExecutor  # type: ignore[attr-defined]

    workers = stage.need_threads()
    pool = InterpreterPoolExecutor(
        workers,
        initializer=_begin_interpreter,
        initargs=(stage.work.source, dict(stage.work.parameters)),
    )
    _keep_busy(stage, pool, workers, lambda: len(pool._threads))


def _begin_interpreter(source: str, parameters: Mapping[str, Value]) -> None:
    def make_task() -> Task:
        _worker.context = work.resolve(source, parameters).setup(1)
        make: Callable[[], Task] = _worker.context.__enter__()
        return make()

    _worker.prepare(make_task)


def _keep_busy(stage: Stage, pool: Executor, workers: int, live: Callable[[], int]) -> NoReturn:
    """Start all workers, and submit calls for ever.

    Raises:
        RuntimeError: If a worker does not start.
        UnavailableError: If a worker cannot have this workload.
    """
    ledger = stage.ledger
    enter = ledger.writer()

    def collect(done: Future[tuple[int, int]]) -> None:
        try:
            end_ns, wall_ns = done.result()
            pool.submit(_call).add_done_callback(collect)
        except BaseException as error:
            ledger.complain(f"a task failed: {type(error).__name__}: {error}")
            raise
        enter(end_ns, wall_ns)

    def see() -> Note:
        return {"limit": workers, "workers_live": live()}

    _start(pool, workers)
    # The GILs that the tasks need are others than this one.
    look = stage.observer(see, sees_gil=False).look
    supervisor = Supervisor(ledger)
    look()
    open_books(ledger)
    for _ in range(_CALLS_PER_WORKER * workers):
        pool.submit(_call).add_done_callback(collect)
    while True:
        time.sleep(stage.look_s or LOOK_S)
        supervisor.check()
        look()


def _start(pool: Executor, workers: int) -> None:
    """Wait until every worker is ready."""
    # Before the workers exist, which share them.
    arrivals, gate = os.pipe(), os.pipe()
    held = [pool.submit(_arrive, arrivals[1], gate[0]) for _ in range(workers)]
    give_up_s = time.monotonic() + _START_TIMEOUT_S
    arrived = 0
    while arrived < workers:
        for each in held:
            if each.done():
                each.result()
        if time.monotonic() > give_up_s:
            raise RuntimeError(f"only {arrived} of {workers} workers started in {_START_TIMEOUT_S:.0f} s")
        if select.select([arrivals[0]], [], [], 0.05)[0]:
            arrived += len(os.read(arrivals[0], workers))
    os.write(gate[1], b"." * workers)
    for each in held:
        each.result()
