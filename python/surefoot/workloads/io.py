"""Tasks that only wait: a sleep of 50 ms.

Expected kind: I/O only. Throughput grows with the threads until waking them takes all of a processor.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from surefoot.workloads import AsyncTask, Task

KIND: Final = "I/O only"
PARAMS: Final = {"sleep_s": 0.050}
TASK_S_MIN: Final = 0.050
GIL_S: Final = 0.00003


@contextmanager
def setup(threads: int) -> Iterator[Callable[[], Task]]:
    """Prepare nothing."""
    sleep_s = PARAMS["sleep_s"]

    def task() -> None:
        time.sleep(sleep_s)

    yield lambda: task


@contextmanager
def setup_async(threads: int) -> Iterator[Callable[[], AsyncTask]]:
    """Prepare nothing; the sleep is the event loop's."""
    sleep_s = PARAMS["sleep_s"]

    async def task() -> None:
        await asyncio.sleep(sleep_s)

    yield lambda: task
