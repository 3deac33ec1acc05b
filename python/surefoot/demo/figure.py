"""The figure, where matplotlib is installed: throughput, latency, and how our pool found its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.demo.experiment import BEST, NAIVE, OURS, SEQUENTIAL, Experiment

if TYPE_CHECKING:
    from pathlib import Path

    from surefoot.demo.result import Result, Summary

COLOURS = {SEQUENTIAL: "#8c8c8c", NAIVE: "#d1495b", BEST: "#30638e", OURS: "#2a9d6f"}
CURVE_STEP_S = 0.5


def curve(result: Result) -> tuple[list[float], list[float]]:
    """Return times in s and tasks/s over a run, in steps of `CURVE_STEP_S` without the last, partial one."""
    counts = [0] * int(result.wall_ns / 1e9 / CURVE_STEP_S)
    for end_ns in result.ends_ns:
        step = int(end_ns / 1e9 / CURVE_STEP_S)
        if step < len(counts):
            counts[step] += 1
    return [(i + 0.5) * CURVE_STEP_S for i in range(len(counts))], [count / CURVE_STEP_S for count in counts]


def draw(experiment: Experiment, subtitle: str, folder: Path) -> list[Path]:
    """Draw the figure as PNG and SVG and return the files; none where matplotlib is not installed.

    Args:
        experiment: With at least one strategy measured.
        subtitle: What it was measured on.
        folder: Where the files go; it exists.
    """
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        return []
    summaries = experiment.summaries()
    figure, panels = plt.subplots(2, 2, figsize=(11, 7.5), layout="constrained")
    _throughput(panels[0][0], summaries)
    _latency(panels[0][1], summaries)
    _sweep(panels[1][0], experiment, summaries)
    _over_time(panels[1][1], summaries)
    figure.suptitle(
        f"Edge AI pipeline: sensor, preprocessing, inference, service, actuator\n{subtitle}", fontsize=10
    )
    files = [folder / "demo.png", folder / "demo.svg"]
    for file in files:
        figure.savefig(file, dpi=150)
    plt.close(figure)
    return files


def _throughput(panel: Any, summaries: list[Summary]) -> None:
    for place, summary in enumerate(summaries):
        least, most = summary.range(lambda result: result.throughput)
        middle = summary.throughput
        spread = [[middle - least], [most - middle]]
        panel.bar(place, middle, color=COLOURS[summary.name], yerr=spread, capsize=4)
        panel.annotate(
            f"{middle:.0f}", (place, most), ha="center", va="bottom",
            xytext=(0, 3), textcoords="offset points",
        )  # fmt: skip
    panel.set_xticks(range(len(summaries)), [summary.name for summary in summaries])
    panel.set_ylabel("tasks/s")
    panel.margins(y=0.12)
    panel.set_title("Throughput: median, least and most")


def _latency(panel: Any, summaries: list[Summary]) -> None:
    for place, summary in enumerate(summaries):
        for offset, percent, opacity in ((-0.27, 50, 0.45), (0.0, 95, 0.7), (0.27, 99, 1.0)):
            height = summary.latency_ms(percent)
            panel.bar(place + offset, height, 0.25, color=COLOURS[summary.name], alpha=opacity)
            panel.annotate(
                f"p{percent}", (place + offset, height), ha="center", va="bottom", fontsize=7,
                xytext=(0, 2), textcoords="offset points",
            )  # fmt: skip
    panel.set_xticks(range(len(summaries)), [summary.name for summary in summaries])
    panel.set_ylabel("ms")
    panel.margins(y=0.1)
    panel.set_title("Latency of one task, start to stored (median of the runs)")


def _sweep(panel: Any, experiment: Experiment, summaries: list[Summary]) -> None:
    workers = [result.strategy.workers for result in experiment.sweep]
    throughputs = [result.throughput for result in experiment.sweep]
    panel.plot(workers, throughputs, "o-", color=COLOURS[BEST], label="sweep")
    for summary in summaries:
        if summary.name in (NAIVE, OURS):
            panel.plot(
                summary.representative.limit_last, summary.throughput, "D",
                color=COLOURS[summary.name], label=summary.name,
            )  # fmt: skip
    panel.set_xscale("log", base=2)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.set_ylim(bottom=0)
    panel.set_xlabel("workers (surefoot: its last limit)")
    panel.set_ylabel("tasks/s")
    panel.legend(fontsize=8)
    panel.set_title("Standard pool by size")


def _over_time(panel: Any, summaries: list[Summary]) -> None:
    for summary in summaries:
        times, rates = curve(summary.representative)
        panel.plot(times, rates, color=COLOURS[summary.name], label=summary.name)
    panel.set_xlabel("s")
    panel.set_ylabel("tasks/s")
    panel.set_ylim(bottom=0)
    lines, labels = panel.get_legend_handles_labels()
    for summary in summaries:
        if summary.name == OURS:
            other = panel.twinx()
            looks = summary.representative.progress
            other.step(
                [look.at_s for look in looks], [look.limit for look in looks],
                where="post", color=COLOURS[OURS], linestyle=":", label="surefoot's limit",
            )  # fmt: skip
            other.set_ylabel("limit")
            other.set_ylim(bottom=0)
            more_lines, more_labels = other.get_legend_handles_labels()
            lines, labels = lines + more_lines, labels + more_labels
    panel.legend(lines, labels, fontsize=8, loc="lower right")
    panel.set_title("Over time (the median run of each)")
