"""The sensors, against loads whose truth is known beforehand.

Every load runs in a process of its own (the test runner has threads too), and what is compared are
readings of one run. The machine may be busy with other things: a thread that is ready to run and has no core
is not asleep, so the bounds leave room for run queues, and none of them is a time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest

from patience import HANG_S
from surefoot import _core

IS_LINUX_GLIBC = sys.platform == "linux" and bool(os.confstr("CS_GNU_LIBC_VERSION"))
HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()

pytestmark = pytest.mark.skipif(not IS_LINUX_GLIBC, reason="the methods need Linux with glibc")
needs_gil = pytest.mark.skipif(not HAS_GIL, reason="no GIL is in force")

PRELUDE = """
import ctypes, json, os, sys, threading, time
from surefoot import _core

libc = ctypes.PyDLL(None)  # its calls keep the GIL
is_over = False
threads = []


def start(target, count):
    for _ in range(count):
        thread = threading.Thread(target=target, daemon=True)
        threads.append(thread)
        thread.start()


def spin():
    while not is_over:
        pass


def settled():
    '''The sensor's trial is over: on a busy machine it may take several attempts.'''
    if os.environ.get("SUREFOOT_GIL_SENSOR", "waiters") != "waiters":
        return
    end = time.monotonic() + 20
    while _core.gil_reading() != {"kind": "off"} and time.monotonic() < end:
        if _core.gil_reading().get("waiters") == 0:
            break
        time.sleep(0.001)


def observe(seconds=0.6):
    return _core.gil_observe(seconds, 0.001, [thread.native_id for thread in threads])


def report(value):
    '''Says what was seen and ends the process.

    At once: an interpreter that is taken down while daemon threads compute may crash by itself. CPython 3.10
    without any extension does, about 3 times in 1,000.
    '''
    print(json.dumps(value), flush=True)
    os._exit(0)
