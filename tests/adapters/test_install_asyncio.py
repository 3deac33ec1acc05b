"""`surefoot.install()` under asyncio and uvloop: whose threads run what, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import asyncio.base_events
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import child
import surefoot
from patience import HANG_S, await_event, eventually

pytestmark = pytest.mark.skipif(
    os.environ.get("SUREFOOT_DISABLE") == "1", reason="SUREFOOT_DISABLE=1: install() does nothing"
)

ORIGINAL = vars(asyncio.base_events.BaseEventLoop)["run_in_executor"]


def uvloop_or_skip():
    return pytest.importorskip("uvloop", reason="uvloop is not installed")


@pytest.fixture(params=["asyncio", "uvloop"])
def new_loop(request):
    """Makes event loops of either kind."""
    if request.param == "asyncio":
        return asyncio.new_event_loop
    return uvloop_or_skip().new_event_loop


@pytest.fixture
def run(new_loop):
    """Runs a coroutine in a new loop and ends the loop as `asyncio.run` does."""

    def run(main):
        loop = new_loop()
        try:
            return loop.run_until_complete(asyncio.wait_for(main, HANG_S))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    return run


@pytest.fixture
def installation():
    yield from installed()


def installed(**options):
    with surefoot.install(**options) as made:
        yield made
    assert not made.is_active
    for thread in tuple(made.executor._threads):
        thread.join(HANG_S)
        assert not thread.is_alive()


def is_of(installation):
    return threading.current_thread() in installation.executor._threads


def test_to_thread_and_the_default_executor_run_on_the_pool(installation, run):
    async def main():
        loop = asyncio.get_running_loop()
        return await asyncio.to_thread(is_of, installation), await loop.run_in_executor(
            None, is_of, installation
        )

    assert run(main()) == (True, True)
    assert installation.stats().tasks_done == 2


def test_a_loop_that_ran_before_is_covered_and_gets_back_what_it_had(new_loop):
    async def main():
        loop = asyncio.get_running_loop()
        mine = threading.current_thread()
        before = await asyncio.to_thread(threading.current_thread)
        with surefoot.install() as installation:
            assert await asyncio.to_thread(is_of, installation)
        after = await asyncio.to_thread(threading.current_thread)
        assert before is not mine
        return before, after, installation.executor._threads, loop

    loop = new_loop()
    try:
        before, after, ours, _ = loop.run_until_complete(main())
        assert after is before
        assert after not in ours
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


def test_uninstall_restores_to_the_letter():
    loop = asyncio.new_event_loop()
    try:
        with surefoot.install() as installation:
            assert loop.run_until_complete(asyncio.wait_for(_in_default(loop, installation), HANG_S))
            assert isinstance(loop._default_executor, ThreadPoolExecutor)
            assert vars(asyncio.base_events.BaseEventLoop)["run_in_executor"] is not ORIGINAL
        assert loop._default_executor is None
        assert vars(asyncio.base_events.BaseEventLoop)["run_in_executor"] is ORIGINAL
    finally:
        loop.close()


def test_uvloop_is_restored_to_the_letter():
    loops = uvloop_or_skip().Loop
    assert "run_in_executor" not in vars(loops)
    with surefoot.install():
        assert "run_in_executor" in vars(loops)
    assert "run_in_executor" not in vars(loops)


async def _in_default(loop, installation):
    return await loop.run_in_executor(None, is_of, installation)


def test_names_are_looked_up_on_the_pool(installation):
    async def main():
        return await asyncio.get_running_loop().getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)

    assert asyncio.run(main())
    assert "socket.getaddrinfo" in installation.stats().functions


def test_the_pool_outlives_the_loops(installation, run):
    async def main():
        return await asyncio.to_thread(is_of, installation)

    assert [run(main()) for _ in range(3)] == [True] * 3
    assert installation.stats().tasks_done == 3


def test_the_end_of_a_loop_waits_for_its_tasks_alone(installation, gate):
    ended = threading.Event()

    async def main():
        asyncio.get_running_loop().run_in_executor(None, ended.wait, HANG_S)

    # Another's task, which is still under way when the loop has ended.
    other = installation.executor.submit(gate)
    gate.await_arrivals()
    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    eventually(lambda: installation.stats().tasks_running == 2)
    thread.join(0.05)
    assert thread.is_alive(), "the loop did not wait for its task"
    ended.set()
    thread.join(HANG_S)
    assert not thread.is_alive()
    assert not other.done()
    gate.open.set()
    other.result(HANG_S)


def test_no_task_is_taken_after_the_default_executor_was_shut_down(installation, new_loop):
    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(int)
        await loop.shutdown_default_executor()
        with pytest.raises(RuntimeError, match="shutdown"):
            loop.run_in_executor(None, int)

    loop = new_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_executor_that_somebody_chose_is_left_alone(new_loop, when):
    loop = new_loop()
    with ThreadPoolExecutor(2, "mine") as mine:
        if when == "before":
            loop.set_default_executor(mine)
        with surefoot.install() as installation:
            if when == "after":
                assert loop.run_until_complete(_in_default(loop, installation))
                loop.set_default_executor(mine)
            assert not loop.run_until_complete(_in_default(loop, installation))
        assert not loop.run_until_complete(_in_default(loop, installation))
        loop.close()


def test_an_explicit_executor_is_left_alone(installation, run):
    async def main():
        with ThreadPoolExecutor(1) as mine:
            return await asyncio.get_running_loop().run_in_executor(mine, is_of, installation)

    assert run(main()) is False


def test_what_a_loop_holds_shows_the_pool(installation):
    async def main():
        await asyncio.to_thread(int)
        return asyncio.get_running_loop()._default_executor

    face = asyncio.run(main())
    assert face._max_workers == installation.executor._max_workers
    assert face._work_queue.qsize() == 0
    assert face._threads is installation.executor._threads
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        face.submit(int)


def test_more_tasks_that_wait_for_each_other_than_a_default_executor_has_threads(installation, run):
    everybody = threading.Barrier(60)

    async def main():
        return await asyncio.gather(*(asyncio.to_thread(everybody.wait, HANG_S) for _ in range(60)))

    assert sorted(run(main())) == list(range(60))


def test_tasks_under_way_are_finished_after_uninstall(gate):
    async def main(installation):
        waiting = asyncio.ensure_future(asyncio.to_thread(gate, "done"))
        await asyncio.get_running_loop().run_in_executor(installation.executor, gate.await_arrivals)
        surefoot.uninstall()
        assert not is_of(installation)
        assert not await asyncio.to_thread(is_of, installation)
        gate.open.set()
        return await waiting

    installation = surefoot.install()
    assert asyncio.run(main(installation)) == "done"


def test_installing_twice_is_one_installation():
    first = surefoot.install(max_workers=8)
    try:
        assert surefoot.install() is first
        assert surefoot.install(max_workers=8) is first
        with pytest.raises(RuntimeError, match="other options"):
            surefoot.install(max_workers=9)
    finally:
        surefoot.uninstall()
    assert not first.is_active
    surefoot.uninstall()  # Nothing is installed, and nothing happens.
    with surefoot.install(max_workers=9) as second:
        assert second is not first
        assert second.stats().cap == 9


def test_blocks_may_be_nested():
    with surefoot.install() as outer:
        with surefoot.install() as inner:
            assert inner is outer
        assert outer.is_active
    assert not outer.is_active


def test_a_block_does_not_undo_what_was_installed_for_good():
    kept = surefoot.install()
    try:
        with surefoot.install():
            pass
        assert kept.is_active
    finally:
        surefoot.uninstall()


@pytest.mark.parametrize(
    ("options", "error"),
    [({"max_workers": 0}, ValueError), ({"controller": "none"}, ValueError), ({"no_such": 1}, TypeError)],
)
def test_bad_options_are_refused_and_nothing_is_installed(options, error):
    with pytest.raises(error):
        surefoot.install(**options)
    assert vars(asyncio.base_events.BaseEventLoop)["run_in_executor"] is ORIGINAL


def test_a_patch_laid_over_ours_survives_and_works():
    cls = asyncio.base_events.BaseEventLoop
    calls = []
    with surefoot.install() as installation:
        ours = cls.run_in_executor

        def theirs(loop, executor, func, *args):
            calls.append(func)
            return ours(loop, executor, func, *args)

        cls.run_in_executor = theirs
        assert asyncio.run(_to_thread(installation)) is True
    try:
        assert cls.run_in_executor is theirs
        assert asyncio.run(_to_thread(installation)) is False
        assert len(calls) == 2
    finally:
        cls.run_in_executor = ORIGINAL


async def _to_thread(installation):
    return await asyncio.to_thread(is_of, installation)


def test_installing_and_uninstalling_while_loops_run():
    stop = threading.Event()
    failures = []

    async def main():
        while not stop.is_set():
            assert await asyncio.gather(*(asyncio.to_thread(abs, -n) for n in range(5))) == [0, 1, 2, 3, 4]

    def loop():
        try:
            asyncio.run(main())
        except BaseException as error:
            failures.append(error)

    def toggle():
        try:
            for _ in range(60):
                with surefoot.install():
                    pass
        except BaseException as error:
            failures.append(error)

    loops = [threading.Thread(target=loop) for _ in range(3)]
    toggles = [threading.Thread(target=toggle) for _ in range(3)]
    for thread in loops + toggles:
        thread.start()
    for thread in toggles:
        thread.join(HANG_S)
    stop.set()
    for thread in loops:
        thread.join(HANG_S)
        assert not thread.is_alive()
    assert failures == []
    assert vars(asyncio.base_events.BaseEventLoop)["run_in_executor"] is ORIGINAL


def test_switched_off_nothing_is_touched():
    code = """
        import asyncio, surefoot
        original = asyncio.base_events.BaseEventLoop.run_in_executor
        with surefoot.install(max_workers=3) as installation:
            assert asyncio.base_events.BaseEventLoop.run_in_executor is original
            assert not installation.is_active and installation.anyio == "absent"
            async def main():
                await asyncio.to_thread(int)
                return type(asyncio.get_running_loop()._default_executor).__module__
            print(asyncio.run(main()), installation.stats().cap, installation.decisions())
        """
    end = child.run_clean(code, env={"SUREFOOT_DISABLE": "1"})
    assert end.lines == ["concurrent.futures.thread 3 ()"]


def test_installing_loads_nobody_s_library():
    code = """
        import sys, surefoot
        assert "surefoot.installation" not in sys.modules
        surefoot.install()
        print([name for name in ("anyio", "uvloop", "trio", "fastapi") if name in sys.modules])
        """
    assert child.run_clean(code).lines == ["[]"]


def test_uvloop_imported_later_is_covered():
    uvloop_or_skip()
    code = """
        import sys, surefoot
        installation = surefoot.install()
        import asyncio, threading, uvloop
        assert not any(type(finder).__name__ == "OnImport" and not finder._then for finder in sys.meta_path)
        loop = uvloop.new_event_loop()
        thread = loop.run_until_complete(loop.run_in_executor(None, threading.current_thread))
        print(thread in installation.executor._threads, hasattr(uvloop.__loader__, "exec_module"))
        loop.close()
        """
    assert child.run_clean(code).lines == ["True True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_installed_in_the_parent_used_in_a_forked_child():
    code = """
        import asyncio, os, threading, surefoot
        installation = surefoot.install()
        async def main():
            return await asyncio.to_thread(threading.current_thread) in installation.executor._threads
        assert asyncio.run(main())
        pid = os.fork()
        if pid == 0:
            assert asyncio.run(main())
            assert surefoot.install() is installation
            surefoot.uninstall()
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), asyncio.run(main()))
        """
    assert child.run_clean(code).lines == ["7 True"]


def test_the_interpreter_exits_by_itself():
    code = """
        import asyncio, time, surefoot
        surefoot.install()
        done = []
        def late():
            time.sleep(0.1)
            print("finished", flush=True)
        async def main():
            await asyncio.to_thread(int)
            asyncio.get_running_loop().run_in_executor(None, late)
        asyncio.run(main())
        print("loop ended", flush=True)
        """
    assert child.run_clean(code).lines == ["finished", "loop ended"]


def test_a_loop_in_a_daemon_thread_does_not_keep_the_interpreter():
    code = """
        import asyncio, threading, surefoot
        surefoot.install()
        started = threading.Event()
        async def main():
            await asyncio.to_thread(started.set)
            await asyncio.sleep(3600)
        threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
        started.wait()
        print("over")
        """
    assert child.run_clean(code).lines == ["over"]


def test_events_reach_a_gate_while_many_are_blocked(installation, gate):
    """A full pool of blocked tasks does not keep the next ones from running."""

    async def main():
        blocked = [asyncio.ensure_future(asyncio.to_thread(gate)) for _ in range(40)]
        await asyncio.wait_for(asyncio.to_thread(int), HANG_S)
        gate.open.set()
        await asyncio.gather(*blocked)

    asyncio.run(main())
    await_event(gate.open)
