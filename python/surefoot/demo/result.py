"""What was measured: one record per trial, and medians over the repeats of a strategy."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from surefoot.demo.strategies import Strategy


@dataclass(frozen=True)
class Progress:
    """One look at a running trial."""

    at_s: float
    done: int
    limit: int
    queue_length: int


@dataclass(frozen=True)
class Result:
    """One finished trial."""

    strategy: Strategy
    tasks: int
    wall_ns: int
    cpu_ns: int
    ends_ns: list[int]
    latencies_ns: list[int]
    limit_first: int
    limit_last: int
    decisions: list[dict[str, Any]]
    errors: list[str]
    progress: list[Progress]

    @property
    def throughput(self) -> float:
        """Finished tasks per second, from the first submit to the end of the last task."""
        return len(self.ends_ns) * 1e9 / self.wall_ns

    @property
    def late_throughput(self) -> float:
        """Finished tasks per second over the second half of the tasks, with most of a ramp-up behind."""
        half = len(self.ends_ns) // 2
        if half == 0:
            return self.throughput
        return (len(self.ends_ns) - half) * 1e9 / max(1, self.ends_ns[-1] - self.ends_ns[half - 1])

    @property
    def limit_most(self) -> int:
        """The highest limit seen during the trial."""
        decided: list[int] = [decision["limit"] for decision in self.decisions]
        return max([self.limit_first, self.limit_last, *decided, *(look.limit for look in self.progress)])

    def latency_ms(self, percent: float) -> float:
        """Return a percentile of the time from a task's start in a worker to its row stored.

        Args:
            percent: Between 0 and 100, by the nearest rank.
        """
        ordered = sorted(self.latencies_ns)
        if not ordered:
            return 0.0
        rank = max(1, -(-len(ordered) * percent // 100))
        return ordered[int(rank) - 1] / 1e6


@dataclass(frozen=True)
class Summary:
    """The repeats of one strategy."""

    name: str
    results: Sequence[Result]

    def median(self, of: Callable[[Result], float]) -> float:
        """Return the median of a figure over the repeats."""
        return statistics.median(of(result) for result in self.results)

    def latency_ms(self, percent: float) -> float:
        """Return the median of a percentile of the latency over the repeats."""
        return self.median(lambda result: result.latency_ms(percent))

    def range(self, of: Callable[[Result], float]) -> tuple[float, float]:
        """Return the least and the greatest of a figure over the repeats."""
        figures = [of(result) for result in self.results]
        return min(figures), max(figures)

    @property
    def throughput(self) -> float:
        """The median throughput."""
        return self.median(lambda result: result.throughput)

    @property
    def representative(self) -> Result:
        """The repeat whose throughput is nearest to the median, for curves over time."""
        return min(self.results, key=lambda result: abs(result.throughput - self.throughput))
