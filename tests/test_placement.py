"""`keep_on_one_core`: who is moved, who never is, and that everybody is put back.

Most tests tell the pool to gather its workers without asking whether it pays, so that they need no quiet
machine. They look from inside a process of their own, whose masks nobody else has touched.
"""

from __future__ import annotations

import os
import sys
import sysconfig

import pytest

import child

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="threads are moved on Linux only"),
    pytest.mark.skipif(
        hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) < 2, reason="one core"
    ),
    pytest.mark.skipif(
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="no lock, so nothing is gathered"
    ),
]

SET_UP = """
    import os, sys, threading, time
    import surefoot

    ALL = os.sched_getaffinity(0)
    HANG_S = 60

    def make(workers=2, **options):
        options.setdefault("keep_on_one_core", True)
        return surefoot.AdaptiveThreadPoolExecutor(workers, controller="fixed", **options)

    def native(pool):
        return pool._AdaptiveThreadPoolExecutor__pool

    def gathered(workers=2):
        pool = make(workers)
        native(pool).trust_one_core()
        return pool

    def mask(thread_id=0):
        return os.sched_getaffinity(thread_id)

    def until(is_true, what):
        deadline = time.monotonic() + HANG_S
        while not is_true():
            assert time.monotonic() < deadline, f"waited in vain for: {what}"
            time.sleep(0.001)

    def until_narrow(thread_id=0):
        until(lambda: len(mask(thread_id)) == 1, "the narrow mask")

    def in_task(make_child):
        # What a task on a gathered worker gets from `make_child`.
        def task():
            until_narrow()
            return make_child()
        with gathered() as pool:
            return pool.submit(task).result(HANG_S)

    def same(seen):
        assert set(seen) == ALL, f"{seen} is not {ALL}"
"""

PRINT_MASK = "import os; print(*os.sched_getaffinity(0))"


def check(code):
    """Run `code` after the set-up in a process of its own."""
    child.run_clean(code, SET_UP)


def test_workers_are_narrowed_while_they_work_and_put_back_when_they_are_idle():
    check("""
        pool = gathered(3)
        go = threading.Event()
        ids = [pool.submit(lambda: (go.wait(HANG_S), threading.get_native_id())[1]) for _ in range(3)]
        until(lambda: len(pool._threads) == 3 and all(len(mask(t.native_id)) == 1 for t in pool._threads),
              "every worker's narrow mask")
        cores = {core for thread in pool._threads for core in mask(thread.native_id)}
        assert len(cores) == 1, cores
        assert native(pool).is_on_one_core
        same(mask())
        go.set()
        workers = {future.result(HANG_S) for future in ids}
        until(lambda: all(mask(worker) == ALL for worker in workers), "the masks to be put back")
        assert not native(pool).is_on_one_core
        pool.shutdown()
    """)


def test_a_worker_that_comes_late_joins_the_others():
    check("""
        pool = gathered(2)
        go = threading.Event()
        first = pool.submit(go.wait, HANG_S)
        until(lambda: native(pool).is_on_one_core, "the first to be moved")
        second = pool.submit(lambda: (until_narrow(), go.set()))
        second.result(HANG_S)
        pool.shutdown()
    """)


def test_shutdown_leaves_no_mask_behind():
    check("""
        import atexit
        pool = gathered(2)
        futures = [pool.submit(until_narrow) for _ in range(20)]
        pool.shutdown()
        for task in os.listdir("/proc/self/task"):
            same(mask(int(task)))
    """)


