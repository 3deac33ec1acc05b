"""The latency explosion: p50, p95 and p99 of a task against threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style, sweep

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs

SLA_MS = 10.0
"""The paper's line."""
PERCENTILES = (
    ("p99", "wall_ms_p99", style.Look("p99", style.VERMILION, "o")),
    ("p95", "wall_ms_p95", style.Look("p95", style.ORANGE, "s", (0, (5, 1.5)))),
    ("p50", "wall_ms_p50", style.Look("p50", style.BLUE, "^", (0, (1.5, 1)))),
)


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: one panel for each number of cores."""
    runs = choice.some(evaluation, "cliff", strategy="static", workload="micro")
    groups = sorted(runs.by("cores").items())
    figure, panels = style.sheet(len(groups), 1, 1.75 * len(groups) + 0.3, sharex=True, sharey=True)
    for letter, panel, (_, own) in zip("abcd", panels[:, 0], groups, strict=False):
        percentiles(panel, own)
        panel.set_title(f"({letter}) {style.cores(own)}")
        panel.set_ylabel("wall time of a task, ms")
    draw_on.threads_axis(panels[-1, 0], runs.values("threads"))
    style.footer(figure, [*style.where(runs), "micro, standard pool; time inside the task"])
    return figure


def percentiles(panel: Any, runs: Runs) -> None:
    """Draw the percentiles of some runs and the line that the paper calls its SLA."""
    panel.set_yscale("log")
    labels = []
    for name, metric, look in PERCENTILES:
        spots = sweep.by_threads(runs, metric)
        draw_on.line(panel, spots, look)
        if spots:
            labels.append(draw_on.Label(spots[-1].y.value, f"{name} {spots[-1].y.value:.3g} ms", look.colour))
    draw_on.rule(panel, SLA_MS, "SLA of the paper: 10 ms")
    draw_on.plain_log(panel.yaxis)
    draw_on.end_labels(panel, labels, size=6, height_inches=1.2)
