"""A profile in the Trace Event Format, which chrome://tracing and Perfetto show."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from surefoot.report import words

if TYPE_CHECKING:
    from surefoot.profile.record import Profile, TimelinePoint

_PROCESS = 1


def trace(profile: Profile) -> str:
    """Return limit, queue, throughput and shares of each pool as counters, and the decisions as instants."""
    named = shlex.join(profile.program.argv)
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": _PROCESS, "tid": 0, "args": {"name": named}}
    ]
    for point in profile.timeline:
        events += (
            {
                "ph": "C",
                "name": f"{point.pool}: {name}",
                "pid": _PROCESS,
                "ts": _us(point.at_s),
                "args": values,
            }
            for name, values in _counters(point).items()
            if values
        )
    for made in profile.decisions:
        change = f"{made.from_limit} to {made.to_limit}" if made.veto is None else f"veto: {made.veto}"
        events.append(
            {
                "ph": "i",
                "s": "p",
                "name": f"{made.pool}: {change}",
                "cat": "decision",
                "pid": _PROCESS,
                "tid": 0,
                "ts": _us(made.at_s),
                "args": {
                    "reason": made.reason,
                    "from": made.from_limit,
                    "to": made.to_limit,
                    "veto": made.veto,
                },
            }
        )
    shown = {"started_at": profile.started_at, "python": profile.program.python}
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms", "otherData": shown}, allow_nan=False)


def _us(at_s: float) -> float:
    return round(at_s * 1e6, 1)


def _counters(point: TimelinePoint) -> dict[str, dict[str, float]]:
    workers = {"limit": point.limit, "busy": point.workers_busy}
    shares = {} if point.shares is None else {words.SHARE_NAMES[k]: v for k, v in words.parts(point.shares)}
    return {
        "workers": {name: value for name, value in workers.items() if value is not None},
        "queue": {} if point.queue_length is None else {"tasks": point.queue_length},
        "throughput": {"tasks per s": point.throughput_per_s},
        "shares": shares,
    }
