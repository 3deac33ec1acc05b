"""Run the experiments under one or more interpreters and print one table: ``python -m bench``."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bench import records
from bench.environment import ROOT
from bench.experiment import add_plan_arguments, plan_of
from bench.rows import missed, rows
from bench.table import render

if TYPE_CHECKING:
    from bench.experiment import Plan
    from bench.records import Environment, Sample

EXPERIMENTS = ("overhead", "micro", "memory")


def main() -> int:
    """Run, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--python",
        action="append",
        metavar="PATH",
        help="an interpreter that has surefoot installed (repeatable; default: this one)",
    )
    parser.add_argument("--only", choices=EXPERIMENTS, action="append", help="an experiment (repeatable)")
    parser.add_argument("--out", type=Path, metavar="FILE.jsonl", help="write the records to this file")
    add_plan_arguments(parser)
    arguments = parser.parse_args()
    plan = plan_of(arguments)
    kept: list[Sample | Environment] = []
    failures: list[str] = []
    with ExitStack() as stack:
        out = stack.enter_context(arguments.out.open("w", encoding="utf-8")) if arguments.out else None
        try:
            for python in arguments.python or [sys.executable]:
                if shutil.which(python) is None:
                    sys.stderr.write(f"{python}: no such interpreter, left out\n")
                    continue
                for experiment in arguments.only or EXPERIMENTS:
                    failures += _run(python, experiment, plan, kept, out)
        except KeyboardInterrupt:
            failures.append("interrupted: the table shows what was measured until then")
    sys.stdout.write(render(kept))
    for failure in failures:
        sys.stderr.write(failure + "\n")
    late = missed(rows(kept))
    if arguments.check:
        for row in late:
            sys.stderr.write(f"missed: {row.experiment}, {row.case}, {row.interpreter}: {row.ratio:.2f}x\n")
    return 1 if failures or not kept or (arguments.check and late) else 0


def _run(
    python: str,
    experiment: str,
    plan: Plan,
    kept: list[Sample | Environment],
    out: IO[str] | None,
) -> list[str]:
    """Run one experiment under one interpreter, keep its records as they come, return what failed."""
    started = time.monotonic()
    command = [python, "-m", f"bench.{experiment}", "--jsonl", *plan.flags()]
    count = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            record = records.parse(line)
            kept.append(record)
            count += 1
            if out:
                records.write(record, out)
            _progress(f"{python} {experiment}: {count} records, {time.monotonic() - started:.0f} s")
    _progress(f"{python} {experiment}: {count} records, {time.monotonic() - started:.0f} s", end="\n")
    return [] if process.returncode == 0 else [f"{python} -m bench.{experiment}: exit {process.returncode}"]


def _progress(text: str, end: str = "") -> None:
    """Show where the run is; on a terminal in place, elsewhere only the last line."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}{end}")
    elif end:
        sys.stderr.write(text + end)
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