@pytest.mark.parametrize(
    "maker",
    [
        f"subprocess.run([sys.executable, '-c', {PRINT_MASK!r}], stdout=-1, text=True).stdout",
        "os.popen(f'{sys.executable} -c \"import os; print(*os.sched_getaffinity(0))\"').read()",
        "system()",
        "posix_spawn()",
        "fork()",
        "spawned()",
        "served()",
    ],
)
def test_a_process_that_a_task_makes_has_the_full_mask(maker, tmp_path):
    script = tmp_path / "children.py"
    body = f"""
        import multiprocessing, subprocess, tempfile

        def by_file(run):
            with tempfile.NamedTemporaryFile("r") as file:
                seen = "' '.join(map(str, os.sched_getaffinity(0)))"
                run(f"import os; open({{file.name!r}}, 'w').write({{seen}})")
                return file.read()

        def system():
            return by_file(lambda code: os.system(f'{{sys.executable}} -c "{{code}}"'))

        def posix_spawn():
            argv = [sys.executable, "-c"]
            def run(code):
                os.waitpid(os.posix_spawn(sys.executable, [*argv, code], os.environ), 0)
            return by_file(run)

        def fork():
            reader, writer = os.pipe()
            process = os.fork()
            if process == 0:
                os.write(writer, " ".join(map(str, mask())).encode())
                os._exit(0)
            os.waitpid(process, 0)
            return os.read(reader, 1000).decode()

        def by(method):
            context = multiprocessing.get_context(method)
            queue = context.SimpleQueue()
            process = context.Process(target=put_mask, args=(queue,))
            process.start()
            seen = queue.get()
            process.join()
            return seen

        def spawned():
            return by("spawn")

        def served():
            return by("forkserver")

        def put_mask(queue):
            queue.put(" ".join(map(str, os.sched_getaffinity(0))))

        if __name__ == "__main__":
            seen = in_task(lambda: {maker})
            same(int(core) for core in seen.split())
    """
    script.write_text("\n".join(child.textwrap.dedent(part) for part in (SET_UP, body)), encoding="utf-8")
    child.run_clean(f"""
        import subprocess, sys
        sys.exit(subprocess.run([sys.executable, "-W", "ignore", {str(script)!r}], timeout=80).returncode)
    """)


@pytest.mark.parametrize("start", ["threading", "_thread", "executor", "ours"])
def test_a_thread_that_a_task_makes_has_the_full_mask(start):
    check(f"""
        import _thread, concurrent.futures, queue

        def by_threading():
            seen = []
            thread = threading.Thread(target=lambda: seen.append(mask()))
            thread.start()
            thread.join()
            return seen[0]

        def by__thread():
            seen = queue.Queue()
            _thread.start_new_thread(lambda: seen.put(mask()), ())
            return seen.get(timeout=HANG_S)

        def by_executor():
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                return pool.submit(mask).result(HANG_S)

        def by_ours():
            with make(1, keep_on_one_core=False) as pool:
                return pool.submit(mask).result(HANG_S)

        same(in_task(by_{start}))
    """)


def test_a_native_thread_that_a_task_makes_is_widened():
    check("""
        import ctypes
        libc = ctypes.CDLL(None)

        def tasks():
            return set(map(int, os.listdir("/proc/self/task")))

        def task():
            until_narrow()
            before = tasks()
            handle = ctypes.c_ulong()
            # The thread is libc's sleep(HANG_S): no Python, and nobody is told.
            assert libc.pthread_create(ctypes.byref(handle), None, libc.sleep, ctypes.c_void_p(HANG_S)) == 0
            made, = tasks() - before
            assert len(mask()) == 1, "somebody was told after all: the test shows nothing"
            until(lambda: mask(made) == ALL, "the sweep")
            assert len(mask()) == 1

        with gathered() as pool:
            pool.submit(task).result(HANG_S)
        os._exit(0)
    """)


def test_a_thread_that_was_there_and_chose_that_core_is_left_alone():
    check("""
        chosen = {min(ALL)}
        ready, end = threading.Barrier(len(ALL) + 1), threading.Event()

        def choose(core):
            os.sched_setaffinity(0, {core})
            ready.wait(HANG_S)
            end.wait(HANG_S)

        chosen = {core: threading.Thread(target=choose, args=(core,)) for core in ALL}
        for thread in chosen.values():
            thread.start()
        ready.wait(HANG_S)

        def task():
            until_narrow()
            time.sleep(0.3)  # some rounds of the sweep; too short a time only makes the test weaker

        with gathered() as pool:
            pool.submit(task).result(HANG_S)
        for core, thread in chosen.items():
            assert mask(thread.native_id) == {core}
        end.set()
    """)


def test_a_mask_that_a_task_gives_itself_stays():
    check("""
        chosen = {max(ALL)}

        def task():
            until_narrow()
            os.sched_setaffinity(0, ALL - mask() or chosen)
            return threading.get_native_id(), mask()

        pool = gathered(1)
        worker, own = pool.submit(task).result(HANG_S)
        until(lambda: not native(pool).is_on_one_core, "the pool to be let go")
        assert mask(worker) == own
        pool.shutdown()
    """)


