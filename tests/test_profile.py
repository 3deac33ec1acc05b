"""``surefoot.profile()`` and ``surefoot profile``: what they say of programs whose truth is known.

Shares are compared within the error bars that the record prints, and with room for other loads of the
machine, which show as run queue.
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

import surefoot
from kinds import STANDARD_ONLY, is_free_threaded
from patience import HANG_S, await_event
from surefoot import profile as profiling

pytestmark = pytest.mark.skipif(STANDARD_ONLY, reason="SUREFOOT_TEST_STANDARD_ONLY=1: nothing is observed")


def spin(cpu_s):
    end = time.thread_time() + cpu_s
    while time.thread_time() < end:
        pass


@pytest.fixture
def slow_server():
    """Where a read takes 20 ms: a socket, and a thread that answers each byte late."""
    here, there = socket.socketpair()

    def answer():
        pause = threading.Event()
        while there.recv(1):
            pause.wait(0.02)
            there.send(b".")

    thread = threading.Thread(target=answer)
    thread.start()
    yield here
    here.close()
    thread.join(HANG_S)
    there.close()


def gil_is_seen():
    return not is_free_threaded() and surefoot._core.gil_reading()["kind"] == "seen"


def run_in_pool(workers, function, *args, count):
    with ThreadPoolExecutor(workers) as pool:
        wait([pool.submit(function, *args) for _ in range(count)], HANG_S)


def only(profile):
    (function,) = profile.functions
    shares = function.shares
    assert shares.cpu + shares.runqueue + shares.blocked == pytest.approx(1)
    return function


def test_pure_python_is_cpu_and_the_lock():
    with surefoot.profile() as profile:
        run_in_pool(4, spin, 0.01, count=80)
    function = only(profile)
    assert function.calls == 80
    assert function.cpu_mean_ns == pytest.approx(0.01 * 1e9, rel=0.05)
    if not gil_is_seen():
        return
    shares = function.shares
    assert shares.gil > 2 * shares.io - shares.error
    assert function.bottleneck == "gil"
    assert function.ceiling_per_s == pytest.approx(100, rel=0.1)
    assert profile.limited_by.kind == "gil"
    if shares.error < 0.05:
        assert function.knee == 1
        assert [setting.value for setting in profile.advice] == [1]


def test_waiting_for_a_socket_is_io(slow_server):
    def ask():
        slow_server.send(b".")
        slow_server.recv(1)

    with surefoot.profile() as profile:
        run_in_pool(1, ask, count=30)
    function = only(profile)
    shares = function.shares
    assert shares.cpu < 0.1
    if gil_is_seen():
        assert shares.io > 0.9 - shares.runqueue - 2 * shares.error
        assert function.gil_demand_ns < 0.1 * function.wall.mean_ns
    assert profile.limited_by.kind == "workers"


def stated():
    spin(0.01)
    time.sleep(0.05)


def test_ten_ms_and_fifty_have_their_knee_at_six():
    with surefoot.profile() as profile:
        run_in_pool(8, stated, count=160)
    function = only(profile)
    assert function.wall.p50_ns > 0.06e9
    assert function.queued is not None
    if not gil_is_seen():
        return
    assert function.ceiling_per_s == pytest.approx(100, rel=0.15)
    if function.shares.error > 0.05:
        pytest.skip(f"too crowded for a knee: {function.shares}")
    assert 5 <= function.knee <= 7
    (setting,) = profile.advice
    assert setting.where == "ThreadPoolExecutor(max_workers=...)"
    assert 5 <= setting.value <= 9


@pytest.mark.skipif(os.name != "posix", reason="usleep is POSIX's")
def test_a_sleeper_with_the_lock_is_named():
    if not gil_is_seen():
        pytest.skip("the interpreter's lock cannot be seen here")
    usleep = ctypes.PyDLL(None).usleep

    def sleep_with_the_lock():
        usleep(5000)

    with surefoot.profile() as profile:
        run_in_pool(4, sleep_with_the_lock, count=150)
    function = only(profile)
    assert function.cpu_mean_ns < 0.2 * function.gil_demand_ns
    assert function.gil_demand_ns == pytest.approx(5e6, rel=0.5)
    if "sleeps-with-gil" not in {warning.kind for warning in profile.warnings}:
        pytest.skip("what threads are blocked in cannot be seen here")
    assert any("sleep_with_the_lock" in warning.text for warning in profile.warnings)
    assert profile.limited_by.kind == "gil-sleeper"
    # The same without the lock is innocent.
    letting_go = ctypes.CDLL(None).usleep
    with surefoot.profile() as innocent:
        run_in_pool(4, letting_go, 5000, count=100)
    assert "sleeps-with-gil" not in {warning.kind for warning in innocent.warnings}


def test_two_functions_of_one_pool_are_told_apart():
    def nap():
        time.sleep(0.01)

    with surefoot.profile() as profile, ThreadPoolExecutor(4) as pool:
        wait([pool.submit(spin, 0.01) if number % 2 else pool.submit(nap) for number in range(160)], HANG_S)
    by_name = {function.name.rpartition(".")[2]: function for function in profile.functions}
    assert by_name["nap"].cpu_mean_ns < 0.1 * by_name["spin"].cpu_mean_ns
    if gil_is_seen():
        # A nap needs the lock for a moment only, though it may wait for it when it wakes.
        assert by_name["nap"].gil_demand_ns < 0.3 * by_name["spin"].gil_demand_ns
        assert by_name["nap"].shares.io > by_name["spin"].shares.io


def test_the_decorator_measures_calls_in_any_thread():
    @surefoot.profile
    def work(number, *, fails=False):
        """Work a little."""
        if fails:
            raise LookupError(number)
        spin(0.001)
        return number

    assert (work.__name__, work.__doc__) == ("work", "Work a little.")
    assert work(3) == 3
    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_S)
    with pytest.raises(LookupError):
        work(1, fails=True)
    profile = work.profile()
    function = only(profile)
    assert (function.calls, function.failed, function.queued) == (7, 1, None)
    assert [(pool.name, pool.kind, pool.tasks) for pool in profile.pools] == [("threads", "threads", 7)]
    assert profile.limited_by.kind == "too-few-calls"
    work(4)
    assert only(work.profile()).calls == 8, "the profile goes on"


def test_the_decorator_serves_methods_and_recursion():
    class Tree:
        @surefoot.profile()
        def depth(self, left):
            return 0 if left == 0 else 1 + self.depth(left - 1)

    assert Tree().depth(5) == 5
    assert Tree.depth(Tree(), 2) == 2
    assert only(Tree.depth.profile()).calls == 2, "a recursive call is a part of the outermost"


def test_a_call_in_a_call_counts_for_both():
    @surefoot.profile
    def inner():
        spin(0.002)

    outer_profile = surefoot.profile()

    @outer_profile
    def outer():
        inner()

    for _ in range(3):
        outer()
    assert only(inner.profile()).calls == only(outer.profile()).calls == 3
    both = surefoot.profile()

    @both
    def first():
        second()

    @both
    def second():
        spin(0.002)

    for _ in range(3):
        first()
    assert {function.name.rpartition(".")[2]: function.calls for function in both.functions} == {
        "first": 3,
        "second": 3,
    }
    assert sum(pool.tasks for pool in both.pools) == 3, "a thread is in one task at a time"


def test_what_returns_before_it_runs_is_refused():
    async def coroutine():
        pass

    def generator():
        yield

    for wrong in (coroutine, generator, 3, type("C", (), {}), staticmethod(spin)):
        with pytest.raises(TypeError, match="profile"):
            surefoot.profile()(wrong)


def test_profiles_nest_and_overlap():
    first, second = surefoot.profile(), surefoot.profile()
    with ThreadPoolExecutor(1) as pool:
        with first:
            pool.submit(spin, 0).result(HANG_S)
            second.__enter__()
            pool.submit(spin, 0).result(HANG_S)
        pool.submit(spin, 0).result(HANG_S)
        second.__exit__(None, None, None)
        pool.submit(spin, 0).result(HANG_S)
    assert (only(first).calls, only(second).calls) == (2, 2)
    assert only(first).name == only(second).name == f"{__name__}.spin"


def test_an_exception_in_the_block_passes_and_the_profile_stands():
    submit = ThreadPoolExecutor.submit
    profile = surefoot.profile()

    def fail():
        with profile:
            run_in_pool(1, spin, 0, count=2)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert only(profile).calls == 2
    assert ThreadPoolExecutor.submit is submit
    with pytest.raises(RuntimeError, match="begins once"):
        profile.__enter__()


def test_calls_that_go_on_are_told_and_not_waited_for():
    entered, leave = threading.Event(), threading.Event()

    def block():
        entered.set()
        await_event(leave, "leaving")

    with ThreadPoolExecutor(1) as pool:
        with surefoot.profile() as profile:
            future = pool.submit(block)
            await_event(entered, "entering")
            time.sleep(0.25)
        assert not future.done()
        leave.set()
        future.result(HANG_S)
    assert [warning.kind for warning in profile.warnings if warning.kind != "gil-unseen"] == ["still-running"]
    assert profile.functions == ()
    assert profile.pools[0].shares is not None


def test_a_profile_can_be_read_before_its_end():
    with surefoot.profile() as profile, ThreadPoolExecutor(1) as pool:
        pool.submit(spin, 0).result(HANG_S)
        assert only(profile).calls == 1
        pool.submit(spin, 0).result(HANG_S)
    assert only(profile).calls == 2


def test_an_empty_profile_says_so():
    with surefoot.profile() as profile:
        pass
    assert (profile.functions, profile.pools, profile.advice) == ((), (), ())
    assert profile.limited_by.kind == "too-few-calls"
    assert "limited by" in str(profile)


def test_what_it_returns():
    with surefoot.profile() as profile:
        run_in_pool(2, spin, 0.005, count=60)
    record = profile.result()
    assert profiling.Profile.of_json(profile.to_json()) == record
    assert record.duration_s > 0.1
    assert record.timeline
    assert all(0 <= point.at_s <= record.duration_s for point in record.timeline)
    assert max(point.workers_busy for point in record.timeline) <= 2
    events = json.loads(profile.to_chrome_trace())["traceEvents"]
    assert {event["ph"] for event in events} >= {"C", "M"}
    assert "spin" in profile.to_html()
    assert "spin" in profile._repr_html_()
    text = str(profile)
    assert "spin" in text
    assert profile.limited_by.text.split()[0] in text
    assert all(f"={setting.value}" in text for setting in profile.advice)


PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor

def work(number):
    return number * number

with ThreadPoolExecutor(2) as pool:
    print(sum(pool.map(work, range(100))), sys.argv[1:])
    assert type(pool).__name__ == "ThreadPoolExecutor"
sys.exit(int(sys.argv[1]))
"""


