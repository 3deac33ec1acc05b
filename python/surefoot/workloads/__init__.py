"""The workloads that ``surefoot cliff`` runs, one per module.

A workload module has five names, described by :class:`Workload`. A task is what the pool runs; it takes no
argument, and its return value is ignored.

========== ================================================== ==========================================
name       one task                                           expected kind
========== ================================================== ==========================================
micro      1,000 additions, then a sleep of 100 us            mixed: short enough for the pool to matter
stated     10 ms of pure Python, then a sleep of 50 ms        bound by the GIL from 6 threads on
io         a sleep of 50 ms                                   I/O only: every thread helps
cpu        5 ms of pure Python                                CPU only: no thread beyond the first helps
pipeline   TCP sensor, preprocessing, model, HTTP, SQLite     mixed, with real I/O
========== ================================================== ==========================================
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["NAMES", "AsyncTask", "Task", "Workload", "load"]

Task = Callable[[], object]
AsyncTask = Callable[[], Awaitable[object]]

NAMES = ("micro", "stated", "io", "cpu", "pipeline")


class Workload(Protocol):
    """What a workload module offers.

    Attributes:
        KIND: What it is expected to be bound by, in a few words.
        PARAMS: Its constants, with the unit last in each name.
        TASK_S_MIN: About the least wall time of one task, in seconds. It sizes the backlog.
        GIL_S: About the time one task needs the GIL, in seconds. It serves estimates only.
    """

    KIND: str
    PARAMS: Mapping[str, float]
    TASK_S_MIN: float
    GIL_S: float

    def setup(self, threads: int) -> AbstractContextManager[Callable[[], Task]]:
        """Prepare for ``threads`` concurrent callers.

        The context yields a function that makes the task. It is called once, in the process that runs the
        task: a child of the one that prepares, killed at the end without a chance to clean up.
        """


def load(name: str) -> Workload:
    """Import one workload.

    Raises:
        ValueError: If no workload has that name.
    """
    if name not in NAMES:
        raise ValueError(f"unknown workload {name!r}: choose from {', '.join(NAMES)}")
    return cast("Workload", importlib.import_module(f"{__name__}.{name}"))
