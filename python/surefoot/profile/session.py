"""One profile in the making: what is observed from ``start`` to ``stop``."""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Callable
from concurrent.futures.thread import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from surefoot import registry
from surefoot.profile import machine, placing
from surefoot.profile.advice import advice
from surefoot.profile.analysis import demand, knee
from surefoot.profile.findings import limited_by, warnings
from surefoot.profile.measured import Function, Lock, Measured, Pool
from surefoot.profile.record import (
    Finding,
    FunctionProfile,
    LimitDecision,
    Percentiles,
    PoolProfile,
    Profile,
    TimelinePoint,
)
from surefoot.records import PoolStats, Shares

if TYPE_CHECKING:
    from surefoot import _core

T = TypeVar("T")

# Pools told apart; what comes after is one pool, "(others)".
MOST_POOLS = 32


class _Known:
    """A pool that the observation has a number for."""

    def __init__(self, number: int, name: str, kind: str, place: str, cap: int | None) -> None:
        self.number = number
        self.name = name
        self.kind = kind
        self.place = place
        self.cap = cap
        # Of ours: the pool, which keeps no executor alive, and its reading when it was met.
        self.pool: _core.Pool | None = None
        self.before: Any = None
        self.after: Any = None
        self.decided: tuple[Any, ...] = ()


