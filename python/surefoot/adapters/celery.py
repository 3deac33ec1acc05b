"""A Celery worker pool of adaptive threads.

``celery -A app worker -P custom`` with ``CELERY_CUSTOM_WORKER_POOL=surefoot.adapters.celery:TaskPool``,
or ``app.conf.worker_pool = "surefoot.adapters.celery:TaskPool"``.
"""

from __future__ import annotations

import logging
import math
import queue
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

from celery import signals
from celery.concurrency.base import BasePool, apply_target

import surefoot

__all__ = ["TaskPool"]

logger = logging.getLogger("surefoot")

# The consumer is told of a new limit this often: soon against the life of a limit, rare against its cost.
_FOLLOW_INTERVAL_S = 0.1
# Changes of the limit shown by `inspect stats`.
_CHANGES_SHOWN = 5


class _Asked:
    """What the program that starts a worker asked for; Celery's pools only get what became of it."""

    is_known = False
    concurrency: object = None
    autoscale: object = None


@signals.celeryd_init.connect(weak=False)  # type: ignore[untyped-decorator]
def _on_worker_options(options: dict[str, Any] | None = None, conf: Any = None, **_: Any) -> None:
    options = options or {}
    _Asked.is_known = True
    _Asked.concurrency = options.get("concurrency") or getattr(conf, "worker_concurrency", None)
    _Asked.autoscale = options.get("autoscale") or None


@signals.worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
def _on_worker_ready(sender: Any = None, **_: Any) -> None:
    pool = getattr(sender, "pool", None)
    if isinstance(pool, TaskPool):
        pool.follow(sender)


class ApplyResult:
    """What Celery holds of a task that it gave to the pool."""

    def __init__(self, future: Future[Any]) -> None:
        """Watch a future."""
        self.f = future
        self.get = future.result

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end of the task, ``timeout`` seconds at most."""
        wait([self.f], timeout)


class TaskPool(BasePool):  # type: ignore[misc]
    """Runs tasks in threads, as many as pay.

    ``--concurrency N`` is the cap: at most N tasks run at once. Without it the cap is what machine and
    process can bear (:func:`surefoot.default_cap`). With ``--autoscale MAX,MIN`` Celery's autoscaler moves
    the cap between these two, and the limit moves below it. Time limits, ``revoke(terminate=True)``,
    ``--max-tasks-per-child`` and ``--max-memory-per-child`` are as in Celery's own pool of threads: not
    supported, for a thread cannot be ended from outside.

    The consumer fetches ``worker_prefetch_multiplier`` messages for each of :attr:`num_processes`, which
    follows the limit.

    Celery makes it and calls its methods from the worker's main thread; tasks and their callbacks run in
    the pool's threads.
    """

    body_can_be_buffer = True
    signal_safe = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool; its threads come with the first tasks."""
        super().__init__(*args, **kwargs)
        self._is_autoscaled = bool(_Asked.autoscale)
        is_asked = not _Asked.is_known or bool(_Asked.concurrency) or self._is_autoscaled
        self.executor = surefoot.AdaptiveThreadPoolExecutor(
            max(1, self.limit or 1) if is_asked else None, thread_name_prefix="surefoot-celery"
        )
        self._by_name: dict[str, Callable[..., Any]] = {}
        self._follower: _Follower | None = None

    @property
    def cap(self) -> int:
        """Most tasks that run at once."""
        return self.executor._max_workers

    @property
    def num_processes(self) -> int:
        """How many tasks the consumer should reckon with.

        The cap where Celery's autoscaler moves it; else the limit, and a quarter more while it may
        rise: a controller that sees no task waiting has no reason to admit more.
        """
        cap = self.cap
        if self._is_autoscaled:
            return cap
        limit = self.executor.stats().limit
        return min(cap, limit + math.ceil(limit / 4))

    def on_apply(
        self,
        target: Callable[..., Any],
        args: Any = (),
        kwargs: Any = None,
        callback: Callable[..., Any] | None = None,
        accept_callback: Callable[..., Any] | None = None,
        **_: Any,
    ) -> ApplyResult:
        """Queue a task; its callbacks are called in the thread that runs it."""
        run = self._run_of(args[0] if args else None)
        return ApplyResult(self.executor.submit(run, target, args, kwargs, callback, accept_callback))

    def _run_of(self, name: Any) -> Callable[..., Any]:
        """Give each task's name a function of its own, so that statistics tell tasks apart."""
        if not isinstance(name, str):
            return _run
        known = self._by_name.get(name)
        if known is None:

            def run(*arguments: Any) -> Any:
                return _run(*arguments)

            module, _, run.__qualname__ = name.rpartition(".")
            if module:
                run.__module__ = module
            known = self._by_name.setdefault(name, run)
        return known

    def grow(self, n: int = 1) -> None:
        """Raise the cap by ``n``: the autoscaler, or ``app.control.pool_grow``."""
        self._resize(n)

    def shrink(self, n: int = 1) -> None:
        """Lower the cap by ``n``: the autoscaler, or ``app.control.pool_shrink``.

        Raises:
            ValueError: If no thread would be left.
        """
        if self.cap <= n:
            raise ValueError("a pool cannot have less than one thread")
        self._resize(-n)

    def _resize(self, by: int) -> None:
        self.executor._max_workers = self.cap + by
        if self._follower is not None:
            self._follower.granted_elsewhere(by)

    def flush(self) -> None:
        """Drop what waits: the broker delivers it again, for its connection is lost or being closed."""
        waiting = self.executor._work_queue
        while True:
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            if item is not None:
                item.future.cancel()

    def follow(self, consumer: Any) -> None:
        """From now on tell the consumer how many messages to fetch."""
        # With autoscaling Celery fetches for the most that it may scale to, and keeps that itself.
        if consumer.prefetch_multiplier and not self._is_autoscaled:
            self._follower = _Follower(self, consumer)

    def on_stop(self) -> None:
        """Wait for the tasks that run; those that wait go back to the broker."""
        self._unfollow()
        self.executor.shutdown(cancel_futures=True)

    def on_terminate(self) -> None:
        """Wait for nothing (the process still ends only after the tasks that run)."""
        self._unfollow()
        self.executor.shutdown(wait=False, cancel_futures=True)

    def _unfollow(self) -> None:
        if self._follower is not None:
            self._follower.stop()
            self._follower = None

    def _changes(self) -> list[surefoot.Decision]:
        return [each for each in self.executor.decisions() if each.limit != each.limit_before]

    def _get_info(self) -> dict[str, Any]:
        """Return what ``celery inspect stats`` shows under ``pool``; units in the names."""
        stats = self.executor.stats()
        shares = stats.shares
        info: dict[str, Any] = super()._get_info()
        info.update(
            {
                "max-concurrency": stats.cap,
                "threads": stats.workers_live,
                "limit": stats.limit,
                "busy": stats.workers_busy,
                "waiting": stats.queue_length,
                "queued_ns_p99": stats.queued_ns_p99,
                "wall_ns_p99": stats.wall_ns_p99,
                "shares": None if shares is None else str(shares),
                "tasks": {
                    name: {"tasks": task.tasks, "wall_s": task.wall_s, "cpu_s": task.cpu_s}
                    for name, task in stats.functions.items()
                },
                "decisions": [
                    f"{change.limit_before} to {change.limit}: {change.reason}"
                    for change in self._changes()[-_CHANGES_SHOWN:]
                ],
            }
        )
        return info


