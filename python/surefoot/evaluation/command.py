"""The command ``surefoot report``: records as one page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from surefoot.evaluation.reading import read


def main(words: list[str]) -> int:
    """Run ``surefoot report`` with these words.

    Returns:
        0 if the page was written, 1 if records or page cannot be had, 2 for wrong words or no matplotlib.
    """
    parser = argparse.ArgumentParser(
        prog="surefoot report",
        description="Show records of surefoot compare as one HTML page: figures, tables, claims.",
    )
    parser.add_argument(
        "records", type=Path, nargs="+", metavar="RECORDS", help="files written by surefoot compare"
    )
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="the page [default: as the first file, .html]"
    )
    try:
        given = parser.parse_args(words)
    except SystemExit as stop:
        return 0 if not stop.code else 2
    out: Path = given.out if given.out is not None else given.records[0].with_suffix(".html")
    try:
        evaluation = read(given.records)
        # matplotlib is asked for only here: help and wrong words do not need it.
        from surefoot.evaluation.html import html

        out.write_text(html(evaluation), "utf-8")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        print(
            f"surefoot: the report's figures need matplotlib: {sys.executable} -m pip install "
            "'surefoot[plot]'",
            file=sys.stderr,
        )
        return 2
    except (OSError, ValueError) as error:
        print(f"surefoot report: {error}", file=sys.stderr)
        return 1
    print(out)
    return 0
