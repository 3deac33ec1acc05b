"""Standard pools under observation: what ``ThreadPoolExecutor.submit`` is while somebody profiles.

The function that is submitted is handed on inside a native callable that measures the call; everything
else is the standard library's. What is patched is put back when the last observer leaves, unless somebody
patched it again meanwhile: then ours stays below and only passes on.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import _base
from concurrent.futures.thread import ThreadPoolExecutor
from typing import Any, Protocol

from surefoot import _core


class Observer(Protocol):
    """What wants to know of submissions."""

    def submitted(self, executor: ThreadPoolExecutor, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what to submit in place of ``function``."""

    def joins(self, executor_id: int, is_waiting: bool) -> bool:
        """Hear that the calling thread waits for a task of this executor, or does so no more."""


_PENDING = frozenset((_base.PENDING, _base.RUNNING))
_observers: tuple[Observer, ...] = ()
_lock = threading.Lock()


class _Installation:
    """The patched functions, from when the first observer comes until the last leaves.

    Each has functions of its own: of an earlier one some may be below somebody else's patch for ever.
    """

    def __init__(self) -> None:
        self._is_on = True
        submit = self._submit(ThreadPoolExecutor.submit)
        # Pools of ours are not to take it for a patch that they must obey.
        _core.set_observing_submit(submit, ThreadPoolExecutor.submit)
        self._patches: list[tuple[type, str, Any, Any]] = [
            (ThreadPoolExecutor, "submit", ThreadPoolExecutor.submit, submit)
        ]
        for name in ("result", "exception"):
            wait = getattr(_base.Future, name)
            self._patches.append((_base.Future, name, wait, self._joining(wait)))
        for owner, name, _, ours in self._patches:
            setattr(owner, name, ours)

    def close(self) -> None:
        """Put back what was there, where nobody patched it since."""
        self._is_on = False
        for owner, name, before, ours in self._patches:
            if owner.__dict__[name] is ours:
                setattr(owner, name, before)

    def _submit(self, standard: Any) -> Any:
        @functools.wraps(standard)
        def submit(executor: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            observers = _observers if self._is_on else ()
            for observer in observers:
                fn = observer.submitted(executor, fn)
            future = standard(executor, fn, *args, **kwargs)
            if observers:
                # For waits of one task for another.
                future._surefoot_executor = id(executor)
            return future

        return submit

    def _joining(self, standard: Any) -> Any:
        @functools.wraps(standard)
        def wait(future: Any, timeout: float | None = None) -> Any:
            owner = getattr(future, "_surefoot_executor", None)
            if owner is None or future._state not in _PENDING or not self._is_on:
                return standard(future, timeout)
            joined = [each for each in _observers if each.joins(owner, True)]
            try:
                return standard(future, timeout)
            finally:
                for observer in joined:
                    observer.joins(owner, False)

        return wait


_installation: _Installation | None = None


def add(observer: Observer) -> None:
    """Tell an observer of all submissions to standard pools from now on."""
    global _observers, _installation
    with _lock:
        if _installation is None:
            _installation = _Installation()
        _observers = (*_observers, observer)


def remove(observer: Observer) -> None:
    """Tell it no more; the last one that leaves leaves the standard library as it was."""
    global _observers, _installation
    with _lock:
        _observers = tuple(each for each in _observers if each is not observer)
        if not _observers and _installation is not None:
            _installation.close()
            _installation = None


class Executors:
    """The executors that an observer has met, by identity, as long as they live."""

    def __init__(self, number_of: Callable[[Any], int]) -> None:
        """Take what numbers an executor that is met for the first time."""
        self._number_of = number_of
        self._numbers: dict[int, int] = {}
        self._references: dict[int, weakref.ref[Any]] = {}
        self._lock = threading.Lock()
        self.get = self._numbers.get

    def number(self, executor: Any) -> int:
        """Return the number of an executor."""
        key = id(executor)
        with self._lock:
            if key not in self._numbers:
                self._references[key] = weakref.ref(executor, functools.partial(self._forget, key))
                self._numbers[key] = self._number_of(executor)
            return self._numbers[key]

    def _forget(self, key: int, _reference: object) -> None:
        # No lock: this may be called in the middle of anything.
        self._numbers.pop(key, None)
        self._references.pop(key, None)
