"""What measuring every task costs: our pool at a fixed limit beside the standard pool of the same size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.evaluation import choice
from surefoot.evaluation.figures import panel as draw_on
from surefoot.evaluation.figures import style

if TYPE_CHECKING:
    from surefoot.evaluation.estimate import Estimate
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs


def draw(evaluation: Evaluation) -> Any:
    """Return the figure: one row for each workload and size."""
    runs = choice.some(evaluation, "overhead", strategy=("static", "fixed"))
    found = ratios(runs)
    if not found:
        raise choice.NoRecordsError("no pair of pools in experiment 'overhead'")
    figure, panels = style.sheet(1, 1, 0.16 * len(found) + 1.0)
    panel = panels[0, 0]
    names = []
    for place, ((workload, size), each) in enumerate(found.items()):
        look = style.look(style.WORKLOADS, workload.partition(",")[0])
        draw_on.dot(panel, each, place, look)
        names.append(f"{workload}, {size} threads")
    panel.axvline(1.0, color=style.INK, linewidth=0.8, zorder=1)
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    low = min(0.9, *(each.low for each in found.values()))
    high = max(1.1, *(each.high for each in found.values()))
    panel.set_xlim(low - 0.02, high + 0.02)
    panel.set_xlabel("throughput, every task measured,\nof the standard pool's")
    style.footer(figure, [*style.where(runs), "axis not from 0"])
    return figure


def ratios(runs: Runs) -> dict[tuple[str, int], Estimate]:
    """Return throughput of our pool at a fixed limit, of the standard pool's, by workload and size."""
    found = {}
    for place, own in runs.by(lambda run: (workload(run), run.threads)).items():
        each = own.where(strategy="fixed").ratio(own.where(strategy="static"))
        if each is not None:
            found[place] = each
    return found


def workload(run: Any) -> str:
    """Return the workload with its parameters."""
    given = ", ".join(
        f"{key} {value:g}" for key, value in run.parameters.items() if isinstance(value, (int, float))
    )
    return f"{run.workload}, {given}" if given else str(run.workload)
