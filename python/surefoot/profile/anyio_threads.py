"""The worker threads of anyio under observation: ``anyio.to_thread.run_sync`` on its asyncio backend.

anyio may be imported before or after a profile begins; it is never imported by us.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

from surefoot.adapters.on_import import OnImport

_BACKEND = "anyio._backends._asyncio"


class Observer(Protocol):
    """What wants to know of calls."""

    def submitted_to_anyio(self, function: Callable[..., Any], tokens: float) -> Callable[..., Any]:
        """Return what to call in place of ``function``."""


_observers: tuple[Observer, ...] = ()
_lock = threading.Lock()
_patched: tuple[Any, Any, Any] | None = None
_listener: OnImport | None = None


def add(observer: Observer) -> None:
    """Tell an observer of all calls in anyio's worker threads from now on."""
    global _observers, _listener
    with _lock:
        _observers = (*_observers, observer)
        if _listener is not None:
            return
    # Without the lock: this may wait for a thread that imports anyio, and will want it.
    listener = OnImport({_BACKEND: _imported})
    with _lock:
        is_wanted = bool(_observers) and _listener is None
        if is_wanted:
            _listener = listener
    if not is_wanted:
        listener.stop()


def remove(observer: Observer) -> None:
    """Tell it no more; the last one that leaves leaves anyio as it was."""
    global _observers, _patched, _listener
    with _lock:
        _observers = tuple(each for each in _observers if each is not observer)
        if _observers:
            return
        listener, _listener = _listener, None
        if _patched is not None:
            backend, before, ours = _patched
            if backend.__dict__.get("run_sync_in_worker_thread") is ours:
                backend.run_sync_in_worker_thread = before
            _patched = None
    if listener is not None:
        listener.stop()


def _imported(module: ModuleType) -> None:
    with _lock:
        if _observers:
            _patch(module)


def _patch(module: ModuleType) -> None:
    global _patched
    backend = getattr(module, "AsyncIOBackend", None)
    before = None if backend is None else backend.__dict__.get("run_sync_in_worker_thread")
    if backend is None or _patched is not None or not isinstance(before, classmethod):
        return
    standard = before.__func__

    @functools.wraps(standard)
    async def run_sync_in_worker_thread(
        cls: Any, func: Any, args: Any, abandon_on_cancel: bool = False, limiter: Any = None
    ) -> Any:
        observers = _observers
        if observers:
            tokens = (limiter or cls.current_default_thread_limiter()).total_tokens
            for observer in observers:
                func = observer.submitted_to_anyio(func, tokens)
        return await standard(cls, func, args, abandon_on_cancel=abandon_on_cancel, limiter=limiter)

    ours = classmethod(run_sync_in_worker_thread)
    backend.run_sync_in_worker_thread = ours
    _patched = (backend, before, ours)
