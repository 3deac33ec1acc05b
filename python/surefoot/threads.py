"""Makes the worker threads of a pool, and keeps the set of them."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable
from concurrent.futures import thread as standard
from typing import Any

# From 3.14 on a new thread may inherit the context of whoever happens to start it. A pool's worker
# belongs to no caller, so it gets an empty one, as it always had.
_INHERITS_CONTEXT = sys.version_info >= (3, 14)


class ThreadMaker:
    """Makes threads without knowing the executor, which may be gone while its queue drains.

    Attributes:
        prefix: First part of the threads' names.
        threads: Live workers. The set is only added to; to take one out, another set takes its
            place, so that who iterates over it while workers leave is not disturbed.
    """

    __slots__ = ("_lock", "prefix", "threads")

    def __init__(self, prefix: str) -> None:
        """Start with no threads."""
        self.prefix = prefix
        self.threads: set[threading.Thread] = set()
        # Reentrant: starting a thread can run finalizers, which may submit to this pool.
        self._lock = threading.RLock()

    def make(self, index: int, entry: Callable[[], None], bell: Any) -> BaseException | None:
        """Start the worker thread of ``index``; ``bell.put(None)`` is called at the interpreter's exit.

        Returns:
            What a signal handler raised while the thread came up, for the caller to raise once it has
            counted the thread; usually nothing.

        Raises:
            RuntimeError: If the system gives no thread.
        """
        options: dict[str, Any] = {"context": contextvars.Context()} if _INHERITS_CONTEXT else {}
        thread = threading.Thread(
            name=f"{self.prefix}_{index}",
            target=entry,
            daemon=False,
            **options,
        )
        with self._lock:
            # First into the set: a task may look for its own thread in there.
            self.threads.add(thread)
            interrupt: BaseException | None = None
            try:
                thread.start()
            except Exception as error:
                if thread.ident is None:
                    self.threads.discard(thread)
                    raise
                interrupt = error
            except BaseException as error:
                # KeyboardInterrupt in start()'s wait for the thread, which is there all the same.
                interrupt = error
        # The standard library joins these threads before the interpreter exits.
        queues: Any = standard._threads_queues
        queues[thread] = bell
        return interrupt

    def forget_current(self) -> None:
        """Take the calling thread out of the set: it is about to end."""
        with self._lock:
            self.threads = self.threads - {threading.current_thread()}

    def snapshot(self) -> list[threading.Thread]:
        """List the threads once no start is under way."""
        with self._lock:
            return list(self.threads)
