"""`wait` and `as_completed`, over futures of ours, of the standard pool and of nobody."""

from __future__ import annotations

import concurrent.futures
import threading
from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    ThreadPoolExecutor,
    as_completed,
    wait,
)

import pytest

from patience import HANG_S, eventually


def failing():
    raise ValueError


def no_waiters_left(futures):
    return all(future._waiters == [] for future in futures)


def test_wait_for_all(kind, pools):
    pool = pools(kind.new(3))
    futures = [pool.submit(pow, 2, n) for n in range(100)]
    done, not_done = wait(futures, HANG_S, ALL_COMPLETED)
    assert done == set(futures)
    assert not not_done
    assert no_waiters_left(futures)


def test_wait_for_the_first(kind, pools, gates):
    pool = pools(kind.new(2))
    slow, quick = gates(), gates()
    (held,), (released,) = slow.block(pool), quick.block(pool)
    quick.open.set()
    assert wait([held, released], HANG_S, FIRST_COMPLETED) == ({released}, {held})
    assert no_waiters_left([held, released])


def test_wait_for_the_first_exception(kind, pools, gate):
    pool = pools(kind.new(2))
    (held,) = gate.block(pool)
    good, bad, after = pool.submit(int), pool.submit(failing), pool.submit(int)
    done, not_done = wait([held, good, bad], HANG_S, FIRST_EXCEPTION)
    assert bad in done
    assert held in not_done
    assert after.result(HANG_S) == 0
    gate.open.set()
    done, _ = wait([held, good, after], HANG_S, FIRST_EXCEPTION)
    assert done == {held, good, after}


def test_wait_gives_up(kind, pools, gate):
    pool = pools(kind.new(1))
    (held,) = gate.block(pool)
    queued = pool.submit(int)
    assert wait([held, queued], 0.001) == (set(), {held, queued})
    assert no_waiters_left([held, queued])


def test_wait_sees_cancelled_futures(kind, pools, gate):
    pool = pools(kind.new(1))
    (held,) = gate.block(pool)
    queued = pool.submit(int)
    queued.cancel()
    # Cancelled, but nobody has been notified yet: the standard library counts it as not done.
    assert wait([held, queued], 0.001) == (set(), {held, queued})
    gate.open.set()
    assert wait([held, queued], HANG_S) == ({held, queued}, set())


def test_wait_is_woken_by_a_later_cancel(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    queued = pool.submit(int)
    waiting = threading.Thread(target=wait, args=([queued],))
    waiting.start()
    eventually(lambda: queued._waiters)
    queued.cancel()
    gate.open.set()
    waiting.join(HANG_S)
    assert not waiting.is_alive()


def test_as_completed_yields_each_once(kind, pools):
    pool = pools(kind.new(3))
    futures = [pool.submit(pow, 2, n) for n in range(100)]
    seen = list(as_completed(futures + futures, HANG_S))
    assert len(seen) == 100
    assert set(seen) == set(futures)
    assert no_waiters_left(futures)


def test_as_completed_follows_the_completions(kind, pools, gates):
    pool = pools(kind.new(3))
    ways = [gates() for _ in range(3)]
    futures = [way.block(pool)[0] for way in ways]
    order = as_completed(futures, HANG_S)
    for index in (1, 2, 0):
        ways[index].open.set()
        assert next(order) is futures[index]
    with pytest.raises(StopIteration):
        next(order)


def test_as_completed_gives_up(kind, pools, gate):
    pool = pools(kind.new(1))
    (held,) = gate.block(pool)
    ended = concurrent.futures.Future()
    ended.set_result(1)
    order = as_completed([held, ended], 0.01)
    assert next(order) is ended
    with pytest.raises(concurrent.futures.TimeoutError, match=r"^1 \(of 2\) futures unfinished$"):
        next(order)
    assert no_waiters_left([held])


def test_ours_and_the_standard_ones_mix(kind, pools, gates):
    pool, standard = pools(kind.new(1)), pools(ThreadPoolExecutor(1))
    first, second = gates(), gates()
    (one,), (two,) = first.block(pool), second.block(standard)
    nobodys = kind.future_cls()
    everything = {one, two, nobodys}
    order = as_completed(everything, HANG_S)
    second.open.set()
    assert next(order) is two
    assert wait(everything, HANG_S, FIRST_COMPLETED) == ({two}, {one, nobodys})
    nobodys.set_result(None)
    assert next(order) is nobodys
    first.open.set()
    assert next(order) is one
    assert wait(everything, HANG_S) == (everything, set())


def test_as_completed_while_tasks_fly(kind, pools):
    """The waiter may be installed at every moment of a task's life."""
    pool = pools(kind.new(4))
    for _ in range(100):
        futures = [pool.submit(int) for _ in range(30)]
        assert len(list(as_completed(futures, HANG_S))) == 30
    assert no_waiters_left(futures)


def test_wait_from_several_threads_on_the_same_futures(kind, pools):
    pool = pools(kind.new(2))
    futures = [pool.submit(int) for _ in range(500)]
    counts = []

    def count():
        counts.append(len(wait(futures, HANG_S).done))
        counts.append(sum(1 for _ in as_completed(futures, HANG_S)))

    threads = [threading.Thread(target=count) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_S)
    assert counts == [500] * 10
    assert no_waiters_left(futures)
