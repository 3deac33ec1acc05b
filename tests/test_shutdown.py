"""`with`, `shutdown` and its variants."""

from __future__ import annotations

import signal
import threading

import pytest

import child
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
    # Which link is the last in the list is chance, where threads run at once.
    assert {f.result() for f in links} & {0, "cannot schedule new futures after shutdown"}


# `timeout`


def test_a_timeout_is_checked(ours, pools):
    pool = pools(ours.new(1))
    for wrong, error in (("1", TypeError), (True, TypeError), (float("nan"), ValueError)):
        with pytest.raises(error, match="timeout"):
            pool.shutdown(timeout=wrong)
    with pytest.raises(ValueError, match="can't specify a timeout"):
        pool.shutdown(wait=False, timeout=1)
    assert pool.submit(pow, 2, 3).result(HANG_S) == 8, "a call that is refused shuts nothing down"


def test_a_timeout_is_keyword_only(ours, pools):
    with pytest.raises(TypeError):
        pools(ours.new(1)).shutdown(True, False, 1)


def test_shutdown_says_whether_all_have_left(ours, gate):
    pool = ours.new(2)
    gate.block(pool, 2)
    queued = pool.submit(pow, 2, 3)
    assert pool.shutdown(timeout=0.01) is False
    assert pool.shutdown(timeout=-1) is False
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(int)
    gate.open.set()
    assert queued.result(HANG_S) == 8
    assert pool.shutdown(timeout=HANG_S) is True
    assert pool.shutdown(timeout=0) is True
    assert pool.shutdown() is None


def test_shutdown_of_an_unused_pool_with_a_timeout(ours):
    assert ours.new(2).shutdown(timeout=0) is True
    assert ours.new(2).shutdown(timeout=float("inf")) is True


def test_a_timeout_and_cancel_futures(ours, gate):
    pool = ours.new(1)
    gate.block(pool)
    queued = [pool.submit(int) for _ in range(5)]
    assert pool.shutdown(timeout=0, cancel_futures=True) is False
    assert all(f.cancelled() for f in queued)
    gate.open.set()
    assert pool.shutdown(timeout=HANG_S) is True


def test_a_worker_cannot_wait_for_itself_for_a_while_either(ours, pools):
    pool = pools(ours.new(1))
    assert type(pool.submit(pool.shutdown, timeout=1).exception(HANG_S)) is RuntimeError


def test_the_exit_waits_for_what_a_timeout_left(ours):
    code = """
    import threading
    gate = threading.Event()
    pool = Pool(1)
    pool.submit(gate.wait, 60)
    pool.submit(print, "queued work is done", flush=True)
    print(pool.shutdown(timeout=0.01), flush=True)
    threading.Timer(0.1, gate.set).start()
    """
    assert child.run_clean(code, ours.source).lines == ["False", "queued work is done"]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of POSIX")
@pytest.mark.parametrize("timeout", [None, 80])
def test_ctrl_c_ends_a_shutdown(ours, timeout):
    code = """
    import os, signal, threading
    gate, interrupted, told = threading.Event(), threading.Event(), []
    def handler(*_):
        if not told:
            told.append(True)
            raise KeyboardInterrupt
    signal.signal(signal.SIGINT, handler)
    pool = Pool(1)
    pool.submit(gate.wait, 90)
    def interrupt():
        while not pool._shutdown:
            pass
        # More than once: Thread.join() does not see a signal that comes just before it sleeps.
        while not interrupted.wait(0.05):
            os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=interrupt).start()
    try:
        print(pool.shutdown(timeout=TIMEOUT))
    except KeyboardInterrupt:
        print("interrupted")
    interrupted.set()
    gate.set()
    print(pool.shutdown(timeout=60))
    """
    assert child.run_clean(code, ours.source, f"TIMEOUT = {timeout}").lines == ["interrupted", "True"]


def test_a_timeout_where_the_class_is_the_standard_pool(adaptive):
    code = """
    import threading
    gate = threading.Event()
    pool = Pool(1)
    pool.submit(gate.wait, 60)
    print(pool.shutdown(timeout=0.01))
    gate.set()
    print(pool.shutdown(timeout=60), pool.shutdown())
    """
    assert child.run_clean(code, adaptive.source, env={"SUREFOOT_DISABLE": "1"}).lines == [
        "False",
        "True None",
    ]
