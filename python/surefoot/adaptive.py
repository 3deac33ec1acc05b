"""The native executor: the standard class on the outside, the Rust pool inside."""

from __future__ import annotations

import atexit
import itertools
import logging
import operator
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import thread as standard
from typing import Any, Literal

from surefoot import _core, backpressure, children, join, journal, registry
from surefoot.capacity import standard_default
from surefoot.condition import Condition
from surefoot.controllers import Controller, FixedController, KneeController, PaperController
from surefoot.futures import Future
from surefoot.options import ControllerChoice, Options, WhenFull, whole_workers
from surefoot.records import Decision, PoolStats, Window
from surefoot.standard_pool import stats_of
from surefoot.surface import IdleCount, PoolAttribute
from surefoot.threads import ThreadMaker

logger = logging.getLogger("surefoot")

# Where an executor keeps its pool. One without works as the standard class does.
_POOL = "_AdaptiveThreadPoolExecutor__pool"


# The standard __init__, whose signature depends on the version.
_standard_class: Any = standard.ThreadPoolExecutor
_as_standard: Any = standard.ThreadPoolExecutor.__init__


_number = itertools.count().__next__


class AdaptiveThreadPoolExecutor(_core.ExecutorCore, standard.ThreadPoolExecutor):
    """A ``concurrent.futures.ThreadPoolExecutor`` that finds its own size.

    It starts as the standard pool would (threads are made on demand, up to the standard default)
    and lets a controller move the number of workers admitted, the *limit*, between ``min_workers``
    and ``max_workers``. Everything else is the standard class's contract. All methods may be called
    from any thread.

    Subclasses that replace the standard class's private machinery (``_work_queue``,
    ``_adjust_thread_count``) get exactly that: such an executor runs the standard library's code.

    Args:
        max_workers: The cap: most tasks that ever run at once. ``None``: what this machine and
            process can bear (:func:`surefoot.default_cap`), at most 1024.
        thread_name_prefix: First part of the worker threads' names.
        initializer: Called in each worker thread before its first task.
        initargs: Its arguments.
        min_workers: Workers that stay though idle, and the controller's floor; at least 1.
        controller: ``"knee"`` (finds the fewest workers that give the best throughput),
            ``"paper"`` (the published one), ``"fixed"`` (a constant limit: ``max_workers``, or the
            standard default), a :class:`surefoot.KneeController`,
            :class:`surefoot.PaperController` or :class:`surefoot.FixedController`, or any object
            with ``decide(window) -> int``.
        interval_s: Control interval in seconds, at least 0.001; ``None``: 0.05 for ``"knee"``, 0.5
            for the others.
        beta_threshold: For ``"paper"``: mean beta at or below which a rise is vetoed, 0 to 1.
        idle_timeout_s: Seconds after which an idle worker leaves, down to ``min_workers``;
            ``None``: never.
        keep_on_one_core: Keep the workers on one core while that makes fine-grained work under the
            global interpreter lock faster, and only then (Linux; see
            ``docs/explanation/placement.md``). Meanwhile a task that asks sees one core; threads and
            processes that it makes do not.
        max_queue: Most tasks that may wait; those that a free worker can take at once do not count.
            ``None``: any number.
        queue_full: What happens to a submitter when that many wait. ``"block"``: ``submit`` waits for
            room (in a worker of this very pool it does not, and the task is accepted).
            ``"raise"``: :class:`surefoot.QueueFull`. ``"caller-runs"``: ``submit`` runs the task
            itself and returns its finished future.
        context: ``"copy"``: each task runs in a copy of the context (``contextvars``) in which it was
            submitted. ``None``: in the worker's, as in the standard pool.
        **ctxkwargs: Arguments of ``prepare_context`` (3.14 and newer), for subclasses.

    Raises:
        ValueError: For a value out of range.
        TypeError: For a value of the wrong kind.
    """

    def __init__(  # noqa: D107 (described above)
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        *,
        min_workers: int = 1,
        controller: ControllerChoice = "knee",
        interval_s: float | None = None,
        beta_threshold: float = 0.3,
        idle_timeout_s: float | None = 60.0,
        keep_on_one_core: bool = False,
        max_queue: int | None = None,
        queue_full: WhenFull = "block",
        context: Literal["copy"] | None = None,
        **ctxkwargs: Any,
    ) -> None:
        options = Options.check(
            max_workers,
            min_workers,
            controller,
            interval_s,
            beta_threshold,
            idle_timeout_s,
            keep_on_one_core,
            max_queue,
            queue_full,
            context,
        )
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        prefix = thread_name_prefix or f"AdaptiveThreadPoolExecutor-{_number()}"
        if ctxkwargs or self.__overrides_machinery():
            self.__standard_submit = backpressure.standard_submit(self, options)
            # Without a controller that takes threads back the cap would be too many.
            _as_standard(self, max_workers or options.limit, prefix, initializer, initargs, **ctxkwargs)
            registry.register(self)
            logger.info("%s replaces parts of the standard pool and runs as one", type(self).__name__)
            return
        if hasattr(self, "prepare_context"):
            contexts = type(self).prepare_context(initializer, initargs)
            self._create_worker_context, self._resolve_work_item_task = contexts
        self._initializer: Any = initializer
        self._initargs: Any = initargs
        self._shutdown_lock = threading.Lock()
        self._idle_semaphore: Any = IdleCount(self)
        self.__options = options
        self.__standard_size = max_workers or options.limit
        self.__controller = options.controller
        self.__broken: Any = False
        self.__is_shut_down = False
        self.__controller_fails = False
        self.__open(prefix)
        if standard._shutdown or _exit.is_near:
            self.__pool.close("exit")
        registry.register(self)
        for meet in registry.meeters:
            meet(self)

    def __overrides_machinery(self) -> bool:
        own, ours = type(self), AdaptiveThreadPoolExecutor
        return any(
            getattr(getattr(own, name, None), "__func__", getattr(own, name, None))
            is not getattr(getattr(ours, name, None), "__func__", getattr(ours, name, None))
            for name in ("_adjust_thread_count", "prepare_context")
        )

    def __open(self, prefix: str, *, leave_behind: bool = False) -> None:
        options = self.__options
        chosen: tuple[float, int, int] | str = "external"
        if isinstance(options.controller, PaperController):
            paper = options.controller
            chosen = (paper.beta_threshold, paper.step_up, paper.step_down)
        elif isinstance(options.controller, KneeController):
            chosen = "knee"
        elif isinstance(options.controller, FixedController):
            chosen = "fixed"
        initializer = self._initializer
        idle_timeout_s = options.idle_timeout_s
        self.__maker = ThreadMaker(prefix)
        self.__pool = _core.Pool(
            # The standard class takes any object, and text that cannot be encoded.
            name=str(prefix).encode(errors="replace").decode(),
            maker=self.__maker,
            executor=weakref.ref(self),
            initializer=None if initializer is None else (initializer, self._initargs),
            min_workers=options.min_workers,
            limit=options.limit,
            cap=options.cap,
            controller=chosen,
            interval_ns=round(options.interval_s * 1e9),
            idle_timeout_ns=None if idle_timeout_s is None else round(min(idle_timeout_s, 1e9) * 1e9),
            keep_on_one_core=options.keep_on_one_core and children.are_guarded(),
            max_queue=options.max_queue,
            queue_full=options.queue_full,
            copies_context=options.copies_context,
        )
        _core.ExecutorCore.attach(self, self.__pool, leave_behind=leave_behind)
        for follow in registry.followers:
            follow(prefix, self.__pool)

    def stats(self) -> PoolStats:
        """Return one consistent reading of the pool."""
        pool = self.__dict__.get(_POOL)
        if pool is None:
            return stats_of(self)
        return PoolStats.of(pool.stats())

    def decisions(self) -> tuple[Decision, ...]:
        """Return the last 256 changes of the limit and vetoes, oldest first."""
        pool = self.__dict__.get(_POOL)
        if pool is None:
            return ()
        return tuple(Decision(beta=fields.pop("beta_mean"), **fields) for fields in pool.decisions())

    def _repr_html_(self) -> str:
        return self.stats()._repr_html_()

    def shutdown(  # type: ignore[override]
        self, wait: bool = True, *, cancel_futures: bool = False, timeout: float | None = None
    ) -> bool | None:
        """Take no more tasks and let the workers leave once the queue is empty.

        Submitters that wait for room in the queue get the same ``RuntimeError`` as later ones.

        Args:
            wait: Return only when every worker has left.
            cancel_futures: Cancel the tasks that wait.
            timeout: Most seconds to wait. Workers that are left then go on, and the interpreter's
                exit waits for them, as for every worker: ``cancel_futures=True`` leaves them
                nothing but the task that each runs.

        Returns:
            ``None`` without a ``timeout``, as in the standard class; with one, whether every worker
            has left.

        Raises:
            ValueError: If a ``timeout`` is given though nothing is to be waited for.
            RuntimeError: In a worker of this pool, which cannot wait for itself.
        """
        deadline_s = join.deadline(wait, timeout)
        pool = self.__dict__.get(_POOL)
        if pool is None:
            super().shutdown(wait and timeout is None, cancel_futures=cancel_futures)
            return join.threads(lambda: list(self._threads), deadline_s) if deadline_s is not None else None
        with self._shutdown_lock:
            self.__is_shut_down = True
            pool.close("shutdown")
            left = pool.drain() if cancel_futures else ()
        for future in left:
            future.cancel()
        if pool.workers_live == 0:
            # No thread could be made when these tasks came; perhaps one can now.
            pool.make_threads()
        if not wait:
            return None
        all_left = self.__join(deadline_s)
        return all_left if deadline_s is not None else None

    def _limit_now(self) -> int:
        """Return what :meth:`stats` says of the limit, at the price of a look."""
        pool = self.__dict__.get(_POOL)
        return self._max_workers if pool is None else pool.limit

    def _step_out(self) -> bool:
        """Take the calling worker out of the count while its task waits for work from elsewhere.

        It counts against neither limit nor cap until :meth:`_step_in`, so that what it waits for finds a
        worker. For adapters; each call that returned True needs a :meth:`_step_in` before its task ends.

        Returns:
            False, and nothing is changed, if it is out already or is no worker of this pool.
        """
        pool = self.__dict__.get(_POOL)
        return pool is not None and bool(pool.step_out())

    def _step_in(self) -> None:
        """Count the calling worker again; nothing if it was not out."""
        pool = self.__dict__.get(_POOL)
        if pool is not None:
            pool.step_in()

    def __join(self, deadline_s: float | None) -> bool:
        while join.threads(self.__maker.snapshot, deadline_s):
            if self.__pool.workers_live == 0:
                return True
            # A thread was promised, but had not been started when the list was made.
            threading.Event().wait(0.001)
        return False

    def _adjust_thread_count(self) -> None:
        pool = self.__dict__.get(_POOL)
        if pool is None:
            super()._adjust_thread_count()
        else:
            pool.make_threads()

    def __decide(self, fields: dict[str, Any]) -> int | None:
        controller = self.__controller
        assert isinstance(controller, Controller)
        try:
            window = Window(beta=fields.pop("beta_mean"), **fields)
            limit = operator.index(controller.decide(window))
            self.__controller_fails = False
            return max(window.min_workers, min(limit, window.cap))
        except BaseException:  # There is nobody above to end: the thread is ours.
            # One that fails once an interval is not to flood the log.
            level = logging.DEBUG if self.__controller_fails else logging.ERROR
            logger.log(level, "the controller %r failed; the limit stays", controller, exc_info=True)
            self.__controller_fails = True
            return None

    def __run_as_standard(self, queue: object) -> None:
        """Give the pool up for the standard library's code, which serves ``queue``."""
        plain = _standard_class.__new__(_standard_class)
        _as_standard(plain, self.__standard_size, self.__maker.prefix, self._initializer, self._initargs)
        plain._work_queue = queue
        # Other threads may be in `submit`, blocked or about to: at each moment there is one whole pool.
        self.__standard_submit = backpressure.standard_submit(self, self.__options)
        self.__dict__.update(plain.__dict__)
        del self.__pool
        # Closes the pool: what was submitted until now still runs, who was blocked goes to the new queue.
        _core.ExecutorCore.attach(self, None)
        logger.info("_work_queue was replaced: %s runs as the standard pool", type(self).__name__)

    def __resize(self, max_workers: int) -> None:
        self.__standard_size = cap = whole_workers(max_workers)
        if isinstance(self.__controller, FixedController):
            self.__pool.set_cap(cap, cap)
        else:
            # Where a pool of this cap would start.
            start = min(cap, standard_default())
            self.__pool.set_cap(cap, start if cap > self.__pool.cap else 1)

    def __set_broken(self, broken: object) -> None:
        self.__broken = broken
        if broken:
            self.__pool.close("broken")

    def __set_shutdown(self, shutdown: object) -> None:
        if shutdown:
            self.__is_shut_down = True
            self.__pool.close("shutdown")

    def __set_threads(self, threads: set[threading.Thread]) -> None:
        self.__maker.threads = threads

    def __set_prefix(self, prefix: str) -> None:
        self.__maker.prefix = prefix

    def __renew(self) -> None:
        """Start anew in a forked child: workers, queue and locks stayed in the parent."""
        if _POOL not in self.__dict__:
            return
        _left_behind.append(self.__pool)
        # The lock of the parent's pool may be held by a thread that is not here: it is not asked.
        was_closed = self.__is_shut_down
        self._shutdown_lock = threading.Lock()
        self.__open(self.__maker.prefix, leave_behind=True)
        if was_closed:
            self.__pool.close("shutdown")

    # The private attributes that programs are known to read and write.
    _work_queue = PoolAttribute[Any](lambda self: self.__pool.work_queue(), __run_as_standard)
    _max_workers = PoolAttribute[int](lambda self: self.__pool.cap, __resize)
    _threads = PoolAttribute[set[threading.Thread]](lambda self: self.__maker.threads, __set_threads)
    _broken = PoolAttribute[Any](lambda self: self.__broken, __set_broken)
    _shutdown = PoolAttribute[bool](lambda self: self.__pool.is_closed, __set_shutdown)
    _thread_name_prefix = PoolAttribute[str](lambda self: self.__maker.prefix, __set_prefix)


