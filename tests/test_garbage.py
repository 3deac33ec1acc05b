"""Pools that nobody shuts down: dropped, in cycles, by the thousand."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

import child
from patience import HANG_S, collected, eventually


def test_a_dropped_pool_finishes_its_work_and_ends(kind, gates):
    gate = gates()
    pool = kind.new(2)
    blocked = gate.block(pool, 2)
    queued = [pool.submit(pow, 2, n) for n in range(20)]
    threads = tuple(pool._threads)
    alive = weakref.ref(pool)
    del pool
    collected(alive)
    assert not any(f.done() for f in blocked + queued)
    gate.open.set()
    assert [f.result(HANG_S) for f in queued] == [2**n for n in range(20)]
    for thread in threads:
        thread.join(HANG_S)
        assert not thread.is_alive()


def test_a_dropped_idle_pool_ends(kind):
    pool = kind.new(3)
    barrier = threading.Barrier(3)
    for future in [pool.submit(barrier.wait, HANG_S) for _ in range(3)]:
        future.result()
    threads = tuple(pool._threads)
    assert len(threads) == 3
    del pool
    gc.collect()
    for thread in threads:
        thread.join(HANG_S)
        assert not thread.is_alive()


def test_nothing_but_its_users_holds_a_pool(ours):
    """Neither the monitor nor the workers: the pool dies with its last reference, without a collection."""
    pool = ours.new(3, interval_s=0.01)
    for _ in range(5):
        pool.submit(pow, 2, 3).result()
    pool.stats()
    pool.decisions()
    alive = weakref.ref(pool)
    gc.collect()
    gc.disable()
    try:
        del pool
        eventually(lambda: alive() is None)
    finally:
        gc.enable()


def test_the_monitor_lets_go_of_a_pool_under_its_control(ours):
    """Dropped while a controller of ours is at work on it."""
    windows = threading.Semaphore(0)

    class Controller:
        def decide(self, window):
            windows.release()
            return window.limit

    pool = ours.new(2, controller=Controller(), interval_s=0.005)
    stop = threading.Event()
    blocked = pool.submit(stop.wait, HANG_S)
    assert windows.acquire(timeout=HANG_S)
    alive = weakref.ref(pool)
    del pool
    collected(alive)
    stop.set()
    assert blocked.result(HANG_S)


@pytest.mark.parametrize("holder", ["task", "result", "callback", "controller", "attribute"])
def test_cycles_through_a_pool_are_collected(ours, holder):
    class Controller:
        def decide(self, window):
            return window.limit

    controller = Controller()
    pool = ours.new(1, **({"controller": controller} if holder == "controller" else {}))
    if holder == "task":
        pool.submit(lambda p: None, pool).result()
    elif holder == "result":
        pool.kept = pool.submit(lambda p: p, pool)
        pool.kept.result()
    elif holder == "callback":
        pool.kept = pool.submit(int)
        pool.kept.add_done_callback(lambda _, p=pool: None)
        pool.kept.result()
    elif holder == "controller":
        controller.pool = pool
        pool.submit(int).result()
    else:
        pool.itself = pool
        pool.submit(int).result()
    threads = tuple(pool._threads)
    alive = weakref.ref(pool)
    del pool, controller
    collected(alive)
    for thread in threads:
        thread.join(HANG_S)
        assert not thread.is_alive()


def test_a_task_may_hold_the_last_reference(kind, gates):
    """The pool dies in its own worker, which then leaves."""
    gate = gates()
    pool = kind.new(1)
    alive = weakref.ref(pool)
    (thread,) = (gate.block(pool), tuple(pool._threads))[1]

    def hold(held):
        return len(held)

    pool.submit(hold, [pool])
    del pool
    gate.open.set()
    # Not by `join`: without the GIL an object may die only when the thread that made it, this one, runs.
    collected(alive)
    eventually(lambda: not thread.is_alive())


def test_ended_workers_are_forgotten(kind):
    """The registry for the exit maps thread to queue: the queue must not lead back to the thread."""
    with kind.new(4) as pool:
        barrier = threading.Barrier(4)
        for _ in range(4):
            pool.submit(barrier.wait, HANG_S)
        threads = [weakref.ref(t) for t in pool._threads]
    del pool
    for alive in threads:
        collected(alive)


COUNTS = """
import gc, os, threading

def threads():
    return len(os.listdir("/proc/self/task"))

def descriptors():
    # The least of some looks: a file that the monitor reads at this moment is not left behind.
    pause = threading.Event()
    counts = []
    for _ in range(20):
        counts.append(len(os.listdir("/proc/self/fd")))
        pause.wait(0.001)
    return min(counts)

def resident_bytes():
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def settle(target):
    # Threads leave by themselves; wait until no more than `target` are left.
    pause = threading.Event()
    for _ in range(6000):
        gc.collect()
        if threads() <= target:
            return True
        pause.wait(0.01)
    return False

def churn(count):
    for n in range(count):
        if n % 3 == 0:
            Pool(2)  # never used
        elif n % 3 == 1:
            Pool(2).submit(pow, 2, n)  # dropped with work in flight
        else:
            with Pool(2) as pool:
                pool.submit(int)
"""


@pytest.mark.slow
def test_ten_thousand_pools_leave_nothing_behind(kind):
    code = """
    with Pool(2) as warm:
        warm.submit(int).result()
    settled = threads()  # with the monitor, where there is one
    churn(1500)
    print(settle(settled + 1))
    before = descriptors(), resident_bytes()
    threads_before = threads()
    for _ in range(17):
        churn(500)
        # A thread that stays would make it False; one that the sensor starts for a moment does not.
        print(settle(threads_before))
    after = descriptors(), resident_bytes()
    print(after[0] - before[0], (after[1] - before[1]) // 8500)
    """
    *settled, last = child.run_clean(code, kind.source, COUNTS, limit_s=110).lines
    assert set(settled) == {"True"}
    more_descriptors, bytes_per_pool = map(int, last.split())
    assert more_descriptors <= 0
    # Less than any object that a pool is made of; the allocator's noise stays under it.
    assert bytes_per_pool < 400
