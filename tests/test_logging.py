"""What pools tell the logger `surefoot`: decisions at DEBUG, starvation at WARNING."""

from __future__ import annotations

import logging
import threading

import pytest

import child
import kinds
from patience import HANG_S, eventually

pytestmark = pytest.mark.skipif(kinds.STANDARD_ONLY, reason="SUREFOOT_TEST_STANDARD_ONLY=1")


def lines(caplog, level, pool):
    prefix = pool._thread_name_prefix + ": "
    return [
        record.getMessage().removeprefix(prefix)
        for record in caplog.records
        if record.name == "surefoot" and record.levelno == level and record.getMessage().startswith(prefix)
    ]


def test_decisions_are_told_at_debug(adaptive, pools, gate, caplog):
    with caplog.at_level(logging.DEBUG, "surefoot"):
        pool = pools(adaptive.new(64))
        gate.block(pool, 64)
        eventually(lambda: len(lines(caplog, logging.DEBUG, pool)) >= len(pool.decisions()))
    told = lines(caplog, logging.DEBUG, pool)
    first = pool.decisions()[0]
    assert told[0].startswith(f"limit {first.limit_before} -> {first.limit}: {first.reason} (")
    assert "-> 64: " in " ".join(told)


def test_each_change_is_told_once_and_in_order(adaptive, pools, gate, caplog):
    with caplog.at_level(logging.DEBUG, "surefoot"):
        pool = pools(adaptive.new(256))
        gate.block(pool, 256)
        changes = [d for d in pool.decisions() if d.veto is None]
        eventually(
            lambda: (
                sum(line.startswith("limit ") and "->" in line for line in lines(caplog, logging.DEBUG, pool))
                >= len(changes)
            )
        )
    told = [line.partition(":")[0] for line in lines(caplog, logging.DEBUG, pool) if "->" in line]
    assert told == [f"limit {d.limit_before} -> {d.limit}" for d in changes]


def test_vetoes_are_told_once_while_they_last(adaptive, pools, caplog):
    with caplog.at_level(logging.DEBUG, "surefoot"):
        pool = pools(adaptive.new(4, controller="paper", interval_s=0.01, beta_threshold=1.0, min_workers=2))
        until = threading.Event()
        futures = [pool.submit(until.wait, 0.01) for _ in range(200)]
        for future in futures:
            future.result(HANG_S)
        assert sum(pool.stats().vetoes.values()) > 3
        eventually(lambda: any("veto" in line for line in lines(caplog, logging.DEBUG, pool)))
    told = [line for line in lines(caplog, logging.DEBUG, pool) if "veto" in line]
    assert len(told) < sum(pool.stats().vetoes.values())


def test_a_controller_of_ones_own(adaptive, pools, gate, caplog):
    class Up:
        def decide(self, window):
            return window.limit + 1

    with caplog.at_level(logging.DEBUG, "surefoot"):
        pool = pools(adaptive.new(8, controller=Up(), interval_s=0.01))
        gate.block(pool, 8)
        eventually(lambda: any("-> 8:" in line for line in lines(caplog, logging.DEBUG, pool)))


def test_where_nobody_reads_at_debug_nothing_is_even_brought(adaptive, pools, gate, caplog, monkeypatch):
    brought = []
    monkeypatch.setattr("surefoot.journal.tell_decisions", lambda *told: brought.append(told))
    with caplog.at_level(logging.INFO, "surefoot"):
        pool = pools(adaptive.new(64))
        gate.block(pool, 64)
        assert pool.decisions()
    assert brought == []
    with caplog.at_level(logging.DEBUG, "surefoot"):
        second = pools(adaptive.new(64))
        gate.block(second, 64)
        eventually(lambda: brought, "the test cannot fail")


def test_a_change_of_the_level_is_noticed(adaptive, pools, gates, caplog):
    """The monitor cannot look for itself; workers do, between two tasks."""
    pool = pools(adaptive.new(64))
    pool.submit(int).result(HANG_S)
    with caplog.at_level(logging.DEBUG, "surefoot"):

        def burst():
            gate = gates()
            futures = gate.block(pool, 64)
            gate.open.set()
            for future in futures:
                future.result(HANG_S)
            pool._max_workers = 1
            pool._max_workers = 64  # from the start again: there is something to decide
            return lines(caplog, logging.DEBUG, pool)

        eventually(burst, "no decision is told")


def test_nested_waits_near_a_deadlock(adaptive, pools, caplog):
    pool = pools(adaptive.new(2))

    def nested(depth):
        return pool.submit(nested, depth - 1).result(HANG_S) if depth else 0

    with caplog.at_level(logging.WARNING, "surefoot"):
        future = pool.submit(nested, 4)
        eventually(lambda: lines(caplog, logging.WARNING, pool))
        warning = lines(caplog, logging.WARNING, pool)[0]
        assert warning == (
            "all 2 workers wait in result() for tasks of their own pool, 1 tasks wait for a worker, "
            "and max_workers=2 admits no more: nothing can move"
        )
        pool._max_workers = 5
        assert future.result(HANG_S) == 0
        assert len(lines(caplog, logging.WARNING, pool)) == 1


def test_a_standstill(adaptive, pools, gate, caplog):
    pool = pools(adaptive.new(2))
    with caplog.at_level(logging.WARNING, "surefoot"):
        gate.block(pool, 2)
        queued = pool.submit(int)
        eventually(lambda: lines(caplog, logging.WARNING, pool))
        (warning,) = lines(caplog, logging.WARNING, pool)
    assert warning.startswith("1 tasks wait, the oldest for ")
    assert "2 workers are busy, 0 of them waiting for tasks of their own pool (max_workers=2)" in warning
    assert not queued.done()


def test_the_interpreter_exits_while_there_is_much_to_tell(adaptive):
    """Handlers run in a thread that is no Python thread, up to the end."""
    code = """
    import logging, sys, time
    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
    class Restless:
        def decide(self, window):
            return 1 if window.limit > 1 else window.cap
    pool = Pool(8, controller=Restless(), interval_s=0.001)
    other = Pool(64)
    futures = [p.submit(time.sleep, 0.005) for p in (pool, other) for _ in range(200)]
    for future in futures:
        future.result(60)
    pool.submit(time.sleep, 0.1)
    """
    end = child.run_clean(code, adaptive.source)
    assert any("-> 1: decided by the given controller" in line for line in end.lines)


def test_a_handler_that_raises(adaptive):
    code = """
    import logging, sys, time
    class Broken(logging.Handler):
        def emit(self, record):
            raise ValueError("in the handler")
    logger = logging.getLogger("surefoot")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(Broken())
    sys.unraisablehook = lambda unraisable: print(type(unraisable.exc_value).__name__)
    with Pool(64) as pool:
        list(pool.map(time.sleep, [0.02] * 200))
    print("done")
    """
    told = child.run_clean(code, adaptive.source).lines
    assert told[-1] == "done"
    assert set(told[:-1]) == {"ValueError"}
