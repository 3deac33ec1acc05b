"""How an interpreter ends while a pool lives: each case in a child process with a time limit."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import child
import kinds
from patience import eventually

GATE = """
import concurrent.futures.thread
import atexit, gc, os, signal, sys, threading
started, gate = threading.Event(), threading.Event()
def blocked():
    started.set()
    gate.wait()
"""


def test_exit_runs_queued_work(kind):
    code = """
    done = []
    atexit.register(lambda: print(len(done)))
    pool = Pool(2)
    for _ in range(2):
        pool.submit(blocked)
    for n in range(1000):
        pool.submit(done.append, n)
    started.wait()
    gate.set()
    """
    assert child.run_clean(code, kind.source, GATE).lines == ["1000"]


def test_exit_waits_for_running_tasks(kind):
    """The main thread is at its end while a worker is still blocked, and only then is the gate opened."""
    code = """
    pool = Pool(2)
    pool.submit(blocked)
    started.wait()
    def open_when_main_has_ended():
        while not concurrent.futures.thread._shutdown:
            threading.Event().wait(0.001)
        print("main has ended")
        gate.set()
    threading.Thread(target=open_when_main_has_ended, daemon=True).start()
    pool.submit(lambda: (gate.wait(), print("the task ends")))
    """
    assert child.run_clean(code, kind.source, GATE).lines == ["main has ended", "the task ends"]


def test_exit_after_shutdown_without_waiting(kind):
    code = """
    pool = Pool(1)
    pool.submit(blocked)
    pool.submit(print, "apple")
    pool.shutdown(wait=False)
    gate.set()
    """
    assert child.run_clean(code, kind.source, GATE).lines == ["apple"]


def test_exit_with_a_pool_that_was_dropped(kind):
    code = """
    Pool(3).submit(lambda: (gate.wait(), print("apple")))
    gc.collect()
    gate.set()
    """
    assert child.run_clean(code, kind.source, GATE).lines == ["apple"]


def test_exit_with_unused_and_idle_pools(kind):
    code = """
    unused = Pool(3)
    idle = [Pool(3) for _ in range(20)]
    for pool in idle:
        pool.submit(int).result()
    """
    child.run_clean(code, kind.source)


def test_exit_with_a_pool_in_a_cycle_and_in_a_module(kind):
    code = """
    class Holder: pass
    holder = Holder()
    holder.pool, holder.holder = Pool(2), holder
    holder.pool.submit(int, holder).exception()
    import types
    sys.modules["kept"] = types.ModuleType("kept")
    sys.modules["kept"].pool = Pool(2)
    sys.modules["kept"].future = sys.modules["kept"].pool.submit(int)
    del holder
    """
    child.run_clean(code, kind.source, GATE)


def test_sys_exit_in_the_main_thread(kind):
    code = """
    pool = Pool(1)
    pool.submit(lambda: (gate.wait(), print("apple")))
    gate.set()
    sys.exit(7)
    """
    end = child.run(code, kind.source, GATE)
    assert (end.code, end.lines, end.err) == (7, ["apple"], "")


def test_uncaught_exception_in_the_main_thread(kind):
    code = """
    pool = Pool(1)
    pool.submit(lambda: (gate.wait(), print("apple")))
    gate.set()
    raise ValueError("main")
    """
    end = child.run(code, kind.source, GATE)
    assert (end.code, end.lines) == (1, ["apple"])
    assert end.err.endswith("ValueError: main\n")


@pytest.mark.parametrize("where", ["the main thread", "a task"])
def test_os_exit_ends_at_once(kind, where):
    code = """
    pool = Pool(3)
    pool.submit(blocked)
    pool.submit(print, "x").result()
    started.wait()
    sys.stdout.flush()
    """
    code += "os._exit(3)\n" if where == "the main thread" else "pool.submit(os._exit, 3).result()\n"
    end = child.run(code, kind.source, GATE)
    assert (end.code, end.lines, end.err) == (3, ["x"], "")


@pytest.mark.parametrize(
    "wait_for",
    [
        "future.result()",
        "future.exception()",
        "future.result(1000)",
        "concurrent.futures.wait([future])",
        "next(concurrent.futures.as_completed([future]))",
        "next(pool.map(lambda _: gate.wait(), [1]))",
    ],
)
def test_ctrl_c_interrupts_the_wait(kind, wait_for):
    code = f"""
    import concurrent.futures
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pool = Pool(2)
    future = pool.submit(blocked)
    started.wait()
    def press_when_waiting():
        # The wait has begun once the main thread stays asleep with the waiting line as its outermost one.
        asleep = 0
        while asleep < 20:
            frame = sys._current_frames()[threading.main_thread().ident]
            while frame.f_back is not None:
                frame = frame.f_back
            with open(f"/proc/self/task/{{threading.main_thread().native_id}}/stat") as stat:
                state = stat.read().rpartition(")")[2].split()[0]
            asleep = asleep + 1 if state == "S" and frame.f_lineno == wait_line else 0
            threading.Event().wait(0.001)
        os.kill(os.getpid(), signal.SIGINT)
    wait_line = sys._getframe().f_lineno + 3
    threading.Thread(target=press_when_waiting).start()
    try:
        {wait_for}
    except KeyboardInterrupt:
        print("interrupted", future.running())
        gate.set()
    """
    assert child.run_clean(code, kind.source, GATE).lines == ["interrupted True"]


def fall_asleep(pid):
    """Return once a process's main thread stays asleep."""
    seen = 0

    def stays_asleep():
        nonlocal seen
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        seen = seen + 1 if state == "S" else 0
        return seen == 20

    eventually(stays_asleep, "the main thread sleeps")


