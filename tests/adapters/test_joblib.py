"""joblib on our backend."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import warnings

import pytest

import child
from patience import HANG_S

joblib = pytest.importorskip("joblib", reason="joblib is not installed")

from joblib import Parallel, delayed, effective_n_jobs, parallel_config  # noqa: E402

from surefoot import pools  # noqa: E402
from surefoot.adapters.joblib import SurefootBackend, register  # noqa: E402
from surefoot.capacity import standard_default  # noqa: E402

pytestmark = pytest.mark.skipif(
    os.environ.get("SUREFOOT_TEST_STANDARD_ONLY") == "1", reason="SUREFOOT_TEST_STANDARD_ONLY=1"
)


@pytest.fixture(autouse=True)
def _surefoot_backend():
    register()
    with parallel_config(backend="surefoot", n_jobs=16):
        yield
    left = [pool for pool in pools() if pool._thread_name_prefix == "joblib" and not pool._shutdown]
    assert left == []


def square(x):
    return x * x


def fail_at(x, place):
    if x == place:
        raise KeyError(x)
    return x


def thread_name():
    return threading.current_thread().name


def nested(x):
    names = Parallel(n_jobs=2)(delayed(thread_name)() for _ in range(2))
    sums = Parallel(n_jobs=3)(delayed(square)(x + y) for y in range(5))
    return names, sum(sums)


def inner(x):
    return Parallel(n_jobs=2)(delayed(nested)(x) for _ in range(2))


def test_results_come_in_order_whatever_the_number():
    for n_jobs in (2, 16, -1, -2, 1, None):
        assert Parallel(n_jobs=n_jobs)(delayed(square)(x) for x in range(200)) == [x * x for x in range(200)]


def test_tasks_run_in_our_threads_and_at_once():
    barrier = threading.Barrier(16)

    def meet():
        barrier.wait(HANG_S)
        return thread_name()

    names = Parallel()(delayed(meet)() for _ in range(16))
    assert len(set(names)) == 16
    assert all(name.startswith("joblib_") for name in names)


def test_with_minus_one_surefoot_finds_the_size():
    """Everything that joblib lets go ahead runs at once if it blocks: more than the number it is told."""
    ahead = 2 * standard_default()
    barrier = threading.Barrier(ahead)
    assert sorted(Parallel(n_jobs=-1)(delayed(barrier.wait)(HANG_S) for _ in range(ahead))) == list(
        range(ahead)
    )


def test_effective_n_jobs():
    backend = SurefootBackend(nesting_level=0)
    assert [backend.effective_n_jobs(n_jobs) for n_jobs in (7, 1, None)] == [7, 1, 1]
    assert backend.effective_n_jobs(-1) == standard_default()
    assert backend.effective_n_jobs(-1000) == 1
    assert effective_n_jobs(5) == 5
    with pytest.raises(ValueError, match="n_jobs == 0"):
        backend.effective_n_jobs(0)


def test_one_object_serves_many_calls():
    before_s = sys.getswitchinterval()
    # What a failed call leaves behind shows when threads take turns often.
    sys.setswitchinterval(1e-5)
    try:
        _serve_many_calls()
    finally:
        sys.setswitchinterval(before_s)


def _serve_many_calls():
    with Parallel(n_jobs=4) as parallel:
        for _ in range(200):
            assert parallel(delayed(square)(x) for x in range(10)) == [x * x for x in range(10)]
            with pytest.raises(KeyError):
                parallel(delayed(fail_at)(x, 5) for x in range(10))


def test_an_exception_ends_the_call_and_drops_what_waits():
    ran = []
    gate = threading.Event()

    def work(x):
        ran.append(x)
        if x == 0:
            raise ZeroDivisionError("first")
        gate.wait(HANG_S)

    try:
        with pytest.raises(ZeroDivisionError, match="first"):
            Parallel(n_jobs=2, pre_dispatch="all")(delayed(work)(x) for x in range(500))
        assert len(ran) < 100
    finally:
        gate.set()


def test_timeout():
    gate = threading.Event()
    try:
        with pytest.raises(multiprocessing.TimeoutError):
            Parallel(n_jobs=2, timeout=0.1)(delayed(gate.wait)(HANG_S) for _ in range(4))
    finally:
        gate.set()


def test_generators():
    ordered = Parallel(n_jobs=4, return_as="generator")(delayed(square)(x) for x in range(50))
    assert list(ordered) == [x * x for x in range(50)]
    unordered = Parallel(n_jobs=4, return_as="generator_unordered")(delayed(square)(x) for x in range(50))
    assert sorted(unordered) == [x * x for x in range(50)]
    broken_off = Parallel(n_jobs=4, return_as="generator")(delayed(square)(x) for x in range(50))
    assert next(broken_off) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib says that the generator was left early
        broken_off.close()


def test_nested_calls_have_threads_of_their_own():
    for names, total in Parallel(n_jobs=4)(delayed(nested)(x) for x in range(8)):
        assert all(name.startswith("joblib_") for name in names)
        assert total > 0
    # The second level of nesting runs in its caller.
    assert len(Parallel(n_jobs=2)(delayed(inner)(x) for x in range(4))) == 4


def test_many_tasks_that_end_at_once_do_not_recurse():
    assert sum(Parallel(n_jobs=4, pre_dispatch="all")(delayed(square)(1) for _ in range(5000))) == 5000
    assert sum(Parallel(n_jobs=4, batch_size=50)(delayed(square)(1) for _ in range(5000))) == 5000


def test_shared_memory_is_supported():
    seen = []
    Parallel(n_jobs=4, require="sharedmem")(delayed(seen.append)(x) for x in range(20))
    assert sorted(seen) == list(range(20))


def test_sizes_do_not_reach_the_process_end():
    code = """
    from joblib import Parallel, delayed
    from surefoot.adapters.joblib import register
    register(make_default=True)
    print(sum(Parallel(n_jobs=8)(delayed(abs)(x) for x in range(100))))
    """
    assert child.run_clean(code).lines == ["4950"]
    assert child.run_clean(code, env={"SUREFOOT_DISABLE": "1"}).lines == ["4950"]
