"""How many workers this machine and this process could bear at most."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cap:
    """A cap and where it comes from.

    Attributes:
        workers: Most workers, 5 to 1024.
        reason: What set it, in words.
    """

    workers: int
    reason: str


MOST_WORKERS = 1024
"""No cap found by this package exceeds it."""


def usable_cores() -> int:
    """Return the cores that the standard library counts for its default pool size."""
    count = getattr(os, "process_cpu_count", os.cpu_count)()
    return int(count or 1)


def standard_default() -> int:
    """Return the standard pool's default size, ``min(32, cores + 4)``."""
    return min(32, usable_cores() + 4)


def default_cap() -> Cap:
    """Find the cap that ``max_workers=None`` stands for, from cores, memory and process limits.

    It is the least of 1024, 256 for each usable core, a quarter of the memory left at 256 KiB each,
    and half of the threads that the process may still make; never less than the standard default.
    """
    try:
        from surefoot import _core
    except ImportError:
        return Cap(standard_default(), "the standard default: the native extension is not loaded")
    workers, reason = _core.default_cap()
    return Cap(max(workers, standard_default()), reason)
