"""Run one workload under one strategy, once, and print one JSON object.

``python -m surefoot.comparison.run --workload micro --strategy static --threads 8 --cores 1 --seconds 2``

One process, one run. What is printed is the measurement, with units in its names. A run that went wrong
prints ``{"error": ...}`` and exits with 1; one that this machine cannot do prints ``{"unavailable": ...}``
and exits with 3. ``docs/howto/workloads.md`` describes each field.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from surefoot.comparison import findings, parameters, quota, strategies, work
from surefoot.comparison.notes import Notes
from surefoot.comparison.processes import Tree
from surefoot.comparison.stage import Stage
from surefoot.comparison.unavailable import UnavailableError
from surefoot.workloads import closed_loop
from surefoot.workloads.ledger import Fact

if TYPE_CHECKING:
    from surefoot.workloads import AsyncTask, Task

__all__ = ["main"]

FAILED = 1
UNAVAILABLE = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run as the command line says, print the measurement and return the exit code."""
    try:
        report, code = _run(_parse(argv)), 0
    except UnavailableError as reason:
        report, code = {"unavailable": str(reason)}, UNAVAILABLE
    except Exception as error:
        # Workloads and strategies are anybody's code.
        report, code = {"error": str(error) or type(error).__name__}, FAILED
    print(json.dumps(report), flush=True)
    return code


def _run(args: argparse.Namespace) -> dict[str, Any]:
    span = closed_loop.Span(args.seconds, max(args.seconds, args.seconds_max), args.warmup_s)
    allowed = sorted(os.sched_getaffinity(0))
    cores = args.cores if args.cores is not None else len(allowed)
    if cores > len(allowed):
        raise UnavailableError(f"asked for {cores} cores, this process may use {len(allowed)}")
    strategy = strategies.find(args.strategy)
    given = parameters.parse(args.parameter)
    _, defaults = work.declared(args.workload)
    for_work, options = parameters.chosen(given, defaults, strategy.parameters)
    workload = work.resolve(args.workload, for_work)
    threads_most = strategy.threads_most(args.threads)

    ledger = closed_loop.make_ledger(span)
    tree = Tree(has_descendants=strategy.has_descendants)
    with contextlib.ExitStack() as stack:
        notes = stack.enter_context(contextlib.closing(Notes()))
        group = stack.enter_context(quota.group(args.quota_cores)) if args.quota_cores is not None else None
        make_task, make_async_task = _prepare(stack, workload, strategy, threads_most)
        stage = Stage(
            workload, make_task, make_async_task, args.threads, cores, options, ledger, notes, args.timeline_s
        )

        def run() -> None:
            # Before the first thread, so that all of them inherit it. Helper processes of a workload stand
            # for other devices, and keep all cores.
            os.sched_setaffinity(0, allowed[:cores])
            if group is not None:
                group.enter()
            try:
                strategy.run(stage)
            except UnavailableError as reason:
                notes.excuse(str(reason))
                raise

        try:
            measurement, window = closed_loop.watch(
                run, ledger, span, lambda: max(1, ledger.read(Fact.LIMIT)), tree.look
            )
        except RuntimeError:
            if notes.excused():
                raise UnavailableError(notes.excused()) from None
            raise
        finally:
            tree.end()
        noted = notes.read()
    ends_ns = [end for end, _ in ledger.entries()]
    return {
        **_with_descendants(dataclasses.asdict(measurement), tree),
        **findings.of_window(noted, window),
        "timeline": None if args.timeline_s is None else findings.timeline(noted, window, ends_ns),
    }


def _prepare(
    stack: contextlib.ExitStack, workload: work.Work, strategy: strategies.Strategy, threads: int
) -> tuple[Callable[[], Task] | None, Callable[[], AsyncTask] | None]:
    """Have the workload prepare what the strategy needs."""
    if strategy.prepares == "nothing":
        return None, None
    if strategy.prepares == "coroutine":
        setup = workload.setup_async(threads)
        if setup is not None:
            return None, stack.enter_context(setup)
    return stack.enter_context(workload.setup(threads)), None


def _with_descendants(measured: dict[str, Any], tree: Tree) -> dict[str, Any]:
    """Add what the descendants of the measured process have used to what it has used itself."""
    for name, used in dataclasses.asdict(tree.used_by_descendants()).items():
        measured[name] += used
    rss_bytes = tree.rss_bytes_max
    measured["rss_bytes_max"] = max(measured["rss_bytes_max"], rss_bytes or 0)
    return {**measured, "processes": tree.processes, "pss_bytes_max": tree.pss_bytes_max}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m surefoot.comparison.run", description=__doc__)
    parser.add_argument("--workload", required=True, help="a name, or a file that ends with .py")
    parser.add_argument("--strategy", required=True, help="likewise")
    parser.add_argument("--threads", type=_count, help="the size, or the cap, of the pool")
    parser.add_argument("--cores", type=_count, help="default: all this process may use")
    parser.add_argument("--quota-cores", type=_above_zero, help="CPU time per time, by a control group")
    parser.add_argument("--seconds", type=_above_zero, default=1.5, help="length of the window")
    parser.add_argument(
        "--seconds-max", type=_above_zero, default=60.0, help="the window closes here at the latest"
    )
    parser.add_argument("--warmup-s", type=_seconds, default=0.5, help="time before the window")
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="KEY=VALUE", help="of workload or strategy"
    )
    parser.add_argument("--timeline-s", type=_above_zero, help="note the pool's state that often")
    return parser.parse_args(argv)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.0 <= value < float("inf"):
        raise ValueError(text)
    return value


def _above_zero(text: str) -> float:
    value = _seconds(text)
    if value == 0.0:
        raise ValueError(text)
    return value


if __name__ == "__main__":
    sys.exit(main())
