"""The workloads and strategies of bench/: each runs, or says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparison_run import check, measure, run

BENCH = Path(__file__).resolve().parents[1] / "bench"
WORKLOADS = sorted((BENCH / "workloads").glob("*.py"))
STRATEGIES = sorted((BENCH / "strategies").glob("*.py"))


def test_the_suites_files_are_there():
    assert {path.stem for path in WORKLOADS} == {
        "vision", "voice", "fusion", "rag", "slm", "analytics", "onnx", "ratio", "coarse",
    }  # fmt: skip
    assert {path.stem for path in STRATEGIES} == {"betapool", "futurist"}


def measured_or_skipped(workload, strategy, *words, cwd):
    """Return the measurement; skip if a package is missing."""
    times = ["--seconds", 0.3, "--warmup-s", 0.1, "--seconds-max", 60, "--cores", 1]
    done = run("--workload", workload, "--strategy", strategy, *times, *words, cwd=cwd)
    if done.code == 3:
        pytest.skip(done.report["unavailable"])
    assert done.code == 0, (done.report, done.err)
    check(done.report)
    return done.report


@pytest.mark.parametrize("path", WORKLOADS, ids=lambda path: path.stem)
def test_each_workload_runs_and_leaves_nothing_behind(path, tmp_path):
    found = measured_or_skipped(path, "static", "--threads", 3, cwd=tmp_path)
    assert found["limit"] == 3
    assert found["tasks_done"] >= 6
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", STRATEGIES, ids=lambda path: path.stem)
def test_each_strategy_runs(path, tmp_path):
    found = measured_or_skipped("io", path, "--threads", 8, "--timeline-s", 0.1, cwd=tmp_path)
    assert 1 <= found["limit"] <= 8
    assert found["workers_live"] <= 8
    assert found["timeline"]


def test_a_ratio_of_computing_and_waiting(tmp_path):
    words = ["--parameter", "cpu_ms=2", "--parameter", "io_ms=30"]
    found = measure(BENCH / "workloads" / "ratio.py", "sequential", *words, cwd=tmp_path)
    assert found["wall_ms_p50"] >= 30
    # CPU time, which a busy machine does not change; the process itself takes some, too.
    per_task_s = found["cpu_s"] / (found["tasks_done"] * found["open_s"] / found["window_s"])
    assert 0.0005 < per_task_s < 0.02


def test_a_coarse_task_is_as_many_small_ones(tmp_path):
    # A hundred sleeps of 0.1 ms.
    found = measure(BENCH / "workloads" / "coarse.py", "sequential", cwd=tmp_path)
    assert found["wall_ms_p50"] >= 10
