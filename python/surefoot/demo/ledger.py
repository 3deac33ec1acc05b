"""The ledger: is every frame stored exactly once in every run, with the same result as in every other run?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from surefoot.demo.actuator import Row, checksum
from surefoot.demo.frame import condition_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class Ledger:
    """Collects the rows of run after run and compares them with the first row seen for each frame."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._reference: dict[int, Row] = {}
        self._runs = 0
        self._rows = 0
        self.faults: list[str] = []
        """What is wrong, one line each; empty is good."""

    def add(self, name: str, frames: int, rows: Sequence[Row]) -> None:
        """Check the rows of one run.

        Args:
            name: The run, for the fault lines.
            frames: It had to store the frames 0 up to this number.
            rows: What it stored.
        """
        self._runs += 1
        self._rows += len(rows)
        times = Counter(row.frame for row in rows)
        lost = [frame for frame in range(frames) if not times[frame]]
        twice = [frame for frame, count in times.items() if count > 1]
        foreign = [frame for frame in times if not 0 <= frame < frames]
        other = [row.frame for row in rows if self._reference.setdefault(row.frame, row) != row]
        faults = (("lost", lost), ("stored twice", twice), ("never asked for", foreign), ("different", other))
        for what, which in faults:
            if which:
                self.faults.append(f"{name}: {len(which)} frames {what}, the first is frame {min(which)}")

    def lines(self) -> list[str]:
        """Return the verdict, as lines for the report."""
        if self.faults:
            return ["results NOT verified:", *(f"  {fault}" for fault in self.faults)]
        rows = [self._reference[frame] for frame in sorted(self._reference)]
        right = sum(row.label == condition_of(row.frame) for row in rows)
        return [
            f"results verified: {self._runs} runs, {self._rows} rows; each run stored each of its frames"
            " once, none lost, none twice,",
            f"  and the same row as the other runs: {len(rows)} frames, sha256 {checksum(rows)[:16]};",
            f"  the model named the condition that the device simulated in {right} of them",
        ]
