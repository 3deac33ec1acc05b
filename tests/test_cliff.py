"""`surefoot cliff`, its workloads and its figure: real processes with tiny settings."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import surefoot
from surefoot import plot, workloads
from surefoot.workloads import closed_loop, ledger, pools

# A hang becomes a failure; nothing here comes near it otherwise.
HANG_S = 100

TINY = ["--cores", "1", "--workloads", "micro", "--seconds", "0.1"]

RUN_FIELDS = {
    "kind", "schema", "surefoot_version", "is_debug_build", "sweep", "at_unix_s", "workload", "pool",
    "cores", "threads", "repeat", "machine", "interpreter", "tasks_done", "window_s", "tasks_per_s",
    "wall_ms_p50", "wall_ms_p95", "wall_ms_p99", "is_truncated", "open_s", "cpu_s", "switches_voluntary",
    "switches_involuntary", "limit", "workers_live", "rss_bytes_max", "switch_interval_s", "params",
}  # fmt: skip


def cliff(*args, cwd):
    command = [sys.executable, "-m", "surefoot", "cliff", *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=HANG_S, check=False)


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def stand_in(path, case):
    """An interpreter that behaves as `case` says for some arguments, and as this one otherwise."""
    path.write_text(f'#!/bin/sh\ncase "$*" in {case} esac\nexec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_table_and_records_of_a_small_sweep(tmp_path):
    done = cliff(*TINY, "--threads", "1,2", "--pools", "standard,surefoot", "--out", "r.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for pool in ("standard", "surefoot"):
        assert f"1 core, {pool} pool" in done.stdout
    for words in ("threads", "tasks/s", "p50 ms", "p95 ms", "p99 ms", "tasks/s per thread", "peak", "knee"):
        assert words in done.stdout
    assert "4 runs, about" in done.stderr

    runs = records(tmp_path / "r.jsonl")
    assert {(run["pool"], run["threads"]) for run in runs} == {
        ("standard", 1),
        ("standard", 2),
        ("surefoot", 1),
        ("surefoot", 2),
    }
    assert len(runs) == 4
    # Pools alternate, and take turns in going first.
    assert [run["pool"] for run in runs] == ["standard", "surefoot", "surefoot", "standard"]
    for run in runs:
        assert set(run) == RUN_FIELDS
        assert run["kind"] == "cliff_run"
        assert run["tasks_per_s"] == pytest.approx(run["tasks_done"] / run["window_s"])
        assert 0 < run["wall_ms_p50"] <= run["wall_ms_p95"] <= run["wall_ms_p99"]
        # A micro task sleeps 0.1 ms, so a median below that would be in another unit.
        assert run["wall_ms_p50"] >= 0.1
        assert run["window_s"] >= 0.1
        assert run["limit"] == run["workers_live"] == run["threads"]
        assert run["interpreter"]["version"] == platform.python_version()
        assert run["machine"]["cores"] == len(os.sched_getaffinity(0))
        assert run["surefoot_version"] == surefoot.__version__
    assert len({run["sweep"] for run in runs}) == 1


def test_adaptive_shows_the_limit_it_chose(tmp_path):
    done = cliff(*TINY, "--threads", "4", "--pools", "adaptive", "--out", "r.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "limit at end" in done.stdout
    (run,) = records(tmp_path / "r.jsonl")
    assert 1 <= run["limit"] <= 4


def test_exactly_the_tasks_asked_for_are_run(tmp_path):
    done = cliff(
        "--cores", "1", "--workloads", "micro", "--threads", "2", "--pools", "standard", "--tasks", "37",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [run["tasks_done"] for run in records(tmp_path / "surefoot-cliff.jsonl")] == [37]


def test_repeats_become_one_point_with_its_spread(tmp_path):
    done = cliff(*TINY, "--threads", "1", "--pools", "standard", "--repeats", "2", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["runs_measured"], report["runs_failed"], report["is_interrupted"]) == (2, 0, False)
    (curve,) = report["curves"]
    (point,) = curve["points"]
    rates = [run["tasks_per_s"] for run in records(tmp_path / "surefoot-cliff.jsonl")]
    assert point["runs"] == 2
    assert point["tasks_per_s"] == pytest.approx(sum(rates) / 2)
    assert (point["tasks_per_s_least"], point["tasks_per_s_greatest"]) == pytest.approx(
        (min(rates), max(rates))
    )
    assert (curve["peak_threads"], curve["knee_threads"]) == (1, 1)


def test_cores_the_machine_lacks_are_left_out_and_the_rest_runs(tmp_path):
    done = cliff(
        "--cores", "1,4096", "--workloads", "micro", "--seconds", "0.1", "--threads", "1",
        "--pools", "standard", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"--cores 4096 is left out: this process may use {len(os.sched_getaffinity(0))}" in done.stderr
    assert [run["cores"] for run in records(tmp_path / "surefoot-cliff.jsonl")] == [1]


def test_only_cores_the_machine_lacks_is_a_failure(tmp_path):
    done = cliff("--cores", "4096", "--threads", "1", cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing is left to run" in done.stderr


def test_ctrl_c_keeps_and_shows_what_was_measured(tmp_path):
    command = [sys.executable, "-m", "surefoot", "cliff", *TINY, "--threads", "1", "--pools", "standard"]
    # Far more runs than the test waits for.
    process = subprocess.Popen(
        [*command, "--repeats", "500", "--out", "r.jsonl"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            for line in process.stderr:
                if line.startswith("[2/500]"):
                    break
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=HANG_S)
        except BaseException:
            process.kill()
            raise
    assert process.returncode == 130, stderr
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert "1 core, standard pool" in stdout
    assert 2 <= len(records(tmp_path / "r.jsonl")) < 500
    # The run under way is gone: it was the only other process in this folder.
    assert not list(processes_in(tmp_path))


def processes_in(folder):
    for entry in Path("/proc").iterdir():
        # Processes come and go while we look.
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").resolve() == folder.resolve():
                yield entry.name


def test_a_run_that_fails_is_named_and_the_rest_runs(tmp_path):
    python = stand_in(tmp_path / "python", '*"--threads 2"*) echo boom >&2; exit 3;;')
    done = cliff(
        *TINY, "--threads", "1,2", "--pools", "standard", "--python", python, "--out", "r.jsonl", cwd=tmp_path
    )
    assert done.returncode == 1
    assert "micro, 1 core, standard, 2 threads failed: boom" in done.stderr
    good, bad = records(tmp_path / "r.jsonl")
    assert (good["kind"], good["threads"]) == ("cliff_run", 1)
    assert (bad["kind"], bad["threads"], bad["reason"]) == ("cliff_failure", 2, "boom")


def test_a_run_that_hangs_is_stopped(tmp_path):
    python = stand_in(tmp_path / "python", "*workloads.run*) exec sleep 600;;")
    done = cliff(
        *TINY, "--threads", "1", "--pools", "standard", "--python", python, "--timeout-s", "0.5", cwd=tmp_path
    )
    assert done.returncode == 1
    assert "failed: stopped after" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--threads", "0"],
        ["--threads", "8..2"],
        ["--cores", "x"],
        ["--workloads", "nap"],
        ["--pools", "process"],
        ["--tasks", "5", "--seconds", "1"],
        ["--seconds", "-1"],
        ["--repeats", "0"],
        ["--python", "/nonexistent/python"],
        ["--out", "/nonexistent/records.jsonl"],
        ["--unheard-of"],
    ],
)
def test_bad_arguments_exit_with_2(words, tmp_path):
    done = cliff(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip()
    assert not list(tmp_path.iterdir())


def test_an_interpreter_without_surefoot_is_named(tmp_path):
    python = stand_in(tmp_path / "python", '*) echo "No module named surefoot" >&2; exit 1;;')
    done = cliff("--python", python, cwd=tmp_path)
    assert done.returncode == 1
    assert "No module named surefoot" in done.stderr
    assert "is surefoot installed for it?" in done.stderr


def test_version_and_a_missing_extension(tmp_path):
    command = [sys.executable, "-m", "surefoot", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HANG_S, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("surefoot ")

    without = (
        "import sys, surefoot\n"
        "sys.modules['surefoot._core'] = None\n"
        "vars(surefoot).pop('_core', None)\n"
        "from surefoot.__main__ import main\n"
        "sys.exit(main())\n"
    )
    command = [sys.executable, "-c", without]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HANG_S, check=False)
    assert done.returncode == 1
    assert "extension module cannot be loaded" in done.stderr
    assert "Traceback" not in done.stderr


def test_plot_draws_or_says_what_to_install(tmp_path):
    done = cliff(
        *TINY, "--threads", "1,2", "--pools", "standard", "--plot", "f.svg", "--out", "r.jsonl", cwd=tmp_path
    )
    assert len(records(tmp_path / "r.jsonl")) == 2
    if importlib.util.find_spec("matplotlib") is None:
        assert done.returncode == 2, done.stderr
        assert "pip install 'surefoot[plot]'" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "f.svg").read_text()
    assert text.startswith("<?xml")
    assert "micro: throughput" in text

    png = tmp_path / "f.png"
    command = [sys.executable, "-m", "surefoot.plot", "r.jsonl", "-o", str(png)]
    subprocess.run(command, cwd=tmp_path, timeout=HANG_S, check=True)
    assert png.read_bytes().startswith(b"\x89PNG")


def run_record(**changes):
    record = {
        "kind": "cliff_run",
        "sweep": 1,
        "workload": "micro",
        "pool": "standard",
        "cores": 1,
        "threads": 1,
        "tasks_per_s": 10.0,
        "wall_ms_p99": 1.0,
        "is_truncated": False,
        "interpreter": {"version": "3.13.0", "is_gil_enabled": True},
    }
    return {**record, **changes}


def test_plot_reads_the_newest_sweep_and_skips_failures(tmp_path):
    lines = [
        run_record(),
        run_record(sweep=2, threads=8),
        {"kind": "cliff_failure", "sweep": 3, "reason": "boom"},
    ]
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [run["threads"] for run in plot.read(path)] == [8]
    assert [run["threads"] for run in plot.read(path, sweep=1)] == [1]
    with pytest.raises(ValueError, match="no measured run of sweep 3"):
        plot.read(path, sweep=3)
    path.write_text("{\n")
    with pytest.raises(ValueError, match="line 1"):
        plot.read(path)


def test_plot_curves_are_medians_in_ascending_threads():
    free = {"version": "3.14.0", "is_gil_enabled": False}
    runs = [
        run_record(threads=8, tasks_per_s=30.0, wall_ms_p99=None, is_truncated=True),
        run_record(threads=1, tasks_per_s=10.0),
        run_record(threads=8, tasks_per_s=50.0, wall_ms_p99=4.0),
        run_record(interpreter=free),
    ]
    first, second = plot.curves(runs)
    assert first.threads == (1, 8)
    assert first.tasks_per_s == (10.0, 40.0)
    assert first.wall_ms_p99 == (1.0, 4.0)
    assert first.is_truncated == (False, True)
    assert second.interpreter == "3.14.0t"


@pytest.mark.parametrize("name", workloads.NAMES)
def test_each_workload_runs_and_leaves_nothing_behind(name, tmp_path):
    if name == "pipeline":
        pytest.importorskip("sqlite3")
    command = [sys.executable, "-m", "surefoot.workloads.run", "--workload", name, "--pool", "standard"]
    command += ["--threads", "2", "--cores", "1", "--seconds", "0.1", "--seconds-max", "60"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["workload"], report["threads"], report["cores"]) == (name, 2, 1)
    # Two tasks per thread at least: a short run goes on until it has them.
    assert report["tasks_done"] >= 4
    assert not report["is_truncated"]
    assert not list(tmp_path.iterdir())
    assert not list(processes_in(tmp_path))


def test_a_run_on_cores_the_machine_lacks_reports_an_error(tmp_path):
    command = [sys.executable, "-m", "surefoot.workloads.run", "--workload", "io", "--pool", "standard"]
    command += ["--threads", "1", "--cores", "4096"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HANG_S, check=False)
    assert done.returncode == 1
    assert "asked for 4096 cores" in json.loads(done.stdout)["error"]


def test_a_pool_that_is_switched_off_is_not_measured_under_our_name(tmp_path):
    command = [sys.executable, "-m", "surefoot.workloads.run", "--workload", "io", "--pool", "surefoot"]
    command += ["--threads", "1", "--seconds", "0.1"]
    environment = {**os.environ, "SUREFOOT_DISABLE": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert done.returncode == 1
    assert "switched off" in json.loads(done.stdout)["error"]


def test_python_and_the_command_line_name_the_same_workloads_and_pools(tmp_path):
    shown = cliff("--help", cwd=tmp_path).stdout
    for name in (*workloads.NAMES, *pools.NAMES):
        assert f"- {name}:" in shown
    assert shown.count("          - ") == len(workloads.NAMES) + len(pools.NAMES)


def test_percentiles_are_nearest_rank():
    hundred = list(range(1, 101))
    assert [closed_loop.percentile(hundred, part) for part in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert closed_loop.percentile([7], 0.5) == 7
    assert closed_loop.percentile([1, 2, 3], 0.5) == 2


# `measure` forks, so it gets a process without other threads.
MEASURE = """
import dataclasses, json, threading
from concurrent.futures import ThreadPoolExecutor
from surefoot.workloads.closed_loop import Span, measure

