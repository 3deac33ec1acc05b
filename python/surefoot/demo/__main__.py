"""``python -m surefoot.demo``: run the experiment, print the report, draw the figure."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.demo import descriptors, figure, inference, record, report
from surefoot.demo.experiment import FULL, QUICK, Experiment, TrialError
from surefoot.demo.interruption import Interruption
from surefoot.demo.live import Live

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError("must be a positive number of seconds")
    return seconds


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m surefoot.demo", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run: one round, a coarse sweep")
    parser.add_argument(
        "--seconds", type=_seconds, metavar="S", help="length of one run of the best static pool"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo-out"), metavar="DIR", help="where figure and record go"
    )
    parser.add_argument(
        "--no-figure", action="store_true", help="draw no figure even if matplotlib is installed"
    )
    parser.add_argument("--inference", choices=inference.BACKENDS, help="default: numpy where installed")
    return parser.parse_args(argv)


def _write(experiment: Experiment, backend: str, arguments: argparse.Namespace, complete: bool) -> None:
    print("\n".join(report.lines(experiment, backend, sys.stdout.encoding or "ascii")))
    if not experiment.sweep:
        return
    print(f"record: {record.write(experiment, backend, complete, arguments.out)}")
    if arguments.no_figure or not experiment.summaries():
        return
    files = figure.draw(experiment, report.machine(), arguments.out)
    print(f"figure: {', '.join(map(str, files))}" if files else "figure: none, matplotlib is not installed")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo and return the exit code.

    Args:
        argv: The arguments, without the program's name.
    """
    arguments = _arguments(argv)
    size = QUICK if arguments.quick else FULL
    if arguments.seconds:
        size = replace(size, run_s=arguments.seconds)
    backend = arguments.inference or inference.best_backend()
    interruption = Interruption()
    interruption.install()
    complete, code = False, 1
    try:
        descriptors.ensure()
        arguments.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="surefoot-demo-") as folder:
            with Experiment(size, backend, Path(folder), Live(sys.stderr), interruption) as experiment:
                try:
                    experiment.run()
                    complete, code = True, 0
                except KeyboardInterrupt:
                    print("interrupted: what was measured until then", file=sys.stderr)
                    code = INTERRUPTED
                except TrialError as error:
                    print(f"error: {error}", file=sys.stderr)
            _write(experiment, backend, arguments, complete)
            if experiment.ledger.faults:
                code = 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        code = 2
    return code


if __name__ == "__main__":
    sys.exit(main())
