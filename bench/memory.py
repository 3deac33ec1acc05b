"""Memory: an idle worker, and a task that waits in the queue.

A fresh process per reading, rivals alternating. Run alone with ``python -m bench.memory``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench import alternate, child, contenders
from bench.environment import interpreter_name
from bench.experiment import Plan, main
from bench.records import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "memory"
ROUNDS_FULL = 9
ROUNDS_QUICK = 5
#: Case by case, what is held fixed.
CASES: tuple[tuple[str, dict[str, int]], ...] = (
    ("idle worker of 64", {"workers": 64}),
    ("idle worker of 256", {"workers": 256}),
    ("queued task", {"tasks": 50_000}),
)


def run(plan: Plan) -> Iterator[Sample]:
    """Yield the samples, case by case, in the order measured."""
    rivals = contenders.rivals(self_check=plan.self_check)
    rounds = plan.rounds or (ROUNDS_QUICK if plan.quick else ROUNDS_FULL)
    for case, conditions in CASES:
        for turn in alternate.turns(rivals, rounds):
            yield Sample(
                experiment=NAME,
                case=case,
                pool=turn.pool,
                round=turn.round,
                position=turn.position,
                conditions=conditions,
                measures=child.measure("bench.memory_run", {"pool": turn.pool, **conditions}),
                interpreter=interpreter_name(),
            )


if __name__ == "__main__":
    sys.exit(main(NAME, run))
