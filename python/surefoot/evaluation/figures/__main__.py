"""``python -m surefoot.evaluation.figures RECORDS... -o FOLDER [--only NAME ...]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from surefoot.evaluation import read
from surefoot.evaluation.figures import CATALOGUE, draw_all


def main() -> int:
    """Draw as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m surefoot.evaluation.figures",
        description="Draw the figures of an evaluation, as SVG and PNG.",
    )
    parser.add_argument(
        "records", type=Path, nargs="+", metavar="RECORDS", help="files written by surefoot compare"
    )
    parser.add_argument("-o", "--out", type=Path, default=Path("docs/figures"), metavar="FOLDER")
    parser.add_argument("--only", nargs="+", choices=[entry.name for entry in CATALOGUE], metavar="NAME")
    given = parser.parse_args()
    try:
        files, left_out = draw_all(read(given.records), given.out, given.only)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        print(
            f"surefoot: figures need matplotlib: {sys.executable} -m pip install 'surefoot[plot]'",
            file=sys.stderr,
        )
        return 2
    except (OSError, ValueError) as error:
        print(f"surefoot: {error}", file=sys.stderr)
        return 1
    print(f"{len(files) // 2} figures in {given.out}")
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
