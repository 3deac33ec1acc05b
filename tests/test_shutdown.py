"""`with`, `shutdown` and its variants."""

from __future__ import annotations

import threading

import pytest

from patience import HANG_S, eventually


def test_with_returns_the_pool_and_waits(kind):
    done = []
    with kind.new(2) as pool:
        assert isinstance(pool, kind.cls)
        for number in range(50):
            pool.submit(done.append, number)
    assert sorted(done) == list(range(50))
    assert pool._shutdown
    assert not any(thread.is_alive() for thread in pool._threads)


def test_with_lets_an_exception_through_after_the_work(kind):
    done = []

    def work():
        with kind.new(2) as pool:
            pool.submit(done.append, 1)
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert done == [1]


def test_shutdown_twice_and_in_every_order(kind):
    for first in (True, False):
        for second in (True, False):
            pool = kind.new(2)
            future = pool.submit(pow, 2, 3)
            pool.shutdown(wait=first)
            pool.shutdown(second)
            assert future.result(HANG_S) == 8


def test_shutdown_of_an_unused_pool(kind):
    for _ in range(20):
        kind.new(3).shutdown()


def test_cancel_futures_is_keyword_only(kind, pools):
    with pytest.raises(TypeError):
        pools(kind.new(1)).shutdown(True, True)


def test_shutdown_without_waiting_runs_what_is_queued(kind, pools, gate):
    pool = pools(kind.new(1))
    blocked = gate.block(pool)
    queued = [pool.submit(pow, 2, n) for n in range(10)]
    pool.shutdown(wait=False)
    assert not any(f.done() for f in blocked + queued)
    with pytest.raises(RuntimeError, match=r"^cannot schedule new futures after shutdown$"):
        pool.submit(int)
    gate.open.set()
    assert [f.result(HANG_S) for f in queued] == [2**n for n in range(10)]
    eventually(lambda: not any(thread.is_alive() for thread in tuple(pool._threads)))


def test_cancel_futures_cancels_exactly_what_is_queued(kind, pools, gate):
    pool = pools(kind.new(2))
    running = gate.block(pool, 2)
    queued = [pool.submit(int) for _ in range(10)]
    told = []
    for future in queued:
        future.add_done_callback(told.append)
    pool.shutdown(wait=False, cancel_futures=True)
    assert all(f.cancelled() for f in queued)
    assert len(told) == 10
    assert not any(f.done() for f in running)
    gate.open.set()
    assert [f.result(HANG_S) for f in running] == [0, 1]


def test_cancel_futures_later(kind, pools, gate):
    """A first shutdown lets queued work run; a second one may still cancel it."""
    pool = pools(kind.new(1))
    gate.block(pool)
    queued = [pool.submit(int) for _ in range(5)]
    pool.shutdown(wait=False)
    pool.shutdown(wait=False, cancel_futures=True)
    assert all(f.cancelled() for f in queued)


def test_cancel_and_shutdown_at_once_does_not_hang(kind):
    """gh-94440: a future that is cancelled right before the shutdown."""
    for _ in range(100):
        pool = kind.new(1)
        pool.submit(int)
        pool.submit(int).cancel()
        pool.shutdown(wait=True)


def test_shutdown_from_a_worker(kind, pools):
    pool = pools(kind.new(2))
    assert pool.submit(pool.shutdown, wait=False).result(HANG_S) is None
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(int)


def test_a_worker_cannot_wait_for_itself(kind, pools):
    pool = pools(kind.new(1))
    error = pool.submit(pool.shutdown, wait=True).exception(HANG_S)
    assert type(error) is RuntimeError
    assert str(error) == "cannot join current thread"


def test_several_threads_may_wait_for_the_shutdown(kind, pools, gate):
    pool = pools(kind.new(2))
    gate.block(pool, 2)
    waiters = [threading.Thread(target=pool.shutdown) for _ in range(5)]
    for waiter in waiters:
        waiter.start()
    eventually(lambda: pool._shutdown)
    gate.open.set()
    for waiter in waiters:
        waiter.join(HANG_S)
        assert not waiter.is_alive()


def test_submit_races_with_shutdown(kind):
    """Each submit either raises or gets a future that ends."""
    for _ in range(50):
        pool = kind.new(2)
        accepted = []
        start = threading.Barrier(4)

        def submit(pool=pool, accepted=accepted, start=start):
            start.wait(HANG_S)
            try:
                for _ in range(5_000):
                    accepted.append(pool.submit(int))
            except RuntimeError:
                return

        threads = [threading.Thread(target=submit) for _ in range(3)]
        for thread in threads:
            thread.start()
        start.wait(HANG_S)
        pool.submit(int).result(HANG_S)
        pool.shutdown(wait=True)
        for thread in threads:
            thread.join(HANG_S)
            assert not thread.is_alive()
        assert all(f.done() for f in accepted)


def test_a_task_may_submit_until_the_shutdown(kind):
    """A chain of tasks that submit each other goes on until the pool is shut down, and every link ends."""
    links = []

    def link(pool, left):
        if left:
            try:
                links.append(pool.submit(link, pool, left - 1))
            except RuntimeError as error:
                return str(error)
        return left

    with kind.new(2) as pool:
        links.append(pool.submit(link, pool, 10_000))
    assert links
    assert all(f.done() for f in links)
    assert links[-1].result() in (0, "cannot schedule new futures after shutdown")