def command(*words, env=None):
    ran = subprocess.run(
        [sys.executable, "-m", "surefoot", "profile", *words],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def test_the_command_leaves_output_and_exit_code_alone(program, tmp_path):
    files = {option: tmp_path / f"out.{option}" for option in ("json", "html", "trace")}
    options = [word for option, path in files.items() for word in (f"--{option}", str(path))]
    ran = command(*options, str(program), "3", "--json")
    assert (ran.returncode, ran.stdout) == (3, "328350 ['3', '--json']\n")
    assert "limited by:" in ran.stderr
    assert "work" in ran.stderr
    record = profiling.Profile.of_json(files["json"].read_text())
    assert [(function.name, function.calls) for function in record.functions] == [("__main__.work", 100)]
    assert record.program.argv == (str(program), "3", "--json")
    assert "__main__.work" in files["html"].read_text()
    assert json.loads(files["trace"].read_text())["traceEvents"]


def test_the_command_runs_modules_and_code(program):
    env = {"PYTHONPATH": str(program.parent)}
    assert command("-q", "-m", "program", "0", env=env).stdout == "328350 ['0']\n"
    ran = command("--quiet", "-c", "print(1); raise SystemExit(4)")
    assert (ran.returncode, ran.stdout, ran.stderr) == (4, "1\n", "")


def test_disabled_it_only_runs_the_program(program, tmp_path):
    ran = command("--json", str(tmp_path / "out.json"), str(program), "0", env={"SUREFOOT_DISABLE": "1"})
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "328350 ['0']\n", "")
    assert not (tmp_path / "out.json").exists()
    code = (
        "import surefoot\n"
        "with surefoot.profile() as profile: pass\n"
        "assert profile.limited_by.kind == 'not-measured', profile.limited_by\n"
        "@surefoot.profile\n"
        "def f(x): return x\n"
        "assert f(2) == 2 and f.profile().functions == ()\n"
        "print(profile)\n"
    )
    env = {**os.environ, "SUREFOOT_DISABLE": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG_S, check=False, env=env
    )
    assert ran.returncode == 0, ran.stderr
    assert "Nothing was measured" in ran.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no program"),
        (["--json"], "needs a value"),
        (["--wrong", "a.py"], "unknown option"),
        (["--json", "/nowhere/at/all.json", "a.py"], "no folder"),
        (["/nowhere/at/all.py"], "No such file"),
    ],
)
def test_wrong_words_are_told(words, message):
    ran = command(*words)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert "limited by" not in ran.stderr


def test_help_is_printed():
    ran = command("--help")
    assert ran.returncode == 0
    assert "--trace" in ran.stdout


def test_importing_surefoot_does_not_load_the_profiler():
    code = "import surefoot, sys; assert not any(name.startswith('surefoot.profile') for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], timeout=HANG_S, check=True)


def test_the_package_is_what_it_is_called():
    assert callable(surefoot.profile)
    assert isinstance(surefoot.profile(), profiling.Profiling)
    assert profiling.record.Profile is surefoot.profile.Profile
    assert functools.partial(surefoot.profile, spin)()(0) is None
