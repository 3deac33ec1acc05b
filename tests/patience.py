"""Waiting for what has no event of its own.

A thread that has exited, a worker that has gone back to sleep or a freed object signals nobody, so these few
facts are polled. The limit only turns a hang into a failure; no test measures time with it.
"""

from __future__ import annotations

import gc
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HANG_S = 60.0
"""After this long a wait counts as a hang."""


def eventually(holds: Callable[[], object], what: str = "", limit_s: float = HANG_S) -> None:
    """Return once `holds()` is true; fail after `limit_s`."""
    pause = threading.Event()
    give_up = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < give_up, f"still not true after {limit_s} s: {what or holds}"
        pause.wait(0.002)


def collected(ref: Callable[[], object]) -> None:
    """Return once the referent of a weak reference is gone, helping with the cycle collector."""

    def gone() -> bool:
        if ref() is not None:
            gc.collect()
        return ref() is None

    eventually(gone, f"{ref} is still alive")


def await_event(event: threading.Event, what: str = "event") -> None:
    """Wait for an event and fail, instead of hanging, when it never comes."""
    assert event.wait(HANG_S), f"{what} did not happen within {HANG_S} s"
