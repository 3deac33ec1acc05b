"""Adaptive threads in every worker of a Dask cluster: ``client.register_plugin(AdaptiveThreadsPlugin())``."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import Any

from distributed import threadpoolexecutor
from distributed.core import Status
from distributed.diagnostics.plugin import WorkerPlugin
from distributed.protocol.pickle import dumps
from distributed.worker_state_machine import UnpauseEvent
from tornado.ioloop import PeriodicCallback

import surefoot
from surefoot.adapters.dask_scheduler import MESSAGE, NAME, SlotsPlugin
from surefoot.capacity import standard_default

__all__ = ["AdaptiveThreadsPlugin"]

logger = logging.getLogger("surefoot")

# Slots beyond the limit, as a share of it: the tasks in them wait in the pool, which tells its controller
# that there is more to do. Few, for a task in a slot can no longer move to another worker.
_AHEAD = 0.25
# A worker's slots follow the limit within this time: soon against the life of a limit, rare against its cost.
_FOLLOW_INTERVAL_MS = 20
# Most tasks that run at once in one worker, if nothing else was asked for.
_DEFAULT_CAP = 64


class AdaptiveThreadsPlugin(WorkerPlugin):  # type: ignore[misc]
    """Gives each worker a pool that finds its own size in place of its fixed number of threads.

    In each worker the default executor becomes an adaptive pool, and the worker's ``nthreads`` (how many
    tasks it runs at once, and how many the scheduler reckons with) becomes the pool's limit and a quarter
    more: the tasks that wait in the pool are what tells the controller that more threads would have work.
    Actors, resources and further executors (``dask.annotate(executor=...)``) are left alone. ``secede``,
    ``rejoin``, ``worker_client`` and ``get_client`` in tasks work as ever: a thread that secedes counts
    neither against limit nor cap.

    A worker whose default executor is not Dask's own pool of threads is left as it is; so are all under
    ``SUREFOOT_DISABLE=1``.

    Args:
        max_workers: The cap in each worker; ``None``: 64, or what the worker started with if that is
            more. Each task that runs holds its inputs in memory.
        **options: Of :class:`surefoot.AdaptiveThreadPoolExecutor`. ``min_workers`` is the standard pool's
            default size if not given.
    """

    name = NAME

    def __init__(self, max_workers: int | None = None, **options: Any) -> None:
        """Remember the options: the pools are made in the workers."""
        self._options = {**options, "max_workers": max_workers}
        self._governors: dict[str, _Governor] = {}

    async def setup(self, worker: Any) -> None:
        """Called by Dask in each worker, on its event loop."""
        if type(worker.executors["default"]) is not threadpoolexecutor.ThreadPoolExecutor:
            logger.warning("%s has an executor of its own, which stays", worker.address)
            return
        if not hasattr(surefoot.AdaptiveThreadPoolExecutor, "_step_out"):
            return
        governor = self._governors[worker.id] = _Governor(worker, self._options)
        await governor.start()

    async def teardown(self, worker: Any) -> None:
        """Called by Dask when the plugin or the worker goes: everything is as before."""
        governor = self._governors.pop(worker.id, None)
        if governor is not None:
            governor.stop()


class _SecedingThreadPoolExecutor(surefoot.AdaptiveThreadPoolExecutor):
    """The pool as a worker's default executor; Dask wants ``ThreadPoolExecutor`` in the class's name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, initializer=_present_as_dasks, initargs=(_Door(self),))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return super().submit(_in_at_the_end, fn, args, kwargs)


_out = threading.local()


