"""Peak, knee and cliff of throughput against threads, as `surefoot cliff` finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surefoot.evaluation.estimate import Estimate

KNEE_SHARE = 0.95
"""The share of the best throughput that makes a knee."""
CLIFF_SHARE = 0.20
"""The share of the best throughput that must be lost for a cliff to be called one."""


@dataclass(frozen=True, slots=True)
class Point:
    """Throughput in tasks/s at a number of threads; whether a run of it was cut short."""

    threads: int
    rate: Estimate
    is_truncated: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve and what it shows.

    Attributes:
        points: Ascending in threads.
        peak: The best, with the fewest threads if several share it.
        knee: The fewest threads that give 95 % of the best.
        last: The most threads.
        loss: Throughput lost at the most threads, as a share of the best.
        is_cliff: The loss is at least 20 % and lies beyond the knee.
    """

    points: tuple[Point, ...]
    peak: Point
    knee: Point
    last: Point
    loss: float
    is_cliff: bool

    def at(self, threads: int) -> Point | None:
        """Return the point at a number of threads."""
        return next((point for point in self.points if point.threads == threads), None)

    def plateau(self) -> list[int]:
        """Return the numbers of threads that give 95 % of the best: noise decides which of them peaks."""
        least = KNEE_SHARE * self.peak.rate.value
        return [p.threads for p in self.points if p.rate.value >= least and not p.is_truncated]


def curve(points: Sequence[Point]) -> Curve | None:
    """Return the shape of points that ascend in threads; ``None`` if no task was done.

    A point that was cut short is never the best while there is another: the tasks that happened to end within
    a short time may come from a handful of threads that kept the others out.
    """
    done = [point for point in points if point.rate.value > 0]
    eligible = [point for point in done if not point.is_truncated] or done
    if not eligible:
        return None
    peak = max(eligible, key=lambda point: (point.rate.value, -point.threads))
    knee = next(point for point in eligible if point.rate.value >= KNEE_SHARE * peak.rate.value)
    last = points[-1]
    loss = max(0.0, 1.0 - last.rate.value / peak.rate.value)
    is_cliff = last.threads > knee.threads and last.rate.value <= (1.0 - CLIFF_SHARE) * peak.rate.value
    return Curve(tuple(points), peak, knee, last, loss, is_cliff)