class _Exit:
    """Whether the interpreter is about to exit: no pool takes tasks any more."""

    is_near = False


_exit = _Exit()
# Pools of a parent process. They are kept: dropping one would run finalizers of objects that still
# belong to the parent's tasks.
_left_behind: list[Any] = []


def _close_all() -> None:
    _exit.is_near = True
    for executor in registry.executors():
        pool = executor.__dict__.get(_POOL)
        if pool is not None:
            pool.close("exit")
    _core.end_snapshot(False)


def _renew_all() -> None:
    _core.after_fork_in_child()
    # As newer versions of the standard library do (gh-88110): the list of threads to join at exit is
    # the parent's, and in a child forked by a worker it names the very thread that would join.
    queues: Any = standard._threads_queues
    queues.clear()
    for executor in registry.executors():
        executor._AdaptiveThreadPoolExecutor__renew()  # type: ignore[attr-defined]


def _breath() -> None:
    """Do nothing; entering a Python function is where CPython lets other threads run."""


_core.configure(
    Future,
    Condition,
    _breath,
    backpressure.QueueFull,
    journal,
    standard.WorkerContext(None, ()) if hasattr(standard, "WorkerContext") else None,
)
# These run in reverse order, so ours comes before the standard library's, which joins the workers.
threading._register_atexit(_close_all)  # type: ignore[attr-defined]
# After the workers have been joined.
atexit.register(_core.end_snapshot, True)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
