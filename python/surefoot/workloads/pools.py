"""The pools a workload can run on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot import AdaptiveThreadPoolExecutor

__all__ = ["NAMES", "limit", "make", "make_ours", "workers_live"]

NAMES = ("standard", "surefoot", "adaptive")


def make(name: str, threads: int) -> ThreadPoolExecutor:
    """Make a pool of at most ``threads`` workers.

    ``standard`` is the standard library's pool, ``surefoot`` ours with a constant limit, ``adaptive`` ours
    with its default controller, which then chooses the limit.

    Raises:
        ValueError: If no pool has that name.
        RuntimeError: If surefoot is switched off here, and so would be the standard pool under our name.
    """
    if name == "standard":
        return ThreadPoolExecutor(max_workers=threads)
    if name not in NAMES:
        raise ValueError(f"unknown pool {name!r}: choose from {', '.join(NAMES)}")
    return make_ours(threads, controller="fixed" if name == "surefoot" else "knee")


def make_ours(threads: int | None, **options: Any) -> AdaptiveThreadPoolExecutor:
    """Make a pool of surefoot's own.

    Args:
        threads: Its cap; ``None`` for what this machine can bear.
        **options: Others of :class:`surefoot.AdaptiveThreadPoolExecutor`.

    Raises:
        RuntimeError: If surefoot is switched off here, and so would be the standard pool under our name.
    """
    from surefoot import AdaptiveThreadPoolExecutor
    from surefoot.standard_pool import StandardThreadPoolExecutor

    if issubclass(AdaptiveThreadPoolExecutor, StandardThreadPoolExecutor):
        raise RuntimeError("surefoot is switched off here (SUREFOOT_DISABLE, or its extension cannot load)")
    return AdaptiveThreadPoolExecutor(threads, **options)


def limit(pool: ThreadPoolExecutor, threads: int) -> int:
    """Return how many workers the pool admits to tasks now."""
    stats: Any = getattr(pool, "stats", None)
    return int(stats().limit) if stats is not None else threads


def workers_live(pool: ThreadPoolExecutor) -> int:
    """Return how many threads the pool has now."""
    stats: Any = getattr(pool, "stats", None)
    return int(stats().workers_live) if stats is not None else len(pool._threads)
