"""asyncio's default executor: every event loop gets its own face of the one pool.

``loop.run_in_executor(None, ...)`` is where the default executor is made and used, also by
``asyncio.to_thread`` and ``getaddrinfo``; it is replaced in the loop's class by a function that gives the
loop a face of the pool before its first use. That covers loops that run already and those to come.
"""

from __future__ import annotations

import concurrent.futures
import functools
import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType
from typing import Any, TypeVar

from surefoot.adapters.patch import Patch

_T = TypeVar("_T")

CLASSES = {"asyncio.base_events": "BaseEventLoop", "uvloop": "Loop"}
"""By module: the class whose ``run_in_executor`` is replaced."""


class SharedThreadPoolExecutor(ThreadPoolExecutor):
    """One event loop's face of the shared pool.

    A loop shuts its default executor down when it ends, and waits for its tasks. The face does that for the
    tasks that came through it; the pool goes on. Anything else that is asked of it, it asks of the pool.
    """

    def __init__(self, pool: ThreadPoolExecutor, before: ThreadPoolExecutor | None = None) -> None:
        """Face ``pool``; ``before`` is what the loop had, to be shut down together with this.

        The standard ``__init__`` is left out: there is no queue and no thread of its own.
        """
        self._pool = pool
        self._before = before
        self._shutdown = False
        self._under_way: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Submit a task to the pool; from any thread.

        Raises:
            RuntimeError: After :meth:`shutdown`.
        """
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future = self._pool.submit(fn, *args, **kwargs)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; the pool and its threads stay.

        Args:
            wait: Return only when every task that came this way is done.
            cancel_futures: Cancel those of them that have not started.
        """
        self._shutdown = True
        under_way = self._under_way.copy()
        if cancel_futures:
            for future in under_way:
                future.cancel()
        if self._before is not None:
            self._before.shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            concurrent.futures.wait(under_way)

    def __getattr__(self, name: str) -> Any:
        """Ask the pool for what this class has not: ``_work_queue``, ``_threads``, ``stats``, ..."""
        if name == "_pool":
            raise AttributeError(name)
        return getattr(self._pool, name)


class Loops:
    """The event loops, and what each of them has as its default executor."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        """Share ``pool`` out among the loops, once :meth:`patch` was called for their classes."""
        self._pool = pool
        self._lock = threading.Lock()
        self._is_active = True
        self._patches: list[Patch] = []
        # None: a loop whose executor somebody chose, which is left alone.
        self._faces: weakref.WeakKeyDictionary[Any, SharedThreadPoolExecutor | None]
        self._faces = weakref.WeakKeyDictionary()

    def patch(self, module: ModuleType) -> None:
        """Cover the loops of one of the modules of :data:`CLASSES`."""
        owner = getattr(module, CLASSES[module.__name__], None)
        if not isinstance(owner, type):
            return
        original = owner.run_in_executor  # type: ignore[attr-defined]

        @functools.wraps(original)
        def run_in_executor(
            loop: Any, executor: ThreadPoolExecutor | None, func: Callable[..., Any], *args: Any
        ) -> Any:
            if executor is not None or not self._is_active:
                return original(loop, executor, func, *args)
            if loop not in self._faces:
                self._cover(loop)
            try:
                return original(loop, None, func, *args)
            except RuntimeError:
                if self._is_active:
                    raise
            # It was uninstalled in this very moment, and the loop has its own executor again.
            return original(loop, None, func, *args)

        with self._lock:
            if self._is_active:
                self._patches.append(Patch(owner, "run_in_executor", run_in_executor))

    def _cover(self, loop: Any) -> None:
        with self._lock:
            if loop in self._faces or not self._is_active:
                return
            before = _default_executor(loop)
            if before is not None and not _was_made_by_a_loop(before):
                self._faces[loop] = None
                return
            face = SharedThreadPoolExecutor(self._pool, before)
            loop.set_default_executor(face)
            self._faces[loop] = face

    def restore(self) -> None:
        """Undo everything; tasks that are under way go on."""
        with self._lock:
            self._is_active = False
            for patch in self._patches:
                patch.undo()
            for loop, face in self._faces.items():
                # A loop that somebody has given another executor since keeps it.
                if face is not None and _default_executor(loop) is face:
                    _put_back(loop, face._before)

    def after_fork(self) -> None:
        """Start with a lock that no thread holds, in a forked child."""
        self._lock = threading.Lock()


def _default_executor(loop: Any) -> ThreadPoolExecutor | None:
    try:
        executor: ThreadPoolExecutor | None = loop._default_executor
    except AttributeError:
        # uvloop's is a field of a C structure. The garbage collector is shown it.
        found = [one for one in gc.get_referents(loop) if isinstance(one, ThreadPoolExecutor)]
        return found[0] if found else None
    return executor


def _put_back(loop: Any, before: ThreadPoolExecutor | None) -> None:
    if hasattr(loop, "_default_executor"):
        # set_default_executor() takes no None.
        loop._default_executor = before
    else:
        loop.set_default_executor(before)


def _was_made_by_a_loop(executor: ThreadPoolExecutor) -> bool:
    """Whether it is as a loop makes it, and so nobody's choice."""
    return type(executor) is ThreadPoolExecutor and executor._thread_name_prefix in ("asyncio", "uvloop")
