"""Open files: 256 tasks at once need more of them than some shells allow."""

from __future__ import annotations

import resource
from typing import Final

from surefoot.demo.strategies import NAIVE_WORKERS

NEEDED: Final = 4 * NAIVE_WORKERS + 64
"""A task has a socket to the device, one to the service, and two files in SQLite."""


def ensure() -> None:
    """Raise the soft limit of open files to what the demo needs; children inherit it.

    Raises:
        RuntimeError: If the hard limit is lower than that.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= NEEDED:
        return
    if hard != resource.RLIM_INFINITY and hard < NEEDED:
        raise RuntimeError(
            f"{NAIVE_WORKERS} tasks at once need {NEEDED} open files, but the hard limit (ulimit -Hn) is"
            f" {hard}: raise it and run again"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (NEEDED, hard))