"""


def run(code, *, is_busy_first=False, **environment):
    """Runs `code` in a process of its own; what it passes to `report` comes back."""
    prelude = PRELUDE if is_busy_first else PRELUDE + "\nsettled()\n"
    done = subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_gil
def test_a_thread_that_looks_while_attached_holds_the_gil_and_nobody_waits():
    reading = run("report(_core.gil_reading())")
    assert reading["kind"] == "seen"
    assert reading["is_held"] is True
    assert reading["waiters"] == 0


@needs_gil
@pytest.mark.parametrize("spinners", [1, 2, 4, 16])
def test_all_spinners_but_one_wait(spinners):
    seen = run(f"start(spin, {spinners}); report(observe())")
    assert seen["held_mean"] > 0.85
    # One of them holds the GIL; one more may be ready to run, on its way to or from a hand-over.
    assert spinners - 2.2 < seen["waiters_mean"] < spinners - 1 + 0.01 * spinners + 0.05
    if spinners > 1:
        assert seen["waits"] > seen["switches"] > 0


@needs_gil
def test_sleepers_wait_for_nothing():
    seen = run("start(threading.Event().wait, 8); time.sleep(0.05); report(observe())")
    assert seen["held_mean"] < 0.2
    assert seen["waiters_mean"] < 0.2
    assert seen["census_lock_mean"] > 7.5


@needs_gil
def test_a_thread_that_sleeps_with_the_gil_keeps_the_others_waiting():
    """The case in which the published ratio would ask for more threads: no CPU is used, nothing runs."""
    code = """
        def nap():
            while not is_over:
                time.sleep(0.001)
        start(nap, 3)
        result = []
        observer = threading.Thread(target=lambda: result.append(observe(1.0)))
        observer.start()
        before = time.process_time()
        {hold}(0.8)
        burnt_s = time.process_time() - before
        observer.join()
        report((result[0], burnt_s))
    """
    held, burnt_s = run(code.format(hold="(lambda s: libc.usleep(int(s * 1e6)))"))
    free, _ = run(code.format(hold="time.sleep"))
    assert held["held_mean"] > 0.6 > 0.3 > free["held_mean"]
    assert held["waiters_mean"] > 1.8 > 0.5 > free["waiters_mean"]
    assert burnt_s < 0.4


@needs_gil
def test_a_lock_convoy_is_no_wait_for_the_gil():
    seen = run(
        """
        lock = threading.Lock()
        def convoy():
            while not is_over:
                with lock:
                    time.sleep(0.002)
        start(convoy, 8)
        time.sleep(0.05)
        report(observe())
        """
    )
    assert seen["waiters_mean"] < 0.3
    assert seen["census_gil_mean"] < 0.3
    assert seen["census_lock_mean"] > 5


@needs_gil
@pytest.mark.parametrize("load", ["spin", "micro"])
def test_three_methods_agree(load):
    """The integral of the waiters, the census, and the time that a hook in the wait itself measures."""
    threads = 6
    seen, waited_mean = run(
        f"""
        def micro():
            while not is_over:
                x = 0
                for _ in range(1000):
                    x += 1
                time.sleep(0.0001)
        start({load}, {threads})
        time.sleep(0.05)
        waited_before, _ = _core.gil_wait_oracle()
        begin = time.perf_counter()
        seen = observe(1.5)
        waited, _ = _core.gil_wait_oracle()
        report((seen, (waited - waited_before) / 1e9 / (time.perf_counter() - begin)))
        """
    )
    # The oracle's time runs until a woken thread is on a core again, that of the others until it is woken.
    assert waited_mean > 0.1
    assert abs(seen["waiters_mean"] - waited_mean) < 0.12 * threads
    assert abs(seen["census_gil_mean"] - waited_mean) < 0.2 * threads


@needs_gil
def test_the_census_tells_what_each_thread_is_blocked_in():
    kinds = run(
        """
        lock = threading.Lock()
        lock.acquire()
        inlet, _outlet = os.pipe()
        start(lock.acquire, 1)
        start(lambda: os.read(inlet, 1), 1)
        start(lambda: time.sleep(60), 1)
        ids = [thread.native_id for thread in threads]
        end = time.monotonic() + 20
        while time.monotonic() < end:
            kinds = _core.thread_census([*ids, threading.main_thread().native_id])
            if [kind for kind, _ in kinds] == ["lock", "io", "io", "running"]:
                break
            time.sleep(0.001)
        report(kinds)
        """
    )
    assert [kind for kind, _ in kinds] == ["lock", "io", "io", "running"]
    assert kinds[1][1] != kinds[2][1], "a pipe and a sleep are different system calls"


def test_a_thread_that_is_gone_is_said_to_be():
    assert _core.thread_census([2**22 - 1]) == [("gone", None)] or os.path.exists("/proc/self/task/4194303")


@needs_gil
def test_methods_can_be_forced():
    code = "report(_core.gil_reading())"
    assert run(code, SUREFOOT_GIL_SENSOR="none") == {"kind": "unknown"}
    lock = run(code, SUREFOOT_GIL_SENSOR="lock")
    assert lock["is_held"] is True
    assert lock["waiters"] is None
    assert lock["waits"] is None
    assert run(code, SUREFOOT_GIL_SENSOR="waiters")["waiters"] == 0


def test_broken_sensors_can_be_had():
    code = """
        readings = []
        for _ in range(50):
            readings.append(_core.gil_reading())
            time.sleep(0.001)
        report(readings)
    """
    frozen = run(code, SUREFOOT_GIL_SENSOR="frozen")
    assert all(reading == frozen[0] for reading in frozen)
    garbage = run(code, SUREFOOT_GIL_SENSOR="garbage")
    assert {reading["kind"] for reading in garbage} > {"seen", "off"}
    assert len({json.dumps(reading) for reading in garbage}) > 25


@needs_gil
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_sees_its_own_gil():
    child, parent = run(
        """
        import warnings
        import surefoot.adaptive  # registers what a child must do
        warnings.simplefilter("ignore", DeprecationWarning)
        start(spin, 4)
        time.sleep(0.05)
        inlet, outlet = os.pipe()
        if os.fork() == 0:
            reading = _core.gil_reading()
            threads.clear()
            start(spin, 2)
            os.write(outlet, json.dumps((reading, observe(0.3))).encode())
            os._exit(0)
        child = json.loads(os.read(inlet, 65536))
        report((child, observe(0.3)))
        """
    )
    reading, seen = child
    assert reading["is_held"] is True
    assert reading["waiters"] == 0
    assert 0.3 < seen["waiters_mean"] < 1.1
    assert parent["waiters_mean"] > 2


def test_a_process_that_ends_at_once_ends_well():
    # The trial's threads may want the interpreter just when it goes down.
    code = "from surefoot import _core; _core.gil_reading()"
    for _ in range(20):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG_S, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@needs_gil
def test_waiters_are_found_while_many_want_the_gil():
    """The first look may come when the program is busy already."""
    seen = run(
        """
        start(spin, 20)
        end = time.monotonic() + 30
        while _core.gil_reading().get("waiters") is None and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.5)
        report(observe())
        """,
        is_busy_first=True,
    )
    assert 17 < seen["waiters_mean"] < 20


def test_off_without_a_gil():
    if HAS_GIL:
        pytest.skip("the GIL is in force")
    assert _core.gil_reading() == {"kind": "off"}
    seen = run("start(spin, 4); report((observe(0.2), _core.gil_reading()))", PYTHON_GIL="1")
    assert seen[1]["kind"] == "seen"
    assert seen[0]["waiters_mean"] > 1.5


def test_an_import_may_switch_the_gil_on(tmp_path):
    if HAS_GIL:
        pytest.skip("the GIL is in force")
    compiler, include = shutil.which("cc"), sysconfig.get_path("include")
    if compiler is None or not Path(include, "Python.h").exists():
        pytest.skip("no compiler, or no headers, to make a module that needs the GIL")
    source = tmp_path / "needy.c"
    source.write_text(
        "#include <Python.h>\n"
        'static struct PyModuleDef needy = {PyModuleDef_HEAD_INIT, "needy", NULL, 0};\n'
        "PyMODINIT_FUNC PyInit_needy(void) { return PyModule_Create(&needy); }\n"
    )
    command = [compiler, "-shared", "-fPIC", f"-I{include}", "-o", str(tmp_path / "needy.so"), str(source)]
    subprocess.run(command, check=True, timeout=HANG_S)
    before, after, seen = run(
        f"""
        import warnings
        sys.path.insert(0, {str(tmp_path)!r})
        warnings.simplefilter("ignore")
        start(spin, 4)
        before = _core.gil_reading()
        import needy
        time.sleep(0.1)
        end = time.monotonic() + 20
        while not (after := _core.gil_reading()).get("waiters") and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.2)
        report((before, after, observe()))
        """
    )
    assert before == {"kind": "off"}
    assert after["kind"] == "seen"
    assert seen["held_mean"] > 0.85
    assert 1.8 < seen["waiters_mean"] < 3.1


def doctor(*args):
    command = [sys.executable, "-m", "surefoot", "doctor", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)


def test_doctor_tells_what_works():
    done = doctor()
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("GIL waiters", "census", "schedstat", "quota", "memory", "heat", "works", "error"):
        assert words in done.stdout


def test_doctor_tells_machines_too():
    report = json.loads(doctor("--json").stdout)
    sensors = {sensor["name"]: sensor for sensor in report["sensors"]}
    assert report["interpreter"]["is_gil_enabled"] is HAS_GIL
    assert sensors["thread CPU time"]["works"]
    assert sensors["GIL held, switches"]["works"]
    for sensor in sensors.values():
        assert sensor["reason"]
        assert bool(sensor["error"]) is sensor["works"]


def test_doctor_gives_the_reason_of_a_sensor_that_is_off():
    command = [sys.executable, "-m", "surefoot", "doctor", "--json"]
    environment = os.environ | {"SUREFOOT_GIL_SENSOR": "lock"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=HANG_S, check=True, env=environment
    )
    sensors = {sensor["name"]: sensor for sensor in json.loads(done.stdout)["sensors"]}
    assert not sensors["GIL waiters"]["works"]
    assert sensors["GIL waiters"]["reason"] == "SUREFOOT_GIL_SENSOR=lock"


def test_doctor_survives_an_interpreter_that_does_not(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nkill -SEGV $$\n")
    broken.chmod(0o755)
    done = doctor("--python", str(broken))
    assert done.returncode == 1
    assert "cannot try the sensors" in done.stderr
