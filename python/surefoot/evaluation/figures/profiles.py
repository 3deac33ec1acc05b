"""Seven edge profiles: throughput and tail latency against the best static pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice, contest
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.records import Run
    from surefoot.evaluation.runs import Runs

STRATEGIES = ("knee", "paper", "static")
LEAST = 0.92
"""The bar for the least efficiency of `knee`."""
TAIL_MOST = 1.3
"""The bar for its p99 against that of static best."""


def by_workload(run: Run) -> str:
    """Return the profile of a run."""
    return run.workload


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: one row for each profile, and the mean."""
    runs = choice.some(evaluation, "profiles")
    names = list(runs.by("workload"))
    figure, panels = style.sheet(2, 1, 0.36 * len(names) + 1.3, sharey=True)
    efficiency, tail = panels[:, 0]
    shown = []
    for offset, name in zip((-0.22, 0.0, 0.22), STRATEGIES, strict=True):
        look = style.look(style.STRATEGIES, name)
        found = contest.standings(runs, name, by_workload)
        for profile, each in found.items():
            draw_on.dot(efficiency, each.efficiency, names.index(profile) + offset, look)
            if each.tail is not None:
                draw_on.dot(tail, each.tail, names.index(profile) + offset, look)
        if found:
            size = "" if name != "static" else _size(runs)
            shown.append(style.Look(look.name + size, look.colour, look.marker))
    for panel in (efficiency, tail):
        panel.axvline(1.0, color=style.INK, linewidth=0.8, zorder=1)
        panel.set_yticks(range(len(names)), names)
        panel.set_ylim(len(names) - 0.5, -0.5)
    efficiency.set_title("(a) throughput, of static best (dashed: bar of 0.92)")
    efficiency.axvline(LEAST, color=style.SOFT, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    efficiency.set_xlim(left=0)
    tail.set_xscale("log")
    tail.set_title("(b) p99, of static best's (dashed: bar of 1.3)")
    tail.axvline(TAIL_MOST, color=style.SOFT, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    draw_on.plain_log(tail.xaxis)
    draw_on.key_above(figure, shown, 3)
    style.footer(figure, style.where(runs))
    return figure


def _size(runs: Runs) -> str:
    sizes = runs.where(strategy="static", phase=contest.contested).values("threads")
    return f" {sizes[0]}" if len(sizes) == 1 else ""
