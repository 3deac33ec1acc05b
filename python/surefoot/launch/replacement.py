"""The adaptive pool under the standard class's name, everywhere in this process.

The class is called ``concurrent.futures.thread.ThreadPoolExecutor``, as the one it stands for: pickles name
it, threads are called after it, and programs print it.
"""

from __future__ import annotations

import sys
from concurrent import futures
from concurrent.futures import thread as standard
from typing import Any

from surefoot import adaptive, executor
from surefoot.adaptive import AdaptiveThreadPoolExecutor

_Standard = standard.ThreadPoolExecutor


def _size(max_workers: Any, wanted: int | None) -> Any:
    """Return the cap; a pool of one worker is one because its tasks must not run side by side."""
    return max_workers if wanted is None or max_workers == 1 else wanted


def replace(options: dict[str, Any], max_workers: int | None = None) -> type[AdaptiveThreadPoolExecutor]:
    """Put the adaptive pool in the place of ``ThreadPoolExecutor``, also where it was imported already.

    Pools that exist stay what they are. Not undone: it is for the start of a process.

    Args:
        options: The adaptive executor's options for pools that are made without options of their own.
        max_workers: The cap of every pool, whatever the program asks for; pools of one worker keep it.

    Returns:
        The class that programs now find.
    """

    class ThreadPoolExecutor(AdaptiveThreadPoolExecutor):
        __doc__ = _Standard.__doc__

        def __init__(
            self,
            max_workers: int | None = None,
            thread_name_prefix: str = "",
            initializer: Any = None,
            initargs: Any = (),
            **ctxkwargs: Any,
        ) -> None:
            prefix = thread_name_prefix or f"ThreadPoolExecutor-{self._counter()}"  # type: ignore[attr-defined]
            size = _size(max_workers, wanted)
            super().__init__(size, prefix, initializer, initargs, **{**options, **ctxkwargs})

        __init__.__doc__ = _Standard.__init__.__doc__

    wanted = max_workers
    made: Any = ThreadPoolExecutor
    made.__qualname__, made.__module__ = _Standard.__qualname__, _Standard.__module__
    for module in list(sys.modules.values()):
        if not _is_ours(module):
            _exchange(module, _Standard, made)
    # Not there before somebody asks for it.
    futures.ThreadPoolExecutor = made  # type: ignore[misc]
    # One class under both names: a pool that the program makes with surefoot's is a ThreadPoolExecutor to
    # those who ask (asyncio does), and the other way round.
    for module in (sys.modules["surefoot"], executor, adaptive):
        _exchange(module, AdaptiveThreadPoolExecutor, made)
    return ThreadPoolExecutor


def _exchange(module: Any, old: type, new: type) -> None:
    """Replace a class in a module that imported it."""
    names = getattr(module, "__dict__", None)
    if isinstance(names, dict):
        for name, value in list(names.items()):
            if value is old:
                setattr(module, name, new)


def _is_ours(module: Any) -> bool:
    name = getattr(module, "__name__", None)
    return isinstance(name, str) and (name == "surefoot" or name.startswith("surefoot."))
