"""Observation from below: calls are measured in whatever thread they are made, and nothing else changes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import os
import sys
import threading
import time
import traceback
import weakref
from concurrent.futures import ThreadPoolExecutor, _base, thread, wait

import pytest

import surefoot
from kinds import STANDARD_ONLY
from patience import HANG_S, await_event, eventually
from surefoot.profile.session import Session

pytestmark = pytest.mark.skipif(STANDARD_ONLY, reason="SUREFOOT_TEST_STANDARD_ONLY=1: nothing is observed")


@pytest.fixture
def session():
    session = Session().start()
    assert session.is_on
    yield session
    session.stop()


def functions(session):
    return {function.name.rpartition(".")[2]: function for function in session.profile().functions}


def pools(session):
    return {pool.name: pool for pool in session.profile().pools}


def nothing():
    pass


def fails():
    raise LookupError("on purpose")


def test_everything_is_put_back():
    before = (thread.ThreadPoolExecutor.__dict__["submit"], _base.Future.result, _base.Future.exception)
    first, second = Session().start(), Session().start()
    assert thread.ThreadPoolExecutor.submit is not before[0]
    first.stop()
    assert thread.ThreadPoolExecutor.submit is not before[0], "another is still there"
    second.stop()
    second.stop()
    assert (
        thread.ThreadPoolExecutor.__dict__["submit"],
        _base.Future.result,
        _base.Future.exception,
    ) == before


def test_a_patch_above_ours_stays_and_works():
    original = ThreadPoolExecutor.submit
    session = Session().start()
    ours = ThreadPoolExecutor.submit
    seen = []

    def above(self, fn, /, *args, **kwargs):
        seen.append(fn)
        return ours(self, fn, *args, **kwargs)

    ThreadPoolExecutor.submit = above
    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(nothing).result(HANG_S)
            session.stop()
            assert ThreadPoolExecutor.submit is above
            pool.submit(nothing).result(HANG_S)
            # A new session observes below or above it, but once.
            with surefoot.profile() as again:
                pool.submit(nothing).result(HANG_S)
        assert [function.calls for function in again.functions] == [1]
        assert len(seen) == 3
    finally:
        ThreadPoolExecutor.submit = original
    assert functions(session)["nothing"].calls == 1


def test_calls_are_counted_by_function_and_pool(session):
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as pool:
        futures = [pool.submit(nothing) for _ in range(30)] + [pool.submit(fails) for _ in range(5)]
        assert sum(isinstance(future.exception(HANG_S), LookupError) for future in futures) == 5
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as other:
        other.submit(functools.partial(nothing)).result(HANG_S)
    found = functions(session)
    assert (found["nothing"].calls, found["nothing"].failed) == (31, 0)
    assert (found["fails"].calls, found["fails"].failed) == (5, 5)
    assert found["nothing"].queued.max_ns >= found["nothing"].queued.p50_ns > 0
    assert {name: (pool.tasks, pool.cap, pool.kind) for name, pool in pools(session).items()} == {
        "mine": (35, 2, "standard"),
        "mine (2)": (1, 1, "standard"),
    }


def test_results_exceptions_and_order_are_the_standard_ones(session):
    order = []

    def note(number, *, times=1):
        order.append(number)
        return number * times

    with ThreadPoolExecutor(1) as pool:
        futures = [pool.submit(note, number, times=3) for number in range(20)]
        assert [future.result(HANG_S) for future in futures] == [3 * number for number in range(20)]
        assert order == list(range(20))
        assert list(pool.map(note, range(3))) == [0, 1, 2]
        with pytest.raises(TypeError):
            pool.submit()
        with pytest.raises(TypeError):
            pool.submit(note).result(HANG_S)
        assert type(futures[0]) is _base.Future
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(note, 1)


def frames(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def test_tracebacks_gain_at_most_one_frame():
    with ThreadPoolExecutor(1) as pool:
        plain = pool.submit(fails).exception(HANG_S)
        with surefoot.profile():
            observed = pool.submit(fails).exception(HANG_S)
    assert frames(observed) == frames(plain)


def test_a_subclass_that_calls_super_is_observed(session):
    class Counting(ThreadPoolExecutor):
        submitted = 0

        def submit(self, fn, /, *args, **kwargs):
            self.submitted += 1
            return super().submit(fn, *args, **kwargs)

    with Counting(1) as pool:
        pool.submit(nothing).result(HANG_S)
        assert pool.submitted == 1
    assert functions(session)["nothing"].calls == 1


def test_what_was_submitted_looks_like_the_function(session):
    """Tools read the work item: its name, what it wraps, its text."""
    entered, leave = threading.Event(), threading.Event()

    def block():
        entered.set()
        await_event(leave, "leaving")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(block)
        await_event(entered, "entering")
        pool.submit(nothing)
        item = pool._work_queue.get_nowait()
        leave.set()
        function = item.fn if hasattr(item, "fn") else item.task[0]
        assert function.__wrapped__ is nothing
        assert function.__name__ == "nothing"
        assert repr(function) == repr(nothing)


def test_cancelled_tasks_leave_the_queue(session):
    entered, leave = threading.Event(), threading.Event()

    def block():
        entered.set()
        await_event(leave, "leaving")

    with ThreadPoolExecutor(1, thread_name_prefix="queue") as pool:
        pool.submit(block)
        await_event(entered, "entering")
        futures = [pool.submit(nothing) for _ in range(10)]
        assert all(future.cancel() for future in futures)
        leave.set()
    read = session._observation.read
    eventually(lambda: not any(pool["queue_length"] for pool in read()["pools"]), "the queue is empty")
    found = pools(session)["queue"]
    assert (found.queue_peak, found.tasks) == (10, 1)
    assert "nothing" not in functions(session)


def test_nothing_is_kept_alive(session):
    class Argument:
        def method(self):
            pass

    argument = Argument()
    gone = weakref.ref(argument)
    pool = ThreadPoolExecutor(1)
    pool.submit(argument.method).result(HANG_S)
    pool.shutdown()
    executor = weakref.ref(pool)
    del argument, pool

    def is_gone():
        gc.collect()
        return gone() is None and executor() is None

    eventually(is_gone, "function and executor are gone")


def test_asyncio_threads_are_observed(session):
    async def main():
        await asyncio.gather(*(asyncio.to_thread(nothing) for _ in range(5)))

    asyncio.run(main())
    assert functions(session)["nothing"].calls == 5
    assert "asyncio" in pools(session)


@pytest.mark.parametrize("is_imported", [True, False])
def test_anyio_threads_are_observed(is_imported, tmp_path):
    pytest.importorskip("anyio", reason="anyio is not installed")
    import subprocess

    program = tmp_path / "program.py"
    program.write_text(
        ("import anyio, anyio._backends._asyncio\n" if is_imported else "") + "import surefoot\n"
        "def work(): return 7\n"
        "with surefoot.profile() as profile:\n"
        "    import anyio\n"
        "    async def main():\n"
        "        for _ in range(5):\n"
        "            assert await anyio.to_thread.run_sync(work) == 7\n"
        "    anyio.run(main)\n"
        "    backend = anyio._backends._asyncio.AsyncIOBackend\n"
        "    assert hasattr(backend.run_sync_in_worker_thread, '__wrapped__')\n"
        "assert not hasattr(backend.run_sync_in_worker_thread, '__wrapped__')\n"
        "print([(each.name, each.calls) for each in profile.functions])\n"
        "print([(each.name, each.kind, each.cap) for each in profile.pools])\n"
        "import sys\n"
        "assert not any('surefoot' in type(each).__module__ for each in sys.meta_path)\n"
    )
    ran = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert ran.stdout.splitlines() == ["[('__main__.work', 5)]", "[('anyio worker threads', 'threads', 40)]"]


def test_pools_of_ours_are_read_and_not_wrapped(session):
    with surefoot.AdaptiveThreadPoolExecutor(4, thread_name_prefix="ours", interval_s=0.05) as pool:
        futures = [pool.submit(time.sleep, 0.005) for _ in range(40)]
        assert type(futures[0]) is surefoot.Future
        wait(futures, HANG_S)
    found = pools(session)["ours"]
    assert (found.kind, found.tasks, found.cap) == ("surefoot", 40, 4)
    assert found.workers_peak >= 1
    slept = functions(session)["sleep"]
    assert slept.calls == 40
    assert slept.wall.p50_ns > 1e6
    session.stop()
    assert any(point.limit is not None for point in session.profile().timeline)


def test_a_pool_of_ours_that_lived_before_counts_from_now():
    with surefoot.AdaptiveThreadPoolExecutor(2) as pool:
        wait([pool.submit(nothing) for _ in range(10)], HANG_S)
        with surefoot.profile() as profile:
            wait([pool.submit(nothing) for _ in range(3)], HANG_S)
        wait([pool.submit(nothing) for _ in range(10)], HANG_S)
    assert [function.calls for function in profile.functions] == [3]
    assert sum(found.tasks for found in profile.pools) == 3


def test_many_names_and_pools_are_bounded(session):
    made = {}
    exec("".join(f"def f{number}(): pass\n" for number in range(100)), made)
    for number in range(100):
        with ThreadPoolExecutor(1, thread_name_prefix=f"pool{number}") as pool:
            pool.submit(made[f"f{number}"]).result(HANG_S)
    profile = session.profile()
    assert len(profile.functions) == 65
    assert len(profile.pools) == 33
    assert sum(function.calls for function in profile.functions) == 100
    assert sum(pool.tasks for pool in profile.pools) == 100


def test_threads_at_once_lose_no_call(session):
    def submit_many(pool):
        wait([pool.submit(nothing) for _ in range(500)], HANG_S)

    with ThreadPoolExecutor(4) as pool:
        threads = [threading.Thread(target=submit_many, args=(pool,)) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(HANG_S)
    assert functions(session)["nothing"].calls == 2000


def seen_joining(session, prefix):
    """Pools of surefoot's that other tests left are met, too: the number alone says nothing."""
    numbers = [known.number for known in session._known.values() if known.name.startswith(prefix)]
    pools = session._observation.read()["pools"]
    return max((pools[number]["joining_peak"] for number in numbers), default=0)


