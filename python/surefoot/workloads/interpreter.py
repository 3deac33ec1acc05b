"""Describe this interpreter, its surefoot and the workloads it offers, as one JSON object.

``python -m surefoot.workloads.interpreter``
"""

from __future__ import annotations

import importlib.util
import json
import platform
import sys
import sysconfig

import surefoot
from surefoot import workloads

__all__ = ["describe", "describe_surefoot", "describe_workloads"]


def describe() -> dict[str, object]:
    """Return what about this interpreter can change a measurement."""
    is_gil_enabled = getattr(sys, "_is_gil_enabled", None)
    return {
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "compiler": platform.python_compiler(),
        "is_free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "is_gil_enabled": bool(is_gil_enabled()) if is_gil_enabled is not None else True,
        "switch_interval_s": sys.getswitchinterval(),
    }


def describe_surefoot() -> dict[str, object]:
    """Return which surefoot this interpreter has, and whether it was built without optimisation."""
    extension = sys.modules.get("surefoot._core")
    return {
        "version": surefoot.__version__,
        "is_debug_build": bool(getattr(extension, "IS_DEBUG_BUILD", False)),
    }


def describe_workloads() -> dict[str, dict[str, object]]:
    """Return the kind and the nominal times of each workload, by name."""
    described: dict[str, dict[str, object]] = {}
    for name in workloads.NAMES:
        workload = workloads.load(name)
        described[name] = {"kind": workload.KIND, "task_s_min": workload.TASK_S_MIN, "gil_s": workload.GIL_S}
    return described


if __name__ == "__main__":
    report = {
        "interpreter": describe(),
        "surefoot": describe_surefoot(),
        "workloads": describe_workloads(),
        "has_matplotlib": importlib.util.find_spec("matplotlib") is not None,
    }
    print(json.dumps(report))
