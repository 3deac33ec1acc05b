"""Pure Python for `cpu_ms`, then a sleep of `io_ms`: any mixture of computing and waiting.

The computing part is calibrated on the thread's CPU clock, and holds the GIL.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager

from surefoot.workloads.spin import iterations_for, spin

PARAMETERS = {"cpu_ms": 5.0, "io_ms": 20.0}


def TASK_S_MIN(cpu_ms, io_ms):
    # A task of neither still takes a moment.
    return max(1e-5, (cpu_ms + io_ms) / 1000)


def GIL_S(cpu_ms, io_ms):
    return max(1e-5, cpu_ms / 1000)


def _iterations(cpu_ms):
    return iterations_for(cpu_ms / 1000) if cpu_ms > 0 else 0


@contextmanager
def setup(threads, cpu_ms, io_ms):
    iterations = _iterations(cpu_ms)

    def task():
        spin(iterations)
        if io_ms > 0:
            time.sleep(io_ms / 1000)

    yield lambda: task


@contextmanager
def setup_async(threads, cpu_ms, io_ms):
    iterations = _iterations(cpu_ms)

    async def task():
        spin(iterations)
        await asyncio.sleep(io_ms / 1000)

    yield lambda: task