def test_the_waiting_thread_is_at_home_only_while_it_waits():
    check("""
        main = threading.main_thread().native_id

        def task():
            until_narrow(main)
            return mask(main), mask()

        with gathered() as pool:
            for _ in range(5):
                until_narrow_future = pool.submit(task)
                waiter, worker = until_narrow_future.result(HANG_S)
                assert waiter == worker, "not where the workers are"
                same(mask())
    """)


def test_a_waiting_thread_is_put_back_on_time_out_and_interrupt():
    check("""
        import signal
        from concurrent.futures import TimeoutError

        main = threading.main_thread().native_id
        seen_in_handler = []

        def handler(*_):
            seen_in_handler.append(mask())
            raise KeyboardInterrupt

        signal.signal(signal.SIGINT, handler)
        go = threading.Event()
        with gathered() as pool:
            future = pool.submit(go.wait, HANG_S)
            until(lambda: native(pool).is_on_one_core, "the worker to be moved")
            try:
                future.result(0.2)
                raise SystemExit("no time-out")
            except TimeoutError:
                same(mask())

            def interrupt():
                until_narrow(main)
                os.kill(os.getpid(), signal.SIGINT)

            pool.submit(interrupt)
            try:
                future.result(HANG_S)
                raise SystemExit("no interrupt")
            except KeyboardInterrupt:
                same(mask())
            same(seen_in_handler[0])
            go.set()
    """)


def test_a_disturbed_pool_is_let_go_as_a_whole():
    check("""
        go = threading.Event()
        with gathered(2) as pool:
            other = pool.submit(lambda: (until_narrow(), go.wait(HANG_S), mask())[2])

            def task():
                until_narrow()
                thread = threading.Thread(target=int)
                thread.start()
                same(mask())
                thread.join()
                until(lambda: not native(pool).is_on_one_core, "the pool to be let go")
                go.set()

            pool.submit(task).result(HANG_S)
            same(other.result(HANG_S))
    """)


def test_a_forked_child_starts_anew():
    check("""
        def in_child():
            process = os.fork()
            if process == 0:
                try:
                    same(mask())
                    with gathered() as pool:
                        pool.submit(until_narrow).result(HANG_S)
                        same(mask())
                    os._exit(0)
                finally:
                    os._exit(1)
            return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

        assert in_task(in_child) == 0
        with gathered() as pool:
            future = pool.submit(lambda: (until_narrow(), time.sleep(0.1)))
            until(lambda: native(pool).is_on_one_core, "the workers to be moved")
            assert in_child() == 0
            future.result(HANG_S)
    """)


def test_without_the_option_nobody_is_ever_moved():
    check("""
        def task(number):
            for _ in range(1000):
                number += 1
            time.sleep(0.0001)
            return number

        ids, stop = [], threading.Event()
        seen = set()

        def watch():
            while not stop.is_set():
                for name in os.listdir("/proc/self/task"):
                    seen.add(frozenset(mask(int(name))))

        with make(8, keep_on_one_core=False) as pool:
            watcher = threading.Thread(target=watch)
            watcher.start()
            sum(future.result(HANG_S) for future in [pool.submit(task, n) for n in range(8000)])
            assert not native(pool).is_on_one_core
            stop.set()
            watcher.join()
        assert seen == {frozenset(ALL)}, seen
    """)


def test_work_outside_the_lock_is_not_kept_on_one_core():
    check("""
        import hashlib
        block = bytes(1 << 20)

        def digest(_):
            return hashlib.sha256(block).digest()

        looks = kept = 0
        with make(4) as pool:
            futures = [pool.submit(digest, n) for n in range(1500)]
            for future in futures:
                future.result(HANG_S)
                looks += 1
                kept += native(pool).is_on_one_core
        # A short trial may happen where others use the machine; to stay would show in most looks.
        assert kept < looks / 2, (kept, looks)
    """)


def test_the_option_is_checked():
    import surefoot

    with pytest.raises(TypeError, match="keep_on_one_core"):
        surefoot.AdaptiveThreadPoolExecutor(2, keep_on_one_core=1)
