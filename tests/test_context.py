"""`context="copy"`: a task sees the context variables of its submitter."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

import child
import kinds
from patience import HANG_S, collected, eventually
from test_backpressure import EVERY, NATIVE, _named

pytestmark = pytest.mark.skipif(kinds.STANDARD_ONLY, reason="SUREFOOT_TEST_STANDARD_ONLY=1")

VARIABLE = contextvars.ContextVar("VARIABLE", default="default")


def read():
    return VARIABLE.get()


def write(value):
    before = VARIABLE.get()
    VARIABLE.set(value)
    return before


@pytest.fixture(params=EVERY, ids=_named)
def new(request):
    return request.param


@pytest.fixture(params=NATIVE, ids=_named)
def native(request):
    return request.param


@pytest.fixture
def variable():
    """Set the variable in this test's context alone."""
    token = VARIABLE.set("submitter's")
    yield VARIABLE
    VARIABLE.reset(token)


@pytest.mark.parametrize(
    ("wrong", "error"), [("inherit", ValueError), (1, TypeError), (contextvars.Context(), TypeError)]
)
def test_bad_choices(new, wrong, error):
    with pytest.raises(error, match="context"):
        new(1, context=wrong)


def test_without_it_tasks_run_in_the_workers_own(ours, pools, variable):
    pool = pools(ours.new(1))
    assert pool.submit(read).result(HANG_S) == "default"
    assert pool.submit(write, "task's").result(HANG_S) == "default"
    assert pool.submit(read).result(HANG_S) == "task's"


def test_a_task_sees_its_submitters_context(new, pools, variable):
    pool = pools(new(1, context="copy"))
    assert pool.submit(read).result(HANG_S) == "submitter's"
    assert list(pool.map(lambda _: read(), range(3))) == ["submitter's"] * 3
    assert contextvars.Context().run(pool.submit, read).result(HANG_S) == "default"


def test_it_is_a_copy_of_its_own(new, pools, variable):
    pool = pools(new(1, context="copy"))
    assert pool.submit(write, "task's").result(HANG_S) == "submitter's"
    assert pool.submit(read).result(HANG_S) == "submitter's"
    assert read() == "submitter's"


def test_it_is_copied_when_the_task_is_submitted(new, pools, gate, variable):
    pool = pools(new(1, context="copy"))
    gate.block(pool)
    future = pool.submit(read)
    VARIABLE.set("later")
    gate.open.set()
    assert future.result(HANG_S) == "submitter's"


def test_arguments_and_errors_pass_through(new, pools):
    pool = pools(new(1, context="copy"))

    def call(*args, **kwargs):
        return args, kwargs

    assert pool.submit(call, 1, a=2).result(HANG_S) == ((1,), {"a": 2})
    error = ValueError("on purpose")

    def fail():
        raise error

    assert pool.submit(fail).exception(HANG_S) is error
    assert pool.submit(read).result(HANG_S) == "default"


def test_tasks_of_tasks(native, pools, variable):
    pool = pools(native(2, context="copy"))

    def nested():
        VARIABLE.set("task's")
        return pool.submit(read).result(HANG_S)

    assert pool.submit(nested).result(HANG_S) == "task's"


def test_callers_run_in_a_copy_too(native, pools, gate, variable):
    pool = pools(native(1, context="copy", max_queue=0, queue_full="caller-runs"))
    gate.block(pool)
    assert pool.submit(write, "task's").result(timeout=0) == "submitter's"
    assert read() == "submitter's"


def test_the_figures_name_the_users_function(native, pools):
    pool = pools(native(1, context="copy"))
    for _ in range(3):
        pool.submit(read).result(HANG_S)
    pool.submit(functools.partial(write, 1)).result(HANG_S)
    eventually(lambda: sum(each.tasks for each in pool.stats().functions.values()) == 4)
    assert {name.rpartition(".")[2]: each.tasks for name, each in pool.stats().functions.items()} == {
        "read": 3,
        "write": 1,
    }


def test_a_replaced_submit(native, pools, variable, monkeypatch):
    original = ThreadPoolExecutor.submit

    def submit(self, fn, /, *args, **kwargs):
        return original(self, lambda *args, **kwargs: fn(*args, **kwargs), *args, **kwargs)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
    pool = pools(native(1, context="copy"))
    assert pool.submit(write, "task's").result(HANG_S) == "submitter's"
    assert pool.submit(read).result(HANG_S) == "submitter's"


def test_the_context_is_let_go(native, pools):
    """What it held is free as soon as the task has ended and nobody has the result."""
    pool = pools(native(1, context="copy"))

    class Value:
        pass

    def submit():
        value = Value()
        VARIABLE.set(value)
        return weakref.ref(value), pool.submit(read)

    reference, future = contextvars.copy_context().run(submit)
    assert future.result(HANG_S) is reference()
    del future
    collected(reference)


def test_a_cycle_through_a_queued_context_is_collected(native, pools, gate):
    pool = pools(native(1, context="copy"))
    gate.block(pool)

    class Value:
        pass

    def submit():
        value = Value()
        VARIABLE.set(value)
        value.future = pool.submit(read)
        value.future.cancel()
        return weakref.ref(value)

    reference = contextvars.copy_context().run(submit)
    gate.open.set()
    collected(reference)


def test_from_an_event_loop(native, pools, variable):
    async def main():
        VARIABLE.set("loop's")
        with native(2, context="copy") as pool:
            return await asyncio.get_running_loop().run_in_executor(pool, read)

    assert asyncio.run(main()) == "loop's"


def test_many_threads_at_once(new, pools):
    """Each sees its own."""
    pool = pools(new(4, context="copy"))

    def submit(number):
        VARIABLE.set(number)
        return [pool.submit(read) for _ in range(300)]

    with ThreadPoolExecutor(4) as submitters:
        runs = [submitters.submit(contextvars.Context().run, submit, number) for number in range(4)]
        for number, run in enumerate(runs):
            assert {f.result(HANG_S) for f in run.result(HANG_S)} == {number}


def test_a_task_that_leaves_the_context_by_itself(native, pools):
    """`Context.run` says so, and so do we; the worker goes on."""
    pool = pools(native(1, context="copy"))

    def enters_again():
        return contextvars.copy_context().run(read)

    assert pool.submit(enters_again).result(HANG_S) == "default"
    assert pool.submit(threading.current_thread).result(HANG_S) in tuple(pool._threads)


def test_under_the_kill_switch():
    code = """
    import contextvars, surefoot
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(7)
    with surefoot.AdaptiveThreadPoolExecutor(1, context="copy") as pool:
        print(pool.submit(variable.get).result())
    """
    assert child.run_clean(code, env={"SUREFOOT_DISABLE": "1"}).lines == ["7"]
