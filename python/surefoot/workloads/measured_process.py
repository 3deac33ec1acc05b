"""The process that is measured: it runs a task over and over on a pool until it is killed.

1. Gate: one task per worker blocks, so that every worker exists before any of them competes for the GIL.
   (Starting a thread while others compute waits for the GIL each time, and would take minutes.)
2. Backlog: the tasks are queued while the gate is shut, so that submitting them is not part of the figure.
   The main thread tops the queue up before it runs dry.
3. The gate opens. From here on the main thread only looks after the queue, as seldom as that allows.

A pool that is to find its own size has no gate: it starts cold, and the first backlog is submitted while it
works. The window waits until that is done.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Protocol

from surefoot.workloads.ledger import Fact, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from surefoot.workloads import Task

__all__ = ["Crew", "Load", "Pool", "Supervisor", "open_books", "run_until_killed", "timed"]

_BACKLOG_MAX = 100_000
_GATE_TIMEOUT_S = 60.0
# How often the main thread looks: seldom, as it competes for the GIL each time.
_POLL_S_MIN = 0.1
_POLL_S_MAX = 0.5


@dataclass(frozen=True)
class Load:
    """What to keep the pool busy with.

    Attributes:
        make_task: Makes the task, in the process that runs it.
        tasks: How many tasks to run; ``None`` for as many as there is time for.
        tasks_per_s_max: At least as many as can be done in a second.
        seconds: About how long they should last before the queue is topped up.
    """

    make_task: Callable[[], Task]
    tasks: int | None
    tasks_per_s_max: float
    seconds: float


class Pool(Protocol):
    """Anything that takes tasks and runs them in threads of this process."""

    def submit(self, fn: Callable[[], object], /) -> object:
        """Take a task."""


@dataclass(frozen=True)
class Crew:
    """A fresh pool and how to watch it.

    Attributes:
        pool: The pool.
        threads: The most workers it may have.
        starts_with: So many workers exist before the first task starts; 0 for a pool that starts cold.
        look: Called by the main thread when the gate opens and now and then afterwards; it states the limit
            and the workers.
        look_s: How often; ``None`` for as seldom as the queue allows.
    """

    pool: Pool
    threads: int
    starts_with: int
    look: Callable[[], None]
    look_s: float | None = None


class Supervisor:
    """The process that forked this one, which must not live on without it."""

    def __init__(self, ledger: Ledger) -> None:
        """Read who it is; it may have died before."""
        self._id = ledger.read(Fact.SUPERVISOR)

    def check(self) -> None:
        """End this process if the supervisor died without killing it: nobody else would."""
        if os.getppid() != self._id:
            os._exit(1)


def open_books(ledger: Ledger, *, is_filled: bool = True) -> None:
    """State what this process has used so far, and that the measurement begins.

    Args:
        ledger: Where.
        is_filled: Whether the first backlog is in the queue; the window waits for
            ``Fact.FILLED_NS`` otherwise.
    """
    gc.collect()
    gc.freeze()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    ledger.state(Fact.CPU_NS_AT_OPENING, round((usage.ru_utime + usage.ru_stime) * 1e9))
    ledger.state(Fact.SWITCHES_VOLUNTARY_AT_OPENING, usage.ru_nvcsw)
    ledger.state(Fact.SWITCHES_INVOLUNTARY_AT_OPENING, usage.ru_nivcsw)
    # The supervisor waits for these.
    now_ns = time.perf_counter_ns()
    if is_filled:
        ledger.state(Fact.FILLED_NS, now_ns)
    ledger.state(Fact.OPENED_NS, now_ns)


def run_until_killed(crew: Crew, load: Load, ledger: Ledger) -> NoReturn:
    """Run the load on a crew; never return.

    Raises:
        RuntimeError: If the workers do not start.
    """
    pool = crew.pool
    measured = timed(load.make_task(), ledger)
    reserve = 2 * crew.threads + 64
    chunk = int(min(_BACKLOG_MAX, reserve + load.tasks_per_s_max * load.seconds))
    submitted = load.tasks if load.tasks is not None else chunk
    if crew.starts_with:
        gate = _Gate(pool, crew.starts_with)
        _submit(pool, measured, submitted)
        crew.look()
        open_books(ledger)
        gate.open()
    else:
        crew.look()
        open_books(ledger, is_filled=False)
        _submit(pool, measured, submitted)
        ledger.state(Fact.FILLED_NS, time.perf_counter_ns())

    supervisor = Supervisor(ledger)
    before, poll_s = 0, crew.look_s or _POLL_S_MIN
    while True:
        time.sleep(poll_s)
        supervisor.check()
        crew.look()
        done = ledger.slots_used()
        per_poll = max(done - before, 1)
        before = done
        if load.tasks is None and submitted - done < reserve + 5 * per_poll:
            _submit(pool, measured, chunk)
            submitted += chunk
        polls_left = (submitted - done - reserve) / per_poll
        poll_s = crew.look_s or max(_POLL_S_MIN, min(_POLL_S_MAX, poll_s * polls_left / 10))


def _submit(pool: Pool, task: Callable[[], None], count: int) -> None:
    for _ in range(count):
        pool.submit(task)


def timed(task: Task, ledger: Ledger) -> Callable[[], None]:
    """Return the task with a clock around it; each end is entered, a failure is complained of and raised."""
    clock = time.perf_counter_ns
    enter = ledger.writer()

    def timed() -> None:
        begin = clock()
        try:
            task()
        except BaseException as error:
            ledger.complain(f"a task failed: {type(error).__name__}: {error}")
            raise
        end = clock()
        enter(end, end - begin)

    return timed


class _Gate:
    """Holds every worker of a pool until it opens, then lets all of them go at once.

    One lock per worker: an Event has a lock of its own that each woken thread must take, so with busy threads
    about, thousands of them would trickle through for minutes.
    """

    def __init__(self, pool: Pool, workers: int) -> None:
        self._locks: list[threading.Lock] = []
        self._arrived = threading.Semaphore(0)
        for _ in range(workers):
            pool.submit(self._hold)
        for count in range(workers):
            if not self._arrived.acquire(timeout=_GATE_TIMEOUT_S):
                raise RuntimeError(f"only {count} of {workers} workers started in {_GATE_TIMEOUT_S:.0f} s")

    def open(self) -> None:
        switch_interval_s = sys.getswitchinterval()
        sys.setswitchinterval(1.0)
        for lock in self._locks:
            lock.release()
        sys.setswitchinterval(switch_interval_s)

    def _hold(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        self._locks.append(lock)
        self._arrived.release()
        lock.acquire()
