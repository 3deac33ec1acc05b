"""Workers that cannot start: a failing initializer, and threads that the system refuses."""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures.thread import BrokenThreadPool

import pytest

import child
from patience import HANG_S, eventually

BROKEN = "A thread initializer failed, the thread pool is not usable anymore"


def failing():
    raise ValueError("in the initializer")


def test_initializer_runs_once_in_each_worker(kind, pools, gate):
    seen = []
    pool = pools(
        kind.new(3, initializer=lambda a, b: seen.append((a, b, threading.current_thread())), initargs=(1, 2))
    )
    assert seen == []
    gate.block(pool, 3)
    assert [(a, b) for a, b, _ in seen] == [(1, 2)] * 3
    assert {thread for _, _, thread in seen} == set(pool._threads)


def test_failing_initializer_breaks_the_pool(kind, pools, caplog):
    pool = pools(kind.new(2, initializer=failing))
    with caplog.at_level(logging.CRITICAL, logger="concurrent.futures"):
        future = pool.submit(int)
        error = future.exception(HANG_S)
        assert type(error) is BrokenThreadPool
        assert str(error) == BROKEN
        eventually(lambda: pool._broken)
        with pytest.raises(BrokenThreadPool, match=BROKEN):
            pool.submit(int)
        with pytest.raises(BrokenThreadPool):
            pool.map(int, [1])
        pool.shutdown()
    record = caplog.records[0]
    assert (record.name, record.levelno) == ("concurrent.futures", logging.CRITICAL)
    assert record.getMessage() == "Exception in initializer:"
    assert isinstance(record.exc_info[1], ValueError)
    assert str(record.exc_info[1]) == "in the initializer"


def test_every_pending_future_is_told(kind, pools, caplog):
    release = threading.Event()

    def initializer():
        release.wait(HANG_S)
        raise SystemExit(3)  # any BaseException counts

    with caplog.at_level(logging.CRITICAL, logger="concurrent.futures"):
        pool = pools(kind.new(1, initializer=initializer))
        told = []
        futures = [pool.submit(int) for _ in range(50)]
        for future in futures:
            future.add_done_callback(told.append)
        release.set()
        assert {type(f.exception(HANG_S)) for f in futures} == {BrokenThreadPool}
        eventually(lambda: len(told) == 50)
        pool.shutdown()


def test_a_running_worker_goes_on_when_another_ones_initializer_fails(kind, pools, gate, caplog):
    calls = []

    def initializer():
        calls.append(1)
        if len(calls) > 1:
            raise ValueError

    with caplog.at_level(logging.CRITICAL, logger="concurrent.futures"):
        pool = pools(kind.new(2, initializer=initializer))
        (running,) = gate.block(pool)
        assert type(pool.submit(int).exception(HANG_S)) is BrokenThreadPool
        gate.open.set()
        assert running.result(HANG_S) == 0
        pool.shutdown()


REFUSED = """
import threading
original = threading.Thread.start
refuse = True
def start(self):
    if refuse:
        raise RuntimeError("can't start new thread")
    original(self)
threading.Thread.start = start
"""


def test_no_thread_at_all(kind):
    """Without any worker, `submit` says so; nothing hangs, and a later submit works."""
    code = """
    pool = Pool(2)
    try:
        pool.submit(print, "the refused task")
    except RuntimeError as error:
        print(error)
    refuse = False
    print(pool.submit(pow, 2, 3).result(60))
    pool.shutdown()
    """
    lines = child.run_clean(code, kind.source, REFUSED).lines
    assert lines[0] == "can't start new thread"
    assert lines[-1] == "8"
    # The standard pool leaves the refused task in its queue and runs it later; ours takes it back.
    assert lines[1:-1] == ([] if kind.ours else ["the refused task"])


def test_no_further_thread(ours):
    """With one worker alive, the task waits for it: `submit` succeeds, each future ends."""
    code = """
    refuse = False
    pool = Pool(8)
    started, gate = threading.Event(), threading.Event()
    first = pool.submit(lambda: (started.set(), gate.wait()))
    started.wait()
    refuse = True
    futures = [pool.submit(pow, 2, n) for n in range(50)]
    gate.set()
    assert [f.result(60) for f in futures] == [2**n for n in range(50)]
    print(len(pool._threads))
    refuse = False
    barrier = threading.Barrier(8)
    print(len({f.result(60) for f in [pool.submit(barrier.wait, 60) for _ in range(8)]}))
    pool.shutdown()
    """
    assert child.run_clean(code, ours.source, REFUSED).lines == ["1", "8"]


def test_thread_start_fails_at_random(ours):
    code = """
    import random
    randomly = random.Random(1)
    def start(self):
        if randomly.random() < 0.7:
            raise RuntimeError("can't start new thread")
        original(self)
    threading.Thread.start = start
    for _ in range(20):
        pool = Pool(8)
        futures, refused = [], 0
        for n in range(200):
            try:
                futures.append(pool.submit(pow, 2, n % 20))
            except RuntimeError:
                refused += 1
        assert len(futures) + refused == 200
        for f in futures:
            f.result(60)
        pool.shutdown()
    print("ok")
    """
    assert child.run_clean(code, ours.source, REFUSED).lines == ["ok"]


def test_the_system_refuses_threads(ours):
    """RLIMIT_NPROC counts the threads of a user, so a user of its own is needed; only root can become one."""
    if os.getuid() != 0:
        pytest.skip("needs root, to become a user without other processes")
    code = """
    import os, resource, threading
    os.setresgid(54321, 54321, 54321)
    os.setresuid(54321, 54321, 54321)
    resource.setrlimit(resource.RLIMIT_NPROC, (6, 6))
    pool = Pool(32)
    gate = threading.Event()
    futures = [pool.submit(lambda n=n: (gate.wait(), n)[1]) for n in range(100)]
    print(1 <= len(pool._threads) < 6)
    gate.set()
    print([f.result(60) for f in futures] == list(range(100)))
    pool.shutdown()
    probes, refused = [], False
    gate.clear()
    try:
        for _ in range(10):
            probes.append(threading.Thread(target=gate.wait))
            probes[-1].start()
    except RuntimeError:
        refused = True
    gate.set()
    print(refused)
    """
    assert child.run_clean(code, ours.source).lines == ["True", "True", "True"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError])
def test_a_signal_while_a_thread_comes_up(ours, pools, monkeypatch, error):
    """A handler may raise in `Thread.start`, when the thread is there already: it must be counted once."""
    pool = pools(ours.new(2))
    start = threading.Thread.start

    def interrupted(thread):
        start(thread)
        raise error

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    ran = threading.Event()
    with pytest.raises(error):
        pool.submit(ran.set)
    monkeypatch.undo()
    assert ran.wait(HANG_S)
    assert [pool.submit(pow, 2, n).result(HANG_S) for n in range(20)] == [2**n for n in range(20)]
    pool.shutdown()
    assert pool.stats().workers_live == 0
