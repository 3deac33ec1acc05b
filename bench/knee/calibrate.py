"""How much work fits into a millisecond here: once per session, so that all runs do the same work.

Each run calibrating for itself would give each its own task, and the difference would pass for a difference
between pools. Run as ``python -m bench.knee.calibrate '{}'``.
"""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import child
from bench.knee import loads

if TYPE_CHECKING:
    from collections.abc import Callable

_PROBES = 9
_PROBE_MS = 10.0


def per_ms(work: Callable[[int], object]) -> float:
    """Return the amount of ``work(amount)`` that takes a millisecond of this thread's CPU time."""
    amount = 64
    while (spent := _cpu_ms(work, amount)) < _PROBE_MS:
        amount = max(2 * amount, min(16 * amount, round(amount * 1.1 * _PROBE_MS / max(spent, 0.001))))
    return amount / median(_cpu_ms(work, amount) for _ in range(_PROBES))


def _cpu_ms(work: Callable[[int], object], amount: int) -> float:
    begin_ns = time.thread_time_ns()
    work(amount)
    return (time.thread_time_ns() - begin_ns) / 1e6


def calibrate() -> dict[str, Any]:
    """Measure every kind of work that a load is made of."""
    name, native = loads.native_work()
    return {
        "spin_per_ms": per_ms(loads.spin),
        "native": name,
        "native_per_ms": per_ms(native),
        "hash_bytes_per_ms": per_ms(loads.digest),
    }


if __name__ == "__main__":
    child.arguments()
    child.answer(calibrate())
