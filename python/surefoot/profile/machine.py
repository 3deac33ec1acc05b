"""What a profile says of the program and the machine under it."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from pathlib import Path
from typing import Any

from surefoot.profile.record import Program

# What tells numerical libraries how many threads to start for each call, and the libraries' names in
# /proc/self/maps: for where threadpoolctl is not installed.
_VARIABLES = {
    "libopenblas": ("OpenBLAS", ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")),
    "libscipy_openblas": ("OpenBLAS", ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")),
    "libmkl_rt": ("MKL", ("MKL_NUM_THREADS", "OMP_NUM_THREADS")),
    "libblis": ("BLIS", ("BLIS_NUM_THREADS", "OMP_NUM_THREADS")),
    "libgomp": ("OpenMP", ("OMP_NUM_THREADS",)),
    "libiomp5": ("OpenMP", ("OMP_NUM_THREADS",)),
    "libomp": ("OpenMP", ("OMP_NUM_THREADS",)),
}


def is_gil_enabled() -> bool:
    """Say whether the interpreter's lock is in force."""
    ask: Any = getattr(sys, "_is_gil_enabled", None)
    return True if ask is None else bool(ask())


def cores() -> float:
    """Return the cores that the affinity allows; quotas are not asked."""
    if hasattr(os, "sched_getaffinity"):
        return float(len(os.sched_getaffinity(0)))
    return float(os.cpu_count() or 1)


def allowed_cores() -> float:
    """Return the cores that the process may use; a quota counts in fractions."""
    with contextlib.suppress(ImportError, AttributeError):
        from surefoot import _core

        return float(_core.allowed_cores())
    return cores()


def program() -> Program:
    """Describe the program, the interpreter and the machine."""
    from surefoot import __version__

    return Program(
        argv=tuple(map(str, getattr(sys, "argv", ()))),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        gil_enabled=is_gil_enabled(),
        cores=allowed_cores(),
        memory_bytes=memory_bytes(),
        surefoot=__version__,
    )


def memory_bytes() -> int | None:
    """Return the most memory that the process may use: of the machine, or of its control group."""
    bounds = []
    with contextlib.suppress(OSError, ValueError, AttributeError):
        bounds.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            bounds.append(int(Path(name).read_text()))
    return min(bounds, default=None)


def memory_used_bytes() -> int | None:
    """Return the most memory that the process had at once."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


def library_threads() -> dict[str, int]:
    """Return how many threads each numerical library that is loaded starts for a call."""
    if "threadpoolctl" in sys.modules or _is_numerical():
        with contextlib.suppress(Exception):
            import threadpoolctl

            return {
                str(each.get("internal_api") or each.get("prefix")): int(each["num_threads"])
                for each in threadpoolctl.threadpool_info()
            }
    return _by_maps()


def _is_numerical() -> bool:
    return any(name in sys.modules for name in ("numpy", "scipy", "torch", "sklearn"))


def _by_maps() -> dict[str, int]:
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return {}
    found = {}
    for prefix, (name, variables) in _VARIABLES.items():
        if f"/{prefix}" in maps:
            given = (os.environ.get(variable, "") for variable in variables)
            numbers = [int(text) for text in given if text.isdecimal() and int(text) > 0]
            found[name] = numbers[0] if numbers else int(cores())
    return found
