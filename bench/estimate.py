"""Statistics: median, spread, and how far a ratio of medians can be trusted.

Medians, because a neighbour on the machine makes a few samples slow and none fast. The interval is a
percentile bootstrap over *rounds*: the rivals of one round are drawn together, so drift that hits
both cancels as it does in the ratio itself.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: With fewer rounds a bootstrap only repeats the extremes: no interval is given.
ROUNDS_FOR_INTERVAL = 5
#: Not critical: 1,000 and 10,000 draws give the same first two digits.
DRAWS = 2_000
#: Fixed, so that the same records always give the same table.
SEED = 20_260


@dataclass(frozen=True)
class Estimate:
    """Median and range of the samples of one contender."""

    median: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Interval:
    """A 95 % bootstrap interval."""

    low: float
    high: float

    def contains(self, value: float) -> bool:
        """Tell whether the value lies inside, borders included."""
        return self.low <= value <= self.high


def estimate(samples: Sequence[float]) -> Estimate:
    """Reduce the samples of one contender; at least one is needed."""
    return Estimate(median(samples), min(samples), max(samples), len(samples))


def bootstrap(rounds: int, statistic: Callable[[Sequence[int]], float]) -> Interval | None:
    """Draw rounds with replacement and return the middle 95 % of the statistic.

    Args:
        rounds: How many rounds there are.
        statistic: Takes the numbers of the drawn rounds (with repeats), gives the figure.

    Returns:
        The interval, or None where there are too few rounds to speak of one.
    """
    if rounds < ROUNDS_FOR_INTERVAL:
        return None
    draw = random.Random(SEED)
    numbers = range(rounds)
    drawn = sorted(statistic(draw.choices(numbers, k=rounds)) for _ in range(DRAWS))
    return Interval(drawn[int(0.025 * DRAWS)], drawn[int(0.975 * DRAWS) - 1])


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile: always a value that was measured."""
    ordered = sorted(samples)
    rank = -int(-percent * len(ordered) // 100)  # the ceiling, without floats
    return ordered[max(rank, 1) - 1]
