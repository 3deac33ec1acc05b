"""The pools of this benchmark, named so that a name says all: ``standard:8``, ``ours:64``, ``pinned:8``."""

from __future__ import annotations

import importlib
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

STANDARD = "standard"
OURS = "ours"
#: Ours with all sensors at work and a limit that cannot move: shows what they cost, and nothing else.
PINNED = "pinned"


def name_of(family: str, size: int) -> str:
    """Name a contender."""
    return f"{family}:{size}"


def size_of(name: str) -> int:
    """Return the number of workers (``standard``) or the cap (ours)."""
    return int(name.partition(":")[2])


def is_standard(name: str) -> bool:
    """Tell whether a contender is the standard pool."""
    return name.partition(":")[0] == STANDARD


def make_pool(name: str, controller: str | None) -> Executor:
    """Make a pool; ours with its default controller unless one is named.

    Raises:
        ValueError: For a name that is none of the contenders.
        RuntimeError: If surefoot fell back to the standard pool, and so would race against itself.
    """
    family, size = name.partition(":")[0], size_of(name)
    if family == STANDARD:
        return ThreadPoolExecutor(size)
    if family not in (OURS, PINNED):
        raise ValueError(f"unknown contender: {name!r}")
    options: dict[str, Any] = {"min_workers": size} if family == PINNED else {}
    if controller:
        options["controller"] = controller
    surefoot = importlib.import_module("surefoot")
    pool: Executor = surefoot.AdaptiveThreadPoolExecutor(size, **options)
    # Without a task: a probe would already be evidence to the controller.
    standard_pool = importlib.import_module("surefoot.standard_pool").StandardThreadPoolExecutor
    if isinstance(pool, standard_pool):
        raise RuntimeError("surefoot fell back to the standard pool here (is SUREFOOT_DISABLE set?)")
    return pool
