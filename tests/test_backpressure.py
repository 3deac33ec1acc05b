"""`max_queue` and its three policies."""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import signal
import sys
import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures.thread import BrokenThreadPool

import pytest

import child
import kinds
from patience import HANG_S, collected, eventually

pytestmark = pytest.mark.skipif(kinds.STANDARD_ONLY, reason="SUREFOOT_TEST_STANDARD_ONLY=1")

AFTER_SHUTDOWN = r"^cannot schedule new futures after shutdown$"


def make_adaptive(*args, **options):
    return kinds.ADAPTIVE.new(*args, **options)


def make_fixed(*args, **options):
    return kinds.FIXED.new(*args, **options)


def make_as_standard(*args, **options):
    """Ours, of a subclass that replaces the machinery and so runs the standard library's."""

    class Own(kinds.ADAPTIVE.cls):
        def _adjust_thread_count(self):
            return super()._adjust_thread_count()

    return Own(*args, **options)


def make_fallback(*args, **options):
    """What the class is under `SUREFOOT_DISABLE=1`."""
    from surefoot.standard_pool import StandardThreadPoolExecutor

    return StandardThreadPoolExecutor(*args, **options)


NATIVE = (make_adaptive, make_fixed)
EVERY = (*NATIVE, make_as_standard, make_fallback)


def _named(make):
    return make.__name__.removeprefix("make_")


@pytest.fixture(params=EVERY, ids=_named)
def new(request):
    """Each implementation of the bound."""
    return request.param


@pytest.fixture(params=NATIVE, ids=_named)
def native(request):
    """Those in Rust, which have figures."""
    return request.param


class Submitter(threading.Thread):
    """A thread that makes one call of `submit`."""

    def __init__(self, pool, *call):
        super().__init__(daemon=True)
        self.pool, self.call = pool, call
        self.future = self.error = None
        self.start()

    def run(self):
        try:
            self.future = self.pool.submit(*self.call)
        except BaseException as error:
            self.error = error

    def ended(self):
        self.join(HANG_S)
        assert not self.is_alive(), "it is still blocked"
        return self


def blocked(pool, submitters=1):
    """Return once that many threads wait in `submit`."""
    bound = getattr(pool, "_AdaptiveThreadPoolExecutor__standard_submit", None) or pool.__dict__.get("submit")
    if bound is not None:
        eventually(lambda: len(bound._waiting) == submitters, "nobody is blocked")
    else:
        eventually(lambda: pool.stats().submitters_blocked == submitters, "nobody is blocked")


# The options


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_queue": -1}, ValueError),
        ({"max_queue": 1.5}, TypeError),
        ({"max_queue": True}, TypeError),
        ({"max_queue": "1"}, TypeError),
        ({"max_queue": 1, "queue_full": "drop"}, ValueError),
        ({"max_queue": 1, "queue_full": None}, TypeError),
        ({"queue_full": "drop"}, ValueError),
    ],
)
def test_bad_options(new, options, error):
    with pytest.raises(error, match=next(reversed(options)) if len(options) > 1 else next(iter(options))):
        new(2, **options)


def test_options_are_keyword_only(new):
    with pytest.raises(TypeError):
        new(1, "", None, (), 1, "knee", None, 0.3, 60.0, False, 3)


def test_any_number_may_wait_without_a_bound(new, pools, gate):
    pool = pools(new(1))
    gate.block(pool)
    futures = [pool.submit(pow, 2, n) for n in range(2_000)]
    gate.open.set()
    assert [f.result(HANG_S) for f in futures] == [2**n for n in range(2_000)]


def test_a_bound_beyond_all_numbers(new, pools):
    pool = pools(new(1, max_queue=10**30))
    assert pool.submit(pow, 2, 3).result(HANG_S) == 8


# "raise"


@pytest.mark.parametrize("max_queue", [0, 1, 5])
@pytest.mark.parametrize("workers", [1, 3])
def test_exactly_so_many_may_wait(new, pools, gate, max_queue, workers):
    pool = pools(new(workers, max_queue=max_queue, queue_full="raise"))
    running = gate.block(pool, workers)
    waiting = [pool.submit(pow, 2, n) for n in range(max_queue)]
    for _ in range(3):
        with pytest.raises(queue.Full) as caught:
            pool.submit(int)
        assert type(caught.value).__name__ == "QueueFull"
        assert not isinstance(caught.value, RuntimeError)
    gate.open.set()
    assert [f.result(HANG_S) for f in running] == list(range(workers))
    assert [f.result(HANG_S) for f in waiting] == [2**n for n in range(max_queue)]
    assert pool.submit(pow, 2, 3).result(HANG_S) == 8


