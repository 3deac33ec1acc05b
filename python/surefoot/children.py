"""Tells the pool of what its tasks are about to make: threads and processes inherit a worker's mask.

CPython announces most of it to audit hooks, of which the extension sets one. What it does not announce
is wrapped here: the start of a thread before 3.12, and how ``multiprocessing`` makes a process by
``spawn`` or through its server. Nothing is touched before a pool asks to be kept on one core.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

from surefoot import _core

logger = logging.getLogger("surefoot")

_ANNOUNCES_THREADS = sys.version_info >= (3, 12)
_lock = threading.Lock()
_is_guarded: bool | None = None


def are_guarded() -> bool:
    """Begin to watch for children of tasks; say whether that is so, and there is a lock to share.

    Without a global lock nothing is to be gained from keeping workers on one core, and threads are
    moved on Linux only.
    """
    global _is_guarded
    if sys.platform != "linux" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    with _lock:
        if _is_guarded is None:
            _is_guarded = _guard()
        return _is_guarded


def _guard() -> bool:
    try:
        _core.guard_children()
    except Exception:
        logger.warning("no audit hook may be added: keep_on_one_core is without effect", exc_info=True)
        return False
    if not _ANNOUNCES_THREADS:
        import _thread

        _announce_calls(_thread, "start_new_thread", "start_new")
        _announce_calls(threading, "_start_new_thread")
    try:
        import _posixsubprocess
    except ImportError:
        return True
    _announce_calls(_posixsubprocess, "fork_exec")
    return True


def _announce_calls(module: Any, *names: str) -> None:
    for name in names:
        function = getattr(module, name, None)
        if function is not None:
            setattr(module, name, _announced(function))


def _announced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def announce_and_call(*args: Any, **kwargs: Any) -> Any:
        _core.announce_child()
        return function(*args, **kwargs)

    return announce_and_call
