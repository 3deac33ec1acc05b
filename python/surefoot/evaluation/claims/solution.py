"""The paper's solution beside static pools: section 6.2, and what is said of it elsewhere."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from surefoot.evaluation import choice, contest, words
from surefoot.evaluation.claims.claim import HOLDS, NOT, PART, Claim, Finding, decide, known
from surefoot.evaluation.figures import overhead

if TYPE_CHECKING:
    from surefoot.evaluation.contest import Standing
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs

NAIVE = 256


def compared(evaluation: Evaluation, workload: str = "micro") -> Runs:
    """Return the runs that compete on a workload."""
    return choice.some(evaluation, "solutions", workload=workload)


def of(runs: Runs, strategy: str) -> Runs:
    """Return one strategy's runs; ``naive`` is a static pool of 256, ``optimal`` the best static pool."""
    if strategy == "optimal":
        return contest.best(runs)
    if strategy == "naive":
        fresh = runs.where(strategy="static", threads=NAIVE, phase=contest.contested)
        return fresh or runs.where(strategy="static", threads=NAIVE)
    return runs.where(strategy=strategy)


def standing(evaluation: Evaluation, strategy: str, workload: str) -> Standing:
    """Return how a strategy stands beside the best static pool.

    Raises:
        NoRecordsError: One of them was not measured.
    """
    runs = compared(evaluation, workload)
    found = contest.standing(runs, of(runs, strategy))
    if found is None:
        raise choice.NoRecordsError(f"{strategy} on {workload} was not measured")
    return found


def _row(strategy: str, rate: float, tail_ms: float, evaluation: Evaluation) -> Finding:
    own = of(compared(evaluation), strategy)
    measured, tail = known(own.median(), strategy), known(own.median("wall_ms_p99"), "p99")
    close = [0.8 <= measured.value / rate <= 1.25, 0.8 <= tail.value / tail_ms <= 1.25]
    size = f" ({own.first.threads} threads)" if own.first.threads else ""
    return decide(
        holds=all(close),
        part=any(close),
        measured=f"{words.within(measured, '/s')}, p99 {words.within(tail, ' ms')}{size}",
    )


def _gain(strategy: str, paper_percent: float, evaluation: Evaluation) -> Finding:
    runs = compared(evaluation)
    gain = known(of(runs, strategy).ratio(of(runs, "naive")), f"{strategy} and naive")
    return decide(
        holds=abs(100 * (gain.value - 1) - paper_percent) <= 10,
        part=gain.value >= 1.05,
        measured=f"{words.times(gain)} the throughput of {NAIVE} threads",
    )


def _ninety_five(strategy: str, evaluation: Evaluation) -> Finding:
    found = {
        workload: standing(evaluation, strategy, workload).efficiency for workload in ("micro", "stated")
    }
    enough = [each.value >= 0.95 for each in found.values()]
    said = "; ".join(f"{workload}: {words.percent(each)}" for workload, each in found.items())
    return decide(holds=all(enough), part=any(enough), measured=f"of static best's throughput, {said}")


def _balance(evaluation: Evaluation) -> Finding:
    said, good = [], []
    for workload in ("micro", "stated"):
        each = standing(evaluation, "paper", workload)
        tail = known(each.tail, "p99")
        good.append(each.efficiency.value >= 0.95 and tail.value <= 1.3)
        said.append(
            f"{workload}: {words.percent(each.efficiency)} of static best's throughput, {words.times(tail)} "
            "its p99"
        )
    return decide(holds=all(good), part=any(good), measured="; ".join(said))


def _magnitude(evaluation: Evaluation) -> Finding:
    said, factors = [], []
    for workload in ("micro", "stated"):
        runs = compared(evaluation, workload)
        factor = known(of(runs, "naive").ratio(of(runs, "paper"), "wall_ms_p99"), "p99")
        factors.append(factor.value)
        said.append(f"{workload}: {words.times(factor)}")
    return decide(
        holds=all(factor >= 10 for factor in factors),
        part=all(factor >= 2 for factor in factors),
        measured=f"p99 of {NAIVE} threads over that of the published controller, {'; '.join(said)}",
    )


