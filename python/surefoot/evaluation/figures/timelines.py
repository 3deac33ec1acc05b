"""Controllers over time: limit with its vetoes, throughput, shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style
from surefoot.evaluation.records import SHARES, Run

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs

STRATEGIES = ("paper", "betapool", "knee")
_STEP_S = 0.5


def draw(evaluation: Evaluation) -> Any:
    """Return the figure for `stated`."""
    return _draw(choice.some(evaluation, "timelines", workload="stated"))


def draw_io(evaluation: Evaluation) -> Any:
    """Return the figure for pure I/O."""
    return _draw(choice.some(evaluation, "timelines", workload="io"))


def _draw(runs: Runs) -> Any:
    chosen = []
    for strategy in STRATEGIES:
        looked = [run for run in runs.where(strategy=strategy).calm() if run.measurement.timeline]
        if looked:
            # The run in the middle stands for all: a median of timelines is nobody's timeline.
            looked.sort(key=lambda run: run.measurement.tasks_per_s)
            chosen.append(looked[len(looked) // 2])
    if not chosen:
        raise choice.NoRecordsError("no timeline in experiment 'timelines'")
    figure, panels = style.sheet(3, len(chosen), 3.9, style.PAGE_INCHES, sharex=True, sharey="row")
    for column, run in enumerate(chosen):
        look = style.look(style.STRATEGIES, run.strategy)
        _limit(panels[0, column], run, look)
        _throughput(panels[1, column], run, look)
        _shares(panels[2, column], run)
        panels[0, column].set_title(f"({'abc'[column]}) {look.name}")
        panels[2, column].set_xlabel("s")
    # Only now: what all panels of a row share must fit the highest of them.
    for row in panels[:2]:
        row[0].set_ylim(bottom=0)
    panels[0, 0].set_ylabel("limit, workers")
    panels[1, 0].set_ylabel("tasks/s")
    panels[2, 0].set_ylabel("of workers' time")
    from matplotlib.patches import Patch

    handles = [
        Patch(color=look.colour, alpha=0.75, linewidth=0, label=look.name) for look in style.SHARES.values()
    ]
    figure.legend(
        handles=handles, loc="outside upper right", ncols=4, frameon=False, fontsize=6, handlelength=1.4
    )
    facts = [
        *style.where(runs, "of each strategy the run in the middle"),
        f"{runs.first.workload}; ticks: vetoes",
    ]
    style.footer(figure, facts)
    return figure


def _limit(panel: Any, run: Run, look: style.Look) -> None:
    points = [point for point in run.measurement.timeline if point.limit is not None]
    xs, limits = [point.at_s for point in points], [float(point.limit or 0) for point in points]
    panel.step(xs, limits, where="post", color=look.colour)
    if points:
        draw_on.note(
            panel, f"{limits[-1]:g}", xs[-1], limits[-1], dx=-2, dy=3, colour=look.colour, ha="right"
        )
    vetoes = [each for each in run.measurement.decisions if "veto" in each.rule or "veto" in each.reason]
    for each in vetoes:
        panel.axvline(each.at_s, ymax=0.06, color=style.INK, linewidth=0.6)
    count = sum(run.measurement.vetoes.values())
    said = ", ".join(f"{number} {reason}" for reason, number in sorted(run.measurement.vetoes.items()))
    # Below the panel, where no line can cross it.
    panel.set_xlabel(
        f"vetoes: {said}" if count else "vetoes: none", fontsize=6, loc="right", color=style.SOFT
    )


def _throughput(panel: Any, run: Run, look: style.Look) -> None:
    points = [
        (point.at_s, point.tasks_done) for point in run.measurement.timeline if point.tasks_done is not None
    ]
    xs, rates = [], []
    before_s, before = 0.0, 0
    for at_s, done in points:
        if at_s - before_s >= _STEP_S * 0.9:
            xs.append(at_s)
            rates.append((done - before) / (at_s - before_s))
            before_s, before = at_s, done
    panel.plot(xs, rates, color=look.colour)
    draw_on.rates_axis(panel.yaxis)


def _shares(panel: Any, run: Run) -> None:
    points = [point for point in run.measurement.timeline if point.shares]
    names = [name for name in SHARES if all(name in point.shares for point in points)]
    if len(points) > 1 and names:
        heights = [[point.shares[name] for point in points] for name in names]
        colours = [style.SHARES[name].colour for name in names]
        if len(names) < len(SHARES):
            # Without the sensors that `knee` asks for, CPU and run queue are known; the rest is any wait.
            heights.append([max(0.0, 1.0 - sum(each)) for each in zip(*heights, strict=True)])
            colours.append(style.RULE)
            draw_on.note(panel, "waits, not told apart", points[len(points) // 2].at_s, 0.6, dy=0)
        panel.stackplot([p.at_s for p in points], *heights, colors=colours, alpha=0.75, linewidth=0)
    else:
        panel.annotate(
            "not measured by this pool",
            (0.5, 0.5),
            xycoords="axes fraction",
            ha="center",
            va="center",
            color=style.SOFT,
            fontsize=6,
        )
    panel.set_ylim(0, 1)
    draw_on.percent_axis(panel.yaxis)
