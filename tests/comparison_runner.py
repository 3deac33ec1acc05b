"""An interpreter that stands in for one with surefoot: its runs are made up, and take no time.

It answers as `python -m surefoot.workloads.interpreter` and `python -m surefoot.comparison.run` would, so
that the driver can be tested by what it does with answers, fast and without a machine's noise.
"""

from __future__ import annotations

import sys

ANSWERS = """
import json, os, sys, time

DESCRIPTION = {
    "interpreter": {
        "implementation": "CPython", "version": "%(version)s", "compiler": "none",
        "is_free_threaded": False, "is_gil_enabled": True, "switch_interval_s": 0.005,
    },
    "surefoot": {"version": "0.1.0", "is_debug_build": False},
    "workloads": {"micro": {"kind": "made up", "task_s_min": 0.0001, "gil_s": 0.00005}},
    "has_matplotlib": False,
}


def measured(tasks_per_s, **more):
    return {"tasks_done": 10, "window_s": 1.0, "tasks_per_s": tasks_per_s, "wall_ms_p50": 1.0,
            "wall_ms_p95": 2.0, "wall_ms_p99": 3.0, "is_truncated": False, "limit": 4, "processes": 1, **more}


words = sys.argv[1:]
if "surefoot.workloads.interpreter" in words:
    print(json.dumps(DESCRIPTION))
    sys.exit()
if "surefoot.workloads.spin" in words:
    print(json.dumps({"spin_ns": 25.5}))
    sys.exit()
given = dict(zip(words[2::2], words[3::2]))
strategy, threads = given["--strategy"], int(given.get("--threads", 0))
with open(%(calls)r, "a") as calls:
    calls.write(" ".join(words) + "\\n")
%(law)s
"""

LAW = "print(json.dumps(measured(1000 - 10 * abs(threads - 8) if strategy == 'static' else 950)))"
"""Eight threads are best."""


def stand_in(folder, law=LAW, version="3.77.1", name="stand-in"):
    """Write the interpreter and return its path.

    Args:
        folder: Where it is put; `calls` there lists the runs it was asked for.
        law: Code that prints the answer to a run; `strategy`, `threads`, `given` and `measured` are at hand.
        version: The version that it claims to be.
        name: Of the file.
    """
    body = ANSWERS % {"law": law, "version": version, "calls": str(folder / "calls")}
    path = folder / name
    # Isolated and without site: it starts in a few milliseconds.
    path.write_text(f"#!{sys.executable} -ISE\n{body}")
    path.chmod(0o755)
    return path


def calls(folder):
    """Return the runs that it was asked for."""
    path = folder / "calls"
    return path.read_text().splitlines() if path.exists() else []
