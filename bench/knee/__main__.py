"""Measure whether the pool finds its size: ``python -m bench.knee``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench import child, environment
from bench.child import ChildError
from bench.environment import ROOT
from bench.knee import plan, records
from bench.knee.neighbours import DISTURBED_CORES
from bench.knee.rows import rows
from bench.knee.table import render

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.knee.records import Run

_Item = TypeVar("_Item")


def _listed(kind: Callable[[str], _Item]) -> Callable[[str], tuple[_Item, ...]]:
    def parse(text: str) -> tuple[_Item, ...]:
        return tuple(kind(part) for part in text.split(",") if part)

    return parse


def _workload(name: str) -> str:
    if name not in plan.WORKLOADS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(plan.WORKLOADS)}")
    return name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.knee", description=__doc__, epilog=f"workloads: {', '.join(plan.WORKLOADS)}"
    )
    parser.add_argument("--quick", action="store_true", help="shorter runs, fewer rounds and sizes")
    parser.add_argument("--only", type=_listed(_workload), default=plan.WORKLOADS, metavar="NAME,NAME")
    parser.add_argument("--python", metavar="PATH", help="an interpreter that has surefoot installed")
    parser.add_argument("--cores", type=_listed(int), default=(1, 2), metavar="N,N")
    parser.add_argument("--cap", type=_listed(int), default=(64, 256), metavar="N,N", help="caps of our pool")
    parser.add_argument("--controller", metavar="NAME", help="ours with this one instead of its default")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="rounds, instead of each workload's own number"
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="length of a run, instead of 6 (quick: 3)")
    parser.add_argument(
        "--calm",
        type=float,
        default=0.0,
        metavar="S",
        help="wait up to S seconds for a quiet machine before each run, and repeat a disturbed one",
    )
    parser.add_argument("--out", type=Path, metavar="FILE.jsonl", help="append the records to this file")
    parser.add_argument(
        "--report", type=Path, metavar="FILE.jsonl", help="measure nothing: the table of a file"
    )
    parser.add_argument("--check", action="store_true", help="exit 1 unless every bar holds")
    return parser


def main() -> int:
    """Run, print, and return the exit code."""
    arguments = _parser().parse_args()
    if arguments.report:
        kept = records.read(arguments.report.read_text(encoding="utf-8").splitlines())
        sys.stdout.write(render(kept))
        return _exit_code(kept, check=arguments.check)
    if arguments.python:
        _become(arguments.python)
    kept, failures = _measure(arguments)
    sys.stdout.write(render(kept))
    for failure in failures:
        sys.stderr.write(failure + "\n")
    return 1 if failures else _exit_code(kept, check=arguments.check)


def _measure(arguments: argparse.Namespace) -> tuple[list[Run], list[str]]:
    """Make the runs, one workload after the other; a workload that fails does not end the others."""
    kept: list[Run] = []
    failures: list[str] = []
    began = time.time()
    available = len(environment.usable_cores())
    with ExitStack() as stack:
        out = stack.enter_context(arguments.out.open("a", encoding="utf-8")) if arguments.out else None
        facts = environment.describe("knee", self_check=False, quick=arguments.quick)
        if out:
            records.write(facts, out)
        busy = facts.facts["cores_busy_before"]
        sys.stderr.write(f"Python {facts.interpreter}, others keep {busy:.2f} cores busy\n")
        session = plan.Session(
            amounts=child.measure("bench.knee.calibrate", {}),
            began=began,
            quick=arguments.quick,
            rounds=arguments.rounds,
            caps=arguments.cap,
            controller=arguments.controller,
            seconds=arguments.seconds,
            calm_s=arguments.calm,
        )
        try:
            for workload in arguments.only:
                for cores in arguments.cores:
                    if cores > available:
                        failures.append(f"{workload}: only {available} cores here, {cores} asked for")
                        continue
                    try:
                        for run in plan.run(session, workload, cores):
                            kept.append(run)
                            if out:
                                records.write(run, out)
                            _progress(run, began)
                    except ChildError as error:
                        failures.append(f"{workload}, {cores} cores: {error}")
        except KeyboardInterrupt:
            failures.append("interrupted: the table shows what was measured until then")
    return kept, failures


def _become(python: str) -> None:
    """Go on under another interpreter: parent and children are then the same one."""
    path = shutil.which(python)
    if path is None:
        raise SystemExit(f"{python}: no such interpreter")
    rest = _without_option(sys.argv[1:], "--python")
    os.chdir(ROOT)
    os.execv(path, [path, "-m", "bench.knee", *rest])


def _without_option(words: Sequence[str], option: str) -> list[str]:
    kept, skip = [], False
    for word in words:
        if not skip and word != option and not word.startswith(option + "="):
            kept.append(word)
        skip = word == option and not skip
    return kept


def _progress(run: Run, began: float) -> None:
    shown = run.measures.get("tasks_per_s", run.measures.get("elapsed_s", 0.0))
    others = run.measures.get("others_cores") or 0.0
    sys.stderr.write(
        f"{time.time() - began:6.0f} s  {run.workload} {run.case} cores={run.cores} {run.contender} "
        f"{run.role} {run.round} {run.variant}: {shown:.4g}"
        + (f"  (others: {others:.1f} cores)" if others > DISTURBED_CORES else "")
        + "\n"
    )


def _exit_code(kept: Sequence[Run], *, check: bool) -> int:
    if not check:
        return 0
    return 1 if not kept or any(row.verdict.startswith("MISSED") for row in rows(kept)) else 0


if __name__ == "__main__":
    sys.exit(main())
