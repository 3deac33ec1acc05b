"""OpenTelemetry metrics of all pools of this process, read when they are collected.

::

    from surefoot.exporters.opentelemetry import instrument

    instrument()
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

from surefoot import __version__
from surefoot.exporters import gil
from surefoot.exporters.account import Account
from surefoot.exporters.accounts import Accounts, shared

__all__ = ["instrument"]

_POOL = "python.thread_pool.name"

_Attributes = Mapping[str, str]
_Observe = Callable[[Account], Iterable[tuple[float, _Attributes]]]


def instrument(meter_provider: MeterProvider | None = None, *, accounts: Accounts = shared) -> None:
    """Report ``python.thread_pool.*`` and ``python.gil.*`` through asynchronous instruments.

    Call it once for each provider. The attribute ``python.thread_pool.name`` is the executor's
    ``thread_name_prefix``: the first 64 are told apart, the rest is ``(others)``; executors without one
    share a name. Sums begin with the import of this module and do not fall when a pool goes.

    Asynchronous histograms do not exist in OpenTelemetry, so times of tasks are sums in seconds, which
    divided by ``python.thread_pool.work_item.count`` give means.

    Args:
        meter_provider: Whose instruments; ``None``: the global provider's.
        accounts: Where to read; for tests.
    """
    meter = metrics.get_meter("surefoot", __version__, meter_provider)
    reading = _Reading(accounts)
    for create, name, unit, text, observe in _instruments(meter):
        create(name, [reading.callback(name, observe)], unit, text)
    meter.create_observable_up_down_counter(
        "python.gil.waiters", [_waiters], "{thread}", "Threads asleep that wait for the GIL."
    )
    meter.create_observable_counter(
        "python.gil.switch.count", [_switches], "{switch}", "Times that the GIL changed hands."
    )


class _Reading:
    """One reading for all instruments of a collection, so that they agree.

    The first instrument that asks a second time begins the next collection.
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._lock = threading.Lock()
        self._served: set[str] = set()
        self._read: dict[str, Account] | None = None

    def _get(self, instrument: str) -> dict[str, Account]:
        with self._lock:
            if self._read is None or instrument in self._served:
                self._served.clear()
                self._read = self._accounts.read()
            self._served.add(instrument)
            return self._read

    def callback(
        self, instrument: str, observe: _Observe
    ) -> Callable[[CallbackOptions], Iterator[Observation]]:
        def observations(_options: CallbackOptions) -> Iterator[Observation]:
            for name, account in self._get(instrument).items():
                for value, attributes in observe(account):
                    yield Observation(value, {_POOL: name, **attributes})

        return observations


def _instruments(meter: Meter) -> Iterator[tuple[Callable[..., Any], str, str, str, _Observe]]:
    level, count = meter.create_observable_up_down_counter, meter.create_observable_counter
    prefix = "python.thread_pool"
    yield (
        level,
        f"{prefix}.thread.count",
        "{thread}",
        "Worker threads, by state.",
        lambda account: [
            (account.workers_busy, {f"{prefix}.thread.state": "busy"}),
            (account.workers_idle, {f"{prefix}.thread.state": "idle"}),
        ],
    )
    yield (
        level,
        f"{prefix}.thread.limit",
        "{thread}",
        "Workers admitted to run tasks.",
        lambda account: [(account.limit, {})],
    )
    yield (
        level,
        f"{prefix}.thread.max",
        "{thread}",
        "The most that the limit can be.",
        lambda account: [(account.cap, {})],
    )
    yield (
        level,
        f"{prefix}.queue.length",
        "{work_item}",
        "Tasks waiting.",
        lambda account: [(account.queue_length, {})],
    )
    yield (
        count,
        f"{prefix}.work_item.count",
        "{work_item}",
        "Tasks that ended.",
        lambda account: [
            (number, {f"{prefix}.work_item.outcome": outcome}) for outcome, number in account.tasks.items()
        ],
    )
    yield (
        count,
        f"{prefix}.work_item.wait_time",
        "s",
        "Time of tasks in the queue, summed.",
        lambda account: [(account.queued.sum_s, {})],
    )
    yield (
        count,
        f"{prefix}.work_item.run_time",
        "s",
        "Time of calls, summed.",
        lambda account: [(account.wall.sum_s, {})],
    )
    yield (
        count,
        f"{prefix}.work_item.cpu_time",
        "s",
        "CPU time of calls, summed.",
        lambda account: [(account.cpu.sum_s, {})],
    )
    yield (
        count,
        f"{prefix}.thread.time",
        "s",
        "Time of workers in tasks, by what they did.",
        lambda account: [
            (spent_s, {f"{prefix}.thread.activity": state}) for state, spent_s in account.worker_s.items()
        ],
    )
    yield count, f"{prefix}.decision.count", "{decision}", "Changes of the limit, and vetoes.", _decisions


def _decisions(account: Account) -> Iterator[tuple[int, _Attributes]]:
    direction, reason = "python.thread_pool.decision.direction", "python.thread_pool.decision.reason"
    for (way, rule), number in account.changes.items():
        yield number, {direction: way, reason: rule}
    for veto, number in account.vetoes.items():
        yield number, {direction: "veto", reason: veto}


def _waiters(_options: CallbackOptions) -> Iterator[Observation]:
    waiters = gil.read().waiters
    if waiters is not None:
        yield Observation(waiters)


def _switches(_options: CallbackOptions) -> Iterator[Observation]:
    switches = gil.read().switches
    if switches is not None:
        yield Observation(switches)
