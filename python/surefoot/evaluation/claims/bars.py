"""What this project promises of its own pool, judged by the same records."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from surefoot.evaluation import choice, contest, words
from surefoot.evaluation.claims import solution
from surefoot.evaluation.claims.claim import HOLDS, NOT, PART, Claim, Finding, Verdict, decide, known
from surefoot.evaluation.estimate import Estimate

if TYPE_CHECKING:
    from surefoot.evaluation.contest import Standing
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.records import Run


def _profiles(evaluation: Evaluation) -> dict[str, Standing]:
    found = contest.standings(choice.some(evaluation, "profiles"), "knee", lambda run: run.workload)
    if not found:
        raise choice.NoRecordsError("`knee` was not measured on the profiles")
    return found


def mean(found: list[Estimate]) -> Estimate:
    """Return the mean of estimates; its interval as if all erred the same way, which is too wide."""
    count = len(found)
    return Estimate(
        sum(each.value for each in found) / count,
        sum(each.low for each in found) / count,
        sum(each.high for each in found) / count,
        min(each.samples for each in found),
    )


def _at_least(bar: float, value: Estimate, measured: str) -> Finding:
    return decide(holds=value.value >= bar, part=value.high >= bar, measured=measured)


def _average(evaluation: Evaluation) -> Finding:
    found = _profiles(evaluation)
    whole = mean([each.efficiency for each in found.values()])
    return _at_least(0.96, whole, f"{words.within(whole)} over {len(found)} profiles")


def _least(evaluation: Evaluation) -> Finding:
    found = _profiles(evaluation)
    worst = min(found, key=lambda name: found[name].efficiency.value)
    return _at_least(0.92, found[worst].efficiency, f"{words.within(found[worst].efficiency)} on {worst}")


def _tail(evaluation: Evaluation) -> Finding:
    tails = {name: each.tail for name, each in _profiles(evaluation).items() if each.tail is not None}
    if not tails:
        raise choice.NoRecordsError("p99 was not measured on the profiles")
    worst = max(tails, key=lambda name: tails[name].value)
    above = sum(each.value > 1.3 for each in tails.values())
    return decide(
        holds=above == 0,
        part=tails[worst].low <= 1.3,
        measured=f"above 1.3 in {above} of {len(tails)}; most: {words.times(tails[worst])} on {worst}",
    )


def _memory(evaluation: Evaluation) -> Finding:
    runs = choice.some(evaluation, "memory")
    most = max(runs.where(strategy="knee").values("threads") or [0])
    each = known(
        runs.where(strategy="knee", threads=most).ratio(
            runs.where(strategy="static", threads=most), "memory_bytes"
        ),
        "memory",
    )
    return decide(
        holds=each.value <= 1.1,
        part=each.low <= 1.1,
        measured=f"{words.times(each)} the standard pool's, both with at most {most} threads",
    )


def _solution(workload: str, evaluation: Evaluation) -> Finding:
    each = solution.standing(evaluation, "knee", workload)
    tail = known(each.tail, "p99")
    return decide(
        holds=each.efficiency.value >= 0.95 and tail.value <= 1.3,
        part=each.efficiency.value >= 0.95 or tail.value <= 1.3,
        measured=f"{words.percent(each.efficiency)} of static best's throughput, {words.times(tail)} its p99",
    )


def _cap_is_harmless(evaluation: Evaluation) -> Finding:
    runs = choice.some(evaluation, "knee-cliff", strategy="knee")
    said, good = [], []
    for (workload, count), own in runs.by(_place).items():
        sizes = evaluation.experiment(
            "cliff", strategy="static", workload=workload, cores=count, python=own.first.python
        )
        shape = sizes.curve()
        if shape is None:
            continue
        cap = max(own.values("threads"))
        each = known(own.where(threads=cap).ratio(sizes.where(threads=shape.peak.threads)), "throughput")
        good.append(each.value >= 0.9)
        said.append(f"{workload} on {count}: {words.percent(each)}")
    if not good:
        raise choice.NoRecordsError("the same workloads were not swept")
    return decide(
        holds=all(good),
        part=sum(good) >= len(good) / 2,
        measured=f"cap {max(runs.values('threads')):,}, throughput of the best of the sweep: "
        f"{'; '.join(said)}",
    )


def _place(run: Run) -> tuple[str, int]:
    return run.workload, run.cores


def _everywhere(evaluation: Evaluation) -> Finding:
    found = solution.everywhere(evaluation, "knee")
    worst = min(found, key=lambda name: found[name].efficiency.value)
    values = [each.efficiency.value for each in found.values()]
    average = sum(values) / len(values)
    return decide(
        holds=min(values) >= 0.9,
        part=average >= 0.95,
        measured=f"{len(found)} settings: mean {100 * average:.1f} %, least "
        f"{words.percent(found[worst].efficiency)} on {worst}",
    )


def _duration(evaluation: Evaluation) -> Finding:
    at = [run.at_unix_s for run in evaluation.runs]
    minutes = (max(at) - min(at)) / 60
    return decide(
        holds=minutes < 90,
        part=False,
        measured=f"{minutes:.0f} min from the first of {len(at):,} records to the last",
    )


_WHERE_IT_LOSES = "docs/explanation/controller.md says where it loses."
_REASONS: dict[Verdict, str] = {
    NOT: _WHERE_IT_LOSES,
    PART: f"Within the interval, or in part of them. {_WHERE_IT_LOSES}",
}

CLAIMS = (
    Claim(
        "bar-average",
        "`knee`: average efficiency against static best over the seven profiles at least 0.96.",
        "seven profiles",
        "Holds if it is; in part if the interval reaches it.",
        _average,
        _REASONS,
    ),
    Claim(
        "bar-least",
        "`knee`: least efficiency over the seven profiles at least 0.92.",
        "seven profiles",
        "Holds if it is; in part if the interval reaches it.",
        _least,
        _REASONS,
    ),
    Claim(
        "bar-tail",
        "`knee`: p99 at most 30 % above that of static best in every profile.",
        "seven profiles",
        "Holds if it is; in part if the interval of the worst reaches it.",
        _tail,
        _REASONS,
    ),
    Claim(
        "bar-memory",
        "Peak memory within 10 % of the standard pool with as many threads.",
        "memory",
        "Holds if it is; in part if the interval reaches it.",
        _memory,
        {**_REASONS, HOLDS: "The pool itself is small."},
    ),
    Claim(
        "bar-micro",
        "`knee` on `micro`: 95 % of static best's throughput, p99 at most 30 % above its.",
        "solutions",
        "Holds if both; in part if one.",
        partial(_solution, "micro"),
        _REASONS,
    ),
    Claim(
        "bar-stated",
        "`knee` on `stated`: 95 % of static best's throughput, p99 at most 30 % above its.",
        "solutions",
        "Holds if both; in part if one.",
        partial(_solution, "stated"),
        _REASONS,
    ),
    Claim(
        "bar-cap",
        "A cap of 2,048 does no harm: `knee` stays within 10 % of the best size of the sweep.",
        "cliff",
        "Holds on every workload and number of cores; in part on half of them. The best of a sweep is "
        "flattered by being chosen.",
        _cap_is_harmless,
        _REASONS,
    ),
    Claim(
        "bar-everywhere",
        "`knee` stays within 10 % of static best in every setting of the solutions, the profiles and the "
        "ratio grid.",
        "all contests",
        "Holds if the least efficiency is at least 0.9; in part if the mean is at least 0.95.",
        _everywhere,
        _REASONS,
    ),
    Claim(
        "bar-duration",
        "The evaluation takes less than 90 minutes.",
        "this run",
        "From the first to the last record.",
        _duration,
        {
            NOT: "It was interrupted and resumed, or the suite has grown.",
            PART: "",
            HOLDS: "One command measures everything on this page.",
        },
    ),
)
"""The project's own bars."""
