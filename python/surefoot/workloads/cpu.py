"""Tasks that only compute: 5 ms of pure Python.

Expected kind: CPU only. With a GIL one thread does all that can be done, about 200 tasks a second; every
further thread waits for the GIL, wakes for nothing once per switch interval, and so takes time from the one
that works.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from surefoot.workloads.spin import iterations_for, spin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from surefoot.workloads import AsyncTask, Task

KIND: Final = "CPU only"
PARAMS: Final = {"cpu_s": 0.005}
TASK_S_MIN: Final = 0.005
GIL_S: Final = 0.005


@contextmanager
def setup(threads: int) -> Iterator[Callable[[], Task]]:
    """Calibrate the work once, for the speed of this processor."""
    iterations = iterations_for(PARAMS["cpu_s"])

    def task() -> None:
        spin(iterations)

    yield lambda: task


@contextmanager
def setup_async(threads: int) -> Iterator[Callable[[], AsyncTask]]:
    """Calibrate the work; each task lets the others go on once."""
    iterations = iterations_for(PARAMS["cpu_s"])

    async def task() -> None:
        spin(iterations)
        await asyncio.sleep(0)

    yield lambda: task
