"""A profile over time in the Trace Event Format, which chrome://tracing and Perfetto read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot.profile.record import Profile


def chrome_trace(profile: Profile) -> str:
    """Return counters of each pool over time, and decisions as instants, as JSON text."""
    numbers = {pool.name: number for number, pool in enumerate(profile.pools, 1)}
    events: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": number, "args": {"name": f"pool {name}"}}
        for name, number in numbers.items()
    ]

    def counter(name: str, pool: str, at_s: float, values: dict[str, float]) -> None:
        event = {"name": name, "ph": "C", "pid": numbers.setdefault(pool, len(numbers) + 1), "tid": 0}
        events.append({**event, "ts": round(at_s * 1e6, 1), "args": values})

    for point in profile.timeline:
        workers = {"busy": point.workers_busy, "limit": point.limit}
        counter("workers", point.pool, point.at_s, {k: float(v) for k, v in workers.items() if v is not None})
        if point.queue_length is not None:
            counter("queue", point.pool, point.at_s, {"tasks": float(point.queue_length)})
        counter("throughput", point.pool, point.at_s, {"tasks per s": round(point.throughput_per_s, 3)})
        shares = point.shares
        if shares is not None:
            parts = {"cpu": shares.cpu, "runqueue": shares.runqueue}
            if shares.gil is None or shares.io is None:
                parts["blocked"] = shares.blocked
            else:
                parts |= {"gil": shares.gil, "io": shares.io}
            counter("shares", point.pool, point.at_s, {name: round(part, 4) for name, part in parts.items()})
    for decision in profile.decisions:
        event = {"name": decision.veto or "limit", "ph": "i", "s": "p", "tid": 0}
        event |= {"pid": numbers.setdefault(decision.pool, len(numbers) + 1), "ts": round(decision.at_s * 1e6, 1)}
        args = {"from": decision.from_limit, "to": decision.to_limit, "reason": decision.reason}
        events.append({**event, "args": args})
    about = {"started_at": profile.started_at, "argv": " ".join(profile.program.argv)}
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms", "otherData": about})
