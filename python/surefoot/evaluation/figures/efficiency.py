"""What each thread contributes: throughput divided by threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style, sweep

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.records import Run


def per_thread(run: Run) -> float | None:
    """Return tasks/s per thread."""
    return run.measurement.tasks_per_s / run.threads if run.threads else None


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: `micro` by cores, and pure I/O, relative to one thread."""
    runs = choice.some(evaluation, "cliff", strategy="static", workload=("micro", "io"))
    figure, panels = style.sheet(1, 1, 2.3)
    panel = panels[0, 0]
    panel.set_yscale("log")
    labels = []
    for (workload, count), own in runs.by(lambda run: (run.workload, run.cores)).items():
        if workload == "io" and count != min(runs.values("cores")):
            continue
        look = style.look(style.CORES, count) if workload == "micro" else style.WORKLOADS["io"]
        spots = sweep.by_threads(own, per_thread)
        one = spots[0].y.value
        spots = [draw_on.Spot(spot.x, spot.y.times(1 / one), spot.is_truncated) for spot in spots]
        draw_on.line(panel, spots, look)
        name = f"micro,\n{style.cores(own).partition(' (')[0]}" if workload == "micro" else "pure I/O"
        labels.append(draw_on.Label(spots[-1].y.value, name, look.colour))
    draw_on.percent_axis(panel.yaxis)
    panel.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    panel.set_ylabel("tasks/s per thread, of one thread's")
    draw_on.threads_axis(panel, runs.values("threads"))
    draw_on.end_labels(panel, labels, size=6, height_inches=1.6)
    style.footer(figure, [*style.where(runs), "standard pool"])
    return figure
