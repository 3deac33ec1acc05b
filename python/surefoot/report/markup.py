"""Markup in which nothing stands unescaped: names of functions and pools are anybody's data."""

from __future__ import annotations

import html


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def element(tag: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element; children that are not :class:`Markup` are escaped, ``None`` is left out.

    Args:
        tag: Its name.
        *children: What it contains, in order.
        **attributes: ``class_`` stands for ``class``, other underscores for hyphens; ``None`` leaves one out.
    """
    said = "".join(
        f' {_attribute(key)}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if tag in _EMPTY:
        return Markup(f"<{tag}{said}>")
    return Markup(f"<{tag}{said}>{join(*children)}</{tag}>")


def join(*children: object) -> Markup:
    """Return the children one after the other, escaped unless they are markup."""
    return Markup("".join(each if isinstance(each, Markup) else _escaped(each) for each in children))


def prose(text: str) -> Markup:
    """Return a sentence in which `names` in backticks are set as code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return join(text)
    return join(*(element("code", each) if number % 2 else each for number, each in enumerate(pieces)))


_EMPTY = frozenset({"meta", "wbr"})
_AS_THEY_ARE = {"viewBox", "preserveAspectRatio"}


def _attribute(key: str) -> str:
    return key if key in _AS_THEY_ARE else key.rstrip("_").replace("_", "-")


def _escaped(child: object) -> str:
    return "" if child is None else html.escape(str(child))
