"""The paper's claims, one by one: where it makes them, by which rule records judge them, and why.

A verdict is computed from records by the rule that is written beside the claim; nothing else decides it.
"""

from surefoot.evaluation.claims.catalogue import GROUPS, Group
from surefoot.evaluation.claims.claim import Claim, Finding, Judged, Verdict
from surefoot.evaluation.claims.judging import disagreements, judge

__all__ = ["GROUPS", "Claim", "Finding", "Group", "Judged", "Verdict", "disagreements", "judge"]
