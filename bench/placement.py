"""Workers kept on one core while that pays, side by side with workers left alone and the standard pool.

A fresh process per run, rivals alternating. For fine-grained work the standard pool gets several sizes
and the best of them counts, by its median; ours gets the sizes of its own. For the other loads all have
the same size: there the question is whether anything is lost. Run with ``python -m bench.placement``.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from bench import alternate, quiet
from bench.contenders import STANDARD, SUREFOOT, SUREFOOT_KEPT, require_surefoot
from bench.environment import interpreter_name, usable_cores

OURS = (SUREFOOT, SUREFOOT_KEPT)
#: Where the best of the standard pool was ever seen, and where ours is to hold its bar.
SIZES_STANDARD = (4, 8, 16)
SIZES_OURS = (6, 8, 16)


@dataclass(frozen=True)
class Case:
    """One load at one size."""

    load: str
    workers: int

    def __str__(self) -> str:
        """Name it as in the table."""
        return f"{self.load} N={self.workers}"


#: Loads that are to lose nothing.
OTHERS = (Case("sha256", 8), Case("matmul", 8), Case("python", 4), Case("echo", 1), Case("turns", 8))

Rates = dict[tuple[str, str, str], list[float]]


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.placement", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-s", type=float, default=1.0, help="not counted, at the start of each run")
    parser.add_argument("--duration-s", type=float, default=2.0)
    parser.add_argument("--only", help="one load")
    arguments = parser.parse_args()
    require_surefoot()
    rates = measure(arguments.rounds, arguments.warm_s, arguments.duration_s, arguments.only)
    sys.stdout.write(table(rates))
    return 0


def measure(rounds: int, warm_s: float, duration_s: float, only: str | None) -> Rates:
    """Return rates by load with size, measure and pool, in the order measured."""
    rates: Rates = defaultdict(list)
    cores = usable_cores()[:2]
    fine = [(pool, Case("micro", size)) for pool in OURS for size in SIZES_OURS]
    fine += [(STANDARD, Case("micro", size)) for size in SIZES_STANDARD]
    others = [(pool, case) for case in OTHERS for pool in (STANDARD, *OURS)]
    runs = {f"{pool} {case}": (pool, case) for pool, case in fine + others if only in (None, case.load)}
    for turn in alternate.turns(list(runs), rounds):
        pool, case = runs[turn.pool]
        asked = {
            "pool_name": pool,
            "load": case.load,
            "workers": case.workers,
            "warm_s": warm_s,
            "duration_s": duration_s,
            "core_numbers": cores,
        }
        run = quiet.measure("bench.placement_run", asked)
        for measured, rate in run.measures.items():
            rates[str(case), measured, pool].append(rate)
        if not run.is_quiet:
            sys.stderr.write(f"{turn.pool}: others kept {run.others_cores:.2f} cores busy\n")
        sys.stderr.write(f"{turn.pool}: {run.measures}\n")
    return rates


def table(rates: Rates) -> str:
    """Render the medians, and their ratios to the standard pool's (for ``micro`` its best size's)."""
    medians = {key: median(values) for key, values in rates.items()}
    best = max(
        (rate for (case, _, pool), rate in medians.items() if pool == STANDARD and "micro " in case),
        default=None,
    )
    lines = [
        f"Python {interpreter_name()}, {len(usable_cores()[:2])} cores, medians of "
        f"{min(map(len, rates.values()), default=0)} runs; ratios to the standard pool.",
        "",
        "| load | measure | standard | left alone | kept | kept, lowest and highest run |",
        "|---|---|---|---|---|---|",
    ]
    for case, measured in dict.fromkeys((case, measured) for case, measured, _ in rates):
        standard = best if case.startswith("micro ") else medians[case, measured, STANDARD]
        assert standard
        alone, kept = (medians.get((case, measured, pool)) for pool in OURS)
        if alone is None or kept is None:
            continue
        runs = rates[case, measured, SUREFOOT_KEPT]
        lines.append(
            f"| {case} | {measured} | {standard:,.0f} | {alone / standard:.2f} | {kept / standard:.2f} "
            f"| {min(runs) / standard:.2f} to {max(runs) / standard:.2f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
