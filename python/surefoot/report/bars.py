"""Shares as one stacked bar, with whiskers for their error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.report import words
from surefoot.report.markup import Markup, element

if TYPE_CHECKING:
    from surefoot.records import Shares

WIDTH = 1000.0
HEIGHT = 20.0


def share_bar(shares: Shares, label: str) -> Markup:
    """Return a bar that fills the width it is given; each part says what it is."""
    drawn: list[Markup] = []
    whiskers: list[Markup] = []
    left = 0.0
    parts = words.parts(shares)
    for number, (name, share) in enumerate(parts):
        width = max(0.0, share) * WIDTH
        title = element("title", f"{words.SHARE_NAMES[name]}: {words.percent(share)}")
        drawn.append(
            element(
                "rect",
                title,
                x=f"{left:.1f}",
                y=0,
                width=f"{width:.1f}",
                height=HEIGHT,
                class_=f"fill-{name}",
            )
        )
        left += width
        if number + 1 < len(parts) and shares.error > 0:
            whiskers.append(_whisker(left, shares.error * WIDTH))
    return element(
        "svg",
        element("title", f"{label}: {words.shares_text(shares)}"),
        *drawn,
        *whiskers,
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        preserveAspectRatio="none",
        class_="bar",
        role="img",
    )


def _whisker(at: float, error: float) -> Markup:
    """Return one standard deviation to either side of where two parts meet."""
    left, right = max(0.0, at - error), min(WIDTH, at + error)
    middle, low, high = HEIGHT / 2, HEIGHT / 4, 3 * HEIGHT / 4
    path = f"M{left:.1f} {middle}H{right:.1f}M{left:.1f} {low}V{high}M{right:.1f} {low}V{high}"
    return element("path", element("title", "one standard deviation"), d=path, class_="whisker")


def legend(names: list[str]) -> Markup:
    """Return what the colours mean."""
    items = [
        element("li", element("span", class_=f"key back-{name}", aria_hidden="true"), words.SHARE_NAMES[name])
        for name in names
    ]
    return element("ul", *items, class_="legend")
