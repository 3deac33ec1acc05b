"""One run of the paper's ``micro`` workload, in a process of its own: ``python -m bench.micro_run``.

The clock runs from the first ``submit`` to the last ``result()``. Usually all workers run before it
does, so that N workers means N workers; a cold pool makes its threads inside the clock. The difference is
large: a pool makes a thread only when no worker is idle, and with short tasks one nearly always is, so of
2,048 allowed threads a few hundred come to be.
"""

from __future__ import annotations

import os
import threading
import time
from time import perf_counter_ns

from bench import child, contenders
from bench.estimate import percentile


def micro() -> int:
    """Run the paper's task: about 20 us of bytecode, then a sleep; return its own wall time in ns."""
    start = perf_counter_ns()
    x = 0
    for _ in range(1000):
        x += 1  # noqa: SIM113 - the paper's loop, to the letter
    time.sleep(0.0001)
    return perf_counter_ns() - start


def run(pool_name: str, workers: int, tasks: int, *, started: bool) -> dict[str, float]:
    """Put all tasks through a fresh pool and return throughput and the percentiles of the tasks."""
    with contenders.make_pool(pool_name, workers) as pool:
        if started:
            contenders.start_all_workers(pool, workers)
        start = perf_counter_ns()
        futures = [pool.submit(micro) for _ in range(tasks)]
        walls_ns = [future.result() for future in futures]
        elapsed_ns = perf_counter_ns() - start
        threads = threading.active_count()
    return {
        "tasks_per_s": tasks * 1e9 / elapsed_ns,
        "wall_ns_p50": percentile(walls_ns, 50),
        "wall_ns_p99": percentile(walls_ns, 99),
        "elapsed_ns": elapsed_ns,
        "threads_at_end": threads,
    }


if __name__ == "__main__":
    asked = child.arguments()
    # Before surefoot is imported: threads inherit the mask, and the pool may read it when it loads.
    os.sched_setaffinity(0, asked["core_numbers"])
    child.answer(run(asked["pool"], asked["workers"], asked["tasks"], started=bool(asked["started"])))
