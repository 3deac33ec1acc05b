"""The saturation cliff: whether it is there, how deep, where, and of what it is made."""

from __future__ import annotations

import math
from functools import partial

from surefoot.evaluation import choice, words
from surefoot.evaluation.claims.claim import HOLDS, NOT, PART, Claim, Finding, decide, known
from surefoot.evaluation.curve import Curve
from surefoot.evaluation.estimate import Estimate
from surefoot.evaluation.reading import Evaluation
from surefoot.evaluation.runs import Runs


def static(evaluation: Evaluation, workload: str) -> dict[int, Runs]:
    """Return the sweeps of the standard pool by number of cores."""
    runs = choice.some(evaluation, "cliff", strategy="static", workload=workload)
    return dict(sorted(runs.by("cores").items()))


def one_and_most(evaluation: Evaluation, workload: str, *, is_most: bool) -> Runs:
    """Return the sweep on one core, or on the most that there are.

    Raises:
        NoRecordsError: There is no such sweep.
    """
    sweeps = static(evaluation, workload)
    if is_most:
        if max(sweeps) == 1:
            raise choice.NoRecordsError("only one core was measured")
        return sweeps[max(sweeps)]
    if 1 not in sweeps:
        raise choice.NoRecordsError("one core was not measured")
    return sweeps[1]


def shape(runs: Runs) -> Curve:
    """Return the curve of a sweep that has one.

    Raises:
        NoRecordsError: No task was done.
    """
    found = runs.curve()
    if found is None:
        raise choice.NoRecordsError("no task was done")
    return found


def loss(runs: Runs) -> Estimate:
    """Return what is lost at the most threads, of the best."""
    curve = shape(runs)
    last, best = runs.where(threads=curve.last.threads), runs.where(threads=curve.peak.threads)
    return known(last.ratio(best), "loss").less_than_one()


def cores(runs: Runs) -> str:
    """Return on how many cores, and that others were missing."""
    count = runs.first.cores
    said = "one core" if count == 1 else f"{count} cores"
    asked = max(run.cores_asked for run in runs)
    return f"{said} ({asked} were missing)" if asked > count else said


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
        measured=f"{cores(runs)}: {words.percent(lost)} lost at {curve.last.threads:,}, of the best at {curve.peak.threads}",
    )


def _peak(threads: int, is_most: bool, evaluation: Evaluation) -> Finding:
    runs = one_and_most(evaluation, "micro", is_most=is_most)
    curve = shape(runs)
    at = curve.at(threads)
    if at is None:
        raise choice.NoRecordsError(f"{threads} threads were not measured")
    share = known(runs.where(threads=threads).ratio(runs.where(threads=curve.peak.threads)), f"{threads} threads")
    return decide(
        holds=share.high >= 0.95,
        part=share.high >= 0.85,
        measured=f"{cores(runs)}: best {words.within(curve.peak.rate, '/s')} at {curve.peak.threads}; within 5 % of it: "
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
            for low, high in zip(beyond, beyond[1:], strict=False)
        ]
        if not steps or curve.loss <= 0:
            sharp.append(0.0)
            continue
        worst = max(steps)
        sharp.append(worst / curve.loss if curve.is_cliff else 0.0)
        said.append(
            f"{cores(runs)}: no doubling of threads beyond the best costs more than {100 * worst:.0f} % of it, all "
            f"{len(steps)} together {100 * curve.loss:.0f} %"
        )
    return decide(
        holds=all(each >= 0.7 for each in sharp), part=all(each >= 0.4 for each in sharp), measured="; ".join(said)
    )


def _where(evaluation: Evaluation) -> Finding:
    said, found = [], []
    for runs in static(evaluation, "micro").values():
        curve = shape(runs)
        beyond = [
            p.threads for p in curve.points
            if p.threads > curve.peak.threads and p.rate.value <= 0.8 * curve.peak.rate.value
        ]  # fmt: skip
        first = beyond[0] if beyond else None
        found.append(first)
        said.append(f"{cores(runs)}: " + (f"20 % are lost from {first:,} threads on" if first else "20 % are never lost"))
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


def _gil_is_the_cause(evaluation: Evaluation) -> Finding:
    runs = choice.every(evaluation, "free-threading", workload="micro", strategy="static")
    by_lock = runs.by(lambda run: run.interpreter.is_free_threaded)
    if set(by_lock) != {False, True}:
        raise choice.NoRecordsError("only one of the two builds was measured")
    locked, free = loss(by_lock[False]), loss(by_lock[True])
    return decide(
        holds=locked.value >= 0.2 and free.value < 0.1,
        part=locked.value >= 0.2 and free.value < 0.75 * locked.value,
        measured=f"lost at the most threads: {words.percent(locked)} with the GIL, {words.percent(free)} without",
    )


