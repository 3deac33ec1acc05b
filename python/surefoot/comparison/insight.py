"""What surefoot's own pool and the standard one tell of themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from surefoot import registry
from surefoot.workloads import pools

if TYPE_CHECKING:
    from surefoot.comparison.notes import Note

__all__ = ["of_ours", "of_standard"]


def of_standard(pool: ThreadPoolExecutor) -> Callable[[], Note]:
    """Return what tells of a standard pool."""

    def see() -> Note:
        return {
            "limit": pool._max_workers,
            "workers_live": len(pool._threads),
            "queued": pool._work_queue.qsize(),
        }

    return see


def of_ours(threads: int | None, **options: Any) -> tuple[ThreadPoolExecutor, Callable[[], Note]]:
    """Make a pool of ours as :func:`surefoot.workloads.pools.make_ours`; return it and what tells of it."""
    natives: list[Any] = []

    def follow(_name: str, native: Any) -> None:
        natives.append(native)

    registry.followers.append(follow)
    try:
        pool = pools.make_ours(threads, **options)
    finally:
        registry.followers.remove(follow)
    insight = _Insight(pool, natives[0])
    return pool, insight.see


class _Insight:
    def __init__(self, pool: Any, native: Any) -> None:
        from surefoot import _core

        self._pool = pool
        self._account = native.account()
        self._zero_ns = time.perf_counter_ns() - round(_core.clock_s() * 1e9)
        self._decided_s = -1.0

    def see(self) -> Note:
        stats = self._pool.stats()
        account = self._account.read([])
        decisions = [each for each in self._pool.decisions() if each.at_s > self._decided_s]
        if decisions:
            self._decided_s = decisions[-1].at_s
        return {
            "limit": stats.limit,
            "workers_live": stats.workers_live,
            "queued": stats.queue_length,
            "beta": [stats.tasks_done + stats.tasks_failed, stats.beta_mean],
            "worker_s": account["worker_s"],
            "unsplit_s": account["unsplit_s"],
            "error": None if stats.shares is None else stats.shares.error,
            "vetoes": dict(stats.vetoes),
            "decisions": [
                {
                    "at_ns": self._zero_ns + round(each.at_s * 1e9),
                    "limit": each.limit,
                    "rule": "veto" if each.veto else each.rule,
                    "reason": each.reason,
                }
                for each in decisions
            ],
        }
