"""A bound on the tasks that wait: its error, and the bound for executors that run as standard ones.

The native pool has its own (``crates/surefoot-core/src/pool/room.rs``).
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import thread as standard
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot.options import Options

# How often a blocked submitter looks whether the pool is gone, of which nobody tells it.
_LOOK_EVERY_S = 0.1


class QueueFull(queue.Full):
    """As many tasks wait as ``max_queue`` says, and the policy is ``"raise"``.

    It is a ``queue.Full`` and no ``RuntimeError``: programs take that to mean that the pool is shut
    down. The task was not accepted; the pool is as it was.
    """


def standard_submit(executor: ThreadPoolExecutor, options: Options) -> StandardSubmit | None:
    """Make what stands before the standard ``submit``; ``None`` if there is nothing to do."""
    if options.max_queue is None and not options.copies_context:
        return None
    return StandardSubmit(executor, options)


class StandardSubmit:
    """``submit`` of a standard pool with ``max_queue``, ``queue_full`` and ``context``.

    At most ``max_queue + max_workers`` tasks are in the pool, waiting or running: as many wait as
    may, besides those that a worker can take at once. It keeps no reference to a task that has
    ended. Those that wait are served in order.
    """

    def __init__(self, executor: Any, options: Options) -> None:
        """Stand before ``executor``, which owns this object."""
        self._executor = executor
        self._options = options
        self._lock = threading.Lock()
        self._inside = 0
        self._waiting: deque[threading.Event] = deque()
        # A worker may run before its executor lists it.
        self._here = threading.local()

    def __call__(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit, as the options say."""
        call = (contextvars.copy_context().run, fn, *args) if self._options.copies_context else (fn, *args)
        if self._options.max_queue is None:
            return self._submit(call, kwargs)
        if not self._enter():
            return _run_here(call, kwargs)
        left = _Once(self._leave)
        try:
            future = self._submit((self._run, left, *call), kwargs)
        except BaseException:
            left()
            raise
        # A task that was cancelled leaves, too.
        future.add_done_callback(left)
        return future

    def _submit(self, call: tuple[Any, ...], kwargs: dict[str, Any]) -> Future[Any]:
        submit: Any = standard.ThreadPoolExecutor.submit  # as it is now: programs replace it
        return submit(self._executor, *call, **kwargs)  # type: ignore[no-any-return]

    def _has_room(self) -> bool:
        assert self._options.max_queue is not None
        return bool(self._inside < self._options.max_queue + self._executor._max_workers)

    def _enter(self) -> bool:
        """Take a place in the pool; ``False`` if the caller is to run the task."""
        when_full = self._options.queue_full
        with self._lock:
            if self._is_closed() or (not self._waiting and self._has_room()):
                # In a closed one the standard `submit` knows what to raise.
                self._inside += 1
                return True
            if when_full == "raise":
                raise QueueFull("cannot schedule new futures: as many tasks wait as may")
            if when_full == "caller-runs":
                return False
            if self._is_worker():
                # It must not wait for its own pool: perhaps it alone can make the room.
                self._inside += 1
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        try:
            while not turn.wait(_LOOK_EVERY_S):
                with self._lock:
                    if self._is_closed() and turn in self._waiting:
                        self._waiting.remove(turn)
                        self._inside += 1
                        break
        except BaseException:
            with self._lock:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                else:
                    self._go()
            raise
        return True

    def _is_worker(self) -> bool:
        is_known = getattr(self._here, "is_worker", False)
        return is_known or threading.current_thread() in self._executor._threads

    def _run(self, left: _Once, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self._here.is_worker = True
        try:
            return fn(*args, **kwargs)
        finally:
            left()  # before the result can be seen: whoever sees it may count on the place

    def _is_closed(self) -> bool:
        return bool(self._executor._shutdown or self._executor._broken or standard._shutdown)

    def _leave(self) -> None:
        with self._lock:
            self._go()

    def _go(self) -> None:
        self._inside -= 1
        while self._waiting and self._has_room():
            self._inside += 1
            self._waiting.popleft().set()


class _Once:
    """Calls a function the first time that it is called itself."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function: Callable[[], None] | None = function
        self._lock = threading.Lock()

    def __call__(self, _future: object = None) -> None:
        with self._lock:
            function, self._function = self._function, None
        if function is not None:
            function()


def _run_here(call: tuple[Any, ...], kwargs: dict[str, Any]) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    try:
        result = call[0](*call[1:], **kwargs)
    except BaseException as error:
        future.set_exception(error)
        if isinstance(error, KeyboardInterrupt):  # it is meant for the thread
            raise
    else:
        future.set_result(result)
    return future