def test_ctrl_c_with_the_default_handling(kind):
    """KeyboardInterrupt leaves the main thread, the work goes on, the process dies by SIGINT."""
    code = """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pool = Pool(1)
    future = pool.submit(blocked)
    started.wait()
    try:
        print("ready", flush=True)
        future.result()
    finally:
        gate.set()
    """
    with child.Child(code, kind.source, GATE) as running:
        assert running.read_line() == "ready"
        # CPython itself may sleep on if a signal comes between its last look for one and its sleep.
        fall_asleep(running.process.pid)
        running.process.send_signal(signal.SIGINT)
        end = running.ended()
    assert end.code == -signal.SIGINT
    assert end.err.endswith("KeyboardInterrupt\n")


def test_ctrl_c_inside_the_with_block(kind):
    """`__exit__` waits for the running task, then KeyboardInterrupt goes on."""
    code = """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Pool(1) as pool:
            future = pool.submit(blocked)
            started.wait()
            threading.Thread(target=lambda: (os.kill(os.getpid(), signal.SIGINT), gate.set())).start()
            future.result()
            gate.wait()
            raise KeyboardInterrupt  # the signal came after the result
    except KeyboardInterrupt:
        print("interrupted", future.done())
    """
    assert child.run_clean(code, kind.source, GATE).lines == ["interrupted True"]


@pytest.mark.parametrize("error", ["SystemExit(5)", "KeyboardInterrupt()", "GeneratorExit()"])
def test_exiting_exceptions_in_a_task_end_nothing(kind, error):
    code = f"""
    def fail():
        raise {error}
    pool = Pool(1)
    print(repr(pool.submit(fail).exception()))
    print(pool.submit(pow, 2, 3).result())
    """
    assert child.run_clean(code, kind.source, GATE).lines == [error, "8"]


def test_submit_in_an_atexit_handler(kind):
    code = """
    @atexit.register
    def late():
        try:
            pool.submit(int)
        except RuntimeError as error:
            print(error)
    pool = Pool(2)
    used = Pool(2)
    used.submit(int).result()
    """
    (line,) = child.run_clean(code, kind.source, GATE).lines
    # An unused pool is told of the interpreter, a used one may have been flagged as shut down by its workers.
    assert line == "cannot schedule new futures after interpreter shutdown"


