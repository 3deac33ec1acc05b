"""The paper's ``micro`` workload over the number of workers, on one core and on two.

A fresh process per run, cores set by affinity, rivals alternating. A round visits every number of
workers once, so that a slow minute of the machine touches all of them. All workers run before the clock
does, except in one more case at the greatest number, which starts cold. Run alone with
``python -m bench.micro``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench import alternate, child, contenders
from bench.environment import interpreter_name, usable_cores
from bench.experiment import Plan, main
from bench.records import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "micro"
WORKERS_FULL = (1, 4, 8, 16, 32, 64, 256)
#: The best of every pool seen so far lies between 8 and 64.
WORKERS_QUICK = (8, 16, 32)
#: Shows the cliff. In quick mode on two cores only, where it has a bar: a standard pool is slow there.
WORKERS_CLIFF = 2048
CORES = (1, 2)
TASKS_FULL = 20_000  # the paper's number
TASKS_QUICK = 8_000
ROUNDS_FULL = 5
#: The p99 at N=8 on two cores differs by half between equal pools in one run: hence not fewer.
ROUNDS_QUICK = 5


def run(plan: Plan) -> Iterator[Sample]:
    """Yield the samples of each round: cores, then workers, then rivals."""
    rivals = contenders.rivals(self_check=plan.self_check)
    available = usable_cores()
    for number in range(plan.rounds or (ROUNDS_QUICK if plan.quick else ROUNDS_FULL)):
        for cores in CORES:
            if cores > len(available):
                continue  # A missing row says so; the rest still runs.
            for conditions in _visits(cores, quick=plan.quick):
                for turn in alternate.turns(rivals, 1, first_round=number):
                    yield _sample(turn, available[:cores], conditions)


def _visits(cores: int, *, quick: bool) -> Iterator[dict[str, int]]:
    fixed = {"tasks": TASKS_QUICK if quick else TASKS_FULL, "cores": cores}
    for workers in WORKERS_QUICK if quick else WORKERS_FULL:
        yield {"workers": workers, **fixed, "started": 1}
    if cores > 1 or not quick:
        yield {"workers": WORKERS_CLIFF, **fixed, "started": 1}
        yield {"workers": WORKERS_CLIFF, **fixed, "started": 0}


def _sample(turn: alternate.Turn, core_numbers: list[int], conditions: dict[str, int]) -> Sample:
    asked = {"pool": turn.pool, "core_numbers": core_numbers, **conditions}
    cold = "" if conditions["started"] else " cold"
    return Sample(
        experiment=NAME,
        case=f"cores={conditions['cores']} N={conditions['workers']}{cold}",
        pool=turn.pool,
        round=turn.round,
        position=turn.position,
        conditions=conditions,
        measures=child.measure("bench.micro_run", asked),
        interpreter=interpreter_name(),
    )


if __name__ == "__main__":
    sys.exit(main(NAME, run))
