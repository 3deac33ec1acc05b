"""The loops of the overhead experiment: no-op tasks, so that only the pool's own cost is left.

Each loop gets a pool whose workers all run already and returns the nanoseconds of the part that
its name says; draining what is left happens outside the clock. The garbage collector stays on,
as it is for users; it is emptied before each sample.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Executor, as_completed, wait
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING

from bench.contenders import HANG_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS = 8


def noop() -> None:
    """Do nothing: a Python function, as tasks are, not a C one."""


def noop_of(_: int) -> None:
    """Do nothing with one argument, for ``map``."""


def submit_while_blocked(pool: Executor, tasks: int) -> int:
    """Submit while every worker is inside a task that waits: the price of ``submit`` alone."""
    release, inside = threading.Event(), threading.Barrier(WORKERS + 1)

    def block() -> None:
        inside.wait(HANG_TIMEOUT_S)
        release.wait(HANG_TIMEOUT_S)

    blockers = [pool.submit(block) for _ in range(WORKERS)]
    inside.wait(HANG_TIMEOUT_S)
    submit = pool.submit
    start = perf_counter_ns()
    futures = [submit(noop) for _ in range(tasks)]
    elapsed = perf_counter_ns() - start
    release.set()
    wait(blockers + futures, HANG_TIMEOUT_S)
    return elapsed


def submit_while_running(pool: Executor, tasks: int) -> int:
    """Submit while workers take the tasks: the price with the contention it causes."""
    submit = pool.submit
    start = perf_counter_ns()
    futures = [submit(noop) for _ in range(tasks)]
    elapsed = perf_counter_ns() - start
    wait(futures, HANG_TIMEOUT_S)
    return elapsed


def result_loop(pool: Executor, tasks: int) -> int:
    """Submit all, then take each result in order."""
    submit = pool.submit
    start = perf_counter_ns()
    for future in [submit(noop) for _ in range(tasks)]:
        future.result()
    return perf_counter_ns() - start


def map_all(pool: Executor, tasks: int) -> int:
    """Drain ``map``."""
    start = perf_counter_ns()
    deque(pool.map(noop_of, range(tasks)), maxlen=0)
    return perf_counter_ns() - start


def as_completed_all(pool: Executor, tasks: int) -> int:
    """Submit all, then drain the standard ``as_completed``."""
    submit = pool.submit
    start = perf_counter_ns()
    deque(as_completed([submit(noop) for _ in range(tasks)]), maxlen=0)
    return perf_counter_ns() - start


def gather_all(pool: Executor, tasks: int) -> int:
    """Await ``gather`` over ``run_in_executor``; making the event loop is outside the clock."""

    async def drain() -> int:
        loop = asyncio.get_running_loop()
        start = perf_counter_ns()
        await asyncio.gather(*[loop.run_in_executor(pool, noop) for _ in range(tasks)])
        return perf_counter_ns() - start

    return asyncio.run(drain())


def ping_pong(pool: Executor, tasks: int) -> int:
    """Submit one, wait for it, and again: two hand-offs between threads per task."""
    submit = pool.submit
    start = perf_counter_ns()
    for _ in range(tasks):
        submit(noop).result()
    return perf_counter_ns() - start


@dataclass(frozen=True)
class Case:
    """One loop of the experiment.

    Attributes:
        name: As in records and tables.
        loop: What is measured; takes a pool and a number of tasks, returns nanoseconds.
        tasks: How many tasks a sample has: enough for at least 5 ms with the faster pool.
        metric: ``tasks_per_s``, or microseconds per task under a name that ends in ``_us``.
        rounds_factor: Noisy cases get more rounds.
    """

    name: str
    loop: Callable[[Executor, int], int]
    tasks: int
    metric: str
    rounds_factor: int = 1

    def measure(self, elapsed_ns: int) -> float:
        """Turn nanoseconds of the whole loop into the metric of this case."""
        if self.metric == "tasks_per_s":
            return self.tasks * 1e9 / elapsed_ns
        return elapsed_ns / self.tasks / 1e3


CASES = (
    Case("submit, workers blocked", submit_while_blocked, 20_000, "submit_us"),
    Case("submit, workers running", submit_while_running, 20_000, "submit_us"),
    Case("result() loop", result_loop, 20_000, "tasks_per_s"),
    Case("map", map_all, 20_000, "tasks_per_s"),
    Case("as_completed", as_completed_all, 10_000, "tasks_per_s"),
    Case("gather(run_in_executor)", gather_all, 5_000, "tasks_per_s"),
    # Two modes about ten times apart, by whether waiter and worker share a core: hence more rounds.
    Case("submit + result() ping-pong", ping_pong, 1_500, "round_trip_us", rounds_factor=2),
)
