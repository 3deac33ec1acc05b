"""Nothing is kept alive longer than needed: functions, arguments, results, exceptions, futures."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest

from patience import HANG_S, collected, eventually


class Thing:
    def method(self):
        return None


def give_back(value):
    return value


@pytest.mark.parametrize("keep_future", [False, True], ids=["future dropped", "future kept"])
def test_arguments_are_freed_after_the_task(kind, pools, keep_future):
    pool = pools(kind.new(1))
    function, argument, keyword = Thing(), Thing(), Thing()
    alive = [weakref.ref(function), weakref.ref(argument), weakref.ref(keyword)]
    function.call = lambda argument, keyword: None
    future = pool.submit(function.call, argument, keyword=keyword)
    assert future.result(HANG_S) is None
    if not keep_future:
        del future
    del function, argument, keyword
    for ref in alive:
        collected(ref)


def test_arguments_are_freed_though_the_exception_is_kept(kind, pools):
    if not kind.ours and sys.version_info >= (3, 14):
        pytest.skip("3.14's WorkerContext.run keeps the arguments in its frame, so in the traceback")
    pool = pools(kind.new(1))
    argument, keyword = Thing(), Thing()
    alive = [weakref.ref(argument), weakref.ref(keyword)]

    def fail(argument, *, keyword):
        del argument, keyword
        raise ValueError

    future = pool.submit(fail, argument, keyword=keyword)
    assert isinstance(future.exception(HANG_S), ValueError)
    del argument, keyword
    for ref in alive:
        collected(ref)


def failing():
    raise ValueError


def test_a_worker_that_goes_idle_keeps_nothing(kind, pools):
    """gh-60488: the worker, waiting for the next task, must not hold the last one."""
    pool = pools(kind.new(1))
    thing = Thing()
    alive = weakref.ref(thing)
    pool.submit(thing.method)
    del thing
    collected(alive)


def test_the_result_dies_with_the_future(kind, pools):
    pool = pools(kind.new(1))
    future = pool.submit(Thing)
    alive = weakref.ref(future.result(HANG_S))
    assert alive() is not None
    del future
    collected(alive)


def test_the_future_dies_with_its_last_reference(kind, pools):
    pool = pools(kind.new(1))
    future = pool.submit(int)
    alive = weakref.ref(future)
    future.result(HANG_S)
    del future
    collected(alive)


def test_an_exception_does_not_keep_the_future(kind, pools):
    """`result()` breaks the cycle future -> exception -> traceback -> frame -> future."""
    pool = pools(kind.new(1))
    future = pool.submit(failing)
    alive = weakref.ref(future)
    gc.disable()
    try:
        try:
            future.result(HANG_S)
        except ValueError as error:
            kept = error
        del future
        pool.submit(int).result(HANG_S)
    finally:
        gc.enable()
    collected(alive)
    assert isinstance(kept, ValueError)


def test_cancelled_tasks_are_freed_when_a_worker_meets_them(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    thing = Thing()
    alive = weakref.ref(thing)
    future = pool.submit(thing.method)
    future.cancel()
    del thing
    gate.open.set()
    pool.submit(int).result(HANG_S)
    collected(alive)
    assert future.cancelled()


def test_tasks_cancelled_by_the_shutdown_are_freed(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    thing = Thing()
    alive = weakref.ref(thing)
    future = pool.submit(thing.method)
    del thing
    pool.shutdown(wait=False, cancel_futures=True)
    collected(alive)
    assert future.cancelled()


def test_a_future_in_its_own_attributes_is_collected(kind, pools):
    pool = pools(kind.new(1))
    future = pool.submit(int)
    future.itself = future
    future.result(HANG_S)
    alive = weakref.ref(future)
    del future
    collected(alive)


def test_a_future_in_its_own_result_is_collected(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    box = []
    future = pool.submit(give_back, box)
    box.append(future)
    alive = weakref.ref(future)
    gate.open.set()
    assert future.result(HANG_S) is box
    pool.submit(int).result(HANG_S)
    del box, future
    collected(alive)


def test_a_future_in_its_own_callback_is_collected(kind, pools):
    pool = pools(kind.new(1))
    future = pool.submit(int)
    future.add_done_callback(lambda _, itself=future: None)
    future.result(HANG_S)
    alive = weakref.ref(future)
    del future
    collected(alive)


def test_a_future_in_its_own_exception_is_collected(kind, pools):
    pool = pools(kind.new(1))
    future = pool.submit(failing)
    future.exception(HANG_S).future = future
    alive = weakref.ref(future)
    del future
    collected(alive)


def test_a_future_without_a_pool_is_collected_in_a_cycle(kind):
    future = kind.future_cls()
    future.add_done_callback(lambda _, itself=future: None)
    alive = weakref.ref(future)
    del future
    collected(alive)


def test_gc_sees_what_a_future_holds(kind, pools):
    pool = pools(kind.new(1))
    thing = Thing()
    future = pool.submit(give_back, thing)
    future.result(HANG_S)
    reachable, todo = set(), [future]
    while todo:
        for referent in gc.get_referents(todo.pop()):
            if id(referent) not in reachable and not isinstance(referent, type):
                reachable.add(id(referent))
                if isinstance(referent, dict):
                    todo.append(referent)
    assert id(thing) in reachable


def test_a_dropped_future_does_not_stop_its_task(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    ran = []
    for number in range(100):
        pool.submit(ran.append, number)
    gc.collect()
    gate.open.set()
    pool.submit(int).result(HANG_S)
    assert ran == list(range(100))


def test_the_last_future_may_die_in_the_worker(kind, pools):
    """A result whose destructor submits: the worker must hold no lock while it drops references."""
    pool = pools(kind.new(1))
    submitted = []

    class Resubmits:
        def __del__(self):
            submitted.append(pool.submit(pow, 2, 5))

    pool.submit(Resubmits)

    def resubmitted():
        # Without the GIL an object may die only when the thread that made it comes round to it.
        pool.submit(int).result(HANG_S)
        gc.collect()
        return submitted

    eventually(resubmitted)
    assert submitted[0].result(HANG_S) == 32
    Resubmits.__del__ = lambda self: None
