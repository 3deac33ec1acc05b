"""The numbers of all pools that bear one name, as they are exported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

BOUNDS_S = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histograms in seconds. They are fixed: what was counted over some bounds cannot be
added to what was counted over others."""

BOUNDS_NS = [round(bound_s * 1e9) for bound_s in BOUNDS_S]

WORKER_STATES = ("cpu", "runqueue", "gil", "io")


@dataclass(slots=True)
class Distribution:
    """Times of tasks over :data:`BOUNDS_S`.

    Attributes:
        counts: How many lay between the bound before and each bound, and beyond the last.
        sum_s: Their exact sum in seconds.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0

    @property
    def at_most(self) -> list[int]:
        """How many were at most as long as each bound; the last number is that of all."""
        return list(accumulate(self.counts))

    def add(self, counts: list[int], sum_s: float) -> None:
        """Add what was counted over the same bounds."""
        self.counts = [mine + other for mine, other in zip(self.counts, counts, strict=True)]
        self.sum_s += sum_s


@dataclass(slots=True)
class Account:
    """The pools of one name together.

    The first group is of this moment, of pools that live; the rest only grows, and what pools did that
    are gone stays in it.

    Attributes:
        pools: Executors.
        limit: Workers admitted to run tasks now.
        cap: The most that the limit can be.
        workers_busy: Workers that run a task.
        workers_idle: Workers that run none.
        queue_length: Tasks waiting.
        queue_head_age_s: How long the oldest of them has waited, in seconds.
        tasks: Tasks that ended, by outcome: ``done``, ``failed``, ``cancelled``.
        worker_s: Seconds that workers spent in tasks that ended: ``cpu``, ``runqueue``, ``gil``, ``io``.
        unsplit_s: Seconds that they were blocked where nobody could tell ``gil`` from ``io`` (yet).
        changes: Changes of the limit, by direction and rule.
        vetoes: Refusals to raise it although tasks waited, by reason.
        queued: Times from submission to a worker.
        wall: Times from start to end of the call.
        cpu: CPU times of the call.
    """

    pools: int = 0
    limit: int = 0
    cap: int = 0
    workers_busy: int = 0
    workers_idle: int = 0
    queue_length: int = 0
    queue_head_age_s: float = 0.0
    tasks: Counter[str] = field(default_factory=lambda: Counter(done=0, failed=0, cancelled=0))
    worker_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(WORKER_STATES, 0.0))
    unsplit_s: float = 0.0
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    vetoes: Counter[str] = field(default_factory=Counter)
    queued: Distribution = field(default_factory=Distribution)
    wall: Distribution = field(default_factory=Distribution)
    cpu: Distribution = field(default_factory=Distribution)

    @property
    def gil_ratio(self) -> float | None:
        """The part of the workers' time that went into waiting for the GIL; ``None`` if unknown."""
        total_s = sum(self.worker_s.values()) + self.unsplit_s
        # As in `stats()`: a little that could not be split does not spoil the rest.
        if total_s <= 0.0 or self.unsplit_s > 0.02 * total_s:
            return None
        return self.worker_s["gil"] / total_s

    def add_counts(self, fields: Mapping[str, Any]) -> None:
        """Add what a pool has done so far."""
        self.tasks.update(fields["tasks"])
        for state, seconds in fields["worker_s"].items():
            self.worker_s[state] += seconds
        self.unsplit_s += fields["unsplit_s"]
        self.changes.update(fields["changes"])
        self.vetoes.update(fields["vetoes"])
        for name in ("queued", "wall", "cpu"):
            if fields[name] is not None:
                getattr(self, name).add(*fields[name])

    def add_state(self, fields: Mapping[str, Any]) -> None:
        """Add what a pool is at this moment."""
        self.pools += 1
        self.limit += fields["limit"]
        self.cap += fields["cap"]
        self.workers_busy += fields["workers_busy"]
        self.workers_idle += fields["workers_live"] - fields["workers_busy"]
        self.queue_length += fields["queue_length"]
        self.queue_head_age_s = max(self.queue_head_age_s, fields["queue_head_age_s"])

    def copy(self) -> Account:
        """Return the counts, without the state, to add to."""
        twin = Account(
            tasks=self.tasks.copy(),
            worker_s=dict(self.worker_s),
            unsplit_s=self.unsplit_s,
            changes=self.changes.copy(),
            vetoes=self.vetoes.copy(),
        )
        for name in ("queued", "wall", "cpu"):
            of: Distribution = getattr(self, name)
            setattr(twin, name, Distribution(list(of.counts), of.sum_s))
        return twin