def test_whoever_has_seen_a_result_may_submit_the_next(new, pools):
    """A worker is free as soon as its task has ended, not only when it looks for another."""
    pool = pools(new(1, max_queue=0, queue_full="raise"))
    for number in range(3_000):
        assert pool.submit(int, number).result(HANG_S) == number


def test_threads_that_are_not_made_yet_count_as_free(new, pools, gate):
    pool = pools(new(4, max_queue=0, queue_full="raise"))
    gate.block(pool, 4)
    with pytest.raises(queue.Full):
        pool.submit(int)


def test_a_refused_task_leaves_nothing_behind(native, pools, gate):
    pool = pools(native(1, max_queue=0, queue_full="raise"))
    gate.block(pool)

    class Argument:
        pass

    argument = Argument()
    reference = weakref.ref(argument)
    with contextlib.suppress(queue.Full):
        pool.submit(print, argument)
    del argument
    collected(reference)
    stats = pool.stats()
    assert (stats.tasks_submitted, stats.queue_length, stats.tasks_rejected) == (1, 0, 1)


def test_map_lets_the_error_through(new, pools, gate):
    pool = pools(new(1, max_queue=1, queue_full="raise"))
    with pytest.raises(queue.Full):
        pool.map(gate, range(10))


def test_a_worker_gets_the_error_too(new, pools):
    pool = pools(new(1, max_queue=0, queue_full="raise"))
    with pytest.raises(queue.Full):
        pool.submit(pool.submit, int).result(HANG_S)


# "block"


def test_a_submitter_waits_for_room(new, pools, gates):
    pool = pools(new(1, max_queue=1))
    first, second = gates(), gates()
    first.block(pool)
    queued = pool.submit(second, "queued")
    submitter = Submitter(pool, pow, 2, 3)
    blocked(pool)
    assert submitter.is_alive()
    first.open.set()
    assert submitter.ended().future is not None
    second.open.set()
    assert queued.result(HANG_S) == "queued"
    assert submitter.future.result(HANG_S) == 8


def test_tasks_of_blocked_submitters_run_in_the_order_they_came(native, pools, gate):
    pool = pools(native(1, max_queue=0))
    gate.block(pool)
    ran, submitters = [], []
    for number in range(20):
        submitters.append(Submitter(pool, ran.append, number))
        blocked(pool, number + 1)
    gate.open.set()
    wait([each.ended().future for each in submitters], HANG_S)
    assert ran == list(range(20))


def test_nothing_is_lost_between_many_submitters(new, pools):
    """More threads than cores submit to a queue that is nearly always full."""
    pool = pools(new(2, max_queue=1))
    done = []

    def submit(number):
        return [pool.submit(done.append, (number, turn)) for turn in range(300)]

    with ThreadPoolExecutor(6) as submitters:
        futures = [f for made in submitters.map(submit, range(6)) for f in made]
    wait(futures, HANG_S)
    assert len(futures) == 1_800
    assert sorted(done) == [(number, turn) for number in range(6) for turn in range(300)]
    if hasattr(pool, "stats") and pool.stats().tasks_submitted:
        eventually(lambda: pool.stats().tasks_done == 1_800)
        assert pool.stats().submitters_blocked == 0


def test_map_reads_its_input_as_there_is_room(new, pools, gate):
    pool = pools(new(1, max_queue=2))
    read = []

    def inputs():
        for number in range(50):
            read.append(number)
            yield number

    outcome = []
    thread = threading.Thread(target=lambda: outcome.extend(pool.map(gate, inputs())), daemon=True)
    thread.start()
    blocked(pool)
    # One runs, two wait, one is in the hands of the blocked submitter.
    assert len(read) == 4
    gate.open.set()
    thread.join(HANG_S)
    assert outcome == list(range(50))


def test_a_worker_never_waits_for_its_own_pool(new, pools):
    """A worker that had to wait for room in its own queue would be the one to make it."""
    pool = pools(new(1, max_queue=0))

    def spread(left):
        return [pool.submit(spread, left - 1) for _ in range(2)] if left else []

    futures, seen = [pool.submit(spread, 6)], 0
    while futures:
        futures += futures.pop(0).result(HANG_S)
        seen += 1
    assert seen == 2**7 - 1


