"""Which figures there are, in the order of the paper, and what they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surefoot.evaluation.figures import (
    architecture,
    cliff,
    combined,
    controller_flow,
    efficiency,
    free_threading,
    granularity,
    latency,
    memory,
    opening,
    overhead,
    paradox,
    profiles,
    quota,
    ratio_grid,
    shares,
    solutions,
    threshold,
    timelines,
)

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation


@dataclass(frozen=True)
class Entry:
    """A figure.

    Attributes:
        name: Of its files.
        title: What it is, in a few words.
        text: What is to be seen in it, without saying how it turned out.
        paper: Its counterpart in the paper; empty if there is none.
        draw: Returns a matplotlib figure; raises `NoRecordsError` if its records are not there.
    """

    name: str
    title: str
    text: str
    paper: str
    draw: Callable[[Evaluation], Any]


CATALOGUE = (
    Entry(
        "opening",
        "The cliff, and a pool that finds its own size",
        "Throughput and tail latency of the paper's own workload by the number of threads asked for: the "
        "standard pool, and "
        "surefoot, which is given the same number as its cap and admits as many as its limit says.",
        "",
        opening.draw,
    ),
    Entry(
        "cliff",
        "The saturation cliff",
        "Throughput of the standard pool against threads; each workload relative to its own best, pure I/O "
        "as the baseline.",
        "Figure 1",
        cliff.draw,
    ),
    Entry(
        "latency",
        "The latency explosion",
        "Percentiles of a task's wall time against threads, with the line that the paper calls its SLA.",
        "Figure 2",
        latency.draw,
    ),
    Entry(
        "efficiency",
        "Per-thread efficiency",
        "Tasks per second and thread, relative to one thread. Both axes double or multiply.",
        "Figure 3",
        efficiency.draw,
    ),
    Entry(
        "architecture",
        "Architecture",
        "How a task becomes a sample, a sample a window, a window a decision, a decision the limit.",
        "Figure 4 (architecture)",
        architecture.draw,
    ),
    Entry(
        "controller-flow",
        "Flow of control",
        "The published controller to the letter, and the default one, as the code has them.",
        "Figure 5 (controller flow)",
        controller_flow.draw,
    ),
    Entry(
        "solutions",
        "Solutions on `micro`",
        "Every strategy on the workload that the paper's figures come from.",
        "Figure 4 (solution comparison)",
        solutions.draw,
    ),
    Entry(
        "solutions-stated",
        "Solutions on `stated`",
        "Every strategy on the workload that the paper's text describes.",
        "Figure 4 (solution comparison)",
        solutions.draw_stated,
    ),
    Entry(
        "combined",
        "The four panels",
        "The paper's summary, measured here.",
        "Figure 5 (combined panel)",
        combined.draw,
    ),
    Entry(
        "paradox",
        "The OS-GIL paradox",
        "The same threads on one core and on more: throughput, context switches, hand-overs.",
        "section 4",
        paradox.draw,
    ),
    Entry(
        "shares",
        "Why a veto on beta cannot work",
        "Where the workers' time goes, and beta, which is one minus the blue part. Waiting for the GIL "
        "counts as blocking.",
        "section 5.1",
        shares.draw,
    ),
    Entry(
        "timelines",
        "Controllers over time, `stated`",
        "Limit, throughput and shares while the published "
        "controller, the published "
        "library and `knee` look for their size.",
        "section 5.3",
        timelines.draw,
    ),
    Entry(
        "timelines-io",
        "Controllers over time, pure I/O",
        "The same where more threads are what is wanted.",
        "section 5.3",
        timelines.draw_io,
    ),
    Entry(
        "threshold",
        "Sensitivity to the threshold",
        "What the published controller reaches with other thresholds than 0.3.",
        "section 5.3",
        threshold.draw,
    ),
    Entry(
        "ratio-grid",
        "Robustness",
        "Efficiency against the best static pool over a grid of CPU and I/O times.",
        "section 7.2",
        ratio_grid.draw,
    ),
    Entry(
        "profiles",
        "Seven edge profiles",
        "Throughput and p99 against the best static pool, with real libraries.",
        "section 6",
        profiles.draw,
    ),
    Entry(
        "memory",
        "Memory of threads and of processes",
        "Most memory of all processes of a pool.",
        "section 2.2",
        memory.draw,
    ),
    Entry(
        "overhead",
        "What measuring costs",
        "Our pool at a fixed limit beside the standard pool of the same size.",
        "section 5.2",
        overhead.draw,
    ),
    Entry(
        "granularity",
        "Fine and coarse tasks",
        "The same work, once or a hundred times in a task.",
        "section 3.1",
        granularity.draw,
    ),
    Entry(
        "free-threading",
        "Without the GIL",
        "The same threads with and without the GIL.",
        "sections 2.4 and 7.3",
        free_threading.draw,
    ),
    Entry(
        "quota",
        "Under a quota of CPU time",
        "Half a core, one, two: as a container has them.",
        "section 7.2",
        quota.draw,
    ),
)
"""Every figure, in the order in which a reader meets them."""
