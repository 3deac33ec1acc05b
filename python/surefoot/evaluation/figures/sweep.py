"""Choices that several figures make alike among the runs of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.evaluation.figures.panel import Spot

if TYPE_CHECKING:
    from surefoot.evaluation.curve import Curve
    from surefoot.evaluation.runs import Metric, Runs


def by_threads(runs: Runs, metric: Metric = "tasks_per_s", scale: float = 1.0) -> list[Spot]:
    """Return medians by number of threads, where the metric is known."""
    spots = []
    for threads, own in sorted(runs.where(threads=lambda n: n is not None).by("threads").items()):
        found = own.median(metric)
        if found is not None:
            is_truncated = any(run.measurement.is_truncated for run in own.calm())
            spots.append(Spot(threads, found.times(scale), is_truncated))
    return spots


def shares_of_best(shape: Curve) -> list[Spot]:
    """Return a curve relative to its own best."""
    best = shape.peak.rate.value
    return [Spot(point.threads, point.rate.times(1 / best), point.is_truncated) for point in shape.points]
