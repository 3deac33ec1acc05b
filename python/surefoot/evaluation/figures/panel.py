"""What panels are made of: lines with their intervals, direct labels, axes of threads and rates."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surefoot.evaluation.figures.style import PAPER, SOFT, Look, words

if TYPE_CHECKING:
    from surefoot.evaluation.estimate import Estimate


@dataclass(frozen=True)
class Spot:
    """A point of a line."""

    x: float
    y: Estimate
    is_truncated: bool = False


@dataclass(frozen=True)
class Label:
    """Words at a height of the right edge."""

    y: float
    text: str
    colour: str


def line(panel: Any, spots: Sequence[Spot], look: Look, **more: Any) -> None:
    """Draw medians, their intervals as a band, and hollow markers where a run was cut short."""
    if not spots:
        return
    xs = [spot.x for spot in spots]
    how = {"color": look.colour, "linestyle": look.dash, "marker": look.marker, **more}
    panel.plot(xs, [spot.y.value for spot in spots], **how)
    panel.fill_between(
        xs,
        [spot.y.low for spot in spots],
        [spot.y.high for spot in spots],
        color=look.colour,
        alpha=0.18,
        linewidth=0,
    )
    cut = [spot for spot in spots if spot.is_truncated]
    panel.plot(
        [spot.x for spot in cut],
        [spot.y.value for spot in cut],
        linestyle="none",
        marker=look.marker,
        markerfacecolor=PAPER,
        color=look.colour,
        zorder=3,
    )


def dot(panel: Any, x: Estimate, y: float, look: Look, *, marker: str | None = None) -> None:
    """Draw an estimate on a horizontal axis."""
    panel.plot([x.low, x.high], [y, y], color=look.colour, linewidth=1.0, solid_capstyle="butt")
    panel.plot(
        [x.value], [y], color=look.colour, marker=marker or look.marker, linestyle="none", markersize=3.5
    )


def threads_axis(panel: Any, threads: Iterable[float], label: str | None = "threads") -> None:
    """Make the horizontal axis one of threads, doubling; about six numbers are written."""
    ticks = sorted(set(threads))
    panel.set_xscale("log", base=2)
    step = max(1, -(-len(ticks) // 6))
    chosen = ticks[::-1][::step][::-1] if ticks else []
    panel.set_xticks(chosen, [f"{tick:g}" for tick in chosen])
    panel.minorticks_off()
    if label:
        panel.set_xlabel(label)


def rate(value: float, _position: object = None) -> str:
    """Return a rate in few characters: 850, 1.2k, 19.5k."""
    if abs(value) >= 1000:
        return f"{value / 1000:.3g}k"
    return f"{value:.3g}"


def rates_axis(axis: Any) -> None:
    """Write an axis' numbers as `rate` does."""
    axis.set_major_formatter(rate)


def percent_axis(axis: Any) -> None:
    """Write an axis' numbers as percent."""
    axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def plain_log(axis: Any) -> None:
    """Write the numbers of a logarithmic axis as people do."""
    from matplotlib.ticker import LogLocator, NullLocator

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 30 * low else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def end_labels(panel: Any, labels: Sequence[Label], *, size: float = 6.5, height_inches: float = 1.5) -> None:
    """Write words beside the right edge at their heights, moved apart where they would overlap.

    Args:
        panel: Whose limits are set by now.
        labels: What stands where, in data.
        size: Of the type, in points.
        height_inches: About the panel's height.
    """
    line_share = 1.25 * size / 72 / height_inches
    to_share: Callable[[float], float] = lambda y: float(  # noqa: E731
        panel.transAxes.inverted().transform(panel.transData.transform((1.0, y)))[1]
    )
    placed: list[list[Any]] = sorted(
        ([to_share(label.y), label] for label in labels), key=lambda each: each[0]
    )
    for _ in range(60):
        for low, high in itertools.pairwise(placed):
            lines = (low[1].text.count("\n") + high[1].text.count("\n")) / 2 + 1
            overlap = lines * line_share - (high[0] - low[0])
            if overlap > 1e-6:
                low[0] -= overlap / 2
                high[0] += overlap / 2
        for each in placed:
            # No line of it below the panel, where the axis has its numbers.
            lowest = each[1].text.count("\n") / 2 * line_share
            each[0] = min(1.02, max(lowest, each[0]))
    for share, label in placed:
        panel.annotate(
            label.text,
            (1.0, share),
            xycoords="axes fraction",
            xytext=(3, 0),
            textcoords="offset points",
            color=words(label.colour),
            fontsize=size,
            va="center",
            ha="left",
            annotation_clip=False,
        )


