"""What a claim is, and what can be said of it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from surefoot.evaluation.choice import NoRecordsError

if TYPE_CHECKING:
    from surefoot.evaluation.estimate import Estimate
    from surefoot.evaluation.reading import Evaluation


class Verdict(enum.Enum):
    """What records say of a claim."""

    HOLDS = "holds"
    PART = "holds in part"
    NOT = "does not hold"
    UNKNOWN = "not measured here"


HOLDS, PART, NOT, UNKNOWN = Verdict


@dataclass(frozen=True)
class Finding:
    """A verdict, and in words what was measured."""

    verdict: Verdict
    measured: str


@dataclass(frozen=True)
class Claim:
    """A claim.

    Attributes:
        key: Its name, for comparing evaluations.
        text: What is claimed.
        place: Where.
        rule: By which rule records are judged, in words.
        judge: The rule; raises `NoRecordsError` if its records are not there.
        why: For the verdicts that can be expected, the reason, written by hand.
    """

    key: str
    text: str
    place: str
    rule: str
    judge: Callable[[Evaluation], Finding]
    why: Mapping[Verdict, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """A claim with its verdict, what was measured, and why."""

    claim: Claim
    verdict: Verdict
    measured: str
    why: str


def decide(*, holds: bool, part: bool, measured: str) -> Finding:
    """Return a finding: it holds, else in part, else not."""
    return Finding(HOLDS if holds else PART if part else NOT, measured)


def outside(reason: str) -> Callable[[Evaluation], Finding]:
    """Return the judge of a claim that no record of this evaluation can judge."""

    def judge(_evaluation: Evaluation) -> Finding:
        return Finding(UNKNOWN, reason)

    return judge


def known(estimate: Estimate | None, what: str) -> Estimate:
    """Return an estimate that must be there.

    Raises:
        NoRecordsError: It is not.
    """
    if estimate is None:
        raise NoRecordsError(f"{what} was not measured")
    return estimate
