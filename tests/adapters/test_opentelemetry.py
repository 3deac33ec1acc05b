"""OpenTelemetry metrics, collected by the official SDK and read back from its own encoding."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import wait

import pytest

from patience import HANG_S, eventually
from surefoot import AdaptiveThreadPoolExecutor

pytest.importorskip("opentelemetry.sdk.metrics", reason="opentelemetry-sdk is not installed")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from surefoot.exporters.accounts import Accounts
from surefoot.exporters.opentelemetry import instrument

pytestmark = pytest.mark.skipif(
    os.environ.get("SUREFOOT_TEST_STANDARD_ONLY") == "1", reason="SUREFOOT_TEST_STANDARD_ONLY=1"
)


@pytest.fixture
def collect():
    """A function that collects, and returns the exported JSON's data points by metric name."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    accounts = Accounts()
    instrument(provider, accounts=accounts)

    def collect():
        exported = json.loads(reader.get_metrics_data().to_json())
        (scope,) = [
            scope
            for resource in exported["resource_metrics"]
            for scope in resource["scope_metrics"]
            if scope["scope"]["name"] == "surefoot"
        ]
        return {metric["name"]: metric for metric in scope["metrics"]}

    yield collect
    provider.shutdown()
    accounts.stop()


def value(metrics, name, pool, **attributes):
    wanted = {
        "python.thread_pool.name": pool,
        **{f"python.thread_pool.{key}": text for key, text in attributes.items()},
    }
    (point,) = [
        point
        for point in metrics[f"python.thread_pool.{name}"]["data"]["data_points"]
        if point["attributes"] == wanted
    ]
    return point["value"]


def test_an_export_is_what_happened(collect):
    gate = threading.Event()
    with AdaptiveThreadPoolExecutor(2, "agent", controller="fixed") as pool:
        wait([pool.submit(pow, 2, 5) for _ in range(40)])
        held = [pool.submit(gate.wait, HANG_S) for _ in range(2)]
        queued = [pool.submit(pow, 2, 5) for _ in range(5)]
        eventually(lambda: pool.stats().workers_busy == 2)
        metrics = collect()
        assert value(metrics, "thread.count", "agent", **{"thread.state": "busy"}) == 2
        assert value(metrics, "thread.count", "agent", **{"thread.state": "idle"}) == 0
        assert value(metrics, "thread.limit", "agent") == value(metrics, "thread.max", "agent") == 2
        assert value(metrics, "queue.length", "agent") == 5
        assert value(metrics, "work_item.count", "agent", **{"work_item.outcome": "done"}) == 40
        assert value(metrics, "work_item.cpu_time", "agent") > 0
        assert value(metrics, "work_item.run_time", "agent") > 0
        assert value(metrics, "work_item.wait_time", "agent") > 0
        assert value(metrics, "thread.time", "agent", **{"thread.activity": "cpu"}) > 0
        units = {name: metric["unit"] for name, metric in metrics.items()}
        assert units["python.thread_pool.work_item.run_time"] == "s"
        assert units["python.thread_pool.thread.count"] == "{thread}"
        assert metrics["python.thread_pool.work_item.count"]["data"]["is_monotonic"]
        assert not metrics["python.thread_pool.queue.length"]["data"]["is_monotonic"]
        gate.set()
        wait([*held, *queued])
    # The pool is gone; the next collection reads anew, and what was counted stays.
    metrics = collect()
    assert value(metrics, "work_item.count", "agent", **{"work_item.outcome": "done"}) == 47
    assert value(metrics, "queue.length", "agent") == 0


def test_decisions(collect):
    class Ladder:
        def decide(self, window):
            return window.limit % 3 + 1

    pause = threading.Event()
    with AdaptiveThreadPoolExecutor(3, "ladder", controller=Ladder(), interval_s=0.001) as pool:
        eventually(lambda: pool.submit(pause.wait, 0.002).result() is False and len(pool.decisions()) > 10)
    metrics = collect()
    up, down = (
        value(
            metrics,
            "decision.count",
            "ladder",
            **{"decision.direction": way, "decision.reason": "controller"},
        )
        for way in ("up", "down")
    )
    assert up + down > 10


def test_the_number_of_attributes_is_bounded(collect):
    for number in range(1000):
        with AdaptiveThreadPoolExecutor(1, f"tenant-{number}") as pool:
            pool.submit(pow, 2, 2).result()
    points = collect()["python.thread_pool.work_item.count"]["data"]["data_points"]
    assert len({point["attributes"]["python.thread_pool.name"] for point in points}) == 65
    assert sum(point["value"] for point in points) == 1000


def test_all_instruments_of_a_collection_agree(collect):
    stop = threading.Event()

    def work(pool):
        while not stop.is_set():
            wait([pool.submit(pow, 2, 2) for _ in range(20)])

    with AdaptiveThreadPoolExecutor(2, "busy", controller="fixed") as pool:
        worker = threading.Thread(target=work, args=(pool,))
        worker.start()
        counts = []
        try:
            for _ in range(20):
                metrics = collect()
                counts.append(value(metrics, "work_item.count", "busy", **{"work_item.outcome": "done"}))
        finally:
            stop.set()
            worker.join()
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
