"""Rows: samples reduced to comparisons, each with its bar and verdict.

The same samples always give the same rows: nothing is measured here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from bench.bars import bar_for
from bench.contenders import STANDARD
from bench.estimate import bootstrap, estimate
from bench.records import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.bars import Bar
    from bench.estimate import Estimate, Interval
    from bench.records import Environment

#: The measure that a case of these experiments is about; ``overhead`` names its own per case.
_MEMORY_METRICS = ("bytes_per_idle_worker", "bytes_per_queued_task")
_OVERHEAD_METRICS = ("submit_us", "tasks_per_s", "round_trip_us")


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        standard: What the standard pool showed.
        rival: What the other pool showed.
        ratio: Of medians; how many times better for a gain, rival over standard for a cost (see `Bar`).
        interval: 95 % bootstrap interval of the ratio, where there are rounds enough.
        note: What the two figures alone do not say.
        is_self_check: The rival was the standard pool again: the bar says nothing.
    """

    interpreter: str
    experiment: str
    case: str
    metric: str
    standard: Estimate
    rival: Estimate
    ratio: float
    interval: Interval | None
    bar: Bar | None
    note: str = ""
    is_self_check: bool = False

    @property
    def verdict(self) -> str:
        """``held`` or ``missed`` by the medians; ``~`` where the interval reaches across the bar."""
        if self.bar is None or self.is_self_check:
            return ""
        word = "held" if self.bar.holds(self.ratio) else "missed"
        return word + (" ~" if self.interval and self.interval.contains(self.bar.value) else "")


@dataclass(frozen=True)
class _Series:
    """The matched samples of one case under one interpreter: pool to values, indexed by round."""

    interpreter: str
    experiment: str
    values: dict[str, list[float]]

    @property
    def rival(self) -> str:
        return next(pool for pool in self.values if pool != STANDARD)


def missed(compared: Iterable[Row]) -> list[Row]:
    """Return the rows whose bar binds and is not held."""
    return [row for row in compared if row.bar and row.bar.binding and row.verdict.startswith("missed")]


def rows(records: Iterable[Sample | Environment]) -> list[Row]:
    """Compare everything that the records allow, in the order of experiments and cases measured."""
    samples = [record for record in records if isinstance(record, Sample)]
    compared: list[Row] = []
    for experiment, metrics in (("overhead", _OVERHEAD_METRICS), ("memory", _MEMORY_METRICS)):
        for (_, case), group in _grouped(samples, experiment).items():
            for metric in metrics:
                series = _series(group, metric)
                if series:
                    compared.append(_compare(series, case, metric))
    by_cores: dict[tuple[str, int], dict[int, list[Sample]]] = defaultdict(dict)
    cold: dict[tuple[str, int], list[Sample]] = {}
    for (interpreter, _), group in _grouped(samples, "micro").items():
        conditions = group[0].conditions
        if conditions["started"]:
            by_cores[interpreter, conditions["cores"]][conditions["workers"]] = group
        else:
            cold[interpreter, conditions["cores"]] = group
    for key, by_workers in by_cores.items():
        compared += _micro_rows(key[1], by_workers, cold.get(key, []))
    order = {(row.experiment, row.case): place for place, row in reversed(list(enumerate(compared)))}
    return sorted(compared, key=lambda row: order[row.experiment, row.case])


def micro_detail(records: Iterable[Sample | Environment]) -> list[tuple[Sample, _Series, _Series]]:
    """Return, per interpreter, cores and workers: a sample of it, its throughput and its p99."""
    detail = []
    for group in _grouped([record for record in records if isinstance(record, Sample)], "micro").values():
        throughput, p99 = _series(group, "tasks_per_s"), _series(group, "wall_ns_p99")
        if throughput and p99:
            detail.append((group[0], throughput, p99))
    return detail


def _grouped(samples: Sequence[Sample], experiment: str) -> dict[tuple[str, str], list[Sample]]:
    groups: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.experiment == experiment:
            groups[sample.interpreter, sample.case].append(sample)
    return dict(groups)


