"""Chooses the executor: the native one, or the standard one under its name.

The standard one is taken if ``SUREFOOT_DISABLE=1`` is set when surefoot is imported, or if the
native extension cannot be loaded, as in a sub-interpreter.
"""

from __future__ import annotations

import logging
import os
import warnings
from typing import TYPE_CHECKING

logger = logging.getLogger("surefoot")
logger.addHandler(logging.NullHandler())


def _why_standard() -> str | None:
    if os.environ.get("SUREFOOT_DISABLE") == "1":
        return "SUREFOOT_DISABLE=1 is set"
    try:
        from surefoot import _core
    except ImportError as error:
        return f"the native extension cannot be loaded ({error})"
    if _core.IS_DEBUG_BUILD:
        warnings.warn(
            "surefoot was built without optimisation: its figures mean nothing",
            RuntimeWarning,
            stacklevel=2,
        )
    return None


_reason = _why_standard()
is_native = _reason is None
"""Whether the pools are surefoot's own, not the standard library's under its name."""

if TYPE_CHECKING or is_native:
    # Asking `importlib.metadata` would take as long as all the rest of the import.
    from surefoot._core import __version__
    from surefoot.adaptive import AdaptiveThreadPoolExecutor
    from surefoot.futures import Future
else:
    from concurrent.futures import Future
    from importlib import metadata

    from surefoot.standard_pool import StandardThreadPoolExecutor

    logger.warning("%s: AdaptiveThreadPoolExecutor is the standard pool", _reason)
    try:
        __version__ = metadata.version("surefoot")
    except metadata.PackageNotFoundError:
        __version__ = "0+unknown"
    AdaptiveThreadPoolExecutor = type("AdaptiveThreadPoolExecutor", (StandardThreadPoolExecutor,), {})

__all__ = ["AdaptiveThreadPoolExecutor", "Future", "__version__", "is_native"]
