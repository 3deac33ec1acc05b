"""The OS-GIL paradox: the same threads on more cores, in throughput, context switches and hand-overs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style, sweep

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation

PANELS = (
    ("throughput", "tasks_per_s", "tasks/s"),
    ("context switches", "switches_per_task", "for each task"),
    ("GIL handed from thread to thread", "gil_switches_per_task", "for each task"),
)


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: one panel for each figure that was measured, one line for each number of cores."""
    runs = choice.some(evaluation, "paradox", workload="micro")
    shown = [panel for panel in PANELS if runs.median(panel[1]) is not None]
    missing = [title for title, metric, _ in PANELS if runs.median(metric) is None]
    figure, panels = style.sheet(len(shown), 1, 1.3 * len(shown) + 0.5, sharex=True)
    for letter, panel, (title, metric, unit) in zip("abc", panels[:, 0], shown, strict=False):
        labels = []
        for count, own in sorted(runs.by("cores").items()):
            look = style.look(style.CORES, count)
            spots = sweep.by_threads(own, metric)
            draw_on.line(panel, spots, look)
            if spots:
                labels.append(draw_on.Label(spots[-1].y.value, look.name, look.colour))
        panel.set_ylim(bottom=0)
        draw_on.rates_axis(panel.yaxis)
        panel.set_title(f"({letter}) {title}")
        panel.set_ylabel(unit)
        draw_on.end_labels(panel, labels, height_inches=0.9)
    draw_on.threads_axis(panels[-1, 0], runs.values("threads"))
    facts = [*style.where(runs), "micro"]
    if missing:
        facts.append(f"not seen: {', '.join(missing)}")
    style.footer(figure, facts)
    return figure
