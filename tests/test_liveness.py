"""Tasks that wait for each other: as many as the cap can always run at once, whatever the controller thinks.

The standard pool guarantees it, and programs rely on it. Each case is a child process with a time limit.
"""

from __future__ import annotations

import pytest

import child

CAPS = [2, 5, 33, 64]
IMPORTS = "import queue, threading\n"


@pytest.mark.parametrize("cap", CAPS)
def test_as_many_tasks_as_the_cap_meet_at_a_barrier(kind, cap):
    code = f"""
    with Pool({cap}) as pool:
        for _ in range(2):
            barrier = threading.Barrier({cap})
            futures = [pool.submit(barrier.wait, 60) for _ in range({cap})]
            print(sorted(f.result(60) for f in futures) == list(range({cap})))
    """
    assert child.run_clean(code, kind.source, IMPORTS).lines == ["True", "True"]


@pytest.mark.parametrize("cap", CAPS)
def test_a_barrier_after_the_limit_has_shrunk(ours, cap):
    """Quick tasks with empty queues make the published controller shrink the limit; then all must meet."""
    code = f"""
    with Pool({cap}, interval_s=0.005) as pool:
        for _ in range(300):
            pool.submit(int).result(60)
            if pool.stats().limit == 1:
                break
            threading.Event().wait(0.005)
        barrier = threading.Barrier({cap})
        print(len({{f.result(60) for f in [pool.submit(barrier.wait, 60) for _ in range({cap})]}}))
    """
    assert child.run_clean(code, ours.source, IMPORTS).lines == [str(cap)]


def test_a_controller_cannot_starve_the_pool(adaptive):
    """Even one that wants a single worker for ever."""
    code = """
    class Stingy:
        def decide(self, window):
            return 1
    with Pool(20, controller=Stingy(), interval_s=0.005) as pool:
        barrier = threading.Barrier(20)
        print(len({f.result(60) for f in [pool.submit(barrier.wait, 60) for _ in range(20)]}))
    """
    assert child.run_clean(code, adaptive.source, IMPORTS).lines == ["20"]


def test_the_default_cap_carries_more_than_the_standard_pool(adaptive):
    code = """
    with Pool() as pool:
        count = min(100, pool._max_workers)
        barrier = threading.Barrier(count)
        futures = [pool.submit(barrier.wait, 60) for _ in range(count)]
        print(count > 32, len({f.result(60) for f in futures}) == count)
    """
    assert child.run_clean(code, adaptive.source, IMPORTS).lines == ["True True"]


@pytest.mark.parametrize("cap", CAPS)
def test_nested_submits_as_deep_as_the_cap(kind, cap):
    """Each task waits for the next one, submitted to the same pool."""
    code = f"""
    def nest(left):
        return 1 + pool.submit(nest, left - 1).result(60) if left else 1
    with Pool({cap}) as pool:
        print(pool.submit(nest, {cap - 1}).result(80))
    """
    assert child.run_clean(code, kind.source, IMPORTS).lines == [str(cap)]


def test_a_task_waits_for_an_event_that_a_queued_task_sets(kind):
    code = """
    with Pool(8) as pool:
        event = threading.Event()
        waiting = [pool.submit(event.wait, 60) for _ in range(7)]
        pool.submit(event.set)
        print(all(f.result(60) for f in waiting))
    """
    assert child.run_clean(code, kind.source, IMPORTS).lines == ["True"]


def test_producers_and_consumers(kind):
    """All consumers are submitted, and block, before the first producer is."""
    code = """
    with Pool(16) as pool:
        channels = [queue.Queue(maxsize=1) for _ in range(8)]
        consumers = [pool.submit(lambda c: sum(c.get(timeout=60) for _ in range(200)), c) for c in channels]
        producers = [pool.submit(lambda c: [c.put(n, timeout=60) for n in range(200)], c) for c in channels]
        print({f.result(60) for f in consumers} == {sum(range(200))})
    """
    assert child.run_clean(code, kind.source, IMPORTS).lines == ["True"]


def test_pairs_that_need_each_other_in_any_order(kind):
    code = """
    import random
    random.seed(7)
    with Pool(40) as pool:
        for _ in range(5):
            pairs = [threading.Barrier(2) for _ in range(20)]
            order = pairs * 2
            random.shuffle(order)
            for f in [pool.submit(b.wait, 60) for b in order]:
                f.result(60)
    print("ok")
    """
    assert child.run_clean(code, kind.source, IMPORTS).lines == ["ok"]


def test_blocked_workers_and_busy_ones_together(ours):
    """Two tasks compute without end while the others wait for one that still stands in the queue.

    Nothing completes and yet somebody is runnable: the standard pool has a worker left for the queued task.
    """
    code = """
    stop, event = threading.Event(), threading.Event()
    def spin():
        while not stop.is_set():
            pass
    with Pool(12, interval_s=0.01) as pool:
        spinning = [pool.submit(spin) for _ in range(2)]
        waiting = [pool.submit(event.wait, 30) for _ in range(9)]
        pool.submit(event.set)
        print(all(f.result(60) for f in waiting))
        stop.set()
    """
    assert child.run_clean(code, ours.source, IMPORTS).lines == ["True"]


def test_blocked_workers_while_quick_tasks_come_and_go(ours):
    """Completions go on, so the pool is not stuck, and yet the tasks that meet must all get a worker."""
    code = """
    barrier, stop = threading.Barrier(30), threading.Event()
    with Pool(31, interval_s=0.01) as pool:
        meeting = [pool.submit(barrier.wait, 60) for _ in range(29)]
        def trickle():
            while not stop.is_set():
                pool.submit(int).result(60)
        thread = threading.Thread(target=trickle)
        thread.start()
        meeting.append(pool.submit(barrier.wait, 60))
        print(len({f.result(60) for f in meeting}))
        stop.set()
        thread.join()
    """
    assert child.run_clean(code, ours.source, IMPORTS).lines == ["30"]


def test_work_goes_on_after_the_cap_was_lowered_under_blocked_workers(ours):
    code = """
    event = threading.Event()
    with Pool(8) as pool:
        waiting = [pool.submit(event.wait, 60) for _ in range(8)]
        pool._max_workers = 2
        later = [pool.submit(pow, 2, n) for n in range(20)]
        event.set()
        print([f.result(60) for f in later] == [2**n for n in range(20)])
    """
    assert child.run_clean(code, ours.source, IMPORTS).lines == ["True"]
