"""Where the workers' time goes: in all, and by function.

What is asserted are shares of one run. Other loads of the machine add to the run queue, so that a share is
compared with what the same record says of the run queue, or with another share.
"""

from __future__ import annotations

import contextvars
import functools
import threading
import time
from concurrent.futures import wait

import pytest

import surefoot
from kinds import is_free_threaded
from patience import HANG_S, eventually

SOURCES = {"exact", "sampled", "bound"}


def check(shares):
    """What holds for every record."""
    assert shares.cpu + shares.runqueue + shares.blocked == pytest.approx(1)
    assert all(0 <= share <= 1 for share in (shares.cpu, shares.runqueue, shares.blocked, shares.error))
    least, most = shares.gil_bounds
    assert 0 <= least <= most <= shares.blocked + 1e-9
    assert shares.source in SOURCES
    if shares.gil is None:
        assert shares.io is None
        assert shares.source == "bound"
    else:
        assert shares.gil + shares.io == pytest.approx(shares.blocked)
        assert shares.source != "bound"
    return shares


def spin(cpu_s):
    end = time.thread_time() + cpu_s
    while time.thread_time() < end:
        pass


def nap():
    time.sleep(0.02)


@pytest.fixture(params=["adaptive", "fixed"])
def make(request, pools):
    """A pool that has windows, and one that knows its tasks alone."""
    options = {"interval_s": 0.05} if request.param == "adaptive" else {"controller": "fixed"}
    return lambda workers: pools(surefoot.AdaptiveThreadPoolExecutor(workers, **options))


def least_disturbed(measure):
    """Of three records the one with the least run queue: what others take says nothing of ours."""
    return min((measure() for _ in range(3)), key=lambda shares: shares.runqueue)


def test_an_unused_pool_has_none(make):
    stats = make(2).stats()
    assert stats.shares is None
    assert dict(stats.functions) == {}
    assert stats.workers_joining == 0


def test_sleep_is_io(make):
    pool = make(4)
    wait([pool.submit(nap) for _ in range(60)], HANG_S)
    for shares in (pool.stats().shares, pool.stats().functions[f"{__name__}.nap"].shares):
        check(shares)
        assert shares.blocked > 0.8 * (1 - shares.runqueue)
        assert shares.cpu < 0.1
        if shares.io is not None:
            assert shares.io > 0.8 - shares.runqueue - shares.error


def test_what_other_threads_wait_for_the_gil_is_not_the_tasks(pools):
    """Two threads that fight for the GIL beside a pool whose only task sleeps nearly all the time."""
    pool = pools(surefoot.AdaptiveThreadPoolExecutor(1, interval_s=0.05))
    stop = threading.Event()

    def fight():
        while not stop.is_set():
            spin(0.01)

    fighters = [threading.Thread(target=fight) for _ in range(2)]
    for fighter in fighters:
        fighter.start()
    try:
        wait([pool.submit(time.sleep, 0.2) for _ in range(15)], HANG_S)
    finally:
        stop.set()
        for fighter in fighters:
            fighter.join()
    shares = check(pool.stats().shares)
    if shares.gil is not None and not is_free_threaded():
        # One of the fighters waits at any moment: taken for the task's, it would be all of its time.
        assert shares.gil < 0.5 * (1 - shares.runqueue), shares


def test_a_single_spinner_is_cpu(make):
    def measure():
        pool = make(1)
        wait([pool.submit(spin, 0.02) for _ in range(20)], HANG_S)
        return check(pool.stats().shares)

    shares = least_disturbed(measure)
    assert shares.cpu > 3 * shares.blocked * (1 - shares.runqueue)
    assert shares.cpu + shares.runqueue > 0.75


@pytest.mark.skipif(is_free_threaded(), reason="there is no GIL to wait for")
def test_spinners_in_each_others_way_are_not_io(pools):
    pool = pools(surefoot.AdaptiveThreadPoolExecutor(4, interval_s=0.05, min_workers=4, controller="paper"))
    wait([pool.submit(spin, 0.02) for _ in range(60)], HANG_S)
    shares = check(pool.stats().shares)
    assert shares.blocked > 0.3
    if shares.gil is None:
        assert shares.gil_bounds[1] > 0.3
    else:
        assert shares.gil > 2 * shares.io - shares.error


@pytest.mark.skipif(not is_free_threaded(), reason="this interpreter has a GIL")
def test_without_a_gil_nobody_waits_for_it(pools):
    pool = pools(surefoot.AdaptiveThreadPoolExecutor(4, interval_s=0.05))
    wait([pool.submit(spin, 0.02) for _ in range(60)], HANG_S)
    shares = check(pool.stats().shares)
    assert shares.gil == 0


