"""Memory, free-threaded interpreters, quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.evaluation import choice, contest, words
from surefoot.evaluation.claims.claim import HOLDS, NOT, PART, Claim, Finding, decide, known
from surefoot.evaluation.claims.sweeps import loss, shape
from surefoot.evaluation.figures.shares import CONSTANT

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs

MB = 1e6
WORKERS = 64


def _processes(evaluation: Evaluation) -> Runs:
    return choice.some(evaluation, "memory", strategy="process")


def each_mb(runs: Runs, metric: str) -> float:
    """Return how much memory one more process takes, in MB: from the fewest to the most measured.

    Raises:
        NoRecordsError: There are no two sizes to tell it from.
    """
    sizes = runs.values("threads")
    if len(sizes) < 2:
        raise choice.NoRecordsError("process pools of two sizes were not measured")
    least, most = (runs.where(threads=size).median(metric) for size in (sizes[0], sizes[-1]))
    more: int = sizes[-1] - sizes[0]
    return (known(most, metric).value - known(least, metric).value) / more / MB


def _each(evaluation: Evaluation) -> tuple[float | None, float]:
    runs = _processes(evaluation)
    shared = each_mb(runs, "pss_bytes_max") if runs.median("pss_bytes_max") is not None else None
    return shared, each_mb(runs, "rss_bytes_max")


def _per_interpreter(evaluation: Evaluation) -> Finding:
    shared, resident = _each(evaluation)
    values = [value for value in (shared, resident) if value is not None]
    inside = [15 <= value <= 40 for value in values]
    said = f"{resident:.0f} MB resident" + (
        f", {shared:.0f} MB with shared pages divided" if shared is not None else ""
    )
    workload = _processes(evaluation).first.workload
    return decide(holds=all(inside), part=any(inside), measured=f"each further process ({workload}): {said}")


def _sixty_four(evaluation: Evaluation) -> Finding:
    shared, resident = _each(evaluation)
    true = shared if shared is not None else resident
    said = f"{WORKERS} processes: {WORKERS * true / 1000:.2f} GB"
    if shared is not None:
        said += f" with shared pages divided, {WORKERS * resident / 1000:.2f} GB if each counts them"
    return decide(
        holds=WORKERS * true > 1000,
        part=WORKERS * resident > 1000,
        measured=f"{said} (extrapolated from {words.threads(_processes(evaluation).values('threads'))})",
    )


def _threads_are_small(evaluation: Evaluation) -> Finding:
    processes = _processes(evaluation)
    most = max(processes.values("threads"))
    threads = choice.some(evaluation, "memory", strategy="knee", threads=most)
    each = known(threads.ratio(processes.where(threads=most), "memory_bytes"), "memory")
    return decide(
        holds=each.value <= 0.5,
        part=each.value <= 0.9,
        measured=f"`knee` with a cap of {most}: {words.percent(each)} of the memory of {most} processes",
    )


def _free_runs(evaluation: Evaluation) -> Runs:
    runs = choice.every(evaluation, "free-threading", strategy="static")
    free = runs.where(interpreter=lambda interpreter: interpreter.is_free_threaded)
    if not free:
        raise choice.NoRecordsError("no free-threaded interpreter was measured")
    return free


def _oversubscription(evaluation: Evaluation) -> Finding:
    said, found = [], []
    for workload, runs in _free_runs(evaluation).by("workload").items():
        curve = shape(runs)
        lost = loss(runs)
        found.append(lost.value)
        said.append(
            f"{workload}: {words.percent(lost)} lost at {curve.last.threads:,} threads, of the best at "
            f"{curve.peak.threads}"
        )
    return decide(
        holds=all(each >= 0.1 for each in found),
        part=any(each >= 0.1 for each in found),
        measured="; ".join(said),
    )


def _beta_without_gil(evaluation: Evaluation) -> Finding:
    runs = evaluation.runs.where(
        strategy=CONSTANT,
        threads=lambda n: n is not None,
        interpreter=lambda interpreter: interpreter.is_free_threaded,
    )
    found = {}
    for threads, own in sorted(runs.by("threads").items()):
        each = own.median("beta_mean")
        if each is not None:
            found[threads] = each
    if len(found) < 2:
        raise choice.NoRecordsError("beta at several sizes was not measured without the GIL")
    least, most = found[min(found)], found[max(found)]
    return decide(
        holds=most.value <= least.value - 0.1,
        part=False,
        measured=f"beta {least.value:.2f} with {min(found)} threads, {most.value:.2f} with {max(found)}",
    )


def _quota(evaluation: Evaluation) -> Finding:
    runs = choice.some(evaluation, "quota", quota_cores=lambda quota: quota is not None)
    found = contest.standings(runs, "paper")
    if not found:
        raise choice.NoRecordsError("the published controller was not measured under a quota")
    values = [each.efficiency.value for each in found.values()]
    tails = [each.tail.value for each in found.values() if each.tail is not None]
    return decide(
        holds=min(values) >= 0.95 and (not tails or max(tails) <= 1.3),
        part=sum(values) / len(values) >= 0.9,
        measured=f"{len(values)} settings: throughput {100 * min(values):.0f} to {100 * max(values):.0f} % "
        "of static best's under the same "
        f"quota" + (f", p99 {min(tails):.2g} to {max(tails):.2g} times its" if tails else ""),
    )


CLAIMS = (
    Claim(
        "memory-interpreter",
        "Each Python interpreter process takes 20 to 30 MB.",
        "2.2",
        "Holds if what one more process of a `ProcessPoolExecutor` takes is 15 to 40 MB, resident and with "
        "shared pages divided; in part if by one of the "
        "two.",
        _per_interpreter,
        {
            PART: "Resident memory counts pages that forked processes share; the workload's libraries "
            "count, too.",
            NOT: "It depends on what is imported, and on what forked processes share.",
            HOLDS: "With the workload's libraries.",
        },
    ),
    Claim(
        "memory-64",
        "64 worker processes take over 1 GB in interpreter overhead alone.",
        "2.2",
        "Holds if 64 times that is above 1 GB with shared pages divided; in part if only when each process "
        "counts them.",
        _sixty_four,
        {
            PART: "If each process counts what they share.",
            NOT: "Forked processes share most pages.",
            HOLDS: "With the workload's libraries.",
        },
    ),
    Claim(
        "memory-threads",
        "A thread pool avoids the memory overhead of multiple processes.",
        "1.4; 2.2",
        "Holds if our pool takes at most half the memory of as many processes; in part if at most 90 %.",
        _threads_are_small,
        {HOLDS: "Threads share everything but their stacks, of which only touched pages count."},
    ),
    Claim(
        "free-oversubscription",
        "Oversubscription remains problematic without the GIL.",
        "2.4; 7.3",
        "Holds if every workload of the experiment loses at least 10 % at the most threads on the "
        "free-threaded build; in part if some.",
        _oversubscription,
        {
            HOLDS: "Run queues, cache misses and the interpreter's inner locks remain.",
            PART: "Where tasks are short; long ones that only compute do not mind.",
            NOT: "Without the lock, waiting threads are cheap.",
        },
    ),
    Claim(
        "free-beta",
        "The blocking ratio remains useful for detecting oversubscription without the GIL.",
        "7.3",
        "Holds if beta falls by at least 0.1 from the fewest to the most threads on a free-threaded build.",
        _beta_without_gil,
        {NOT: "Threads that wait for a core burn no CPU either."},
    ),
    Claim(
        "quota-generalises",
        "The metric and controller apply to containers with CPU quotas.",
        "7.2",
        "Holds if under every quota the published controller has at least 95 % of static best's throughput "
        "and at most 1.3 times its p99; in part if 90 % of "
        "the throughput on average.",
        _quota,
        {
            PART: "Throughput forgives, latency does not: a throttled thread burns no CPU, so beta rises "
            "with throttling and more threads are added.",
            NOT: "A throttled thread burns no CPU, so that throttling looks like I/O.",
        },
    ),
)
"""Claims about resources."""
