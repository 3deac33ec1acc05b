"""One future: states, results, exceptions, callbacks, cancellation."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import re
import threading
import traceback
import types
from concurrent.futures import CancelledError, InvalidStateError

import pytest

from patience import HANG_S, await_event


def failing(error):
    raise error


class Odd(BaseException):
    """Neither an Exception nor known to anybody."""


def test_class(kind, pools):
    future = pools(kind.new(1)).submit(int)
    assert isinstance(future, concurrent.futures.Future)
    assert type(future) is kind.future_cls
    assert type(future).__name__ == "Future"


def test_protocol_of_a_pending_future(kind, pools, gate):
    pool = pools(kind.new(1))
    (running,) = gate.block(pool)
    pending = pool.submit(int)
    assert pending._state == "PENDING"
    assert running._state == "RUNNING"
    for future in (pending, running):
        assert future._result is None
        assert future._exception is None
        assert future._waiters == []
        assert future._done_callbacks == []
        with future._condition:
            future._condition.notify_all()
        assert future._condition is future._condition
    assert not pending.running()
    assert running.running()
    assert not pending.done()
    assert not running.done()


def test_protocol_of_an_ended_future(kind, pools):
    pool = pools(kind.new(1))
    error = ValueError("no")
    good, bad = pool.submit(pow, 2, 3), pool.submit(failing, error)
    assert bad.exception() is error
    assert (good._state, good._result, good._exception) == ("FINISHED", 8, None)
    assert (bad._state, bad._result, bad._exception) == ("FINISHED", None, error)
    assert good.done()
    assert not good.running()
    assert not good.cancelled()
    assert good.exception() is None


def test_condition_wakes_on_completion(kind, pools, gate):
    """Code that waits on `_condition` itself is woken when the task ends."""
    pool = pools(kind.new(1))
    (future,) = gate.block(pool)
    with future._condition:
        gate.open.set()
        assert future._condition.wait_for(lambda: future._state == "FINISHED", HANG_S)


def test_waiters_are_told(kind, pools, gate):
    """`wait` and `as_completed` append objects with these three methods."""
    told = []

    class Waiter:
        def add_result(self, future):
            told.append(("result", future))

        def add_exception(self, future):
            told.append(("exception", future))

        def add_cancelled(self, future):
            told.append(("cancelled", future))

    pool = pools(kind.new(1))
    (good,) = gate.block(pool)
    bad, never, after = pool.submit(failing, ValueError()), pool.submit(int), pool.submit(int)
    for future in (good, bad, never):
        with future._condition:
            future._waiters.append(Waiter())
    assert never.cancel()
    gate.open.set()
    after.result(HANG_S)
    assert told == [("result", good), ("exception", bad), ("cancelled", never)]
    assert never._state == "CANCELLED_AND_NOTIFIED"


def test_state_can_be_written(kind):
    """CPython's tests and others build futures by writing the attributes."""
    future = kind.future_cls()
    future._state, future._result = "FINISHED", 42
    assert future.result(timeout=0) == 42
    assert future.done()
    other = kind.future_cls()
    other._state, other._exception = "FINISHED", OSError()
    assert isinstance(other.exception(timeout=0), OSError)
    third = kind.future_cls()
    third._state = "CANCELLED"
    assert third.cancelled()
    with pytest.raises(CancelledError):
        third.result(timeout=0)


def test_a_future_without_a_pool(kind):
    future = kind.future_cls()
    assert future.set_running_or_notify_cancel()
    with pytest.raises(RuntimeError, match="Future in unexpected state"):
        future.set_running_or_notify_cancel()
    future.set_result(1)
    with pytest.raises(InvalidStateError, match=re.escape("FINISHED: <Future")):
        future.set_result(2)
    with pytest.raises(InvalidStateError, match="FINISHED"):
        future.set_exception(ValueError())
    assert future.result() == 1
    cancelled = kind.future_cls()
    assert cancelled.cancel()
    assert not cancelled.set_running_or_notify_cancel()
    with pytest.raises(InvalidStateError, match="CANCELLED_AND_NOTIFIED"):
        cancelled.set_result(2)


def test_result_and_timeouts(kind, pools, gate):
    pool = pools(kind.new(1))
    (running,) = gate.block(pool)
    for future in (running, pool.submit(int)):
        for timeout in (0, 0.001, -1):
            with pytest.raises(concurrent.futures.TimeoutError):
                future.result(timeout)
            with pytest.raises(concurrent.futures.TimeoutError):
                future.exception(timeout=timeout)
    gate.open.set()
    assert running.result(HANG_S) == 0
    assert running.result(timeout=0) == 0
    assert running.result(None) == 0


