"""Arithmetic of one run: rates, percentiles, when something settled, how much of the possible was done.

Pure functions over plain numbers. Times are seconds since the run began; a trace of limits is a list of
``(at_s, limit)``, one entry per change, the first one at 0.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from math import floor
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Limits = list[tuple[float, int]]

#: A limit within this of its final median counts as settled: the larger of the two.
TOLERANCE_WORKERS = 2.0
TOLERANCE_SHARE = 0.15
#: A window with less than this of the expected tasks counts as not settled.
RATE_SHARE = 0.95
#: A slow workload gets longer windows: with ten tasks in one, a single task would be 10 %.
TASKS_PER_WINDOW_MIN = 20
_GRID_S = 0.01


def rate_per_s(ends_s: Sequence[float], begin_s: float, end_s: float) -> float:
    """Return the tasks per second that ended after ``begin_s`` and not after ``end_s``."""
    if end_s <= begin_s:
        return 0.0
    return sum(begin_s < at <= end_s for at in ends_s) / (end_s - begin_s)


def counts(ends_s: Sequence[float], window_s: float, until_s: float) -> list[int]:
    """Count the ends in each whole window from 0 to ``until_s``."""
    found = [0] * int(until_s / window_s + 1e-9)
    for at in ends_s:
        place = floor(at / window_s)
        if 0 <= place < len(found):
            found[place] += 1
    return found


def merged(windows: Sequence[int], factor: int) -> list[int]:
    """Join each ``factor`` neighbouring windows; an incomplete rest is dropped."""
    return [sum(windows[at : at + factor]) for at in range(0, len(windows) - factor + 1, factor)]


def limit_at(limits: Limits, at_s: float) -> int:
    """Return the limit in force at a time; the first one before the trace begins."""
    place = bisect_right([at for at, _ in limits], at_s)
    return limits[max(place - 1, 0)][1]


def limits_on_grid(limits: Limits, begin_s: float, end_s: float) -> list[int]:
    """Return the limit every 10 ms: each value weighs as long as it was in force."""
    steps = max(1, round((end_s - begin_s) / _GRID_S))
    return [limit_at(limits, begin_s + (step + 0.5) * _GRID_S) for step in range(steps)]


def final_limit(limits: Limits, begin_s: float, end_s: float) -> float:
    """Return the median limit of the second half: what the controller settled on."""
    return median(limits_on_grid(limits, (begin_s + end_s) / 2, end_s))


def limit_settling_s(limits: Limits, begin_s: float, end_s: float) -> float:
    """Return how long after ``begin_s`` the limit was outside the tolerance for the last time.

    0 if it never was; the whole span if it still is at the end.
    """
    final = final_limit(limits, begin_s, end_s)
    return max((end - begin_s for _, end in _outside(limits, begin_s, end_s, final)), default=0.0)


def limit_first_settled_s(limits: Limits, begin_s: float, end_s: float, hold_s: float = 1.0) -> float:
    """Return how long after ``begin_s`` the limit entered the tolerance and stayed for ``hold_s``.

    Unlike :func:`limit_settling_s` this forgives a later excursion. The whole span if it never did.
    """
    final = final_limit(limits, begin_s, end_s)
    entered = begin_s
    for start, end in _outside(limits, begin_s, end_s, final):
        if start - entered >= hold_s:
            break
        entered = end
    return entered - begin_s


def outside_share(limits: Limits, begin_s: float, end_s: float) -> float:
    """Return the share of the time in which the limit was outside the tolerance."""
    final = final_limit(limits, begin_s, end_s)
    return sum(end - start for start, end in _outside(limits, begin_s, end_s, final)) / (end_s - begin_s)


def reversals(limits: Limits, begin_s: float, end_s: float) -> int:
    """Count how often the limit turned round: rose after it had fallen, or the other way."""
    values = [limit_at(limits, begin_s)] + [limit for at, limit in limits if begin_s < at <= end_s]
    turns, direction = 0, 0
    for before, after in pairwise(values):
        step = (after > before) - (after < before)
        if step and direction and step != direction:
            turns += 1
        direction = step or direction
    return turns


def _outside(limits: Limits, begin_s: float, end_s: float, final: float) -> list[tuple[float, float]]:
    """List the spans in which the limit is farther from ``final`` than tolerated; touching ones as one."""
    tolerance = max(TOLERANCE_WORKERS, TOLERANCE_SHARE * final)
    edges = [begin_s] + [at for at, _ in limits if begin_s < at < end_s] + [end_s]
    spans: list[tuple[float, float]] = []
    for start, end in pairwise(edges):
        if abs(limit_at(limits, start) - final) > tolerance:
            touching = bool(spans) and spans[-1][1] == start
            spans[-1:] = [(spans[-1][0], end)] if touching else [*spans[-1:], (start, end)]
    return spans


def rate_settling_s(windows: Sequence[int], window_s: float, tasks_per_s: float) -> float:
    """Return the end of the last window with too few tasks: 0 if there is none.

    Windows are joined until each should hold 20 tasks, and may be short of one task beyond the 5 %:
    a task that ends just after the border is not a loss.
    """
    if tasks_per_s <= 0:
        return len(windows) * window_s
    factor = max(1, -int(-TASKS_PER_WINDOW_MIN // (tasks_per_s * window_s)))
    expected = tasks_per_s * window_s * factor
    late = [place for place, done in enumerate(merged(windows, factor)) if done < RATE_SHARE * expected - 1]
    return (late[-1] + 1) * window_s * factor if late else 0.0


def lost_s(windows: Sequence[int], window_s: float, tasks_per_s: float, until_s: float) -> float:
    """Return how many seconds of work the first ``until_s`` seconds fell short by; negative if none.

    It says what the ramp cost, without a threshold: a pool that works at half speed for 0.4 s lost 0.2 s.
    """
    if tasks_per_s <= 0:
        return until_s
    return until_s - sum(windows[: round(until_s / window_s)]) / tasks_per_s


def phase_seconds(kinds: Sequence[str], period_s: float, begin_s: float, end_s: float) -> dict[str, float]:
    """Return how long each kind was in turn between two times, if they change every ``period_s``."""
    seconds = dict.fromkeys(kinds, 0.0)
    number = int(begin_s / period_s)
    while number * period_s < end_s:
        start, end = max(begin_s, number * period_s), min(end_s, (number + 1) * period_s)
        seconds[kinds[number % len(kinds)]] += max(0.0, end - start)
        number += 1
    return seconds


def efficiency(done: float, seconds: Mapping[str, float], possible_per_s: Mapping[str, float]) -> float:
    """Return the tasks done over those that a clairvoyant, always at the best size, would have done."""
    possible = sum(seconds[kind] * possible_per_s[kind] for kind in seconds)
    return done / possible if possible else 0.0


def aligned(looked: Limits, changes: Limits) -> Limits:
    """Put the pool's own log of changes on the clock of the looks.

    A look can be late, as it waits for the interpreter; the log is exact, but its clock has another zero. No
    change was seen before it happened, so the least difference between the two is the offset, to one look.

    Args:
        looked: The limit as the main thread saw it.
        changes: The log, complete, in the log's time.

    Returns:
        The log in the looks' time; the looks themselves where the two do not fit together.
    """
    if len(looked) < 2 or not changes or changes[-1][1] != looked[-1][1]:
        return looked
    offsets, place = [], 0
    for at, limit in looked[1:]:
        while place < len(changes) and changes[place][1] != limit:
            place += 1
        if place == len(changes):
            return looked
        offsets.append(at - changes[place][0])
    offset = min(offsets)
    return [looked[0]] + [(max(0.0, at + offset), limit) for at, limit in changes]
