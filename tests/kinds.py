"""The pools under test.

A test of what every thread pool does runs on the standard pool too: if that one fails it, the test is wrong.
`SUREFOOT_TEST_STANDARD_ONLY=1` runs that half alone, without the extension.
"""

from __future__ import annotations

import os
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

STANDARD_ONLY = os.environ.get("SUREFOOT_TEST_STANDARD_ONLY") == "1"

if not STANDARD_ONLY:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a debug build says so on import
        import surefoot


def is_free_threaded() -> bool:
    """Whether this interpreter runs without the GIL now."""
    return not getattr(sys, "_is_gil_enabled", lambda: True)()


@dataclass(frozen=True)
class Kind:
    """One class of pool with the options that make it what its name says."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it is the class under test and not the standard one."""
        return self.name != "standard"

    @property
    def cls(self) -> type[ThreadPoolExecutor]:
        """The class itself, to derive from."""
        return surefoot.AdaptiveThreadPoolExecutor if self.ours else ThreadPoolExecutor

    @property
    def future_cls(self) -> type[Any]:
        """The class of its futures."""
        if self.ours:
            return surefoot.Future
        from concurrent.futures import Future

        return Future

    def new(
        self, *args: Any, cls: type[ThreadPoolExecutor] | None = None, **kwargs: Any
    ) -> ThreadPoolExecutor:
        """A pool of this kind; `cls` is a class derived from `self.cls`."""
        return (cls or self.cls)(*args, **{**self.options, **kwargs})

    @property
    def source(self) -> str:
        """Source that defines `Base` and `Pool(...)` in a child process."""
        module, name = (
            ("surefoot", "AdaptiveThreadPoolExecutor")
            if self.ours
            else ("concurrent.futures", "ThreadPoolExecutor")
        )
        return (
            f"from {module} import {name} as Base\n"
            f"OPTIONS = {self.options!r}\n"
            "def Pool(*args, cls=Base, **kwargs):\n"
            "    return cls(*args, **{**OPTIONS, **kwargs})\n"
        )


STANDARD = Kind("standard")
ADAPTIVE = Kind("adaptive")
FIXED = Kind("fixed", {"controller": "fixed"})
ALL = (STANDARD, ADAPTIVE, FIXED)
OURS = (ADAPTIVE, FIXED)
