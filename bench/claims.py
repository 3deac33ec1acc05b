"""The paper's claims, judged by records: ``python -m bench.claims RECORDS... -o docs/claims.md``.

The claims and their rules are in ``surefoot.evaluation.claims``. ``--compare A B`` says whether the verdicts
of two evaluations agree; its exit code is 1 if they do not.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from surefoot.evaluation import read
from surefoot.evaluation.claims import disagreements
from surefoot.evaluation.claims.page import markdown


def compare(first: Path, second: Path) -> int:
    """Print the claims of which two evaluations say different things; return the exit code."""
    found = disagreements(read([first]), read([second]))
    for one, other in found:
        print(f"{one.claim.key}: {one.verdict.value} | {other.verdict.value}")
        print(f"  {first}: {one.measured}\n  {second}: {other.measured}")
    print(f"{len(found)} verdicts differ" if found else "all verdicts agree")
    return 1 if found else 0


def main(argv: list[str] | None = None) -> int:
    """Do as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.claims", description=__doc__)
    parser.add_argument(
        "records", nargs="*", type=Path, metavar="RECORDS", help="files written by surefoot compare"
    )
    parser.add_argument(
        "-o", "--out", type=Path, metavar="PAGE.md", help="the page [default: standard output]"
    )
    parser.add_argument(
        "--compare", nargs=2, type=Path, metavar=("A", "B"), help="say whether verdicts agree"
    )
    given = parser.parse_args(argv)
    if bool(given.records) == bool(given.compare):
        parser.error("either RECORDS or --compare A B")
    try:
        if given.compare:
            return compare(*given.compare)
        page = markdown(read(given.records))
    except (OSError, ValueError) as error:
        print(f"bench.claims: {error}", file=sys.stderr)
        return 1
    if given.out is None:
        sys.stdout.write(page)
    else:
        given.out.write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
