"""What a strategy runs with, in the measured process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surefoot.comparison.notes import Note, Notes, Observer
from surefoot.workloads.closed_loop import TASKS_PER_S_MAX
from surefoot.workloads.measured_process import Load

if TYPE_CHECKING:
    from surefoot.comparison.parameters import Value
    from surefoot.comparison.work import Work
    from surefoot.workloads import AsyncTask, Task
    from surefoot.workloads.ledger import Ledger

__all__ = ["BACKLOG_S", "LOOK_S", "Stage"]

BACKLOG_S = 0.5
"""About so long the queued tasks last. The queue's memory would be the pool's in the figures otherwise."""

LOOK_S = 0.25
"""How often one looks who has nothing else to do."""

# The GIL's time of a task is a rough figure.
_RATE_MARGIN = 1.5


@dataclass(frozen=True)
class Stage:
    """What a strategy runs with.

    Attributes:
        work: The workload.
        make_task: Makes the task in the process that runs it; ``None`` if the strategy prepares that itself.
        make_async_task: Makes its coroutine function; ``None`` if the workload has none, or is not asked.
        threads: How many workers, or at most how many; ``None`` for what this machine can bear.
        cores: How many cores there are.
        options: The strategy's parameters.
        ledger: Where each task is entered.
        notes: Where the pool's state is noted.
        look_s: How often that is; ``None`` for as seldom as keeping the pool busy allows.
    """

    work: Work
    make_task: Callable[[], Task] | None
    make_async_task: Callable[[], AsyncTask] | None
    threads: int | None
    cores: int
    options: Mapping[str, Value]
    ledger: Ledger
    notes: Notes
    look_s: float | None

    def observer(self, see: Callable[[], Note], *, sees_gil: bool = True) -> Observer:
        """Return what notes the state of a pool; see :class:`surefoot.comparison.notes.Observer`."""
        return Observer(see, self.ledger, self.notes, sees_gil=sees_gil)

    def load(self, threads: int, backlog_s: float = BACKLOG_S) -> Load:
        """Return the tasks for a pool of at most so many threads."""
        assert self.make_task is not None
        rates = [TASKS_PER_S_MAX, threads / max(self.work.task_s_min, 1e-6)]
        if self.work.gil_s:
            # Without a GIL each core may do that much.
            rates.append(_RATE_MARGIN * self.cores / self.work.gil_s)
        return Load(self.make_task, None, min(rates), backlog_s)

    def need_threads(self) -> int:
        """Return the number of threads.

        Raises:
            ValueError: If it was not given.
        """
        if self.threads is None:
            raise ValueError("this strategy needs a size: --threads N")
        return self.threads

    def option(self, name: str, kind: Callable[[Any], Any]) -> Any:
        """Return one of the strategy's parameters as a number of that kind.

        Raises:
            ValueError: If it is none.
        """
        try:
            return kind(self.options[name])
        except (TypeError, ValueError):
            raise ValueError(f"the parameter {name} must be a number, not {self.options[name]!r}") from None
