"""anyio's worker threads under asyncio: calls without a limiter of their own run on the one pool.

anyio has no place for another pool, so the method of its asyncio backend that runs a call in a thread is
replaced by one that does the same on ours: it keeps anyio's contract for the calling task (checkpoints, the
default limiter, cancellation) and for the thread (context, ``anyio.from_thread``). Calls with an explicit
limiter stay anyio's own: a thread of its own for a dependency's cleanup is what keeps FastAPI from deadlock.

The default limiter remains, and remains the user's: its ``total_tokens`` starts at the pool's cap instead of
at 40, and what a program writes there bounds how many calls it has on the pool at once.
"""

from __future__ import annotations

import functools
import inspect
import logging
import threading
import weakref
from asyncio import AbstractEventLoop, CancelledError, get_running_loop
from asyncio import Future as LoopFuture
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from types import ModuleType
from typing import Any

from surefoot.adapters.patch import Patch

logger = logging.getLogger("surefoot")

MODULE = "anyio._backends._asyncio"

# What anyio's default limiter starts with.
_DEFAULT_TOKENS = 40


class _UninstalledError(Exception):
    """The pool was shut down between the question whether it is there and the use of it."""


class Call:
    """One call on its way through the pool and back into its event loop."""

    # The pool counts tasks by function; it looks through what has the first name.
    __slots__ = ("__wrapped__", "_args", "_backend", "_context", "_func", "_loop", "_scope", "future")

    def __init__(
        self,
        backend: Backend,
        loop: AbstractEventLoop,
        scope: Any,
        func: Callable[..., Any],
        args: tuple[Any, ...],
    ) -> None:
        """Take what the thread will need, in the task that calls."""
        self.__wrapped__ = _what_runs(func)
        self._func = func
        self._args = args
        self._backend = backend
        self._context = copy_context()
        self._context.run(backend.hide_library, None)
        self._loop = loop
        self._scope = scope
        self.future: LoopFuture[Any] | None = loop.create_future()

    def __call__(self) -> Any:
        """Run in the pool's thread, as in one of anyio's."""
        backend, scope = self._backend, self._scope
        with backend.claim_worker_thread(backend.cls, self._loop):
            backend.thread.current_cancel_scope = scope
            try:
                return self._context.run(self._func, *self._args)
            finally:
                del backend.thread.current_cancel_scope

    def report(self, task: Future[Any]) -> None:
        """Tell the event loop, from whatever thread finished or cancelled the task."""
        try:
            self._loop.call_soon_threadsafe(self._settle, task)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def _settle(self, task: Future[Any]) -> None:
        future = self.future
        if future is None or future.done():
            return
        if task.cancelled():
            future.cancel()
            return
        error = task.exception()
        if isinstance(error, StopIteration):
            # A coroutine cannot raise it.
            replaced = RuntimeError("coroutine raised StopIteration")
            replaced.__cause__ = error
            error = replaced
        if error is None:
            future.set_result(task.result())
        else:
            future.set_exception(error)


def _what_runs(func: Callable[..., Any]) -> Callable[..., Any]:
    # FastAPI hands its endpoint over as an argument of a function of its own.
    if isinstance(func, functools.partial) and (endpoint := func.keywords.get("function")) is not None:
        return endpoint if callable(endpoint) else func
    return func


class Backend:
    """What is used of anyio's asyncio backend, found by name."""

    def __init__(self, module: ModuleType) -> None:
        """Look everything up.

        Raises:
            LookupError: If it is not the anyio that this module knows; the text says what is missing.
        """
        try:
            self.cls: Any = module.AsyncIOBackend
            self.cancel_scope: Any = module.CancelScope
            self.claim_worker_thread: Any = module.claim_worker_thread
            self.thread: Any = module.threadlocals
            self.run: Any = self.cls.run_sync_in_worker_thread
            self.limiter: Any = self.cls.current_default_thread_limiter
            if hasattr(module, "set_current_async_library"):
                self.hide_library: Any = module.set_current_async_library
            else:
                self.hide_library = module.sniffio.current_async_library_cvar.set
        except AttributeError as error:
            raise LookupError(str(error)) from error
        names = ("func", "args", "abandon_on_cancel", "limiter")
        if tuple(inspect.signature(self.run).parameters) != names:
            raise LookupError(f"run_sync_in_worker_thread does not take {', '.join(names)}")
        scope = self.cancel_scope()
        for name in ("_parent_scope", "_effectively_cancelled"):
            if not hasattr(scope, name):
                raise LookupError(f"CancelScope has no {name}")


