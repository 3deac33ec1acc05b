"""What a run cannot do on this machine, as opposed to what went wrong in it."""

from __future__ import annotations

__all__ = ["UnavailableError"]


class UnavailableError(Exception):
    """A strategy, a workload or a limit cannot exist here; the text says why."""
