"""Tasks in threads of the measured process: on a pool, or one after the other on none."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NoReturn

from surefoot import FixedController, KneeController, PaperController, Window
from surefoot.comparison import insight
from surefoot.comparison.stage import BACKLOG_S, LOOK_S, Stage
from surefoot.workloads.measured_process import Crew, Pool, Supervisor, open_books, run_until_killed, timed

if TYPE_CHECKING:
    from surefoot.comparison.notes import Note

__all__ = [
    "run_fixed",
    "run_fixed_watched",
    "run_knee",
    "run_on",
    "run_paper",
    "run_queue_depth",
    "run_sequential",
    "run_static",
]

# A pool that finds its own size gets as many tasks at once as this many threads want: more would only be
# memory, which is measured too.
_THREADS_FED = 256


def run_on(
    stage: Stage,
    pool: Pool,
    see: Callable[[], Note],
    threads: int,
    *,
    starts_with: int = 0,
    backlog_s: float = BACKLOG_S,
) -> NoReturn:
    """Keep a pool busy.

    Args:
        stage: What with.
        pool: Takes the tasks.
        see: Tells of the pool.
        threads: The most workers it may have.
        starts_with: So many exist before the first task starts; 0 for a pool that starts cold.
        backlog_s: About how long the tasks last that are queued at a time.
    """
    look = stage.observer(see).look
    fed = threads if starts_with else min(threads, _THREADS_FED)
    load = stage.load(threads, backlog_s)
    run_until_killed(Crew(pool, fed, starts_with, look, stage.look_s), load, stage.ledger)


def run_sequential(stage: Stage) -> NoReturn:
    """One task after the other, on the main thread, without a pool."""
    assert stage.make_task is not None
    look = stage.observer(lambda: {"limit": 1, "workers_live": 1}).look
    task = timed(stage.make_task(), stage.ledger)
    every_s = stage.look_s or LOOK_S
    supervisor = Supervisor(stage.ledger)
    look()
    open_books(stage.ledger)
    look_next_s = time.monotonic() + every_s
    while True:
        task()
        if time.monotonic() >= look_next_s:
            supervisor.check()
            look()
            look_next_s = time.monotonic() + every_s


def run_static(stage: Stage) -> NoReturn:
    """The standard library's pool."""
    threads = stage.need_threads()
    pool = ThreadPoolExecutor(threads)
    run_on(stage, pool, insight.of_standard(pool), threads, starts_with=threads)


def run_fixed(stage: Stage) -> NoReturn:
    """Our pool with a limit that never moves."""
    threads = stage.need_threads()
    pool, see = insight.of_ours(threads, controller=FixedController())
    run_on(stage, pool, see, threads, starts_with=threads)


def run_fixed_watched(stage: Stage) -> NoReturn:
    """Our pool with the sensors of the default controller, which has nothing to choose."""
    threads = stage.need_threads()
    pool, see = insight.of_ours(threads, min_workers=threads, controller=KneeController())
    run_on(stage, pool, see, threads, starts_with=threads)


def run_knee(stage: Stage) -> NoReturn:
    """Our pool with its default controller."""
    pool, see = insight.of_ours(stage.threads, controller=KneeController())
    run_on(stage, pool, see, _cap(pool))


def run_paper(stage: Stage) -> NoReturn:
    """Our pool with the published controller."""
    controller = PaperController(
        stage.option("beta_threshold", float),
        stage.option("step_up", int),
        stage.option("step_down", int),
    )
    pool, see = insight.of_ours(
        stage.threads,
        min_workers=stage.option("min_workers", int),
        interval_s=stage.option("interval_s", float),
        controller=controller,
    )
    run_on(stage, pool, see, _cap(pool))


class _QueueDepth:
    """As many workers as there is work.

    Source: Celery's ``Autoscaler._maybe_scale`` (``celery/worker/autoscale.py``): once a second, with ``qty``
    the tasks that wait or run, grow to ``min(qty, max)`` at once; shrink to ``max(qty, min)`` when nothing
    was scaled up for 30 s.
    """

    INTERVAL_S = 1.0
    _KEEPALIVE_S = 30.0

    def __init__(self) -> None:
        self._since_rise_s = 0.0

    def decide(self, window: Window, /) -> int:
        self._since_rise_s += window.duration_s
        quantity = window.queue_length + window.workers_busy
        if quantity > window.limit and window.limit < window.cap:
            self._since_rise_s = 0.0
            return min(quantity, window.cap)
        if quantity < window.limit and self._since_rise_s >= self._KEEPALIVE_S:
            return max(quantity, window.min_workers)
        return window.limit


def run_queue_depth(stage: Stage) -> NoReturn:
    """Our pool with a controller that goes by the queue."""
    pool, see = insight.of_ours(stage.threads, controller=_QueueDepth(), interval_s=_QueueDepth.INTERVAL_S)
    run_on(stage, pool, see, _cap(pool))


def _cap(pool: ThreadPoolExecutor) -> int:
    stats = getattr(pool, "stats")()  # noqa: B009 (the standard pool, as which it is typed, has none)
    return int(stats.cap)
