"""What happened over time: limits, throughput, shares, and the decisions with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.report import bars, chart, words
from surefoot.report.markup import Markup, element

if TYPE_CHECKING:
    from surefoot.profile.record import LimitDecision, Profile, TimelinePoint

POOLS_SHOWN = 6
"""Pools drawn at once; the rest can be unfolded."""
DECISIONS_SHOWN = 12
"""Decisions listed at once; the rest can be unfolded."""


def timeline(profile: Profile) -> Markup:
    """Return the charts of each pool, those with most tasks first."""
    points: dict[str, list[TimelinePoint]] = {}
    for point in profile.timeline:
        points.setdefault(point.pool, []).append(point)
    if not points:
        return element("p", "Too short for a picture of it over time.")
    tasks = {pool.name: pool.tasks for pool in profile.pools}
    axis = chart.Axis(max(profile.duration_s, *(point.at_s for point in profile.timeline)))
    ordered = sorted(points, key=lambda name: -tasks.get(name, 0))
    drawn = [
        _pool(name, points[name], axis, [each for each in profile.decisions if each.pool == name])
        for name in ordered
    ]
    return _some(drawn, POOLS_SHOWN, "pools", "div")


def decisions(made: Sequence[LimitDecision]) -> Markup:
    """Return the decisions in words, the newest first."""
    if not made:
        return element("p", "None: no adaptive pool had a reason to change its limit.")
    items = [
        element(
            "li",
            element("span", words.duration(max(0.0, each.at_s) * 1e9), class_="quiet"),
            " ",
            element("code", each.pool),
            f": {_change(each)}: {each.reason}",
        )
        for each in sorted(made, key=lambda each: -each.at_s)
    ]
    return _some(items, DECISIONS_SHOWN, "decisions", "ul")


def _change(each: LimitDecision) -> str:
    if each.veto is not None:
        return f"stays at {each.to_limit} (veto: {each.veto})"
    return f"{each.from_limit} \N{RIGHTWARDS ARROW} {each.to_limit}"


def _pool(
    name: str, points: Sequence[TimelinePoint], axis: chart.Axis, made: Sequence[LimitDecision]
) -> Markup:
    marks = [
        chart.Mark(each.at_s, f"{_change(each)}: {each.reason}", "change" if each.veto is None else "veto")
        for each in made
    ]
    workers = [
        chart.Line("limit", "first", [(each.at_s, each.limit) for each in points], steps=True),
        chart.Line("busy workers", "second", [(each.at_s, each.workers_busy) for each in points]),
        chart.Line("queue", "third", [(each.at_s, each.queue_length) for each in points]),
    ]
    known = [line for line in workers if any(value is not None for _, value in line.points)]
    # A long queue would press the other lines to the floor.
    queue = [line for line in known if line.name == "queue"]
    return element(
        "section",
        element("h3", element("code", name)),
        chart.lines("workers", axis, [line for line in known if line.name != "queue"], marks),
        chart.lines("tasks that wait", axis, queue),
        chart.lines(
            "throughput, tasks/s",
            axis,
            [chart.Line("throughput", "first", [(each.at_s, each.throughput_per_s) for each in points])],
        ),
        _shares(points, axis),
    )


def _shares(points: Sequence[TimelinePoint], axis: chart.Axis) -> Markup | None:
    divided = [(each.at_s, words.parts(each.shares)) for each in points if each.shares is not None]
    if len(divided) < 2:
        return None
    names = [
        name for name in words.SHARE_NAMES if any(name == part for _, parts in divided for part, _ in parts)
    ]
    values = [(at_s, [dict(parts).get(name, 0.0) for name in names]) for at_s, parts in divided]
    return element("div", bars.legend(names), chart.stack("shares of the workers' time", axis, names, values))


def _some(items: Sequence[Markup], shown: int, what: str, around: str) -> Markup:
    first = element(around, *items[:shown])
    rest = items[shown:]
    if not rest:
        return first
    more = element("details", element("summary", f"{len(rest)} more: {what}"), element(around, *rest))
    return element("div", first, more)
