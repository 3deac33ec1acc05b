"""Waits for worker threads to end, until a moment."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable


def deadline(wait: bool, timeout_s: float | None) -> float | None:
    """Turn the ``timeout`` of ``shutdown`` into a moment of the monotonic clock.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is NaN, or nothing is to be waited for.
    """
    if timeout_s is None:
        return None
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)):
        raise TypeError("timeout must be a number of seconds or None")
    if not wait:
        raise ValueError("can't specify a timeout for a shutdown that does not wait")
    if math.isnan(timeout_s):
        raise ValueError("timeout must not be NaN")
    return time.monotonic() + max(0.0, timeout_s)


def threads(of: Callable[[], Iterable[threading.Thread]], deadline_s: float | None) -> bool:
    """Join the threads; return whether all of them have ended.

    Raises:
        RuntimeError: If the calling thread is one of them.
    """
    for thread in of():
        left_s = None if deadline_s is None else max(0.0, deadline_s - time.monotonic())
        # `join` takes no longer time; it is joined again by whoever is that patient.
        thread.join(left_s if left_s is None else min(left_s, threading.TIMEOUT_MAX))
        if left_s is not None and thread.is_alive():
            return False
    return True
