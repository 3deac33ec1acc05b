"""What the notes of a run say about its window: shares, beta, vetoes, decisions, and a timeline.

A pool counts from its first task on. So what happened between two notes is the difference of what they say.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from surefoot.comparison.notes import Note, within

if TYPE_CHECKING:
    from surefoot.workloads.closed_loop import Window

__all__ = ["of_window", "timeline"]

_STATES = ("cpu", "runqueue", "gil", "io")
# Of the blocked time, at least so much must have been split for the rest to be taken as alike.
_SPLIT_LEAST = 0.5


def of_window(notes: Sequence[Note], window: Window) -> dict[str, Any]:
    """Return what the notes say of the window, ``None`` for what they do not know.

    The first and the last note of the window bound what is told; with fewer than two there is nothing.
    """
    inside = within(notes, window.begin_ns, window.end_ns)
    found: dict[str, Any] = dict.fromkeys(("gil_switches_per_s", "beta_mean", "shares", "vetoes"))
    if len(inside) >= 2:
        first, last = inside[0], inside[-1]
        found["gil_switches_per_s"] = _gil_switches_per_s(first, last)
        found["beta_mean"] = _beta(first, last)
        found["shares"] = _shares(first, last)
        if "vetoes" in last:
            before = first["vetoes"]
            counts = {reason: count - before.get(reason, 0) for reason, count in last["vetoes"].items()}
            found["vetoes"] = {reason: count for reason, count in counts.items() if count}
    has_decisions = any("decisions" in note for note in notes)
    found["decisions"] = _decisions(notes, window) if has_decisions else None
    return found


def timeline(notes: Sequence[Note], window: Window, ends_ns: Sequence[int]) -> list[dict[str, Any]]:
    """Return one entry per note from the opening on; beta and the shares are those since the note before.

    Args:
        notes: Of the whole run, oldest first.
        window: Its times; ``at_s`` counts from the opening.
        ends_ns: When each task ended.
    """
    ordered = sorted(ends_ns)
    inside = [note for note in notes if note["at_ns"] <= window.end_ns]
    entries = []
    for before, note in zip([None, *inside], inside, strict=False):
        shares = None if before is None else _shares(before, note)
        entries.append(
            {
                "at_s": max(0.0, (note["at_ns"] - window.opened_ns) / 1e9),
                "limit": note["limit"],
                "tasks_done": bisect_right(ordered, note["at_ns"]),
                "queued": note.get("queued"),
                "beta": None if before is None else _beta(before, note),
                **{state: shares[state] if shares else None for state in _STATES},
            }
        )
    return entries


def _gil_switches_per_s(first: Note, last: Note) -> float | None:
    if first["gil_switches"] is None or last["gil_switches"] is None:
        return None
    seconds = (last["at_ns"] - first["at_ns"]) / 1e9
    return float((last["gil_switches"] - first["gil_switches"]) / seconds)


def _beta(first: Note, last: Note) -> float | None:
    """Return the mean beta of the tasks that ended between two notes."""
    (tasks_before, before), (tasks, after) = (note.get("beta") or (0, None) for note in (first, last))
    if after is None or tasks <= tasks_before:
        return None
    return float((after * tasks - (before or 0.0) * tasks_before) / (tasks - tasks_before))


def _shares(first: Note, last: Note) -> dict[str, float | None] | None:
    """Return where the workers' time went between two notes, and how much of it may be in the wrong place.

    Blocked time is split into ``gil`` and ``io`` a while after it passed. What was split between the notes
    stands for all that was blocked between them, and the difference counts as error.
    """
    if "worker_s" not in first or "worker_s" not in last:
        return None
    spent_s = {state: last["worker_s"][state] - first["worker_s"][state] for state in _STATES}
    unsplit_s = last["unsplit_s"] - first["unsplit_s"]
    total_s = sum(spent_s.values()) + unsplit_s
    if total_s <= 0.0:
        return None
    shares: dict[str, float | None] = dict.fromkeys((*_STATES, "error"))
    shares["cpu"], shares["runqueue"] = spent_s["cpu"] / total_s, spent_s["runqueue"] / total_s
    split_s = spent_s["gil"] + spent_s["io"]
    blocked_s = max(0.0, split_s + unsplit_s)
    if split_s > 0.0 and split_s >= _SPLIT_LEAST * blocked_s:
        for state in ("gil", "io"):
            shares[state] = spent_s[state] / split_s * blocked_s / total_s
        if last.get("error") is not None:
            shares["error"] = min(1.0, last["error"] + abs(unsplit_s) / total_s)
    return shares


def _decisions(notes: Sequence[Note], window: Window) -> list[dict[str, Any]]:
    """Return the decisions of the run; ``at_s`` counts from the opening, repeated vetoes are left out."""
    found: list[dict[str, Any]] = []
    for each in (decision for note in notes for decision in note.get("decisions", ())):
        entry = {
            "at_s": (each["at_ns"] - window.opened_ns) / 1e9,
            "limit": each["limit"],
            "rule": each["rule"],
            "reason": each["reason"],
        }
        same = ("limit", "rule", "reason")
        if entry["rule"] == "veto" and found and all(found[-1][key] == entry[key] for key in same):
            continue
        if each["at_ns"] <= window.end_ns:
            found.append(entry)
    return found