def test_neither_does_a_callback_of_its_own(new, pools, gate):
    pool = pools(new(1, max_queue=0))
    future = pool.submit(gate)
    made = []
    future.add_done_callback(lambda _: made.extend(pool.submit(int) for _ in range(3)))
    gate.open.set()
    eventually(lambda: len(made) == 3)
    assert [f.result(HANG_S) for f in made] == [0] * 3


def test_nor_an_initializer(native, pools):
    made = []
    pool = pools(native(1, max_queue=0, initializer=lambda: made.extend(pool.submit(int) for _ in range(3))))
    assert pool.submit(pow, 2, 3).result(HANG_S) == 8
    assert [f.result(HANG_S) for f in made] == [0] * 3


def test_another_pools_worker_does_wait(new, pools, gate):
    pool, other = pools(new(1, max_queue=0)), pools(new(1))
    gate.block(pool)
    chained = other.submit(lambda: pool.submit(pow, 2, 3).result(HANG_S))
    blocked(pool)
    gate.open.set()
    assert chained.result(HANG_S) == 8


@pytest.mark.parametrize("cancel_futures", [False, True])
def test_a_shutdown_wakes_the_blocked(new, pools, gate, cancel_futures):
    pool = pools(new(1, max_queue=1))
    running = gate.block(pool)
    queued = pool.submit(int)
    submitters = [Submitter(pool, int) for _ in range(5)]
    blocked(pool, 5)
    pool.shutdown(wait=False, cancel_futures=cancel_futures)
    for submitter in submitters:
        assert type(submitter.ended().error) is RuntimeError
        assert str(submitter.error) == "cannot schedule new futures after shutdown"
    assert queued.cancelled() is cancel_futures
    gate.open.set()
    assert running[0].result(HANG_S) == 0


def test_a_shutdown_that_waits_wakes_them_too(new, gate):
    pool = new(1, max_queue=0)
    gate.block(pool)
    submitter = Submitter(pool, int)
    blocked(pool)
    ending = threading.Thread(target=pool.shutdown, daemon=True)
    ending.start()
    assert type(submitter.ended().error) is RuntimeError
    assert ending.is_alive()
    gate.open.set()
    ending.join(HANG_S)
    assert not ending.is_alive()


def test_a_broken_pool_wakes_the_blocked(new, pools, gate):
    fails = threading.Event()

    def initializer():
        if fails.is_set():
            raise ValueError("on purpose")

    pool = pools(new(1, max_queue=0, initializer=initializer))
    gate.block(pool)
    submitter = Submitter(pool, int)
    blocked(pool)
    pool._initializer_failed()
    assert type(submitter.ended().error) is BrokenThreadPool


def test_a_raise_of_the_limit_makes_room(native, pools, gate):
    pool = pools(native(1, max_queue=0))
    gate.block(pool)
    submitter = Submitter(pool, gate)
    blocked(pool)
    pool._max_workers = 2
    eventually(lambda: pool.stats().cap == 2)
    assert submitter.ended().future is not None
    gate.await_arrivals(1)


def test_the_controller_sees_the_demand_behind_a_short_queue(adaptive, pools, gate):
    """With no place to wait in the queue is empty; the limit rises for those who are kept out."""
    pool = pools(adaptive.new(64, max_queue=0, interval_s=0.01))
    assert pool.stats().limit < 64
    submitters = [Submitter(pool, gate, number) for number in range(64)]
    gate.await_arrivals(64)
    gate.open.set()
    assert [each.ended().future.result(HANG_S) for each in submitters] == list(range(64))


@pytest.mark.parametrize("policy", ["raise", "caller-runs"])
def test_so_it_does_if_they_do_not_wait(adaptive, pools, gate, policy):
    pool = pools(adaptive.new(64, max_queue=0, interval_s=0.01, queue_full=policy))
    running = []

    def grows():
        with contextlib.suppress(queue.Full):
            if len(running) < 64:
                future = pool.submit(gate if policy == "raise" else gated, len(running))
                if not future.done():
                    running.append(future)
        return pool.stats().limit == 64

    def gated(value):
        return gate(value) if threading.current_thread() in pool._threads else None

    eventually(grows, "the limit does not rise")


