"""Prometheus metrics of all pools of this process, read when they are scraped.

::

    from prometheus_client import REGISTRY
    from surefoot.exporters.prometheus import SurefootCollector

    REGISTRY.register(SurefootCollector())
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from surefoot.exporters import gil
from surefoot.exporters.account import BOUNDS_S, Account, Distribution
from surefoot.exporters.accounts import Accounts, shared

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["SurefootCollector"]

_BOUNDS = [*map(repr, BOUNDS_S), "+Inf"]

_Which = Callable[[Account], Distribution]


class SurefootCollector(Collector):  # type: ignore[misc]
    """Reads every pool of the process at the time of the scrape; between scrapes it costs nothing.

    Register one in a ``prometheus_client.CollectorRegistry``. The label ``pool`` is the executor's
    ``thread_name_prefix``: the first 64 are told apart, the rest is ``(others)``; executors without one
    share a label. Counters begin with the import of this module and do not fall when a pool goes; in a
    forked child they begin at 0. May be collected from any thread.

    With ``prometheus_client``'s multi-process mode a custom collector speaks for the process that is
    scraped, and for no other.
    """

    def __init__(self, accounts: Accounts = shared) -> None:
        """Make a collector.

        Args:
            accounts: Where it reads; for tests.
        """
        self._accounts = accounts

    def describe(self) -> Iterable[Metric]:
        """Return the metrics' names, so that registering reads nothing."""
        return _families({})

    def collect(self) -> Iterator[Metric]:
        """Read the pools and return what they say."""
        yield from _families(self._accounts.read())
        yield from _process_families()


def _families(accounts: dict[str, Account]) -> Iterator[Metric]:
    live = {name: account for name, account in accounts.items() if account.pools > 0}

    pools = GaugeMetricFamily("surefoot_pools", "Executors that live.", labels=["pool"])
    workers = GaugeMetricFamily("surefoot_workers", "Threads, by state.", labels=["pool", "state"])
    limit = GaugeMetricFamily(
        "surefoot_worker_limit", "Workers admitted to run tasks, chosen by the controller.", labels=["pool"]
    )
    cap = GaugeMetricFamily("surefoot_worker_cap", "The most that the limit can be.", labels=["pool"])
    queue = GaugeMetricFamily("surefoot_queue_depth", "Tasks waiting.", labels=["pool"])
    age = GaugeMetricFamily(
        "surefoot_queue_head_age_seconds", "How long the oldest waiting task has waited.", labels=["pool"]
    )
    for name, account in live.items():
        pools.add_metric([name], account.pools)
        workers.add_metric([name, "busy"], account.workers_busy)
        workers.add_metric([name, "idle"], account.workers_idle)
        limit.add_metric([name], account.limit)
        cap.add_metric([name], account.cap)
        queue.add_metric([name], account.queue_length)
        age.add_metric([name], account.queue_head_age_s)
    yield from (pools, workers, limit, cap, queue, age)

    tasks = CounterMetricFamily(
        "surefoot_tasks", "Tasks that ended, by outcome: done, failed, cancelled.", labels=["pool", "outcome"]
    )
    seconds = CounterMetricFamily(
        "surefoot_worker_seconds",
        "Time of workers in finished tasks, by what they did: cpu, runqueue, gil, io.",
        labels=["pool", "state"],
    )
    decisions = CounterMetricFamily(
        "surefoot_decisions",
        "Changes of the limit (direction up, down) and refusals to raise it (veto), by reason.",
        labels=["pool", "direction", "reason"],
    )
    gil_ratio = GaugeMetricFamily(
        "surefoot_gil_wait_ratio",
        "Part of the workers' time in tasks spent waiting for the GIL, since the pools were made.",
        labels=["pool"],
    )
    for name, account in accounts.items():
        for outcome, count in account.tasks.items():
            tasks.add_metric([name, outcome], count)
        for state, spent_s in account.worker_s.items():
            seconds.add_metric([name, state], spent_s)
        for (direction, rule), count in account.changes.items():
            decisions.add_metric([name, direction, rule], count)
        for veto, count in account.vetoes.items():
            decisions.add_metric([name, "veto", veto], count)
        if account.gil_ratio is not None:
            gil_ratio.add_metric([name], account.gil_ratio)
    yield from (tasks, seconds, decisions, gil_ratio)

    yield _histogram(
        "surefoot_task_wait_seconds", "From submission to a worker.", accounts, lambda account: account.queued
    )
    yield _histogram(
        "surefoot_task_run_seconds", "From start to end of the call.", accounts, lambda account: account.wall
    )
    yield _histogram(
        "surefoot_task_cpu_seconds", "CPU time of the call.", accounts, lambda account: account.cpu
    )


def _histogram(name: str, text: str, accounts: dict[str, Account], which: _Which) -> Metric:
    family = HistogramMetricFamily(name, text, labels=["pool"])
    for pool, account in accounts.items():
        of = which(account)
        family.add_metric([pool], list(zip(_BOUNDS, of.at_most, strict=True)), of.sum_s)
    return family


def _process_families() -> Iterator[Metric]:
    reading = gil.read()
    if reading.waiters is not None:
        yield GaugeMetricFamily(
            "surefoot_gil_waiters", "Threads asleep that wait for the GIL at this moment.", reading.waiters
        )
    if reading.switches is not None:
        yield CounterMetricFamily(
            "surefoot_gil_switches", "Times that the GIL went from one thread to another.", reading.switches
        )
