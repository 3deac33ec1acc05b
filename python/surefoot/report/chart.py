"""Charts over time that stretch to the width they are given: lines in SVG, words in HTML.

Text in a stretched drawing would be stretched too, or too small to read on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.report import words
from surefoot.report.markup import Markup, element, join

WIDTH = 1000.0
HEIGHT = 100.0


@dataclass(frozen=True)
class Axis:
    """Time from left to right, in seconds."""

    end_s: float

    def x(self, at_s: float) -> float:
        """Return where a moment lies."""
        return WIDTH * min(1.0, max(0.0, at_s / self.end_s)) if self.end_s > 0 else 0.0


@dataclass(frozen=True)
class Line:
    """Values over time; ``None`` where there is none, and the line breaks."""

    name: str
    style: str
    points: Sequence[tuple[float, float | None]]
    steps: bool = False


@dataclass(frozen=True)
class Mark:
    """Something that happened at a moment."""

    at_s: float
    text: str
    style: str


def lines(title: str, axis: Axis, drawn: Sequence[Line], marks: Sequence[Mark] = ()) -> Markup | None:
    """Return a chart of lines from 0 to the greatest value; ``None`` if there is no value."""
    values = [value for line in drawn for _, value in line.points if value is not None]
    if not values:
        return None
    top = max(values) or 1.0
    paths = [
        element("path", element("title", line.name), d=_path(line, axis, top), class_=f"line {line.style}")
        for line in drawn
    ]
    ticks = [
        element(
            "path",
            element("title", mark.text),
            d=f"M{axis.x(mark.at_s):.1f} {HEIGHT - 8:.0f}V{HEIGHT:.0f}",
            class_=f"tick {mark.style}",
        )
        for mark in marks
    ]
    keys = [
        element("li", element("span", class_=f"stroke {line.style}", aria_hidden="true"), line.name)
        for line in drawn
        if len(drawn) > 1
    ]
    said = f"{title}, from 0 to {_number(top)}"
    drawing = _drawing(said, *paths, *ticks)
    return _figure(
        title, drawing, _number(top), axis, element("ul", *keys, class_="legend") if keys else None
    )


def stack(
    title: str, axis: Axis, names: Sequence[str], points: Sequence[tuple[float, Sequence[float]]]
) -> Markup:
    """Return shares that sum to 1, one above the other."""
    areas: list[Markup] = []
    below = [0.0] * len(points)
    for number, name in enumerate(names):
        above = [low + values[number] for low, (_, values) in zip(below, points, strict=True)]
        lower = [f"{axis.x(at_s):.1f} {_y(low):.2f}" for (at_s, _), low in zip(points, below, strict=True)]
        upper = [f"{axis.x(at_s):.1f} {_y(high):.2f}" for (at_s, _), high in zip(points, above, strict=True)]
        areas.append(
            element(
                "path",
                element("title", words.SHARE_NAMES[name]),
                d=f"M{'L'.join([*upper, *reversed(lower)])}Z",
                class_=f"fill-{name}",
            )
        )
        below = above
    return _figure(title, _drawing(title, *areas), "100\N{NARROW NO-BREAK SPACE}%", axis, None)


def _y(share: float) -> float:
    return HEIGHT * (1.0 - min(1.0, max(0.0, share)))


def _path(line: Line, axis: Axis, top: float) -> str:
    said = ""
    broken = True
    for at_s, value in line.points:
        if value is None:
            broken = True
            continue
        x, y = axis.x(at_s), 2 + (HEIGHT - 4) * (1 - value / top)
        if broken:
            # A single point is a dot, by its round end.
            said += f"M{x:.1f} {y:.2f}h0"
        else:
            said += f"H{x:.1f}V{y:.2f}" if line.steps else f"L{x:.1f} {y:.2f}"
        broken = False
    return said


def _drawing(said: str, *children: Markup) -> Markup:
    return element(
        "svg",
        element("title", said),
        *children,
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        preserveAspectRatio="none",
        class_="chart",
        role="img",
    )


def _figure(title: str, drawing: Markup, top: str, axis: Axis, keys: Markup | None) -> Markup:
    labels = element("div", element("span", top), element("span", "0"), class_="y", aria_hidden="true")
    times = element(
        "div",
        element("span", "0\N{NARROW NO-BREAK SPACE}s"),
        element("span", words.duration(axis.end_s * 1e9)),
        class_="x",
        aria_hidden="true",
    )
    return element(
        "figure",
        element("figcaption", title),
        keys,
        element("div", join(labels, drawing), class_="plot"),
        times,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:.3g}"
