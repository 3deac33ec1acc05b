"""What a pool says of itself: readings, decisions, windows."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class PoolStats:
    """One consistent reading of a pool.

    In every reading ``tasks_submitted`` is the sum of ``queue_length``, ``tasks_running``,
    ``tasks_done``, ``tasks_failed`` and ``tasks_cancelled``. Percentiles are of all tasks since the
    pool was made, within 1 % (times under 128 ns count as one); ``None`` before the first.

    Attributes:
        limit: Workers admitted to run tasks now.
        cap: The limit never exceeds it.
        workers_live: Threads that exist, those being started included.
        workers_busy: Workers that run a task.
        workers_idle: The others.
        queue_length: Tasks waiting.
        queue_head_age_s: How long the oldest of them has waited, in seconds; 0 if none waits.
        tasks_submitted: Tasks accepted.
        tasks_running: Tasks taken by a worker and not finished.
        tasks_done: Tasks that returned.
        tasks_failed: Tasks that raised.
        tasks_cancelled: Tasks that left the queue without being run by a worker.
        beta_mean: Mean of ``1 - cpu / wall`` over all tasks measured, 0 to 1.
        queued_ns_p50: Time from submission to a worker.
        queued_ns_p95: See ``queued_ns_p50``.
        queued_ns_p99: See ``queued_ns_p50``.
        attach_wait_ns_p50: Time a woken worker waited for the interpreter before it took its task; 0
            for a worker that was running already.
        attach_wait_ns_p95: See ``attach_wait_ns_p50``.
        attach_wait_ns_p99: See ``attach_wait_ns_p50``.
        wall_ns_p50: Time from start to end of the call.
        wall_ns_p95: See ``wall_ns_p50``.
        wall_ns_p99: See ``wall_ns_p50``.
        cpu_ns_p50: CPU time of the call; ``None`` where threads have no CPU clock.
        cpu_ns_p95: See ``cpu_ns_p50``.
        cpu_ns_p99: See ``cpu_ns_p50``.
        vetoes: How often the controller refused to raise the limit although tasks waited, by reason.
    """

    limit: int
    cap: int
    workers_live: int
    workers_busy: int
    workers_idle: int
    queue_length: int
    queue_head_age_s: float
    tasks_submitted: int
    tasks_running: int
    tasks_done: int
    tasks_failed: int
    tasks_cancelled: int
    beta_mean: float | None
    queued_ns_p50: int | None
    queued_ns_p95: int | None
    queued_ns_p99: int | None
    attach_wait_ns_p50: int | None
    attach_wait_ns_p95: int | None
    attach_wait_ns_p99: int | None
    wall_ns_p50: int | None
    wall_ns_p95: int | None
    wall_ns_p99: int | None
    cpu_ns_p50: int | None
    cpu_ns_p95: int | None
    cpu_ns_p99: int | None
    vetoes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{each.name}</th>"
            f"<td>{html.escape(_shown(getattr(self, each.name)))}</td></tr>"
            for each in fields(self)
        )
        return f"<table>{rows}</table>"


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {count}" for name, count in value.items()) or "none"
    return "-" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Decision:
    """A change of the limit, or a veto, as it stands in the bounded log.

    Attributes:
        at_s: When, in seconds of the process's monotonic clock (its zero is arbitrary).
        limit_before: The limit before.
        limit: The limit after.
        reason: Why, in words.
        veto: Set if the limit stayed although tasks waited: why.
        queue_length: Tasks waiting.
        completions: Tasks completed in the window decided on.
        beta: Their mean beta, 0 to 1; ``None`` if none was measured.
    """

    at_s: float
    limit_before: int
    limit: int
    reason: str
    veto: str | None
    queue_length: int
    completions: int
    beta: float | None


@dataclass(frozen=True, slots=True)
class Window:
    """One control period, reduced to what a controller may know.

    Attributes:
        duration_s: Length of the period.
        arrivals: Tasks submitted in it.
        completions: Tasks that returned or raised in it.
        queue_length: Tasks waiting at its end.
        queue_head_age_s: How long the oldest of them has waited.
        limit: The limit in force.
        cap: The cap in force.
        min_workers: The limit never goes below it.
        workers_live: Workers that exist.
        workers_busy: Workers that run a task.
        beta: Mean beta of the tasks completed, 0 to 1; ``None`` if none was measured.
    """

    duration_s: float
    arrivals: int
    completions: int
    queue_length: int
    queue_head_age_s: float
    limit: int
    cap: int
    min_workers: int
    workers_live: int
    workers_busy: int
    beta: float | None
