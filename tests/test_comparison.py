"""`surefoot.comparison.run`: one run of each strategy, with tiny settings."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from comparison_run import measure, processes_in, run
from patience import eventually
from surefoot.comparison import findings, parameters, strategies
from surefoot.workloads.closed_loop import Window

SIZED = ("static", "fixed", "fixed-watched")
ADAPTIVE = ("knee", "paper", "queue-depth")

COUNTING = """
import os, pathlib, threading, time
TASK_S_MIN = 0.002
PARAMETERS = {{"sleep_ms": 2.0}}
_file = open({path!r}, "ab", buffering=0)
_lock = threading.Lock()
def task():
    # One write that the kernel appends whole: what is in the file is what was run.
    _file.write(b"%d\\n" % time.perf_counter_ns())
    time.sleep(0.002)
"""


@pytest.mark.parametrize("strategy", SIZED)
def test_a_strategy_with_a_size_has_that_many_workers(strategy, tmp_path):
    found = measure("stated", strategy, "--threads", 3, cwd=tmp_path)
    assert found["limit"] == found["workers_live"] == 3
    assert found["tasks_done"] >= 6
    # A task sleeps 50 ms, so a median below that would be in another unit.
    assert found["wall_ms_p50"] >= 50
    assert found["processes"] == 1


@pytest.mark.parametrize("strategy", ADAPTIVE)
def test_an_adaptive_strategy_stays_below_its_cap(strategy, tmp_path):
    # Long enough for notes to be taken within it even if others keep the machine busy.
    found = measure("micro", strategy, "--threads", 3, "--timeline-s", 0.05, cwd=tmp_path, seconds=1.0)
    assert 1 <= found["limit"] <= 3
    assert len(found["timeline"]) >= 2
    times = [entry["at_s"] for entry in found["timeline"]]
    assert times == sorted(times)
    done = [entry["tasks_done"] for entry in found["timeline"]]
    assert done == sorted(done)
    assert all(1 <= entry["limit"] <= 3 for entry in found["timeline"])
    for decision in found["decisions"]:
        assert set(decision) == {"at_s", "limit", "rule", "reason"}
        assert decision["limit"] <= 3
    assert found["beta_mean"] is not None
    assert found["shares"]["cpu"] > 0.0


def test_without_a_cap_the_queue_scaler_takes_what_the_machine_bears(tmp_path):
    found = measure("io", "queue-depth", "--timeline-s", 0.1, cwd=tmp_path, seconds=2.5)
    limits = [entry["limit"] for entry in found["timeline"]]
    assert limits == sorted(limits)
    assert found["limit"] == limits[-1] > limits[0]


def test_sequential_is_one_task_after_the_other(tmp_path):
    found = measure("io", "sequential", cwd=tmp_path)
    assert found["limit"] == 1
    # 50 ms of sleep each, one at a time.
    assert found["tasks_done"] <= found["window_s"] / 0.05 + 1


@pytest.mark.parametrize(
    ("strategy", "threads"), [("static", 4), ("knee", 4), ("sequential", 1), ("process", 2)]
)
def test_a_task_counts_once_and_only_if_it_ran(strategy, threads, tmp_path):
    record = tmp_path / "ran.txt"
    file = tmp_path / "counting.py"
    file.write_text(COUNTING.format(path=str(record)))
    found = measure(str(file), strategy, "--threads", threads, "--timeline-s", 0.1, cwd=tmp_path)
    begins = record.read_text().splitlines()
    assert len(begins) == len(set(begins)), "no task begins twice at the same nanosecond"
    # Tasks of the window are among those that were begun; of those, at most one per worker had not ended.
    last = found["timeline"][-1]
    assert found["tasks_done"] <= len(begins)
    assert last["tasks_done"] <= len(begins)
    assert found["tasks_done"] >= 2 * found["limit"]


def test_processes_are_counted_and_gone_at_the_end(tmp_path):
    found = measure("stated", "process", "--threads", 2, cwd=tmp_path)
    assert found["limit"] == found["workers_live"] == 2
    # The pool's own and its workers; `run` has seen that none is left.
    assert found["processes"] == 3
    assert found["wall_ms_p50"] >= 50
    # What the workers compute is counted: 10 ms for each task.
    assert found["cpu_s"] >= 0.005 * found["tasks_done"]


def test_interpreters_run_tasks_or_are_unavailable(tmp_path):
    if sys.version_info < (3, 14):
        done = run("--workload", "stated", "--strategy", "interpreter", "--threads", 2, cwd=tmp_path)
        assert done.code == 3
        assert "3.14" in done.report["unavailable"]
        return
    found = measure("stated", "interpreter", "--threads", 2, cwd=tmp_path)
    assert found["limit"] == found["workers_live"] == 2
    assert found["wall_ms_p50"] >= 50


@pytest.mark.skipif(sys.version_info < (3, 14), reason="no pool of interpreters")
def test_a_workload_that_an_interpreter_cannot_have_is_unavailable(tmp_path):
    file = tmp_path / "main_only.py"
    file.write_text(
        "from concurrent import interpreters\n"
        "TASK_S_MIN = 0.01\n"
        "def requires():\n"
        "    if interpreters.get_current() != interpreters.get_main():\n"
        "        return 'the main interpreter'\n"
        "def task():\n"
        "    pass\n"
    )
    done = run("--workload", file, "--strategy", "interpreter", "--threads", 2, cwd=tmp_path)
    assert done.code == 3, done
    assert "the main interpreter" in done.report["unavailable"]


@pytest.mark.parametrize("workload", ["io", "cpu", "stated", "micro"])
def test_coroutines_run_as_many_at_once_as_asked(workload, tmp_path):
    found = measure(workload, "asyncio", "--threads", 5, cwd=tmp_path)
    assert found["limit"] == 5
    assert found["tasks_done"] >= 10
    # Coroutines need no hand-over of the GIL: only the tick of one thread is seen.
    assert found["gil_switches_per_s"] is None or found["gil_switches_per_s"] < found["tasks_per_s"] + 100


def test_a_workload_without_a_coroutine_runs_in_the_loop_s_threads(tmp_path):
    record = tmp_path / "ran.txt"
    file = tmp_path / "counting.py"
    file.write_text(COUNTING.format(path=str(record)))
    found = measure(file, "asyncio", "--threads", 3, cwd=tmp_path)
    assert 6 <= found["tasks_done"] <= len(record.read_text().splitlines())


@pytest.mark.parametrize("strategy", ["process", "asyncio"])
def test_a_task_that_fails_elsewhere_is_an_error(strategy, tmp_path):
    file = tmp_path / "failing.py"
    file.write_text("TASK_S_MIN = 0.01\ndef task():\n    raise ZeroDivisionError('by design')")
    done = run("--workload", file, "--strategy", strategy, "--threads", 2, cwd=tmp_path)
    assert done.code == 1
    assert "by design" in done.report["error"]


def test_a_worker_that_cannot_have_the_workload_is_unavailable(tmp_path):
    file = tmp_path / "shy.py"
    file.write_text(
        "import contextlib, os\nTASK_S_MIN = 0.01\n_main = os.getpid()\n"
        "@contextlib.contextmanager\n"
        "def setup(threads):\n"
        "    def make_task():\n"
        "        import surefoot_has_no_such_module\n"
        "    yield make_task\n"
    )
    done = run("--workload", file, "--strategy", "process", "--threads", 2, cwd=tmp_path)
    assert done.code == 3
    assert "surefoot_has_no_such_module" in done.report["unavailable"]


POOL = """
from concurrent.futures import ThreadPoolExecutor
PARAMETERS = {"extra": 1}
class Pool(ThreadPoolExecutor):
    pass
