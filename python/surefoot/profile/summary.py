"""A profile as text for a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surefoot.profile.record import FunctionProfile, Profile

# Functions shown; the JSON has all.
MOST = 12
_WIDTH = 110


def text(profile: Profile) -> str:
    """Return the table, what limits the program, the number to change, and the warnings."""
    lines = []
    if profile.functions:
        lines += _table([_HEAD, *(_row(function) for function in profile.functions[:MOST])])
        if len(profile.functions) > MOST:
            lines.append(f"and {len(profile.functions) - MOST} functions more")
        lines.append("")
    lines += _wrapped("limited by: ", profile.limited_by.text)
    for setting in profile.advice:
        where = setting.where.replace("...", str(setting.value))
        lines += _wrapped("set: ", f"{where}. {setting.why}")
    for warning in profile.warnings:
        lines += _wrapped("warning: ", warning.text)
    return "\n".join(lines)


_HEAD = (
    *("function", "calls", "per s", "queued p50", "wall p50", "p99"),
    *("cpu %", "queue %", "gil %", "i/o %", "±", "gil/call", "ceiling/s", "knee"),
)


def _row(function: FunctionProfile) -> tuple[str, ...]:
    shares, wall, queued = function.shares, function.wall, function.queued
    nothing = ("-",) * 5
    parts = nothing
    if shares is not None:
        gil = "-" if shares.gil is None else _percent(shares.gil)
        io = f"≤{_percent(shares.blocked)}" if shares.io is None else _percent(shares.io)
        parts = (_percent(shares.cpu), _percent(shares.runqueue), gil, io, _percent(shares.error))
    return (
        _shortened(function.name),
        str(function.calls) + (f" ({function.failed} failed)" if function.failed else ""),
        _rate(function.throughput_per_s),
        "-" if queued is None else _time(queued.p50_ns),
        "-" if wall is None else _time(wall.p50_ns),
        "-" if wall is None else _time(wall.p99_ns),
        *parts,
        "-" if function.gil_demand_ns is None else _time(function.gil_demand_ns),
        "-" if function.ceiling_per_s is None else _rate(function.ceiling_per_s),
        "-" if function.knee is None else str(function.knee),
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"


def _time(ns: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.0f} ns"


def _rate(per_s: float) -> str:
    return f"{per_s:,.0f}" if per_s >= 100 else f"{per_s:.3g}"


def _shortened(name: str) -> str:
    name = name.replace("<locals>.", "")
    return name if len(name) <= 40 else f"...{name[-37:]}"


def _wrapped(head: str, what: str) -> list[str]:
    return textwrap.wrap(
        what, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False
    )
