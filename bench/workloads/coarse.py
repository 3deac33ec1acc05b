"""The `micro` task a hundred times over, or any number of times: coarse tasks of the same work.

One iteration is 1,000 additions and a sleep of 100 us. With `iterations=1` it is `micro` itself.
"""

from __future__ import annotations

import time
from contextlib import contextmanager

PARAMETERS = {"iterations": 100}


def TASK_S_MIN(iterations):
    return 0.00012 * iterations


def GIL_S(iterations):
    return 0.00004 * iterations


@contextmanager
def setup(threads, iterations):
    def task():
        for _ in range(iterations):
            x = 0
            for _ in range(1000):
                x += 1  # noqa: SIM113 (as in micro)
            time.sleep(0.0001)

    yield lambda: task