def test_a_wait_inside_a_task_for_its_own_pool_is_counted(session):
    with ThreadPoolExecutor(3, thread_name_prefix="nested") as pool:
        entered = threading.Semaphore(0)
        leave = threading.Event()

        def inner():
            await_event(leave, "leaving")
            return 1

        def outer():
            entered.release()
            return pool.submit(inner).result(HANG_S)

        futures = [pool.submit(outer) for _ in range(2)]
        for _ in futures:
            assert entered.acquire(timeout=HANG_S)
        eventually(lambda: seen_joining(session, "nested") == 2, "both wait")
        leave.set()
        assert [future.result(HANG_S) for future in futures] == [1, 1]
    warned = session.profile().warnings
    assert warned == (), "two of three is not near"


def test_nested_waits_that_take_all_workers_but_one_are_warned_of(session):
    with ThreadPoolExecutor(4, thread_name_prefix="nested") as pool:
        together = threading.Barrier(3)

        def inner():
            return 1

        def outer():
            together.wait(HANG_S)
            return pool.submit(inner).result(HANG_S)

        # One worker is kept from the inner tasks until the other three wait.
        keeper = pool.submit(eventually, lambda: seen_joining(session, "nested") == 3, "all wait")
        futures = [pool.submit(outer) for _ in range(3)]
        keeper.result(HANG_S)
        wait(futures, HANG_S)
    assert "nested-waits" in {warning.kind for warning in session.profile().warnings}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_goes_on_unobserved(session):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(nothing).result(HANG_S)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with ThreadPoolExecutor(1) as own:
                    code = 0 if own.submit(lambda: 5).result(HANG_S) == 5 else 2
                session.stop()
                session.profile()
                with surefoot.profile() as mine, ThreadPoolExecutor(1) as own:
                    own.submit(nothing).result(HANG_S)
                code = code or (0 if [each.calls for each in mine.functions] == [1] else 3)
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        pool.submit(nothing).result(HANG_S)
    assert functions(session)["nothing"].calls == 2


def test_the_holder_of_the_lock_is_charged():
    if (
        getattr(sys, "_is_gil_enabled", lambda: True)() is False
        or surefoot._core.gil_reading()["kind"] != "seen"
    ):
        pytest.skip("the interpreter's lock cannot be seen here")

    def spin():
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass

    with surefoot.profile() as profile, concurrent.futures.ThreadPoolExecutor(3) as pool:
        wait([pool.submit(spin) for _ in range(40)], HANG_S)
    (function,) = profile.functions
    assert function.bottleneck == "gil"
    assert function.gil_demand_ns == pytest.approx(function.cpu_mean_ns, rel=0.2)
    assert function.gil_demand_error_ns < 0.2 * function.gil_demand_ns
