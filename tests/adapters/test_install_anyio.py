"""`surefoot.install()` under anyio: its contract for tasks and threads is kept on our pool.

anyio's own tests of `to_thread` and `from_thread` pass against it, too, but for one that counts the threads
which a loop leaves behind: ours belong to the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import weakref
from contextvars import ContextVar

import pytest

import child
import surefoot
from kinds import is_free_threaded
from patience import HANG_S, await_event, eventually

pytest.importorskip("anyio", reason="anyio is not installed")
import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
from anyio._backends import _asyncio as backend

from surefoot import FixedController
from surefoot.adapters.anyio import Backend, WorkerThreads

pytestmark = pytest.mark.skipif(
    os.environ.get("SUREFOOT_DISABLE") == "1", reason="SUREFOOT_DISABLE=1: install() does nothing"
)

ORIGINALS = {
    name: vars(backend.AsyncIOBackend)[name]
    for name in ("run_sync_in_worker_thread", "current_default_thread_limiter")
}


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    """Runs a coroutine function under anyio in a loop of either kind."""
    options = {}
    if request.param == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is not installed")
        options = {"use_uvloop": True}

    def run(main, *args):
        async def limited():
            with anyio.fail_after(HANG_S):
                return await main(*args)

        return anyio.run(limited, backend_options=options)

    return run


@pytest.fixture
def installation():
    with surefoot.install() as made:
        assert made.anyio == "pool"
        yield made
    for name, original in ORIGINALS.items():
        assert vars(backend.AsyncIOBackend)[name] is original


def is_of(installation):
    return threading.current_thread() in installation.executor._threads


def test_calls_without_a_limiter_run_on_the_pool(installation, run):
    async def main():
        mine = anyio.CapacityLimiter(1)
        default = anyio.to_thread.current_default_thread_limiter()
        return (
            await anyio.to_thread.run_sync(is_of, installation),
            await anyio.to_thread.run_sync(is_of, installation, limiter=default),
            await anyio.to_thread.run_sync(is_of, installation, limiter=mine),
            await asyncio.to_thread(is_of, installation),
        )

    assert run(main) == (True, True, False, True)


def test_what_ran_is_counted_by_its_own_name(installation, run):
    run(anyio.to_thread.run_sync, is_of, installation)
    stats = installation.stats()
    assert stats.tasks_done == 1
    assert f"{__name__}.is_of" in stats.functions


def test_the_context_is_a_copy_and_no_library_is_current(installation, run):
    variable = ContextVar("variable", default="outside")

    def inside():
        seen = variable.get()
        variable.set("thread's")
        return seen, anyio.get_cancelled_exc_class

    async def main():
        variable.set("task's")
        seen, current = await anyio.to_thread.run_sync(inside)
        with pytest.raises(anyio.NoEventLoopError):
            await anyio.to_thread.run_sync(current)
        return seen, variable.get()

    assert run(main) == ("task's", "task's")


def test_the_thread_can_call_back_into_its_loop(installation, run):
    async def name():
        await anyio.lowlevel.checkpoint()
        return threading.current_thread().name

    def inside():
        return anyio.from_thread.run(name), anyio.from_thread.run_sync(threading.get_ident)

    async def main():
        return await anyio.to_thread.run_sync(inside)

    assert run(main) == (threading.current_thread().name, threading.get_ident())


def test_nothing_of_a_call_stays_in_the_thread(run):
    with surefoot.install(max_workers=1):

        async def main():
            await anyio.to_thread.run_sync(anyio.from_thread.check_cancelled)
            with pytest.raises(anyio.NoEventLoopError):
                await asyncio.to_thread(anyio.from_thread.run_sync, int)

        run(main)


def test_a_portal_s_threads_run_on_the_pool(installation):
    with anyio.from_thread.start_blocking_portal() as portal:
        assert portal.call(anyio.to_thread.run_sync, is_of, installation)


def test_errors_come_through(installation, run):
    async def main():
        with pytest.raises(ZeroDivisionError):
            await anyio.to_thread.run_sync(divmod, 1, 0)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await anyio.to_thread.run_sync(next, iter(()))
        with pytest.raises(SystemExit):
            await anyio.to_thread.run_sync(exit_softly)

    run(main)
    assert installation.stats().tasks_failed == 3


def exit_softly():
    raise SystemExit(3)


@pytest.mark.skipif(is_free_threaded(), reason="without the GIL frames wait for the collector, anyio's too")
def test_a_failed_call_is_not_kept(installation, run):
    class Argument:
        pass

    gone = []

    def fail(argument):
        gone.append(weakref.ref(argument))
        raise ValueError

    async def main():
        with contextlib.suppress(ValueError):
            await anyio.to_thread.run_sync(fail, Argument())

    gc.disable()
    try:
        run(main)
        eventually(lambda: gone[0]() is None, "the argument is kept alive by a cycle")
    finally:
        gc.enable()


def test_a_running_call_is_waited_for(installation, run, gate):
    async def main():
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(cancel_and_open, scope)
                result = await anyio.to_thread.run_sync(gate, "result")
        return result, scope.cancel_called

    async def cancel_and_open(scope):
        await asyncio.get_running_loop().run_in_executor(None, gate.await_arrivals)
        scope.cancel()
        with anyio.CancelScope(shield=True):
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
        gate.open.set()

    assert run(main) == ("result", True)


def test_a_running_call_sees_that_it_is_cancelled(installation, run):
    started, cancelled, seen = threading.Event(), threading.Event(), []

    def inside():
        started.set()
        await_event(cancelled)
        try:
            anyio.from_thread.check_cancelled()
        except BaseException as error:
            seen.append(type(error))
            raise

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, inside)
            await asyncio.to_thread(started.wait, HANG_S)
            group.cancel_scope.cancel()
            cancelled.set()

    run(main)
    assert seen == [asyncio.CancelledError]


def test_a_call_that_may_be_abandoned_is(installation, run, gate):
    async def main():
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(cancel_when_it_runs, group.cancel_scope)
                await anyio.to_thread.run_sync(gate, abandon_on_cancel=True)
        return scope

    async def cancel_when_it_runs(scope):
        await asyncio.get_running_loop().run_in_executor(None, gate.await_arrivals)
        scope.cancel()

    run(main)
    assert not gate.open.is_set()
    assert installation.stats().tasks_running == 1
    gate.open.set()
    eventually(lambda: installation.stats().tasks_running == 0)


@pytest.mark.parametrize("abandon_on_cancel", [False, True])
def test_a_call_that_still_waits_for_a_thread_never_runs(run, gate, abandon_on_cancel):
    ran = []

    async def main(installation):
        async with anyio.create_task_group() as blocked:
            blocked.start_soon(anyio.to_thread.run_sync, gate)
            while installation.stats().tasks_running == 0:
                await anyio.sleep(0.001)
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(wait_and_cancel, installation, scope)
                    await anyio.to_thread.run_sync(ran.append, 1, abandon_on_cancel=abandon_on_cancel)
            assert scope.cancelled_caught
            gate.open.set()

    async def wait_and_cancel(installation, scope):
        while installation.stats().queue_length == 0:
            await anyio.sleep(0.001)
        scope.cancel()

    # Tokens for both, a thread for one; and a guard against blocked workers that is in no hurry.
    with surefoot.install(
        max_workers=2, controller=FixedController(limit=1), interval_s=30.0
    ) as installation:
        run(main, installation)
        # The worker passes by the cancelled task on its way to the end of the queue.
        eventually(lambda: installation.stats().tasks_cancelled == 1)
        assert ran == []


def test_a_native_cancellation_does_not_wait_for_the_thread(installation, run, gate):
    async def main():
        task = asyncio.ensure_future(anyio.to_thread.run_sync(gate))
        await asyncio.get_running_loop().run_in_executor(None, gate.await_arrivals)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not gate.open.is_set()

    run(main)


def test_a_cancelled_task_does_not_even_begin(installation, run):
    ran = []

    async def main():
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anyio.to_thread.run_sync(ran.append, 1)
        return scope.cancelled_caught

    assert run(main) is True
    assert ran == []


def test_a_loop_that_is_closed_meanwhile_is_no_error(installation, gate, caplog):
    async def main():
        left = asyncio.ensure_future(anyio.to_thread.run_sync(gate, abandon_on_cancel=True))
        while installation.stats().tasks_running == 0:
            await asyncio.sleep(0.001)
        assert not left.done()

    anyio.run(main)
    gate.open.set()
    eventually(lambda: installation.stats().tasks_running == 0)
    assert caplog.records == []


def test_the_default_limiter_is_the_program_s_to_write(run):
    everybody, at_once, most = threading.Lock(), [0], [0]

    def inside():
        with everybody:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        threading.Event().wait(0.002)
        with everybody:
            at_once[0] -= 1

    async def main(installation):
        limiter = anyio.to_thread.current_default_thread_limiter()
        assert limiter.total_tokens == installation.stats().cap
        limiter.total_tokens = 3
        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(anyio.to_thread.run_sync, inside)
            while limiter.statistics().tasks_waiting == 0:
                await anyio.lowlevel.checkpoint()
            assert limiter.statistics().borrowed_tokens == 3
        assert limiter.borrowed_tokens == 0

    with surefoot.install(max_workers=16, controller="fixed") as installation:
        run(main, installation)
    assert 1 <= most[0] <= 3


def test_a_limiter_gets_its_tokens_back(run):
    async def main():
        limiter = anyio.to_thread.current_default_thread_limiter()
        assert limiter.total_tokens == 40
        with surefoot.install():
            await anyio.to_thread.run_sync(int)
            assert anyio.to_thread.current_default_thread_limiter() is limiter
            assert limiter.total_tokens > 40
        assert limiter.total_tokens == 40
        limiter.total_tokens = 7
        with surefoot.install():
            await anyio.to_thread.run_sync(int)
            assert limiter.total_tokens == 7
            limiter.total_tokens = 9
        assert limiter.total_tokens == 9

    run(main)


def test_one_budget_for_both(run):
    """Two workers are two workers, whichever way the tasks come."""
    lock, at_once, most = threading.Lock(), [0], [0]

    def inside():
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        threading.Event().wait(0.002)
        with lock:
            at_once[0] -= 1

    async def main():
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(anyio.to_thread.run_sync, inside)
                group.start_soon(asyncio.to_thread, inside)

    with surefoot.install(max_workers=2, controller="fixed") as installation:
        run(main)
        assert installation.stats().tasks_done == 40
    assert 1 <= most[0] <= 2


def test_more_calls_that_wait_for_each_other_than_anyio_has_tokens(installation, run):
    everybody = threading.Barrier(60)

    async def main():
        async with anyio.create_task_group() as group:
            for _ in range(60):
                group.start_soon(anyio.to_thread.run_sync, everybody.wait, HANG_S)

    run(main)
    assert installation.stats().tasks_failed == 0


def test_calls_under_way_are_finished_after_uninstall(run, gate):
    async def main(installation):
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, gate)
            await asyncio.get_running_loop().run_in_executor(None, gate.await_arrivals)
            surefoot.uninstall()
            assert not await anyio.to_thread.run_sync(is_of, installation)
            gate.open.set()
        return installation.stats().tasks_done

    assert run(main, surefoot.install()) >= 1


def test_calls_that_wait_for_a_token_during_uninstall_are_anyio_s(run, gate):
    async def main(installation):
        anyio.to_thread.current_default_thread_limiter().total_tokens = 1
        answers = []

        async def ask():
            answers.append(await anyio.to_thread.run_sync(is_of, installation))

        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, gate)
            await asyncio.get_running_loop().run_in_executor(None, gate.await_arrivals)
            group.start_soon(ask)
            while anyio.to_thread.current_default_thread_limiter().statistics().tasks_waiting == 0:
                await anyio.lowlevel.checkpoint()
            surefoot.uninstall()
            gate.open.set()
        return answers

    assert run(main, surefoot.install()) == [False]


def test_an_unknown_anyio_is_left_alone(caplog):
    class Unknown:
        """A module with a backend of another shape."""

        class AsyncIOBackend(backend.AsyncIOBackend):
            @classmethod
            async def run_sync_in_worker_thread(cls, func, args, pool):
                raise NotImplementedError

        CancelScope = backend.CancelScope
        claim_worker_thread = backend.claim_worker_thread
        threadlocals = backend.threadlocals
        set_current_async_library = backend.set_current_async_library

    with pytest.raises(LookupError, match="does not take"):
        Backend(Unknown)
    before = dict(vars(Unknown.AsyncIOBackend))
    workers = WorkerThreads(None)
    workers.patch(Unknown)
    assert workers.mode == "untouched"
    assert dict(vars(Unknown.AsyncIOBackend)) == before
    assert "keeps its own threads" in caplog.text
    del Unknown.threadlocals
    with pytest.raises(LookupError, match="threadlocals"):
        Backend(Unknown)


def test_anyio_imported_later_is_covered():
    code = """
        import surefoot, sys, threading
        installation = surefoot.install()
        assert installation.anyio == "absent" and "anyio" not in sys.modules
        import anyio, anyio.to_thread
        async def main():
            thread = await anyio.to_thread.run_sync(threading.current_thread)
            return thread in installation.executor._threads
        print(anyio.run(main), installation.anyio)
        surefoot.uninstall()
        print(anyio.run(main), [finder for finder in sys.meta_path if type(finder).__name__ == "OnImport"])
        """
    assert child.run_clean(code).lines == ["True pool", "False []"]


def test_trio_is_left_alone(installation):
    pytest.importorskip("trio", reason="trio is not installed")

    async def main():
        return await anyio.to_thread.run_sync(is_of, installation)

    assert anyio.run(main, backend="trio") is False
