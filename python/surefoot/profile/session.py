"""One profile in the making: what is observed from ``start`` to ``stop``."""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Callable
from concurrent.futures.thread import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

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
from surefoot.records import Shares

if TYPE_CHECKING:
    from surefoot import _core
    from surefoot.adaptive import AdaptiveThreadPoolExecutor

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
        # Of ours: the executor and its reading when it was met.
        self.executor: AdaptiveThreadPoolExecutor | None = None
        self.before: Any = None
        self.after: Any = None
        self.decided: tuple[Any, ...] = ()


class Session:
    """Observes this process: standard pools, pools of ours, anyio's threads, and what :meth:`call` is given.

    Any number of sessions may go on at once, in any threads, overlapping or inside one another. All methods may
    be called from any thread. Where the native half cannot be had, or with ``SUREFOOT_DISABLE=1``, nothing is
    observed and the profile says so.
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
        self._meet_own_pools()
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
        return number is not None and self._observation is not None and self._observation.joins(number, is_waiting)

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
        if len(self._known) >= MOST_POOLS:
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

    def _meet_own_pools(self) -> None:
        """Begin to read the pools of ours that are new."""
        from surefoot import adaptive

        with self._lock:
            assert self._observation is not None
            met = {id(known.executor) for known in self._known.values() if known.executor is not None}
            for executor in adaptive._executors():
                pool = executor.__dict__.get("_AdaptiveThreadPoolExecutor__pool")
                if pool is None or id(executor) in met or len(self._known) >= 2 * MOST_POOLS:
                    continue
                stats = executor.stats()
                number = self._observation.add_own_pool(pool)
                name = executor._thread_name_prefix
                known = _Known(number, self._unique(name), "surefoot", "", stats.cap)
                known.executor, known.before = executor, stats
                self._known[number] = known

    # The record.

    def _read(self) -> dict[str, Any]:
        assert self._observation is not None
        if not self._is_of_calls:
            self._meet_own_pools()
        for known in self._known.values():
            if known.executor is not None:
                known.after, known.decided = known.executor.stats(), known.executor.decisions()
                if self._kept is not None:
                    known.executor = None
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
        measured, own = self._measured(fields)
        shown = [
            *(_function(each, each_own, measured) for each, each_own in own),
            *(_function(_of_fields(each), each, measured) for each in fields["functions"] if each["calls"]),
        ]
        shown.sort(key=lambda each: each.calls * (each.wall.mean_ns if each.wall else 0.0), reverse=True)
        by_number = {known.name: known for known in self._known.values()}
        pools = tuple(
            PoolProfile(
                pool.name,
                pool.kind,
                pool.cap,
                by_number[pool.name].after.limit if by_number[pool.name].after else None,
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
            decisions=self._decisions(),
            limited_by=limited_by(measured),
            advice=advice(measured),
            warnings=warnings(measured),
        )

    def _measured(self, fields: dict[str, Any]) -> tuple[Measured, list[tuple[Function, dict[str, Any]]]]:
        gil = fields["gil"]
        pools, timeline = [], []
        own: list[tuple[Function, dict[str, Any]]] = []
        active_s = gil["active_s"]
        for known in self._known.values():
            read = fields["pools"][known.number]
            points = [_point(known.name, point) for point in read["timeline"]]
            timeline += points
            if known.after is not None:
                tasks, functions = _own_tasks(known)
                own += functions
                busy_s = sum(each["duration_s"] for each in read["timeline"] if each["busy_mean"] > 0)
                active_s = max(active_s, busy_s)
            else:
                tasks = _of_fields({**read, "name": known.name, "calls": read["tasks"], "asleep_holding_ns": 0})
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
        )
        timeline.sort(key=lambda point: point.at_s)
        measured = Measured(
            duration_s=fields["duration_s"],
            active_s=active_s,
            cores=fields["cores"],
            machine_cores=machine.cores(),
            process_cpu_s=fields["process_cpu_s"],
            lock=lock,
            functions=tuple(_of_fields(each) for each in fields["functions"]),
            pools=tuple(pools),
            timeline=tuple(timeline),
            memory_bytes=machine.memory_bytes(),
            memory_used_bytes=machine.memory_used_bytes(),
            library_threads=self._library_threads,
        )
        return measured, own

    def _decisions(self) -> tuple[LimitDecision, ...]:
        from surefoot.profile.machine import monotonic_of

        began_s = monotonic_of(self._started_at)
        decisions = [
            LimitDecision(
                each.at_s - began_s, known.name, each.limit_before, each.limit, each.reason, each.veto
            )
            for known in self._known.values()
            for each in known.decided
            if each.at_s >= began_s
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


def _own_tasks(known: _Known) -> tuple[Function, list[tuple[Function, dict[str, Any]]]]:
    """Return the tasks of a pool of ours since the session met it, in all and by function."""
    before, after = known.before, known.after
    functions = []
    for name, now in after.functions.items():
        then = before.functions.get(name)
        calls = now.tasks - (then.tasks if then else 0)
        if calls <= 0:
            continue
        # What the pool has told of it is since it was made; the times are since the session met it.
        wall_s = now.wall_s - (then.wall_s if then else 0.0)
        cpu_s = now.cpu_s - (then.cpu_s if then else 0.0)
        function = Function(name, calls, wall_s, cpu_s, None, 0.0, now.shares)
        functions.append((function, {"failed": 0, "queued": None, "wall": None}))
    calls = after.tasks_done + after.tasks_failed - before.tasks_done - before.tasks_failed
    wall_s = sum(function.wall_s for function, _ in functions)
    cpu_s = sum(function.cpu_s or 0.0 for function, _ in functions)
    return Function(known.name, calls, wall_s, cpu_s, None, 0.0, after.shares), functions


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


