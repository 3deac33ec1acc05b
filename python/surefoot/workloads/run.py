"""Run one workload on one pool, once, and print one JSON object.

``python -m surefoot.workloads.run --workload micro --pool standard --threads 8 --cores 1 --seconds 1.5``

One process, one run: threads, caches and the allocator of an earlier run cannot disturb a later one. The
output has units in its names; ``surefoot cliff`` adds the machine and the interpreter.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from typing import TYPE_CHECKING

from surefoot import workloads
from surefoot.workloads import closed_loop, pools

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run as the command line says, print the report and return the exit code."""
    args = _parse(argv)
    try:
        report = _run(args)
    except (RuntimeError, OSError, ValueError, ImportError) as error:
        report = {"error": str(error) or type(error).__name__}
    print(json.dumps(report), flush=True)
    return 1 if "error" in report else 0


def _run(args: argparse.Namespace) -> dict[str, object]:
    workload = workloads.load(args.workload)
    span = closed_loop.Span.usual(args.seconds, args.seconds_max, args.tasks)
    allowed = sorted(os.sched_getaffinity(0))
    cores = args.cores if args.cores is not None else len(allowed)
    if cores > len(allowed):
        raise RuntimeError(f"asked for {cores} cores, this process may use {len(allowed)}")

    def make_pool() -> ThreadPoolExecutor:
        # In the measured process and before its first thread, so that all of its threads inherit it. Helper
        # processes of a workload stand for other devices, and keep all cores.
        os.sched_setaffinity(0, allowed[:cores])
        return pools.make(args.pool, args.threads)

    with workload.setup(args.threads) as make_task:
        measurement = closed_loop.measure(
            make_pool, make_task, threads=args.threads, task_s_min=workload.TASK_S_MIN, span=span
        )
    return {
        "workload": args.workload,
        "pool": args.pool,
        "threads": args.threads,
        "cores": cores,
        **dataclasses.asdict(measurement),
        "switch_interval_s": sys.getswitchinterval(),
        "params": dict(workload.PARAMS),
    }


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m surefoot.workloads.run", description=__doc__)
    parser.add_argument("--workload", required=True, choices=workloads.NAMES)
    parser.add_argument("--pool", required=True, choices=pools.NAMES)
    parser.add_argument("--threads", required=True, type=_count)
    parser.add_argument("--cores", type=_count, help="default: all this process may use")
    parser.add_argument("--tasks", type=_count, help="run that many tasks instead of a time")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of the window")
    parser.add_argument(
        "--seconds-max", type=float, default=60.0, help="the window closes here at the latest"
    )
    return parser.parse_args(argv)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


if __name__ == "__main__":
    sys.exit(main())
