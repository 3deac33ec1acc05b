"""What a type checker must accept."""

from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed, wait
from typing import assert_type

import surefoot
from surefoot import AdaptiveThreadPoolExecutor, Decision, FixedController, PaperController, PoolStats


def double(number: int, /, *, factor: float = 2.0) -> float:
    return number * factor


class Mine:
    def decide(self, window: object) -> int:
        return 3


def construct() -> None:
    AdaptiveThreadPoolExecutor()
    AdaptiveThreadPoolExecutor(4, "prefix", print, ("hello",))
    AdaptiveThreadPoolExecutor(max_workers=4, thread_name_prefix="", initializer=None, initargs=())
    AdaptiveThreadPoolExecutor(4, min_workers=2, interval_s=0.25, beta_threshold=0.5, idle_timeout_s=1)
    AdaptiveThreadPoolExecutor(controller="paper")
    AdaptiveThreadPoolExecutor(controller="fixed")
    AdaptiveThreadPoolExecutor(controller=PaperController(beta_threshold=0.3, step_up=1, step_down=1))
    AdaptiveThreadPoolExecutor(controller=FixedController(limit=3))
    AdaptiveThreadPoolExecutor(controller=Mine())


def use(pool: AdaptiveThreadPoolExecutor) -> None:
    future = pool.submit(double, 3, factor=1.5)
    assert_type(future, Future[float])
    assert_type(future.result(), float)
    assert_type(list(pool.map(len, ["a", "b"])), list[int])
    wait([future])
    for ended in as_completed([future]):
        assert_type(ended, Future[float])
    pool.shutdown(wait=True, cancel_futures=True)


def is_a_standard_pool(pool: AdaptiveThreadPoolExecutor) -> ThreadPoolExecutor:
    executor: Executor = pool
    del executor
    with pool as entered:
        assert_type(entered, AdaptiveThreadPoolExecutor)
    return pool


def read(pool: AdaptiveThreadPoolExecutor) -> None:
    stats = pool.stats()
    assert_type(stats, PoolStats)
    assert_type(stats.limit, int)
    assert_type(stats.beta_mean, float | None)
    assert_type(stats.queue_head_age_s, float)
    assert_type(stats.wall_ns_p99, int | None)
    assert_type(stats.vetoes["gil"], int)
    assert_type(pool.decisions(), tuple[Decision, ...])
    for decision in pool.decisions():
        assert_type(decision.limit, int)
        assert_type(decision.veto, str | None)
        assert_type(decision.beta, float | None)
    assert_type(surefoot.default_cap().workers, int)
    assert_type(surefoot.default_cap().reason, str)
    assert_type(surefoot.__version__, str)


class Derived(AdaptiveThreadPoolExecutor):
    """A subclass with a constructor of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(2, thread_name_prefix=name)