def _in_at_the_end(fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    try:
        return fn(*args, **kwargs)
    finally:
        executor = getattr(_out, "executor", None)
        if executor is not None:
            _step_in(executor)


def _step_in(executor: surefoot.AdaptiveThreadPoolExecutor) -> None:
    _out.executor = None
    executor._step_in()


def _present_as_dasks(door: _Door) -> None:
    threadpoolexecutor.thread_state.proceed = True
    threadpoolexecutor.thread_state.executor = door


class _Door:
    """What ``distributed.threadpoolexecutor``'s ``secede`` and ``rejoin`` touch of a thread's executor.

    Both are functions of that module and reach into its own class: they take the thread out of
    ``_threads`` and call ``_adjust_thread_count``, or append themselves to ``_rejoin_list`` and wait to
    be let in. Here leaving and coming back is the pool's affair, and both are done at once.
    """

    def __init__(self, executor: surefoot.AdaptiveThreadPoolExecutor) -> None:
        self._executor = executor
        self._threads = self
        self._rejoin_list = self
        self._rejoin_lock = threading.Lock()

    def remove(self, thread: threading.Thread) -> None:
        """Secede. A ``KeyError`` tells Dask that the thread had left already."""
        if not self._executor._step_out():
            raise KeyError(thread)
        _out.executor = self._executor

    def append(self, waiting: tuple[threading.Thread, threading.Event]) -> None:
        """Rejoin."""
        _step_in(self._executor)
        waiting[1].set()

    def _adjust_thread_count(self) -> None:
        """Nothing: stepping out has made room."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> None:
        """Nothing: Dask only means to wake a thread that would let this one in."""


class _Governor:
    """The pool of one worker, and its slots. Everything here runs on the worker's event loop."""

    def __init__(self, worker: Any, options: dict[str, Any]) -> None:
        self._worker = worker
        self._before = worker.executors["default"]
        self._nthreads_before = worker.state.nthreads
        self._told: int | None = worker.state.nthreads
        self._is_scheduler_told = False
        if options["max_workers"] is None:
            options = {**options, "max_workers": max(_DEFAULT_CAP, worker.state.nthreads)}
        if "min_workers" not in options:
            # What counts here is when the last task ends, not how long each takes. A few threads too many
            # then cost little; a few too few cost time whenever the mixture of tasks changes.
            options = {**options, "min_workers": min(options["max_workers"], standard_default())}
        prefix = f"{worker.name}-" if worker.name is not None else ""
        self.executor = _SecedingThreadPoolExecutor(
            **{"thread_name_prefix": f"{prefix}Dask-Adaptive-Threads", **options}
        )
        self._callback = PeriodicCallback(self._follow, _FOLLOW_INTERVAL_MS)

    async def start(self) -> None:
        worker = self._worker
        worker.executors["default"] = self.executor
        try:
            await worker.scheduler.register_scheduler_plugin(
                plugin=dumps(SlotsPlugin()), name=SlotsPlugin.name, idempotent=True
            )
            self._is_scheduler_told = True
        except Exception:
            logger.warning(
                "the scheduler does not take part (is surefoot installed there?): it goes on reckoning "
                "with %d threads in %s",
                self._nthreads_before,
                worker.address,
                exc_info=True,
            )
        self._follow()
        self._callback.start()

    def stop(self) -> None:
        self._callback.stop()
        worker = self._worker
        if worker.executors["default"] is self.executor:
            worker.executors["default"] = self._before
            self._set(self._nthreads_before)
        # Those that run end in their threads; what waits runs, too: the worker reckons with it.
        self.executor.shutdown(wait=False)

    def _follow(self) -> None:
        limit = self.executor._limit_now()
        self._set(limit + math.ceil(limit * _AHEAD))

    def _set(self, slots: int) -> None:
        worker = self._worker
        before = worker.state.nthreads
        if slots != before:
            worker.state.nthreads = slots
            if slots > before and worker.status == Status.running:
                # Of a worker that runs this event only starts what is ready.
                worker.handle_stimulus(UnpauseEvent(stimulus_id="surefoot-slots"))
        if slots != self._told and self._is_scheduler_told and _is_connected(worker):
            worker.batched_send({"op": MESSAGE, "nthreads": slots, "stimulus_id": "surefoot-slots"})
            self._told = slots


def _is_connected(worker: Any) -> bool:
    comm = worker.batched_stream and worker.batched_stream.comm
    return comm is not None and not comm.closed()
