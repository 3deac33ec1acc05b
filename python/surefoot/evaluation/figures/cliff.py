"""The saturation cliff: throughput of the standard pool against threads, beside pure I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style, sweep

if TYPE_CHECKING:
    from surefoot.evaluation.curve import Curve
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: one panel for each number of cores, each workload relative to its own best."""
    runs = choice.some(evaluation, "cliff", strategy="static")
    groups = sorted(runs.by("cores").items())
    figure, panels = style.sheet(len(groups), 1, 1.9 * len(groups) + 0.3, sharex=True)
    for letter, panel, (_, own) in zip("abcd", panels[:, 0], groups, strict=False):
        relative(panel, own)
        panel.set_title(f"({letter}) {style.cores(own)}")
    draw_on.threads_axis(panels[-1, 0], runs.values("threads"))
    style.footer(figure, [*style.where(runs), "standard pool; hollow: run cut short, rough"])
    return figure


def relative(panel: Any, runs: Runs) -> None:
    """Draw each workload's throughput as a share of its own best, and say what its best is."""
    labels = []
    for workload, own in runs.by("workload").items():
        shape = own.curve()
        if shape is None:
            continue
        look = style.look(style.WORKLOADS, workload)
        spots = sweep.shares_of_best(shape)
        draw_on.line(panel, spots, look)
        best = f"{draw_on.rate(shape.peak.rate.value)}/s at {shape.peak.threads:,}"
        lost = f", {loss(shape)}" if shape.is_cliff else ""
        labels.append(draw_on.Label(spots[-1].y.value, f"{look.name}{lost}\nbest {best}", look.colour))
    panel.set_ylim(0, 1.12)
    draw_on.percent_axis(panel.yaxis)
    panel.set_ylabel("throughput, of own best")
    draw_on.end_labels(panel, labels, size=6, height_inches=1.5)


def loss(shape: Curve) -> str:
    """Return what is lost at the most threads."""
    return f"\N{MINUS SIGN}{100 * shape.loss:.0f} %"


def absolute(panel: Any, runs: Runs) -> None:
    """Draw throughput in tasks/s with peak, knee and loss; runs of one workload and number of cores."""
    shape = runs.curve()
    if shape is None:
        return
    look = style.look(style.CORES, runs.first.cores)
    draw_on.line(panel, sweep.by_threads(runs), look)
    panel.set_ylim(0, 1.22 * shape.peak.rate.high)
    draw_on.rates_axis(panel.yaxis)
    panel.set_ylabel("tasks/s")
    draw_on.note(
        panel,
        f"best {draw_on.rate(shape.peak.rate.value)}/s at {shape.peak.threads}",
        shape.peak.threads,
        shape.peak.rate.value,
        dy=5,
        colour=look.colour,
    )
    draw_on.note(
        panel,
        loss(shape),
        shape.last.threads,
        shape.last.rate.value,
        dy=-6,
        colour=look.colour,
        ha="right",
    )
