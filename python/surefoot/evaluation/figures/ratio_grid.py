"""Robustness: efficiency over a grid of CPU and I/O times, as a heat map."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice, contest
from surefoot.evaluation.figures import style

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.records import Run

STRATEGIES = ("knee", "paper")


def place(run: Run) -> tuple[float, float]:
    """Return CPU and I/O time of a task in ms, from the parameters that are called so."""
    return _ms(run, "cpu"), _ms(run, "io")


def _ms(run: Run, what: str) -> float:
    units = {"s": 1000.0, "ms": 1.0, "us": 0.001}
    for key, value in run.parameters.items():
        found = re.fullmatch(rf"{what}_(s|ms|us)", key)
        if found:
            return float(value) * units[found[1]]
    raise choice.NoRecordsError(f"the ratio grid's runs do not say their {what} time")


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: one map for each strategy."""
    runs = choice.some(evaluation, "ratio-grid")
    maps = {name: found for name in STRATEGIES if (found := contest.standings(runs, name, place))}
    if not maps:
        raise choice.NoRecordsError("nothing was compared in experiment 'ratio-grid'")
    cpus = sorted({cpu for found in maps.values() for cpu, _ in found})
    ios = sorted({io for found in maps.values() for _, io in found})
    figure, panels = style.sheet(len(maps), 1, len(maps) * (0.3 * len(cpus) + 0.65) + 0.45)
    for letter, panel, (name, found) in zip("abc", panels[:, 0], maps.items(), strict=False):
        _map(panel, found, cpus, ios)
        panel.set_title(f"({letter}) {style.look(style.STRATEGIES, name).name}: throughput, of static best")
        panel.set_ylabel("CPU, ms")
    panels[-1, 0].set_xlabel("I/O, ms")
    style.footer(figure, [*style.where(runs), "below each figure: size of static best"])
    return figure


def _map(panel: Any, found: dict[Any, contest.Standing], cpus: list[float], ios: list[float]) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    colours = colormaps["cividis"]
    for row, cpu in enumerate(cpus):
        for column, io in enumerate(ios):
            standing = found.get((cpu, io))
            if standing is None:
                panel.annotate("\N{EN DASH}", (column, row), ha="center", va="center")
                continue
            value = standing.efficiency.value
            # The scale ends at 0.5: below, everything is bad.
            shade = min(1.0, max(0.0, (value - 0.5) / 0.5))
            panel.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colours(shade), edgecolor=style.PAPER)
            )
            ink = style.ON_LIGHT if shade > 0.55 else style.ON_DARK
            panel.annotate(
                f"{value:.2f}", (column, row + 0.12), ha="center", va="center", color=ink, fontsize=7
            )
            if standing.best_threads is not None:
                panel.annotate(
                    f"{standing.best_threads}",
                    (column, row - 0.3),
                    ha="center",
                    va="center",
                    color=ink,
                    fontsize=5,
                )
    panel.set_xlim(-0.5, len(ios) - 0.5)
    panel.set_ylim(-0.5, len(cpus) - 0.5)
    panel.set_xticks(range(len(ios)), [f"{io:g}" for io in ios])
    panel.set_yticks(range(len(cpus)), [f"{cpu:g}" for cpu in cpus])
    panel.grid(visible=False)
    for side in ("left", "bottom"):
        panel.spines[side].set_visible(False)
    panel.tick_params(length=0)
