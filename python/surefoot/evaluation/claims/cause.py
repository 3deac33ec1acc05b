"""What the cliff is made of, and what it depends on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from surefoot.evaluation import choice, words
from surefoot.evaluation.claims.claim import HOLDS, NOT, PART, Claim, Finding, decide, known
from surefoot.evaluation.claims.sweeps import cores, loss, shape, static

if TYPE_CHECKING:
    from surefoot.evaluation.estimate import Estimate
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs


def _gil_is_the_cause(evaluation: Evaluation) -> Finding:
    runs = choice.every(evaluation, "free-threading", workload="micro", strategy="static")
    by_lock = runs.by(lambda run: run.interpreter.is_free_threaded)
    if set(by_lock) != {False, True}:
        raise choice.NoRecordsError("only one of the two builds was measured")
    locked, free = loss(by_lock[False]), loss(by_lock[True])
    return decide(
        holds=locked.value >= 0.2 and free.value < 0.1,
        part=locked.value >= 0.2 and free.value < 0.75 * locked.value,
        measured=f"lost at the most threads: {words.percent(locked)} with the GIL, {words.percent(free)} "
        "without",
    )


def _stated_rate(evaluation: Evaluation) -> Finding:
    best = [shape(runs).peak for runs in static(evaluation, "stated").values()]
    top = max(best, key=lambda point: point.rate.value)
    return decide(
        holds=top.rate.value >= 20_000,
        part=False,
        measured=f"the stated workload reaches {words.within(top.rate, '/s')} at best, with {top.threads} "
        "threads",
    )


def _hundred(evaluation: Evaluation) -> Finding:
    runs = choice.some(evaluation, "granularity", strategy="static")
    found = {key: each for key, each in _losses(runs).items() if each is not None}
    if len(found) < 2:
        raise choice.NoRecordsError("fine and coarse tasks were not both measured")
    values = [each.value for each in found.values()]
    said = "; ".join(f"{key}: {words.percent(each)}" for key, each in found.items())
    return decide(
        holds=max(values) - min(values) <= 0.1,
        part=min(values) >= 0.2,
        measured=f"lost at the most threads: {said}",
    )


def _losses(runs: Runs) -> dict[str, Estimate]:
    def name(run: object) -> str:
        given = getattr(run, "parameters", {})
        more = ", ".join(f"{key} {value}" for key, value in given.items())
        return f"{getattr(run, 'workload', '')}{f' ({more})' if more else ''}"

    return {key: loss(own) for key, own in runs.by(name).items()}


def _prescription(evaluation: Evaluation) -> Finding:
    said, loses, slow = [], [], []
    for workload in ("micro", "stated"):
        runs = max(static(evaluation, workload).items())[1]
        curve = shape(runs)
        at, knee = runs.where(threads=128), runs.where(threads=curve.knee.threads)
        rate = known(at.ratio(runs.where(threads=curve.peak.threads)), "128 threads")
        tail = known(at.ratio(knee, "wall_ms_p99"), "p99")
        loses.append(rate.value <= 0.9)
        slow.append(tail.value >= 3)
        said.append(
            f"{workload}, {cores(runs)}, 128 threads: {words.percent(rate)} of the best throughput, p99 "
            f"{words.times(tail)} that at "
            f"the knee of {curve.knee.threads}"
        )
    return decide(
        holds=all(a and b for a, b in zip(loses, slow, strict=True)),
        part=any(loses) or any(slow),
        measured="; ".join(said),
    )


def _logarithmic(evaluation: Evaluation) -> Finding:
    said, fits = [], []
    for runs in static(evaluation, "micro").values():
        points = [(math.log2(p.threads), p.rate.value / p.threads) for p in shape(runs).points]
        fit = _fit(points)
        beyond = [(x, math.log2(y)) for x, y in points if 2**x >= shape(runs).peak.threads]
        power = _slope(beyond) if len(beyond) > 1 else math.nan
        fits.append(fit)
        said.append(
            f"{cores(runs)}: a line in log N explains {100 * fit:.0f} % of the variance; beyond the peak it "
            "falls as "
            f"N^{power:.2f}".replace("-", words.MINUS)
        )
    return decide(
        holds=all(fit >= 0.95 for fit in fits), part=all(fit >= 0.8 for fit in fits), measured="; ".join(said)
    )


def _slope(points: list[tuple[float, float]]) -> float:
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def _fit(points: list[tuple[float, float]]) -> float:
    """Return the share of variance that the least-squares line explains."""
    slope = _slope(points)
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    whole = sum((y - mean_y) ** 2 for _, y in points)
    return 1 - rest / whole if whole > 0 else 0.0


def _is_invisible(evaluation: Evaluation) -> Finding:
    said, cpu_same, switches_same = [], [], []
    for runs in static(evaluation, "micro").values():
        curve = shape(runs)
        best, last = runs.where(threads=curve.peak.threads), runs.where(threads=curve.last.threads)
        busy = [
            known(each.median("cores_busy"), "CPU time").value / runs.first.cores for each in (best, last)
        ]
        switches = known(last.ratio(best, "switches_per_task"), "context switches")
        cpu_same.append(abs(busy[0] - busy[1]) <= 0.15)
        switches_same.append(switches.value < 2)
        said.append(
            f"{cores(runs)}: CPU use {100 * busy[0]:.0f} % at the best, {100 * busy[1]:.0f} % at "
            f"{curve.last.threads:,}; context "
            f"switches for each task {words.times(switches)}"
        )
    return decide(
        holds=all(cpu_same) and all(switches_same),
        part=all(cpu_same) or all(switches_same),
        measured="; ".join(said),
    )


CLAIMS = (
    Claim(
        "cliff-gil-cause",
        "That pure I/O scales confirms that the GIL is the bottleneck.",
        "figure 1; 1.3",
        "Holds if `micro` has a cliff with the GIL and loses less than 10 % without it; in part if it loses "
        "less than three quarters as "
        "much without it.",
        _gil_is_the_cause,
        {
            NOT: "Without the GIL the same threads lose as much: wake-ups and the allocator's and queue's "
            "locks suffice.",
            PART: "The GIL is a part of it; the rest is what so many threads cost anyway.",
            HOLDS: "Without the lock there is no cliff.",
        },
    ),
    Claim(
        "cliff-stated",
        "The figures come from tasks of 10 ms CPU and 50 ms I/O, which reach 24,500 to 37,400 TPS.",
        "3.1; 6.2",
        "Holds if the stated workload reaches 20,000 tasks/s anywhere.",
        _stated_rate,
        {
            NOT: "10 ms under one lock cap throughput at 100 tasks/s. The paper's figures come from another "
            "workload, `micro`: 1,000 "
            "additions and a sleep of 0.1 ms."
        },
    ),
    Claim(
        "cliff-hundred",
        "100 iterations in a task (to amortise measurement overhead) show the same.",
        "3.1",
        "Holds if the losses of fine and coarse tasks are within 10 points of each other; in part if both "
        "lose at least 20 %.",
        _hundred,
        {
            NOT: "The loss depends on how long a task is.",
            HOLDS: "How much work is put into one task matters little here.",
        },
    ),
    Claim(
        "cliff-prescription",
        "Pools of 50 to 200 threads, as commonly prescribed, are wrong for mixed workloads.",
        "1.1",
        "Holds if 128 threads lose at least 10 % of throughput and have at least three times the p99 of the "
        "knee, on `micro` and "
        "`stated`; in part if anything of that.",
        _prescription,
        {
            PART: "Throughput hardly suffers where tasks are long; tail latency always does.",
            HOLDS: "They cost throughput and latency.",
        },
    ),
    Claim(
        "cliff-logarithmic",
        "Efficiency per thread degrades logarithmically.",
        "figure 3",
        "Holds if a straight line against log N explains 95 % of the variance of tasks/s per thread; in "
        "part if 80 %.",
        _logarithmic,
        {
            NOT: "Beyond the knee throughput is about constant, so that each thread's part falls as 1/N: a "
            "power, not a logarithm.",
            PART: "Beyond the knee throughput is about constant, so that each thread's part falls as 1/N: a "
            "power, not a logarithm.",
        },
    ),
    Claim(
        "cliff-invisible",
        "Standard monitoring does not show it: CPU utilization, load and memory appear normal.",
        "1.3",
        "Holds if CPU use at the most threads is within 15 points of that at the best, and context switches "
        "for each task are less than "
        "doubled; in part if one of the two.",
        _is_invisible,
        {
            HOLDS: "Neither CPU use nor context switches tell.",
            PART: "One of CPU use and context switches for each task tells; any system shows both.",
            NOT: "Both CPU use and context switches for each task tell.",
        },
    ),
)
"""Claims about the cliff's causes."""
