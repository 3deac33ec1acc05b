"""Libraries that patch the base class or `Thread`: OpenTelemetry, Sentry, tracers, debuggers.

The hand-written patches below do what those libraries do and always run; the libraries run where they
are installed.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import functools
import importlib.util
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import child
from patience import HANG_S, await_event

VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


@pytest.fixture
def variable():
    """Set it here, in the submitter, and only for one test."""
    token = VARIABLE.set("unset")
    yield VARIABLE
    VARIABLE.reset(token)


def has(module):
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@contextlib.contextmanager
def patched_submit(calls):
    """OpenTelemetry's patch: wrap `ThreadPoolExecutor.submit` so that tasks get the submitter's context."""
    original = ThreadPoolExecutor.__dict__["submit"]

    @functools.wraps(original)
    def submit(self, fn, /, *args, **kwargs):
        calls.append(fn)
        return original(self, contextvars.copy_context().run, fn, *args, **kwargs)

    ThreadPoolExecutor.submit = submit
    try:
        yield
    finally:
        ThreadPoolExecutor.submit = original


def test_patched_submit_is_called_and_propagates(kind, pools, variable):
    calls = []
    before = pools(kind.new(1))
    before.submit(int).result()
    variable.set("set")
    with patched_submit(calls):
        after = pools(kind.new(1))
        for pool in (before, after):
            assert pool.submit(VARIABLE.get).result() == "set"
            assert list(pool.map(lambda _: VARIABLE.get(), range(2))) == ["set", "set"]
    assert len(calls) == 6


def test_unpatching_restores_everything(kind, pools, variable):
    calls = []
    pool = pools(kind.new(1))
    pool.submit(int).result()
    variable.set("set")
    for _ in range(3):
        with patched_submit(calls):
            assert pool.submit(VARIABLE.get).result() == "set"
        number = len(calls)
        future = pool.submit(VARIABLE.get)
        assert future.result() == "unset"
        assert type(future) is kind.future_cls
        assert len(calls) == number


def test_patched_while_tasks_are_queued(kind, pools, gate):
    """Tasks of both ways of submitting stand in one queue, in their order."""
    pool = pools(kind.new(1))
    gate.block(pool)
    order = []
    futures = []
    for number in range(10):
        with patched_submit([]) if number % 2 else contextlib.nullcontext():
            futures.append(pool.submit(order.append, number))
    assert pool._work_queue.qsize() == 10
    assert [pool._work_queue.get_nowait().future for _ in range(2)] == futures[:2]
    gate.open.set()
    futures[-1].result(HANG_S)
    assert order == list(range(2, 10))


def test_patched_submit_obeys_shutdown_and_cancel(kind, gate, pools):
    with patched_submit([]):
        pool = pools(kind.new(1))
        gate.block(pool)
        queued = [pool.submit(int) for _ in range(5)]
        assert queued[0].cancel()
        pool.shutdown(wait=False, cancel_futures=True)
        assert all(f.cancelled() for f in queued)
        with pytest.raises(RuntimeError, match=r"^cannot schedule new futures after shutdown$"):
            pool.submit(int)


def test_patch_of_the_most_derived_class(kind, pools):
    calls = []
    cls = kind.cls
    inherited = "submit" not in cls.__dict__
    original = cls.submit

    def submit(self, fn, /, *args, **kwargs):
        calls.append(fn)
        return original(self, fn, *args, **kwargs)

    pool = pools(kind.new(1))
    cls.submit = submit
    try:
        assert pool.submit(pow, 2, 3).result() == 8
    finally:
        if inherited:
            del cls.submit
        else:
            cls.submit = original
    assert calls == [pow]
    assert pool.submit(pow, 2, 4).result() == 16
    assert calls == [pow]


def test_patched_thread_start_sees_the_workers(kind, pools):
    """Sentry replaces `Thread.start`, which replaces the thread's `run`."""
    original = threading.Thread.start
    started, ran = [], []

    @functools.wraps(original)
    def start(self, *args, **kwargs):
        started.append(self.name)
        run = getattr(self.run, "__func__", self.run)

        def new_run(*args, **kwargs):
            ran.append(threading.current_thread().name)
            return run(self, *args, **kwargs)

        self.run = new_run
        return original(self, *args, **kwargs)

    threading.Thread.start = start
    try:
        pool = pools(kind.new(1, thread_name_prefix="seen"))
        assert pool.submit(pow, 2, 3).result() == 8
    finally:
        threading.Thread.start = original
    assert started == ran == ["seen_0"]


def test_patched_thread_run_wraps_the_worker(kind, pools):
    """OpenTelemetry wraps `Thread.run`."""
    original = threading.Thread.run
    entered = []

    def run(self):
        entered.append(self.name)
        return original(self)

    threading.Thread.run = run
    try:
        pool = pools(kind.new(1, thread_name_prefix="seen"))
        assert pool.submit(pow, 2, 3).result() == 8
    finally:
        threading.Thread.run = original
    assert entered == ["seen_0"]


