"""Judging claims by records, and comparing two evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.evaluation.choice import NoRecordsError
from surefoot.evaluation.claims.catalogue import GROUPS, Group
from surefoot.evaluation.claims.claim import UNKNOWN, Claim, Finding, Judged, Verdict

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation

_NO_RECORDS = "The records of this evaluation do not hold it."


def judge(evaluation: Evaluation) -> list[tuple[Group, list[Judged]]]:
    """Return every claim with its verdict, by group."""
    return [(group, [_judge(claim, evaluation) for claim in group.claims]) for group in GROUPS]


def verdicts(evaluation: Evaluation) -> dict[str, Judged]:
    """Return every claim with its verdict, by key."""
    return {each.claim.key: each for _, judged in judge(evaluation) for each in judged}


def disagreements(one: Evaluation, other: Evaluation) -> list[tuple[Judged, Judged]]:
    """Return the claims of which two evaluations say different things."""
    first, second = verdicts(one), verdicts(other)
    return [(first[key], second[key]) for key in first if first[key].verdict is not second[key].verdict]


def counts(judged: list[tuple[Group, list[Judged]]]) -> dict[Verdict, int]:
    """Return how many claims have each verdict."""
    each = [one.verdict for _, own in judged for one in own]
    return {verdict: each.count(verdict) for verdict in Verdict}


def _judge(claim: Claim, evaluation: Evaluation) -> Judged:
    try:
        finding = claim.judge(evaluation)
    except NoRecordsError as error:
        finding = Finding(UNKNOWN, str(error))
        return Judged(claim, UNKNOWN, finding.measured, _NO_RECORDS)
    return Judged(claim, finding.verdict, finding.measured, claim.why.get(finding.verdict, ""))
