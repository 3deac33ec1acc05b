"""The process that is watched: tasks of some microseconds as fast as they go, a span at a time when told to.

Answers each line on standard input, a number of seconds, with one JSON object.
"""

from __future__ import annotations

import json
import sys
import time

from bench.knee.monitor_cpu import monitor_cpu_ns
from surefoot import AdaptiveThreadPoolExecutor

BATCH = 500
TERMS = 300


def _hardly_anything() -> int:
    """Take as long as it takes to come to some 10^5 tasks a second."""
    return sum(range(TERMS))


def main() -> int:
    """Serve until standard input ends."""
    with AdaptiveThreadPoolExecutor(8, thread_name_prefix="no-op") as pool:
        for line in sys.stdin:
            sys.stdout.write(json.dumps(_span(pool, float(line))) + "\n")
            sys.stdout.flush()
    return 0


def _span(pool: AdaptiveThreadPoolExecutor, seconds: float) -> dict[str, float]:
    monitor_ns = monitor_cpu_ns() or 0
    began = time.perf_counter()
    cpu_began = time.process_time()
    tasks = 0
    while time.perf_counter() - began < seconds:
        for future in [pool.submit(_hardly_anything) for _ in range(BATCH)]:
            future.result()
        tasks += BATCH
    elapsed = time.perf_counter() - began
    return {
        "tasks_per_s": tasks / elapsed,
        "cpu_us_per_task": (time.process_time() - cpu_began) / tasks * 1e6,
        "monitor_cores": ((monitor_cpu_ns() or 0) - monitor_ns) / 1e9 / elapsed,
    }


if __name__ == "__main__":
    sys.exit(main())
