"""Subclasses that reach into the protocol of the standard class: overrides, own threads, own queues."""

from __future__ import annotations

import concurrent.futures.thread
import functools
import gc
import itertools
import queue
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

import child
from patience import HANG_S, collected

NEW_PROTOCOL = sys.version_info >= (3, 14)


def task_of(item):
    """The function of a work item, by the protocol of this version."""
    return item.task[0] if hasattr(item, "task") else item.fn


def daemon_pool(base):
    """The widespread pool with daemon threads: the standard body of `_adjust_thread_count`, copied."""

    class DaemonThreadPoolExecutor(base):
        def _adjust_thread_count(self):
            if self._idle_semaphore.acquire(timeout=0):
                return

            def weakref_cb(_, q=self._work_queue):
                q.put(None)

            num_threads = len(self._threads)
            if num_threads < self._max_workers:
                reference = weakref.ref(self, weakref_cb)
                if NEW_PROTOCOL:
                    args = (reference, self._create_worker_context(), self._work_queue)
                else:
                    args = (reference, self._work_queue, self._initializer, self._initargs)
                thread = threading.Thread(
                    name=f"{self._thread_name_prefix or self}_{num_threads}",
                    target=concurrent.futures.thread._worker,
                    args=args,
                    daemon=True,
                )
                thread.start()
                self._threads.add(thread)

    return DaemonThreadPoolExecutor


def test_submit_override_calls_super(kind, pools):
    """LangChain's `ContextThreadPoolExecutor`."""

    class Doubling(kind.cls):
        def submit(self, fn, *args, **kwargs):
            return super().submit(functools.partial(lambda f, *a, **k: 2 * f(*a, **k), fn), *args, **kwargs)

    with kind.new(2, cls=Doubling) as pool:
        assert pool.submit(pow, 2, 3).result() == 16
        assert list(pool.map(abs, [-1, -2])) == [2, 4]


def test_submit_override_with_backpressure(kind):
    """A bounded pool: a semaphore taken in `submit`, released by a callback."""

    class Bounded(kind.cls):
        def __init__(self, *args, bound=3, **kwargs):
            super().__init__(*args, **kwargs)
            self.slots = threading.BoundedSemaphore(bound)

        def submit(self, fn, /, *args, **kwargs):
            self.slots.acquire()
            future = super().submit(fn, *args, **kwargs)
            future.add_done_callback(lambda _: self.slots.release())
            return future

    with kind.new(2, cls=Bounded) as pool:
        assert [f.result() for f in [pool.submit(abs, -n) for n in range(200)]] == list(range(200))


def test_daemon_threads(kind, pools, gate):
    pool = pools(kind.new(3, cls=daemon_pool(kind.cls), thread_name_prefix="daemon"))
    gate.block(pool, 3)
    queued = [pool.submit(pow, 2, n) for n in range(20)]
    assert {t.name for t in pool._threads} == {"daemon_0", "daemon_1", "daemon_2"}
    assert all(t.daemon for t in pool._threads)
    gate.open.set()
    assert [f.result(HANG_S) for f in queued] == [2**n for n in range(20)]
    pool.shutdown(wait=True)
    assert not any(t.is_alive() for t in pool._threads)


def test_daemon_threads_with_an_initializer(kind, pools):
    seen = []
    pool = pools(kind.new(1, cls=daemon_pool(kind.cls), initializer=seen.append, initargs=("here",)))
    assert pool.submit(pow, 2, 3).result(HANG_S) == 8
    assert seen == ["here"]


def test_daemon_threads_end_with_the_pool(kind):
    pool = kind.new(2, cls=daemon_pool(kind.cls))
    pool.submit(int).result(HANG_S)
    (thread,) = pool._threads
    del pool
    gc.collect()
    thread.join(HANG_S)
    assert not thread.is_alive()


