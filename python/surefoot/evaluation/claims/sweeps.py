"""The sweeps of the standard pool that claims are judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.evaluation import choice
from surefoot.evaluation.claims.claim import known

if TYPE_CHECKING:
    from surefoot.evaluation.curve import Curve
    from surefoot.evaluation.estimate import Estimate
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs


def static(evaluation: Evaluation, workload: str) -> dict[int, Runs]:
    """Return the sweeps of the standard pool by number of cores."""
    runs = choice.some(evaluation, "cliff", strategy="static", workload=workload)
    return dict(sorted(runs.by("cores").items()))


def one_and_most(evaluation: Evaluation, workload: str, *, is_most: bool) -> Runs:
    """Return the sweep on one core, or on the most that there are.

    Raises:
        NoRecordsError: There is no such sweep.
    """
    sweeps = static(evaluation, workload)
    if is_most:
        if max(sweeps) == 1:
            raise choice.NoRecordsError("only one core was measured")
        return sweeps[max(sweeps)]
    if 1 not in sweeps:
        raise choice.NoRecordsError("one core was not measured")
    return sweeps[1]


def shape(runs: Runs) -> Curve:
    """Return the curve of a sweep that has one.

    Raises:
        NoRecordsError: No task was done.
    """
    found = runs.curve()
    if found is None:
        raise choice.NoRecordsError("no task was done")
    return found


def loss(runs: Runs) -> Estimate:
    """Return what is lost at the most threads, of the best."""
    curve = shape(runs)
    last, best = runs.where(threads=curve.last.threads), runs.where(threads=curve.peak.threads)
    return known(last.ratio(best), "loss").less_than_one()


def cores(runs: Runs) -> str:
    """Return on how many cores, and that others were missing."""
    count = runs.first.cores
    said = "one core" if count == 1 else f"{count} cores"
    asked = max(run.cores_asked for run in runs)
    return f"{said} ({asked} were missing)" if asked > count else said
