"""The Prometheus collector, scraped over HTTP and read by the official parsers."""

from __future__ import annotations

import gc
import os
import threading
import time
import urllib.request
from concurrent.futures import wait

import pytest

import child
from patience import HANG_S, eventually
from surefoot import AdaptiveThreadPoolExecutor, pools

prometheus = pytest.importorskip("prometheus_client", reason="prometheus-client is not installed")

from prometheus_client import parser  # noqa: E402
from prometheus_client.openmetrics import parser as openmetrics_parser  # noqa: E402

from surefoot.exporters.account import BOUNDS_S  # noqa: E402
from surefoot.exporters.accounts import NAMES_MAX, OTHERS, Accounts  # noqa: E402
from surefoot.exporters.prometheus import SurefootCollector  # noqa: E402

pytestmark = pytest.mark.skipif(
    os.environ.get("SUREFOOT_TEST_STANDARD_ONLY") == "1", reason="SUREFOOT_TEST_STANDARD_ONLY=1"
)


@pytest.fixture
def accounts():
    """Accounts that begin with the test."""
    gc.collect()
    accounts = Accounts()
    yield accounts
    accounts.stop()


@pytest.fixture
def registry(accounts):
    """A registry with nothing in it but ours."""
    registry = prometheus.CollectorRegistry()
    registry.register(SurefootCollector(accounts))
    return registry


def samples(registry):
    """Every sample of a scrape: the value by name and labels."""
    text = prometheus.generate_latest(registry).decode()
    return read(parser.text_string_to_metric_families(text))


def read(families):
    values = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in values, f"{key} appears twice"
            values[key] = sample.value
    return values


def of(values, name, **labels):
    return values[(name, *sorted(labels.items()))]


def fail():
    raise ValueError("as it should")


def test_a_scrape_over_http_is_what_happened(registry):
    server, thread = prometheus.start_http_server(0, addr="127.0.0.1", registry=registry)
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    gate = threading.Event()
    try:
        with AdaptiveThreadPoolExecutor(2, "crawler", controller="fixed") as pool:
            wait([*(pool.submit(pow, 2, 5) for _ in range(40)), *(pool.submit(fail) for _ in range(3))])
            held = [pool.submit(gate.wait, HANG_S) for _ in range(2)]
            queued = [pool.submit(pow, 2, 5) for _ in range(5)]
            assert queued[4].cancel()
            eventually(lambda: pool.stats().workers_busy == 2)
            openmetrics_type = {"Accept": "application/openmetrics-text; version=1.0.0"}
            for parse, headers in (
                (parser.text_string_to_metric_families, {}),
                (openmetrics_parser.text_string_to_metric_families, openmetrics_type),
            ):
                with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
                    asked_for = headers.get("Accept", "text/plain").partition(";")[0]
                    assert answer.headers["Content-Type"].startswith(asked_for)
                    values = read(parse(answer.read().decode()))
                name = {"pool": "crawler"}
                assert of(values, "surefoot_pools", **name) == 1
                assert of(values, "surefoot_workers", state="busy", **name) == 2
                assert of(values, "surefoot_workers", state="idle", **name) == 0
                assert of(values, "surefoot_worker_limit", **name) == 2
                assert of(values, "surefoot_worker_cap", **name) == 2
                assert of(values, "surefoot_queue_depth", **name) >= 4
                assert of(values, "surefoot_queue_head_age_seconds", **name) > 0
                assert of(values, "surefoot_tasks_total", outcome="done", **name) == 40
                assert of(values, "surefoot_tasks_total", outcome="failed", **name) == 3
                for kind in ("wait", "run", "cpu"):
                    family = f"surefoot_task_{kind}_seconds"
                    assert of(values, f"{family}_count", **name) == 43
                    assert of(values, f"{family}_bucket", le="+Inf", **name) == 43
                    assert of(values, f"{family}_sum", **name) >= 0
                spent = [
                    of(values, "surefoot_worker_seconds_total", state=state, **name)
                    for state in ("cpu", "runqueue", "gil", "io")
                ]
                assert all(seconds >= 0 for seconds in spent)
                assert spent[0] > 0
            gate.set()
            wait(held)
    finally:
        gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_histograms_count_by_length(registry):
    pause = threading.Event()
    with AdaptiveThreadPoolExecutor(4, "napper") as pool:
        wait([pool.submit(pause.wait, 0.03) for _ in range(8)])
        wait([pool.submit(pow, 2, 2) for _ in range(8)])
    values = samples(registry)
    at_most = [
        of(values, "surefoot_task_run_seconds_bucket", le=repr(bound), pool="napper") for bound in BOUNDS_S
    ]
    assert at_most == sorted(at_most)
    assert at_most[BOUNDS_S.index(0.025)] <= 8, "a nap takes longer than this"
    assert of(values, "surefoot_task_run_seconds_count", pool="napper") == 16
    assert of(values, "surefoot_task_run_seconds_sum", pool="napper") >= 8 * 0.03


