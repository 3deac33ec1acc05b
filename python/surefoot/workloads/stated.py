"""Mixed tasks of 10 ms of pure Python and 50 ms of sleep.

Expected kind: bound by the GIL. One task at a time can compute, so no number of threads gives more than 100
tasks a second on a build with a GIL; six threads, (10 + 50) / 10, are enough to reach that, and each further
one only adds waiting.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from surefoot.workloads.spin import iterations_for, spin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from surefoot.workloads import AsyncTask, Task

KIND: Final = "mixed, bound by the GIL"
PARAMS: Final = {"cpu_s": 0.010, "sleep_s": 0.050}
TASK_S_MIN: Final = 0.060
GIL_S: Final = 0.010


@contextmanager
def setup(threads: int) -> Iterator[Callable[[], Task]]:
    """Calibrate the computing part once, for the speed of this processor."""
    iterations = iterations_for(PARAMS["cpu_s"])
    sleep_s = PARAMS["sleep_s"]

    def task() -> None:
        spin(iterations)
        time.sleep(sleep_s)

    yield lambda: task


@contextmanager
def setup_async(threads: int) -> Iterator[Callable[[], AsyncTask]]:
    """Calibrate the computing part; the sleep is the event loop's."""
    iterations = iterations_for(PARAMS["cpu_s"])
    sleep_s = PARAMS["sleep_s"]

    async def task() -> None:
        spin(iterations)
        await asyncio.sleep(sleep_s)

    yield lambda: task
