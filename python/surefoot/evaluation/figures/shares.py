"""Beta and the four shares against threads: why a veto on beta cannot work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style, sweep
from surefoot.evaluation.records import SHARES, Run

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs

THRESHOLD = 0.3
"""The paper's: below it, its controller refuses to grow."""
CONSTANT = ("fixed-watched", "fixed")
"""Our pool with a constant limit, with the sensors of the default controller and without."""


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: one panel for each workload, shares stacked, beta as a line."""
    runs = choice.some(evaluation, "shares", strategy=CONSTANT)
    groups = list(runs.by("workload").items())
    figure, panels = style.sheet(len(groups), 1, 1.35 * len(groups) + 0.75, sharex=True, sharey=True)
    for letter, panel, (workload, own) in zip("abcdef", panels[:, 0], groups, strict=False):
        _stack(panel, own)
        panel.set_title(f"({letter}) {style.look(style.WORKLOADS, workload).name}")
    draw_on.threads_axis(panels[-1, 0], runs.values("threads"))
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Patch(color=look.colour, alpha=0.75, linewidth=0, label=look.name) for look in style.SHARES.values()
    ]
    handles.append(Line2D([], [], color=style.INK, marker="o", label="beta, 1 \N{MINUS SIGN} cpu / wall"))
    figure.legend(
        handles=handles, loc="outside upper center", ncols=3, frameon=False, fontsize=6, handlelength=1.6
    )
    style.footer(figure, [*style.where(runs), "our pool at a fixed limit"])
    return figure


def _stack(panel: Any, runs: Runs) -> None:
    spots = {name: sweep.by_threads(runs, _share(name)) for name in SHARES}
    xs = [spot.x for spot in spots["cpu"]]
    heights = [[spot.y.value for spot in spots[name]] for name in SHARES if len(spots[name]) == len(xs)]
    names = [name for name in SHARES if len(spots[name]) == len(xs)]
    if len(xs) == 1:
        # A single size is no area: give it a width.
        xs, heights = [xs[0] / 1.2, xs[0] * 1.2], [[height] * 2 for (height,) in heights]
    if xs:
        colours = [style.SHARES[name].colour for name in names]
        panel.stackplot(xs, *heights, colors=colours, alpha=0.75, linewidth=0)
        panel.set_xlim(min(xs), max(xs))
    blocked = sweep.by_threads(runs, beta)
    # The first and the last point, and 100 %, lie on the edge of the panel.
    draw_on.line(panel, blocked, style.Look("beta", style.INK), clip_on=False)
    panel.axhline(THRESHOLD, color=style.INK, linewidth=0.8, linestyle=(0, (4, 2)))
    panel.annotate(
        "veto below 0.3",
        (0.985, THRESHOLD),
        xycoords=("axes fraction", "data"),
        xytext=(0, -3),
        textcoords="offset points",
        fontsize=6,
        ha="right",
        va="top",
        color=style.INK,
        bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 1},
    )
    panel.set_ylim(0, 1)
    draw_on.percent_axis(panel.yaxis)
    panel.set_ylabel("of workers' time")


def _share(name: str) -> Any:
    return lambda run: run.measurement.shares.get(name)


def beta(run: Run) -> float | None:
    """Return the mean blocking ratio of a run; from its CPU share where it was not taken by itself."""
    if run.measurement.beta_mean is not None:
        return run.measurement.beta_mean
    cpu = run.measurement.shares.get("cpu")
    return None if cpu is None else 1.0 - cpu
