"""A joblib backend whose thread pool finds its own size.

::

    import joblib
    import surefoot.adapters.joblib

    surefoot.adapters.joblib.register()
    with joblib.parallel_config(backend="surefoot", n_jobs=64):
        joblib.Parallel()(joblib.delayed(fetch)(url) for url in urls)
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from joblib import register_parallel_backend
from joblib.parallel import FallbackToBackend, ParallelBackendBase, SequentialBackend

from surefoot import AdaptiveThreadPoolExecutor
from surefoot.capacity import standard_default

__all__ = ["SurefootBackend", "register"]


def register(name: str = "surefoot", *, make_default: bool = False) -> None:
    """Make the backend known to joblib.

    Args:
        name: What ``joblib.parallel_config(backend=...)`` and ``joblib.Parallel(backend=...)`` call it.
        make_default: Whether it serves where no backend is asked for.
    """
    register_parallel_backend(name, SurefootBackend, make_default=make_default)


class _Callbacks:
    """joblib's callbacks of one pool: none outlives its call.

    A callback dispatches the next batch. One that is late by a moment, when the call has failed and the same
    ``Parallel`` object serves the next, would dispatch into that. joblib's own pool of threads has one
    thread for all callbacks, and ends it with the call; here each worker calls its own.
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._is_over = False
        self._threads: list[int] = []

    def guarded(self, callback: Callable[[Future[Any]], Any]) -> Callable[[Future[Any]], None]:
        """Return what to call in place of ``callback``."""
        own = threading.get_ident

        def call(future: Future[Any]) -> None:
            with self._change:
                if self._is_over:
                    return
                self._threads.append(own())
            try:
                callback(future)
            finally:
                with self._change:
                    self._threads.remove(own())
                    self._change.notify_all()

        return call

    def end(self) -> None:
        """Let no further callback begin, and wait for those that run in other threads."""
        own = threading.get_ident()
        with self._change:
            self._is_over = True
            self._change.wait_for(lambda: all(thread == own for thread in self._threads))


class SurefootBackend(ParallelBackendBase):  # type: ignore[misc]
    """Runs each call of ``joblib.Parallel`` in an :class:`surefoot.AdaptiveThreadPoolExecutor` of its own.

    A positive ``n_jobs`` is the cap. A negative one leaves the size to surefoot; callers that ask how many
    jobs will run at once, to divide their work, are told what the standard pool would start with
    (``min(32, cores + 4)``, one less for ``-2``, and so on), and joblib dispatches twice as many tasks
    ahead (``pre_dispatch``), which is then the most that can run. 1 and ``None`` run in the caller.

    Nested calls get a pool of their own on the first level and run in the caller below it, as with
    joblib's own threads. Results may be had as a generator, and ``timeout`` works.
    """

    supports_retrieve_callback = True
    supports_sharedmem = True
    uses_threads = True
    default_n_jobs = -1

    _executor: AdaptiveThreadPoolExecutor | None = None

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many jobs joblib may take to run at once.

        Raises:
            ValueError: For 0.
        """
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return n_jobs if n_jobs > 0 else max(1, standard_default() + 1 + n_jobs)

    def configure(self, n_jobs: int | None = 1, parallel: Any = None, **_options: Any) -> int:
        """Make the pool for one ``Parallel`` object; called by joblib."""
        effective = self.effective_n_jobs(n_jobs)
        if effective == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.parallel = parallel
        self._cap = n_jobs if n_jobs is not None and n_jobs > 0 else None
        self._open()
        return effective

    def _open(self) -> None:
        self._executor = AdaptiveThreadPoolExecutor(self._cap, thread_name_prefix="joblib")
        self._callbacks = _Callbacks()

    def submit(self, func: Callable[[], Any], callback: Callable[[Future[Any]], Any] | None = None) -> Any:
        """Run a batch of calls."""
        executor = self._executor
        if executor is None:  # Aborted without a successor: joblib drops what it is given.
            raise RuntimeError("the joblib backend was terminated")
        future = executor.submit(func)
        if callback is not None:
            future.add_done_callback(self._callbacks.guarded(callback))
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """Return a batch's results, or raise what it raised."""
        return out.result()

    def terminate(self) -> None:
        """Let the workers go."""
        if self._executor is not None:
            # Tasks of a call that failed or ran into its timeout are not waited for.
            self._executor.shutdown(wait=False)
            self._executor = None

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Drop the tasks that wait; those that run end by themselves."""
        if self._executor is not None:
            self._callbacks.end()
            self._forget_ready_batches()
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None
        if ensure_ready:
            self._open()

    def _forget_ready_batches(self) -> None:
        """Empty the queue of batches that joblib has made, but not dispatched.

        It does not do so itself (1.6.0), and the next call of the same ``Parallel`` object would run them.
        """
        ready = getattr(self.parallel, "_ready_batches", None)
        if isinstance(ready, queue.Queue):
            with contextlib.suppress(queue.Empty):
                while True:
                    ready.get_nowait()

    def get_nested_backend(self) -> tuple[ParallelBackendBase, int | None]:
        """Return what nested calls use."""
        level = (self.nesting_level or 0) + 1
        nested = SequentialBackend if level > 1 else SurefootBackend
        return nested(nesting_level=level), None
