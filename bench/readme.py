"""The README's figure and tables from records: ``python -m bench.readme RECORDS...``.

Between each pair of markers ``<!-- bench.readme: NAME -->`` and ``<!-- bench.readme: end NAME -->`` stands
what the records say, so that no figure is typed. ``--check`` changes nothing; its exit code is 1 if the page
is out of step.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench.report import insert
from surefoot.evaluation import Evaluation, choice, contest, facts, read, tables, words
from surefoot.evaluation.claims import Verdict, judge
from surefoot.evaluation.claims.judging import counts
from surefoot.evaluation.figures import strategy

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
_SHOWN = ("static", "static-best", "paper", "betapool", "knee")


def opening(evaluation: Evaluation) -> str:
    """Return the first figure, and the first table: the paper's three strategies, its library, and ours."""
    parts = ["![Throughput and tail latency by number of threads](docs/figures/opening.svg)", ""]
    parts += [
        "| | tasks/s | of static best | p99 ms | of static best |",
        "|---|---|---|---|---|",
    ]
    for workload in ("micro", "stated"):
        runs = choice.some(evaluation, "solutions", workload=workload)
        best = contest.best(runs)
        for row in strategy.rows(runs, runs.first.python):
            if row.strategy not in _SHOWN:
                continue
            cells = [f"`{workload}`: {_name(row)}"]
            for metric in ("tasks_per_s", "wall_ms_p99"):
                value, ratio = row.runs.median(metric), row.runs.ratio(best, metric)
                cells += [
                    tables.NOTHING if value is None else words.digits(value.value),
                    tables.NOTHING if ratio is None else words.within(ratio),
                ]
            parts.append("| " + " | ".join(cells) + " |")
    parts += ["", _caption(evaluation)]
    return "\n".join(parts) + "\n"


def _name(row: strategy.Row) -> str:
    return f"**surefoot** (`{row.strategy}`)" if row.strategy == "knee" else f"{row.name}"


def _caption(evaluation: Evaluation) -> str:
    runs = choice.some(evaluation, "solutions", workload="micro")
    machine = dict(facts.facts(evaluation))["machine"]
    return (
        "`micro`: 1,000 additions and a sleep of 0.1 ms, the workload behind the paper's figures; "
        "`stated`: 10 ms of Python and a sleep of 50 ms, "
        "the one in its text. *Static best* is the best size of the standard pool, found by a sweep. "
        f"CPython {runs.first.interpreter.name}; {machine}; medians, "
        f"95 % bootstrap intervals."
    )


def claims(evaluation: Evaluation) -> str:
    """Return how many of the paper's claims hold, and what the seven profiles say of our pool."""
    number = counts(judge(evaluation)[:-1])
    said = ", ".join(f"{number[verdict]} {verdict.value}" for verdict in Verdict)
    lines = [f"Of {sum(number.values())} claims of the paper: {said}: [claim by claim](docs/claims.md).", ""]
    return "\n".join([*lines, tables.markdown(tables.profiles(evaluation))]) + "\n"


SECTIONS: dict[str, Callable[[Evaluation], str]] = {"opening": opening, "claims": claims}


def markers(name: str) -> tuple[str, str]:
    """Return the lines between which a section stands."""
    return f"<!-- bench.readme: {name} -->", f"<!-- bench.readme: end {name} -->"


def filled(page: str, evaluation: Evaluation) -> str:
    """Return the page with its sections as the records have them.

    Raises:
        ValueError: A marker is missing.
        NoRecordsError: Records are missing.
    """
    for name, section in SECTIONS.items():
        page = insert(page, section(evaluation), *markers(name))
    return page


def main(argv: list[str] | None = None) -> int:
    """Do as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.readme", description=__doc__)
    parser.add_argument(
        "records", nargs="+", type=Path, metavar="RECORDS", help="files written by surefoot compare"
    )
    parser.add_argument(
        "--into", type=Path, default=README, metavar="PAGE.md", help="the page [default: README.md]"
    )
    parser.add_argument("--check", action="store_true", help="only say whether the page is in step")
    given = parser.parse_args(argv)
    page = given.into.read_text("utf-8")
    try:
        new = filled(page, read(given.records))
    except (OSError, ValueError, choice.NoRecordsError) as error:
        print(f"bench.readme: {error}", file=sys.stderr)
        return 1
    if given.check:
        if new != page:
            print(f"bench.readme: {given.into} is out of step with the records", file=sys.stderr)
        return int(new != page)
    given.into.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
