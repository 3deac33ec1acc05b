"""Tasks as coroutines of one event loop on the main thread, so many at once.

A workload without a coroutine runs as blocking code does under asyncio: in the loop's default executor, the
standard library's pool, with a thread for each task at once.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NoReturn

from surefoot.comparison.stage import LOOK_S, Stage
from surefoot.workloads.measured_process import Supervisor, open_books, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from surefoot.comparison.notes import Note

__all__ = ["run_asyncio"]


def run_asyncio(stage: Stage) -> NoReturn:
    """Run as many coroutines at once as there are threads asked for."""
    asyncio.run(_run(stage, stage.need_threads()))
    raise AssertionError("the loop only ends by being killed")


async def _run(stage: Stage, tasks: int) -> NoReturn:
    run_one = _as_coroutine(stage, tasks) if stage.make_async_task is None else _timed(stage)

    async def run_on() -> None:
        while True:
            await run_one()

    def see() -> Note:
        return {"limit": tasks, "workers_live": tasks}

    look = stage.observer(see).look
    supervisor = Supervisor(stage.ledger)
    look()
    open_books(stage.ledger)
    running = [asyncio.create_task(run_on()) for _ in range(tasks)]
    while True:
        await asyncio.sleep(stage.look_s or LOOK_S)
        supervisor.check()
        look()
        for each in running:
            if each.done():
                each.result()


def _timed(stage: Stage) -> Callable[[], Coroutine[Any, Any, None]]:
    """Return the workload's coroutine function with a clock around it."""
    assert stage.make_async_task is not None
    task = stage.make_async_task()
    ledger = stage.ledger
    enter = ledger.writer()
    clock = time.perf_counter_ns

    async def run_one() -> None:
        begin_ns = clock()
        try:
            await task()
        except Exception as error:
            ledger.complain(f"a task failed: {type(error).__name__}: {error}")
            raise
        end_ns = clock()
        enter(end_ns, end_ns - begin_ns)

    return run_one


def _as_coroutine(stage: Stage, threads: int) -> Callable[[], Coroutine[Any, Any, None]]:
    """Return a coroutine function that has a thread run the task."""
    assert stage.make_task is not None
    task = timed(stage.make_task(), stage.ledger)
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(threads)

    async def run_one() -> None:
        await loop.run_in_executor(executor, task)

    return run_one
