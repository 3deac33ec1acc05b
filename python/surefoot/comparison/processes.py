"""The measured process and its descendants, as /proc shows them: memory, CPU time, context switches.

Elsewhere than on Linux there is no /proc, and nothing is known of descendants or of shared memory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Tree", "Used"]

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# A look walks every page table of the tree; it may take that part of a core's time.
_COST_SHARE = 0.02
_LOOK_S_MIN = 0.1
_END_S = 10.0


@dataclass(frozen=True)
class Used:
    """What descendants have used, summed over those that live.

    Attributes:
        cpu_s: CPU time.
        switches_voluntary: Context switches of threads that waited for something.
        switches_involuntary: Context switches of threads that could have gone on.
    """

    cpu_s: float = 0.0
    switches_voluntary: int = 0
    switches_involuntary: int = 0

    def __sub__(self, before: Used) -> Used:
        """Return what was used since."""
        return Used(
            max(0.0, self.cpu_s - before.cpu_s),
            max(0, self.switches_voluntary - before.switches_voluntary),
            max(0, self.switches_involuntary - before.switches_involuntary),
        )


class Tree:
    """Watches a process and, if asked, its descendants; for :func:`surefoot.workloads.closed_loop.watch`."""

    def __init__(self, *, has_descendants: bool) -> None:
        """Begin with nothing seen.

        Args:
            has_descendants: Whether to look for descendants at all, as that reads all of /proc.
        """
        self._has_descendants = has_descendants
        self._descendants: list[int] = []
        self._first: Used | None = None
        self._last = Used()
        self._next_look_s = 0.0
        self.processes = 1
        self.rss_bytes_max: int | None = None
        self.pss_bytes_max: int | None = None

    def look(self, root: int, is_last: bool) -> None:
        """Look, if it is time or the last time."""
        begin_s = time.monotonic()
        if begin_s < self._next_look_s and not is_last:
            return
        self._descendants = descendants(root) if self._has_descendants else []
        members = [root, *self._descendants]
        self.processes = max(self.processes, len(members))
        self.rss_bytes_max = _most(self.rss_bytes_max, [_rss_bytes(member) for member in members])
        pss = [_pss_bytes(member) for member in members]
        # Pages that the tree shares with its supervisor, which forked it, are counted in part there.
        self.pss_bytes_max = _most(self.pss_bytes_max, [*pss, _shared_pss_bytes(os.getpid())])
        if self._first is None:
            self._first = _used(self._descendants)
        if is_last:
            self._last = _used(self._descendants)
        took_s = time.monotonic() - begin_s
        self._next_look_s = begin_s + max(_LOOK_S_MIN, took_s / _COST_SHARE)

    def used_by_descendants(self) -> Used:
        """Return what the descendants have used between the first and the last look."""
        return self._last - (self._first or Used())

    def end(self) -> None:
        """Kill the descendants that were seen, and wait until they are gone."""
        for member in self._descendants:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        give_up_s = time.monotonic() + _END_S
        while any(_lives(member) for member in self._descendants) and time.monotonic() < give_up_s:
            time.sleep(0.002)


def descendants(root: int) -> list[int]:
    """Return the ids of the processes that a process has started, and of those that these have."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    ahead = [root]
    while ahead:
        ahead = [child for parent in ahead for child in children.get(parent, ())]
        found += ahead
    return found


def _stat(process: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name: state, parent, ...; none if it is gone."""
    try:
        return (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _lives(process: int) -> bool:
    fields = _stat(process)
    return bool(fields) and fields[0] not in "ZX"


def _used(processes: list[int]) -> Used:
    cpu_s, voluntary, involuntary = 0.0, 0, 0
    for process in processes:
        fields = _stat(process)
        if fields:
            cpu_s += (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
        for status in _PROC.glob(f"{process}/task/*/status"):
            with contextlib.suppress(OSError):
                for line in status.read_text().splitlines():
                    name, _, value = line.partition(":")
                    if name == "voluntary_ctxt_switches":
                        voluntary += int(value)
                    elif name == "nonvoluntary_ctxt_switches":
                        involuntary += int(value)
    return Used(cpu_s, voluntary, involuntary)


def _rss_bytes(process: int) -> int | None:
    try:
        return int((_PROC / str(process) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return None


def _pss_bytes(process: int) -> int | None:
    fields = _rollup_bytes(process)
    return fields.get("Pss")


def _shared_pss_bytes(process: int) -> int | None:
    """Return a process's part of the memory that it shares."""
    fields = _rollup_bytes(process)
    if "Pss" not in fields:
        return None
    private = sum(value for name, value in fields.items() if name.startswith("Private_"))
    return max(0, fields["Pss"] - private)


def _rollup_bytes(process: int) -> dict[str, int]:
    found = {}
    with contextlib.suppress(OSError):
        for line in (_PROC / str(process) / "smaps_rollup").read_text().splitlines()[1:]:
            name, _, rest = line.partition(":")
            if rest.endswith(" kB"):
                found[name] = int(rest.split()[0]) * 1024
    return found


def _most(before: int | None, parts: list[int | None]) -> int | None:
    """Return the larger of what was known and the sum of the parts, of which one may be unknown."""
    known = [part for part in parts if part is not None]
    # A process may have ended while we looked: what is left is a lower bound, and so is no new maximum.
    return before if len(known) < len(parts) else max(before or 0, sum(known))
