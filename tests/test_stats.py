"""`stats()`, `decisions()` and what shows them."""

from __future__ import annotations

import dataclasses
import logging
import threading
from concurrent.futures import wait

import pytest

from patience import HANG_S, eventually

FIELDS = {
    *("limit", "cap", "workers_live", "workers_busy", "workers_idle", "queue_length", "queue_head_age_s"),
    *(
        "tasks_submitted",
        "tasks_done",
        "tasks_failed",
        "tasks_cancelled",
        "tasks_running",
        "beta_mean",
        "vetoes",
    ),
    *(f"{name}_ns_p{p}" for name in ("queued", "wall", "cpu", "attach_wait") for p in (50, 95, 99)),
}


def failing():
    raise ValueError


def test_a_frozen_record(ours, pools):
    stats = pools(ours.new(3)).stats()
    assert {f.name for f in dataclasses.fields(stats)} >= FIELDS
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.limit = 1
    assert not hasattr(stats, "__dict__")
    with pytest.raises(TypeError):
        stats.vetoes["gil"] = 1


def test_an_unused_pool(ours, pools):
    stats = pools(ours.new(3)).stats()
    assert (stats.limit, stats.cap) == (3, 3)
    assert (stats.workers_live, stats.workers_busy, stats.workers_idle) == (0, 0, 0)
    assert (stats.queue_length, stats.queue_head_age_s) == (0, 0)
    assert (stats.tasks_submitted, stats.tasks_done, stats.tasks_failed, stats.tasks_cancelled) == (
        0,
        0,
        0,
        0,
    )
    assert stats.beta_mean is None
    assert stats.wall_ns_p50 is None
    assert dict(stats.vetoes) == {}


def test_counts_by_outcome(ours, pools, gate):
    pool = pools(ours.new(2))
    running = gate.block(pool, 2)
    cancelled = [pool.submit(int) for _ in range(3)]
    failed = [pool.submit(failing) for _ in range(4)]
    done = [pool.submit(int) for _ in range(5)]
    stats = pool.stats()
    assert (stats.workers_live, stats.workers_busy, stats.workers_idle) == (2, 2, 0)
    assert (stats.tasks_submitted, stats.tasks_running, stats.queue_length) == (14, 2, 12)
    for future in cancelled:
        future.cancel()
    gate.open.set()
    wait(running + failed + done, HANG_S)
    eventually(lambda: pool.stats().tasks_cancelled == 3, "three are counted as cancelled")
    stats = pool.stats()
    assert (stats.tasks_done, stats.tasks_failed, stats.tasks_cancelled) == (7, 4, 3)
    assert (stats.tasks_running, stats.queue_length) == (0, 0)


def test_a_result_is_counted_before_it_is_seen(ours, pools):
    pool = pools(ours.new(2))
    for number in range(1, 500):
        pool.submit(int).result()
        assert pool.stats().tasks_done == number
        assert pool.stats().wall_ns_p50 is not None


def test_shutdown_with_cancel_counts(ours, pools, gate):
    pool = pools(ours.new(1))
    gate.block(pool)
    for _ in range(5):
        pool.submit(int)
    pool.shutdown(wait=False, cancel_futures=True)
    stats = pool.stats()
    assert (stats.tasks_submitted, stats.tasks_cancelled, stats.queue_length, stats.tasks_running) == (
        6,
        5,
        0,
        1,
    )


