"""Lets LangChain and LangGraph run their threads in pools that find their own size.

::

    from surefoot.adapters import langchain

    langchain.install()

From then on ``Runnable.batch``, ``RunnableParallel``, ``ToolNode`` and the synchronous steps of a graph run
in adaptive pools. A ``max_concurrency`` in a call's config stays the most that it runs at once.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from langchain_core.runnables import config as runnables_config
from langchain_core.runnables.config import ContextThreadPoolExecutor

from surefoot import AdaptiveThreadPoolExecutor
from surefoot import executor as chosen
from surefoot.capacity import standard_default

__all__ = ["AdaptiveContextThreadPoolExecutor", "install", "max_concurrency", "uninstall"]

_HOOK = "get_executor_for_config"

_lock = threading.Lock()
_original: Any = None
# What pools of this hook ended with, if there was more to do than they started with.
_limits: deque[int] = deque(maxlen=64)


class AdaptiveContextThreadPoolExecutor(ContextThreadPoolExecutor, AdaptiveThreadPoolExecutor):  # type: ignore[misc]
    """LangChain's executor, which copies the caller's context variables, with surefoot's pool inside."""


class Installation:
    """What :func:`install` did; leaving it as a context manager takes it back."""

    def __enter__(self) -> Installation:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Call :func:`uninstall`."""
        uninstall()


def install() -> Installation:
    """Give LangChain and LangGraph adaptive pools, until :func:`uninstall` or the end of a ``with`` block.

    Installing twice is installing once. Calls that run already keep their pools. With ``SUREFOOT_DISABLE=1``
    nothing is changed. May be called from any thread.
    """
    global _original
    with _lock:
        if _original is None and chosen.is_native:
            _original = getattr(runnables_config, _HOOK)
            _replace(_original, _executor_for_config)
    return Installation()


def uninstall() -> None:
    """Give LangChain its own pools back. Does nothing if nothing is installed."""
    global _original
    with _lock:
        if _original is not None:
            _replace(_executor_for_config, _original)
            _original = None


def max_concurrency() -> int:
    """Return the number to put into ``config={"max_concurrency": ...}`` where the hook cannot be used.

    It is the greatest limit at which one of the last 64 pools of this hook ended, of those that had more
    tasks than they could start with; before there was one, what the standard pool would start with. A
    service that bounds its callers' rate may want less: that cannot be seen from here.
    """
    return max(_limits, default=standard_default())


@contextmanager
def _executor_for_config(config: Any) -> Iterator[AdaptiveContextThreadPoolExecutor]:
    cap = (config or {}).get("max_concurrency")
    with AdaptiveContextThreadPoolExecutor(max_workers=cap, thread_name_prefix="langchain") as executor:
        start = executor.stats().limit
        try:
            yield executor
        finally:
            stats = executor.stats()
            if stats.tasks_submitted > start:
                _limits.append(stats.limit)


def _replace(old: object, new: object) -> None:
    """Replace a function in every module that has it by its name, as ``from ... import`` leaves it."""
    for module in list(sys.modules.values()):
        # Not getattr, which would make lazy modules import things.
        names = getattr(module, "__dict__", {})
        if names.get(_HOOK) is old:
            names[_HOOK] = new
