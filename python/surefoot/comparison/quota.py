"""A quota of CPU time for the measured process, by a control group of its own (Linux).

The group lies beside this process's own, in the hierarchy of the ``cpu`` controller (version 1 or 2), and is
removed at the end.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from surefoot.comparison.unavailable import UnavailableError

__all__ = ["Group", "group"]

_PERIOD_US = 100_000
# The trial: a hundredth of a core for a process that wants all of one.
_TRIAL_CORES = 0.02
_TRIAL_S = 0.3
_REMOVE_S = 5.0


class Group:
    """A control group; the measured process enters it before its first thread."""

    def __init__(self, folder: Path) -> None:
        """Take an existing group."""
        self._folder = folder
        self._is_second = (folder / "cpu.max").exists()

    def set_cores(self, cores: float) -> None:
        """Allow so many cores' time."""
        quota_us = max(1000, round(cores * _PERIOD_US))
        if self._is_second:
            (self._folder / "cpu.max").write_text(f"{quota_us} {_PERIOD_US}")
        else:
            (self._folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (self._folder / "cpu.cfs_quota_us").write_text(str(quota_us))

    def enter(self) -> None:
        """Move the calling process in, with the children it will have."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    def times_throttled(self) -> int:
        """Return how often the quota has stopped the group."""
        for line in (self._folder / "cpu.stat").read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "nr_throttled":
                return int(value)
        return 0

    def remove(self) -> None:
        """Remove the group; the processes in it must have been killed."""
        give_up_s = time.monotonic() + _REMOVE_S
        while True:
            try:
                self._folder.rmdir()
                return
            except OSError:
                # Killed processes leave a moment later.
                if time.monotonic() > give_up_s:
                    raise
                time.sleep(0.01)


@contextlib.contextmanager
def group(cores: float) -> Iterator[Group]:
    """Make a group with a quota, and remove it at the end.

    Call it from a process without other threads: it forks once to see whether the kernel keeps the quota.

    Args:
        cores: The quota: CPU time per time, above 0.

    Raises:
        UnavailableError: If this process may not make one, or the kernel does not keep the quota.
    """
    folder = _parent() / f"surefoot-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        raise UnavailableError(f"no control group can be made here: {error}") from error
    made = Group(folder)
    try:
        try:
            made.set_cores(_TRIAL_CORES)
            _try_out(made)
            made.set_cores(cores)
        except OSError as error:
            raise UnavailableError(f"control groups here take no CPU quota: {error}") from error
        yield made
    finally:
        made.remove()


def _parent() -> Path:
    """Return the folder of this process's group in the hierarchy of the ``cpu`` controller."""
    try:
        memberships = Path("/proc/self/cgroup").read_text().splitlines()
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError as error:
        raise UnavailableError(f"no control groups here: {error}") from error
    paths = {}
    for line in memberships:
        number, controllers, path = line.split(":", 2)
        for controller in controllers.split(",") if number != "0" else [""]:
            paths[controller] = path
    for wanted, kind in (("cpu", "cgroup"), ("", "cgroup2")):
        for line in mounts:
            before, _, after = line.partition(" - ")
            root, place = before.split()[3:5]
            found, _, options = after.split(maxsplit=2)
            if found != kind or wanted not in paths or (wanted and wanted not in options.split(",")):
                continue
            path = paths[wanted]
            inside = path[len(root) :] if root != "/" and path.startswith(root) else path
            folder = Path(place) / inside.lstrip("/")
            if wanted or "cpu" in (folder / "cgroup.controllers").read_text().split():
                if not wanted:
                    # Children get the controller only if their parent passes it on.
                    with contextlib.suppress(OSError):
                        (folder / "cgroup.subtree_control").write_text("+cpu")
                return folder
    raise UnavailableError("no control group with a CPU quota is mounted here")


def _try_out(made: Group) -> None:
    """See whether the quota stops a process that computes.

    Raises:
        UnavailableError: If it does not.
    """
    child = os.fork()
    if child == 0:
        try:
            made.enter()
            end_s = time.monotonic() + _TRIAL_S
            while time.monotonic() < end_s:
                pass
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise UnavailableError("a process may not enter a control group here")
    if made.times_throttled() == 0:
        raise UnavailableError("the kernel takes a CPU quota here, and does not keep it")
