"""All claims, in the order in which a reader meets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from surefoot.evaluation.claims import (
    bars,
    beta,
    cause,
    cliff,
    latency,
    outside,
    paradox,
    resources,
    solution,
)

if TYPE_CHECKING:
    from surefoot.evaluation.claims.claim import Claim


@dataclass(frozen=True)
class Group:
    """Claims that belong together."""

    title: str
    claims: tuple[Claim, ...]


GROUPS = (
    Group("The saturation cliff", (*cliff.CLAIMS, *cause.CLAIMS)),
    Group("Latency", latency.CLAIMS),
    Group("The OS-GIL paradox", paradox.CLAIMS),
    Group("Beta and the veto", beta.CLAIMS),
    Group("The solution", solution.CLAIMS),
    Group("Memory, free threading, quotas", resources.CLAIMS),
    Group("Outside of what is measured", outside.CLAIMS),
    Group("This project's own bars", bars.CLAIMS),
)
"""Every claim; the last group is not the paper's."""
