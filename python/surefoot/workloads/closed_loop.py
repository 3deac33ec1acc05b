"""Measure a pool in a closed loop: work is always waiting, so the workers alone set the pace.

The pool runs in a child process and this one watches: with thousands of threads in competition for the GIL, a
thread of the same process may have to wait a minute for it, and could neither close the window in time nor
report. The child is forked, enters each task into shared memory, and is killed when the window closes.

After a warm-up comes the window. A task counts if it *ends* within it. The window closes when its time is
over and each thread could have done two tasks; at ``seconds_max`` it closes anyway, and the measurement says
so (``is_truncated``): its figures are then rough, as the tasks still running are not in them.
"""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from surefoot.workloads import pools
from surefoot.workloads.ledger import Fact, Ledger
from surefoot.workloads.measured_process import Crew, Load, run_until_killed

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from surefoot.workloads import Task

__all__ = [
    "TASKS_PER_S_MAX",
    "Measurement",
    "Span",
    "Window",
    "make_ledger",
    "measure",
    "percentile",
    "watch",
]

# More than any pool of threads has been seen to do; it bounds the first backlog and the shared memory.
TASKS_PER_S_MAX = 50_000
_POLL_S = 0.01


@dataclass(frozen=True)
class Span:
    """How long to measure.

    Attributes:
        seconds: Length of the window; ignored if ``tasks`` is given.
        seconds_max: The window closes here whatever was done.
        warmup_s: Time before the window that is not counted.
        tasks: Run exactly that many tasks instead, from the opening of the gate to the last end.
    """

    seconds: float
    seconds_max: float
    warmup_s: float
    tasks: int | None = None

    @classmethod
    def usual(cls, seconds: float, seconds_max: float, tasks: int | None = None) -> Span:
        """Return a span with a fifth of its length to warm up, and none if the tasks are counted."""
        return cls(seconds, seconds_max, 0.0 if tasks is not None else max(0.2, 0.2 * seconds), tasks)


@dataclass(frozen=True)
class Window:
    """When a measurement was open, on the clock of ``time.perf_counter_ns``.

    Attributes:
        opened_ns: The first task could start.
        begin_ns: The warm-up was over.
        end_ns: The window closed.
    """

    opened_ns: int
    begin_ns: int
    end_ns: int


@dataclass(frozen=True)
class Measurement:
    """What one window has shown; times of tasks are wall times taken inside the task.

    Attributes:
        open_s: From the start of the first task to the end of the window. The CPU time and the context
            switches, those of all threads together, are taken over this time.
        limit: The pool's limit when it was last looked at.
        workers_live: Its threads then.
        rss_bytes_max: The most memory that was resident.
    """

    tasks_done: int
    window_s: float
    tasks_per_s: float
    wall_ms_p50: float | None
    wall_ms_p95: float | None
    wall_ms_p99: float | None
    is_truncated: bool
    open_s: float
    cpu_s: float
    switches_voluntary: int
    switches_involuntary: int
    limit: int
    workers_live: int
    rss_bytes_max: int


def percentile(ordered: list[int], fraction: float) -> int:
    """Return the nearest-rank percentile of an ascending, non-empty list."""
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


def measure(
    make_pool: Callable[[], ThreadPoolExecutor],
    make_task: Callable[[], Task],
    *,
    threads: int,
    task_s_min: float,
    span: Span,
) -> Measurement:
    """Run a task over and over on a pool, in a child process, and measure it.

    Call it from a process without other threads.

    Args:
        make_pool: Makes the pool, in the child.
        make_task: Makes the task, in the child.
        threads: The most workers the pool may have.
        task_s_min: About the least wall time of one task.
        span: How long.

    Raises:
        RuntimeError: If the pool cannot be made, its workers do not start, or a task fails.
    """
    tasks_per_s_max = min(threads / task_s_min, TASKS_PER_S_MAX)
    load = Load(make_task, span.tasks, tasks_per_s_max, span.warmup_s + span.seconds)
    ledger = make_ledger(span)

    def run() -> None:
        pool = make_pool()

        def look() -> None:
            ledger.state(Fact.LIMIT, pools.limit(pool, threads))
            ledger.state(Fact.WORKERS_LIVE, pools.workers_live(pool))

        run_until_killed(Crew(pool, threads, min(threads, pools.limit(pool, threads)), look), load, ledger)

    measurement, _ = watch(run, ledger, span, lambda: threads)
    return measurement


def make_ledger(span: Span) -> Ledger:
    """Make a ledger with room for all tasks of a span."""
    seconds_max = span.warmup_s + span.seconds_max
    return Ledger(span.tasks if span.tasks is not None else int(TASKS_PER_S_MAX * seconds_max))


