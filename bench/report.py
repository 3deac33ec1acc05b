"""The table again from records already taken: ``python -m bench.report FILE.jsonl [--into PAGE.md]``.

A page that shows figures gets them from here, between two marker lines, so that no figure is typed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import records
from bench.table import render

BEGIN = "<!-- bench.report: begin -->"
END = "<!-- bench.report: end -->"


def insert(page: str, table: str, begin: str = BEGIN, end: str = END) -> str:
    """Return the page with the table between its markers.

    Raises:
        ValueError: If the page does not hold both markers once, in order.
    """
    head, begun, rest = page.partition(begin)
    _, ended, tail = rest.partition(end)
    if not begun or not ended:
        raise ValueError(f"the page needs the lines {begin} and {end}")
    return f"{head}{begin}\n{table}{end}{tail}"


def main() -> int:
    """Print the table of some files, or put it into a page."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.jsonl")
    parser.add_argument(
        "--into", type=Path, metavar="PAGE.md", help="put the table between the page's markers"
    )
    arguments = parser.parse_args()
    kept = [
        record for file in arguments.files for record in records.read(file.read_text("utf-8").splitlines())
    ]
    table = render(kept)
    if arguments.into:
        arguments.into.write_text(insert(arguments.into.read_text("utf-8"), table), "utf-8")
    else:
        sys.stdout.write(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