def everywhere(evaluation: Evaluation, strategy: str) -> dict[str, Standing]:
    """Return how a strategy stands in every setting of `solutions`, `profiles` and `ratio-grid`.

    Raises:
        NoRecordsError: It was measured in none.
    """
    found = {}
    for experiment in ("solutions", "profiles", "ratio-grid"):
        runs = evaluation.experiment(experiment)
        if runs:
            for place, each in contest.standings(choice.main_python(runs), strategy).items():
                parameters = ", ".join(f"{key} {value}" for key, value in place[1])
                found[f"{place[0]}{f' ({parameters})' if parameters else ''}"] = each
    if not found:
        raise choice.NoRecordsError(f"{strategy} was not compared with static best")
    return found


def _avoids(evaluation: Evaluation) -> Finding:
    found = everywhere(evaluation, "paper")
    worst = min(found, key=lambda name: found[name].efficiency.value)
    lost = sum(each.efficiency.value <= 0.8 for each in found.values())
    return decide(
        holds=lost == 0,
        part=lost < len(found) / 4,
        measured=f"20 % or more below static best in {lost} of {len(found)} settings; worst: "
        f"{words.percent(found[worst].efficiency)} "
        f"on {worst}",
    )


def _near_optimal(evaluation: Evaluation) -> Finding:
    found = everywhere(evaluation, "paper")
    values = [each.efficiency.value for each in found.values()]
    mean = sum(values) / len(values)
    return decide(
        holds=min(values) >= 0.9,
        part=mean >= 0.9,
        measured=f"{len(values)} settings: mean {100 * mean:.1f} % of static best's throughput, least "
        f"{100 * min(values):.1f} %",
    )


def _lightweight(evaluation: Evaluation) -> Finding:
    found = overhead.ratios(choice.some(evaluation, "overhead", strategy=("static", "fixed")))
    if not found:
        raise choice.NoRecordsError("no pair of pools was measured")
    worst = min(found, key=lambda place: found[place].value)
    return decide(
        holds=all(each.value >= 0.95 for each in found.values()),
        part=sum(each.value >= 0.95 for each in found.values()) >= len(found) / 2,
        measured=f"{len(found)} pairs at the same number of threads; least throughput with every task "
        "measured: "
        f"{words.percent(found[worst])} of the standard pool's ({worst[0]}, {worst[1]} threads)",
    )


_ABSOLUTE = "Absolute figures belong to a machine; what can be compared are ratios, below."