def watch(
    run: Callable[[], object],
    ledger: Ledger,
    span: Span,
    workers: Callable[[], int],
    look: Callable[[int, bool], object] | None = None,
) -> tuple[Measurement, Window]:
    """Fork a process that runs tasks until it is killed, and measure it.

    Call it from a process without other threads.

    Args:
        run: What the process does; it opens the ledger's books and enters each task.
        ledger: Shared with the process.
        span: How long.
        workers: How many workers should do two tasks each before the window may close.
        look: Called again and again while the books are open with the process's id, and whether this is the
            last time: the process is killed next.

    Returns:
        The measurement, and when it was taken.

    Raises:
        RuntimeError: If the process or a task fails.
    """
    ledger.state(Fact.SUPERVISOR, os.getpid())
    child = os.fork()
    if child == 0:
        _run_child(run, ledger)
    usage = None
    try:
        opened_ns, begin_ns = _wait_for_opening(child, ledger, span)

        def look_now(is_last: bool) -> None:
            if look is not None:
                look(child, is_last)

        end_ns = _wait_for_end(child, ledger, begin_ns, span, workers, look_now)
        look_now(True)
    finally:
        os.kill(child, signal.SIGKILL)
        _, _, usage = os.wait4(child, 0)
    if ledger.complaint():
        raise RuntimeError(ledger.complaint())

    entries = ledger.entries()
    expected = span.tasks if span.tasks is not None else 2 * workers()
    if span.tasks is not None and len(entries) >= span.tasks:
        end_ns = max(end for end, _ in entries)
    walls = sorted(wall for end, wall in entries if begin_ns < end <= end_ns)
    window_s = (end_ns - begin_ns) / 1e9
    at_ms = {part: percentile(walls, part) / 1e6 if walls else None for part in (0.5, 0.95, 0.99)}
    measurement = Measurement(
        tasks_done=len(walls),
        window_s=window_s,
        tasks_per_s=len(walls) / window_s,
        wall_ms_p50=at_ms[0.5],
        wall_ms_p95=at_ms[0.95],
        wall_ms_p99=at_ms[0.99],
        is_truncated=len(walls) < expected,
        open_s=(end_ns - opened_ns) / 1e9,
        cpu_s=usage.ru_utime + usage.ru_stime - ledger.read(Fact.CPU_NS_AT_OPENING) / 1e9,
        switches_voluntary=usage.ru_nvcsw - ledger.read(Fact.SWITCHES_VOLUNTARY_AT_OPENING),
        switches_involuntary=usage.ru_nivcsw - ledger.read(Fact.SWITCHES_INVOLUNTARY_AT_OPENING),
        limit=ledger.read(Fact.LIMIT),
        workers_live=ledger.read(Fact.WORKERS_LIVE),
        rss_bytes_max=usage.ru_maxrss * 1024,
    )
    return measurement, Window(opened_ns, begin_ns, end_ns)


def _run_child(run: Callable[[], object], ledger: Ledger) -> None:
    # Whatever happens, the child must not return into code that is the parent's.
    try:
        run()
    except BaseException as error:
        ledger.complain(str(error) or type(error).__name__)
    finally:
        os._exit(1)


def _wait_for_opening(child: int, ledger: Ledger, span: Span) -> tuple[int, int]:
    """Wait until the first backlog is in the queue.

    Returns:
        When the first task could start, and when the window begins.
    """
    while not (ledger.read(Fact.OPENED_NS) and ledger.read(Fact.FILLED_NS)):
        _check(child, ledger)
        time.sleep(_POLL_S)
    opened_ns = ledger.read(Fact.OPENED_NS)
    return opened_ns, max(opened_ns + round(span.warmup_s * 1e9), ledger.read(Fact.FILLED_NS))


def _wait_for_end(
    child: int,
    ledger: Ledger,
    begin_ns: int,
    span: Span,
    workers: Callable[[], int],
    look: Callable[[bool], object],
) -> int:
    """Wait until the window may close; return when that was."""
    before: int | None = None
    while True:
        _check(child, ledger)
        look(False)
        now_ns = time.perf_counter_ns()
        elapsed_s = (now_ns - begin_ns) / 1e9
        used = ledger.slots_used()
        if before is None and elapsed_s >= 0:
            before = used
        if used >= ledger.capacity or elapsed_s >= span.seconds_max:
            return now_ns
        # Slots run ahead of tasks by those that a thread has taken and not filled, so they only say when
        # it is worth while to count the tasks.
        enough = before is not None and used - before >= 2 * workers() and elapsed_s >= span.seconds
        if enough:
            enough = sum(begin_ns < end <= now_ns for end, _ in ledger.entries()) >= 2 * workers()
        if span.tasks is None and enough:
            return now_ns
        time.sleep(_POLL_S)


def _check(child: int, ledger: Ledger) -> None:
    """Raise if a task has failed or the child has ended."""
    # Without reaping it: its id must stay its own until it is killed and reaped in one place.
    ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if ledger.complaint():
        raise RuntimeError(ledger.complaint())
    if ended is not None:
        raise RuntimeError(f"the measured process ended by itself (status {ended.si_status})")