def fail():
    raise ZeroDivisionError("by design")

def wait():
    threading.Event().wait()

def make_pool():
    return ThreadPoolExecutor(2)

def make_broken_pool():
    raise OSError("no such pool")

try:
    found = dataclasses.asdict(measure({arguments}))
except RuntimeError as error:
    found = {{"error": str(error)}}
print(json.dumps(found))
"""


def measure(pool, task, seconds_max):
    span = f"Span(seconds=0.01, seconds_max={seconds_max}, warmup_s=0.2)"
    arguments = f"{pool}, lambda: {task}, threads=2, task_s_min=0.01, span={span}"
    command = [sys.executable, "-c", MEASURE.format(arguments=arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=True)
    return json.loads(done.stdout)


def test_a_failing_task_fails_the_measurement():
    assert measure("make_pool", "fail", 100) == {"error": "a task failed: ZeroDivisionError: by design"}


def test_a_pool_that_cannot_be_made_fails_the_measurement():
    assert measure("make_broken_pool", "wait", 100) == {"error": "no such pool"}


def test_a_window_that_closes_too_early_says_so():
    found = measure("make_pool", "wait", 0.01)
    assert found["is_truncated"]
    assert (found["tasks_done"], found["wall_ms_p99"]) == (0, None)


def test_a_ledger_skips_empty_slots_and_drops_what_does_not_fit():
    book = ledger.Ledger(3)
    enter = book.writer()
    assert book.slots_used() == 0
    enter(100, 7)
    # A slot whose end was not written yet, as when its thread is off the processor.
    enter(0, 8)
    enter(300, 9)
    enter(400, 10)
    assert book.slots_used() == 3
    assert book.entries() == [(100, 7), (300, 9)]
    book.complain("first")
    book.complain("second")
    assert book.complaint() == "first"
