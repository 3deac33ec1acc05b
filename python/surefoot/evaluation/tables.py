"""The tables of an evaluation: what figures show, in numbers with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from surefoot.evaluation import choice, contest, words
from surefoot.evaluation.claims import bars, solution, sweeps
from surefoot.evaluation.figures import overhead, strategy, style
from surefoot.evaluation.figures.memory import MIB

if TYPE_CHECKING:
    from surefoot.evaluation.estimate import Estimate
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Metric, Runs

NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Table:
    """Rows of text; the first column names the row."""

    name: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def markdown(table: Table) -> str:
    """Return a table as Markdown."""
    lines = ["| " + " | ".join(table.headings) + " |", "|" + "---|" * len(table.headings)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table.rows]
    return "\n".join(lines)


def tables(evaluation: Evaluation) -> tuple[list[Table], dict[str, str]]:
    """Return every table whose records are there, and why the others are not, by name."""
    found: list[Table] = []
    left_out: dict[str, str] = {}
    for name, make in _MAKERS.items():
        try:
            found.append(make(evaluation))
        except choice.NoRecordsError as error:
            left_out[name] = str(error)
    return found, left_out


def cliffs(evaluation: Evaluation) -> Table:
    """Return peak, knee and loss of each curve of the standard pool."""
    runs = choice.some(evaluation, "cliff", strategy="static")
    rows = []
    for (workload, _), own in runs.by(lambda run: (run.workload, run.cores)).items():
        shape = own.curve()
        if shape is None:
            continue
        p99 = [_said(own.where(threads=point.threads), "wall_ms_p99") for point in (shape.knee, shape.last)]
        rows.append(
            (
                workload,
                sweeps.cores(own),
                f"{words.within(shape.peak.rate, '/s')} at {shape.peak.threads:,}",
                f"{shape.knee.threads:,}",
                f"{words.percent(sweeps.loss(own))} at {shape.last.threads:,}",
                *p99,
            )
        )
    headings = ("workload", "cores", "best", "knee", "lost", "p99 ms at the knee", "p99 ms at the most")
    return Table("cliff", "The saturation cliff of the standard pool", headings, tuple(rows))


def solutions(evaluation: Evaluation) -> Table:
    """Return every strategy on every workload of the comparison."""
    runs = choice.every(evaluation, "solutions")
    rows = []
    for workload, own in runs.by("workload").items():
        by_python = own.by("python")
        for row in strategy.rows(own, choice.main_python(own).first.python):
            reference = contest.best(by_python[row.runs.first.python])
            naive = solution.of(by_python[row.runs.first.python], "naive")
            rows.append(
                (
                    workload,
                    row.name,
                    _said(row.runs, "tasks_per_s"),
                    _ratio(row.runs, reference, "tasks_per_s"),
                    _ratio(row.runs, naive, "tasks_per_s"),
                    _said(row.runs, "wall_ms_p50"),
                    _said(row.runs, "wall_ms_p99"),
                    _ratio(row.runs, reference, "wall_ms_p99"),
                    _said(row.runs, "memory_bytes", 1 / MIB),
                    _said(row.runs, "limit") if row.strategy in _LIMITED else NOTHING,
                )
            )
    headings = (
        "workload",
        "strategy",
        "tasks/s",
        "of static best",
        f"of static {solution.NAIVE}",
        "p50 ms",
        "p99 ms",
        "of static best",
        "memory MiB",
        "limit",
    )
    return Table("solutions", "Every strategy, on all cores", headings, tuple(rows))


_LIMITED = ("paper", "knee", "queue-depth", "betapool", "futurist")


def profiles(evaluation: Evaluation) -> Table:
    """Return the seven profiles against static best, and the mean of `knee`."""
    runs = choice.some(evaluation, "profiles")
    rows = []
    averages: dict[str, list[Estimate]] = {name: [] for name in _COMPARED}
    for profile, own in runs.by("workload").items():
        best = contest.best(own)
        if not best:
            continue
        cells = [profile, f"{words.digits(_value(best, 'tasks_per_s'))}/s with {best.first.threads}"]
        for name in _COMPARED:
            each = contest.standing(own, own.where(strategy=name, phase=contest.contested))
            if each is None:
                cells += [NOTHING, NOTHING]
                continue
            averages[name].append(each.efficiency)
            cells += [words.within(each.efficiency), words.within(each.tail) if each.tail else NOTHING]
        rows.append(tuple(cells))
    if not rows:
        raise choice.NoRecordsError("static best was not measured in experiment 'profiles'")
    mean = ["**mean**", ""]
    for name in _COMPARED:
        mean += [f"**{words.within(bars.mean(averages[name]))}**" if averages[name] else NOTHING, ""]
    headings = ["profile", "static best"]
    for name in _COMPARED:
        shown = style.look(style.STRATEGIES, name).name + (" 256" if name == "static" else "")
        headings += [shown, f"{shown}: p99"]
    return Table("profiles", "Seven edge profiles, of static best", tuple(headings), (*rows, tuple(mean)))


_COMPARED = ("knee", "paper", "static")


def memory(evaluation: Evaluation) -> Table:
    """Return memory of threads and processes."""
    runs = choice.some(evaluation, "memory")
    rows = tuple(
        (
            style.look(style.STRATEGIES, name).name,
            f"{threads}",
            _said(own, "pss_bytes_max", 1 / MIB),
            _said(own, "rss_bytes_max", 1 / MIB),
            _said(own, "tasks_per_s"),
        )
        for (name, threads), own in runs.by(lambda run: (run.strategy, run.threads)).items()
    )
    headings = ("strategy", "size", "memory MiB, shared pages divided", "resident MiB, summed", "tasks/s")
    return Table("memory", f"Memory of all processes, {runs.first.workload}", headings, rows)


def overheads(evaluation: Evaluation) -> Table:
    """Return what measuring costs."""
    found = overhead.ratios(choice.some(evaluation, "overhead", strategy=("static", "fixed")))
    rows = tuple((workload, f"{threads}", words.within(each)) for (workload, threads), each in found.items())
    if not rows:
        raise choice.NoRecordsError("no pair of pools in experiment 'overhead'")
    headings = ("workload", "threads", "throughput, of the standard pool's")
    return Table("overhead", "What measuring every task costs", headings, rows)


def quotas(evaluation: Evaluation) -> Table:
    """Return strategies under quotas of CPU time."""
    runs = choice.some(evaluation, "quota", quota_cores=lambda quota: quota is not None)
    rows = []
    for (workload, quota), own in runs.by(lambda run: (run.workload, run.quota_cores)).items():
        best = contest.best(own)
        rows += [
            (
                workload,
                f"{quota:g}",
                row.name,
                _said(row.runs, "tasks_per_s"),
                _ratio(row.runs, best, "tasks_per_s"),
                _ratio(row.runs, best, "wall_ms_p99"),
            )
            for row in strategy.rows(own, own.first.python)
        ]
    headings = ("workload", "quota, cores", "strategy", "tasks/s", "of static best", "p99, of static best's")
    return Table("quota", "Under a quota of CPU time", headings, tuple(rows))


_MAKERS: dict[str, Callable[[Evaluation], Table]] = {
    "cliff": cliffs,
    "solutions": solutions,
    "profiles": profiles,
    "memory": memory,
    "overhead": overheads,
    "quota": quotas,
}
NAMES: Sequence[str] = tuple(_MAKERS)


def _value(runs: Runs, metric: Metric) -> float:
    found = runs.median(metric)
    return found.value if found is not None else float("nan")


def _said(runs: Runs, metric: Metric, scale: float = 1.0) -> str:
    found = runs.median(metric)
    return NOTHING if found is None else words.within(found.times(scale))


def _ratio(runs: Runs, to: Runs, metric: Metric) -> str:
    found = runs.ratio(to, metric)
    return NOTHING if found is None else words.within(found)
