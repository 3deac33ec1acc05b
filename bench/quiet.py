"""Runs that neighbours on the machine disturbed are made again.

Where two cores are the subject, one neighbour changes the answer, not only its spread: with one core
taken, threads that would have been spread over two share the other.
"""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import child
from bench.environment import cores_busy

if TYPE_CHECKING:
    from typing import Any

#: Others' work, in cores, that a run may contain.
MOST_CORES = 0.25
TRIES = 8
#: Looks for a quiet moment before each try.
LOOKS = 100


@dataclass(frozen=True)
class Run:
    """One answer, and how many cores others kept busy meanwhile."""

    measures: dict[str, float]
    others_cores: float

    @property
    def is_quiet(self) -> bool:
        """Whether the run is to be trusted."""
        return self.others_cores <= MOST_CORES


def measure(module: str, arguments: dict[str, Any]) -> Run:
    """Run a child until a run was quiet; of those that were not, return the quietest."""
    runs: list[Run] = []
    for _ in range(TRIES):
        for _ in range(LOOKS):
            if (cores_busy(0.1) or 0.0) <= MOST_CORES:
                break
        runs.append(_measure_once(module, arguments))
        if runs[-1].is_quiet:
            break
    return min(runs, key=lambda run: run.others_cores)


def _measure_once(module: str, arguments: dict[str, Any]) -> Run:
    start, busy_s, own_s = time.monotonic(), _busy_s(), _children_s()
    measures = child.measure(module, arguments)
    spent_s = max(time.monotonic() - start, 1e-9)
    others_s = (_busy_s() - busy_s) - (_children_s() - own_s)
    return Run(measures, max(others_s, 0.0) / spent_s)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _busy_s() -> float:
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
