"""Memory of threads beside processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style, sweep

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs

MIB = 2.0**20
STRATEGIES = ("process", "static", "knee")


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: most memory of the whole process tree, by threads or processes."""
    runs = choice.some(evaluation, "memory")
    figure, panels = style.sheet(1, 1, 2.4)
    panel = panels[0, 0]
    labels = []
    for strategy in STRATEGIES:
        own = runs.where(strategy=strategy)
        look = style.look(style.STRATEGIES, strategy)
        spots = sweep.by_threads(own, "memory_bytes", 1 / MIB)
        draw_on.line(panel, spots, look)
        if spots:
            name = "static threads" if strategy == "static" else look.name
            each = each_mib(own)
            more = (
                ""
                if each is None
                else f"\n{each:.2g} MiB for each more"
                if each >= 0.01
                else "\nnone for each more"
            )
            labels.append(draw_on.Label(spots[-1].y.value, f"{name}{more}", look.colour))
    if not labels:
        raise choice.NoRecordsError("no memory was measured in experiment 'memory'")
    panel.set_ylim(bottom=0)
    panel.set_ylabel("memory of all processes, MiB")
    draw_on.threads_axis(panel, runs.values("threads"), "threads, or processes")
    draw_on.end_labels(panel, labels, size=6, height_inches=1.7)
    kind = (
        "pages shared are divided" if runs.median("pss_bytes_max") else "pages shared count in each process"
    )
    style.footer(figure, [*style.where(runs), f"{runs.first.workload}; {kind}"])
    return figure


def each_mib(runs: Runs) -> float | None:
    """Return how much memory one more thread or process takes: from the fewest to the most measured."""
    spots = sweep.by_threads(runs, "memory_bytes", 1 / MIB)
    if len(spots) < 2:
        return None
    return (spots[-1].y.value - spots[0].y.value) / (spots[-1].x - spots[0].x)
