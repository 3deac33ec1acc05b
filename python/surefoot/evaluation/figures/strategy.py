"""Strategies as rows: how they are ordered, named and coloured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from surefoot.evaluation import contest
from surefoot.evaluation.figures import style

if TYPE_CHECKING:
    from surefoot.evaluation.runs import Runs

_ORDER = list(style.STRATEGIES)
_SIZED = ("static", "static-best", "process", "asyncio", "interpreter", "fixed", "fixed-watched")


@dataclass(frozen=True)
class Row:
    """A strategy with its size and interpreter, and its runs."""

    name: str
    strategy: str
    look: style.Look
    runs: Runs


def rows(runs: Runs, main_python: str) -> list[Row]:
    """Return what competes in these runs, sweeps left out, in the order of figures and tables."""
    compared = runs.where(phase=contest.contested)
    groups = compared.by(
        lambda run: (run.strategy, run.threads if run.strategy in _SIZED else None, run.python)
    )
    found = []
    for (strategy, threads, python), own in groups.items():
        look = style.look(style.STRATEGIES, strategy)
        name = look.name if threads is None else f"{look.name} {threads}"
        if python != main_python:
            name += f", {python}"
        place = _ORDER.index(strategy) if strategy in _ORDER else len(_ORDER)
        found.append(((python != main_python, place, threads or 0, python), Row(name, strategy, look, own)))
    return [row for _, row in sorted(found, key=lambda each: each[0])]
