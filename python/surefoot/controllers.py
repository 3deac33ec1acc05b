"""The controllers to choose from, with their constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from surefoot.records import Window  # noqa: TC001 (part of a public signature)


@runtime_checkable
class Controller(Protocol):
    """Anything that turns a window into a limit.

    ``decide`` is called once every ``interval_s`` while the pool has work, from a thread of
    surefoot's own; never twice at a time for one pool. What it returns is held between
    ``min_workers`` and the cap. If it raises, the limit stays and the exception is logged.
    """

    def decide(self, window: Window, /) -> int:
        """Return the limit for the next period."""


@dataclass(frozen=True, slots=True)
class KneeController:
    """The default: the fewest workers that give the best throughput, found in well under a second.

    It measures how much of the GIL and of the cores is in use and how many workers queue for them,
    admits more at once while tasks wait and nobody is runnable, and takes back whatever did not pay.
    """


@dataclass(frozen=True, slots=True)
class PaperController:
    """The published controller: grow while tasks block, veto when beta says that they compute.

    Attributes:
        beta_threshold: Mean beta at or below which a rise is vetoed, 0 to 1.
        step_up: Workers added at a time, at least 1.
        step_down: Workers taken away at a time when no task waits, at least 0.
    """

    beta_threshold: float = 0.3
    step_up: int = 1
    step_down: int = 1

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0.0 <= self.beta_threshold <= 1.0:
            raise ValueError("beta_threshold must be between 0 and 1")
        if self.step_up < 1:
            raise ValueError("step_up must be at least 1")
        if self.step_down < 0:
            raise ValueError("step_down must not be negative")


@dataclass(frozen=True, slots=True)
class FixedController:
    """A limit that never moves, as the standard pool's.

    Attributes:
        limit: Workers admitted; ``None`` for ``max_workers``, or the standard default.
    """

    limit: int | None = None

    def __post_init__(self) -> None:
        """Check the range."""
        if self.limit is not None and self.limit < 1:
            raise ValueError("limit must be at least 1")
