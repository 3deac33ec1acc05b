"""The strategies by name: how the tasks of a run are run.

================ ===================================================================== ==============
name             the tasks run                                                         ``--threads``
================ ===================================================================== ==============
sequential       one after the other, on no pool                                       not used
static           on the standard library's pool                                        its size
fixed            on our pool with a constant limit                                     its size
fixed-watched    the same with the sensors of the default controller                   its size
knee             on our pool with its default controller                               its cap
paper            on our pool with the published controller                             its cap
queue-depth      on our pool with a controller that goes by the queue, as Celery's     its cap
process          on the standard library's pool of processes                           its size
interpreter      on the standard library's pool of interpreters, from Python 3.14 on   its size
asyncio          as coroutines of one event loop                                       how many at once
================ ===================================================================== ==============

A cap that is not given is the pool's own default, from cores and memory. A file that makes a pool is a
strategy, too: see :mod:`surefoot.comparison.from_file`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from surefoot import default_cap
from surefoot.comparison import files, from_file, in_asyncio, in_processes, in_threads
from surefoot.comparison.unavailable import UnavailableError

if TYPE_CHECKING:
    from surefoot.comparison.parameters import Value
    from surefoot.comparison.stage import Stage

__all__ = ["NAMES", "Strategy", "find"]


@dataclass(frozen=True)
class Strategy:
    """How tasks are run.

    Attributes:
        run: Runs them in the measured process until that is killed.
        threads: How many run at once if nothing is given; ``None`` if it must be given, 0 for what the
            machine can bear.
        parameters: What can be chosen, with the defaults.
        prepares: What the workload prepares before the measured process exists: a ``task``, a ``coroutine``,
            or ``nothing``, where each worker does it.
        has_descendants: Whether the measured process has processes of its own.
        why_not: Gives a reason why there can be none here.
    """

    run: Callable[[Stage], object]
    threads: int | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)
    prepares: Literal["task", "coroutine", "nothing"] = "task"
    has_descendants: bool = False
    why_not: Callable[[], str | None] = lambda: None

    def threads_most(self, given: int | None) -> int:
        """Return how many tasks may run at once at most.

        Raises:
            ValueError: If it was not given and must be.
        """
        if given is None and self.threads is None:
            raise ValueError("this strategy needs a size: --threads N")
        return given or self.threads or default_cap().workers


_ADAPTIVE = 0
_PAPER: Mapping[str, Value] = {
    "beta_threshold": 0.3,
    "step_up": 1,
    "step_down": 1,
    "min_workers": 1,
    "interval_s": 0.5,
}

_BUILT_IN = {
    "sequential": Strategy(in_threads.run_sequential, threads=1),
    "static": Strategy(in_threads.run_static),
    "fixed": Strategy(in_threads.run_fixed),
    "fixed-watched": Strategy(in_threads.run_fixed_watched),
    "knee": Strategy(in_threads.run_knee, _ADAPTIVE),
    "paper": Strategy(in_threads.run_paper, _ADAPTIVE, _PAPER),
    "queue-depth": Strategy(in_threads.run_queue_depth, _ADAPTIVE),
    "process": Strategy(
        in_processes.run_processes, has_descendants=True, why_not=in_processes.why_no_processes
    ),
    "interpreter": Strategy(
        in_processes.run_interpreters, prepares="nothing", why_not=in_processes.why_no_interpreters
    ),
    "asyncio": Strategy(in_asyncio.run_asyncio, prepares="coroutine"),
}

NAMES = tuple(_BUILT_IN)


def find(source: str) -> Strategy:
    """Find a strategy by its name or its file.

    Raises:
        UnavailableError: If it cannot exist here.
        ValueError: If there is none.
    """
    if files.is_file(source):
        module = from_file.load(source)
        return Strategy(
            partial(from_file.run, module),
            getattr(module, "THREADS", None),
            getattr(module, "PARAMETERS", {}),
        )
    if source not in _BUILT_IN:
        raise ValueError(f"unknown strategy {source!r}: choose from {', '.join(NAMES)}, or give a file")
    strategy = _BUILT_IN[source]
    reason = strategy.why_not()
    if reason:
        raise UnavailableError(reason)
    return strategy
