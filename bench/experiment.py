"""What the three experiments share: their command line, and the stream of records they emit."""

from __future__ import annotations

import argparse
import faulthandler
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench import contenders, environment, records
from bench.child import ChildError
from bench.rows import missed, rows
from bench.table import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.records import Environment, Sample


#: A measurement that hangs ends the experiment, with the stack of every thread. Longer than any
#: child may take, so that a child's own limit, which says more, comes first.
HANG_TIMEOUT_S = 240.0


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes:
        quick: Fewer rounds and sizes: a first look.
        self_check: Compare the standard pool with itself.
        rounds: Overrides the experiment's own number where given.
    """

    quick: bool = False
    self_check: bool = False
    rounds: int | None = None

    def flags(self) -> list[str]:
        """Return the command-line flags that give this plan to another interpreter."""
        flags = ["--quick"] * self.quick + ["--self-check"] * self.self_check
        return flags + ([f"--rounds={self.rounds}"] if self.rounds else [])


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that make up a plan, and ``--check``."""
    parser.add_argument("--quick", action="store_true", help="fewer rounds and sizes: a first look")
    parser.add_argument(
        "--self-check", action="store_true", help="compare the standard pool with itself: the noise floor"
    )
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="rounds, instead of the experiment's own number"
    )
    parser.add_argument("--check", action="store_true", help="exit 1 unless every binding bar is held")


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Read a plan from parsed arguments."""
    return Plan(arguments.quick, arguments.self_check, arguments.rounds)


def main(name: str, run: Callable[[Plan], Iterator[Sample]]) -> int:
    """Run one experiment under this interpreter; return the exit code."""
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.{name}", description=sys.modules["__main__"].__doc__
    )
    add_plan_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="FILE.jsonl", help="append the records to this file")
    parser.add_argument("--jsonl", action="store_true", help="records to standard output, no table")
    arguments = parser.parse_args()
    plan = plan_of(arguments)

    kept: list[Sample | Environment] = []
    failure = ""
    with ExitStack() as stack:
        streams = [sys.stdout] if arguments.jsonl else []
        if arguments.out:
            streams.append(stack.enter_context(arguments.out.open("a", encoding="utf-8")))
        try:
            faulthandler.dump_traceback_later(HANG_TIMEOUT_S, exit=True)
            if not plan.self_check:
                contenders.require_surefoot()
            for record in _all_records(name, plan, run):
                faulthandler.dump_traceback_later(HANG_TIMEOUT_S, exit=True)
                kept.append(record)
                for stream in streams:
                    records.write(record, stream)
        except KeyboardInterrupt:
            failure = "interrupted: what follows is what was measured until then"
        except (ChildError, ImportError, RuntimeError) as error:
            failure = f"{type(error).__name__}: {error}"
    faulthandler.cancel_dump_traceback_later()
    if failure:
        sys.stderr.write(failure + "\n")
    if not arguments.jsonl:
        sys.stdout.write(render(kept))
    return 1 if failure or (arguments.check and missed(rows(kept))) else 0


def _all_records(
    name: str, plan: Plan, run: Callable[[Plan], Iterator[Sample]]
) -> Iterator[Sample | Environment]:
    yield environment.describe(name, self_check=plan.self_check, quick=plan.quick)
    yield from run(plan)
