"""A measurement in a process of its own: nothing left over from the run before it.

The child module gets its arguments as one JSON object, measures, and answers with one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from bench.environment import ROOT

#: Bounds a hang; the longest run takes a tenth of it.
TIME_LIMIT_S = 180.0


class ChildError(RuntimeError):
    """A child ended without an answer; the message holds the last of what it said."""


def measure(module: str, arguments: dict[str, Any]) -> dict[str, float]:
    """Run ``python -m module`` under this interpreter and return its answer.

    Raises:
        ChildError: If the child fails, hangs or answers with something else.
    """
    command = [sys.executable, "-m", module, json.dumps(arguments)]
    try:
        finished = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ChildError(f"{module} {arguments}: no answer within {TIME_LIMIT_S:.0f} s") from error
    if finished.returncode != 0:
        raise ChildError(f"{module} {arguments}: exit {finished.returncode}\n{finished.stderr[-2000:]}")
    answer: dict[str, float] = json.loads(finished.stdout)
    return answer


def arguments() -> dict[str, Any]:
    """Return, in the child, what the parent asked for."""
    asked: dict[str, Any] = json.loads(sys.argv[1])
    return asked


def answer(measures: dict[str, float]) -> None:
    """Send, in the child, what was found."""
    sys.stdout.write(json.dumps(measures))
    sys.stdout.flush()
