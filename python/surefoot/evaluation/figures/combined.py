"""The paper's summary in four panels: the cliff twice, latency, strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import cliff, strategy, style, sweep
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures.latency import SLA_MS

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation

STRATEGIES = ("static", "static-best", "paper", "knee")


def draw(evaluation: Evaluation) -> Any:
    """Return the figure, two columns wide."""
    runs = choice.some(evaluation, "cliff", strategy="static", workload="micro")
    compared = choice.some(evaluation, "solutions", workload="micro")
    rows = [row for row in strategy.rows(compared, compared.first.python) if row.strategy in STRATEGIES]
    if not rows:
        raise choice.NoRecordsError("nothing was compared in experiment 'solutions'")
    groups = sorted(runs.by("cores").items())
    figure, panels = style.sheet(2, 2, 4.2, style.PAGE_INCHES)
    for letter, panel, (_, own) in zip("ab", (panels[0, 0], panels[0, 1]), groups, strict=False):
        cliff.absolute(panel, own)
        draw_on.threads_axis(panel, runs.values("threads"))
        panel.set_title(f"({letter}) micro, {style.cores(own)}")
    if len(groups) < 2:
        panels[0, 1].set_axis_off()
    _tails(panels[1, 0], groups)
    draw_on.threads_axis(panels[1, 0], runs.values("threads"))
    panels[1, 0].set_title("(c) tail latency, p99")
    _strategies(panels[1, 1], rows)
    panels[1, 1].set_title(f"(d) strategies on micro, {style.cores(compared)}")
    style.footer(figure, style.where(runs))
    return figure


def _tails(panel: Any, groups: Any) -> None:
    panel.set_yscale("log")
    labels = []
    for count, own in groups:
        look = style.look(style.CORES, count)
        spots = sweep.by_threads(own, "wall_ms_p99")
        draw_on.line(panel, spots, look)
        if spots:
            labels.append(draw_on.Label(spots[-1].y.value, look.name, look.colour))
    draw_on.rule(panel, SLA_MS, "SLA of the paper: 10 ms")
    draw_on.plain_log(panel.yaxis)
    panel.set_ylabel("p99 of a task, ms")
    draw_on.end_labels(panel, labels, height_inches=1.4)


def _strategies(panel: Any, rows: list[strategy.Row]) -> None:
    known = [
        (row, rate, row.runs.median("wall_ms_p99")) for row in rows if (rate := row.runs.median()) is not None
    ]
    for place, (row, rate, tail) in enumerate(known):
        panel.bar(place, rate.value, color=row.look.colour, alpha=0.45, width=0.6, linewidth=0)
        panel.plot([place, place], [rate.low, rate.high], color=row.look.colour, linewidth=1.2)
        said = draw_on.rate(rate.value) + (f"\np99 {tail.value:.3g} ms" if tail else "")
        draw_on.note(panel, said, place, rate.high, dy=2)
    panel.set_xticks(range(len(known)), [row.name for row, _, _ in known])
    panel.set_xlim(-0.6, len(known) - 0.4)
    panel.set_ylim(0, 1.3 * max(rate.high for _, rate, _ in known))
    panel.grid(axis="x", visible=False)
    draw_on.rates_axis(panel.yaxis)
    panel.set_ylabel("tasks/s")
