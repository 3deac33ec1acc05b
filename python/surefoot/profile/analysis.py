"""From what was measured to what limits: demand, ceiling, knee. Pure functions.

By the laws of queueing systems (Denning and Buzen 1978; Lazowska et al. 1984): with a demand D for each call
at the bottleneck no number of threads exceeds 1 / D calls a second, and with a time R that a call takes when
nobody is in its way, R / D threads reach that. The bottleneck inside a process is the interpreter's lock or
the cores; of c cores the demand is that of one, divided by c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surefoot.profile.measured import Function, Lock, Measured

# Fewer calls are an anecdote.
LEAST_CALLS = 20
# A knee that is less certain than this is not told.
MOST_ERROR = 0.5


@dataclass(frozen=True)
class Demand:
    """What one call needs, in seconds.

    Attributes:
        gil_s: With the interpreter's lock held; ``None`` without a lock, or if nobody could see.
        gil_error_s: One standard deviation of it.
        cpu_s: On a core; ``None`` if unknown.
        alone_s: All of it, if nobody were in its way; ``None`` if waiting for the lock cannot be told from
            other waiting.
        alone_error_s: One standard deviation of it.
    """

    gil_s: float | None
    gil_error_s: float
    cpu_s: float | None
    alone_s: float | None
    alone_error_s: float


@dataclass(frozen=True)
class Knee:
    """Where more threads stop to help.

    Attributes:
        bottleneck: ``gil``, ``cores`` or ``none``.
        ceiling_per_s: Calls per second that are never exceeded.
        threads: Threads that reach it if calls never queue; ``None`` if the data cannot say.
        servers: How many calls the bottleneck serves at once: cores, or one lock.
        error: One standard deviation of ``threads``, as a part of it.
        least: What ``threads`` is at least, two standard deviations down; ``None`` if not even that is known.
    """

    bottleneck: str
    ceiling_per_s: float | None
    threads: float | None
    servers: float
    error: float
    least: float | None = None

    @property
    def whole(self) -> int | None:
        """The knee as a number of threads. A twentieth of a thread is not worth another."""
        return None if self.threads is None else max(1, math.ceil(self.threads * 0.95))

    @property
    def with_reserve(self) -> int | None:
        """The number to set. Calls do not all take equally long: half a root in reserve."""
        if self.threads is None:
            return None
        spread = math.sqrt(max(0.0, self.threads - self.servers)) / 2
        return max(1, math.ceil(self.threads * 0.95 + spread))


def demand(function: Function, lock: Lock) -> Demand:
    """Work out what one call of a function needs."""
    calls = max(1, function.calls)
    cpu_s = None if function.cpu_s is None else function.cpu_s / calls
    gil_s, gil_error_s = _held(function, lock, cpu_s)
    alone_s, alone_error_s = None, 0.0
    shares, wall_s = function.shares, function.wall_s / calls
    if shares is not None and shares.gil is not None:
        alone_s = wall_s * max(0.0, 1 - shares.gil - shares.runqueue)
        alone_error_s = wall_s * shares.error
        alone_s = max(alone_s, cpu_s or 0.0, gil_s or 0.0)
    return Demand(gil_s, gil_error_s, cpu_s, alone_s, alone_error_s)


def _held(function: Function, lock: Lock, cpu_s: float | None) -> tuple[float | None, float]:
    if not lock.is_enabled or function.held_s is None or lock.seen_s <= 0:
        return None, 0.0
    calls = max(1, function.calls)
    # As if one look more had met it: none among a few is not none.
    part = min(1.0, (function.held_s + lock.gap_s) / lock.seen_s)
    error_s = lock.gap_s * math.sqrt(lock.looks * part * (1 - part)) / calls
    error_s = max(error_s, lock.gap_s / calls)
    asleep_s = min(function.asleep_holding_s, function.held_s) / calls
    awake_s = function.held_s / calls - asleep_s
    most_s = math.inf if lock.shows_sleep or cpu_s is None else cpu_s + 2 * error_s
    if cpu_s is not None and cpu_s - 2 * error_s < awake_s <= most_s:
        # Python code holds the lock as long as it computes, and that time is known exactly. What a holder
        # that is awake takes beyond, it waits for a core: that is no need of the call's.
        return cpu_s + asleep_s, min(error_s, cpu_s + asleep_s)
    return awake_s + asleep_s, error_s


def knee(need: Demand, calls: int, cores: float, *, has_lock: bool, beside_s: float = 0.0) -> Knee:
    """Find the bottleneck of calls, the ceiling and the knee.

    Args:
        need: What a call needs.
        calls: How many were measured.
        cores: Cores that may be used.
        has_lock: Whether the interpreter's lock is in force: if it is and the demand for it is not known,
            nothing is said.
        beside_s: For each call, time that others held the lock.
    """
    nothing = Knee("none", None, None, 1.0, 0.0)
    if has_lock and need.gil_s is None:
        return nothing
    gil_s = None if need.gil_s is None or need.gil_s <= 0 else need.gil_s + beside_s
    core_s = None if need.cpu_s is None or need.cpu_s <= 0 else need.cpu_s / max(cores, 0.01)
    if gil_s is not None and (core_s is None or gil_s >= core_s):
        name, demand_s, error_s, servers = "gil", gil_s, need.gil_error_s, 1.0
    elif core_s is not None:
        name, demand_s, error_s, servers = "cores", core_s, 0.0, cores
    else:
        return nothing
    if need.alone_s is None or calls < LEAST_CALLS:
        return Knee(name, 1 / demand_s, None, servers, 0.0)
    alone_s = max(need.alone_s, 1e-9)
    error = math.hypot(error_s / demand_s, need.alone_error_s / alone_s)
    threads = alone_s / demand_s
    least = max(0.0, alone_s - 2 * need.alone_error_s) / (demand_s + 2 * error_s)
    return Knee(name, 1 / demand_s, threads if error <= MOST_ERROR else None, servers, error, least)


def used_lock(measured: Measured) -> float | None:
    """Part of the time that the lock was held or wanted; ``None`` if unknown or there is none."""
    lock = measured.lock
    return lock.busy_s / lock.seen_s if lock.is_enabled and lock.seen_s > 0 else None


def used_cores(measured: Measured) -> float | None:
    """Part of the cores that was used while observed calls ran."""
    if measured.active_s <= 0 or measured.cores <= 0:
        return None
    of_calls = [pool.tasks.cpu_s for pool in measured.pools if pool.tasks.cpu_s is not None]
    cpu_s = sum(of_calls)
    if measured.process_cpu_s is not None and measured.active_s > 0.8 * measured.duration_s:
        # Of other threads, too: those of native libraries, the main thread.
        cpu_s = max(cpu_s, measured.process_cpu_s - (measured.duration_s - measured.active_s))
    return min(1.0, cpu_s / measured.active_s / measured.cores)
