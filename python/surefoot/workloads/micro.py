"""Very short mixed tasks: 1,000 additions, then a sleep of 100 microseconds.

Expected kind: mixed. A task needs the GIL for a few tens of microseconds, so what the pool itself costs, and
what threads that wait for the GIL cost, shows at once. The cliff shows here, if the device has one.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from surefoot.workloads import AsyncTask, Task

KIND: Final = "mixed, very short"
PARAMS: Final = {"additions": 1000, "sleep_s": 0.0001}
TASK_S_MIN: Final = 0.00012
GIL_S: Final = 0.00004


def _task() -> None:
    x = 0
    for _ in range(1000):
        x += 1  # noqa: SIM113 (the published workload, to the letter)
    time.sleep(0.0001)


@contextmanager
def setup(threads: int) -> Iterator[Callable[[], Task]]:
    """Prepare nothing."""
    yield lambda: _task


@contextmanager
def setup_async(threads: int) -> Iterator[Callable[[], AsyncTask]]:
    """Prepare nothing; the sleep is the event loop's."""

    async def task() -> None:
        x = 0
        for _ in range(1000):
            x += 1  # noqa: SIM113 (as above)
        await asyncio.sleep(0.0001)

    yield lambda: task
