"""The claims as a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.evaluation import facts
from surefoot.evaluation.claims.claim import Judged, Verdict
from surefoot.evaluation.claims.judging import counts, judge

if TYPE_CHECKING:
    from surefoot.evaluation.claims.catalogue import Group
    from surefoot.evaluation.reading import Evaluation

HEADER = "<!-- Written by `python -m bench.claims`, from records: do not edit. -->"
_INTRODUCTION = """\
What the paper claims, and what this evaluation measured. Each verdict is computed from records by the rule
below its table; the reasons are written by hand, one for each verdict that can be expected. In brackets: 95 %
bootstrap interval. *Static best* is the best size of the standard pool, found by a sweep and measured afresh
beside the others."""


def markdown(evaluation: Evaluation) -> str:
    """Return the page."""
    judged = judge(evaluation)
    parts = [
        HEADER,
        "# The paper's claims, measured",
        _INTRODUCTION,
        facts.markdown(evaluation),
        _summary(judged),
    ]
    for group, own in judged:
        parts += [f"## {group.title}", _table(own), _rules(own)]
    return "\n\n".join(parts) + "\n"


def _summary(judged: Sequence[tuple[Group, list[Judged]]]) -> str:
    paper, ours = list(judged[:-1]), list(judged[-1:])
    rows = ["| | " + " | ".join(verdict.value for verdict in Verdict) + " |", "|---|---|---|---|---|"]
    for name, groups in (("the paper's claims", paper), ("this project's own bars", ours)):
        number = counts(groups)
        rows.append(f"| {name} | " + " | ".join(str(number[verdict]) for verdict in Verdict) + " |")
    return "\n".join(rows)


def _table(judged: Sequence[Judged]) -> str:
    rows = ["| claim | where | measured here | verdict | why |", "|---|---|---|---|---|"]
    for each in judged:
        cells = (each.claim.text, each.claim.place, each.measured, f"**{each.verdict.value}**", each.why)
        rows.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _rules(judged: Sequence[Judged]) -> str:
    items = "\n".join(f"- *{each.claim.text}* {each.claim.rule}" for each in judged)
    return f"<details><summary>Rules</summary>\n\n{items}\n\n</details>"
