"""Fine-grained and coarse tasks: the same work, once and a hundred times in a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice, contest
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style, sweep
from surefoot.evaluation.figures.overhead import workload

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: the standard pool's throughput by threads, and where `knee` stands."""
    runs = choice.some(evaluation, "granularity")
    figure, panels = style.sheet(1, 1, 2.5)
    panel = panels[0, 0]
    labels = []
    for look, (name, own) in zip(style.WORKLOADS.values(), runs.by(workload).items(), strict=False):
        shape = own.where(strategy="static").curve()
        if shape is None:
            continue
        spots = sweep.shares_of_best(shape)
        draw_on.line(panel, spots, look)
        knee = own.where(strategy="knee")
        standing, limit = contest.standing(own, knee), knee.median("limit")
        said = f"{name}\nbest {draw_on.rate(shape.peak.rate.value)}/s at {shape.peak.threads}"
        if standing is not None and limit is not None:
            spot = (limit.value, standing.efficiency.value)
            panel.plot(
                *spot,
                marker="D",
                color=style.STRATEGIES["knee"].colour,
                markersize=4,
                zorder=4,
                linestyle="none",
            )
            said += f"\nknee: {100 * standing.efficiency.value:.0f} %"
        labels.append(draw_on.Label(spots[-1].y.value, said, look.colour))
    if not labels:
        raise choice.NoRecordsError("no sweep in experiment 'granularity'")
    panel.set_ylim(0, 1.25)
    draw_on.percent_axis(panel.yaxis)
    panel.set_ylabel("throughput, of own best")
    draw_on.threads_axis(panel, runs.values("threads"), "threads (green, knee: its limit)")
    draw_on.end_labels(panel, labels, size=6, height_inches=1.8)
    style.footer(figure, style.where(runs))
    return figure