def test_what_an_item_of_ones_own_does(native, pools, gate):
    """`_work_queue.put` is for those who hold the executor's locks: it takes what it is given."""
    pool = pools(native(1, max_queue=0, queue_full="raise"))
    gate.block(pool)
    donor = pools(native(1))
    gate.block(donor)
    future = donor.submit(pow, 2, 3)
    pool._work_queue.put(donor._work_queue.get_nowait())
    assert pool._work_queue.qsize() == 1
    gate.open.set()
    assert future.result(HANG_S) == 8


# A `submit` that somebody has replaced


@pytest.fixture
def replaced_submit(monkeypatch):
    """As OpenTelemetry does it; counts the calls."""
    calls = []
    original = ThreadPoolExecutor.submit

    def submit(self, fn, /, *args, **kwargs):
        calls.append(fn)
        return original(self, lambda *args, **kwargs: fn(*args, **kwargs), *args, **kwargs)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
    return calls


def test_a_replaced_submit_is_bounded(native, pools, gate, replaced_submit):
    pool = pools(native(1, max_queue=1, queue_full="raise"))
    running = gate.block(pool)
    queued = pool.submit(pow, 2, 3)
    for _ in range(3):
        with pytest.raises(queue.Full):
            pool.submit(int)
    assert len(replaced_submit) == 2
    gate.open.set()
    assert (running[0].result(HANG_S), queued.result(HANG_S)) == (0, 8)
    for _ in range(300):
        assert pool.submit(pow, 2, 3).result(HANG_S) == 8


def test_a_replaced_submit_blocks_without_a_lock(native, pools, gate, replaced_submit):
    """Behind it is the standard `submit`, which puts while it holds a lock of the whole process."""
    pool, other = pools(native(1, max_queue=0)), pools(ThreadPoolExecutor(1))
    gate.block(pool)
    submitters = [Submitter(pool, pow, 2, n) for n in range(4)]
    blocked(pool, 4)
    assert other.submit(pow, 2, 3).result(HANG_S) == 8
    gate.open.set()
    assert [each.ended().future.result(HANG_S) for each in submitters] == [1, 2, 4, 8]
    assert len(replaced_submit) == 6


def test_a_replaced_submit_that_fails_keeps_no_place(native, pools, gate, monkeypatch):
    pool = pools(native(1, max_queue=0))
    with monkeypatch.context() as patch:

        def submit(self, fn, /, *args, **kwargs):
            raise KeyError(fn)

        patch.setattr(ThreadPoolExecutor, "submit", submit)
        for _ in range(3):
            with pytest.raises(KeyError):
                pool.submit(int)
    assert gate.block(pool)


def test_shutdown_with_a_replaced_submit(native, pools, gate, replaced_submit):
    pool = pools(native(1, max_queue=0))
    gate.block(pool)
    submitter = Submitter(pool, int)
    blocked(pool)
    pool.shutdown(wait=False)
    assert type(submitter.ended().error) is RuntimeError
    with pytest.raises(RuntimeError, match=AFTER_SHUTDOWN):
        pool.submit(int)


def test_callers_run_behind_a_replaced_submit(native, pools, gate, replaced_submit):
    pool = pools(native(1, max_queue=0, queue_full="caller-runs"))
    gate.block(pool)
    assert pool.submit(threading.current_thread).result(timeout=0) is threading.current_thread()


# "caller-runs"


def test_the_caller_runs_the_task(new, pools, gate):
    pool = pools(new(1, max_queue=1, queue_full="caller-runs"))
    gate.block(pool)
    queued = pool.submit(threading.current_thread)
    future = pool.submit(threading.current_thread)
    assert isinstance(future, Future)
    assert future.done()
    assert future.result(timeout=0) is threading.current_thread()
    gate.open.set()
    assert queued.result(HANG_S) is not threading.current_thread()
    assert pool.submit(threading.current_thread).result(HANG_S) is not threading.current_thread()


def fail(error):
    raise error


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), GeneratorExit()], ids=repr)
def test_what_the_task_raises_goes_to_its_future(new, pools, gate, error):
    pool = pools(new(1, max_queue=0, queue_full="caller-runs"))
    gate.block(pool)
    assert pool.submit(fail, error).exception(timeout=0) is error


def test_an_interrupt_is_the_callers_own(new, pools, gate):
    pool = pools(new(1, max_queue=0, queue_full="caller-runs"))
    gate.block(pool)
    with pytest.raises(KeyboardInterrupt):
        pool.submit(fail, KeyboardInterrupt())


