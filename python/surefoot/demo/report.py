"""The report: a table, a bar chart of characters, and what the pool decided. It prints what was measured."""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

from surefoot.demo.experiment import BEST, NAIVE, OURS, SEQUENTIAL, Experiment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from surefoot.demo.result import Result, Summary

HEADINGS: Final = (
    "strategy", "limit", "tasks", "tasks/s", "least..most", "2nd half", "p50 ms", "p95 ms", "p99 ms",
    "x naive", "x best static", "runs",
)  # fmt: skip
BAR_WIDTH: Final = 50


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _has_gil() -> bool:
    enabled = getattr(sys, "_is_gil_enabled", None)
    return enabled is None or bool(enabled())


def machine() -> str:
    """Return what the figures were measured on."""
    implementation = platform.python_implementation()
    version = sys.version.split("(")[0].strip()
    return f"{implementation} {version}, {cores()} cores ({platform.machine()}), {platform.system()}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as aligned lines, the first column to the left and the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def limit_text(summary: Summary) -> str:
    """Return the limit of a strategy: one number, or first -> last where it moved (of the median repeat)."""
    result = summary.representative
    if result.limit_first == result.limit_most == result.limit_last:
        return str(result.limit_last)
    return f"{result.limit_first}->{result.limit_last}"


def comparison(summaries: Sequence[Summary]) -> list[list[str]]:
    """Return the table of strategies: headings, then a row each.

    Args:
        summaries: At least one; a ratio to a strategy that was not measured reads ``-``.
    """
    throughput = {summary.name: summary.throughput for summary in summaries}

    def ratio(summary: Summary, to: str) -> str:
        return f"{summary.throughput / throughput[to]:.2f}" if to in throughput else "-"

    rows = [list(HEADINGS)]
    for summary in summaries:
        least, most = summary.range(lambda result: result.throughput)
        latencies = [f"{summary.latency_ms(percent):.1f}" for percent in (50, 95, 99)]
        rows.append(
            [
                summary.name,
                limit_text(summary),
                str(summary.representative.tasks),
                f"{summary.throughput:.1f}",
                f"{least:.1f}..{most:.1f}",
                f"{summary.median(lambda result: result.late_throughput):.1f}",
                *latencies,
                ratio(summary, NAIVE),
                ratio(summary, BEST),
                str(len(summary.results)),
            ]
        )
    return rows


def bars(title: str, figures: Sequence[tuple[str, float]], unit: str, encoding: str) -> list[str]:
    """Return a bar chart of characters.

    Args:
        title: Its heading.
        figures: A name and a figure each.
        unit: Written behind each figure.
        encoding: Of the stream it goes to; decides which character makes a bar.
    """
    block = "█" if "utf" in encoding.lower() else "#"
    longest = max((figure for _, figure in figures), default=0.0) or 1.0
    wide = max((len(name) for name, _ in figures), default=0)
    lines = [title]
    for name, figure in figures:
        bar = block * max(1, round(BAR_WIDTH * figure / longest))
        lines.append(f"  {name:<{wide}}  {bar} {figure:.1f} {unit}")
    return lines


def decisions_line(result: Result) -> str:
    """Return one line about what the pool decided in a run."""
    if not result.decisions:
        return f"{OURS}: no decisions (limit {result.limit_last})"
    rises = sum(decision["limit"] > decision["limit_before"] for decision in result.decisions)
    cuts = sum(decision["limit"] < decision["limit_before"] for decision in result.decisions)
    vetoes = Counter(decision["veto"] for decision in result.decisions if decision["veto"])
    vetoed = ", ".join(f"{count} {reason}" for reason, count in sorted(vetoes.items())) or "none"
    return (
        f"{OURS}: limit {result.limit_first} at the start, {result.limit_most} at most,"
        f" {result.limit_last} at the end; {len(result.decisions)} decisions:"
        f" {rises} raised it, {cuts} lowered it; vetoes: {vetoed}"
    )


def task_line(summary: Summary) -> str:
    """Return one line about what a task costs, from the sequential runs."""
    cpu_ms = summary.median(lambda result: result.cpu_ns / max(1, len(result.ends_ns)) / 1e6)
    wall_ms = summary.median(lambda result: result.wall_ns / max(1, len(result.ends_ns)) / 1e6)
    where = "one GIL to share" if _has_gil() else f"no GIL and {cores()} cores to share"
    workers = wall_ms / cpu_ms * (1 if _has_gil() else cores())
    return (
        f"one task, alone: {wall_ms:.1f} ms, of which {cpu_ms:.1f} ms on the CPU"
        f" (with {where}, {workers:.0f} workers would keep that busy)"
    )


def shorter_line(sequential: Summary, tasks: int) -> str:
    """Return one line about the frames that the sequential runs were spared."""
    return (
        f"sequential ran the first {sequential.representative.tasks} of the {tasks} frames;"
        f" at its rate all of them take {tasks / sequential.throughput:.0f} s"
    )


def lines(experiment: Experiment, backend: str, encoding: str) -> list[str]:
    """Return the whole report.

    Args:
        experiment: Finished or interrupted.
        backend: The inference backend it used.
        encoding: Of the stream the report goes to.
    """
    summaries = experiment.summaries()
    text = [f"{machine()}; inference: {'NumPy' if backend == 'numpy' else 'pure Python'}", ""]
    if experiment.sweep:
        sweep = [(str(result.strategy.workers), result.throughput) for result in experiment.sweep]
        text += [*bars("standard pool, throughput by number of workers", sweep, "tasks/s", encoding), ""]
    if summaries:
        text += [*table(comparison(summaries)), ""]
        figures = [(summary.name, summary.throughput) for summary in summaries]
        text += [*bars("throughput (median)", figures, "tasks/s", encoding), ""]
        tails = [(summary.name, summary.latency_ms(99)) for summary in summaries]
        text += [*bars("latency of one task, p99 (median)", tails, "ms", encoding), ""]
    named = {summary.name: summary for summary in summaries}
    if SEQUENTIAL in named:
        text.append(task_line(named[SEQUENTIAL]))
    if SEQUENTIAL in named and NAIVE in named:
        text.append(shorter_line(named[SEQUENTIAL], named[NAIVE].representative.tasks))
    if OURS in named:
        text.append(decisions_line(named[OURS].representative))
    return [*text, *experiment.ledger.lines()]
