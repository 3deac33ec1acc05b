"""What the monitor thread costs, as the kernel accounts it."""

from __future__ import annotations

import os
from pathlib import Path

_TASKS = Path("/proc/self/task")
#: The kernel keeps 15 characters of a thread's name.
_NAME = "surefoot-monitor"[:15]


def monitor_cpu_ns() -> int | None:
    """Return the CPU time of the monitor thread so far; None if there is no such thread."""
    found = [spent for number in _threads() if (spent := _cpu_ns_if_monitor(number)) is not None]
    return sum(found) if found else None


def _cpu_ns_if_monitor(number: str) -> int | None:
    try:
        if (_TASKS / number / "comm").read_text(encoding="utf-8").strip() != _NAME:
            return None
        return int((_TASKS / number / "schedstat").read_text(encoding="ascii").split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return None  # The thread ended since the listing.


def _threads() -> list[str]:
    return os.listdir(_TASKS)


def use_cores(core_numbers: list[int]) -> None:
    """Move every thread of this process; those made later inherit it from their maker."""
    for number in _threads():
        try:
            os.sched_setaffinity(int(number), core_numbers)
        except ProcessLookupError:
            continue  # It ended since the listing.
