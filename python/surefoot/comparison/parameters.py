"""Parameters of workloads and strategies, as a command line gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["Value", "chosen", "parse"]

Value = int | float | str | None


def parse(texts: Iterable[str]) -> dict[str, Value]:
    """Read ``KEY=VALUE`` pairs; a value that looks like a number is one.

    Raises:
        ValueError: For a text without ``=``, or a key that comes twice.
    """
    found: dict[str, Value] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise ValueError(f"{text!r} is no parameter: write KEY=VALUE")
        if key in found:
            raise ValueError(f"the parameter {key!r} is given twice")
        found[key] = _value(value)
    return found


def _value(text: str) -> Value:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def chosen(given: Mapping[str, Value], *declared: Mapping[str, Value]) -> list[dict[str, Value]]:
    """Return each set of declared defaults with what was given for it.

    Raises:
        ValueError: If something is given that none of them declares.
    """
    unknown = [key for key in given if not any(key in each for each in declared)]
    if unknown:
        known = sorted({key for each in declared for key in each})
        words = f"known are {', '.join(known)}" if known else "there are none here"
        raise ValueError(f"unknown parameter {unknown[0]!r}: {words}")
    return [{key: given.get(key, default) for key, default in each.items()} for each in declared]