def test_an_unseen_gil_is_not_guessed(pools):
    """A pool of constant size has no windows: nobody looks at the interpreter's lock."""
    pool = pools(surefoot.AdaptiveThreadPoolExecutor(2, controller="fixed"))
    wait([pool.submit(nap) for _ in range(10)], HANG_S)
    shares = check(pool.stats().shares)
    assert (shares.gil, shares.io, shares.source) == (None, None, "bound")
    assert shares.gil_bounds[1] == pytest.approx(shares.blocked)
    assert "of that GIL" in str(shares)


def test_functions_are_told_apart(make):
    pool = make(3)
    wait([pool.submit(nap) for _ in range(12)] + [pool.submit(spin, 0.01) for _ in range(8)], HANG_S)
    functions = pool.stats().functions
    napped, spun = functions[f"{__name__}.nap"], functions[f"{__name__}.spin"]
    assert (napped.tasks, spun.tasks) == (12, 8)
    assert napped.shares.cpu < spun.shares.cpu
    assert spun.cpu_s > napped.cpu_s
    assert min(napped.wall_s, spun.wall_s) > 0
    assert napped.queued_s + spun.queued_s > 0


class Worker:
    def method(self):
        pass

    def __call__(self):
        pass

    @staticmethod
    def static():
        pass


def wrapping(function):
    @functools.wraps(function)
    def wrapper():
        return function()

    return wrapper


@wrapping
def first():
    pass


@wrapping
def second():
    pass


class Wrapping:
    """A callable object that says what it calls."""

    def __init__(self, function):
        self.__wrapped__ = function

    def __call__(self):
        return self.__wrapped__()


def wrapped():
    pass


CALLABLES = {
    "Worker.method": Worker().method,
    "Worker": Worker(),
    "Worker.static": Worker.static,
    "first": first,
    "second": second,
    "nap": functools.partial(functools.partial(nap)),
    "wrapped": Wrapping(functools.partial(wrapped)),
}


def test_names(make):
    pool = make(2)
    for _ in range(3):
        wait([pool.submit(function) for function in CALLABLES.values()], HANG_S)
        wait([pool.submit(int), pool.submit(time.sleep, 0), pool.submit(functools.partial(int, "7"))], HANG_S)
        context = contextvars.copy_context()
        pool.submit(context.run, spin, 0).result(HANG_S)
        pool.submit(functools.partial(context.run, spin, 0)).result(HANG_S)
    functions = pool.stats().functions
    counts = {name: stats.tasks for name, stats in functions.items()}
    expected = {f"{__name__}.{name}": 3 for name in CALLABLES}
    assert counts == expected | {"builtins.int": 6, "time.sleep": 3, f"{__name__}.spin": 6}


def test_names_are_bounded(make):
    pool = make(2)
    scope = {"__name__": "many"}
    for number in range(100):
        exec(f"def f{number}(): pass", scope)
    for _ in range(2):
        wait([pool.submit(scope[f"f{number}"]) for number in range(100)], HANG_S)
    functions = pool.stats().functions
    assert len(functions) == 65
    assert sum(stats.tasks for stats in functions.values()) == pool.stats().tasks_done == 200
    assert functions["many.f0"].tasks == 2
    assert functions["(others)"].tasks == 2 * 36


def test_a_failing_name_is_no_error(make):
    class Odd:
        __module__ = 7

        def __call__(self):
            return 7

    pool = make(1)
    assert pool.submit(Odd()).result(HANG_S) == 7
    assert pool.stats().functions["(others)"].tasks == 1


def test_windows_and_tasks_agree(pools):
    """Two ways to the same figure: clocks of all workers, and of each task."""
    pool = pools(surefoot.AdaptiveThreadPoolExecutor(4, interval_s=0.02, min_workers=4))
    wait(
        [pool.submit(function) for _ in range(40) for function in (nap, functools.partial(spin, 0.005))],
        HANG_S,
    )
    eventually(lambda: pool.stats().tasks_running == 0)
    stats = pool.stats()
    check(stats.shares)
    wall_s = sum(function.wall_s for function in stats.functions.values())
    cpu_s = sum(function.cpu_s for function in stats.functions.values())
    assert stats.shares.cpu == pytest.approx(cpu_s / wall_s, abs=0.1)


def test_shown(make):
    pool = make(2)
    pool.submit(nap).result(HANG_S)
    eventually(lambda: pool.stats().shares is not None)
    page = pool.stats()._repr_html_()
    assert f"{__name__}.nap" in page
    assert str(pool.stats().functions[f"{__name__}.nap"].shares) in page.replace("&#x27;", "'")


def test_a_wait_for_the_own_pool_is_counted(pools):
    pool = pools(surefoot.AdaptiveThreadPoolExecutor(2))
    opened = threading.Event()
    inner = []

    def outer():
        inner.append(pool.submit(opened.wait, HANG_S))
        return inner[0].result()

    future = pool.submit(outer)
    eventually(lambda: pool.stats().workers_joining == 1, "outer waits for inner")
    opened.set()
    assert future.result(HANG_S)
    assert pool.stats().workers_joining == 0