class Session:
    """Observes this process: standard pools, pools of ours, anyio's threads, and what :meth:`call` is given.

    Any number of sessions may go on at once, in any threads, overlapping or inside one another. All methods
    may be called from any thread. Where the native half cannot be had, or with ``SUREFOOT_DISABLE=1``,
    nothing is observed and the profile says so.
    """

    def __init__(self) -> None:
        """Make a session that has not begun."""
        self._lock = threading.Lock()
        self._is_of_calls = False
        self._observation: _core.Observation | None = None
        self._why_not = "not started"
        self._known: dict[int, _Known] = {}
        self._names: set[str] = set()
        self._threads: int | None = None
        self._anyio: int | None = None
        self._executors: Any = None
        self._numbers: Any = None
        self._kept: dict[str, Any] | None = None
        self._library_threads: dict[str, int] = {}
        self._started_at = datetime.datetime.now(datetime.timezone.utc)
        self._process_id = os.getpid()

    @property
    def is_on(self) -> bool:
        """Whether it observes."""
        return self._observation is not None and self._kept is None

    def start_calls(self) -> Session:
        """Begin to observe what :meth:`call` is given, and nothing else."""
        return self._start(of_calls=True)

    def start(self) -> Session:
        """Begin to observe; of a session that has begun already, nothing."""
        return self._start(of_calls=False)

    def _start(self, *, of_calls: bool) -> Session:
        with self._lock:
            if self._observation is not None or self._kept is not None:
                return self
            self._started_at = datetime.datetime.now(datetime.timezone.utc)
            from surefoot import executor

            # Of pools that were replaced by the standard one there is nothing to read.
            self._why_not = executor._reason or ""
            if self._why_not:
                return self
            try:
                from surefoot import _core

                self._observation = _core.Observation()
            except (ImportError, RuntimeError) as error:
                self._why_not = str(error)
                return self
            self._is_of_calls = of_calls
            if of_calls:
                return self
            from surefoot.profile import anyio_threads, submission

            self._executors = submission.Executors(self._number_of)
            self._numbers = self._executors.get
        self._meet_own_pools(True)
        submission.add(self)
        anyio_threads.add(self)
        return self

    def stop(self) -> Session:
        """Observe no more; calls that run are not waited for."""
        with self._lock:
            observation = self._observation
            if observation is None or self._kept is not None:
                return self
            self._kept = {}
        if self._process_id != os.getpid():
            # A forked child: what was patched and read is its parent's.
            return self
        if not self._is_of_calls:
            from surefoot.profile import anyio_threads, submission

            self._meet_own_pools(False)
            submission.remove(self)
            anyio_threads.remove(self)
        observation.stop()
        self._library_threads = machine.library_threads()
        self._kept = self._read()
        return self

    # What the patched functions call.

    def submitted(self, executor: ThreadPoolExecutor, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what to give a standard pool in place of a function."""
        observation = self._observation
        if observation is None:
            return function
        number = self._numbers(id(executor))
        if number is None:
            number = self._executors.number(executor)
        return function if number < 0 else observation.submitted(number, function)

    def joins(self, executor_id: int, is_waiting: bool) -> bool:
        """Hear that the calling thread waits for a task of this executor, or does so no more."""
        number = self._numbers(executor_id)
        return (
            number is not None
            and self._observation is not None
            and self._observation.joins(number, is_waiting)
        )

    def submitted_to_anyio(self, function: Callable[..., Any], tokens: float) -> Callable[..., Any]:
        """Return what to give anyio's worker threads in place of a function."""
        observation = self._observation
        if observation is None:
            return function
        if self._anyio is None:
            cap = int(tokens) if 0 < tokens < 1e6 else None
            with self._lock:
                if self._anyio is None:
                    self._anyio = self._add("anyio worker threads", "threads", "anyio", cap)
        return observation.submitted(self._anyio, function)

    def call(self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        """Call a function in this thread and measure the call."""
        observation = self._observation
        if observation is None or self._kept is not None:
            return function(*args, **kwargs)
        if self._threads is None:
            with self._lock:
                if self._threads is None:
                    self._threads = self._add("threads", "threads", "", None)
        return observation.call(self._threads, function, args, kwargs or None)

    # Pools.

    def _number_of(self, executor: Any) -> int:
        """Number a standard executor that is met for the first time; -1 for one not to be observed."""
        if "_AdaptiveThreadPoolExecutor__pool" in executor.__dict__:
            return -1
        with self._lock:
            return self._add(*placing.of_executor(executor))

    def _add(self, name: str, kind: str, place: str, cap: int | None) -> int:
        assert self._observation is not None
        if sum(known.kind != "surefoot" for known in self._known.values()) >= MOST_POOLS:
            others = [known for known in self._known.values() if known.name == "(others)"]
            if others:
                return others[0].number
            name, place, cap = "(others)", "", None
        number = self._observation.add_pool(cap)
        self._known[number] = _Known(number, self._unique(name), kind, place, cap)
        return number

    def _unique(self, name: str) -> str:
        unique, count = name, 1
        while unique in self._names:
            count += 1
            unique = f"{name} ({count})"
        self._names.add(unique)
        return unique

    def _meet_own_pools(self, is_on: bool) -> None:
        if is_on:
            registry.meeters = (*registry.meeters, self.meet)
            for executor in registry.executors():
                self.meet(executor)
        else:
            registry.meeters = tuple(meet for meet in registry.meeters if meet != self.meet)

    def meet(self, executor: ThreadPoolExecutor) -> None:
        """Begin to read a pool of ours."""
        pool = executor.__dict__.get("_AdaptiveThreadPoolExecutor__pool")
        with self._lock:
            if pool is None or self._observation is None or self._kept is not None:
                return
            if (
                any(known.pool is pool for known in self._known.values())
                or len(self._known) >= 4 * MOST_POOLS
            ):
                return
            number = self._observation.add_own_pool(pool)
            name = self._unique(str(executor._thread_name_prefix))
            known = self._known[number] = _Known(number, name, "surefoot", "", pool.cap)
            known.pool, known.before = pool, PoolStats.of(pool.stats())

    # The record.

    def _read(self) -> dict[str, Any]:
        assert self._observation is not None
        for known in list(self._known.values()):
            if known.pool is not None:
                known.after, known.decided = PoolStats.of(known.pool.stats()), tuple(known.pool.decisions())
                if self._kept is not None:
                    known.pool = None
        return self._observation.read()

    def profile(self) -> Profile:
        """Return the profile; of a session that goes on, up to now."""
        started_at = self._started_at.isoformat(timespec="milliseconds")
        program = machine.program()
        if self._observation is None:
            nothing = Finding("not-measured", f"Nothing was measured: {self._why_not}.")
            return Profile(program, started_at, 0.0, (), (), (), (), nothing, (), ())
        fields = self._kept or self._read()
        if not fields:
            nothing = Finding("not-measured", "Nothing was measured: this is a forked child.")
            return Profile(program, started_at, 0.0, (), (), (), (), nothing, (), ())
        measured = self._measured(fields)
        told = {each["name"]: each for each in fields["functions"]}
        nothing_told = {"failed": 0, "queued": None, "wall": None}
        shown = [_function(each, told.get(each.name, nothing_told), measured) for each in measured.functions]
        shown.sort(key=lambda each: each.calls * (each.wall.mean_ns if each.wall else 0.0), reverse=True)
        by_name = {known.name: known for known in self._known.values()}
        pools = tuple(
            PoolProfile(
                pool.name,
                pool.kind,
                pool.cap,
                by_name[pool.name].after.limit if by_name[pool.name].after else None,
                pool.workers_peak,
                pool.queue_peak,
                pool.tasks.calls,
                pool.tasks.shares,
            )
            for pool in measured.pools
        )
        return Profile(
            program=program,
            started_at=started_at,
            duration_s=measured.duration_s,
            functions=tuple(shown),
            pools=pools,
            timeline=measured.timeline,
            decisions=self._decisions(fields["began_s"]),
            limited_by=limited_by(measured),
            advice=advice(measured),
            warnings=warnings(measured),
        )

    def _measured(self, fields: dict[str, Any]) -> Measured:
        gil = fields["gil"]
        pools, timeline = [], []
        functions = {each["name"]: _of_fields(each) for each in fields["functions"] if each["calls"]}
        active_s = gil["active_s"]
        for known in self._known.values():
            read = fields["pools"][known.number]
            points = [_point(known.name, point) for point in read["timeline"]]
            timeline += points
            if known.after is not None:
                # Which threads of ours hold the lock is not seen: taken to be in proportion to their work.
                held_s = max(0.0, gil["held_s"] - gil["in_calls_s"]) if gil["seen_s"] else None
                own = _own_functions(known, held_s, self._own_cpu_s())
                for each in own:
                    functions[each.name] = _together(each.name, [each, *_present(functions.get(each.name))])
                tasks = _together(known.name, own)
                busy_s = sum(each["duration_s"] for each in read["timeline"] if each["busy_mean"] > 0)
                active_s = max(active_s, busy_s)
            else:
                tasks = _of_fields({**read, "name": known.name, "calls": read["tasks"]})
            seen = read["seen"]
            blocked = seen["gil"] + seen["lock"] + seen["io"]
            pool = Pool(
                known.name,
                known.kind,
                known.place,
                known.cap,
                read["workers_peak"],
                read["queue_peak"],
                read["joining_peak"],
                read["running"],
                seen["lock"] / blocked if blocked else 0.0,
                tasks,
            )
            if pool.tasks.calls or pool.running or pool.queue_peak:
                pools.append(pool)
        lock = Lock(
            machine.is_gil_enabled(),
            gil["seen_s"],
            gil["looks"],
            gil["held_s"],
            gil["busy_s"],
            gil["in_calls_s"],
            fields["sightings"] > 0,
        )
        timeline.sort(key=lambda point: point.at_s)
        return Measured(
            duration_s=fields["duration_s"],
            active_s=active_s,
            cores=fields["cores"],
            machine_cores=machine.cores(),
            process_cpu_s=fields["process_cpu_s"],
            lock=lock,
            functions=tuple(functions.values()),
            pools=tuple(pools),
            timeline=tuple(timeline),
            memory_bytes=machine.memory_bytes(),
            memory_used_bytes=machine.memory_used_bytes(),
            library_threads=self._library_threads,
        )

    def _own_cpu_s(self) -> float:
        pools = [known for known in self._known.values() if known.after is not None]
        return sum(each.cpu_s or 0.0 for known in pools for each in _own_functions(known, None, 0.0))

    def _decisions(self, began_s: float) -> tuple[LimitDecision, ...]:
        decisions = [
            LimitDecision(
                at_s=each["at_s"] - began_s,
                pool=known.name,
                from_limit=each["limit_before"],
                to_limit=each["limit"],
                reason=each["reason"],
                veto=each["veto"],
            )
            for known in self._known.values()
            for each in known.decided
            if each["at_s"] >= began_s
        ]
        return tuple(sorted(decisions, key=lambda each: each.at_s))


def _point(pool: str, fields: dict[str, Any]) -> TimelinePoint:
    duration_s = max(fields["duration_s"], 1e-9)
    return TimelinePoint(
        at_s=fields["at_s"],
        pool=pool,
        limit=fields["limit"],
        workers_busy=round(fields["busy_mean"]),
        queue_length=fields["queue_length"],
        throughput_per_s=fields["completions"] / duration_s,
        shares=_shares(fields["shares"]),
    )


def _of_fields(fields: dict[str, Any]) -> Function:
    return Function(
        fields["name"],
        fields["calls"],
        fields["wall_ns"] / 1e9,
        fields["cpu_ns"] / 1e9,
        None if fields["held_ns"] is None else fields["held_ns"] / 1e9,
        fields["asleep_holding_ns"] / 1e9,
        _shares(fields["shares"]),
    )


def _own_functions(known: _Known, held_s: float | None, all_cpu_s: float) -> list[Function]:
    """Return the tasks of a pool of ours since the session met it, by function."""
    functions = []
    for name, now in known.after.functions.items():
        then = known.before.functions.get(name)
        calls = now.tasks - (then.tasks if then else 0)
        if calls > 0:
            # Shares are since the pool was made; the times are since the session met it.
            cpu_s = now.cpu_s - (then.cpu_s if then else 0.0)
            part = cpu_s / all_cpu_s if all_cpu_s > 0 else 0.0
            held = None if held_s is None else held_s * part
            wall_s = now.wall_s - (then.wall_s if then else 0.0)
            functions.append(Function(name, calls, wall_s, cpu_s, held, 0.0, now.shares))
    return functions


def _present(function: Function | None) -> list[Function]:
    return [] if function is None else [function]


def _together(name: str, functions: list[Function]) -> Function:
    """Sum functions; the shares are those weighted by time, where all can tell them."""
    held = [each.held_s for each in functions if each.held_s is not None]
    return Function(
        name,
        sum(each.calls for each in functions),
        sum(each.wall_s for each in functions),
        sum(each.cpu_s or 0.0 for each in functions),
        sum(held) if len(held) == len(functions) and held else None,
        sum(each.asleep_holding_s for each in functions),
        _weighted(functions),
    )


def _weighted(functions: list[Function]) -> Shares | None:
    known = [(each.shares, each.wall_s) for each in functions if each.shares is not None and each.wall_s > 0]
    if len(known) < 2:
        return known[0][0] if known else None
    total_s = sum(wall_s for _, wall_s in known)

    def mean(values: list[float | None]) -> float | None:
        if any(value is None for value in values):
            return None
        return (
            sum((value or 0.0) * wall_s for value, (_, wall_s) in zip(values, known, strict=True)) / total_s
        )

    gil, io = mean([shares.gil for shares, _ in known]), mean([shares.io for shares, _ in known])
    bounds = tuple(mean([shares.gil_bounds[end] for shares, _ in known]) or 0.0 for end in (0, 1))
    return Shares(
        cpu=mean([shares.cpu for shares, _ in known]) or 0.0,
        runqueue=mean([shares.runqueue for shares, _ in known]) or 0.0,
        gil=None if io is None else gil,
        io=None if gil is None else io,
        blocked=mean([shares.blocked for shares, _ in known]) or 0.0,
        gil_bounds=(bounds[0], bounds[1]),
        error=mean([shares.error for shares, _ in known]) or 0.0,
        source="bound" if gil is None or io is None else "sampled",
    )


def _function(function: Function, fields: dict[str, Any], measured: Measured) -> FunctionProfile:
    need = demand(function, measured.lock)
    found = knee(need, function.calls, measured.cores, has_lock=measured.lock.is_enabled)
    gil_s = need.gil_s
    return FunctionProfile(
        name=function.name,
        calls=function.calls,
        failed=fields["failed"],
        throughput_per_s=function.calls / max(measured.duration_s, 1e-9),
        queued=_percentiles(fields["queued"]),
        wall=_percentiles(fields["wall"]),
        cpu_mean_ns=None if need.cpu_s is None else need.cpu_s * 1e9,
        shares=function.shares,
        gil_demand_ns=None if gil_s is None else gil_s * 1e9,
        gil_demand_error_ns=None if gil_s is None else need.gil_error_s * 1e9,
        ceiling_per_s=found.ceiling_per_s,
        knee=found.whole,
        bottleneck=found.bottleneck,
    )


def _percentiles(fields: dict[str, Any] | None) -> Percentiles | None:
    return None if fields is None else Percentiles(**fields)


def _shares(fields: dict[str, Any] | None) -> Shares | None:
    return None if fields is None else Shares(**fields)
