"""A figure's SVG made fit to stand within a page: names of its own, and the page's colours."""

from __future__ import annotations

import re

from surefoot.evaluation.figures import style
from surefoot.report.markup import Markup, element

# Colours that a page may exchange, by the name of its custom property.
COLOURS = {
    "ink": style.INK,
    "soft": style.SOFT,
    "rule": style.RULE,
    "paper": style.PAPER,
    "blue": style.BLUE,
    "vermilion": style.VERMILION,
    "green": style.GREEN,
    "orange": style.ORANGE,
    "purple": style.PURPLE,
    "sky": style.SKY,
    "grey": style.GREY,
    "vermilion-words": style.words(style.VERMILION),
    "green-words": style.words(style.GREEN),
    "orange-words": style.words(style.ORANGE),
    "purple-words": style.words(style.PURPLE),
    "sky-words": style.words(style.SKY),
    "grey-words": style.words(style.GREY),
}


def inline(svg: str, name: str, title: str) -> Markup:
    """Return matplotlib's SVG as an element of a page.

    Args:
        svg: The whole document.
        name: Prefix of its names, since those of several figures meet in one page.
        title: What it shows, for those who do not see it.
    """
    start = svg.index("<svg")
    body = svg[svg.index(">", start) + 1 : svg.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, count=1, flags=re.S)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', body)
    for property_name, colour in COLOURS.items():
        body = body.replace(colour, f"var(--{property_name})")
    box = re.search(r'viewBox="([^"]+)"', svg)
    if box is None:
        raise ValueError(f"the figure {name} has no size")
    width = float(box[1].split()[2])
    return element(
        "svg",
        element("title", title),
        Markup(body),
        viewBox=box[1],
        role="img",
        class_="figure wide" if width > 72 * 1.5 * style.COLUMN_INCHES else "figure",
    )
