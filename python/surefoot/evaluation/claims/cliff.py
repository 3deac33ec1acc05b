"""The saturation cliff: whether it is there, how deep, where."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING

from surefoot.evaluation import choice, words
from surefoot.evaluation.claims.claim import HOLDS, NOT, PART, Claim, Finding, decide, known
from surefoot.evaluation.claims.sweeps import cores, loss, one_and_most, shape, static

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation


def _exists(evaluation: Evaluation) -> Finding:
    found = {count: (shape(runs), loss(runs)) for count, runs in static(evaluation, "micro").items()}
    said = "; ".join(
        f"{cores(runs)}: {words.percent(found[count][1])} lost at {found[count][0].last.threads:,}"
        for count, runs in static(evaluation, "micro").items()
    )
    cliffs = [curve.is_cliff for curve, _ in found.values()]
    return decide(holds=all(cliffs), part=any(cliffs), measured=said)


def _loss(paper_percent: float, is_most: bool, evaluation: Evaluation) -> Finding:
    runs = one_and_most(evaluation, "micro", is_most=is_most)
    lost, curve = loss(runs), shape(runs)
    return decide(
        holds=curve.is_cliff and abs(100 * lost.value - paper_percent) <= 10,
        part=curve.is_cliff,
        measured=f"{cores(runs)}: {words.percent(lost)} lost at {curve.last.threads:,}, of the best at "
        f"{curve.peak.threads}",
    )


def _peak(threads: int, is_most: bool, evaluation: Evaluation) -> Finding:
    runs = one_and_most(evaluation, "micro", is_most=is_most)
    curve = shape(runs)
    at = curve.at(threads)
    if at is None:
        raise choice.NoRecordsError(f"{threads} threads were not measured")
    share = known(
        runs.where(threads=threads).ratio(runs.where(threads=curve.peak.threads)), f"{threads} threads"
    )
    return decide(
        holds=share.high >= 0.95,
        part=share.high >= 0.85,
        measured=f"{cores(runs)}: best {words.within(curve.peak.rate, '/s')} at {curve.peak.threads}; "
        "within 5 % of it: "
        f"{words.threads(curve.plateau())}; {threads} threads give {words.percent(share)}",
    )


def _alike(evaluation: Evaluation) -> Finding:
    one, most = (one_and_most(evaluation, "micro", is_most=is_most) for is_most in (False, True))
    first, second = loss(one), loss(most)
    apart = abs(first.value - second.value)
    return decide(
        holds=min(first.value, second.value) >= 0.2 and apart <= 0.1,
        part=min(first.value, second.value) >= 0.2,
        measured=f"{cores(one)}: {words.percent(first)}; {cores(most)}: {words.percent(second)}",
    )


def _persists(evaluation: Evaluation) -> Finding:
    runs = one_and_most(evaluation, "micro", is_most=True)
    lost = loss(runs)
    return decide(
        holds=lost.value >= 0.2, part=lost.value >= 0.1, measured=f"{cores(runs)}: {words.percent(lost)} lost"
    )


def _is_sharp(evaluation: Evaluation) -> Finding:
    said, sharp = [], []
    for runs in static(evaluation, "micro").values():
        curve = shape(runs)
        beyond = [point for point in curve.points if point.threads >= curve.peak.threads]
        steps = [
            (low.rate.value - high.rate.value) / curve.peak.rate.value
            for low, high in itertools.pairwise(beyond)
        ]
        if not steps or curve.loss <= 0:
            sharp.append(0.0)
            continue
        worst = max(steps)
        sharp.append(worst / curve.loss if curve.is_cliff else 0.0)
        said.append(
            f"{cores(runs)}: no doubling of threads beyond the best costs more than {100 * worst:.0f} % of "
            "it, all "
            f"{len(steps)} together {100 * curve.loss:.0f} %"
        )
    return decide(
        holds=all(each >= 0.7 for each in sharp),
        part=all(each >= 0.4 for each in sharp),
        measured="; ".join(said),
    )


def _where(evaluation: Evaluation) -> Finding:
    said, found = [], []
    for runs in static(evaluation, "micro").values():
        curve = shape(runs)
        beyond = [
            p.threads
            for p in curve.points
            if p.threads > curve.peak.threads and p.rate.value <= 0.8 * curve.peak.rate.value
        ]
        first = beyond[0] if beyond else None
        found.append(first)
        said.append(
            f"{cores(runs)}: "
            + (f"20 % are lost from {first:,} threads on" if first else "20 % are never lost")
        )
    return decide(
        holds=all(first is not None and first >= 1024 for first in found),
        part=any(first is not None and first >= 128 for first in found),
        measured="; ".join(said),
    )


def _io_is_linear(evaluation: Evaluation) -> Finding:
    runs = next(iter(static(evaluation, "io").values()))
    one = runs.where(threads=1)
    shares = {}
    for threads in (64, 256, 2048):
        each = runs.where(threads=threads).ratio(one)
        if each is not None:
            shares[threads] = each.times(1 / threads)
    if 64 not in shares:
        raise choice.NoRecordsError("pure I/O with 1 and 64 threads was not measured")
    last = shares[max(shares)]
    said = ", ".join(f"{words.percent(each)} at {threads:,}" for threads, each in shares.items())
    return decide(
        holds=last.value >= 0.9, part=shares[64].value >= 0.9, measured=f"{cores(runs)}; of linear: {said}"
    )


CLAIMS = (
    Claim(
        "cliff-exists",
        "Beyond an optimal number of threads, more threads lower throughput: the saturation cliff.",
        "abstract; 1.3; 4; 8",
        "Holds if `micro` on the standard pool loses at least 20 % of its best throughput at the most "
        "threads, on every number "
        "of cores measured; in part if on some.",
        _exists,
        {
            HOLDS: "Every thread that waits for the GIL wakes once per switch interval for nothing; "
            "thousands of them take the time.",
            PART: "The cliff depends on interpreter and cores.",
            NOT: "On this interpreter waiters cost less than they did.",
        },
    ),
    Claim(
        "cliff-loss-one-core",
        "Single core: 32.2 % throughput loss at 2048 threads.",
        "abstract; figure 1; 8",
        "Holds if at least 20 % is lost and the loss is within 10 points of 32.2 %; in part if at least 20 "
        "% is lost.",
        partial(_loss, 32.2, False),
        {
            HOLDS: "The workload behind the paper's figures, `micro`, does what the paper says on one core.",
            PART: "There is a cliff; how deep it is depends on interpreter and machine.",
            NOT: "On one core this interpreter loses little.",
        },
    ),
    Claim(
        "cliff-peak-one-core",
        "Single core: the peak is at 32 threads.",
        "abstract; 6.1",
        "Holds if 32 threads give 95 % of the best, by the upper end of the interval; in part if 85 %.",
        partial(_peak, 32, False),
        {
            HOLDS: "Near the peak the curve is flat: several sizes serve.",
            PART: "The peak is at fewer threads, and flat.",
            NOT: "The peak is elsewhere.",
        },
    ),
    Claim(
        "cliff-loss-quad-core",
        "Quad core: 33.3 % throughput loss at 2048 threads.",
        "abstract; figure 1; 8",
        "As for one core, on the most cores that the machine has.",
        partial(_loss, 33.3, True),
        {
            HOLDS: "Several cores lose about as much.",
            PART: "There is a cliff; how deep it is depends on interpreter and machine.",
            NOT: "With several cores the best is low already, so that less is left to lose.",
        },
    ),
    Claim(
        "cliff-peak-quad-core",
        "Quad core: the peak is at 64 threads.",
        "abstract; 6.1",
        "Likewise with 64 threads, on the most cores that the machine has.",
        partial(_peak, 64, True),
        {
            HOLDS: "Near the peak the curve is flat: several sizes serve.",
            PART: "The peak is at fewer threads.",
            NOT: "The peak is at far fewer threads.",
        },
    ),
    Claim(
        "cliff-alike",
        "Single core and quad core suffer about the same degradation, 32 to 33 %.",
        "4; 8",
        "Holds if both lose at least 20 % and the losses are within 10 points of each other; in part if "
        "both lose at least 20 %.",
        _alike,
        {NOT: "The number of cores decides how much is lost.", PART: "Both lose, not alike."},
    ),
    Claim(
        "cliff-persists",
        "The cliff persists on multi core hardware.",
        "abstract; 1.4; 4",
        "Holds if `micro` loses at least 20 % on the most cores measured; in part if at least 10 %.",
        _persists,
        {
            HOLDS: "One lock, however many cores.",
            NOT: "With several cores the loss is already there at few threads: see the paradox.",
        },
    ),
    Claim(
        "cliff-sharp",
        "The degradation is sharp and non-linear: a critical thread count beyond which performance "
        "collapses.",
        "abstract; 1.3",
        "Holds if one doubling of threads accounts for at least 70 % of the loss; in part if for at least "
        "40 %.",
        _is_sharp,
        {
            NOT: "It is a slope, spread over many doublings: waiters cost in proportion to their number.",
            PART: "Part of it comes at once.",
        },
    ),
    Claim(
        "cliff-extremely-high",
        "The cliff manifests at extremely high thread counts.",
        "1.4; 3.2",
        "Holds if 20 % are lost only from 1,024 threads on, on every number of cores; in part if from 128 "
        "on, on any.",
        _where,
        {NOT: "20 % are lost much earlier, or never."},
    ),
    Claim(
        "cliff-io-linear",
        "Pure I/O scales linearly.",
        "figure 1",
        "Holds if pure I/O at the most threads has at least 90 % of as many times the throughput of one "
        "thread; in part if at 64.",
        _io_is_linear,
        {
            PART: "It does for hundreds of threads; then starting, waking and handing over so many uses up "
            "the interpreter.",
            HOLDS: "Sleepers do not need the interpreter.",
        },
    ),
)
"""Claims about the cliff's shape."""
