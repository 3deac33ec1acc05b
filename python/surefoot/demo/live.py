"""The live line: on a terminal one line that is rewritten, elsewhere one plain line a trial."""

from __future__ import annotations

import shutil
from typing import TextIO

from surefoot.demo.result import Progress


class Live:
    """Shows how a trial goes, on stderr, so that the report on stdout stays clean."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a stream.

        Args:
            stream: Rewritten in place if it is a terminal.
        """
        self._stream = stream
        self._terminal = stream.isatty()
        self._title = ""
        self._before = Progress(0.0, 0, 0, 0)

    def begin(self, title: str) -> None:
        """Start the line of a trial."""
        self._title = title
        self._before = Progress(0.0, 0, 0, 0)
        self._rewrite(title)

    def show(self, look: Progress, tasks: int) -> None:
        """Show a look at the trial.

        Args:
            look: The newest.
            tasks: How many tasks the trial has in all.
        """
        rate = (look.done - self._before.done) / max(1e-9, look.at_s - self._before.at_s)
        self._before = look
        self._rewrite(
            f"{self._title:<34} {look.done:>6}/{tasks:<6} {rate:>7.1f} tasks/s"
            f"   limit {look.limit:>4}   queue {look.queue_length:>6}"
        )

    def end(self, text: str) -> None:
        """End the line of a trial with what came out.

        Args:
            text: The outcome, behind the title.
        """
        self._clear()
        self._stream.write(f"{self._title:<34} {text}\n")
        self._stream.flush()

    def abandon(self) -> None:
        """Drop the line of a trial that did not finish."""
        self._clear()

    def _clear(self) -> None:
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _rewrite(self, text: str) -> None:
        if self._terminal:
            # A line longer than the terminal would wrap, and the next rewrite would leave its head behind.
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r\x1b[K" + text[:width])
            self._stream.flush()