class WorkerThreads:
    """anyio's worker threads, replaced by the pool."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        """Run anyio's calls on ``pool``, once :meth:`patch` was called."""
        self._pool = pool
        self._lock = threading.Lock()
        self._is_active = True
        self._patches: list[Patch] = []
        # Each limiter's loop, which is not to be kept alive, and what it had.
        self._adopted: weakref.WeakKeyDictionary[Any, tuple[Callable[[], Any], float]]
        self._adopted = weakref.WeakKeyDictionary()
        self.mode = "absent"

    def patch(self, module: ModuleType) -> None:
        """Cover ``anyio._backends._asyncio``, or leave it alone if it is not the one that is known."""
        try:
            backend = Backend(module)
        except LookupError as error:
            self.mode = "untouched"
            logger.warning("anyio keeps its own threads: this version of it is not known (%s)", error)
            return
        with self._lock:
            if self._is_active:
                self._patches.append(
                    Patch(backend.cls, "run_sync_in_worker_thread", classmethod(self._runner(backend)))
                )
                self._patches.append(
                    Patch(backend.cls, "current_default_thread_limiter", classmethod(self._limiter(backend)))
                )
                self.mode = "pool"

    def _limiter(self, backend: Backend) -> Callable[[Any], Any]:
        original = backend.limiter

        @functools.wraps(original)
        def current_default_thread_limiter(_cls: Any) -> Any:
            limiter = original()
            if self._is_active and limiter not in self._adopted:
                self._adopt(limiter)
            return limiter

        return current_default_thread_limiter

    def _adopt(self, limiter: Any) -> None:
        with self._lock:
            if self._is_active:
                self._adopted[limiter] = (weakref.ref(get_running_loop()), limiter.total_tokens)
                # Another number is a choice that the program made before.
                if limiter.total_tokens == _DEFAULT_TOKENS:
                    limiter.total_tokens = self._pool._max_workers

    def _runner(self, backend: Backend) -> Callable[..., Any]:
        original = backend.run

        @functools.wraps(original)
        async def run_sync_in_worker_thread(
            cls: Any,
            func: Callable[..., Any],
            args: tuple[Any, ...],
            abandon_on_cancel: bool = False,
            limiter: Any = None,
        ) -> Any:
            if self._is_active:
                default = cls.current_default_thread_limiter()
                if limiter is None or limiter is default:
                    await cls.checkpoint()
                    try:
                        async with default:
                            return await self._run(backend, func, args, abandon_on_cancel)
                    except _UninstalledError:
                        pass
            return await original(func, args, abandon_on_cancel, limiter)

        return run_sync_in_worker_thread

    async def _run(
        self, backend: Backend, func: Callable[..., Any], args: tuple[Any, ...], abandon_on_cancel: bool
    ) -> Any:
        with backend.cancel_scope() as scope:
            # Whose cancellation `from_thread.check_cancelled()` sees.
            outer = None if abandon_on_cancel else scope._parent_scope
            call = Call(backend, get_running_loop(), outer or scope, func, args)
            try:
                # The task has its own context already, whatever the pool would do by itself.
                task = self._pool.submit(call)
            except RuntimeError:
                if self._is_active:
                    raise
                raise _UninstalledError from None
            task.add_done_callback(call.report)
            try:
                while True:
                    assert call.future is not None
                    try:
                        return await call.future
                    except CancelledError:
                        # A call that still waits in the queue never runs, as one that waits for a token with
                        # anyio. One that runs is waited for, unless it may be abandoned or the task was
                        # cancelled past anyio (`Task.cancel()`), which anyio does not withstand either.
                        if task.cancel() or abandon_on_cancel or not scope._effectively_cancelled:
                            raise
                        scope.shield = True
                        call.future = get_running_loop().create_future()
                        if task.done():
                            # It was finishing: what it told the loop was for the future before.
                            call.report(task)
            finally:
                # An exception keeps this frame, and would be kept by what is in it.
                call.future = None
                del call, task

    def restore(self) -> None:
        """Undo everything; calls that are under way go on, and each loop's limiter gets its tokens back."""
        with self._lock:
            self._is_active = False
            for patch in reversed(self._patches):
                patch.undo()
            adopted = list(self._adopted.items())
            self._adopted.clear()
        cap = self._pool._max_workers
        for limiter, (loop_ref, tokens) in adopted:
            loop = loop_ref()
            if loop is not None:
                self._give_back(limiter, loop, tokens, cap)

    @staticmethod
    def _give_back(limiter: Any, loop: AbstractEventLoop, tokens: float, cap: int) -> None:
        def give_back() -> None:
            if limiter.total_tokens == cap:
                limiter.total_tokens = tokens

        try:
            if loop is get_running_loop():
                give_back()
                return
        except RuntimeError:
            pass
        try:
            # A limiter wakes tasks, so it is touched in its loop's thread alone.
            loop.call_soon_threadsafe(give_back)
        except RuntimeError:
            give_back()

    def after_fork(self) -> None:
        """Start with a lock that no thread holds, in a forked child."""
        self._lock = threading.Lock()