def _run(
    target: Callable[..., Any],
    args: Any,
    kwargs: Any,
    callback: Callable[..., Any] | None,
    accept_callback: Callable[..., Any] | None,
) -> Any:
    try:
        return apply_target(target, args, kwargs, callback, accept_callback)
    except Exception:
        # Not the task's own error, which Celery has dealt with. Nobody asks the future for it.
        logger.exception("Celery's handling of a task failed")
        raise


class _Follower:
    """Keeps the consumer's prefetch count in step with the pool's limit."""

    def __init__(self, pool: TaskPool, consumer: Any) -> None:
        self._pool = pool
        self._consumer = consumer
        self._qos: Any = None
        self._granted = 0
        self._entry: Any = consumer.timer.call_repeatedly(_FOLLOW_INTERVAL_S, self._look)

    def stop(self) -> None:
        self._entry.cancel()

    def granted_elsewhere(self, processes: int) -> None:
        """Reckon with what ``pool_grow`` and ``pool_shrink`` tell the consumer themselves."""
        self._granted += processes * self._consumer.prefetch_multiplier

    def _look(self) -> None:
        consumer = self._consumer
        qos = consumer.qos
        # After a lost connection Celery itself restores the count step by step.
        if qos is None or not qos.value or not consumer._maximum_prefetch_restored:
            return
        if qos is not self._qos:
            self._qos, self._granted = qos, consumer.initial_prefetch_count
        wanted = self._pool.num_processes * consumer.prefetch_multiplier
        if qos.max_prefetch is not None:
            wanted = min(wanted, qos.max_prefetch)
        # By the difference: the count also has one more for each task that waits for its time.
        if wanted > self._granted:
            qos.increment_eventually(wanted - self._granted)
        elif wanted < self._granted:
            qos.decrement_eventually(self._granted - wanted)
        self._granted = consumer.initial_prefetch_count = wanted
