"""Boxes and arrows, described in data and drawn: the diagrams need no other tool.

Lengths are in units of a grid that the diagram chooses; y grows downward.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.evaluation.figures import style


@dataclass(frozen=True)
class Box:
    """Something with a name: `x` and `y` are its middle."""

    key: str
    text: str
    x: float
    y: float
    width: float
    height: float
    kind: str = "part"


@dataclass(frozen=True)
class Arrow:
    """From one box to another, from and to the middle of a side: ``l``, ``r``, ``t``, ``b``.

    Attributes:
        source: Key of a box and a side: ``"queue.r"``.
        target: Likewise.
        text: Words beside its middle.
        via: Corners on the way.
        shift: Where the words stand, from the middle of the longest piece.
    """

    source: str
    target: str
    text: str = ""
    via: Sequence[tuple[float, float]] = ()
    shift: tuple[float, float] = (0.0, -0.16)


@dataclass(frozen=True)
class Group:
    """A frame around boxes, with its name at the upper left."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Diagram:
    """A whole drawing; `width` and `height` in units of the grid."""

    width: float
    height: float
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    groups: Sequence[Group] = field(default=())


KINDS = {
    "part": (style.BLUE, 0.13),
    "decide": (style.GREEN, 0.16),
    "act": (style.ORANGE, 0.2),
    "refuse": (style.VERMILION, 0.16),
    "outside": (style.GREY, 0.12),
}


def draw(diagram: Diagram, width_inches: float = style.COLUMN_INCHES, size: float = 6.5) -> Any:
    """Return the drawing as a figure."""
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch, Rectangle

    unit = width_inches / diagram.width
    figure = Figure(figsize=(width_inches, diagram.height * unit))
    panel = figure.add_axes((0, 0, 1, 1))
    panel.set_xlim(0, diagram.width)
    panel.set_ylim(diagram.height, 0)
    panel.set_axis_off()
    for group in diagram.groups:
        panel.add_patch(
            Rectangle(
                (group.left, group.top),
                group.right - group.left,
                group.bottom - group.top,
                fill=False,
                edgecolor=style.SOFT,
                linewidth=0.7,
                linestyle=(0, (3, 2)),
            )
        )
        panel.text(
            group.left + 0.1, group.top + 0.1, group.text, fontsize=size - 0.5, color=style.SOFT, va="top"
        )
    by_key = {box.key: box for box in diagram.boxes}
    for box in diagram.boxes:
        colour, alpha = KINDS[box.kind]
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        shape = f"round,pad=0,rounding_size={0.45 * box.height if box.kind == 'decide' else 0.08}"
        ground: dict[str, Any] = {"facecolor": colour, "alpha": alpha, "linewidth": 0}
        rim: dict[str, Any] = {"fill": False, "edgecolor": colour}
        for how in (ground, rim):
            panel.add_patch(FancyBboxPatch(corner, box.width, box.height, boxstyle=shape, **how))
        panel.text(box.x, box.y, box.text, fontsize=size, ha="center", va="center", linespacing=1.2)
    for arrow in diagram.arrows:
        _arrow(panel, arrow, by_key, size)
    return figure


def _arrow(panel: Any, arrow: Arrow, boxes: dict[str, Box], size: float) -> None:
    points = [_end(arrow.source, boxes), *arrow.via, _end(arrow.target, boxes)]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    panel.plot(xs[:-1], ys[:-1], color=style.INK, linewidth=0.9, solid_capstyle="round")
    panel.annotate(
        "",
        points[-1],
        xytext=points[-2],
        arrowprops={
            "arrowstyle": "-|>,head_length=0.25,head_width=0.12",
            "color": style.INK,
            "linewidth": 0.9,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )
    if not arrow.text:
        return
    pieces = list(itertools.pairwise(points))
    (x0, y0), (x1, y1) = max(
        pieces, key=lambda piece: abs(piece[0][0] - piece[1][0]) + abs(piece[0][1] - piece[1][1])
    )
    panel.text(
        (x0 + x1) / 2 + arrow.shift[0],
        (y0 + y1) / 2 + arrow.shift[1],
        arrow.text,
        fontsize=size - 0.5,
        color=style.SOFT,
        ha="center",
        va="center",
        linespacing=1.15,
    )


def _end(place: str, boxes: dict[str, Box]) -> tuple[float, float]:
    key, _, side = place.partition(".")
    box = boxes[key]
    across, down = {"l": (-0.5, 0.0), "r": (0.5, 0.0), "t": (0.0, -0.5), "b": (0.0, 0.5)}[side]
    return box.x + across * box.width, box.y + down * box.height