def _stated_rate(evaluation: Evaluation) -> Finding:
    best = [shape(runs).peak for runs in static(evaluation, "stated").values()]
    top = max(best, key=lambda point: point.rate.value)
    return decide(
        holds=top.rate.value >= 20_000, part=False,
        measured=f"the stated workload reaches {words.within(top.rate, '/s')} at best, with {top.threads} threads",
    )  # fmt: skip


def _hundred(evaluation: Evaluation) -> Finding:
    runs = choice.some(evaluation, "granularity", strategy="static")
    found = {key: each for key, each in _losses(runs).items() if each is not None}
    if len(found) < 2:
        raise choice.NoRecordsError("fine and coarse tasks were not both measured")
    values = [each.value for each in found.values()]
    said = "; ".join(f"{key}: {words.percent(each)}" for key, each in found.items())
    return decide(
        holds=max(values) - min(values) <= 0.1, part=min(values) >= 0.2, measured=f"lost at the most threads: {said}"
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
            f"{workload}, {cores(runs)}, 128 threads: {words.percent(rate)} of the best throughput, p99 {words.times(tail)} that at "
            f"the knee of {curve.knee.threads}"
        )
    return decide(
        holds=all(a and b for a, b in zip(loses, slow, strict=True)), part=any(loses) or any(slow), measured="; ".join(said)
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
            f"{cores(runs)}: a line in log N explains {100 * fit:.0f} % of the variance; beyond the peak it falls as "
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
        busy = [known(each.median("cores_busy"), "CPU time").value / runs.first.cores for each in (best, last)]
        switches = known(last.ratio(best, "switches_per_task"), "context switches")
        cpu_same.append(abs(busy[0] - busy[1]) <= 0.15)
        switches_same.append(switches.value < 2)
        said.append(
            f"{cores(runs)}: CPU use {100 * busy[0]:.0f} % at the best, {100 * busy[1]:.0f} % at {curve.last.threads:,}; context "
            f"switches for each task {words.times(switches)}"
        )
    return decide(
        holds=all(cpu_same) and all(switches_same), part=all(cpu_same) or all(switches_same), measured="; ".join(said)
    )


CLAIMS = (
    Claim(
        "cliff-exists", "Beyond an optimal number of threads, more threads lower throughput: the saturation cliff.",
        "abstract; 1.3; 4; 8",
        "Holds if `micro` on the standard pool loses at least 20 % of its best throughput at the most threads, on every number "
        "of cores measured; in part if on some.", _exists,
        {
            HOLDS: "Every thread that waits for the GIL wakes once per switch interval for nothing; thousands of them take the time.",
            PART: "The cliff depends on interpreter and cores.",
            NOT: "On this interpreter waiters cost less than they did.",
        },
    ),
    Claim(
        "cliff-loss-one-core", "Single core: 32.2 % throughput loss at 2048 threads.", "abstract; figure 1; 8",
        "Holds if at least 20 % is lost and the loss is within 10 points of 32.2 %; in part if at least 20 % is lost.",
        partial(_loss, 32.2, False),
        {
            HOLDS: "The workload behind the paper's figures, `micro`, does what the paper says on one core.",
            PART: "There is a cliff; how deep it is depends on interpreter and machine.",
            NOT: "On one core this interpreter loses little.",
        },
    ),
    Claim(
        "cliff-peak-one-core", "Single core: the peak is at 32 threads.", "abstract; 6.1",
        "Holds if 32 threads give 95 % of the best, by the upper end of the interval; in part if 85 %.", partial(_peak, 32, False),
        {
            HOLDS: "Near the peak the curve is flat: several sizes serve.",
            PART: "The peak is at fewer threads, and flat.",
            NOT: "The peak is elsewhere.",
        },
    ),
    Claim(
        "cliff-loss-quad-core", "Quad core: 33.3 % throughput loss at 2048 threads.", "abstract; figure 1; 8",
        "As for one core, on the most cores that the machine has.", partial(_loss, 33.3, True),
        {
            HOLDS: "Several cores lose about as much.",
            PART: "There is a cliff; how deep it is depends on interpreter and machine.",
            NOT: "With several cores the best is low already, so that less is left to lose.",
        },
    ),
    Claim(
        "cliff-peak-quad-core", "Quad core: the peak is at 64 threads.", "abstract; 6.1",
        "Likewise with 64 threads, on the most cores that the machine has.", partial(_peak, 64, True),
        {
            HOLDS: "Near the peak the curve is flat: several sizes serve.",
            PART: "The peak is at fewer threads.",
            NOT: "The peak is at far fewer threads.",
        },
    ),
    Claim(
        "cliff-alike", "Single core and quad core suffer about the same degradation, 33 %.", "4; 8",
        "Holds if both lose at least 20 % and the losses are within 10 points of each other; in part if both lose at least 20 %.", _alike,
        {NOT: "The number of cores decides how much is lost.", PART: "Both lose, not alike."},
    ),
    Claim(
        "cliff-persists", "The cliff persists on multi core hardware.", "abstract; 1.4; 4",
        "Holds if `micro` loses at least 20 % on the most cores measured; in part if at least 10 %.", _persists,
        {HOLDS: "One lock, however many cores.", NOT: "With several cores the loss is already there at few threads: see the paradox."},
    ),
    Claim(
        "cliff-sharp", "The degradation is sharp and non-linear: a critical thread count beyond which performance collapses.",
        "abstract; 1.3", "Holds if one doubling of threads accounts for at least 70 % of the loss; in part if for at least 40 %.", _is_sharp,
        {
            NOT: "It is a slope, spread over many doublings: waiters cost in proportion to their number.",
            PART: "Part of it comes at once.",
        },
    ),
    Claim(
        "cliff-extremely-high", "The cliff manifests at extremely high thread counts.", "1.4; 3.2",
        "Holds if 20 % are lost only from 1,024 threads on, on every number of cores; in part if from 128 on, on any.", _where,
        {NOT: "20 % are lost much earlier, or never."},
    ),
    Claim(
        "cliff-io-linear", "Pure I/O scales linearly.", "figure 1",
        "Holds if pure I/O at the most threads has at least 90 % of as many times the throughput of one thread; in part if at 64.", _io_is_linear,
        {
            PART: "It does for hundreds of threads; then starting, waking and handing over so many uses up the interpreter.",
            HOLDS: "Sleepers do not need the interpreter.",
        },
    ),
    Claim(
        "cliff-gil-cause", "That pure I/O scales confirms that the GIL is the bottleneck.", "figure 1; 1.3",
        "Holds if `micro` has a cliff with the GIL and loses less than 10 % without it; in part if it loses less than three quarters as "
        "much without it.", _gil_is_the_cause,
        {
            NOT: "Without the GIL the same threads lose as much: wake-ups and the allocator's and queue's locks suffice.",
            PART: "The GIL is a part of it; the rest is what so many threads cost anyway.",
            HOLDS: "Without the lock there is no cliff.",
        },
    ),
    Claim(
        "cliff-stated", "The figures come from tasks of 10 ms CPU and 50 ms I/O, which reach 24,500 to 37,400 TPS.", "3.1; 6.2",
        "Holds if the stated workload reaches 20,000 tasks/s anywhere.", _stated_rate,
        {NOT: "10 ms under one lock cap throughput at 100 tasks/s. The paper's figures come from another workload, `micro`: 1,000 "
              "additions and a sleep of 0.1 ms."},
    ),
    Claim(
        "cliff-hundred", "100 iterations in a task (to amortise measurement overhead) show the same.", "3.1",
        "Holds if the losses of fine and coarse tasks are within 10 points of each other; in part if both lose at least 20 %.", _hundred,
        {NOT: "The loss depends on how long a task is.", HOLDS: "How much work is put into one task matters little here."},
    ),
    Claim(
        "cliff-prescription", "Pools of 50 to 200 threads, as commonly prescribed, are wrong for mixed workloads.", "1.1",
        "Holds if 128 threads lose at least 10 % of throughput and have at least three times the p99 of the knee, on `micro` and "
        "`stated`; in part if anything of that.", _prescription,
        {
            PART: "Throughput hardly suffers where tasks are long; tail latency always does.",
            HOLDS: "They cost throughput and latency.",
        },
    ),
    Claim(
        "cliff-logarithmic", "Efficiency per thread degrades logarithmically.", "figure 3",
        "Holds if a straight line against log N explains 95 % of the variance of tasks/s per thread; in part if 80 %.", _logarithmic,
        {
            NOT: "Beyond the knee throughput is about constant, so that each thread's part falls as 1/N: a power, not a logarithm.",
            PART: "Beyond the knee throughput is about constant, so that each thread's part falls as 1/N: a power, not a logarithm.",
        },
    ),
    Claim(
        "cliff-invisible", "Standard monitoring does not show it: CPU utilization, load and memory appear normal.", "1.3",
        "Holds if CPU use at the most threads is within 15 points of that at the best, and context switches for each task are less than "
        "doubled; in part if one of the two.", _is_invisible,
        {
            HOLDS: "Neither CPU use nor context switches tell.",
            PART: "One of CPU use and context switches for each task tells; any system shows both.",
            NOT: "Both CPU use and context switches for each task tell.",
        },
    ),
)  # fmt: skip
"""Claims about the cliff."""
