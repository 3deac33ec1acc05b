"""What all figures look like: size, type, colours, and the line that says what was measured where."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot.evaluation.runs import Runs

COLUMN_INCHES = 3.5
"""Width of a column of a paper."""
PAGE_INCHES = 7.0
"""Width of two."""

# Okabe and Ito's palette, which people with any kind of colour vision can tell apart. Lines differ by marker
# and dash as well, so that a figure survives a black-and-white printer.
INK = "#1b1b1b"
SOFT = "#5f6368"
RULE = "#d4d4d4"
PAPER = "#ffffff"
BLUE = "#0072b2"
VERMILION = "#d55e00"
GREEN = "#009e73"
ORANGE = "#e69f00"
PURPLE = "#cc79a7"
SKY = "#56b4e9"
GREY = "#8a8a8a"

# The same hues, dark enough for small words on paper: a line may be paler than what is to be read.
_WORDS = {
    VERMILION: "#b34e00",
    GREEN: "#00704f",
    ORANGE: "#8a5a00",
    PURPLE: "#a34878",
    SKY: "#1b6fa8",
    GREY: "#6b6b6b",
}

# On coloured ground, whatever the page's: not among the colours that a page may exchange.
ON_DARK = "#fefefe"
ON_LIGHT = "#010101"

RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.6,
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    "axes.labelpad": 2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.4,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "lines.linewidth": 1.2,
    "lines.markersize": 3,
    "lines.markeredgewidth": 0.8,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",
    # Without it, two figures of the same records differ.
    "svg.hashsalt": "surefoot",
}


@dataclass(frozen=True)
class Look:
    """How one thing is drawn in every figure."""

    name: str
    colour: str
    marker: str = "o"
    dash: Any = "-"


WORKLOADS = {
    "micro": Look("micro", VERMILION, "o"),
    "stated": Look("stated", PURPLE, "s", (0, (5, 1.5))),
    "cpu": Look("pure CPU", BLUE, "^", (0, (3, 1, 1, 1))),
    "io": Look("pure I/O", GREEN, "D", (0, (1.5, 1))),
}
STRATEGIES = {
    "sequential": Look("sequential", GREY, "x"),
    "static": Look("static", VERMILION, "s"),
    "static-best": Look("static best", INK, "o"),
    "fixed": Look("fixed", SKY, "P"),
    "fixed-watched": Look("fixed, watched", SKY, "P"),
    "paper": Look("paper", PURPLE, "^", (0, (5, 1.5))),
    "betapool": Look("BetaPool 1.0.2", ORANGE, "v", (0, (3, 1, 1, 1))),
    "knee": Look("knee", GREEN, "D"),
    "queue-depth": Look("queue depth", BLUE, "P"),
    "futurist": Look("futurist 3.5", SKY, "X"),
    "process": Look("processes", BLUE, "<"),
    "asyncio": Look("asyncio", SKY, ">"),
    "interpreter": Look("interpreters", ORANGE, "h"),
}
CORES = {
    1: Look("one core", BLUE, "o"),
    2: Look("two cores", VERMILION, "s"),
    4: Look("four cores", PURPLE, "^"),
}
SHARES = {
    "cpu": Look("CPU", BLUE),
    "runqueue": Look("run queue", ORANGE),
    "gil": Look("GIL wait", VERMILION),
    "io": Look("I/O and other waits", GREEN),
}
OTHERS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY)
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four", 8: "eight"}


def words(colour: str) -> str:
    """Return the colour of words about a line of this colour."""
    return _WORDS.get(colour, colour)


def look(looks: dict[Any, Look], key: Any) -> Look:
    """Return how something is drawn, also what no figure has met yet."""
    if key in looks:
        return looks[key]
    text = str(key)
    return Look(text, OTHERS[sum(text.encode()) % len(OTHERS)], "*")


def sheet(
    rows: int, columns: int, height_inches: float, width_inches: float = COLUMN_INCHES, **how: Any
) -> Any:
    """Return a figure and its panels as a grid; `how` goes to matplotlib's ``subplots``."""
    # Without pyplot: no display, no state that figures share.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    # What it takes depends on which one it is, which no type says.
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.03, h_pad=0.03)
    return figure, figure.subplots(rows, columns, squeeze=False, **how)


def cores(runs: Runs) -> str:
    """Return on how many cores these ran, and that others were missing."""
    there = runs.values("cores")
    said = " and ".join(f"{NUMBERS.get(n, n)} core{'' if n == 1 else 's'}" for n in there)
    short = sorted({run.cores_asked for run in runs if run.cores_asked > run.cores})
    if short:
        said += f" ({' and '.join(str(NUMBERS.get(n, n)) for n in short)} were missing)"
    return said


def where(runs: Runs, shown: str | None = None) -> list[str]:
    """Return the facts that every figure states: machine, interpreters, cores, repeats, noise.

    Args:
        runs: What the figure is made of.
        shown: What is drawn of them, where it is not their medians with 95 % intervals.
    """
    machines = sorted({machine(run.machine.cpu_model) for run in runs})
    pythons = sorted({f"CPython {run.interpreter.name}" for run in runs})
    repeats = max(len(own) for own in runs.by(_cell).values())
    medians = f"medians of {repeats}, 95 %" if repeats > 1 else "one run each, no interval"
    facts = [", ".join(machines), ", ".join(pythons), cores(runs)]
    facts.append(shown or medians)
    noisy = sum(run.is_noisy for run in runs.calm())
    if noisy:
        facts.append(f"{noisy} of {len(runs)} runs noisy")
    return facts


def _cell(run: Any) -> Any:
    from surefoot.evaluation.runs import Cell

    return Cell.of(run)


def machine(cpu_model: str) -> str:
    """Return a processor's name without marks and clock."""
    return re.sub(r"\((R|TM)\)|\bCPU\b|@.*$", "", cpu_model, flags=re.I).strip().replace("  ", " ")


def footer(figure: Any, facts: Iterable[str]) -> None:
    """Write what was measured where below the panels."""
    width, height = figure.get_size_inches()
    text = "\n".join(textwrap.wrap("; ".join(fact for fact in facts if fact), int(width * 22)))
    line_inches = 0.095
    room = (line_inches * (text.count("\n") + 1) + 0.03) / height
    figure.text(0.01, 0.008, text, fontsize=5.5, color=SOFT, va="bottom", ha="left", linespacing=1.15)
    figure.get_layout_engine().set(rect=(0.0, room, 1.0, 1.0 - room))
