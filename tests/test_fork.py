"""`os.fork` at every bad moment; each case many times, inside a child process with a time limit."""

from __future__ import annotations

import sys

import pytest

import child

GH_88110_MENDED = sys.version_info >= (3, 13, 1) or (3, 12, 8) <= sys.version_info < (3, 13)

FORK = """
import faulthandler, gc, os, signal, sys, threading

def in_child(work):
    # Run `work` in a forked child and return its exit code; a hanging child is ended by its own alarm.
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            faulthandler.register(signal.SIGALRM, chain=True)  # a hanging child says where
            signal.alarm(30)
            code = work() or 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def check(code, what):
    if code != 0:
        print(what, code)

def use(pool):
    # 0 if the pool does everything that a pool does.
    barrier = threading.Barrier(2)
    pair = [pool.submit(barrier.wait, 50) for _ in range(2)]
    sums = sum(pool.map(abs, range(-100, 0)))
    return 0 if sorted(f.result(50) for f in pair) == [0, 1] and sums == 5050 else 1
"""


def test_child_makes_a_pool_of_its_own(kind):
    code = """
    def work():
        with Pool(3) as own:
            return use(own)
    pool = Pool(3)
    use(pool)
    for round in range(50):
        check(in_child(work), "child")
        check(use(pool), "parent")
    pool.shutdown()
    """
    assert child.run_clean(code, kind.source, FORK).lines == []


def test_child_uses_the_pool_it_inherits(ours):
    """The standard pool cannot do this: it believes that the parent's workers are idle in the child."""
    code = """
    pool = Pool(3)
    use(pool)
    for round in range(50):
        check(in_child(lambda: use(pool)), "child")
        check(use(pool), "parent")
    """
    assert child.run_clean(code, ours.source, FORK).lines == []


def test_child_inherits_a_pool_that_is_busy(ours):
    """Workers run and tasks are queued while the fork happens: the child's pool is empty and works."""
    code = """
    pool = Pool(3)
    for round in range(50):
        started, gate = threading.Semaphore(0), threading.Event()
        held = [pool.submit(lambda: (started.release(), gate.wait())) for _ in range(3)]
        for _ in range(3):
            started.acquire()
        queued = [pool.submit(pow, 2, n) for n in range(20)]
        def work():
            return use(pool) or int(pool._work_queue.qsize() != 0)
        check(in_child(work), "child")
        gate.set()
        check([f.result(50) for f in queued] != [2**n for n in range(20)], "parent")
    """
    assert child.run_clean(code, ours.source, FORK).lines == []


def test_fork_while_tasks_fly(ours):
    """Other threads submit without a pause: the fork hits locks in every state."""
    code = """
    pool = Pool(3)
    stop = threading.Event()
    def hammer():
        while not stop.is_set():
            for f in [pool.submit(int) for _ in range(20)]:
                f.result(50)
    threads = [threading.Thread(target=hammer) for _ in range(3)]
    for thread in threads:
        thread.start()
    for round in range(50):
        check(in_child(lambda: use(pool)), "child")
    stop.set()
    for thread in threads:
        thread.join()
    """
    assert child.run_clean(code, ours.source, FORK).lines == []


def test_fork_inside_a_worker(ours):
    """In the child the worker is the main thread; it may use the inherited pool and others."""
    code = """
    pool = Pool(2)
    def work():
        with Pool(2) as own:
            return use(own) or use(pool)
    for round in range(50):
        check(pool.submit(in_child, work).result(), "child")
    check(use(pool), "parent")
    """
    assert child.run_clean(code, ours.source, FORK).lines == []


def test_child_exits_like_any_interpreter(kind):
    """Not by `os._exit`: the child goes through the whole shutdown, without joining the parent's threads."""
    code = """
    pool = Pool(2)
    use(pool)
    for round in range(20):
        pid = os.fork()
        if pid == 0:
            faulthandler.register(signal.SIGALRM, chain=True)
            signal.alarm(30)
            own = Pool(2)
            assert own.submit(pow, 2, 3).result(20) == 8
            sys.exit(0)
        check(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "child")
    """
    assert child.run_clean(code, kind.source, FORK).lines == []


@pytest.mark.parametrize("where", ["main", "worker"])
def test_multiprocessing_by_fork(kind, where):
    """gh-88110: a process started by fork from a pool's worker exits with 0."""
    if where == "worker" and not kind.ours and not GH_88110_MENDED:
        pytest.skip("gh-88110: the standard library's exit hook joins the very thread that it runs in")
    code = """
    import multiprocessing
    fork = multiprocessing.get_context("fork")
    pool = Pool(2)
    use(pool)
    def start():
        process = fork.Process(target=int)
        process.start()
        process.join(50)
        return process.exitcode
    def start_and_use():
        process = fork.Process(target=lambda: sys.exit(use(Pool(2))))
        process.start()
        process.join(50)
        return process.exitcode
    for round in range(25):
    """
    for task in ("start", "start_and_use"):
        code += f"    check({task}() if {where == 'main'} else pool.submit({task}).result(), {task!r})\n"
    assert child.run_clean(code, kind.source, FORK).lines == []


def test_process_pools_under_a_thread_pool(kind):
    """bpo-45021: a task that submits for ever while the main thread makes process pools by fork."""
    code = """
    import concurrent.futures, multiprocessing
    fork = multiprocessing.get_context("fork")
    stop = threading.Event()
    def submit(pool):
        if not stop.is_set():
            pool.submit(submit, pool)
    with Pool(1) as pool:
        pool.submit(submit, pool)
        for _ in range(8):
            with concurrent.futures.ProcessPoolExecutor(1, fork) as workers:
                workers.submit(tuple).result(50)
        stop.set()
    print("ok")
    """
    assert child.run_clean(code, kind.source, FORK).lines == ["ok"]


def test_fork_after_shutdown_and_with_dead_pools(ours):
    code = """
    closed = Pool(2)
    use(closed)
    closed.shutdown()
    def work():
        try:
            closed.submit(int)
        except RuntimeError as error:
            if str(error) != "cannot schedule new futures after shutdown":
                return 2
        else:
            return 3
        for _ in range(10):
            Pool(2).submit(int)
        gc.collect()
        with Pool(2) as own:
            return use(own)
    for round in range(20):
        check(in_child(work), "child")
    """
    assert child.run_clean(code, ours.source, FORK).lines == []


def test_grandchildren(ours):
    code = """
    pool = Pool(2)
    use(pool)
    def generation(left):
        return use(pool) or (in_child(lambda: generation(left - 1)) if left else 0)
    for round in range(10):
        check(in_child(lambda: generation(3)), "child")
    """
    assert child.run_clean(code, ours.source, FORK).lines == []


def test_the_parents_pool_drops_nothing_in_the_child(ours):
    """Queued tasks belong to the parent: in the child neither do they run nor do their finalizers."""
    code = """
    ran = []
    class Loud:
        def __del__(self):
            ran.append("finalized")
        def __call__(self):
            ran.append("run")
    pool = Pool(1)
    started, gate = threading.Event(), threading.Event()
    pool.submit(lambda: (started.set(), gate.wait()))
    started.wait()
    for _ in range(5):
        pool.submit(Loud())
    def work():
        use_one = pool.submit(pow, 2, 3).result(50)
        gc.collect()
        return 0 if use_one == 8 and ran == [] else 1
    check(in_child(work), "child")
    gate.set()
    pool.shutdown()
    print(ran.count("run"))
    """
    assert child.run_clean(code, ours.source, FORK).lines == ["5"]
