"""Tail latency: how much it grows, and the paper's SLA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.evaluation import choice, words
from surefoot.evaluation.claims.claim import HOLDS, NOT, PART, Claim, Finding, decide, known
from surefoot.evaluation.claims.sweeps import cores, shape, static

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation

OPTIMAL = {1: 32}
"""The paper's optimum by cores; 64 where there are several."""


def _explosion(evaluation: Evaluation) -> Finding:
    said, factors = [], []
    for count, runs in static(evaluation, "micro").items():
        size = OPTIMAL.get(count, 64)
        last, knee = shape(runs).last.threads, shape(runs).knee.threads
        factor = known(
            runs.where(threads=last).ratio(runs.where(threads=size), "wall_ms_p99"),
            f"p99 at {size} and {last}",
        )
        from_knee = known(runs.where(threads=last).ratio(runs.where(threads=knee), "wall_ms_p99"), "p99")
        factors.append(factor.value)
        said.append(
            f"{cores(runs)}, p99 at {last:,}: {words.times(factor)} that at {size}, "
            f"{words.times(from_knee)} that at the knee of {knee}"
        )
    return decide(
        holds=all(45 <= factor <= 180 for factor in factors),
        part=all(factor >= 10 for factor in factors),
        measured="; ".join(said),
    )


def _sla(evaluation: Evaluation) -> Finding:
    said, values = [], []
    for runs in static(evaluation, "micro").values():
        tail = runs.where(threads=1024).median("wall_ms_p99")
        if tail is None:
            raise choice.NoRecordsError("1,024 threads were not measured")
        values.append(tail.value)
        said.append(f"{cores(runs)}: p99 {words.within(tail, ' ms')}")
    return decide(
        holds=all(15 <= value <= 60 for value in values),
        part=all(value > 10 for value in values),
        measured="; ".join(said),
    )


CLAIMS = (
    Claim(
        "latency-90x",
        "P99 latency increases 90x from optimal to over-provisioned configurations.",
        "abstract; figure 2",
        "p99 of `micro` at 2,048 threads over that at the paper's optimum (32 on one core, 64 on several). "
        "Holds if the factor is 45 to 180 on "
        "every number of cores; in part if at least 10 on every one.",
        _explosion,
        {
            HOLDS: "With N threads on one lock, a task waits for N others.",
            PART: "Latency explodes, by another factor: with N threads on one lock, a task waits for about "
            "N others, and the factor is "
            "about how many times more threads there are.",
            NOT: "Time inside a task grows less than the number of threads.",
        },
    ),
    Claim(
        "latency-sla",
        "At 1024 threads, latency exceeds the 10 ms SLA threshold by 3x.",
        "figure 2",
        "Holds if p99 of `micro` at 1,024 threads is 15 to 60 ms on every number of cores; in part if above "
        "10 ms on every one.",
        _sla,
        {
            PART: "The SLA is missed by far more.",
            NOT: "The SLA is met.",
        },
    ),
)
"""Claims about latency."""