def test_result_with_a_bad_timeout(kind, pools, gate):
    pool = pools(kind.new(1))
    (running,) = gate.block(pool)
    with pytest.raises(TypeError):
        running.result("soon")


def test_many_threads_wait_for_one_result(kind, pools, gate):
    pool = pools(kind.new(1))
    (future,) = gate.block(pool)
    results = []
    threads = [threading.Thread(target=lambda: results.append(future.result(HANG_S))) for _ in range(20)]
    for thread in threads:
        thread.start()
    gate.open.set()
    for thread in threads:
        thread.join(HANG_S)
    assert results == [0] * 20


@pytest.mark.parametrize(
    "error",
    [
        ValueError("v"),
        StopIteration(3),
        SystemExit(4),
        KeyboardInterrupt(),
        GeneratorExit(),
        Odd(),
        CancelledError(),
    ],
    ids=repr,
)
def test_every_exception_goes_to_the_future(kind, pools, error):
    pool = pools(kind.new(1))
    future = pool.submit(failing, error)
    assert future.exception(HANG_S) is error
    with pytest.raises(type(error)) as caught:
        future.result()
    assert caught.value is error
    assert not future.cancelled()
    # The worker lives on.
    thread = pool.submit(threading.current_thread).result()
    assert pool.submit(threading.current_thread).result() is thread


def test_traceback_shows_the_task(kind, pools):
    def inner():
        raise ValueError("deep")

    def outer():
        inner()

    future = pools(kind.new(1)).submit(outer)
    with pytest.raises(ValueError, match="deep"):
        future.result()
    names = [frame.name for frame in traceback.extract_tb(future.exception().__traceback__)]
    assert names[-2:] == ["outer", "inner"]


def test_cause_and_context_survive(kind, pools):
    def chained():
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error

    def plain():
        raise ValueError("alone")

    pool = pools(kind.new(1))
    assert isinstance(pool.submit(chained).exception().__cause__, KeyError)
    # Nothing leaks from one task into the exception state of the next.
    assert pool.submit(plain).exception().__context__ is None


def test_cancel_by_state(kind, pools, gate):
    pool = pools(kind.new(1))
    (running,) = gate.block(pool)
    pending = pool.submit(int)
    assert not running.cancel()
    assert pending.cancel()
    assert pending.cancel()
    assert pending.cancelled()
    assert pending.done()
    assert pending._state == "CANCELLED"
    with pytest.raises(CancelledError):
        pending.result()
    with pytest.raises(CancelledError):
        pending.exception()
    gate.open.set()
    assert running.result(HANG_S) == 0
    assert not running.cancel()
    pool.submit(int).result(HANG_S)
    assert pending._state == "CANCELLED_AND_NOTIFIED"


