"""`surefoot compare` with the project's own suites: real runs of the smallest, and the plans of all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from patience import HANG_S

pytestmark = pytest.mark.own

SUITES = Path(__file__).resolve().parents[1] / "bench" / "suites"


def compare(*words, cwd):
    command = [sys.executable, "-m", "surefoot", "compare", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=HANG_S, check=False)


def test_the_smoke_suite_measures(tmp_path):
    done = compare(SUITES / "smoke.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "smoke.jsonl").read_text().splitlines()]
    runs = [line for line in lines if line["type"] == "comparison_run"]
    assert len(runs) == 6
    others = sorted(line["type"] for line in lines if line not in runs)
    assert others == ["comparison_calibration", *["comparison_control"] * 2]
    assert all(line["spin_ns"] > 0 for line in lines if line["type"] == "comparison_calibration")
    for run in runs:
        assert run["measurement"]["tasks_done"] > 0
        assert run["measurement"]["window_s"] >= 0.1
        assert run["surefoot_version"]
    by_name = {(run["phase"], run["strategy"], run["threads"]): run["measurement"] for run in runs}
    assert by_name["sweep", "static", 4]["limit"] == 4
    (best,) = (threads for _, strategy, threads in by_name if strategy == "static-best")
    assert best in (1, 4)
    assert by_name["contest", "static-best", best]["limit"] == best
    watched = by_name["single", "fixed-watched", 4]
    assert watched["timeline"]
    shown = compare("--summary", "smoke.jsonl", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert f"static-best {best}" in shown.stdout


@pytest.mark.parametrize("suite", sorted(SUITES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_suite_has_a_plan(suite, tmp_path):
    done = compare(suite, "--plan", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "in all" in done.stdout
    assert not list(tmp_path.iterdir())