def test_decisions_are_counted_by_a_closed_set_of_reasons(registry):
    class Ladder:
        def decide(self, window):
            return window.limit % 3 + 1

    pause = threading.Event()
    with AdaptiveThreadPoolExecutor(3, "ladder", controller=Ladder(), interval_s=0.001) as pool:
        eventually(lambda: pool.submit(pause.wait, 0.002).result() is False and len(pool.decisions()) > 10)
    values = samples(registry)
    up = of(values, "surefoot_decisions_total", pool="ladder", direction="up", reason="controller")
    down = of(values, "surefoot_decisions_total", pool="ladder", direction="down", reason="controller")
    assert up + down > 10
    assert 0 <= up - down <= up


def test_counts_do_not_fall_when_pools_go(registry):
    last = 0
    for count in range(1, 30):
        pool = AdaptiveThreadPoolExecutor(2, "short-lived")
        for _ in range(10):
            pool.submit(pow, 2, 2)
        # Not shut down: what is queued still runs after the executor is gone.
        del pool
        now = of(samples(registry), "surefoot_tasks_total", pool="short-lived", outcome="done")
        assert last <= now <= 10 * count
        last = now
    gc.collect()
    ended = lambda: of(samples(registry), "surefoot_tasks_total", pool="short-lived", outcome="done") == 290  # noqa: E731
    eventually(ended)
    eventually(lambda: ("surefoot_pools", ("pool", "short-lived")) not in samples(registry))
    histogram = of(samples(registry), "surefoot_task_run_seconds_count", pool="short-lived")
    assert histogram == 290


def test_a_thousand_pools_and_functions_make_few_series(registry):
    functions = {}
    for number in range(1000):
        exec(f"def f{number}(): pass", functions)
    kept = []
    for number in range(1000):
        pool = AdaptiveThreadPoolExecutor(1, f"tenant-{number}")
        pool.submit(functions[f"f{number}"]).result()
        if number % 100 == 0:
            kept.append(pool)
        else:
            pool.shutdown()
    values = samples(registry)
    names = {dict(key[1:]).get("pool") for key in values} - {None}
    assert len(names) == NAMES_MAX + 1
    assert OTHERS in names
    done = [
        value
        for key, value in values.items()
        if key[0] == "surefoot_tasks_total" and ("outcome", "done") in key
    ]
    assert sum(done) == 1000, "every task is in some series"
    assert sum(value for key, value in values.items() if key[0] == "surefoot_pools") == len(kept)
    series = len(values)
    for number in range(100):
        with AdaptiveThreadPoolExecutor(1, f"late-{number}") as pool:
            pool.submit(functions["f1"]).result()
    assert len(samples(registry)) == series, "more pools make no more series"
    for pool in kept:
        pool.shutdown()


def test_unnamed_executors_share_a_name(registry):
    for _ in range(3):
        with AdaptiveThreadPoolExecutor(1) as pool:
            pool.submit(pow, 2, 2).result()
    values = samples(registry)
    assert of(values, "surefoot_tasks_total", pool="AdaptiveThreadPoolExecutor", outcome="done") == 3
    assert not any("-" in value for key in values for name, value in key[1:] if name == "pool")


def test_names_that_cannot_be_encoded_spoil_nothing(registry):
    with AdaptiveThreadPoolExecutor(1, 'a"\n\\\ud800' + "b" * 1000) as pool:
        pool.submit(pow, 2, 2).result()
    (name,) = {dict(key[1:]).get("pool") for key in samples(registry)} - {None}
    assert name.startswith('a"\n\\?b')
    assert len(name) == 100


def test_scraping_while_pools_come_and_go(registry):
    stop, errors, made = threading.Event(), [], [0, 0]

    def churn(place):
        while not stop.is_set():
            pool = AdaptiveThreadPoolExecutor(2, f"churn-{place}")
            for _ in range(3):
                pool.submit(pow, 2, 2)
            made[place] += 1
            if made[place] % 2:
                pool.shutdown(wait=False)

    def count(place, values):
        return values.get(("surefoot_tasks_total", ("outcome", "done"), ("pool", f"churn-{place}")), 0)

    def scrape():
        last = [0, 0]
        try:
            for _ in range(40):
                values = samples(registry)
                now = [count(place, values) for place in (0, 1)]
                assert all(before <= after for before, after in zip(last, now, strict=True)), (last, now)
                last = now
        except BaseException as error:
            errors.append(error)

    churners = [threading.Thread(target=churn, args=(place,)) for place in (0, 1)]
    scrapers = [threading.Thread(target=scrape) for _ in range(2)]
    for thread in (*churners, *scrapers):
        thread.start()
    for thread in scrapers:
        thread.join()
    stop.set()
    for thread in churners:
        thread.join()
    assert errors == []
    assert min(made) > 0
    gc.collect()
    # Every task is counted in the end: none was lost between a pool that lived and one that is gone.
    eventually(
        lambda: [count(place, samples(registry)) for place in (0, 1)] == [3 * number for number in made]
    )