CLAIMS = (
    Claim(
        "solution-naive",
        "Static Naive (256): 24,500 TPS, p99 31.2 ms.",
        "6.2",
        "On `micro`. Holds if both are within 25 %; in part if one is.",
        partial(_row, "naive", 24_500.0, 31.2),
        {NOT: _ABSOLUTE, PART: _ABSOLUTE},
    ),
    Claim(
        "solution-optimal",
        "Static Optimal (32): 37,400 TPS, p99 10.1 ms.",
        "6.2",
        "Likewise, of the best static size found here.",
        partial(_row, "optimal", 37_400.0, 10.1),
        {NOT: _ABSOLUTE, PART: _ABSOLUTE},
    ),
    Claim(
        "solution-adaptive",
        "Adaptive (4 to 64): 36,100 TPS, p99 11.8 ms.",
        "6.2",
        "Likewise, of the published controller.",
        partial(_row, "paper", 36_100.0, 11.8),
        {NOT: _ABSOLUTE, PART: _ABSOLUTE},
    ),
    Claim(
        "solution-optimal-gain",
        "Static Optimal has 53 % more throughput than Static Naive.",
        "6.2",
        "Holds if the gain is within 10 points of 53 %; in part if it is at least 5 %.",
        partial(_gain, "optimal", 53.0),
        {
            PART: "The best size gains, not as much.",
            NOT: "On this interpreter and these cores 256 threads lose little throughput on `micro`.",
            HOLDS: "As much as published.",
        },
    ),
    Claim(
        "solution-adaptive-gain",
        "Adaptive has 47 % more throughput than Static Naive.",
        "6.2",
        "Holds if the gain of the published controller is within 10 points of 47 %; in part if it is at "
        "least 5 %.",
        partial(_gain, "paper", 47.0),
        {
            PART: "It gains, not as much: there is less to gain.",
            NOT: "It has no more throughput than 256 threads.",
            HOLDS: "As much as published.",
        },
    ),
    Claim(
        "solution-95",
        "The adaptive solution achieves 95 % of optimal performance without tuning.",
        "6.2; 1.4",
        "Holds if the published controller, in our implementation to the letter, has at least 95 % of "
        "static best's throughput on `micro` and "
        "`stated`; in part if on one. (The paper's own table says 36,100 / 37,400 = 96.5 %.)",
        partial(_ninety_five, "paper"),
        {
            HOLDS: "Throughput forgives: near the peak the curve is flat, so that a limit that climbs past "
            "the knee costs little of it. Latency does not "
            "forgive.",
            PART: "It depends on where the climb from `min_workers` is when it is measured.",
            NOT: "The limit climbs by one each half second: too slowly where many threads are wanted, and "
            "past the knee where few are.",
        },
    ),
    Claim(
        "solution-library",
        "The same of the published library, BetaPool 1.0.2.",
        "6.2",
        "Likewise.",
        partial(_ninety_five, "betapool"),
        {
            NOT: "The library adds its own cost to each task, and climbs as the controller does.",
            PART: "It depends on the workload: the library's cost for each task counts where tasks are "
            "short.",
            HOLDS: "Its throughput is near the best.",
        },
    ),
    Claim(
        "solution-balance",
        "The adaptive approach matches the optimal static configuration and achieves the best balance of "
        "latency and throughput.",
        "figure 4",
        "Holds if on `micro` and `stated` the published controller has at least 95 % of static best's "
        "throughput and at most 1.3 times its p99; "
        "in part if on one.",
        _balance,
        {
            NOT: "The limit goes on climbing past the knee, and p99 with it.",
            PART: "On one workload it stays near; on the other the limit climbs past the knee, and p99 with "
            "it.",
        },
    ),
    Claim(
        "solution-magnitude",
        "It reduces tail latency by an order of magnitude compared to naive over-provisioning.",
        "1.4",
        "Holds if p99 of 256 threads is at least 10 times that of the published controller, on `micro` and "
        "`stated`; in part if at least twice. (The "
        "paper's own table says 31.2 / 11.8 = 2.6.)",
        _magnitude,
        {
            PART: "About in proportion to the threads that it has not made yet.",
            NOT: "The controller ends near as many threads, or the task's time inside does not grow with "
            "them.",
        },
    ),
    Claim(
        "solution-avoids",
        "It automatically avoids the saturation cliff.",
        "1.4; 8",
        "Holds if in no setting of the solutions, the profiles and the ratio grid the published controller "
        "is 20 % or more below static best; in part if "
        "in less than a quarter of them.",
        _avoids,
        {
            NOT: "It does not fall off the far side, since it climbs so slowly; but it is too slow where "
            "many threads are wanted, and that loses as much.",
            PART: "In most settings, in part because it climbs so slowly that it never arrives; where many "
            "threads are wanted, that is its loss.",
            HOLDS: "It climbs so slowly that it never arrives there.",
        },
    ),
    Claim(
        "solution-near-optimal",
        "It maintains near-optimal throughput regardless of workload.",
        "abstract; 1.4; 5",
        "Holds if the least efficiency over the same settings is at least 0.9; in part if the mean is.",
        _near_optimal,
        {
            NOT: "One thread each half second is too slow where hundreds are wanted.",
            PART: "On average; where many threads are wanted, one each half second is too slow.",
        },
    ),
    Claim(
        "solution-lightweight",
        "The instrumentation is lightweight.",
        "1.4; 5.2; 8",
        "Holds if our pool at a fixed limit, measuring every task, has at least 95 % of the standard pool's "
        "throughput at the same number of threads, in every "
        "pair; in part if in half of them.",
        _lightweight,
        {
            HOLDS: "With the clocks read in Rust. The published library reads them in Python.",
            PART: "With fine-grained tasks on several cores it shows.",
            NOT: "It is not.",
        },
    ),
)
"""Claims about the solution."""
