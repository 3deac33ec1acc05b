"""What an observation found, in the units of the record, before anybody thinks about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surefoot.profile.record import TimelinePoint
    from surefoot.records import Shares


@dataclass(frozen=True)
class Lock:
    """The interpreter's lock while observed calls ran; estimates from looks.

    Attributes:
        is_enabled: Whether there is one in force.
        seen_s: Time that it could be seen.
        looks: Looks in that.
        held_s: Time that it was held.
        busy_s: Time that it was held or wanted.
        in_calls_s: Of the time that it was held, by observed calls.
        shows_sleep: Whether holders that are asleep could be told from others.
    """

    is_enabled: bool
    seen_s: float = 0.0
    looks: int = 0
    held_s: float = 0.0
    busy_s: float = 0.0
    in_calls_s: float = 0.0
    shows_sleep: bool = True

    @property
    def gap_s(self) -> float:
        """Mean time between looks."""
        return self.seen_s / self.looks if self.looks else 0.0


@dataclass(frozen=True)
class Function:
    """The calls of one function; times are sums over them, in seconds.

    Attributes:
        name: Module and qualified name.
        calls: How many.
        wall_s: From start to end.
        cpu_s: CPU time; ``None`` if unknown.
        held_s: With the lock held, estimated from looks; ``None`` if nobody looked.
        asleep_holding_s: Of that, asleep.
        shares: Where the time went.
    """

    name: str
    calls: int
    wall_s: float
    cpu_s: float | None
    held_s: float | None
    asleep_holding_s: float
    shares: Shares | None


@dataclass(frozen=True)
class Pool:
    """One pool; ``function`` has the sums over its tasks.

    Attributes:
        name: Its name in the profile.
        kind: ``surefoot``, ``standard`` or ``threads``.
        place: Where its size is set: see ``surefoot.profile.advice``.
        cap: Most workers; ``None`` without a bound.
        workers_peak: Most workers that ran a task at once.
        queue_peak: Most tasks that waited at once.
        joining_peak: Most workers that waited at once for another task of the pool.
        running: Calls that had not ended.
        at_lock: Of the sightings of blocked threads, the part asleep at a lock of the program's.
        tasks: The sums.
    """

    name: str
    kind: str
    place: str
    cap: int | None
    workers_peak: int
    queue_peak: int
    joining_peak: int
    running: int
    at_lock: float
    tasks: Function


@dataclass(frozen=True)
class Measured:
    """All of it.

    Attributes:
        duration_s: How long it was observed.
        active_s: Of that, with observed calls running.
        cores: Cores that the process may use.
        machine_cores: Cores of the machine, or that the affinity allows; more than ``cores`` under a quota.
        process_cpu_s: CPU time of the process.
        lock: The interpreter's lock.
        functions: By function.
        pools: By pool.
        timeline: All pools over time.
        memory_bytes: Most memory that the process may use; ``None`` if unknown.
        memory_used_bytes: Most that it used; ``None`` if unknown.
        library_threads: Threads that a numerical library starts for each call, by its name.
    """

    duration_s: float
    active_s: float
    cores: float
    machine_cores: float
    process_cpu_s: float | None
    lock: Lock
    functions: tuple[Function, ...] = ()
    pools: tuple[Pool, ...] = ()
    timeline: tuple[TimelinePoint, ...] = ()
    memory_bytes: int | None = None
    memory_used_bytes: int | None = None
    library_threads: Mapping[str, int] = field(default_factory=dict)
