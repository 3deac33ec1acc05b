"""Overhead: what the pool itself costs per task, with no-op tasks and 8 workers on all cores.

Both pools alternate in one process; every sample has a fresh pool whose workers run before the clock
does. Run alone with ``python -m bench.overhead``.
"""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

from bench import alternate, contenders
from bench.environment import interpreter_name
from bench.experiment import Plan, main
from bench.noop_cases import CASES, WORKERS, Case
from bench.records import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "overhead"
ROUNDS_QUICK = 7
ROUNDS_FULL = 21


def run(plan: Plan) -> Iterator[Sample]:
    """Yield the samples, case by case, in the order measured."""
    rivals = contenders.rivals(self_check=plan.self_check)
    rounds = plan.rounds or (ROUNDS_QUICK if plan.quick else ROUNDS_FULL)
    for case in CASES:
        for pool in rivals:  # Not recorded: the first pass pays for imports and specialisation.
            _sample(case, pool)
        for turn in alternate.turns(rivals, rounds * case.rounds_factor):
            elapsed_ns = _sample(case, turn.pool)
            yield Sample(
                experiment=NAME,
                case=case.name,
                pool=turn.pool,
                round=turn.round,
                position=turn.position,
                conditions={"workers": WORKERS, "tasks": case.tasks},
                measures={case.metric: case.measure(elapsed_ns), "elapsed_ns": elapsed_ns},
                interpreter=interpreter_name(),
            )


def _sample(case: Case, pool_name: str) -> int:
    with contenders.make_pool(pool_name, WORKERS) as pool:
        contenders.start_all_workers(pool, WORKERS)
        gc.collect()
        elapsed_ns = case.loop(pool, case.tasks)
    return elapsed_ns


if __name__ == "__main__":
    sys.exit(main(NAME, run))
