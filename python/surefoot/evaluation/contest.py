"""Strategies beside the best static pool of the same workload."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surefoot.evaluation.runs import Runs

if TYPE_CHECKING:
    from surefoot.evaluation.estimate import Estimate
    from surefoot.evaluation.records import Run

BEST = "static-best"


def setting(run: Run) -> tuple[Any, ...]:
    """Return under which conditions strategies can be compared with each other."""
    parameters = tuple(sorted((key, str(value)) for key, value in run.parameters.items()))
    return run.workload, parameters, run.python, run.cores, run.quota_cores


def best(runs: Runs) -> Runs:
    """Return the runs of the best static size.

    Fresh runs of the size that a sweep found, where there are any; elsewhere the best size of the sweep
    itself, which selection flatters a little.
    """
    fresh = runs.where(strategy=BEST)
    if fresh:
        return fresh
    sweep = runs.where(strategy="static")
    shape = sweep.curve()
    return sweep.where(threads=shape.peak.threads) if shape is not None else Runs()


@dataclass(frozen=True)
class Standing:
    """A strategy beside the best static pool.

    Attributes:
        efficiency: Its throughput, as a ratio to that of static best.
        tail: Its p99, likewise.
        best_threads: The size of static best.
    """

    efficiency: Estimate
    tail: Estimate | None
    best_threads: int | None


def standing(runs: Runs, of: Runs) -> Standing | None:
    """Compare some of these runs with the best static pool among all; ``None`` if either is missing.

    Args:
        runs: Of one setting.
        of: Of one strategy in that setting.
    """
    reference = best(runs)
    efficiency = of.ratio(reference)
    if efficiency is None:
        return None
    return Standing(efficiency, of.ratio(reference, "wall_ms_p99"), reference.first.threads)


def standings(
    runs: Runs, strategy: str, key: Callable[[Run], Any] = setting, **wanted: Any
) -> dict[Any, Standing]:
    """Return the standing of a strategy in every setting, by a key of the setting."""
    found = {}
    for place, own in runs.by(key).items():
        each = standing(own, own.where(strategy=strategy, phase=contested, **wanted))
        if each is not None:
            found[place] = each
    return found


def contested(phase: str) -> bool:
    """Say whether a phase compares, and does not sweep."""
    return phase != "sweep"