def test_profile_and_trace_functions_reach_the_tasks(kind, pools):
    """Coverage, debuggers and profilers install themselves by `threading.settrace` and `setprofile`."""
    profiled, traced = set(), set()

    def profile(frame, event, argument):
        profiled.add(frame.f_code.co_name)

    def trace(frame, event, argument):
        traced.add(frame.f_code.co_name)

    def the_task():
        return 42

    old_trace = threading.gettrace()
    threading.setprofile(profile)
    threading.settrace(trace)
    try:
        pool = pools(kind.new(1))
        assert [pool.submit(the_task).result() for _ in range(2)] == [42, 42]
    finally:
        threading.setprofile(None)
        threading.settrace(old_trace)
    assert "the_task" in profiled
    assert "the_task" in traced


def test_asynchronous_exceptions_reach_the_task(kind, pools):
    """temporalio cancels activities by `PyThreadState_SetAsyncExc`."""

    class Cancel(Exception):
        pass

    started, stop = threading.Event(), threading.Event()

    def loop():
        started.set()
        while not stop.is_set():
            pass

    pool = pools(kind.new(1))
    future = pool.submit(loop)
    await_event(started)
    (worker,) = pool._threads
    try:
        assert (
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident), ctypes.py_object(Cancel))
            == 1
        )
        assert isinstance(future.exception(HANG_S), Cancel)
    finally:
        stop.set()
    assert pool.submit(threading.current_thread).result(HANG_S) is worker


def test_faulthandler_shows_the_workers(kind):
    code = """
    import faulthandler, sys, threading
    pool = Pool(1)
    started, stop = threading.Event(), threading.Event()
    def the_task():
        started.set()
        stop.wait()
    pool.submit(the_task)
    started.wait()
    faulthandler.dump_traceback(all_threads=True, file=sys.stdout)
    stop.set()
    """
    assert "in the_task" in child.run_clean(code, kind.source).out


def test_context_does_not_leak_into_workers(kind, pools, variable):
    """A worker starts with an empty context, not with that of whoever caused its start."""
    if not kind.ours and getattr(sys.flags, "thread_inherit_context", False):
        pytest.skip("the standard pool leaks it where threads inherit the context")
    variable.set("of the submitter")
    assert pools(kind.new(1)).submit(VARIABLE.get).result() == "unset"


def test_context_changes_last_in_the_worker(kind, pools, variable):
    """Without isolation between tasks, as in the standard pool."""
    pool = pools(kind.new(1))
    pool.submit(VARIABLE.set, "by a task").result()
    assert pool.submit(VARIABLE.get).result() == "by a task"


@pytest.mark.skipif(
    not has("opentelemetry.instrumentation.threading"), reason="OpenTelemetry is not installed"
)
def test_opentelemetry(kind):
    code = """
    from opentelemetry import context
    from opentelemetry.instrumentation.threading import ThreadingInstrumentor

    def seen():
        return context.get_value("key")

    early = Pool(1)
    early.submit(int).result()
    instrumentor = ThreadingInstrumentor()
    instrumentor.instrument()
    late = Pool(2)
    for number in range(20):
        token = context.attach(context.set_value("key", number))
        for pool in (early, late):
            assert pool.submit(seen).result() == number
            assert list(pool.map(lambda _: seen(), range(3))) == [number] * 3
        context.detach(token)
    assert early.submit(seen).result() is None
    instrumentor.uninstrument()
    context.attach(context.set_value("key", "after"))
    assert early.submit(seen).result() is None
    print(type(early.submit(int)).__module__)
    early.shutdown()
    late.shutdown()
    """
    assert child.run_clean(code, kind.source).lines == [kind.future_cls.__module__]


@pytest.mark.skipif(not has("sentry_sdk"), reason="Sentry is not installed")
def test_sentry(kind):
    code = """
    import sentry_sdk
    from sentry_sdk.integrations.threading import ThreadingIntegration

    sentry_sdk.init(default_integrations=False, integrations=[ThreadingIntegration(propagate_scope=True)])

    def seen():
        tags = dict(sentry_sdk.get_isolation_scope()._tags)
        sentry_sdk.get_isolation_scope().set_tag("left", "behind")
        return tags.get("key"), tags.get("left")

    pool = Pool(1)
    for number in range(5):
        with sentry_sdk.isolation_scope() as scope:
            scope.set_tag("key", number)
            print(*pool.submit(seen).result(), *pool.map(lambda _: seen()[0], range(2)))
    pool.shutdown()
    """
    lines = child.run_clean(code, kind.source).lines
    # Each task sees the submitter's tag, in a scope of its own.
    assert lines == [f"{n} None {n} {n}" for n in range(5)]
