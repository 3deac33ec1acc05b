"""Some runs: chosen, grouped, reduced to estimates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surefoot.evaluation import curve, estimate
from surefoot.evaluation.records import Run

if TYPE_CHECKING:
    from surefoot.evaluation.estimate import Estimate

Metric = str | Callable[[Run], float | None]
"""The name of a field or property of `Measurement`, or a function of a run."""


@dataclass(frozen=True)
class Cell:
    """What the runs of a cell share: everything but the repeat."""

    key: tuple[Any, ...]

    @staticmethod
    def of(run: Run) -> Cell:
        """Return the cell of a run."""
        parameters = tuple(sorted((key, str(value)) for key, value in run.parameters.items()))
        return Cell(
            (
                run.experiment,
                run.phase,
                run.workload,
                parameters,
                run.strategy,
                run.threads,
                run.cores,
                run.cores_asked,
                run.quota_cores,
                run.python,
            )
        )


class Runs(Collection[Run]):
    """Runs in the order of their records. Never changed; each method returns new ones."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        """Take these runs."""
        self._runs = tuple(runs)

    def __iter__(self) -> Iterator[Run]:
        """Yield each."""
        return iter(self._runs)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._runs)

    def __contains__(self, run: object) -> bool:
        """Say whether it is one of them."""
        return run in self._runs

    def where(self, **wanted: Any) -> Runs:
        """Return those whose fields are as wanted.

        Args:
            **wanted: Field of `Run` to a value, to a set or tuple of which it is one, or to a function of it.
        """
        return Runs(run for run in self._runs if all(_is(getattr(run, k), v) for k, v in wanted.items()))

    def by(self, field: str | Callable[[Run], Any]) -> dict[Any, Runs]:
        """Return them by the value of a field or a function, in order of first appearance."""
        groups: dict[Any, list[Run]] = {}
        for run in self._runs:
            value = field(run) if callable(field) else getattr(run, field)
            groups.setdefault(value, []).append(run)
        return {value: Runs(runs) for value, runs in groups.items()}

    def values(self, field: str) -> list[Any]:
        """Return the values of a field that are not ``None``, ascending."""
        return sorted({value for run in self._runs if (value := getattr(run, field)) is not None})

    def calm(self) -> Runs:
        """Return them without noisy runs, wherever a calm run of the same cell is there.

        Whether a run is noisy is decided by the control runs beside it, never by its own figures.
        """
        has_calm = {Cell.of(run) for run in self._runs if not run.is_noisy}
        return Runs(run for run in self._runs if not run.is_noisy or Cell.of(run) not in has_calm)

    def samples(self, metric: Metric) -> list[float]:
        """Return the values of a metric where it is known, noisy runs left out as `calm` does."""
        found = (_value(run, metric) for run in self.calm())
        return [float(value) for value in found if value is not None]

    def median(self, metric: Metric = "tasks_per_s") -> Estimate | None:
        """Return the median of a metric with its interval; ``None`` where it is not known."""
        return estimate.median(self.samples(metric))

    def ratio(self, other: Runs, metric: Metric = "tasks_per_s") -> Estimate | None:
        """Return the ratio of our median to the other's with its interval."""
        return estimate.ratio(self.samples(metric), other.samples(metric))

    def curve(self) -> curve.Curve | None:
        """Return throughput by number of threads; ``None`` if no task was done."""
        points = []
        for threads, runs in sorted(self.where(threads=lambda n: n is not None).by("threads").items()):
            rate = runs.median()
            if rate is not None:
                is_truncated = any(run.measurement.is_truncated for run in runs.calm())
                points.append(curve.Point(threads, rate, is_truncated))
        return curve.curve(points)

    @property
    def first(self) -> Run:
        """The first of them."""
        return self._runs[0]


def _is(value: Any, wanted: Any) -> bool:
    if callable(wanted):
        return bool(wanted(value))
    if isinstance(wanted, (set, frozenset, tuple)):
        return value in wanted
    return bool(value == wanted)


def _value(run: Run, metric: Metric) -> float | None:
    if callable(metric):
        return metric(run)
    value: float | None = getattr(run.measurement, metric)
    return value
