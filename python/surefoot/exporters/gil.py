"""One look at the interpreter's lock, for exporters."""

from __future__ import annotations

from typing import NamedTuple

from surefoot import executor as chosen


class Reading(NamedTuple):
    """What could be seen; ``None`` for the rest.

    Attributes:
        waiters: Threads of the process asleep that wait for the lock.
        switches: Times that it went from one thread to another so far.
    """

    waiters: int | None = None
    switches: int | None = None


def read() -> Reading:
    """Look once. Everything is ``None`` where there is no lock, no sensor for it, or no native half."""
    if not chosen.is_native:
        return Reading()
    from surefoot import _core

    fields = _core.gil_reading()
    return Reading(fields.get("waiters"), fields.get("switches"))
