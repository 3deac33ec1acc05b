"""The pools that are compared, and how one of each is made.

Imports of surefoot happen here and nowhere else in the package, at the moment a pool is first
made: a child process must be able to narrow its own cores before anything of surefoot loads.
"""

from __future__ import annotations

import importlib
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor

STANDARD = "standard"
SUREFOOT = "surefoot"
STANDARD_AGAIN = "standard-again"
#: Ours, with its workers kept on one core while that pays.
SUREFOOT_KEPT = "surefoot-kept"

#: No step of a benchmark may hang for ever; this only bounds a hang and enters no figure.
HANG_TIMEOUT_S = 60.0


def rivals(*, self_check: bool) -> tuple[str, str]:
    """Name the two pools to compare, the reference first.

    A self-check compares the standard pool with itself: whatever differs from 1 is noise.
    """
    return (STANDARD, STANDARD_AGAIN if self_check else SUREFOOT)


def make_pool(name: str, workers: int) -> Executor:
    """Make a pool with a fixed number of workers.

    Raises:
        ValueError: For a name that is none of the contenders.
    """
    if name in (STANDARD, STANDARD_AGAIN):
        return ThreadPoolExecutor(workers)
    if name not in (SUREFOOT, SUREFOOT_KEPT):
        raise ValueError(f"unknown contender: {name!r}")
    surefoot = importlib.import_module("surefoot")
    pool: Executor = surefoot.AdaptiveThreadPoolExecutor(
        workers, controller="fixed", keep_on_one_core=name == SUREFOOT_KEPT
    )
    return pool


def require_surefoot() -> None:
    """Make sure that surefoot's pool is its own here, not the standard one it falls back to.

    A silent fallback would make every ratio 1 without saying why.

    Raises:
        ImportError: If surefoot is not installed for this interpreter.
        RuntimeError: If it fell back to the standard pool.
    """
    with make_pool(SUREFOOT, 1) as pool:
        if type(pool.submit(int)) is Future:
            raise RuntimeError("surefoot fell back to the standard pool here (is SUREFOOT_DISABLE set?)")


def start_all_workers(pool: Executor, workers: int) -> None:
    """Return once every worker of the pool runs, so that no figure contains thread start-up."""
    barrier = threading.Barrier(workers)
    futures = [pool.submit(barrier.wait, HANG_TIMEOUT_S) for _ in range(workers)]
    for future in futures:
        future.result(HANG_TIMEOUT_S)