def test_submit_in_a_task_while_the_interpreter_exits(kind):
    code = """
    pool = Pool(2)
    def late():
        gate.wait()
        while not concurrent.futures.thread._shutdown:
            pass
        try:
            pool.submit(int)
        except RuntimeError as error:
            print(error)
    pool.submit(late)
    gate.set()
    """
    (line,) = child.run_clean(code, kind.source, GATE).lines
    assert line in (
        "cannot schedule new futures after shutdown",
        "cannot schedule new futures after interpreter shutdown",
    )


def test_new_pool_while_the_interpreter_exits(kind):
    code = """
    @atexit.register
    def late():
        pool = Pool(2)
        try:
            pool.submit(int)
        except RuntimeError as error:
            print(error)
        pool.shutdown()
    """
    assert child.run_clean(code, kind.source, GATE).lines == [
        "cannot schedule new futures after interpreter shutdown"
    ]


@pytest.mark.parametrize("daemon", [True, False], ids=["daemon", "ordinary"])
def test_threads_submit_while_the_interpreter_exits(kind, daemon):
    code = f"""
    pool = Pool(3)
    begun = threading.Semaphore(0)
    def hammer():
        begun.release()
        try:
            while True:
                pool.submit(int).result(60)
        except RuntimeError:
            return
    for _ in range(3):
        threading.Thread(target=hammer, daemon={daemon}).start()
    for _ in range(3):
        begun.acquire()
    """
    for _ in range(5):
        end = child.run(code, kind.source, GATE)
        assert end.code == 0, str(end)
        # Without a GIL, CPython's own shutdown can meet a thread that another thread is just starting.
        is_known = kinds.is_free_threaded() and end.err.rstrip().endswith("RuntimeError: thread not started")
        assert end.err == "" or is_known, str(end)


def test_exit_while_a_controller_decides(adaptive):
    """A controller written in Python is being asked while the interpreter goes down."""
    code = """
    class Controller:
        def decide(self, window):
            started.set()
            sum(range(50_000))
            return window.limit
    pool = Pool(4, controller=Controller(), interval_s=0.001)
    for _ in range(4):
        pool.submit(gate.wait)
    pool.submit(int)
    started.wait()
    gate.set()
    """
    for _ in range(10):
        child.run_clean(code, adaptive.source, GATE)


def test_exit_with_a_pool_still_controlled(ours):
    """A dropped pool whose workers are still busy as the interpreter exits."""
    code = """
    def chain(left):
        return left and sum(range(20_000))
    Pool(2, interval_s=0.001).map(chain, range(500))
    gc.collect()
    """
    for _ in range(5):
        child.run_clean(code, ours.source, GATE)


def test_hack_that_clears_the_registry(kind):
    """Some clear `_threads` and `_threads_queues` to skip the joins at exit."""
    code = """
    pool = Pool(2)
    pool.submit(blocked)
    started.wait()
    pool._threads.clear()
    concurrent.futures.thread._threads_queues.clear()
    pool.shutdown(wait=False)
    gate.set()
    print("apple")
    """
    assert child.run_clean(code, kind.source, GATE).lines == ["apple"]


def test_tracebacks_of_failing_tasks_stay_silent(kind):
    code = """
    pool = Pool(2)
    for _ in range(100):
        pool.submit(divmod, 1, 0)
    """
    child.run_clean(code, kind.source)


def test_pool_in_a_thread_that_is_not_the_main_one(kind):
    code = """
    def work():
        with Pool(4) as pool:
            print(sum(pool.map(abs, range(-100, 0))))
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    """
    assert child.run_clean(code, kind.source, GATE).lines == ["5050"]
