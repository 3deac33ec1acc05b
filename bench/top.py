"""What it costs a process to be watched: 10^5 small tasks a second, watched by ``surefoot top`` and not.

Two processes run the same load in turns, a second at a time, and only one of them at once: one keeps a
snapshot file, the other (``SUREFOOT_NO_SNAPSHOT=1``) does not. The first is measured with a ``surefoot top``
that reads it ten times a second, and without. Run with ``python -m bench.top``.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import alternate
from bench.contenders import require_surefoot
from bench.environment import ROOT, interpreter_name
from bench.estimate import bootstrap, estimate

if TYPE_CHECKING:
    from collections.abc import Iterator

WITHOUT, UNWATCHED, WATCHED = "no snapshot file", "not watched", "watched"
#: Watched over not watched: no less than this counts as unchanged, if the interval reaches 1.
BAR_RATIO = 0.99
#: What the file may add to the monitor's use of a core.
BAR_MONITOR = 0.001
INTERVAL_S = 0.1
RATE, CPU = "tasks_per_s", "cpu_us_per_task"

Samples = dict[str, list[dict[str, float]]]


class _Target:
    """A process of :mod:`bench.top_run`."""

    def __init__(self, folder: str, *, shows: bool) -> None:
        variables = {**os.environ, "SUREFOOT_RUNTIME_DIR": folder}
        variables["SUREFOOT_NO_SNAPSHOT"] = "0" if shows else "1"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.top_run"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=variables,
        )

    def span(self, seconds: float) -> dict[str, float]:
        """Let it work for so long."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        answer: dict[str, float] = json.loads(self.process.stdout.readline())
        return answer

    def __enter__(self) -> _Target:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=60)


@contextmanager
def _watcher(folder: str, pid: int) -> Iterator[None]:
    """Run ``surefoot top`` on a process; it has read once before this goes on."""
    command = [sys.executable, "-m", "surefoot", "top", str(pid), "--json", "--interval-s", str(INTERVAL_S)]
    variables = {**os.environ, "SUREFOOT_RUNTIME_DIR": folder}
    with tempfile.TemporaryFile("w+") as lines:
        top = subprocess.Popen(command, stdout=lines, env=variables)
        try:
            give_up = time.monotonic() + 60
            while os.fstat(lines.fileno()).st_size == 0:
                if top.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError(f"surefoot top shows nothing (exit code {top.poll()})")
                time.sleep(0.01)
            yield
        finally:
            top.terminate()
            top.wait(60)


def measure(rounds: int, seconds: float) -> Samples:
    """Return the spans of each case, in the order measured."""
    samples: Samples = defaultdict(list)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        shown = stack.enter_context(_Target(folder, shows=True))
        hidden = stack.enter_context(_Target(folder, shows=False))
        for target in (shown, hidden):
            target.span(1.0)  # Not counted: threads are made, code is specialised, the file appears.
        for turn in alternate.turns([WITHOUT, UNWATCHED, WATCHED], rounds):
            target = hidden if turn.pool == WITHOUT else shown
            with ExitStack() as watching:
                if turn.pool == WATCHED:
                    watching.enter_context(_watcher(folder, target.process.pid))
                samples[turn.pool].append(target.span(seconds))
    return samples


def block_costs(rounds: int = 20_000) -> tuple[float, float]:
    """Return what it costs to write one block by ``pwrite`` and into a mapping, in microseconds."""
    block = os.urandom(4096)
    with tempfile.TemporaryDirectory() as folder:
        descriptor = os.open(Path(folder) / "file", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, block, 0)
            began = time.perf_counter()
            for _ in range(rounds):
                os.pwrite(descriptor, block, 0)
            written_s = time.perf_counter() - began
            with mmap.mmap(descriptor, 4096) as mapped:
                began = time.perf_counter()
                for _ in range(rounds):
                    mapped[:] = block
                mapped_s = time.perf_counter() - began
        finally:
            os.close(descriptor)
    return written_s / rounds * 1e6, mapped_s / rounds * 1e6


def _ratio(samples: Samples, measure: str, case: str, base: str) -> str:
    ours, theirs = ([span[measure] for span in samples[name]] for name in (case, base))
    interval = bootstrap(
        len(ours), lambda drawn: median(ours[n] for n in drawn) / median(theirs[n] for n in drawn)
    )
    text = f"{median(ours) / median(theirs):.3f}"
    return text if interval is None else f"{text} ({interval.low:.3f} to {interval.high:.3f})"


def table(samples: Samples) -> str:
    """Render the figures and how they compare."""
    lines = [
        f"Python {interpreter_name()}, small tasks, {len(samples[WATCHED])} rounds; medians.",
        "",
        "| case | tasks/s | lowest to highest | CPU us/task | monitor, % of a core |",
        "|---|---|---|---|---|",
    ]
    for case in (WITHOUT, UNWATCHED, WATCHED):
        rates = estimate([span["tasks_per_s"] for span in samples[case]])
        monitor = median(span["monitor_cores"] for span in samples[case])
        cpu_us = median(span["cpu_us_per_task"] for span in samples[case])
        lines.append(
            f"| {case} | {rates.median:,.0f} | {rates.low:,.0f} to {rates.high:,.0f} "
            f"| {cpu_us:.2f} | {100 * monitor:.2f} |"
        )
    watched = median(span["tasks_per_s"] for span in samples[WATCHED])
    ratio = watched / median(span["tasks_per_s"] for span in samples[UNWATCHED])
    added = median(span["monitor_cores"] for span in samples[UNWATCHED]) - median(
        span["monitor_cores"] for span in samples[WITHOUT]
    )
    monitor = median(span["monitor_cores"] for span in samples[WATCHED])
    verdict: dict[bool, str] = {True: "held", False: "missed"}
    written_us, mapped_us = block_costs()
    lines += [
        "",
        f"throughput, watched / not watched: {_ratio(samples, RATE, WATCHED, UNWATCHED)}, "
        f"bar >= {BAR_RATIO}: {verdict[ratio >= BAR_RATIO]}",
        f"throughput, with / without a snapshot file: {_ratio(samples, RATE, UNWATCHED, WITHOUT)}",
        f"CPU of a task, watched / not watched: {_ratio(samples, CPU, WATCHED, UNWATCHED)}, "
        f"with / without a snapshot file: {_ratio(samples, CPU, UNWATCHED, WITHOUT)}",
        f"monitor: {100 * monitor:.2f} % of a core, of which the file {100 * added:+.2f}, "
        f"bar < {100 * BAR_MONITOR:.1f}: {verdict[added < BAR_MONITOR]}",
        f"one block: {written_us:.2f} us by pwrite, {mapped_us:.2f} us into a mapping",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.top", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under 90 seconds")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each span")
    parser.add_argument("--out", type=Path, help="write the spans to this file, one JSON object a line")
    arguments = parser.parse_args()
    require_surefoot()
    samples = measure(arguments.rounds or (9 if arguments.quick else 31), arguments.seconds)
    if arguments.out:
        rows: list[dict[str, Any]] = [
            {"experiment": "top", "case": case, "round": number, **span}
            for case, spans in samples.items()
            for number, span in enumerate(spans)
        ]
        arguments.out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    sys.stdout.write(table(samples))
    return 0


if __name__ == "__main__":
    sys.exit(main())
