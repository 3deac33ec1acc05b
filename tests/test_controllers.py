"""What the controllers do to a living pool. The rules themselves are tested in Rust."""

from __future__ import annotations

import itertools
import logging
import threading
import time

import pytest

import child
import kinds
from patience import HANG_S, eventually


class Scripted:
    """A controller of the user's: returns, or raises, what the test says."""

    def __init__(self, answer):
        self.answer = answer
        self.windows = []
        self.called = threading.Semaphore(0)

    def decide(self, window):
        self.windows.append(window)
        self.called.release()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def await_calls(self, count):
        for _ in range(count):
            assert self.called.acquire(timeout=HANG_S), "the controller is not asked"


class Load:
    """Keep a pool supplied with a task until the end of the block."""

    def __init__(self, pool, task, depth):
        self.pool, self.task, self.depth = pool, task, depth
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.feed)

    def feed(self):
        futures = []
        while not self.stop.is_set():
            futures.append(self.pool.submit(self.task))
            if len(futures) > self.depth:
                futures.pop(0).result(HANG_S)
        for future in futures:
            future.cancel()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(HANG_S)


def compute():
    """About a millisecond of pure Python."""
    return sum(n for n in range(20_000))


def compute_long():
    """Pure Python for several switch intervals of 5 ms: who waits for the GIL half-way looks blocked."""
    return sum(n for n in range(500_000))


def shrink_to_one(pool):
    """Single quick tasks leave an empty queue: the published controller goes down to its floor."""

    def one_more():
        pool.submit(int).result(HANG_S)
        return pool.stats().limit == 1

    eventually(one_more, "the limit falls to 1")


def test_fixed_never_moves(fixed, pools):
    pool = pools(fixed.new(5, interval_s=0.002))
    with Load(pool, compute, 50):
        eventually(lambda: pool.stats().tasks_done > 200)
        assert pool.stats().limit == 5
    assert pool.decisions() == ()


def test_paper_grows_on_pure_io(adaptive, pools):
    pool = pools(adaptive.new(40, interval_s=0.02, controller="paper"))
    first = pool.stats().limit
    assert first < 40
    with Load(pool, lambda: time.sleep(0.002), 300):
        eventually(lambda: pool.stats().limit >= min(40, first + 10), "the limit grows on I/O")
    rises = [d for d in pool.decisions() if d.limit > d.limit_before and not d.veto]
    assert all(d.limit == d.limit_before + 1 for d in rises if "paper" in d.reason or "beta" in d.reason)
    assert any(d.beta is not None and d.beta > 0.3 and d.queue_length > 0 for d in rises)


@pytest.mark.skipif(kinds.is_free_threaded(), reason="there is no GIL to wait for")
def test_paper_grows_under_gil_contention_too(adaptive, pools):
    """Its defect: a thread that waits for the GIL counts as blocked, though no task does any I/O at all."""
    pool = pools(adaptive.new(40, interval_s=0.2, controller="paper"))
    first = pool.stats().limit
    with Load(pool, compute_long, 60):
        eventually(lambda: pool.stats().limit >= first + 4, "the limit grows on pure CPU")


def test_paper_vetoes_a_rise_on_pure_cpu_with_one_worker(adaptive, pools):
    """With one worker nobody waits for the GIL, so beta is what it is meant to be.

    The threshold is high because on a machine that is busy otherwise a task also waits for a core.
    """
    pool = pools(adaptive.new(8, interval_s=0.02, beta_threshold=0.97, controller="paper"))
    shrink_to_one(pool)
    futures = [pool.submit(compute) for _ in range(400)]
    eventually(lambda: sum(pool.stats().vetoes.values()) >= 2, "rises are vetoed")
    veto = next(d for d in pool.decisions() if d.veto)
    assert veto.limit == veto.limit_before
    assert veto.queue_length > 0
    assert veto.beta <= 0.97
    assert veto.reason
    for future in futures:
        future.cancel()


def test_paper_shrinks_to_min_workers(adaptive, pools):
    pool = pools(adaptive.new(6, min_workers=3, interval_s=0.005, controller="paper"))

    def one_more():
        pool.submit(int).result(HANG_S)
        return pool.stats().limit == 3

    eventually(one_more, "the limit falls to min_workers")
    for _ in range(100):
        pool.submit(int).result(HANG_S)
        assert pool.stats().limit >= 3


def test_steps_of_the_paper_controller(adaptive, pools):
    import surefoot

    pool = pools(
        adaptive.new(30, controller=surefoot.PaperController(0.3, step_up=4, step_down=2), interval_s=0.02)
    )
    with Load(pool, lambda: time.sleep(0.002), 300):
        eventually(lambda: any(d.limit == d.limit_before + 4 for d in pool.decisions()))
    eventually(
        lambda: (
            pool.submit(int).result(HANG_S) or any(d.limit == d.limit_before - 2 for d in pool.decisions())
        )
    )


def test_fixed_controller_below_the_cap(adaptive, pools, gates):
    import surefoot

    pool = pools(adaptive.new(10, controller=surefoot.FixedController(3)))
    assert (pool.stats().limit, pool.stats().cap, pool._max_workers) == (3, 10, 10)


