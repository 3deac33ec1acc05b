"""Ctrl-C, raised only where nothing can be left behind."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Interruption:
    """Turns the first SIGINT or SIGTERM into a `KeyboardInterrupt`; later ones do not disturb the ending."""

    def __init__(self) -> None:
        """Start with nobody asking."""
        self._asked = False
        self._held = False

    def install(self) -> None:
        """Handle SIGINT and SIGTERM from now on; call it in the main thread."""
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, signum: int, frame: FrameType | None) -> None:
        if self._asked:
            return
        self._asked = True
        if not self._held:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Put off the interruption until the end of the block.

        For the moment in which a process runs already and nobody is in charge of ending it yet. Blocking the
        signals would not do: the process would inherit the mask.
        """
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.check()

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if somebody has asked; call it often enough while working.

        A signal may be handled inside a finaliser or a weak reference's callback, and what is raised there is
        printed and dropped by the interpreter.
        """
        if self._asked:
            raise KeyboardInterrupt