def _series(group: Sequence[Sample], metric: str) -> _Series | None:
    """Match the rivals round by round; a round that an interrupt cut in half is left out."""
    by_pool: dict[str, list[float]] = defaultdict(list)
    for sample in group:
        if metric in sample.measures:
            by_pool[sample.pool].append(sample.measures[metric])
    if len(by_pool) != 2 or STANDARD not in by_pool:
        return None
    complete = min(map(len, by_pool.values()))
    values = {pool: found[:complete] for pool, found in by_pool.items()}
    return _Series(group[0].interpreter, group[0].experiment, values)


def _ratio(metric: str, standard: float, rival: float, bar: Bar | None) -> float:
    if bar is not None and not bar.is_gain:
        return rival / standard
    return rival / standard if metric.endswith("_per_s") else standard / rival


def _compare(series: _Series, case: str, metric: str) -> Row:
    standard, rival = series.values[STANDARD], series.values[series.rival]
    bar = bar_for(series.experiment, case, series.interpreter)

    def ratio(drawn: Sequence[int]) -> float:
        return _ratio(metric, median(standard[i] for i in drawn), median(rival[i] for i in drawn), bar)

    return Row(
        interpreter=series.interpreter,
        experiment=series.experiment,
        case=case,
        metric=metric,
        standard=estimate(standard),
        rival=estimate(rival),
        ratio=ratio(range(len(standard))),
        interval=bootstrap(len(standard), ratio),
        bar=bar,
        is_self_check=series.rival != "surefoot",
    )


def _micro_rows(cores: int, by_workers: dict[int, list[Sample]], cold: list[Sample]) -> list[Row]:
    by_size: dict[int, _Series] = {}
    for workers, group in by_workers.items():
        series = _series(group, "tasks_per_s")
        if series:
            by_size[workers] = series
    found = [_best_row(cores, by_size)] if by_size else []
    if 2048 in by_size:
        found.append(_compare(by_size[2048], f"N=2048, cores={cores}", "tasks_per_s"))
    from_cold = _series(cold, "tasks_per_s")
    if from_cold:
        row = _compare(from_cold, f"N={cold[0].conditions['workers']} cold, cores={cores}", "tasks_per_s")
        threads = _series(cold, "threads_at_end")
        found.append(replace(row, note=_threads_note(threads)) if threads else row)
    p99 = _series(by_workers.get(8, []), "wall_ns_p99")
    if p99:
        found.append(_compare(p99, f"p99 at N=8, cores={cores}", "wall_ns_p99"))
    return found


def _threads_note(threads: _Series) -> str:
    """Say how many workers there really were; one of the threads counted is the main thread."""
    standard, rival = (median(threads.values[pool]) - 1 for pool in (STANDARD, threads.rival))
    return f"{standard:.0f} workers made against {rival:.0f}"


def _best_row(cores: int, by_size: dict[int, _Series]) -> Row:
    """Compare each rival at the number of workers that suits it best.

    The interval chooses that number anew in every draw, so it contains the luck of the choice.
    """
    example = next(iter(by_size.values()))
    rounds = min(len(series.values[STANDARD]) for series in by_size.values())

    def best(pool: str, drawn: Sequence[int]) -> tuple[float, int]:
        return max((median(series.values[pool][i] for i in drawn), size) for size, series in by_size.items())

    def ratio(drawn: Sequence[int]) -> float:
        return best(example.rival, drawn)[0] / best(STANDARD, drawn)[0]

    sizes = {pool: best(pool, range(rounds))[1] for pool in (STANDARD, example.rival)}
    case = f"best N, cores={cores}"
    return Row(
        interpreter=example.interpreter,
        experiment=example.experiment,
        case=case,
        metric="tasks_per_s",
        standard=estimate(by_size[sizes[STANDARD]].values[STANDARD][:rounds]),
        rival=estimate(by_size[sizes[example.rival]].values[example.rival][:rounds]),
        ratio=ratio(range(rounds)),
        interval=bootstrap(rounds, ratio),
        bar=bar_for(example.experiment, case, example.interpreter),
        note=f"N={sizes[STANDARD]} against N={sizes[example.rival]}",
        is_self_check=example.rival != "surefoot",
    )
