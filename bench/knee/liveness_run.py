"""Tasks that wait for one another, on one pool: ``python -m bench.knee.liveness_run '{...}'``.

Each shape ends only if enough of its tasks run at once. The clock runs from the first ``submit`` to the last
result, thread starts included, as they are for a user.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from bench import child
from bench.knee import contenders, loads

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

#: Past this a shape counts as stuck; it enters no figure otherwise.
HANG_TIMEOUT_S = 20.0
_ITEMS = 50
#: About 1.5 s of pure Python: a controller has every reason to admit one or two workers after that.
_CPU_TASKS_BEFORE = 300


def rendezvous(pool: Executor, size: int) -> None:
    """Run ``size`` tasks that all wait for each other."""
    barrier = threading.Barrier(size)
    _all([pool.submit(barrier.wait, HANG_TIMEOUT_S) for _ in range(size)])


def nested(pool: Executor, size: int) -> None:
    """Run a chain of ``size`` tasks, each of which submits the next and waits for its result."""

    def level(below: int) -> int:
        return 1 + pool.submit(level, below - 1).result(HANG_TIMEOUT_S) if below else 1

    _all([pool.submit(level, size - 1)])


def pairs(pool: Executor, size: int) -> None:
    """Run ``size`` consumers, submitted first, and as many producers, over queues of one item."""
    queues: list[queue.Queue[int]] = [queue.Queue(1) for _ in range(size)]

    def consume(source: queue.Queue[int]) -> None:
        for _ in range(_ITEMS):
            source.get(timeout=HANG_TIMEOUT_S)

    def produce(sink: queue.Queue[int]) -> None:
        for item in range(_ITEMS):
            sink.put(item, timeout=HANG_TIMEOUT_S)

    _all([pool.submit(consume, each) for each in queues] + [pool.submit(produce, each) for each in queues])


def event(pool: Executor, size: int) -> None:
    """Run ``size`` tasks that wait for an event, and behind them the one that sets it."""
    is_set = threading.Event()

    def wait() -> None:
        if not is_set.wait(HANG_TIMEOUT_S):
            raise TimeoutError

    _all([pool.submit(wait) for _ in range(size)] + [pool.submit(is_set.set)])


SHAPES: dict[str, Callable[[Executor, int], None]] = {
    "rendezvous": rendezvous,
    "nested": nested,
    "pairs": pairs,
    "event": event,
}


def _all(futures: list[Any]) -> None:
    for future in futures:
        future.result(HANG_TIMEOUT_S)


def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Run one shape on a fresh pool, or on one that has computed for a while."""
    pool = contenders.make_pool(asked["pool"], asked.get("controller"))
    if asked["after_cpu"]:
        compute = loads.make("cpu", asked["amounts"], time.monotonic)
        _all([pool.submit(compute) for _ in range(_CPU_TASKS_BEFORE)])
    stats: Any = getattr(pool, "stats", None)
    limit_before = stats().limit if stats else contenders.size_of(asked["pool"])
    begin = time.perf_counter()
    try:
        SHAPES[asked["shape"]](pool, asked["size"])
        is_stuck = 0
    except (TimeoutError, threading.BrokenBarrierError, queue.Empty, queue.Full) as error:
        sys.stderr.write(f"{type(error).__name__}\n")
        is_stuck = 1
    except Exception as error:
        # Before 3.11 a future's time-out is a class of its own.
        if type(error).__name__ != "TimeoutError":
            raise
        is_stuck = 1
    elapsed_s = time.perf_counter() - begin
    limit_after = stats().limit if stats else limit_before
    return {
        "elapsed_s": elapsed_s,
        "is_stuck": is_stuck,
        "limit_before": limit_before,
        "limit_after": limit_after,
    }


if __name__ == "__main__":
    wanted = child.arguments()
    os.sched_setaffinity(0, wanted["core_numbers"])
    child.answer(run(wanted))
    os._exit(0)
