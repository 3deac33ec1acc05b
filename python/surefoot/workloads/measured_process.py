"""The process that is measured: it runs a task over and over on a pool until it is killed.

1. Gate: one task per worker blocks, so that every worker exists before any of them competes for the GIL.
   (Starting a thread while others compute waits for the GIL each time, and would take minutes.)
2. Backlog: the tasks are queued while the gate is shut, so that submitting them is not part of the figure.
   The main thread tops the queue up before it runs dry.
3. The gate opens. From here on the main thread only looks after the queue, as seldom as that allows.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from surefoot.workloads import pools
from surefoot.workloads.ledger import Fact, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from surefoot.workloads import Task

__all__ = ["Load", "run_until_killed"]

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


def run_until_killed(pool: ThreadPoolExecutor, threads: int, load: Load, ledger: Ledger) -> NoReturn:
    """Run the load on a fresh pool of at most ``threads`` workers; never return.

    Raises:
        RuntimeError: If the workers do not start.
    """
    timed = _timed(load.make_task(), ledger)
    gate = _Gate(pool, min(threads, pools.limit(pool, threads)))
    reserve = 2 * threads + 64
    chunk = int(min(_BACKLOG_MAX, reserve + load.tasks_per_s_max * load.seconds))
    submitted = load.tasks if load.tasks is not None else chunk
    for _ in range(submitted):
        pool.submit(timed)
    gc.collect()
    gc.freeze()

    usage = resource.getrusage(resource.RUSAGE_SELF)
    ledger.state(Fact.CPU_NS_AT_OPENING, round((usage.ru_utime + usage.ru_stime) * 1e9))
    ledger.state(Fact.SWITCHES_VOLUNTARY_AT_OPENING, usage.ru_nvcsw)
    ledger.state(Fact.SWITCHES_INVOLUNTARY_AT_OPENING, usage.ru_nivcsw)
    _state_pool(ledger, pool, threads)
    # The supervisor waits for this one.
    ledger.state(Fact.OPENED_NS, time.perf_counter_ns())
    gate.open()

    supervisor = os.getppid()
    before, poll_s = 0, _POLL_S_MIN
    while True:
        time.sleep(poll_s)
        if os.getppid() != supervisor:
            # It died without killing us, and nobody else would.
            os._exit(1)
        _state_pool(ledger, pool, threads)
        done = ledger.slots_used()
        per_poll = max(done - before, 1)
        before = done
        if load.tasks is None and submitted - done < reserve + 5 * per_poll:
            for _ in range(chunk):
                pool.submit(timed)
            submitted += chunk
        polls_left = (submitted - done - reserve) / per_poll
        poll_s = max(_POLL_S_MIN, min(_POLL_S_MAX, poll_s * polls_left / 10))


def _state_pool(ledger: Ledger, pool: ThreadPoolExecutor, threads: int) -> None:
    ledger.state(Fact.LIMIT, pools.limit(pool, threads))
    ledger.state(Fact.WORKERS_LIVE, pools.workers_live(pool))


def _timed(task: Task, ledger: Ledger) -> Callable[[], None]:
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

    def __init__(self, pool: ThreadPoolExecutor, workers: int) -> None:
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