def test_daemon_threads_do_not_hold_up_the_interpreters_exit(kind):
    source = "\n".join(
        (
            "import concurrent.futures.thread, sys, threading, weakref",
            f"NEW_PROTOCOL = {NEW_PROTOCOL}",
            __import__("inspect").getsource(daemon_pool),
        )
    )
    code = """
    pool = Pool(1, cls=daemon_pool(Base))
    started, never = threading.Event(), threading.Event()
    pool.submit(lambda: (started.set(), never.wait()))
    started.wait()
    print("leaving")
    """
    end = child.run_clean(code, kind.source, source)
    assert end.lines == ["leaving"]


def test_workers_of_somebody_else(kind):
    """gevent makes `_adjust_thread_count` a no-op and takes the items from the queue itself."""

    class Greenish(kind.cls):
        def _adjust_thread_count(self):
            pass

        def submit(self, fn, /, *args, **kwargs):
            future = super().submit(fn, *args, **kwargs)
            item = self._work_queue.get()
            assert task_of(item) is fn
            assert item.future is future
            if NEW_PROTOCOL:
                item.run(self._create_worker_context())
            else:
                item.run()
            return future

    pool = kind.new(2, cls=Greenish)
    future = pool.submit(pow, 2, 3)
    assert future.result(timeout=0) == 8
    assert pool.submit(threading.current_thread).result(timeout=0) is threading.current_thread()
    assert pool._threads == set()
    pool.shutdown()


def test_nobody_takes_the_work(kind):
    """With no worker made, work stays queued, and a shutdown can cancel it."""

    class Lazy(kind.cls):
        def _adjust_thread_count(self):
            pass

    pool = kind.new(2, cls=Lazy)
    futures = [pool.submit(int) for _ in range(3)]
    assert pool._work_queue.qsize() == 3
    assert not any(f.running() or f.done() for f in futures)
    pool.shutdown(cancel_futures=True)
    assert all(f.cancelled() for f in futures)


def test_adjust_thread_count_override_that_calls_super(kind, pools, gate):
    calls = []

    class Watching(kind.cls):
        def _adjust_thread_count(self):
            calls.append(len(self._threads))
            super()._adjust_thread_count()

    pool = pools(kind.new(3, cls=Watching))
    gate.block(pool, 3)
    assert calls == [0, 1, 2]


@pytest.mark.parametrize(
    "make",
    [queue.Queue, queue.SimpleQueue, lambda: queue.Queue(maxsize=2)],
    ids=["Queue", "SimpleQueue", "bounded"],
)
def test_another_queue_in_an_instance(kind, make):
    class Replaced(kind.cls):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self._work_queue = make()

    with kind.new(3, cls=Replaced) as pool:
        assert [f.result(HANG_S) for f in [pool.submit(abs, -n) for n in range(100)]] == list(range(100))
    assert not any(t.is_alive() for t in pool._threads)


def test_another_queue_from_outside(kind, pools, gate):
    pool = pools(kind.new(1))
    pool._work_queue = queue.LifoQueue()
    gate.block(pool)
    order = []
    last, *_ = [pool.submit(order.append, n) for n in range(3)]
    assert pool._work_queue.qsize() == 3
    gate.open.set()
    last.result(HANG_S)
    assert order == [2, 1, 0]


def test_priority_queue(kind, pools, gate):
    class Priorities(queue.PriorityQueue):
        numbers = itertools.count()

        def put(self, item, *args, **kwargs):
            priority = float("inf") if item is None else getattr(task_of(item), "priority", 0)
            super().put((priority, next(self.numbers), item), *args, **kwargs)

        def get(self, *args, **kwargs):
            return super().get(*args, **kwargs)[2]

    class Prioritising(kind.cls):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self._work_queue = Priorities()

    order = []
    pool = pools(kind.new(1, cls=Prioritising))
    gate.block(pool)
    futures = []
    for priority in (3, 1, 2):
        task = functools.partial(order.append, priority)
        task.priority = priority
        futures.append(pool.submit(task))
    gate.open.set()
    for future in futures:
        future.result(HANG_S)
    assert order == [1, 2, 3]
    pool.shutdown(wait=True)