def rule(
    panel: Any, y: float, text: str, *, colour: str = SOFT, at: float = 0.01, above: bool = True
) -> None:
    """Draw a horizontal line that means something, with its words."""
    panel.axhline(y, color=colour, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    panel.annotate(
        text,
        (at, y),
        xycoords=("axes fraction", "data"),
        xytext=(0, 1.5 if above else -1.5),
        textcoords="offset points",
        color=colour,
        fontsize=6,
        va="bottom" if above else "top",
        ha="left",
    )


def note(
    panel: Any,
    text: str,
    x: float,
    y: float,
    *,
    dx: float = 0,
    dy: float = 6,
    colour: str = SOFT,
    ha: str = "center",
) -> None:
    """Write words beside a point of the data; `dx` and `dy` in points."""
    panel.annotate(
        text,
        (x, y),
        xytext=(dx, dy),
        textcoords="offset points",
        color=words(colour),
        fontsize=6,
        ha=ha,
        va="bottom" if dy >= 0 else "top",
        zorder=5,
    )


def key_above(figure: Any, looks: Iterable[Look], columns: int) -> None:
    """Draw a key of markers above all panels, where no data can meet it."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=each.colour, marker=each.marker, linestyle="none", label=each.name)
        for each in looks
    ]
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=columns,
        frameon=False,
        fontsize=6.5,
        handlelength=1,
    )


def spread_names(panel: Any, spots: Sequence[tuple[float, float, str, str]], *, size: float = 5.5) -> None:
    """Write names beside points of both axes; where there is no free place, a thin line leads to one.

    Args:
        panel: Whose limits are set by now.
        spots: x and y in data, the name, its colour.
        size: Of the type, in points.
    """
    panel.figure.draw_without_rendering()
    scale = panel.figure.dpi / 72
    box = panel.get_window_extent()
    taken: list[tuple[float, float, float, float]] = []
    places = [panel.transData.transform((x, y)) for x, y, _, _ in spots]
    dots = [(px - 3 * scale, py - 3 * scale, px + 3 * scale, py + 3 * scale) for px, py in places]
    for number, (x, y, text, colour) in sorted(enumerate(spots), key=lambda each: -len(each[1][2])):
        wide, high = 0.56 * size * len(text) * scale, 1.15 * size * scale
        px, py = places[number]
        best, cost = None, float("inf")
        for far in (0, 4, 8, 16, 26, 38, 52, 68, 86):
            for side in _SIDES:
                cx = px + side[0] * (wide / 2 + (5 + far) * scale)
                cy = py + side[1] * (high / 2 + (4 + far) * scale)
                rectangle = (cx - wide / 2, cy - high / 2, cx + wide / 2, cy + high / 2)
                outside = (
                    max(0, box.x0 - rectangle[0])
                    + max(0, rectangle[2] - box.x1)
                    + max(0, box.y0 - rectangle[1])
                    + max(0, rectangle[3] - box.y1)
                )
                others = [*taken, *(dot for i, dot in enumerate(dots) if i != number)]
                overlap = sum(_overlap(rectangle, other) for other in others)
                crossed = sum(_crosses((px, py), (cx, cy), other) for other in taken) if far else 0
                price = 50 * overlap + 200 * outside + (far + 20 * crossed) * scale
                if price < cost:
                    best, cost = (cx, cy, rectangle, far), price
        if best is None:
            continue
        cx, cy, rectangle, far = best
        taken.append(rectangle)
        panel.annotate(
            text,
            (x, y),
            xytext=((cx - px) / scale, (cy - py) / scale),
            textcoords="offset points",
            fontsize=size,
            color=words(colour),
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 2}
            if far > 0
            else None,
        )


# Where a name may stand from its point, the best places first.
_SIDES = (
    *((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)),
    *((0.5, 1), (-0.5, 1), (0.5, -1), (-0.5, -1)),
)


def _crosses(
    start: tuple[float, float], end: tuple[float, float], box: tuple[float, float, float, float]
) -> bool:
    """Say whether a line runs through a rectangle; to a pixel or so."""
    steps = 24
    for step in range(1, steps):
        x = start[0] + (end[0] - start[0]) * step / steps
        y = start[1] + (end[1] - start[1]) * step / steps
        if box[0] < x < box[2] and box[1] < y < box[3]:
            return True
    return False


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return wide * high if wide > 0 and high > 0 else 0.0
