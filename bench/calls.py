"""Count the calls that one task costs, in Python and in C: ``python -m bench.calls``.

No clock, so no noise: the same interpreter always gives the same figures. They say where the time of
``overhead`` goes, not how much it is. Calls are those that the interpreter's profiler sees; what a C
function does inside is one call.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from bench import contenders
from bench.environment import interpreter_name

if TYPE_CHECKING:
    from types import FrameType

#: Enough that what happens once per pool vanishes in the second decimal.
TASKS = 1_000


class Tally:
    """Counts calls while it is installed as a profiler; its own removal is not counted."""

    def __init__(self) -> None:
        self.python: Counter[str] = Counter()
        self.c: Counter[str] = Counter()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """Take one profiler event."""
        if event == "call":
            self.python[frame.f_code.co_name] += 1
        elif event == "c_call" and argument is not sys.setprofile:
            self.c[getattr(argument, "__qualname__", repr(argument))] += 1


def task() -> None:
    """Do nothing."""


def count(pool_name: str) -> tuple[Tally, Tally]:
    """Count the calls of submitting and of running ``TASKS`` tasks, one worker, none of it at once.

    Returns:
        The tally of the submitting thread and that of the worker.
    """
    submitting, running = Tally(), Tally()
    release = threading.Event()
    threading.setprofile(running)  # For threads made from here on: the worker.
    try:
        with contenders.make_pool(pool_name, 1) as pool:
            blocked = threading.Event()

            def block() -> None:
                blocked.set()
                release.wait(contenders.HANG_TIMEOUT_S)

            pool.submit(block)
            blocked.wait(contenders.HANG_TIMEOUT_S)
            sys.setprofile(submitting)
            for _ in range(TASKS):
                pool.submit(task)
            sys.setprofile(None)
            release.set()
    finally:
        release.set()
        threading.setprofile(None)
    return submitting, running


def main() -> int:
    """Print one line per pool, then the functions behind it."""
    pools = [contenders.STANDARD]
    try:
        contenders.require_surefoot()
        pools.append(contenders.SUREFOOT)
    except (ImportError, RuntimeError) as error:
        sys.stderr.write(f"only the standard pool: {error}\n")
    for pool in pools:
        for side, tally in zip(("submit", "worker"), count(pool), strict=True):
            totals = {"Python": tally.python, "C": tally.c}
            text = ", ".join(f"{sum(calls.values()) / TASKS:.1f} in {kind}" for kind, calls in totals.items())
            sys.stdout.write(f"{interpreter_name()} {pool} {side}: calls per task: {text}\n")
            for kind, calls in totals.items():
                often = [f"{name} {n / TASKS:.1f}" for name, n in calls.most_common() if n >= TASKS // 2]
                sys.stdout.write(f"    {kind}: {', '.join(often)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