def test_cancel_wakes_who_waits_for_the_result(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    pending = pool.submit(int)
    raised = []

    def wait():
        try:
            pending.result(HANG_S)
        except CancelledError as error:
            raised.append(type(error))

    thread = threading.Thread(target=wait)
    thread.start()
    pending.cancel()
    thread.join(HANG_S)
    assert raised == [CancelledError]


def test_a_cancelled_task_never_runs_and_a_run_one_is_not_cancelled(kind, pools):
    pool = pools(kind.new(3))
    for _ in range(20):
        ran = [0] * 100

        def task(n, ran=ran):
            ran[n] += 1

        start = threading.Barrier(3)
        futures = []
        won = [[], []]

        def cancel(mine, start=start, futures=futures):
            start.wait(HANG_S)
            for n, future in enumerate(futures):
                if future.cancel():
                    mine.append(n)

        cancellers = [threading.Thread(target=cancel, args=(mine,)) for mine in won]
        for thread in cancellers:
            thread.start()
        futures.extend(pool.submit(task, n) for n in range(100))
        start.wait(HANG_S)
        for thread in cancellers:
            thread.join(HANG_S)
        concurrent.futures.wait(futures, HANG_S)
        for n, future in enumerate(futures):
            assert future.done()
            assert ran[n] == (0 if future.cancelled() else 1)
            assert future.cancelled() == (n in won[0]) == (n in won[1])


def test_callbacks_run_in_order_with_the_future(kind, pools, gate):
    pool = pools(kind.new(1))
    (future,) = gate.block(pool)
    calls = []
    for n in range(10):
        future.add_done_callback(lambda f, n=n: calls.append((n, f, threading.current_thread())))
    gate.open.set()
    worker = pool.submit(threading.current_thread).result(HANG_S)
    assert calls == [(n, future, worker) for n in range(10)]


def test_callback_of_an_ended_future_runs_at_once(kind, pools):
    future = pools(kind.new(1)).submit(int)
    future.result()
    calls = []
    future.add_done_callback(lambda f: calls.append((f, threading.current_thread())))
    assert calls == [(future, threading.current_thread())]


def test_callback_of_a_cancelled_future_runs_in_the_canceller(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    future = pool.submit(int)
    calls = []
    future.add_done_callback(lambda f: calls.append((f.cancelled(), threading.current_thread())))
    future.cancel()
    future.cancel()
    assert calls == [(True, threading.current_thread())]


def test_callback_that_raises_is_logged_and_the_others_run(kind, pools, gate, caplog):
    pool = pools(kind.new(1))
    (future,) = gate.block(pool)
    calls = []
    future.add_done_callback(lambda f: calls.append(1))
    future.add_done_callback(lambda f: failing(ValueError("from the callback")))
    future.add_done_callback(lambda f: calls.append(2))
    with caplog.at_level(logging.ERROR, logger="concurrent.futures"):
        gate.open.set()
        assert pool.submit(int).result(HANG_S) == 0
    assert calls == [1, 2]
    (record,) = caplog.records
    assert record.name == "concurrent.futures"
    assert record.getMessage().startswith("exception calling callback for <Future")
    assert isinstance(record.exc_info[1], ValueError)


def test_the_result_is_visible_to_callbacks(kind, pools, gate):
    pool = pools(kind.new(1))
    (future,) = gate.block(pool)
    seen = []
    future.add_done_callback(lambda f: seen.append((f.done(), f.result(timeout=0))))
    gate.open.set()
    pool.submit(int).result(HANG_S)
    assert seen == [(True, 0)]


def test_callback_may_add_a_callback_and_submit(kind, pools):
    pool = pools(kind.new(1))
    happened = threading.Event()
    pool.submit(int).add_done_callback(
        lambda f: f.add_done_callback(lambda f: pool.submit(happened.set)),
    )
    await_event(happened)


def test_callbacks_added_during_completion_each_run_once(kind, pools):
    pool = pools(kind.new(2))
    for _ in range(300):
        calls = []
        future = pool.submit(int)
        for n in range(5):
            future.add_done_callback(lambda f, n=n, calls=calls: calls.append(n))
        future.result(HANG_S)
        pool.submit(int).result(HANG_S)
        pool.submit(int).result(HANG_S)
        del future
    with pool:
        pass
    assert sorted(calls) == list(range(5))


def test_repr(kind, pools, gate):
    pool = pools(kind.new(1))
    (running,) = gate.block(pool)
    pending, cancelled, bad = pool.submit(int), pool.submit(int), pool.submit(failing, ValueError())
    cancelled.cancel()
    address = "<Future at 0x[0-9a-f]+ state="
    assert re.fullmatch(address + "running>", repr(running))
    assert re.fullmatch(address + "pending>", repr(pending))
    assert re.fullmatch(address + "cancelled>", repr(cancelled))
    gate.open.set()
    bad.exception(HANG_S)
    assert re.fullmatch(address + "finished returned int>", repr(running))
    assert re.fullmatch(address + "finished raised ValueError>", repr(bad))


def test_generic_alias(kind):
    alias = kind.future_cls[int]
    assert isinstance(alias, types.GenericAlias)
    assert alias.__origin__ is kind.future_cls


def test_attributes_hashing_and_identity(kind, pools):
    pool = pools(kind.new(1))
    one, two = pool.submit(int), pool.submit(int)
    one.note = "mine"
    assert one.__dict__["note"] == "mine"
    assert one != two
    assert len({one, two, one}) == 2


def test_asyncio_awaits_it(kind, pools):
    pool = pools(kind.new(2))

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_default_executor(pool)
        assert await asyncio.wrap_future(pool.submit(pow, 2, 3)) == 8
        assert await asyncio.gather(*(asyncio.to_thread(pow, 2, n) for n in range(50))) == [
            2**n for n in range(50)
        ]
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(pool, divmod, 1, 0)

    asyncio.run(main())


def test_cancelling_the_asyncio_future_cancels_the_queued_task(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    queued = pool.submit(int)

    async def main():
        waiting = asyncio.wrap_future(queued)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert queued.cancelled()
