"""How much the paper's controller depends on its threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style
from surefoot.evaluation.figures.shares import THRESHOLD

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Metric, Runs

PANELS: tuple[tuple[str, Metric], ...] = (
    ("throughput, of the best", "tasks_per_s"),
    ("p99 of a task, ms", "wall_ms_p99"),
    ("limit at the end", "limit"),
)


def threshold_of(run: Any) -> float:
    """Return the threshold of a run."""
    return float(run.parameters["beta_threshold"])


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: throughput, tail latency and the limit that was reached, by threshold."""
    runs = choice.some(
        evaluation, "threshold", strategy="paper", parameters=lambda given: "beta_threshold" in given
    )
    figure, panels = style.sheet(len(PANELS), 1, 1.25 * len(PANELS) + 0.5, sharex=True)
    for letter, panel, (title, metric) in zip("abc", panels[:, 0], PANELS, strict=True):
        labels = []
        if metric == "wall_ms_p99":
            panel.set_yscale("log")
        for workload, own in runs.by("workload").items():
            look = style.look(style.WORKLOADS, workload)
            spots = by_threshold(own, metric)
            if metric == "tasks_per_s":
                best = max(spot.y.value for spot in spots)
                spots = [draw_on.Spot(spot.x, spot.y.times(1 / best)) for spot in spots]
            draw_on.line(panel, spots, look)
            if spots:
                labels.append(draw_on.Label(spots[-1].y.value, look.name, look.colour))
        panel.axvline(THRESHOLD, color=style.SOFT, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
        if metric == "tasks_per_s":
            panel.set_ylim(0, 1.1)
            draw_on.percent_axis(panel.yaxis)
        elif metric == "limit":
            panel.set_ylim(bottom=0)
        else:
            draw_on.plain_log(panel.yaxis)
        panel.set_title(f"({letter}) {title}")
        draw_on.end_labels(panel, labels, height_inches=0.85)
    panels[-1, 0].set_xlabel("threshold of the paper's controller (dashed: the published one)")
    style.footer(figure, style.where(runs))
    return figure


def by_threshold(runs: Runs, metric: Metric) -> list[draw_on.Spot]:
    """Return medians by threshold."""
    spots = []
    for threshold, own in sorted(runs.by(threshold_of).items()):
        found = own.median(metric)
        if found is not None:
            spots.append(draw_on.Spot(threshold, found))
    return spots
