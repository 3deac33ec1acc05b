"""What ``surefoot doctor`` asks of an interpreter: one JSON object on standard output.

A process of its own, so that the command can also ask about another interpreter, and survives one that
does not survive being looked at.
"""

from __future__ import annotations

import json
import platform
import sys

from surefoot import _core

__all__ = ["main"]


def main() -> int:
    """Print what this interpreter is and what each sensor says of itself."""
    is_gil_enabled = getattr(sys, "_is_gil_enabled", None)
    report = {
        "interpreter": {
            "implementation": platform.python_implementation(),
            "version": platform.python_version(),
            "is_gil_enabled": True if is_gil_enabled is None else bool(is_gil_enabled()),
            "libc": " ".join(platform.libc_ver()).strip(),
        },
        "surefoot_version": _core.__version__,
        "sensors": _core.sensors_report(),
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
