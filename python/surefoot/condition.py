"""The condition of a future, for those who ask for it."""

from __future__ import annotations

import threading
from _thread import RLock
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Condition(RLock):  # type: ignore[misc]  # typeshed calls it final; it is not
    """A ``threading.Condition`` that costs a tenth of one as long as nobody waits on it.

    ``wait()`` and ``as_completed()`` of the standard library acquire the condition of every future
    they are given, but wait on something else. So this is just the reentrant lock, natively, and
    becomes a real condition over that lock when somebody first calls ``wait``.
    """

    __slots__ = ("_waited_on",)

    def _real(self) -> threading.Condition | None:
        return getattr(self, "_waited_on", None)

    def _make_real(self) -> threading.Condition:
        # Who waits holds the lock, so there is no race to make it.
        real = self._real()
        if real is None:
            real = self._waited_on = threading.Condition(self)
        return real

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until notified or until a timeout occurs; see ``threading.Condition``."""
        return self._make_real().wait(timeout)

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        """Wait until a predicate is true; see ``threading.Condition``."""
        return self._make_real().wait_for(predicate, timeout)

    def notify(self, n: int = 1) -> None:
        """Wake up to ``n`` waiters; see ``threading.Condition``."""
        real = self._real()
        if real is not None:
            real.notify(n)
        elif not self._is_owned():  # type: ignore[attr-defined]
            raise RuntimeError("cannot notify on un-acquired lock")

    def notify_all(self) -> None:
        """Wake all waiters; see ``threading.Condition``."""
        real = self._real()
        if real is not None:
            real.notify_all()
        elif not self._is_owned():  # type: ignore[attr-defined]
            raise RuntimeError("cannot notify on un-acquired lock")

    notifyAll = notify_all
