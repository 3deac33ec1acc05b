"""One run of `surefoot.comparison.run` in a process of its own, as tests need it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from patience import eventually

# A hang becomes a failure; nothing here comes near it otherwise.
HANG_S = 100

FIELDS = {
    "tasks_done", "window_s", "tasks_per_s", "wall_ms_p50", "wall_ms_p95", "wall_ms_p99", "is_truncated",
    "open_s", "cpu_s", "switches_voluntary", "switches_involuntary", "gil_switches_per_s", "limit",
    "workers_live", "processes", "rss_bytes_max", "pss_bytes_max", "beta_mean", "shares", "vetoes",
    "timeline", "decisions",
}  # fmt: skip


@dataclass(frozen=True)
class Done:
    code: int
    report: dict
    err: str


def run(*words, cwd, env=None):
    """Run with these words; nothing may be left of it in its folder."""
    command = [sys.executable, "-m", "surefoot.comparison.run", *map(str, words)]
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "TMPDIR": str(cwd), **(env or {})},
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    (line,) = done.stdout.splitlines() or [done.stderr]
    # Those that were never seen are told of their parent's death a moment after it.
    eventually(lambda: not processes_in(cwd), "the run has left no process")
    return Done(done.returncode, json.loads(line), done.stderr)


def measure(workload, strategy, *words, cwd, seconds=0.3, env=None):
    """Measure briefly; return the measurement."""
    times = ["--seconds", seconds, "--warmup-s", 0.1, "--seconds-max", 60]
    done = run("--workload", workload, "--strategy", strategy, "--cores", 1, *times, *words, cwd=cwd, env=env)
    assert done.code == 0, (done.report, done.err)
    check(done.report)
    return done.report


def check(found):
    """Whatever was measured, its figures fit together."""
    assert set(found) == FIELDS
    assert not found["is_truncated"]
    assert found["tasks_done"] >= 2
    assert abs(found["tasks_per_s"] * found["window_s"] - found["tasks_done"]) < 1e-6 * found["tasks_done"]
    assert 0 < found["wall_ms_p50"] <= found["wall_ms_p95"] <= found["wall_ms_p99"]
    assert 0 < found["window_s"] <= found["open_s"]
    assert found["limit"] >= 1
    assert found["processes"] >= 1
    # Less than a CPython can be, or more than a device has, would be another unit.
    assert 4 << 20 < found["rss_bytes_max"] < 1 << 33
    assert found["pss_bytes_max"] is None or found["pss_bytes_max"] > 4 << 20
    shares = found["shares"] or {}
    for share in shares.values():
        assert share is None or 0.0 <= share <= 1.0
    parts = [shares.get(state) for state in ("cpu", "runqueue", "gil", "io")]
    if None not in parts:
        assert abs(sum(parts) - 1.0) < 1e-6
    assert found["beta_mean"] is None or 0.0 <= found["beta_mean"] <= 1.0


def processes_in(folder):
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").resolve() == Path(folder).resolve():
                found.append(entry.name)
        except OSError:
            continue
    return found
