"""Where the time of a program's threads goes, and which one number to change.

The package is called::

    with surefoot.profile() as profile:
        work()
    print(profile)

    @surefoot.profile
    def fetch(url): ...

    fetch.profile()  # of its calls so far, in whatever threads
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from surefoot.profile.measuring import Profiling, profile
from surefoot.profile.record import (
    Finding,
    FunctionProfile,
    LimitDecision,
    Percentiles,
    PoolProfile,
    Profile,
    Program,
    Setting,
    TimelinePoint,
)

__all__ = [
    "Finding",
    "FunctionProfile",
    "LimitDecision",
    "Percentiles",
    "PoolProfile",
    "Profile",
    "Profiling",
    "Program",
    "Setting",
    "TimelinePoint",
    "profile",
]


class _Callable(ModuleType):
    """Makes ``surefoot.profile`` what it is called: the function, whose parts are modules."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return profile(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
