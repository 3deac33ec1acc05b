"""What a profile says: one versioned record, which reports render and scripts read."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from surefoot.records import Shares  # noqa: TC001 - the hints are read at run time

SCHEMA = "surefoot.profile"
VERSION = 1

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Program:
    """What was profiled, and where.

    Attributes:
        argv: Its command line.
        python: Implementation and version of the interpreter.
        gil_enabled: Whether the interpreter's lock was in force.
        cores: Cores that the process may use; a quota counts in fractions.
        memory_bytes: The most memory that the process may use; ``None`` without a known bound.
        surefoot: Version of surefoot.
    """

    argv: tuple[str, ...]
    python: str
    gil_enabled: bool
    cores: float
    memory_bytes: int | None
    surefoot: str


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Durations of many calls, in nanoseconds; percentiles are within 1 %."""

    mean_ns: float
    p50_ns: int
    p95_ns: int
    p99_ns: int
    max_ns: int


@dataclass(frozen=True, slots=True)
class FunctionProfile:
    """The calls of one function.

    Attributes:
        name: Module and qualified name.
        calls: How many ended.
        failed: How many of those raised.
        throughput_per_s: Calls ended per second of the profile.
        queued: From submission to the start of the call; ``None`` for calls that were not submitted.
        wall: From start to end of the call.
        cpu_mean_ns: CPU time of a call; ``None`` where threads have no CPU clock.
        shares: Where the time went; ``None`` if the calls took none.
        gil_demand_ns: How long a call holds the interpreter's lock; ``None`` if that is not known, or
            there is no lock.
        gil_demand_error_ns: One standard deviation of it.
        ceiling_per_s: Calls per second that no number of threads exceeds: one over the demand at the
            bottleneck; ``None`` without a bottleneck in this process.
        knee: Threads beyond which more of them bring nothing; ``None`` if the data cannot say.
        bottleneck: ``gil``, ``cores`` or ``none``.
    """

    name: str
    calls: int
    failed: int
    throughput_per_s: float
    queued: Percentiles | None
    wall: Percentiles | None
    cpu_mean_ns: float | None
    shares: Shares | None
    gil_demand_ns: float | None
    gil_demand_error_ns: float | None
    ceiling_per_s: float | None
    knee: int | None
    bottleneck: str


@dataclass(frozen=True, slots=True)
class PoolProfile:
    """One pool of threads, or all threads that belong to none.

    Attributes:
        name: Thread name prefix, made unique.
        kind: ``surefoot``, ``standard`` or ``threads``.
        cap: The most workers it may have.
        limit: Workers admitted at the end; ``None`` for pools without a limit of their own.
        workers_peak: Most workers that ran a task at once.
        queue_peak: Most tasks that waited at once.
        tasks: Tasks that ended.
        shares: Where the workers' time went.
    """

    name: str
    kind: str
    cap: int | None
    limit: int | None
    workers_peak: int
    queue_peak: int
    tasks: int
    shares: Shares | None


@dataclass(frozen=True, slots=True)
class TimelinePoint:
    """One pool at one moment; rates and shares are of the time since its point before.

    Attributes:
        at_s: Seconds since the profile began.
        pool: Name of the pool.
        limit: Workers admitted.
        workers_busy: Workers that ran a task.
        queue_length: Tasks that waited.
        throughput_per_s: Tasks ended per second.
        shares: Where the workers' time went.
    """

    at_s: float
    pool: str
    limit: int | None
    workers_busy: int | None
    queue_length: int | None
    throughput_per_s: float
    shares: Shares | None


@dataclass(frozen=True, slots=True)
class LimitDecision:
    """A decision of one of surefoot's own pools.

    Attributes:
        at_s: Seconds since the profile began.
        pool: Name of the pool.
        from_limit: The limit before.
        to_limit: The limit after.
        reason: Why, in words.
        veto: Set if the limit stayed although tasks waited: why.
    """

    at_s: float
    pool: str
    from_limit: int
    to_limit: int
    reason: str
    veto: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found out: a word for programs, a sentence for people."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One number, and where to put it.

    Attributes:
        where: For example ``ThreadPoolExecutor(max_workers=...)``.
        value: The number.
        why: The reason, in a sentence.
    """

    where: str
    value: int
    why: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What the threads of a program did; see ``docs/reference/profile.md``.

    Attributes:
        program: What was profiled, and where.
        started_at: When, in UTC, by ISO 8601.
        duration_s: How long, in seconds.
        functions: By function, those that took most time first.
        pools: By pool.
        timeline: All pools over time; at most 2000 points.
        decisions: Of surefoot's own pools.
        limited_by: What limits the program.
        advice: Which number to put where; empty if the data cannot carry advice.
        warnings: What is wrong beside that.
    """

    program: Program
    started_at: str
    duration_s: float
    functions: tuple[FunctionProfile, ...]
    pools: tuple[PoolProfile, ...]
    timeline: tuple[TimelinePoint, ...]
    decisions: tuple[LimitDecision, ...]
    limited_by: Finding
    advice: tuple[Setting, ...]
    warnings: tuple[Finding, ...]
    schema: str = field(default=SCHEMA, kw_only=True)
    version: int = field(default=VERSION, kw_only=True)

    def to_json(self, indent: int | None = None) -> str:
        """Return the record as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=indent, allow_nan=False)

    @classmethod
    def of_json(cls, text: str) -> Profile:
        """Read a record.

        Raises:
            ValueError: If it is not one, or of another version.
        """
        fields = json.loads(text)
        if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
            raise ValueError(f"not a {SCHEMA} record")
        if fields.get("version") != VERSION:
            raise ValueError(f"version {fields.get('version')} of {SCHEMA}; this reads version {VERSION}")
        return _read(cls, fields)

    def to_chrome_trace(self) -> str:
        """Return limit, workers, queue and shares over time for ``chrome://tracing`` or Perfetto."""
        from surefoot.report import trace

        return trace(self)

    def to_html(self) -> str:
        """Return the report as one HTML page."""
        from surefoot.report import html

        return html(self)

    def __str__(self) -> str:
        """Return the summary, for people."""
        from surefoot.profile.summary import text

        return text(self)

    def _repr_html_(self) -> str:
        from surefoot.report import short

        return short(self)


def _read(record: type[R], fields: Any) -> R:
    """Make a dataclass of what JSON made of one."""
    if not isinstance(fields, dict):
        raise ValueError(f"not the fields of a {record.__name__}: {fields!r}")
    hints = typing.get_type_hints(record)
    try:
        return record(**{name: _value(hints[name], value) for name, value in fields.items()})
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the fields of a {record.__name__}: {error}") from error


def _value(kind: Any, value: Any) -> Any:
    """Make what the annotation says of a JSON value."""
    if isinstance(kind, types.UnionType):
        # Every union here is of one type and None.
        return None if value is None else _value(typing.get_args(kind)[0], value)
    if typing.get_origin(kind) is tuple:
        each = typing.get_args(kind)[0]
        return tuple(_value(each, one) for one in value)
    if dataclasses.is_dataclass(kind):
        return _read(typing.cast(type, kind), value)
    return float(value) if kind is float else value
