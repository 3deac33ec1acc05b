"""The private attributes that real code reads and writes, on a pool as it comes."""

from __future__ import annotations

import concurrent.futures.thread
import queue
import re
import sys
import threading
from concurrent.futures.thread import BrokenThreadPool

import pytest

from patience import HANG_S, await_event, eventually

NEW_WORK_ITEM = sys.version_info >= (
    3,
    14,
)  # `_WorkItem(future, task).run(ctx)` instead of `(future, fn, ...).run()`


def run_item(pool, item):
    """Run a work item by hand, as the standard `_worker` of this version does."""
    if NEW_WORK_ITEM:
        item.run(pool._create_worker_context())
    else:
        item.run()


# _max_workers


def test_max_workers_is_the_cap(kind, pools):
    pool = pools(kind.new(7))
    assert pool._max_workers == 7
    assert type(pool._max_workers) is int
    pool.submit(int).result()
    assert pool._max_workers == 7


def test_max_workers_stays_the_cap_whatever_the_limit(adaptive, pools):
    pool = pools(adaptive.new(50, interval_s=0.01))
    for _ in range(20):
        pool.submit(int).result()
    assert pool._max_workers == pool.stats().cap == 50


def test_raising_max_workers_lets_more_run(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    pool._max_workers = 3
    assert pool._max_workers == 3
    gate.block(pool, 2)
    assert len(pool._threads) == 3


def test_raising_max_workers_frees_queued_work(kind, pools, gates):
    """BetaPool writes `_max_workers`, then calls `_adjust_thread_count()`."""
    pool = pools(kind.new(1))
    first, second = gates(), gates()
    first.block(pool)
    queued = pool.submit(second)
    assert not queued.running()
    pool._max_workers = 2
    pool._adjust_thread_count()
    second.await_arrivals()
    second.open.set()
    queued.result(HANG_S)


def test_assigning_max_workers_is_a_resize(ours, pools, gates):
    """Unlike the standard pool, which needs the next submit to notice."""
    pool = pools(ours.new(1))
    first, second = gates(), gates()
    first.block(pool)
    queued = [pool.submit(second) for _ in range(3)]
    pool._max_workers = 4
    second.await_arrivals(3)
    second.open.set()
    concurrent.futures.wait(queued, HANG_S)
    assert pool.stats().cap == 4


def test_lowering_max_workers_lets_running_tasks_end_and_fewer_start(ours, pools, gates):
    pool = pools(ours.new(4))
    first, second = gates(), gates()
    first.block(pool, 4)
    pool._max_workers = 1
    assert pool.stats().cap == 1
    running, most, lock = 0, 0, threading.Lock()

    def count():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        second()
        with lock:
            running -= 1

    later = [pool.submit(count) for _ in range(5)]
    first.open.set()
    second.await_arrivals()
    second.open.set()
    concurrent.futures.wait(later, HANG_S)
    assert all(f.done() for f in later)
    assert most == 1


# _threads


def test_threads_is_a_set_of_live_threads(kind, pools, gate):
    pool = pools(kind.new(3, thread_name_prefix="name"))
    assert pool._threads == set()
    assert type(pool._threads) is set
    gate.block(pool, 3)
    assert len(pool._threads) == 3
    assert all(type(t) is threading.Thread and t.is_alive() and not t.daemon for t in pool._threads)
    assert {t.name for t in pool._threads} == {"name_0", "name_1", "name_2"}
    assert pool._threads <= set(threading.enumerate())


def test_a_task_finds_its_thread_in_threads(kind, pools):
    pool = pools(kind.new(2))
    submitted = threading.Event()

    def look():
        await_event(submitted)
        return threading.current_thread() in pool._threads

    future = pool.submit(look)
    submitted.set()
    assert future.result()


def test_one_thread_per_blocked_task_at_once(kind, pools, gate):
    """Threads are made by `submit`, before it returns."""
    pool = pools(kind.new(4))
    for expected in (1, 2, 3, 4, 4, 4):
        pool.submit(gate)
        assert len(pool._threads) == expected


def test_saturation(kind, pools, gate):
    pool = pools(kind.new(4))
    for _ in range(15 * pool._max_workers):
        pool.submit(gate)
    assert len(pool._threads) == pool._max_workers


def test_an_idle_thread_is_reused(kind, pools):
    pool = pools(kind.new(8))
    for _ in range(5):
        assert pool.submit(pow, 2, 3).result() == 8
        # A worker counts itself as idle only after it has answered.
        eventually(lambda: pool._idle_semaphore._value == 1)
    assert len(pool._threads) == 1


def test_threads_can_be_iterated_and_joined_while_they_exit(kind):
    for _ in range(30):
        pool = kind.new(4)
        barrier = threading.Barrier(4)
        for _ in range(4):
            pool.submit(barrier.wait, HANG_S)
        pool.shutdown(wait=False)
        for thread in pool._threads:
            thread.join(HANG_S)
            assert not thread.is_alive()
        for thread in pool._threads:
            assert not thread.is_alive()


def test_thread_locals_last_as_long_as_the_worker(kind, pools):
    pool = pools(kind.new(1))
    local = threading.local()

    def count():
        local.count = getattr(local, "count", 0) + 1
        return local.count

    assert [pool.submit(count).result() for _ in range(5)] == [1, 2, 3, 4, 5]


def test_workers_are_registered_for_the_interpreters_exit(kind, pools, gate):
    pool = pools(kind.new(2))
    gate.block(pool, 2)
    registered = concurrent.futures.thread._threads_queues
    for thread in pool._threads:
        registered[thread].put(None)
    gate.open.set()
    assert pool.submit(int).result(HANG_S) == 0


# _work_queue


def test_queue_length(kind, pools, gate):
    pool = pools(kind.new(1))
    assert pool._work_queue.qsize() == 0
    assert pool._work_queue.empty()
    gate.block(pool)
    assert pool._work_queue.qsize() == 0
    futures = [pool.submit(int) for _ in range(5)]
    assert pool._work_queue.qsize() == 5
    assert not pool._work_queue.empty()
    gate.open.set()
    concurrent.futures.wait(futures, HANG_S)
    assert pool._work_queue.qsize() == 0


def test_queue_gives_items_out_in_order(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    futures = [pool.submit(pow, 2, n) for n in range(4)]
    items = [
        pool._work_queue.get_nowait(),
        pool._work_queue.get(),
        pool._work_queue.get(block=False),
        pool._work_queue.get(timeout=1),
    ]
    assert [item.future for item in items] == futures
    for take in (
        pool._work_queue.get_nowait,
        lambda: pool._work_queue.get(False),
        lambda: pool._work_queue.get(timeout=0.001),
        lambda: pool._work_queue.get(True, 0.001),
    ):
        with pytest.raises(queue.Empty):
            take()
    for item in items:
        run_item(pool, item)
    assert [f.result(timeout=0) for f in futures] == [1, 2, 4, 8]


def test_items_name_their_task(kind, pools, gate):
    """gevent compares `work_item.fn` (3.14: `.task`) with the function it submitted."""
    pool = pools(kind.new(1))
    gate.block(pool)
    future = pool.submit(divmod, 7, 2)
    item = pool._work_queue.get_nowait()
    if NEW_WORK_ITEM:
        assert item.task == (divmod, (7, 2), {})
    else:
        assert (item.fn, item.args, item.kwargs) == (divmod, (7, 2), {})
    future.cancel()


def test_our_items_run_without_a_context_too(ours, pools, gate):
    pool = pools(ours.new(1))
    gate.block(pool)
    good, bad, cancelled = pool.submit(pow, 2, 3), pool.submit(divmod, 1, 0), pool.submit(int)
    cancelled.cancel()
    for _ in range(3):
        pool._work_queue.get_nowait().run()
    assert good.result(timeout=0) == 8
    assert isinstance(bad.exception(timeout=0), ZeroDivisionError)
    assert cancelled._state == "CANCELLED_AND_NOTIFIED"


def test_an_item_may_be_put_back(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    first, second = pool.submit(pow, 2, 1), pool.submit(pow, 2, 2)
    item = pool._work_queue.get_nowait()
    assert item.future is first
    pool._work_queue.put(item)
    assert pool._work_queue.qsize() == 2
    assert pool._work_queue.get_nowait().future is second
    second.cancel()
    gate.open.set()
    assert first.result(HANG_S) == 2


def test_standard_items_may_be_put(kind, pools):
    pool = pools(kind.new(1))
    pool.submit(int).result()
    future = concurrent.futures.Future()
    if NEW_WORK_ITEM:
        item = concurrent.futures.thread._WorkItem(future, (pow, (2, 6), {}))
    else:
        item = concurrent.futures.thread._WorkItem(future, pow, (2, 6), {})
    pool._work_queue.put(item)
    assert future.result(HANG_S) == 64


def test_a_none_in_the_queue_is_only_a_wake_up(kind, pools):
    pool = pools(kind.new(2))
    pool.submit(int).result()
    for _ in range(10):
        pool._work_queue.put(None)
    assert [pool.submit(pow, 2, n).result(HANG_S) for n in range(20)] == [2**n for n in range(20)]


def test_draining_the_queue_by_hand(kind, pools, gate):
    pool = pools(kind.new(2))
    gate.block(pool, 2)
    futures = [pool.submit(int) for _ in range(20)]
    while True:
        try:
            item = pool._work_queue.get_nowait()
        except queue.Empty:
            break
        if item is not None:
            item.future.cancel()
    assert all(f.cancelled() for f in futures)
    gate.open.set()
    pool.shutdown(wait=True)


def test_a_thread_blocked_in_get_receives_the_next_item(kind, pools, gate):
    """Somebody else may consume the queue while every worker is busy."""
    pool = pools(kind.new(1))
    gate.block(pool)
    items = []
    thread = threading.Thread(target=lambda: items.append(pool._work_queue.get(timeout=HANG_S)))
    thread.start()
    future = pool.submit(pow, 2, 3)
    thread.join(HANG_S)
    assert not thread.is_alive()
    assert items[0].future is future
    run_item(pool, items[0])
    assert future.result(timeout=0) == 8


# the rest


def test_idle_semaphore_counts_idle_workers(kind, pools, gate):
    pool = pools(kind.new(2))
    assert pool._idle_semaphore._value == 0
    (future,) = gate.block(pool)
    assert pool._idle_semaphore._value == 0
    gate.open.set()
    future.result()
    eventually(lambda: pool._idle_semaphore._value == 1)


def test_shutdown_flag(kind, pools):
    pool = pools(kind.new(1))
    assert pool._shutdown is False
    pool.submit(int).result()
    assert pool._shutdown is False
    pool.shutdown()
    assert pool._shutdown is True


def test_setting_the_shutdown_flag_refuses_work(kind, pools):
    pool = pools(kind.new(1))
    pool._shutdown = True
    with pytest.raises(RuntimeError, match=r"^cannot schedule new futures after shutdown$"):
        pool.submit(int)


def test_setting_the_broken_flag_refuses_work(kind, pools):
    pool = pools(kind.new(1))
    assert pool._broken is False
    pool._broken = "somebody says so"
    with pytest.raises(BrokenThreadPool, match=r"^somebody says so$"):
        pool.submit(int)


def test_initializer_failed_breaks_the_pool(kind, pools, gate):
    pool = pools(kind.new(1))
    (running,) = gate.block(pool)
    pending = [pool.submit(int) for _ in range(5)]
    pool._initializer_failed()
    text = "A thread initializer failed, the thread pool is not usable anymore"
    assert pool._broken == text
    for future in pending:
        assert type(future.exception(HANG_S)) is BrokenThreadPool
        assert str(future.exception()) == text
    with pytest.raises(BrokenThreadPool, match=re.escape(text)):
        pool.submit(int)
    gate.open.set()
    assert running.result(HANG_S) == 0


def test_shutdown_lock_is_free_and_can_be_taken(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    with pool._shutdown_lock:
        assert not pool._shutdown
    assert pool._shutdown_lock.acquire(timeout=HANG_S)
    pool._shutdown_lock.release()


def test_a_running_task_needs_no_shutdown_lock(kind, pools, gates):
    """Workers must be able to go on while somebody holds the lock."""
    pool = pools(kind.new(1))
    first = gates()
    (future,) = first.block(pool)
    second = pool.submit(pow, 2, 3)
    with pool._shutdown_lock:
        first.open.set()
        assert future.result(HANG_S) == 0
        assert second.result(HANG_S) == 8


def test_thread_name_prefix_can_be_read_and_changed(kind, pools):
    pool = pools(kind.new(1, thread_name_prefix="first"))
    assert pool._thread_name_prefix == "first"
    pool._thread_name_prefix = "second"
    assert pool.submit(lambda: threading.current_thread().name).result() == "second_0"
    assert re.search(r"ThreadPoolExecutor-\d+$", pools(kind.new(1))._thread_name_prefix)


def test_initializer_attributes(kind, pools):
    if not kind.ours and NEW_WORK_ITEM:
        pytest.skip("removed from the standard pool in 3.14")
    pool = pools(kind.new(1, initializer=print, initargs=()))
    assert pool._initializer is print
    assert pool._initargs == ()
    assert pools(kind.new(1))._initializer is None


def test_counter_names_pools(kind):
    first, second = kind.cls._counter(), kind.cls._counter()
    assert second == first + 1


@pytest.mark.parametrize("prefix", ["\ud800", 7, ("a", "b")], ids=["surrogate", "number", "tuple"])
def test_any_object_is_a_thread_name_prefix(kind, prefix):
    with kind.cls(1, prefix, **kind.options) as pool:
        assert pool.submit(abs, -1).result(HANG_S) == 1
