"""What observation costs: the standard pool's `micro`, and empty tasks, with and without it, in alternation.

    python -m bench.observe [--quick]

The bar: `micro` (1,000 additions, then a sleep of 100 us) loses less than 3 % of its throughput. Each turn is
a fresh pool in this process; the ratio is of the two turns of a round, its interval a bootstrap over rounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
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


def rate(task: Task, seconds: float) -> float:
    """Tasks a second, kept in rounds of a thousand until the time is over."""
    done = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        wait([pool.submit(task) for _ in range(WORKERS)])
        began_s = time.perf_counter()
        while time.perf_counter() - began_s < seconds:
            wait([pool.submit(task) for _ in range(1000)])
            done += 1000
        return done / (time.perf_counter() - began_s)


def observed_rate(task: Task, seconds: float) -> float:
    with surefoot.profile():
        return rate(task, seconds)


def ratio(name: str, task: Task, rounds: int, seconds: float) -> float:
    rates: dict[str, list[float]] = {"plain": [], "observed": []}
    for turn in turns(["plain", "observed"], rounds):
        measure = rate if turn.pool == "plain" else observed_rate
        rates[turn.pool].append(measure(task, seconds))
    ratios = [observed / plain for observed, plain in zip(rates["observed"], rates["plain"], strict=True)]

    def middle(drawn: Sequence[int]) -> float:
        return median(ratios[number] for number in drawn)

    interval = bootstrap(rounds, middle)
    shown = "" if interval is None else f" [{interval.low:.3f}, {interval.high:.3f}]"
    medians = {pool: median(values) for pool, values in rates.items()}
    each_ns = 1e9 / medians["observed"] - 1e9 / medians["plain"]
    print(
        f"{name:8} {medians['plain']:>10,.0f}/s plain {medians['observed']:>10,.0f}/s observed   "
        f"ratio {median(ratios):.3f}{shown}   {each_ns:,.0f} ns a task"
    )
    return median(ratios)


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