def test_tasks_run_by_callers_are_in_the_books(native, pools, gate):
    pool = pools(native(1, max_queue=0, queue_full="caller-runs"))
    gate.block(pool)
    pool.submit(pow, 2, 3)
    pool.submit(fail, ValueError())
    stats = pool.stats()
    assert (stats.tasks_submitted, stats.tasks_running, stats.workers_busy) == (3, 1, 1)
    assert (stats.tasks_done, stats.tasks_failed, stats.tasks_run_by_callers) == (1, 1, 2)
    assert (stats.tasks_rejected, stats.queue_length) == (0, 0)
    assert {name.rpartition(".")[2]: each.tasks for name, each in stats.functions.items()} == {
        "pow": 1,
        "fail": 1,
    }


def test_a_worker_is_a_caller_too(new, pools):
    pool = pools(new(1, max_queue=0, queue_full="caller-runs"))
    assert pool.submit(lambda: pool.submit(threading.current_thread).result(timeout=0)).result(
        HANG_S
    ) in tuple(pool._threads)


def test_nobody_runs_anything_for_a_closed_pool(new, gate):
    pool = new(1, max_queue=0, queue_full="caller-runs")
    gate.block(pool)
    pool.shutdown(wait=False)
    with pytest.raises(RuntimeError, match=AFTER_SHUTDOWN):
        pool.submit(fail, AssertionError("it was run"))
    gate.open.set()


# Ends


def test_a_blocked_submitter_keeps_no_pool_alive_that_others_drop(native, gate):
    """The call itself holds the executor; when it has returned, nothing does."""
    pool = native(1, max_queue=0)
    gate.block(pool)
    submitter = Submitter(pool, pow, 2, 3)
    blocked(pool)
    reference = weakref.ref(pool)
    del pool
    gc.collect()
    assert reference() is not None
    gate.open.set()
    assert submitter.ended().future.result(HANG_S) == 8
    submitter.pool = None
    collected(reference)


def test_replacing_the_queue_moves_the_blocked_on(adaptive, pools, gate):
    pool = pools(adaptive.new(1, max_queue=0))
    gate.block(pool)
    submitter = Submitter(pool, pow, 2, 3)
    blocked(pool)
    pool._work_queue = queue.SimpleQueue()
    assert submitter.ended().error is None
    assert submitter.future.result(HANG_S) == 8
    gate.open.set()


def test_replacing_the_queue_loses_no_submission(adaptive, pools):
    """Whoever is in `submit` meanwhile finds the one pool or the other, never none."""
    for _ in range(50):
        pool = pools(adaptive.new(2, max_queue=4))
        together = threading.Barrier(3)

        def submit_some(pool=pool, together=together):
            together.wait(HANG_S)
            return [pool.submit(pow, 2, 3) for _ in range(20)]

        with ThreadPoolExecutor(2) as submitters:
            submitted = [submitters.submit(submit_some) for _ in range(2)]
            together.wait(HANG_S)
            pool._work_queue = queue.SimpleQueue()
            futures = [future for each in submitted for future in each.result(HANG_S)]
        assert [future.result(HANG_S) for future in futures] == [8] * 40


