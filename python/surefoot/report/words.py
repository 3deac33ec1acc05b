"""Numbers as people read them, with their units."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surefoot.records import Shares

NOTHING = "\N{EN DASH}"
THIN = "\N{NARROW NO-BREAK SPACE}"

SHARE_NAMES = {
    "cpu": "CPU",
    "runqueue": "run queue",
    "gil": "GIL wait",
    "io": "I/O and other waits",
    "blocked": "blocked (GIL or I/O)",
}

BOTTLENECKS = {"gil": "the GIL", "cores": "the cores", "none": "neither GIL nor cores"}


def duration(ns: float | None) -> str:
    """Return a duration given in nanoseconds, to three digits."""
    if ns is None:
        return NOTHING
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{_digits(ns / size)}{THIN}{unit}"
    return f"{ns:.0f}{THIN}ns"


def rate(per_s: float | None) -> str:
    """Return a rate given per second, to three digits."""
    return NOTHING if per_s is None else f"{_digits(per_s)}/s"


def count(value: int | None) -> str:
    """Return a whole number."""
    return NOTHING if value is None else f"{value:,}"


def percent(share: float) -> str:
    """Return a share."""
    return f"{100 * share:.0f}{THIN}%"


def memory(size_bytes: int | None) -> str:
    """Return a size of memory."""
    if size_bytes is None:
        return "no known bound"
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if size_bytes >= size:
            return f"{_digits(size_bytes / size)}{THIN}{unit}"
    return f"{size_bytes}{THIN}B"


def parts(shares: Shares) -> list[tuple[str, float]]:
    """Return the shares that sum to 1, in the order in which they are drawn."""
    first = [("cpu", shares.cpu), ("runqueue", shares.runqueue)]
    if shares.gil is None or shares.io is None:
        return [*first, ("blocked", shares.blocked)]
    return [*first, ("gil", shares.gil), ("io", shares.io)]


def shares_text(shares: Shares | None) -> str:
    """Return the shares in words, with their error and how they were found."""
    if shares is None:
        return "no time was spent in calls"
    said = ", ".join(f"{SHARE_NAMES[name]} {percent(share)}" for name, share in parts(shares))
    if shares.gil is None:
        least, most = shares.gil_bounds
        said += f", of that GIL wait {percent(least)} to {percent(most)}"
    return f"{said} (±{percent(shares.error)}, {shares.source})"


def _digits(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
