"""The first figure that a reader sees: the cliff, and the same pool finding its own size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style, sweep

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation

_STANDARD = style.Look("standard pool", style.VERMILION, "o")
_OURS = style.Look("surefoot", style.GREEN, "D", "--")


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: throughput and p99 of `micro` by threads asked for, on the most cores measured."""
    runs = choice.some(evaluation, "cliff", strategy="static", workload="micro")
    runs = runs.where(cores=max(runs.values("cores")))
    ours = evaluation.experiment(
        "knee-cliff", workload="micro", strategy="knee", cores=runs.first.cores, python=runs.first.python
    )
    if not ours:
        raise choice.NoRecordsError("no runs of experiment 'knee-cliff' beside those of 'cliff'")
    figure, panels = style.sheet(1, 2, 2.5, style.PAGE_INCHES)
    left, right = panels[0]
    right.set_yscale("log")
    labels: dict[Any, list[draw_on.Label]] = {left: [], right: []}
    most = max(runs.values("threads"))
    cap = max(ours.values("threads"))
    for panel, metric, unit in ((left, "tasks_per_s", "tasks/s"), (right, "wall_ms_p99", "ms")):
        spots = sweep.by_threads(runs, metric)
        draw_on.line(panel, spots, _STANDARD)
        labels[panel].append(draw_on.Label(spots[-1].y.value, "standard pool", _STANDARD.colour))
        found = ours.where(threads=cap).median(metric)
        limit = ours.where(threads=cap).median("limit")
        if found is not None:
            panel.axhspan(found.low, found.high, color=_OURS.colour, alpha=0.18, linewidth=0)
            panel.axhline(found.value, color=_OURS.colour, linestyle="--", linewidth=1.4)
            said = f"surefoot:\n{draw_on.rate(found.value)} {unit}"
            if limit is not None:
                said += f",\nlimit {limit.value:.0f}"
            labels[panel].append(draw_on.Label(found.value, said, _OURS.colour))
    shape = runs.curve()
    left.set_ylim(0, 1.15 * left.get_ylim()[1])
    if shape is not None:
        draw_on.note(
            left,
            f"best {draw_on.rate(shape.peak.rate.value)}/s at {shape.peak.threads}",
            shape.peak.threads,
            shape.peak.rate.value,
            dy=8,
            colour=_STANDARD.colour,
        )
        draw_on.note(
            left,
            f"\N{MINUS SIGN}{100 * shape.loss:.0f} % at {most:,}",
            most,
            shape.last.rate.value,
            dy=-6,
            colour=_STANDARD.colour,
            ha="right",
        )
    draw_on.rates_axis(left.yaxis)
    left.set_ylabel("tasks/s")
    left.set_title(f"throughput of micro, {style.cores(runs)}")
    draw_on.plain_log(right.yaxis)
    right.set_ylabel("ms")
    right.set_title("99th percentile of a task's time")
    for panel in (left, right):
        draw_on.threads_axis(
            panel,
            runs.values("threads"),
            "threads (surefoot: chosen by itself, at most 2,048)" if cap == 2048 else "threads",
        )
        draw_on.end_labels(panel, labels[panel], size=6, height_inches=1.5)
    style.footer(figure, style.where(runs))
    return figure
