"""Pure-Python work of a known CPU time.

The work is counted in iterations, not timed while it runs: a loop that watches a clock would do less work
when it has to share the processor, and so hide the very contention that is to be measured.
"""

from __future__ import annotations

import json
import os
import statistics
import time

__all__ = ["iterations_for", "spin"]

_PROBE_NS = 20_000_000
_PROBES = 5
# A machine's speed may change from second to second: what many runs go by is taken over longer.
_PROBES_FOR_ALL = 100
_VARIABLE = "SUREFOOT_SPIN_NS"


def spin(iterations: int) -> int:
    """Add one, ``iterations`` times."""
    x = 0
    for _ in range(iterations):
        x += 1
    return x


def iterations_for(cpu_s: float) -> int:
    """Return how many iterations of :func:`spin` take ``cpu_s`` seconds of thread CPU time here.

    Takes about a tenth of a second. The CPU clock of the thread is used, so that a busy machine does not
    shorten the work.

    ``SUREFOOT_SPIN_NS`` in the environment, the time of one iteration in nanoseconds, is believed instead:
    ``surefoot compare`` sets it, so that all of its runs have the same tasks.
    """
    given = os.environ.get(_VARIABLE)
    return max(1, round(cpu_s * 1e9 / (float(given) if given else _iteration_ns(_PROBES))))


def _iteration_ns(probes: int) -> float:
    """Return how long one iteration takes."""
    iterations = 10_000
    while _cpu_ns(iterations) < _PROBE_NS:
        iterations *= 2
    return statistics.median(_cpu_ns(iterations) for _ in range(probes)) / iterations


def _cpu_ns(iterations: int) -> int:
    begin = time.thread_time_ns()
    spin(iterations)
    return time.thread_time_ns() - begin


if __name__ == "__main__":
    print(json.dumps({"spin_ns": _iteration_ns(_PROBES_FOR_ALL)}))
