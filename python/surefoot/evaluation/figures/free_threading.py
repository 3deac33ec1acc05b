"""The same threads with and without the GIL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style, sweep

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation

LOOKS = {
    False: style.Look("with GIL", style.VERMILION, "o"),
    True: style.Look("without", style.BLUE, "s", (0, (5, 1.5))),
}


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: one panel for each workload, one line for each interpreter, `knee` at its limit."""
    runs = choice.every(evaluation, "free-threading")
    groups = list(runs.by("workload").items())
    figure, panels = style.sheet(len(groups), 1, 1.6 * len(groups) + 0.5, sharex=True)
    for letter, panel, (name, own) in zip("abcd", panels[:, 0], groups, strict=False):
        labels = []
        for is_free, some in sorted(own.by(lambda run: run.interpreter.is_free_threaded).items()):
            look = LOOKS[is_free]
            spots = sweep.by_threads(some.where(strategy="static"))
            draw_on.line(panel, spots, look)
            if spots:
                labels.append(
                    draw_on.Label(spots[-1].y.value, f"{look.name}, {some.first.python}", look.colour)
                )
            knee = some.where(strategy="knee")
            rate, limit = knee.median(), knee.median("limit")
            if rate is not None and limit is not None:
                panel.plot(
                    limit.value,
                    rate.value,
                    marker="D",
                    color=style.STRATEGIES["knee"].colour,
                    markersize=4.5,
                    linestyle="none",
                    zorder=4,
                    markeredgecolor=look.colour,
                )
                draw_on.note(
                    panel,
                    "knee",
                    limit.value,
                    rate.value,
                    dx=4,
                    dy=-4,
                    ha="left",
                    colour=style.STRATEGIES["knee"].colour,
                )
        low, high = panel.get_ylim()
        panel.set_ylim(0, high + 0.12 * (high - low))
        draw_on.rates_axis(panel.yaxis)
        panel.set_ylabel("tasks/s")
        panel.set_title(f"({letter}) {style.look(style.WORKLOADS, name).name}")
        draw_on.end_labels(panel, labels, height_inches=1.1)
    draw_on.threads_axis(panels[-1, 0], runs.values("threads"), "threads (of knee: its limit)")
    style.footer(figure, style.where(runs))
    return figure
