"""`map` is the inherited one and works by `self.submit`."""

from __future__ import annotations

import concurrent.futures
import sys
import threading
import weakref

import pytest

from patience import collected


class Thing:
    pass


def test_map_is_inherited(kind):
    assert kind.cls.map is concurrent.futures.Executor.map


def test_map_keeps_the_order(kind, pools):
    pool = pools(kind.new(4))
    assert list(pool.map(pow, range(100), range(100))) == list(map(pow, range(100), range(100)))
    assert list(pool.map(pow, range(10), range(10), chunksize=3)) == list(map(pow, range(10), range(10)))
    assert list(pool.map(str, [])) == []


def test_map_raises_at_the_failing_item(kind, pools):
    results = pools(kind.new(2)).map(divmod, [1, 1, 1, 1], [2, 3, 0, 5])
    assert next(results) == (0, 1)
    assert next(results) == (0, 1)
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_map_submits_without_being_iterated(kind):
    finished = []
    pool = kind.new(3)
    pool.map(finished.append, range(10))
    pool.shutdown(wait=True)
    assert sorted(finished) == list(range(10))


def test_map_timeout_cancels_what_is_left(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    ran = []
    results = pool.map(ran.append, [1, 2, 3], timeout=0)
    with pytest.raises(concurrent.futures.TimeoutError):
        next(results)
    del results
    assert pool._work_queue.qsize() <= 3
    gate.open.set()
    pool.shutdown(wait=True)
    # 3.12 and newer cancel the item that timed out as well; older ones let it run.
    assert ran in ([], [1])


def test_map_calls_submit_of_a_subclass(kind, pools):
    submitted = []

    class Counting(kind.cls):
        def submit(self, fn, /, *args, **kwargs):
            submitted.append(args)
            return super().submit(fn, *args, **kwargs)

    pool = pools(kind.new(2, cls=Counting))
    assert list(pool.map(abs, [-1, -2])) == [1, 2]
    assert submitted == [(-1,), (-2,)]


def test_map_calls_submit_of_the_instance(kind, pools):
    """tqdm's `thread_map` assigns a patched `submit` to the instance."""
    pool = pools(kind.new(2))
    original = pool.submit
    calls = []

    def submit(fn, /, *args, **kwargs):
        calls.append(args)
        return original(fn, *args, **kwargs)

    pool.submit = submit
    assert list(pool.map(abs, [-1, -2])) == [1, 2]
    assert calls == [(-1,), (-2,)]
    del pool.submit
    assert pool.submit(abs, -3).result() == 3
    assert len(calls) == 2


def test_map_frees_each_result(kind, pools):
    """The iterator keeps no reference to what it has yielded (gh-58614)."""
    pool = pools(kind.new(2))
    for thing in pool.map(lambda _: Thing(), range(10)):
        alive = weakref.ref(thing)
        del thing
        collected(alive)


def test_closing_the_iterator_cancels_the_rest(kind, pools, gate):
    pool = pools(kind.new(1))
    ran = []
    results = pool.map(lambda n: (gate(n) if n == 1 else None, ran.append(n)), range(5))
    next(results)
    gate.await_arrivals()
    results.close()
    gate.open.set()
    pool.shutdown(wait=True)
    assert ran == [0, 1]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="buffersize is new in 3.14")
def test_buffersize(kind, pools):
    pool = pools(kind.new(4))
    assert list(pool.map(abs, range(-20, 0), buffersize=3)) == list(range(20, 0, -1))
    pulled = []

    def numbers():
        for number in range(100):
            pulled.append(number)
            yield number

    results = pool.map(abs, numbers(), buffersize=5)
    assert len(pulled) == 5
    assert next(results) == 0
    assert len(pulled) == 6
    results.close()
    with pytest.raises(TypeError, match=r"^buffersize must be an integer or None$"):
        pool.map(abs, [], buffersize="x")
    with pytest.raises(ValueError, match=r"^buffersize must be None or > 0$"):
        pool.map(abs, [], buffersize=0)


def test_map_from_several_threads(kind, pools):
    pool = pools(kind.new(4))
    sums = []

    def add_up(base):
        sums.append(sum(pool.map(lambda n: base + n, range(200))))

    threads = [threading.Thread(target=add_up, args=(base,)) for base in (0, 1000, 2000, 3000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sums) == [sum(base + n for n in range(200)) for base in (0, 1000, 2000, 3000)]
