"""A thread pool for Python that finds its own size and never walks off the GIL cliff.

``AdaptiveThreadPoolExecutor`` is a drop-in for ``concurrent.futures.ThreadPoolExecutor``::

    from surefoot import AdaptiveThreadPoolExecutor as ThreadPoolExecutor
"""

from typing import TYPE_CHECKING, Any

from surefoot.backpressure import QueueFull
from surefoot.capacity import Cap, default_cap
from surefoot.controllers import Controller, FixedController, KneeController, PaperController
from surefoot.executor import AdaptiveThreadPoolExecutor, Future, __version__
from surefoot.records import Decision, FunctionStats, PoolStats, Shares, Window

if TYPE_CHECKING:
    from surefoot.profile.measuring import profile

__all__ = [
    "AdaptiveThreadPoolExecutor",
    "Cap",
    "Controller",
    "Decision",
    "FixedController",
    "FunctionStats",
    "Future",
    "KneeController",
    "PaperController",
    "PoolStats",
    "QueueFull",
    "Shares",
    "Window",
    "__version__",
    "default_cap",
    "profile",
]


def __getattr__(name: str) -> Any:
    # Most programs never profile: importing surefoot is not to take longer for it.
    if name == "profile":
        import importlib

        return importlib.import_module("surefoot.profile")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