def test_pools_that_nobody_scrapes_are_let_go(accounts):
    for _ in range(1200):
        with AdaptiveThreadPoolExecutor(1, "unread") as pool:
            pool.submit(pow, 2, 2).result()
    assert len(accounts._followed) + len(accounts._opened) < 600
    assert accounts.read()["unread"].tasks["done"] == 1200
    assert not accounts._followed


def test_registering_reads_nothing():
    class Unread:
        def read(self):
            raise AssertionError("read while it is registered")

    prometheus.CollectorRegistry().register(SurefootCollector(Unread()))


def test_the_cost_of_a_scrape_is_small_beside_the_parsers(registry):
    pools_made = [AdaptiveThreadPoolExecutor(1, f"cost-{number % 50}") for number in range(200)]
    for pool in pools_made:
        pool.submit(pow, 2, 2).result()
    samples(registry)
    begin = time.thread_time()
    text = prometheus.generate_latest(registry).decode()
    scraped = time.thread_time() - begin
    begin = time.thread_time()
    list(parser.text_string_to_metric_families(text))
    parsed = time.thread_time() - begin
    for pool in pools_made:
        pool.shutdown()
    assert scraped < 3 * parsed, f"{scraped:.4f} s to scrape, {parsed:.4f} s to parse"


def test_pools_lists_what_lives():
    with AdaptiveThreadPoolExecutor(1, "listed") as pool:
        assert pool in pools()
    assert pool in pools(), "shut down, but still referred to"
    del pool
    eventually(
        lambda: gc.collect() is not None and not any(p._thread_name_prefix == "listed" for p in pools())
    )


PREAMBLE = """
import os, sys, threading
from prometheus_client import CollectorRegistry, generate_latest
from surefoot import AdaptiveThreadPoolExecutor, pools
from surefoot.exporters.prometheus import SurefootCollector
registry = CollectorRegistry()
registry.register(SurefootCollector())
def line(start):
    lines = [each for each in generate_latest(registry).decode().splitlines() if each.startswith(start)]
    return lines[0].rpartition(" ")[2] if lines else None
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_counts_from_nothing():
    code = """
    # Asked itself: a registry has a lock of its own, which would stay held for ever in a child.
    registry = SurefootCollector()
    pool = AdaptiveThreadPoolExecutor(2, "forked")
    for _ in range(7):
        pool.submit(pow, 2, 2).result()
    done = 'surefoot_tasks_total{outcome="done",pool="forked"}'
    assert line(done) == "7.0"
    stop = threading.Event()
    def scrape():
        while not stop.is_set():
            generate_latest(registry)
    scraper = threading.Thread(target=scrape)
    scraper.start()
    for _ in range(20):
        pid = os.fork()  # often while the other thread holds the accounts' lock
        if pid == 0:
            import faulthandler
            faulthandler.dump_traceback_later(30, exit=True)
            assert line(done) == "0.0", line(done)
            pool.submit(pow, 2, 2).result()
            assert line(done) == "1.0", line(done)
            assert line('surefoot_pools{pool="forked"}') == "1.0"
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    stop.set()
    scraper.join()
    assert line(done) == "7.0"
    """
    assert child.run_clean(code, PREAMBLE).lines == []


def test_disabled_it_shows_what_the_standard_pool_shows():
    code = """
    gate = threading.Event()
    with AdaptiveThreadPoolExecutor(2, "plain") as pool:
        busy = pool.submit(gate.wait, 50)
        print(line('surefoot_pools{pool="plain"}'), line('surefoot_worker_cap{pool="plain"}'))
        print(len(pools()), pools()[0] is pool)
        gate.set()
    print(line("surefoot_gil"))
    """
    end = child.run_clean(code, PREAMBLE, env={"SUREFOOT_DISABLE": "1"})
    assert end.lines == ["1.0 2.0", "1 True", "None"]


def test_an_executor_that_runs_as_the_standard_one_is_listed(accounts):
    class Own(AdaptiveThreadPoolExecutor):
        def _adjust_thread_count(self):
            super()._adjust_thread_count()

    with Own(2, "own") as pool:
        pool.submit(pow, 2, 2).result()
        assert pool in pools()
        assert accounts.read()["own"].cap == 2
