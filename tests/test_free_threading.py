"""Without the GIL: importing surefoot must not bring it back, and nothing may break for want of it."""

from __future__ import annotations

import concurrent.futures
import sys
import threading

import pytest

import child
import kinds
from patience import HANG_S

pytestmark = pytest.mark.skipif(
    not kinds.is_free_threaded(),
    reason=f"{sys.implementation.name} {sys.version.split()[0]} runs with the GIL",
)


def hammer(work, threads=8):
    """Run `work(index)` in several threads that start together; re-raise what any of them raised."""
    start, errors = threading.Barrier(threads), []

    def run(index):
        start.wait(HANG_S)
        try:
            work(index)
        except BaseException as error:
            errors.append(error)
            raise

    running = [threading.Thread(target=run, args=(n,)) for n in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(HANG_S)
        assert not thread.is_alive()
    assert not errors


def test_the_gil_stays_off():
    code = """
    import sys, warnings
    warnings.simplefilter("error")
    before = sys._is_gil_enabled()
    import surefoot
    with surefoot.AdaptiveThreadPoolExecutor(4) as pool:
        assert list(pool.map(abs, range(-100, 0))) == list(range(100, 0, -1))
    print(before, sys._is_gil_enabled())
    """
    assert child.run(code).out == "False False\n"


def test_many_submitters(kind, pools):
    pool = pools(kind.new(4))

    def submit(index):
        for _ in range(20):
            futures = [pool.submit(pow, 2, n) for n in range(100)]
            assert [f.result(HANG_S) for f in futures] == [2**n for n in range(100)]

    hammer(submit)


def test_many_threads_on_the_same_future(kind, pools):
    pool = pools(kind.new(4))
    for _ in range(200):
        calls = [[] for _ in range(6)]
        future = pool.submit(object)

        def everything(index, future=future, calls=calls):
            future.add_done_callback(calls[index].append)
            repr(future)
            future.done(), future.running(), future._state
            with future._condition:
                pass
            concurrent.futures.wait([future], HANG_S)
            if index == 0:
                future.cancel()
            assert future.cancelled() or future.result(HANG_S) is future.result()

        hammer(everything, 6)
        pool.submit(int).result(HANG_S)
    with pool:
        pass
    assert all(len(c) == 1 for c in calls)


def test_conditions_are_made_once(kind):
    for _ in range(300):
        future = kind.future_cls()
        seen = []
        hammer(lambda _, future=future, seen=seen: seen.append((future._condition, future._waiters)), 4)
        assert len({id(condition) for condition, _ in seen}) == 1
        assert len({id(waiters) for _, waiters in seen}) == 1


def test_submit_cancel_resize_and_read_at_once(ours, pools):
    pool = pools(ours.new(8, interval_s=0.002, idle_timeout_s=0.001))
    stop = threading.Event()

    def work(index):
        if index == 0:
            while not stop.is_set():
                pool._max_workers = 1 + index % 8
                index += 1
        elif index == 1:
            while not stop.is_set():
                pool.stats()
                pool.decisions()
                list(pool._threads)
                pool._work_queue.qsize()
        else:
            try:
                for _ in range(100):
                    futures = [pool.submit(int) for _ in range(50)]
                    for future in futures[::3]:
                        future.cancel()
                    concurrent.futures.wait(futures, HANG_S)
                    assert all(f.done() for f in futures)
            finally:
                if index == 2:
                    stop.set()

    hammer(work, 6)
    stats = pool.stats()
    assert stats.tasks_submitted == 4 * 100 * 50


def test_shutdown_from_many_threads(kind):
    for _ in range(50):
        pool = kind.new(4)
        futures = [pool.submit(int) for _ in range(50)]
        hammer(lambda index, pool=pool: pool.shutdown(wait=index % 2 == 0, cancel_futures=index % 3 == 0), 6)
        assert all(f.done() for f in futures)
