"""What the measured process notes of its pool while it runs, and what its supervisor makes of the notes.

The process is killed at the end, so each note is a line in a file, written at once. Both sides have the file
open since before the fork; it has no name.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

from surefoot.workloads.ledger import Fact, Ledger

__all__ = ["Note", "Notes", "Observer", "gil_switches"]

Note = dict[str, Any]
"""``limit`` and ``workers_live``; where they are known ``queued``, ``beta`` (tasks, their mean),
``worker_s``, ``unsplit_s``, ``error``, ``vetoes``, and ``decisions`` since the last note. The observer adds
``at_ns`` and ``gil_switches``."""


class Notes:
    """A file of notes, one JSON object a line; make it before the fork."""

    def __init__(self) -> None:
        """Open an empty file."""
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (it lives as long as this object)

    def write(self, note: Note) -> None:
        """Add a note."""
        self._file.write(json.dumps(note).encode() + b"\n")

    def excuse(self, reason: str) -> None:
        """Say that there can be no measurement here, and why."""
        self.write({"unavailable": reason})

    def excused(self) -> str:
        """Return why there can be no measurement here, or an empty string."""
        return next((note["unavailable"] for note in self.read() if "unavailable" in note), "")

    def read(self) -> list[Note]:
        """Return all that are complete, oldest first."""
        size = os.fstat(self._file.fileno()).st_size
        lines = os.pread(self._file.fileno(), size, 0).split(b"\n")
        # The last one may have been cut short by the kill.
        return [json.loads(line) for line in lines[:-1]]

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


class Observer:
    """Looks at the pool and notes what it sees; called by one thread of the measured process."""

    def __init__(self, see: Callable[[], Note], ledger: Ledger, notes: Notes, *, sees_gil: bool) -> None:
        """Remember where to look.

        Args:
            see: Tells of the pool at this moment.
            ledger: Where the limit and the workers are stated.
            notes: Where all is noted.
            sees_gil: Whether the GIL of this interpreter is the one that the tasks need.
        """
        self._see = see
        self._ledger = ledger
        self._notes = notes
        self._sees_gil = sees_gil

    def look(self) -> None:
        """Take a note."""
        note = self._see()
        note["at_ns"] = time.perf_counter_ns()
        note["gil_switches"] = gil_switches() if self._sees_gil else None
        self._ledger.state(Fact.LIMIT, note["limit"])
        self._ledger.state(Fact.WORKERS_LIVE, note["workers_live"])
        self._notes.write(note)


def gil_switches() -> int | None:
    """Return how often the GIL went from one thread to another so far; ``None`` where that cannot be seen."""
    from surefoot import executor

    if not executor.is_native:
        return None
    from surefoot import _core

    switches = _core.gil_reading().get("switches")
    return None if switches is None else int(switches)


def within(notes: Iterable[Note], begin_ns: int, end_ns: int) -> list[Note]:
    """Return the notes that were taken in a window."""
    return [note for note in notes if begin_ns <= note["at_ns"] <= end_ns]