def make_pool(threads, extra):
    return Pool(threads + extra)
"""
SEE = "def see(pool):\n    return {'limit': pool._max_workers, 'workers_live': len(pool._threads)}\n"


def test_a_pool_of_a_file_is_a_strategy(tmp_path):
    file = tmp_path / "pool.py"
    file.write_text(POOL + SEE)
    found = measure("io", file, "--threads", 2, "--parameter", "extra=2", cwd=tmp_path)
    assert found["limit"] == found["workers_live"] == 4
    assert (found["shares"], found["decisions"]) == (None, None)


POOLS = {
    "no pool": ("x = 1", 1, "make_pool"),
    "no size": (POOL, 1, "--threads"),
    "not installed": (
        "THREADS = 1\ndef make_pool(threads):\n    import surefoot_has_no_such_module",
        3,
        "such",
    ),
    "broken": ("THREADS = 1\ndef make_pool(threads):\n    raise OSError('by design')", 1, "by design"),
}


@pytest.mark.parametrize(("text", "code", "words"), POOLS.values(), ids=POOLS)
def test_a_pool_of_a_file_that_fails_or_cannot_be_here(text, code, words, tmp_path):
    file = tmp_path / "pool.py"
    file.write_text(text)
    done = run("--workload", "io", "--strategy", file, "--seconds", 0.1, cwd=tmp_path)
    assert done.code == code, done
    assert words in done.report["error" if code == 1 else "unavailable"]


def test_parameters_reach_the_controller(tmp_path):
    # With this threshold the published controller never raises its limit, whatever beta is.
    found = measure(
        "io", "paper", "--threads", 64, "--parameter", "beta_threshold=1.0", "--parameter", "interval_s=0.05",
        "--timeline-s", 0.05, cwd=tmp_path, seconds=1.0,
    )  # fmt: skip
    assert found["vetoes"].get("gil", 0) >= 1
    assert {decision["rule"] for decision in found["decisions"]} == {"veto"}


FAILING = {
    "no such workload": ["--workload", "nap", "--strategy", "static", "--threads", "1"],
    "no such strategy": ["--workload", "io", "--strategy", "magic"],
    "no size": ["--workload", "io", "--strategy", "static"],
    "no file": ["--workload", "absent.py", "--strategy", "knee"],
    "unknown parameter": ["--workload", "io", "--strategy", "knee", "--parameter", "cpu_ms=1"],
    "no parameter": ["--workload", "io", "--strategy", "knee", "--parameter", "cpu_ms"],
    "bad number": ["--workload", "io", "--strategy", "paper", "--parameter", "step_up=x"],
    "no time": ["--workload", "io", "--strategy", "knee", "--seconds", "0"],
    "no threads": ["--workload", "io", "--strategy", "static", "--threads", "0"],
    "unheard of": ["--workload", "io", "--strategy", "knee", "--unheard-of"],
    "nothing": [],
}


@pytest.mark.parametrize("words", FAILING.values(), ids=FAILING)
def test_what_cannot_be_run_is_an_error(words, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert done.code == 1
    assert set(done.report) == {"error"}
    assert done.report["error"]
    assert "Traceback" not in done.err


FILES = {
    "raises": ("TASK_S_MIN = 0.01\ndef task():\n    raise ZeroDivisionError('by design')", 1, "by design"),
    "dies": ("import os\nTASK_S_MIN = 0.01\ndef task():\n    os._exit(7)", 1, "status 7"),
    "no constant": ("def task():\n    pass", 1, "TASK_S_MIN"),
    "broken": ("raise RuntimeError('at import')", 1, "at import"),
    "needs a module": ("import surefoot_has_no_such_module", 3, "surefoot_has_no_such_module"),
    "needs a device": (
        "TASK_S_MIN = 0.01\ndef requires():\n    return 'no camera'\ndef task():\n    pass", 3, "no camera",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "code", "words"), FILES.values(), ids=FILES)
def test_a_file_that_fails_and_one_that_cannot_be_here(text, code, words, tmp_path):
    file = tmp_path / "workload.py"
    file.write_text(text)
    done = run(
        "--workload", file, "--strategy", "static", "--threads", 2, "--seconds", 0.1, cwd=tmp_path
    )  # fmt: skip
    assert done.code == code, done
    assert words in done.report["error" if code == 1 else "unavailable"]


def test_cores_that_the_machine_lacks_are_unavailable(tmp_path):
    done = run("--workload", "io", "--strategy", "knee", "--cores", 4096, cwd=tmp_path)
    assert done.code == 3
    assert "asked for 4096 cores" in done.report["unavailable"]


def test_a_pool_that_is_switched_off_is_not_measured_under_our_name(tmp_path):
    done = run(
        "--workload",
        "io",
        "--strategy",
        "knee",
        "--seconds",
        0.1,
        cwd=tmp_path,
        env={"SUREFOOT_DISABLE": "1"},
    )
    assert done.code == 1
    assert "switched off" in done.report["error"]


def test_a_quota_is_kept_or_unavailable(tmp_path):
    words = [
        "--workload",
        "cpu",
        "--strategy",
        "static",
        "--threads",
        2,
        "--seconds",
        1.5,
        "--quota-cores",
        0.25,
    ]
    done = run(*words, cwd=tmp_path)
    if done.code == 3:
        assert done.report["unavailable"]
        return
    assert done.code == 0, done
    # CPU time per time. A group may use a period's quota at once at both ends.
    assert done.report["cpu_s"] <= 0.25 * done.report["open_s"] + 0.1


def test_parameters_are_numbers_if_they_look_like_one():
    assert parameters.parse(["a=1", "b=0.5", "c=x=y"]) == {"a": 1, "b": 0.5, "c": "x=y"}
    with pytest.raises(ValueError, match="twice"):
        parameters.parse(["a=1", "a=2"])
    assert parameters.chosen({"a": 1}, {"a": 0}, {"b": 2}) == [{"a": 1}, {"b": 2}]
    with pytest.raises(ValueError, match="known are a, b"):
        parameters.chosen({"c": 1}, {"a": 0}, {"b": 2})


def test_every_strategy_is_described():
    described = textwrap.dedent(strategies.__doc__)
    for name in strategies.NAMES:
        assert f"\n{name} " in described


def note(at_s, **changes):
    worker_s = {"cpu": at_s, "runqueue": 0.0, "gil": at_s, "io": 2 * at_s}
    fields = {
        "at_ns": round(at_s * 1e9), "limit": 4, "workers_live": 4, "queued": 0,
        "gil_switches": round(100 * at_s),
        "beta": [round(10 * at_s), 0.5], "worker_s": worker_s, "unsplit_s": 0.0, "error": 0.0, "vetoes": {},
        "decisions": [],
    }  # fmt: skip
    return {**fields, **changes}


WINDOW = Window(0, 1_000_000_000, 3_000_000_000)


def test_what_happened_before_the_window_is_not_in_it():
    before = {"beta": [10, 0.1], "vetoes": {"gil": 5}}
    after = {"beta": [30, 0.7], "vetoes": {"gil": 5, "cap": 2}}
    found = findings.of_window([note(0.5), note(1.0, **before), note(3.0, **after), note(3.5)], WINDOW)
    assert found["beta_mean"] == pytest.approx(1.0)
    assert found["vetoes"] == {"cap": 2}
    assert found["gil_switches_per_s"] == pytest.approx(100.0)
    assert found["shares"] == pytest.approx({"cpu": 0.25, "runqueue": 0, "gil": 0.25, "io": 0.5, "error": 0})


def test_time_that_was_split_later_is_not_counted_twice():
    # A second of blocked time from before the window is split within it, 3 to 1.
    later = note(3.0)
    later["worker_s"] = {"cpu": 2.0, "runqueue": 0.0, "gil": 3.0, "io": 1.0}
    first = note(1.0, unsplit_s=1.0)
    first["worker_s"] = {"cpu": 1.0, "runqueue": 0.0, "gil": 0.0, "io": 0.0}
    found = findings.of_window([first, later], WINDOW)["shares"]
    assert found == pytest.approx({"cpu": 0.25, "runqueue": 0, "gil": 0.5625, "io": 0.1875, "error": 0.25})


def test_what_was_hardly_split_is_unknown():
    later = note(3.0, unsplit_s=20.0)
    found = findings.of_window([note(1.0), later], WINDOW)["shares"]
    assert (found["gil"], found["io"], found["error"]) == (None, None, None)
    assert found["cpu"] > 0


def test_one_note_says_nothing():
    found = findings.of_window([note(2.0)], WINDOW)
    assert (found["shares"], found["beta_mean"], found["gil_switches_per_s"]) == (None, None, None)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("strategy", "processes"), [("static", 2), ("process", 4)])
def test_a_run_whose_parent_is_killed_ends(strategy, processes, tmp_path):
    command = [sys.executable, "-m", "surefoot.comparison.run", "--workload", "io", "--strategy", strategy]
    command += ["--threads", "2", "--seconds", "60", "--timeline-s", "0.1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: len(processes_in(tmp_path)) == processes, "the measured process has started")
    finally:
        process.kill()
        process.wait()
    eventually(lambda: not processes_in(tmp_path), "the measured process has ended")
