"""``surefoot.install()``: one budget of threads for a whole process."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

from surefoot import executor as chosen
from surefoot.adapters.on_import import OnImport
from surefoot.executor import AdaptiveThreadPoolExecutor

if TYPE_CHECKING:
    from surefoot.records import Decision, PoolStats


class Installation:
    """What :func:`install` returns: the one pool, and how far it reaches. Its methods are thread-safe.

    As a context manager it undoes, at the end of the block, the call of :func:`install` that it came from.

    Attributes:
        executor: The pool. Give it to what asks for an executor (``loop.run_in_executor(executor, ...)``).
        is_active: Whether it governs anything: not with ``SUREFOOT_DISABLE=1``, and no longer after
            :func:`uninstall`.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        """Use :func:`install`."""
        self._options = options
        self.executor = AdaptiveThreadPoolExecutor(**{"thread_name_prefix": "surefoot", **options})
        self.is_active = chosen.is_native
        self._holders = 0
        self._parts: Any = None
        if self.is_active:
            # Not before they are needed: `import surefoot` does not load asyncio.
            from surefoot.adapters import anyio
            from surefoot.adapters import asyncio as loops

            self._loops = loops.Loops(self.executor)
            self._workers = anyio.WorkerThreads(self.executor)
            then = dict.fromkeys(loops.CLASSES, self._loops.patch)
            self._listener = OnImport({**then, anyio.MODULE: self._workers.patch})

    @property
    def anyio(self) -> str:
        """``"pool"``: its calls without a limiter of their own run on the pool.

        ``"untouched"``: an unknown version of it keeps its own threads. ``"absent"``: it has not been
        imported; it is covered once it is.
        """
        return self._workers.mode if self.is_active else "absent"

    def stats(self) -> PoolStats:
        """Return one consistent reading of the pool."""
        return self.executor.stats()

    def decisions(self) -> tuple[Decision, ...]:
        """Return the last 256 changes of the limit and vetoes, oldest first."""
        return self.executor.decisions()

    def __enter__(self) -> Installation:
        """Return itself."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Undo one call of :func:`install`; the last one uninstalls."""
        with _state.lock:
            self._holders -= 1
            if self._holders <= 0 and _state.current is self:
                _state.current = None
                self._restore()

    def _restore(self) -> None:
        if self.is_active:
            self._listener.stop()
            self._loops.restore()
            self._workers.restore()
            self.is_active = False
        self.executor.shutdown(wait=False)

    def _after_fork(self) -> None:
        if self.is_active:
            self._loops.after_fork()
            self._workers.after_fork()


class _State:
    def __init__(self) -> None:
        # Reentrant: an import that is waited for may run code that installs.
        self.lock = threading.RLock()
        self.current: Installation | None = None


_state = _State()


def install(**options: Any) -> Installation:
    """Let one adaptive pool serve everything in this process that uses default threads.

    - asyncio's default executor (``asyncio.to_thread``, ``loop.run_in_executor(None, ...)``,
      ``getaddrinfo``), in loops of asyncio and uvloop that run already and in those to come. A loop that was
      given an executor with ``set_default_executor`` keeps it.
    - anyio's calls without a limiter of their own (synchronous endpoints and dependencies of Starlette and
      FastAPI, synchronous tools of MCP servers) under asyncio, also if anyio is imported later. Calls with a
      limiter and trio's threads are left alone.

    May be called from any thread, and more than once: without options, or with the same ones, it returns what
    is installed. With ``SUREFOOT_DISABLE=1`` it changes nothing.

    Args:
        **options: Those of :class:`surefoot.AdaptiveThreadPoolExecutor`, all by keyword.

    Raises:
        RuntimeError: If it is installed with other options; :func:`uninstall` first.
        ValueError: For a value out of range.
        TypeError: For a value of the wrong kind, or an unknown option.
    """
    with _state.lock:
        current = _state.current
        if current is None:
            current = _state.current = Installation(options)
        elif options and options != current._options:
            raise RuntimeError(
                "surefoot is installed with other options: call surefoot.uninstall() before changing them"
            )
        current._holders += 1
        return current


def uninstall() -> None:
    """Put everything back as it was before :func:`install`; nothing happens if it was not called.

    Tasks that run or wait are finished by the pool, whose threads then leave. Returns at once. May be called
    from any thread.
    """
    with _state.lock:
        current, _state.current = _state.current, None
        if current is not None:
            current._restore()


def _after_fork() -> None:
    # A thread of the parent that is not here may hold it.
    _state.lock = threading.RLock()
    if _state.current is not None:
        _state.current._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
