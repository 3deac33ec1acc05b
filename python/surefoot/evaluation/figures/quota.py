"""Quotas of CPU time, as containers have them: half a core, one, two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice, contest
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation

STRATEGIES = ("knee", "paper", "static")


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: throughput and p99 against the best static pool under the same quota."""
    runs = choice.some(evaluation, "quota", quota_cores=lambda quota: quota is not None)
    places = sorted({(run.workload, run.quota_cores) for run in runs}, key=lambda each: (each[0], each[1]))
    figure, panels = style.sheet(2, 1, 0.34 * len(places) + 1.45, sharey=True)
    shown = []
    for offset, name in zip((-0.22, 0.0, 0.22), STRATEGIES, strict=True):
        look = style.look(style.STRATEGIES, name)
        found = contest.standings(runs, name, lambda run: (run.workload, run.quota_cores))
        for place, each in found.items():
            draw_on.dot(panels[0, 0], each.efficiency, places.index(place) + offset, look)
            if each.tail is not None:
                draw_on.dot(panels[1, 0], each.tail, places.index(place) + offset, look)
        if found:
            shown.append(look)
    if not shown:
        raise choice.NoRecordsError("nothing was compared in experiment 'quota'")
    names = [f"{workload}, {quota:g} core{'' if quota == 1 else 's'}" for workload, quota in places]
    for panel in panels[:, 0]:
        panel.axvline(1.0, color=style.INK, linewidth=0.8, zorder=1)
        panel.set_yticks(range(len(names)), names)
        panel.set_ylim(len(names) - 0.5, -0.5)
    panels[0, 0].set_title("(a) throughput, of static best's")
    panels[0, 0].set_xlim(left=0)
    panels[1, 0].set_xscale("log")
    draw_on.plain_log(panels[1, 0].xaxis)
    panels[1, 0].set_title("(b) p99, of static best's")
    draw_on.key_above(figure, shown, 3)
    style.footer(figure, [*style.where(runs), "static best: under the same quota"])
    return figure