PRELUDE = """
import os, signal, sys, threading, time
from surefoot import AdaptiveThreadPoolExecutor as Pool
gate = threading.Event()

def occupied(**options):
    pool = Pool(1, max_queue=0, **options)
    inside = threading.Event()
    pool.submit(lambda: (inside.set(), gate.wait(60)))
    assert inside.wait(60)
    return pool

def blocked(pool, count=1):
    while pool.stats().submitters_blocked != count:
        time.sleep(0.001)
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of POSIX")
def test_ctrl_c_ends_the_wait():
    code = """
    pool = occupied()
    def interrupt():
        blocked(pool)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=interrupt).start()
    try:
        pool.submit(print, "it was run")
    except KeyboardInterrupt:
        print("interrupted", pool.stats().submitters_blocked, pool.stats().tasks_submitted)
    gate.set()
    pool.shutdown()
    """
    assert child.run_clean(code, PRELUDE).lines == ["interrupted 0 1"]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of POSIX")
def test_a_signal_that_is_handled_does_not_end_it():
    code = """
    pool = occupied()
    signal.signal(signal.SIGUSR1, lambda *_: gate.set())
    def send():
        blocked(pool)
        os.kill(os.getpid(), signal.SIGUSR1)
    threading.Thread(target=send).start()
    print(pool.submit(pow, 2, 3).result(60))
    """
    assert child.run_clean(code, PRELUDE).lines == ["8"]


def test_the_exit_wakes_the_blocked():
    code = """
    pool = occupied()
    def submit():
        try:
            pool.submit(print, "it was run")
        except RuntimeError as error:
            print(error, flush=True)
        gate.set()
    threading.Thread(target=submit).start()
    blocked(pool)
    """
    assert child.run_clean(code, PRELUDE).lines == ["cannot schedule new futures after interpreter shutdown"]


def test_a_daemon_that_is_blocked_does_not_hold_up_the_exit():
    code = """
    pool = occupied()
    threading.Thread(target=pool.submit, args=(print, "it was run"), daemon=True).start()
    blocked(pool)
    threading.Timer(0.1, gate.set).start()
    """
    end = child.run(code, PRELUDE)
    assert (end.code, end.out) == (0, ""), str(end)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_while_others_are_blocked():
    code = """
    pool = occupied()
    submitter = threading.Thread(target=pool.submit, args=(int,))
    submitter.start()
    blocked(pool)
    pid = os.fork()
    if pid == 0:
        assert pool.stats().submitters_blocked == 0
        assert [pool.submit(pow, 2, n).result(60) for n in range(20)] == [2**n for n in range(20)]
        pool.shutdown()
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    gate.set()
    submitter.join(60)
    pool.shutdown()
    """
    assert child.run_clean(code, PRELUDE).lines == ["7"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_by_the_blocked_thread_itself():
    """In a signal handler, where alone it runs code. The child submits to its own pool."""
    code = """
    pool = occupied()
    pids = []
    def fork(*_):
        pids.append(os.fork())
        gate.set()
    signal.signal(signal.SIGUSR1, fork)
    def send():
        blocked(pool)
        os.kill(os.getpid(), signal.SIGUSR1)
    threading.Thread(target=send).start()
    answer = pool.submit(pow, 2, 3).result(60)
    if pids == [0]:
        pool.shutdown()
        os._exit(answer)
    print(answer, os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]))
    """
    assert child.run_clean(code, PRELUDE).lines == ["8 8"]


def test_under_the_kill_switch():
    code = """
    import queue, threading, surefoot
    gate, inside = threading.Event(), threading.Event()
    pool = surefoot.AdaptiveThreadPoolExecutor(1, max_queue=0, queue_full="raise")
    pool.submit(lambda: (inside.set(), gate.wait(60)))
    inside.wait(60)
    try:
        pool.submit(int)
    except surefoot.QueueFull:
        print("full")
    gate.set()
    """
    assert child.run_clean(code, env={"SUREFOOT_DISABLE": "1"}).lines == ["full"]


def test_blocking_in_an_event_loop_is_the_programs_choice(native, gate):
    """`run_in_executor` calls `submit` in the loop's thread; with "raise" the loop goes on."""
    import asyncio

    async def main():
        loop = asyncio.get_running_loop()
        with native(1, max_queue=0, queue_full="raise") as pool:
            running = loop.run_in_executor(pool, gate)
            await asyncio.to_thread(gate.await_arrivals)
            with pytest.raises(queue.Full):
                await loop.run_in_executor(pool, int)
            gate.open.set()
            await running

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 14), reason="`buffersize` came with 3.14")
def test_map_with_a_buffer(native, pools):
    pool = pools(native(2, max_queue=1))
    assert list(pool.map(int, range(200), buffersize=8)) == list(range(200))


def test_a_storm_of_submitters_and_a_shutdown(native):
    """Each `submit` returns a future that ends, or raises."""
    for _ in range(20):
        pool = native(2, max_queue=1)
        accepted, started = [], threading.Barrier(5)

        def submit(pool=pool, accepted=accepted, started=started):
            started.wait(HANG_S)
            with contextlib.suppress(RuntimeError):
                while True:
                    accepted.append(pool.submit(int))

        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        started.wait(HANG_S)
        eventually(lambda accepted=accepted: len(accepted) > 50)
        pool.shutdown()
        for thread in threads:
            thread.join(HANG_S)
            assert not thread.is_alive()
        assert all(f.done() for f in accepted)
        assert pool.stats().tasks_done == len(accepted)
