"""What observation costs: the standard pool's `micro`, and empty tasks, with and without it, in alternation.

    python -m bench.observe [--quick]

The bar: `micro` (1,000 additions, then a sleep of 100 us) loses less than 3 % of its throughput. Each turn is
a fresh pool in this process; the ratio is of the two turns of a round, its interval a bootstrap over rounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from statistics import median

import surefoot
from bench.alternate import turns
from bench.estimate import bootstrap
from surefoot.workloads import micro

BAR = 0.97
WORKERS = 16
Task = Callable[[], object]


def nothing() -> None:
    pass


@dataclass(frozen=True)
class Turned:
    """One turn: tasks a second, and CPU time of the whole process for each, which bears a crowded machine."""

    rate: float
    cpu_ns: float


def turned(task: Task, seconds: float) -> Turned:
    """Run rounds of a thousand tasks until the time is over."""
    done = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        wait([pool.submit(task) for _ in range(WORKERS)])
        began_s, began_cpu_ns = time.perf_counter(), time.process_time_ns()
        while time.perf_counter() - began_s < seconds:
            wait([pool.submit(task) for _ in range(1000)])
            done += 1000
        passed_s = time.perf_counter() - began_s
        return Turned(done / passed_s, (time.process_time_ns() - began_cpu_ns) / done)


def observed(task: Task, seconds: float) -> Turned:
    with surefoot.profile():
        return turned(task, seconds)


def ratio(name: str, task: Task, rounds: int, seconds: float) -> float:
    taken: dict[str, list[Turned]] = {"plain": [], "observed": []}
    for turn in turns(["plain", "observed"], rounds):
        measure = turned if turn.pool == "plain" else observed
        taken[turn.pool].append(measure(task, seconds))
    pairs = list(zip(taken["observed"], taken["plain"], strict=True))
    ratios = [ours.rate / plain.rate for ours, plain in pairs]
    cpu_ratios = [ours.cpu_ns / plain.cpu_ns for ours, plain in pairs]
    rates = {pool: median(each.rate for each in values) for pool, values in taken.items()}
    costs = {pool: median(each.cpu_ns for each in values) for pool, values in taken.items()}
    print(
        f"{name:8} tasks/s: {rates['plain']:,.0f} plain, {rates['observed']:,.0f} observed, "
        f"ratio {_shown(ratios)}; CPU ns a task: {costs['plain']:,.0f}, {costs['observed']:,.0f}, "
        f"ratio {_shown(cpu_ratios)}"
    )
    return median(ratios)


def _shown(ratios: list[float]) -> str:
    interval = bootstrap(len(ratios), lambda drawn: median(ratios[number] for number in drawn))
    shown = "" if interval is None else f" [{interval.low:.3f}, {interval.high:.3f}]"
    return f"{median(ratios):.3f}{shown}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of the rounds")
    quick = parser.parse_args().quick
    rounds, seconds = (6, 0.5) if quick else (20, 1.0)
    with micro.setup(WORKERS) as make:
        found = ratio("micro", make(), rounds, seconds)
    ratio("nothing", nothing, rounds, seconds)
    print(f"bar: micro at least {BAR}: {'held' if found >= BAR else 'missed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
