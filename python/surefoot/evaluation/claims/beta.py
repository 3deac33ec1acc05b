"""Beta, the blocking ratio, and the veto that is built on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.evaluation import choice, contest, words
from surefoot.evaluation.claims.claim import HOLDS, NOT, PART, Claim, Finding, decide, known
from surefoot.evaluation.claims.sweeps import shape
from surefoot.evaluation.figures.shares import CONSTANT, THRESHOLD, beta
from surefoot.evaluation.figures.threshold import threshold_of

if TYPE_CHECKING:
    from surefoot.evaluation.estimate import Estimate
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs


def _shares(evaluation: Evaluation, workload: str) -> dict[int, Runs]:
    runs = choice.some(evaluation, "shares", strategy=CONSTANT, workload=workload)
    return dict(sorted(runs.where(threads=lambda n: n is not None).by("threads").items()))


def _betas(evaluation: Evaluation, workload: str) -> dict[int, Estimate]:
    return {
        threads: known(runs.median(beta), "beta") for threads, runs in _shares(evaluation, workload).items()
    }


def _few(found: dict[int, Estimate]) -> str:
    sizes = list(found)
    chosen = sorted({sizes[0], *(n for n in (2, 4, 32) if n in found), sizes[-1]})
    return ", ".join(f"{found[n].value:.2f} at {n}" for n in chosen)


def _high_is_safe(evaluation: Evaluation) -> Finding:
    said, counter = [], []
    for workload in ("micro", "stated", "cpu"):
        sizes = _shares(evaluation, workload)
        blind = [
            (low, known(sizes[low].median(beta), "beta").value)
            for low, high in zip(sizes, list(sizes)[1:], strict=False)
            if known(sizes[low].median(beta), "beta").value >= 0.9
            and known(sizes[high].ratio(sizes[low]), "throughput").value < 1.05
        ]
        counter.append(bool(blind))
        if blind:
            said.append(
                f"{workload}: beta {blind[0][1]:.2f} with {blind[0][0]} threads, and doubling them brings "
                "less than 5 %"
            )
        else:
            said.append(f"{workload}: no such size")
    return decide(holds=not any(counter), part=not all(counter), measured="; ".join(said))


def _low_when_bound(evaluation: Evaluation) -> Finding:
    found = {threads: each for threads, each in _betas(evaluation, "cpu").items() if threads >= 2}
    if not found:
        raise choice.NoRecordsError("pure CPU with several threads was not measured")
    low = [each.value <= THRESHOLD for each in found.values()]
    return decide(
        holds=all(low),
        part=sum(low) >= len(low) / 2,
        measured=f"pure CPU, no I/O at all: beta {_few(_betas(evaluation, 'cpu'))} threads",
    )


def _identifies(evaluation: Evaluation) -> Finding:
    said, falls = [], []
    for workload in ("micro", "stated", "cpu"):
        found = _betas(evaluation, workload)
        sizes = list(found)
        falls.append(found[sizes[-1]].value <= found[sizes[0]].value - 0.1)
        said.append(f"{workload}: {_few(found)}")
    return decide(holds=all(falls), part=any(falls), measured=f"beta by threads: {'; '.join(said)}")


def _fights(evaluation: Evaluation) -> Finding:
    said, more = [], []
    for workload in ("micro", "stated", "cpu"):
        sizes = _shares(evaluation, workload)
        most = max(sizes)
        gil = known(sizes[most].median(lambda run: run.measurement.shares.get("gil")), "the GIL's share")
        cpu = known(sizes[most].median(lambda run: run.measurement.shares.get("cpu")), "the CPU's share")
        more.append(gil.value > cpu.value)
        said.append(
            f"{workload}, {most} threads: {100 * gil.value:.0f} % waiting for the GIL, "
            f"{100 * cpu.value:.0f} % computing"
        )
    return decide(holds=all(more), part=any(more), measured="; ".join(said))


def _clamps(evaluation: Evaluation) -> Finding:
    said, clamped = [], []
    runs = choice.some(evaluation, "timelines", strategy="paper", workload="stated")
    sizes = choice.some(evaluation, "solutions", strategy="static", workload="stated", phase="sweep")
    knee = shape(sizes).knee.threads
    limit = known(runs.median("limit"), "the limit")
    vetoes = known(runs.median(lambda run: run.measurement.vetoes.get("gil", 0)), "vetoes")
    clamped.append(limit.value <= 2 * knee and vetoes.value > 0)
    said.append(f"stated: limit {words.within(limit)} at the end, knee {knee}, vetoes {vetoes.value:g}")
    for workload in ("micro", "cpu"):
        own = evaluation.experiment("threshold", strategy="paper", workload=workload).where(
            parameters=lambda given: abs(float(given.get("beta_threshold", -1)) - THRESHOLD) < 1e-9
        )
        limit_there, refused = (
            own.median("limit"),
            own.median(lambda run: run.measurement.vetoes.get("gil", 0)),
        )
        if limit_there is None or refused is None:
            continue
        clamped.append(refused.value > 0)
        said.append(f"{workload}: limit {words.within(limit_there)} at the end, vetoes {refused.value:g}")
    return decide(holds=all(clamped), part=any(clamped), measured="; ".join(said))


def _tuned(evaluation: Evaluation) -> Finding:
    runs = choice.some(
        evaluation, "threshold", strategy="paper", parameters=lambda given: "beta_threshold" in given
    )
    said, fast, short = [], [], []
    for workload, own in runs.by("workload").items():
        by_threshold = own.by(threshold_of)
        published = by_threshold.get(THRESHOLD)
        if published is None:
            raise choice.NoRecordsError("the published threshold was not measured")
        best = max(by_threshold.values(), key=lambda each: known(each.median(), "throughput").value)
        shortest = min(by_threshold.values(), key=lambda each: known(each.median("wall_ms_p99"), "p99").value)
        rate = known(published.ratio(best), "throughput")
        tail = known(published.ratio(shortest, "wall_ms_p99"), "p99")
        fast.append(rate.value >= 0.95)
        short.append(tail.value <= 1.3)
        said.append(
            f"{workload}: {words.percent(rate)} of the throughput at the best threshold "
            f"({threshold_of(best.first):g}), p99 "
            f"{words.times(tail)} that at the best ({threshold_of(shortest.first):g})"
        )
    return decide(holds=all(fast) and all(short), part=all(fast), measured="; ".join(said))


def _queue_depth(evaluation: Evaluation) -> Finding:
    said, worse = [], []
    for workload in ("micro", "stated"):
        runs = choice.some(evaluation, "solutions", workload=workload)
        each = contest.standing(runs, runs.where(strategy="queue-depth"))
        if each is None or each.tail is None:
            raise choice.NoRecordsError("the queue-depth scaler was not measured")
        worse.append(each.efficiency.value <= 0.9 or each.tail.value >= 3)
        said.append(
            f"{workload}: {words.percent(each.efficiency)} of static best's throughput, "
            f"{words.times(each.tail)} its p99"
        )
    return decide(holds=all(worse), part=any(worse), measured="; ".join(said))


_BLIND = (
    "A thread that waits for the GIL burns no CPU, so it counts as blocked: fighting looks like waiting, "
    "and beta rises with contention "
    "instead of falling."
)

CLAIMS = (
    Claim(
        "beta-high-is-safe",
        "A high blocking ratio (0.9) means idle CPU: it is safe to add threads.",
        "5.1, scenario A",
        "Holds if at no size with beta of 0.9 or more doubling the threads brings less than 5 %, on "
        "`micro`, `stated` and pure CPU; in part if on "
        "some of them.",
        _high_is_safe,
        {NOT: _BLIND, PART: _BLIND, HOLDS: "Where it was high, more threads helped."},
    ),
    Claim(
        "beta-low-when-bound",
        "GIL contention shows as a low blocking ratio (0.1; below 0.3).",
        "5.1, scenario B; 5.3",
        "Holds if beta of pure CPU is at most 0.3 at every size from two threads on; in part if at half of "
        "them.",
        _low_when_bound,
        {
            NOT: _BLIND + " Two threads are enough to lift it over 0.3.",
            PART: _BLIND,
            HOLDS: "Tasks that compute have a low beta.",
        },
    ),
    Claim(
        "beta-onset",
        "The blocking ratio identifies the onset of serialization.",
        "abstract; 2.3",
        "Holds if beta falls by at least 0.1 from the fewest to the most threads on `micro`, `stated` and "
        "pure CPU; in part if on some.",
        _identifies,
        {NOT: _BLIND, PART: _BLIND},
    ),
    Claim(
        "beta-fighting",
        "Beyond the optimum, threads spend more time acquiring the GIL than computing.",
        "1.3; 4",
        "Holds if at the most threads the GIL's share is above the CPU's, on `micro`, `stated` and pure "
        "CPU; in part if on some.",
        _fights,
        {
            HOLDS: "One of them computes, the others queue. This is what a sensor of the GIL sees, and beta "
            "does not."
        },
    ),
    Claim(
        "beta-veto",
        "The veto clamps the system to its optimal operating point regardless of workload intensity.",
        "abstract; 5.3",
        "Holds if the published controller vetoes on `stated` and ends at no more than twice the knee "
        "there, and vetoes on `micro` and "
        "pure CPU; in part if any of these.",
        _clamps,
        {
            NOT: "The veto never falls: beta is above 0.3 whenever threads fight. The limit climbs by one "
            "each half second until the run or the cap "
            "ends it.",
            PART: "Where several threads fight, beta is above 0.3, and the veto does not fall; it does "
            "where few threads compute.",
            HOLDS: "The limit stays near the knee.",
        },
    ),
    Claim(
        "beta-threshold",
        "The threshold of 0.3 is tuned.",
        "5.3",
        "Holds if on every workload 0.3 gives at least 95 % of the throughput of the best threshold and at "
        "most 1.3 times the p99 of the best; in part "
        "if the throughput.",
        _tuned,
        {
            PART: "Throughput hardly depends on it; latency would gain from another value, but which one "
            "depends on the workload.",
            NOT: "Other values serve better, other ones for each workload.",
            HOLDS: "Within this range it matters little: below the beta of the workload, no threshold "
            "vetoes anything.",
        },
    ),
    Claim(
        "beta-queue-depth",
        "Scaling on queue depth exacerbates the problem.",
        "abstract; 2.3",
        "Holds if the queue-depth scaler has at most 90 % of static best's throughput or at least three "
        "times its p99, on `micro` and `stated`; in part "
        "if on one.",
        _queue_depth,
        {
            HOLDS: "A queue that never empties asks for ever more threads.",
            PART: "On one of the workloads it does no harm.",
        },
    ),
)
"""Claims about beta and the veto."""
