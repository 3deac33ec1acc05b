"""The environment record: machine, kernel, interpreter, build and commit.

Absolute figures mean nothing without it. Nothing here identifies a host: no name, no address.
"""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

from bench.records import Environment

ROOT = Path(__file__).resolve().parent.parent


def interpreter_name() -> str:
    """Return the short name of this interpreter: ``3.11``, or ``3.14t`` without the GIL."""
    suffix = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return f"{sys.version_info.major}.{sys.version_info.minor}{suffix}"


def usable_cores() -> list[int]:
    """Return the cores this process may run on, in ascending order."""
    return sorted(os.sched_getaffinity(0))


def describe(experiment: str, *, self_check: bool, quick: bool) -> Environment:
    """Collect the environment of an experiment that this process is about to run.

    Surefoot is loaded here (unless this is a self-check), so that ``gil_enabled`` tells the state in
    which the figures are taken: a free-threaded interpreter re-enables the GIL for an extension
    that does not declare itself sound without it.
    """
    version = None if self_check else importlib.import_module("surefoot").__version__
    gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "compiler": platform.python_compiler(),
        "gil_enabled": gil_enabled,
        "switch_interval_s": sys.getswitchinterval(),
        "surefoot": version,
        "commit": commit(),
        "architecture": platform.machine(),
        "processor": processor(),
        "kernel": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "cores_usable": len(usable_cores()),
        "cores_busy_before": cores_busy(),
        "quick": quick,
        "self_check": self_check,
    }
    return Environment(experiment, interpreter_name(), facts)


def processor() -> str:
    """Return the processor's model name, or its architecture where the kernel names no model."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.machine()


def cores_busy(period_s: float = 1.0) -> float | None:
    """Return how many cores others keep busy while this process sleeps; None where it cannot be read.

    The load average would not do: it still holds the threads of the experiment before this one.
    """
    try:
        before = _cpu_ticks()
        time.sleep(period_s)
        after = _cpu_ticks()
    except OSError:
        return None
    spent = [late - early for early, late in zip(before, after, strict=True)]
    idle = spent[3] + spent[4]  # proc_stat(5): idle and iowait; all else, stolen time included, is busy
    return (os.cpu_count() or 1) * (1 - idle / max(sum(spent), 1))


def _cpu_ticks() -> list[int]:
    first_line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    return [int(field) for field in first_line.split()[1:9]]


def commit() -> str | None:
    """Return the short commit, ``+`` appended if the tree differs from it; None without git."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        # --no-optional-locks: a benchmark must not write to the repository, not even its index.
        changed = _git("--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changed else "")


def _git(*words: str) -> str:
    finished = subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
    )
    return finished.stdout.strip()
