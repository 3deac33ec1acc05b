"""The future of a submitted call."""

from __future__ import annotations

from concurrent.futures import _base
from typing import TypeVar

from surefoot import _core

T = TypeVar("T")


class Future(_core.FutureCore, _base.Future[T]):  # type: ignore[override]
    """``concurrent.futures.Future`` with its state in Rust; every method and attribute is the same.

    ``_condition`` and ``_waiters`` are made when somebody asks for them.
    """

    # The standard __init__ would make the condition at once.
    __init__ = object.__init__
