"""The comparison of solutions: throughput, and latency against throughput."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import strategy, style

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs


def draw(evaluation: Evaluation) -> Any:
    """Return the figure for `micro`."""
    return _draw(choice.every(evaluation, "solutions", workload="micro"))


def draw_stated(evaluation: Evaluation) -> Any:
    """Return the figure for `stated`."""
    return _draw(choice.every(evaluation, "solutions", workload="stated"))


def _draw(runs: Runs) -> Any:
    rows = strategy.rows(runs, choice.main_python(runs).first.python)
    if not rows:
        raise choice.NoRecordsError("nothing was compared in experiment 'solutions'")
    height = 0.135 * len(rows)
    figure, panels = style.sheet(2, 1, height + 2.9, height_ratios=[height + 0.25, 1.9])
    throughput(panels[0, 0], rows)
    panels[0, 0].set_title(f"(a) throughput of {runs.first.workload}")
    tradeoff(panels[1, 0], rows)
    panels[1, 0].set_title("(b) p99 against throughput", loc="left")
    style.footer(figure, style.where(runs))
    return figure


def throughput(panel: Any, rows: list[strategy.Row]) -> None:
    """Draw each strategy's throughput from 0 on, with its interval and figure."""
    known = [(row, rate) for row in rows if (rate := row.runs.median()) is not None]
    for place, (row, rate) in enumerate(known):
        panel.barh(place, rate.value, color=row.look.colour, alpha=0.35, height=0.66, linewidth=0)
        draw_on.dot(panel, rate, place, row.look)
        panel.annotate(
            draw_on.rate(rate.value),
            (rate.high, place),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=6,
            color=style.SOFT,
            va="center",
            ha="left",
        )
    panel.set_yticks(range(len(known)), [row.name for row, _ in known])
    panel.set_ylim(len(known) - 0.4, -0.6)
    panel.grid(axis="y", visible=False)
    draw_on.rates_axis(panel.xaxis)
    panel.set_xlim(0, 1.12 * max(rate.high for _, rate in known))
    panel.set_xlabel("tasks/s")


def tradeoff(panel: Any, rows: list[strategy.Row]) -> None:
    """Draw p99 against throughput, each strategy by its name."""
    panel.set_yscale("log")
    spots = []
    for row in rows:
        rate, tail = row.runs.median(), row.runs.median("wall_ms_p99")
        if rate is None or tail is None:
            continue
        colour = row.look.colour
        panel.plot([rate.low, rate.high], [tail.value] * 2, color=colour, linewidth=0.8)
        panel.plot([rate.value] * 2, [tail.low, tail.high], color=colour, linewidth=0.8)
        panel.plot(
            [rate.value], [tail.value], color=colour, marker=row.look.marker, linestyle="none", markersize=4
        )
        spots.append((rate.value, tail.value, row))
    draw_on.rates_axis(panel.xaxis)
    panel.set_xlim(0, 1.08 * max(x for x, _, _ in spots))
    low, high = min(y for _, y, _ in spots), max(y for _, y, _ in spots)
    panel.set_ylim(low / 2, high * 2)
    draw_on.plain_log(panel.yaxis)
    panel.set_xlabel("tasks/s")
    panel.set_ylabel("p99 of a task, ms")
    draw_on.spread_names(panel, [(x, y, row.name, row.look.colour) for x, y, row in spots])
