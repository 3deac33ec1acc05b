"""A number with its 95 % interval. The bootstrap itself is Rust, the one that `surefoot compare` uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from surefoot import _core


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, and between what it lies with 95 % confidence.

    Of one sample nothing is known but the sample: then both ends are the number itself, and `samples` is 1.

    Attributes:
        value: The estimate.
        low: Lower end of the interval.
        high: Upper end.
        samples: From how many runs (of a ratio: the fewer of the two).
    """

    value: float
    low: float
    high: float
    samples: int = 1

    def times(self, factor: float) -> Estimate:
        """Return it in another unit; `factor` is above 0."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor, self.samples)

    def less_than_one(self) -> Estimate:
        """Return 1 minus it: of a ratio, the loss."""
        return Estimate(1.0 - self.value, 1.0 - self.high, 1.0 - self.low, self.samples)


def median(samples: Sequence[float]) -> Estimate | None:
    """Return the median with its interval; ``None`` of nothing."""
    if not samples:
        return None
    value, low, high = _core.median_interval(list(samples))
    return Estimate(value, low, high, len(samples))


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Estimate | None:
    """Return the ratio of medians with its interval; ``None`` of nothing, or where a denominator is 0."""
    if not numerators or not denominators or min(denominators) <= 0:
        return None
    value, low, high = _core.ratio_interval(list(numerators), list(denominators))
    return Estimate(value, low, high, min(len(numerators), len(denominators)))
