"""What the measured process writes and its supervisor reads: plain numbers in shared memory.

Neither side ever waits for the other. A task's entry is two stores into a slot of its own; its end is stored
last, so that a slot with an end is complete.
"""

from __future__ import annotations

import itertools
import mmap
from array import array
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Fact", "Ledger"]

_WORD_BYTES = 8
_COMPLAINT_BYTES = 1024


class Fact(IntEnum):
    """A number that the measured process states of itself."""

    OPENED_NS = 0
    CPU_NS_AT_OPENING = 1
    SWITCHES_VOLUNTARY_AT_OPENING = 2
    SWITCHES_INVOLUNTARY_AT_OPENING = 3
    LIMIT = 4
    WORKERS_LIVE = 5
    FILLED_NS = 6
    SUPERVISOR = 7


class Ledger:
    """Shared memory for at most ``capacity`` tasks; make it before the fork.

    Pages that are never written take no memory.
    """

    def __init__(self, capacity: int) -> None:
        """Map the memory, all zeros."""
        self.capacity = capacity
        facts_bytes = _WORD_BYTES * len(Fact)
        entries_at = facts_bytes + _COMPLAINT_BYTES
        memory = memoryview(mmap.mmap(-1, entries_at + 2 * capacity * _WORD_BYTES))
        self._facts = memory[:facts_bytes].cast("q")
        self._complaint = memory[facts_bytes:entries_at]
        middle = entries_at + capacity * _WORD_BYTES
        self._ends = memory[entries_at:middle].cast("q")
        self._walls = memory[middle:].cast("q")
        self._written = 0

    def state(self, fact: Fact, value: int) -> None:
        """State a number."""
        self._facts[fact] = value

    def read(self, fact: Fact) -> int:
        """Return a number, 0 if it was not stated yet."""
        return self._facts[fact]

    def complain(self, text: str) -> None:
        """Leave the reason of a failure; the first one stays."""
        if not self._complaint[0]:
            encoded = text.encode()[:_COMPLAINT_BYTES] or b"?"
            self._complaint[: len(encoded)] = encoded

    def complaint(self) -> str:
        """Return the reason of a failure, or an empty string."""
        return bytes(self._complaint).rstrip(b"\0").decode(errors="replace")

    def writer(self) -> Callable[[int, int], None]:
        """Return a function that enters a task: when it ended and its wall time, in nanoseconds.

        It may be called from any thread. Tasks beyond the capacity are not entered.
        """
        ends, walls, capacity = self._ends, self._walls, self.capacity
        slot_of_next = itertools.count().__next__

        def enter(end_ns: int, wall_ns: int) -> None:
            slot = slot_of_next()
            if slot < capacity:
                walls[slot] = wall_ns
                ends[slot] = end_ns

        return enter

    def slots_used(self) -> int:
        """Return one more than the last slot that is filled; a few before it may still be empty."""
        while True:
            ahead = array("q", self._ends[self._written : self._written + 4096].tobytes())
            filled = max((at for at, end in enumerate(ahead) if end), default=None)
            if filled is None:
                return self._written
            self._written += filled + 1

    def entries(self) -> list[tuple[int, int]]:
        """Return the end and the wall time of every task entered so far."""
        used = self.slots_used()
        ends = array("q", self._ends[:used].tobytes())
        walls = array("q", self._walls[:used].tobytes())
        return [(end, wall) for end, wall in zip(ends, walls, strict=True) if end]
