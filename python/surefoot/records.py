"""What a pool says of itself: readings, decisions, windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Shares:
    """Where the wall time of workers went, from awake for a task to the end of it.

    ``cpu + runqueue + blocked`` is 1. ``gil + io`` is ``blocked`` where the interpreter's lock can be
    seen; elsewhere both are ``None`` and ``blocked`` stays in one piece.

    Attributes:
        cpu: On a core.
        runqueue: Runnable, waiting for a core.
        gil: Waiting for the interpreter; ``None`` if that could not be seen.
        io: Blocked otherwise: I/O, sleep, locks, other tasks; ``None`` if ``gil`` is.
        blocked: The two together.
        gil_bounds: The least and the most that ``gil`` can be.
        error: One standard deviation of the shares, together with what is known to be off.
        source: ``exact`` (clocks alone), ``sampled`` (in part looks at moments, or tasks taken to be
            like their neighbours), ``bound`` (``gil`` is known by ``gil_bounds`` only).
    """

    cpu: float
    runqueue: float
    gil: float | None
    io: float | None
    blocked: float
    gil_bounds: tuple[float, float]
    error: float
    source: str

    def __str__(self) -> str:
        """Return the shares in percent, for people."""
        parts = [f"cpu {self.cpu:.0%}", f"run queue {self.runqueue:.0%}"]
        if self.gil is None or self.io is None:
            least, most = self.gil_bounds
            parts.append(f"blocked {self.blocked:.0%}, of that GIL {least:.0%} to {most:.0%}")
        else:
            parts += [f"GIL {self.gil:.0%}", f"I/O {self.io:.0%}"]
        return f"{', '.join(parts)} (±{self.error:.0%}, {self.source})"


@dataclass(frozen=True, slots=True)
class FunctionStats:
    """The tasks that called one function.

    Attributes:
        tasks: How many returned or raised.
        wall_s: Their time from start to end, summed.
        cpu_s: Their CPU time, summed; 0 where threads have no CPU clock.
        queued_s: Their time from submission to a worker, summed.
        shares: Where their time went: an estimate that divides what is not measured task by task as in
            the last window of the whole pool. ``None`` if they took no time.
    """

    tasks: int
    wall_s: float
    cpu_s: float
    queued_s: float
    shares: Shares | None


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
        workers_joining: Of those, workers that wait in ``result()`` for another task of the pool.
        workers_idle: Workers that run none.
        queue_length: Tasks waiting.
        queue_head_age_s: How long the oldest of them, or else the first blocked submitter, has waited,
            in seconds; 0 if none waits.
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
        shares: Where the workers' time went since the pool was made; ``None`` before the first task.
        functions: The same by what was called, by module and qualified name: bound methods and
            ``functools.partial`` count as the function inside, other objects as their class. The first
            64 names are told apart, the rest is ``"(others)"``.
        tasks_rejected: Tasks refused because the queue was full (``queue_full="raise"``); not among
            the submitted.
        tasks_run_by_callers: Tasks that their submitters ran because the queue was full
            (``"caller-runs"``). They are booked when they end: among the submitted, and those that
            returned or raised.
        submitters_blocked: Threads that wait in ``submit`` for room in the queue (``"block"``). Their
            tasks are not submitted yet.
    """

    limit: int
    cap: int
    workers_live: int
    workers_busy: int
    workers_joining: int
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
    shares: Shares | None = None
    functions: Mapping[str, FunctionStats] = field(default_factory=lambda: MappingProxyType({}))
    tasks_rejected: int = 0
    tasks_run_by_callers: int = 0
    submitters_blocked: int = 0

    @classmethod
    def of(cls, fields: dict[str, Any]) -> PoolStats:
        """Make a reading of what the native half tells."""
        functions = {
            name: FunctionStats(**{**each, "shares": _shares(each["shares"])})
            for name, each in fields.pop("functions").items()
        }
        return cls(
            vetoes=MappingProxyType(fields.pop("vetoes")),
            shares=_shares(fields.pop("shares")),
            functions=MappingProxyType(functions),
            **fields,
        )

    def _repr_html_(self) -> str:
        import html

        rows = "".join(
            f"<tr><th style='text-align:left'>{each.name}</th>"
            f"<td>{html.escape(_shown(getattr(self, each.name)))}</td></tr>"
            for each in fields(self)
            if each.name != "functions"
        )
        rows += "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td>{html.escape(_shown(function))}</td></tr>"
            for name, function in self.functions.items()
        )
        return f"<table>{rows}</table>"


def _shares(fields: dict[str, Any] | None) -> Shares | None:
    return None if fields is None else Shares(**fields)


def _shown(value: object) -> str:
    if isinstance(value, FunctionStats):
        return f"{value.tasks} tasks, {value.wall_s:.3g} s: {_shown(value.shares)}"
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
        queue_length: Tasks waiting, those that a bounded queue kept out included.
        completions: Tasks completed in the window decided on.
        beta: Their mean beta, 0 to 1; ``None`` if none was measured.
        rule: What asked for a change, in one word; ``"controller"`` where the controller gives none.
    """

    at_s: float
    limit_before: int
    limit: int
    reason: str
    veto: str | None
    queue_length: int
    completions: int
    beta: float | None
    rule: str = "controller"


@dataclass(frozen=True, slots=True)
class Window:
    """One control period, reduced to what a controller may know.

    Attributes:
        duration_s: Length of the period.
        arrivals: Tasks submitted in it.
        completions: Tasks that returned or raised in it.
        queue_length: Tasks waiting at its end, and those that a bounded queue kept out in it.
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
