"""The OS-GIL paradox: what more cores do to the same threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.evaluation import choice, words
from surefoot.evaluation.claims.claim import HOLDS, NOT, PART, Claim, Finding, decide, known
from surefoot.evaluation.claims.sweeps import cores, one_and_most

if TYPE_CHECKING:
    from surefoot.evaluation.estimate import Estimate
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.records import Run
    from surefoot.evaluation.runs import Metric, Runs

FEWEST = 8
"""Below so many threads, nobody queues for the lock."""


def _pair(evaluation: Evaluation) -> tuple[Runs, Runs]:
    runs = choice.some(
        evaluation, "paradox", workload="micro", threads=lambda n: n is not None and n >= FEWEST
    )
    sizes = runs.by("cores")
    if 1 not in sizes or len(sizes) < 2:
        raise choice.NoRecordsError("one core and several were not both measured")
    return sizes[1], sizes[max(sizes)]


def _ratios(evaluation: Evaluation, metric: Metric) -> dict[int, Estimate]:
    one, most = _pair(evaluation)
    found = {
        threads: each
        for threads, own in sorted(most.by("threads").items())
        if (each := own.ratio(one.where(threads=threads), metric)) is not None
    }
    if not found:
        raise choice.NoRecordsError("it was not seen on both")
    return found


def _middle(found: dict[int, Estimate]) -> float:
    ordered = sorted(each.value for each in found.values())
    return ordered[len(ordered) // 2]


def _said(found: dict[int, Estimate], evaluation: Evaluation, what: str) -> str:
    each = ", ".join(f"{words.times(value)} with {threads:,} threads" for threads, value in found.items())
    return f"{cores(_pair(evaluation)[1])} against one, {what}: {each}"


def _exacerbates(evaluation: Evaluation) -> Finding:
    found = _ratios(evaluation, "tasks_per_s")
    middle = _middle(found)
    return decide(holds=middle <= 0.95, part=middle <= 1.05, measured=_said(found, evaluation, "throughput"))


def _switches(evaluation: Evaluation) -> Finding:
    found = _ratios(evaluation, "switches_per_task")
    middle = _middle(found)
    return decide(
        holds=middle >= 1.5,
        part=middle >= 1.1,
        measured=_said(found, evaluation, "context switches for each task"),
    )


def cpu_per_task(run: Run) -> float | None:
    """Return CPU time for each task, in seconds."""
    busy = run.measurement.cores_busy
    return (
        busy / run.measurement.tasks_per_s if busy is not None and run.measurement.tasks_per_s > 0 else None
    )


def _spinning(evaluation: Evaluation) -> Finding:
    found = _ratios(evaluation, cpu_per_task)
    middle = _middle(found)
    return decide(
        holds=middle >= 1.5, part=middle >= 1.15, measured=_said(found, evaluation, "CPU time for each task")
    )


def _two_threads(evaluation: Evaluation) -> Finding:
    runs = one_and_most(evaluation, "cpu", is_most=True)
    each = known(runs.where(threads=2).ratio(runs.where(threads=1)), "pure CPU with one and two threads")
    return decide(
        holds=each.value < 0.95,
        part=False,
        measured=f"pure CPU, {cores(runs)}: two threads have {words.times(each)} the throughput of one",
    )


def _interval(evaluation: Evaluation) -> Finding:
    runs = choice.some(evaluation, "cliff")
    seen = {run.interpreter.switch_interval_s for run in runs} - {None}
    if not seen:
        raise choice.NoRecordsError("the records do not say the switch interval")
    said = " and ".join(f"{1000 * float(each or 0):g} ms" for each in sorted(seen, key=str))
    return decide(
        holds=seen == {0.005},
        part=0.005 in seen,
        measured=f"{said} in every run of experiment `cliff` on CPython {runs.first.python}",
    )


CLAIMS = (
    Claim(
        "paradox-exacerbates",
        "Adding cores does not solve the GIL problem and often exacerbates it.",
        "4",
        f"Throughput of `micro` on the most cores over that on one, at the same number of threads, {FEWEST} "
        "and more. Holds if the middle one of "
        "these ratios is at most 0.95; in part if at most 1.05.",
        _exacerbates,
        {
            HOLDS: "Handed between cores, the lock is held by nobody while the next thread wakes up: a "
            "second core costs throughput.",
            PART: "More cores bring nothing.",
            NOT: "More cores bring throughput.",
        },
    ),
    Claim(
        "paradox-switching",
        "With more cores the system spends more time context switching.",
        "1.3; 4",
        "Context switches for each task, likewise. Holds if the middle ratio is at least 1.5; in part if at "
        "least 1.1.",
        _switches,
        {
            HOLDS: "With a second core a waiter wakes while the holder still runs, and goes back to sleep.",
            PART: "A little more.",
            NOT: "The switches for each task do not become more; they become dearer, since the lock moves "
            "between cores.",
        },
    ),
    Claim(
        "paradox-spinning",
        "With 100 threads on 4 cores the OS wakes up 4 threads, and those on the other 3 cores spin or wait, "
        "consuming CPU cycles without progress.",
        "4",
        "CPU time for each task, likewise. Holds if the middle ratio is at least 1.5; in part if at least "
        "1.15.",
        _spinning,
        {
            HOLDS: "Waking up for nothing is CPU time; the GIL itself never spins: it sleeps on a condition "
            "variable.",
            PART: "Some CPU time is wasted by wake-ups; nobody spins: CPython sleeps on a condition "
            "variable.",
            NOT: "Waiters sleep; CPython does not spin on the GIL.",
        },
    ),
    Claim(
        "paradox-two-threads",
        "CPU-bound work is slower with two threads than with one on several cores (Beazley).",
        "2.1",
        "Holds if pure CPU with two threads on the most cores has less than 95 % of the throughput of one "
        "thread.",
        _two_threads,
        {
            NOT: "The GIL since Python 3.2 hands over at most each 5 ms, so that two threads lose little.",
            HOLDS: "The hand-over between cores costs that much here.",
        },
    ),
    Claim(
        "paradox-interval",
        "The switch interval is 5 ms by default.",
        "2.1",
        "Holds if every run says so.",
        _interval,
        {HOLDS: "As documented."},
    ),
)
"""Claims about cores."""