def test_decisions_are_bounded_and_ordered(adaptive, pools):
    controller = Scripted(1)
    pool = pools(adaptive.new(4, controller=controller, interval_s=0.001))
    with Load(pool, compute, 20):
        for number in range(1500):
            controller.answer = 1 + number % 4
            controller.await_calls(1)
    log = pool.decisions()
    assert isinstance(log, tuple)
    assert 0 < len(log) <= 1024
    assert len(log) < 1500
    assert [d.at_s for d in log] == sorted(d.at_s for d in log)
    assert all(1 <= d.limit <= 4 and 1 <= d.limit_before <= 4 for d in log)
    assert all(later.limit_before == earlier.limit for earlier, later in itertools.pairwise(log))


def test_a_controller_of_the_users_sets_the_limit(adaptive, pools):
    controller = Scripted(2)
    pool = pools(adaptive.new(6, controller=controller, interval_s=0.005))
    with Load(pool, compute, 50):
        eventually(lambda: pool.stats().limit == 2)
        controller.answer = 5
        eventually(lambda: pool.stats().limit == 5)
    window = controller.windows[-1]
    assert window is not None
    assert len(controller.windows) > 1


@pytest.mark.parametrize(
    ("answer", "limit"), [(0, 2), (-5, 2), (10**9, 4), (10**30, 4), (-(10**30), 2), (True, 2)]
)
def test_answers_out_of_range_are_held_within_it(adaptive, pools, answer, limit):
    controller = Scripted(3)
    pool = pools(adaptive.new(4, min_workers=2, controller=controller, interval_s=0.005))
    with Load(pool, compute, 50):
        eventually(lambda: pool.stats().limit == 3)
        controller.answer = answer
        eventually(lambda: pool.stats().limit == limit, f"the limit is held at {limit}")


@pytest.mark.parametrize("answer", ["3", None, 2.5, [], ValueError("from the controller")], ids=repr)
def test_a_controller_that_fails_is_logged_and_the_limit_stays(adaptive, pools, caplog, answer):
    controller = Scripted(3)
    with caplog.at_level(logging.DEBUG, logger="surefoot"):
        pool = pools(adaptive.new(6, controller=controller, interval_s=0.005))
        with Load(pool, compute, 50):
            eventually(lambda: pool.stats().limit == 3)
            controller.answer = answer
            controller.await_calls(len(controller.windows) + 5)
            assert pool.stats().limit == 3
            eventually(
                lambda: any(r.levelno >= logging.WARNING and r.name == "surefoot" for r in caplog.records)
            )
            controller.answer = 4
            eventually(lambda: pool.stats().limit == 4, "the controller is asked again")


@pytest.mark.parametrize("error", ["SystemExit(2)", "KeyboardInterrupt()", "GeneratorExit()"])
def test_a_controller_cannot_end_anything(adaptive, error):
    """Whatever it raises is logged, once each time, and pool and interpreter go on."""
    code = f"""
    import io, logging, threading
    log = io.StringIO()
    logging.getLogger("surefoot").addHandler(logging.StreamHandler(log))
    asked = threading.Semaphore(0)
    class Controller:
        def decide(self, window):
            asked.release()
            raise {error}
    pool = Pool(4, controller=Controller(), interval_s=0.002)
    gate = threading.Event()
    held = [pool.submit(gate.wait) for _ in range(4)]
    for _ in range(5):
        asked.acquire()
    gate.set()
    print(pool.submit(pow, 2, 3).result(), "{error.partition("(")[0]}" in log.getvalue())
    """
    assert child.run_clean(code, adaptive.source).lines == ["8 True"]


def test_a_controller_is_not_asked_while_the_pool_is_idle(adaptive, pools):
    controller = Scripted(1)
    pool = pools(adaptive.new(2, controller=controller, interval_s=0.001))
    pool.submit(int).result(HANG_S)
    counts = []

    def quiet():
        counts.append(len(controller.windows))
        threading.Event().wait(0.05)  # many intervals: a pool that is idle stays so
        return counts.count(counts[-1]) > 3

    eventually(quiet, "no questions any more")


def test_a_slow_controller_holds_up_nobody_else(adaptive, pools):
    """The monitor serves every pool of the process."""
    entered, leave = threading.Event(), threading.Event()

    class Slow:
        def decide(self, window):
            entered.set()
            leave.wait(HANG_S)
            return window.limit

    slow, other = pools(adaptive.new(2, controller=Slow(), interval_s=0.005)), pools(adaptive.new(2))
    with Load(slow, compute, 10):
        try:
            assert entered.wait(HANG_S)
            assert other.submit(pow, 2, 3).result(HANG_S) == 8
            barrier = threading.Barrier(2)
            assert {f.result(HANG_S) for f in [other.submit(barrier.wait, HANG_S) for _ in range(2)]} == {
                0,
                1,
            }
            assert slow.submit(pow, 2, 3).result(HANG_S) == 8
        finally:
            leave.set()
