"""A thread pool for Python that finds its own size and never walks off the GIL cliff.

``AdaptiveThreadPoolExecutor`` is a drop-in for ``concurrent.futures.ThreadPoolExecutor``::

    from surefoot import AdaptiveThreadPoolExecutor as ThreadPoolExecutor
"""

from surefoot.backpressure import QueueFull
from surefoot.capacity import Cap, default_cap
from surefoot.controllers import Controller, FixedController, KneeController, PaperController
from surefoot.executor import AdaptiveThreadPoolExecutor, Future, __version__
from surefoot.records import Decision, FunctionStats, PoolStats, Shares, Window
from surefoot.registry import pools

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
    "pools",
]
