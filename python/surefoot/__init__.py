"""A thread pool for Python that finds its own size and never walks off the GIL cliff.

``AdaptiveThreadPoolExecutor`` is a drop-in for ``concurrent.futures.ThreadPoolExecutor``::

    from surefoot import AdaptiveThreadPoolExecutor as ThreadPoolExecutor
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from surefoot.backpressure import QueueFull
from surefoot.capacity import Cap, default_cap
from surefoot.controllers import Controller, FixedController, KneeController, PaperController
from surefoot.executor import AdaptiveThreadPoolExecutor, Future, __version__
from surefoot.records import Decision, FunctionStats, PoolStats, Shares, Window
from surefoot.registry import pools

if TYPE_CHECKING:
    from surefoot.installation import Installation, install, uninstall
    from surefoot.profile.measuring import profile

# What most programs do not use is loaded by the first use of its name.
_LATER = {
    "Installation": "surefoot.installation",
    "install": "surefoot.installation",
    "uninstall": "surefoot.installation",
}

__all__ = [
    "AdaptiveThreadPoolExecutor",
    "Cap",
    "Controller",
    "Decision",
    "FixedController",
    "FunctionStats",
    "Future",
    "Installation",
    "KneeController",
    "PaperController",
    "PoolStats",
    "QueueFull",
    "Shares",
    "Window",
    "__version__",
    "default_cap",
    "install",
    "pools",
    "profile",
    "uninstall",
]


def __getattr__(name: str) -> Any:
    if name == "profile":
        # The package itself, which can be called.
        return import_module("surefoot.profile")
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value
