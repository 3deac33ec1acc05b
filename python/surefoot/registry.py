"""The executors that live in this process, and who wants to hear of new pools."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from surefoot.adaptive import AdaptiveThreadPoolExecutor

# By identity: an executor's subclass may define equality. A set would not bear being read while another
# thread makes or drops an executor.
_live: dict[int, weakref.ref[ThreadPoolExecutor]] = {}

followers: list[Callable[[str, Any], None]] = []
"""Called with the name and the native half of each pool that is made, in the thread that makes it; in a
forked child again for each pool made anew. They take no lock that a fork could leave shut."""

meeters: tuple[Callable[[ThreadPoolExecutor], None], ...] = ()
"""Called with each new executor that has a native pool: who profiles wants to read it."""


def register(executor: ThreadPoolExecutor) -> None:
    """Remember an executor as long as it lives."""
    _live[id(executor)] = weakref.ref(executor, functools.partial(_forget, id(executor)))


def _forget(key: int, reference: object) -> None:
    # The place may have been taken by a younger executor.
    if _live.get(key) is reference:
        _live.pop(key, None)


def executors() -> list[ThreadPoolExecutor]:
    """Return those that live, oldest first."""
    return [executor for reference in list(_live.values()) if (executor := reference()) is not None]


def pools() -> tuple[AdaptiveThreadPoolExecutor, ...]:
    """Return the adaptive executors of this process that are alive, oldest first.

    Those that were shut down and are still referred to are among them. The answer refers to them, so
    do not keep it: an executor whose last reference goes stops by itself. May be called from any thread.
    """
    return cast("tuple[AdaptiveThreadPoolExecutor, ...]", tuple(executors()))