def test_never_initialised(kind):
    """grpcio's test pool overrides `submit` and never calls `super().__init__()`."""

    class Recording(kind.cls):
        def __init__(self):
            self.calls = []

        def submit(self, fn, *args, **kwargs):
            self.calls.append(fn)
            future = concurrent.futures.Future()
            future.set_result(fn(*args, **kwargs))
            return future

        def shutdown(self, wait=True, *, cancel_futures=False):
            pass

    pool = Recording()
    assert isinstance(pool, ThreadPoolExecutor)
    assert pool.submit(pow, 2, 3).result() == 8
    assert list(pool.map(abs, [-1])) == [1]
    repr(pool)
    gc.collect()
    with pool:
        pass
    alive = weakref.ref(pool)
    del pool
    collected(alive)


def test_never_initialised_and_used_all_the_same(kind):
    """The base class's methods fail with a Python exception, not with a crash."""
    code = """
    import copy, gc, os
    class Empty(Base):
        def __init__(self):
            pass
    for use in (
        lambda p: p.submit(int), lambda p: p.shutdown(), lambda p: p._adjust_thread_count(),
        lambda p: p._initializer_failed(), lambda p: p.map(abs, [1]), lambda p: p._max_workers,
        lambda p: p.stats(), lambda p: p.decisions(),
    ):
        try:
            use(Empty())
            print("fine")
        except Exception as error:
            print(type(error).__name__)
    kept = Empty()
    if os.fork() == 0:
        gc.collect()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
    del kept
    gc.collect()
    print("still here")
    """
    end = child.run_clean(code, kind.source)
    assert end.lines[-2:] == ["0", "still here"]
    assert set(end.lines[:-2]) <= {"AttributeError", "RuntimeError", "fine"}
    assert end.lines[0] != "fine"
    assert len(end.lines) == 10


def test_initialised_twice(kind):
    """As useless as it is: no crash, no thread left over."""
    pool = kind.new(2)
    pool.submit(int).result()
    threads = tuple(pool._threads)
    pool.__init__(3, **kind.options)
    assert pool.submit(pow, 2, 3).result(HANG_S) == 8
    pool.shutdown()
    del pool
    gc.collect()
    for thread in threads:
        thread.join(HANG_S)
        assert not thread.is_alive()


def test_slots_and_extra_attributes(kind, pools):
    pool = pools(kind.new(1))
    pool.anything = 1
    assert vars(pool)["anything"] == 1
    assert weakref.ref(pool)() is pool


@pytest.mark.skipif(not NEW_PROTOCOL, reason="worker contexts are new in 3.14")
def test_worker_context_of_a_subclass(kind):
    """As `InterpreterPoolExecutor` does it."""
    from concurrent.futures.thread import WorkerContext

    log = []

    class Context(WorkerContext):
        def initialize(self):
            log.append("initialize")
            super().initialize()

        def run(self, task):
            log.append("run")
            return super().run(task)

        def finalize(self):
            log.append("finalize")

    class Contextual(kind.cls):
        @classmethod
        def prepare_context(cls, initializer, initargs, *, colour):
            log.append(colour)
            return Context.prepare(initializer, initargs)

    pool = Contextual(1, colour="red", **kind.options)
    assert pool.submit(pow, 2, 3).result() == 8
    assert pool.submit(pow, 2, 4).result() == 16
    pool.shutdown()
    assert log == ["red", "initialize", "run", "run", "finalize"]


@pytest.mark.skipif(not NEW_PROTOCOL, reason="BROKEN is new in 3.14")
def test_broken_class_of_a_subclass(kind, pools):
    class MyBroken(concurrent.futures.thread.BrokenThreadPool):
        pass

    class Mine(kind.cls):
        BROKEN = MyBroken

    pool = pools(kind.new(1, cls=Mine))
    pool._initializer_failed()
    with pytest.raises(MyBroken):
        pool.submit(int)