def test_every_reading_is_consistent(ours, pools):
    """The sum holds in each reading taken while other threads submit, cancel and fail."""
    pool = pools(ours.new(4, interval_s=0.01))
    stop = threading.Event()
    tasks = (int, failing, lambda: sum(range(500)))

    def load(offset):
        number = offset
        while not stop.is_set():
            futures = [pool.submit(tasks[(number + n) % 3]) for n in range(30)]
            for future in futures[::4]:
                future.cancel()
            wait(futures, HANG_S)
            number += 1

    threads = [threading.Thread(target=load, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    last = pool.stats()
    try:
        for _ in range(3000):
            now = pool.stats()
            assert now.tasks_submitted == (
                now.queue_length + now.tasks_running + now.tasks_done + now.tasks_failed + now.tasks_cancelled
            ), now
            assert now.workers_live == now.workers_busy + now.workers_idle, now
            assert 1 <= now.limit <= now.cap == 4, now
            assert now.workers_live <= 4, now
            for count in ("tasks_submitted", "tasks_done", "tasks_failed", "tasks_cancelled"):
                assert getattr(now, count) >= getattr(last, count)
            last = now
    finally:
        stop.set()
        for thread in threads:
            thread.join(HANG_S)
    final = pool.stats()
    assert final.tasks_submitted == final.tasks_done + final.tasks_failed + final.tasks_cancelled
    assert last.tasks_done > 0


def test_percentiles_rise(ours, pools):
    pool = pools(ours.new(3))
    for future in [pool.submit(sum, range(n)) for n in range(2000)]:
        future.result()
    stats = pool.stats()
    for name in ("queued", "wall", "cpu", "attach_wait"):
        p50, p95, p99 = (getattr(stats, f"{name}_ns_p{p}") for p in (50, 95, 99))
        assert type(p50) is int
        assert 0 <= p50 <= p95 <= p99
    assert 0.0 <= stats.beta_mean <= 1.0


def test_cpu_and_wall_tell_computing_from_waiting(ours, pools, gate):
    """Ratios of clocks read for the same task, so that no machine is too slow."""
    computing, waiting = pools(ours.new(1)), pools(ours.new(1))
    gate.block(waiting)
    computing.submit(lambda: sum(range(3_000_000))).result()
    gate.open.set()
    waiting.submit(int).result()
    assert waiting.stats().wall_ns_p99 > 4 * waiting.stats().cpu_ns_p99
    assert computing.stats().cpu_ns_p99 > waiting.stats().cpu_ns_p99
    assert computing.stats().beta_mean < waiting.stats().beta_mean + 1


def test_queue_head_age_grows(ours, pools, gate):
    pool = pools(ours.new(1))
    gate.block(pool)
    assert pool.stats().queue_head_age_s == 0
    first = pool.submit(int)
    pool.submit(int)
    one = pool.stats().queue_head_age_s
    eventually(lambda: pool.stats().queue_head_age_s > one)
    first.cancel()
    gate.open.set()
    pool.submit(int).result(HANG_S)
    assert pool.stats().queue_head_age_s == 0


def test_html(ours, pools, gate):
    pool = pools(ours.new(3, thread_name_prefix="<script>alert(1)</script>"))
    gate.block(pool)
    html = pool._repr_html_()
    assert html.lstrip().startswith("<")
    assert "limit" in html
    assert "<script" not in html
    assert html.count("<table") == html.count("</table>") == 1


def test_logger_is_silent_by_default(ours):
    del ours
    assert any(isinstance(h, logging.NullHandler) for h in logging.getLogger("surefoot").handlers)


def test_idle_workers_leave_down_to_the_minimum(ours, pools):
    """And the names of those that left are given again."""
    pool = pools(ours.new(6, thread_name_prefix="w", min_workers=2, idle_timeout_s=0.01))
    for _ in range(3):
        barrier = threading.Barrier(6)

        def meet(barrier=barrier):
            barrier.wait(HANG_S)
            return threading.current_thread().name

        names = {f.result(HANG_S) for f in [pool.submit(meet) for _ in range(6)]}
        assert names == {f"w_{n}" for n in range(6)}
        eventually(lambda: pool.stats().workers_live == 2, "only min_workers are left")
        eventually(lambda: len(pool._threads) == 2)
    stays = tuple(pool._threads)
    assert pool.submit(int).result(HANG_S) == 0
    assert pool.stats().workers_live == 2
    assert tuple(pool._threads) == stays


def test_reaping_races_with_submitting(ours, pools):
    pool = pools(ours.new(4, idle_timeout_s=0.0))
    for number in range(3000):
        assert pool.submit(abs, -number).result(HANG_S) == number
        if number % 3 == 0:
            assert [f.result(HANG_S) for f in [pool.submit(int) for _ in range(4)]] == [0] * 4


def test_workers_stay_for_the_default_timeout(ours, pools):
    pool = pools(ours.new(3))
    barrier = threading.Barrier(3)
    for future in [pool.submit(barrier.wait, HANG_S) for _ in range(3)]:
        future.result()
    before = set(pool._threads)
    assert len(before) == 3
    pool.submit(int).result()
    assert set(pool._threads) == before
