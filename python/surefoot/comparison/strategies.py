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
================ ===================================================================== ==============

A cap that is not given is the pool's own default, from cores and memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from surefoot import default_cap
from surefoot.comparison import in_threads

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
    """

    run: Callable[[Stage], object]
    threads: int | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)

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
}

NAMES = tuple(_BUILT_IN)


def find(source: str) -> Strategy:
    """Find a strategy by its name.

    Raises:
        UnavailableError: If it cannot exist here.
        ValueError: If there is none.
    """
    if source in _BUILT_IN:
        return _BUILT_IN[source]
    raise ValueError(f"unknown strategy {source!r}: choose from {', '.join(NAMES)}")
