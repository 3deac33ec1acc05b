"""The processes of the demo: device, service and trials, each ended by the one that started it."""

from __future__ import annotations

import subprocess
import sys
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

PATIENCE_S: Final = 3.0


class Child:
    """A Python module in a process of its own, with lines on its stdout and a lifeline on its stdin."""

    def __init__(self, module: str, *arguments: str) -> None:
        """Start the process.

        Args:
            module: The module, run as ``python -m``.
            *arguments: Its arguments.
        """
        # A session of its own: Ctrl-C in the terminal reaches the demo alone, which then ends its children in
        # order.
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin: IO[str] = self._process.stdin
        self.lines: IO[str] = self._process.stdout

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def wait(self) -> int:
        """Wait for the process to end by itself and return its exit code."""
        return self._process.wait()

    def kill(self) -> None:
        """End the process at once; safe from another thread."""
        self._process.kill()

    def stop(self) -> None:
        """End the process if it still runs: ask, then insist."""
        self._stdin.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self.lines.close()

    def __enter__(self) -> Child:
        """Return the process."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.stop()


def port_of(child: Child) -> int:
    """Return the port that a server process prints as its first line.

    Raises:
        RuntimeError: If it ended before it could serve.
    """
    line = child.lines.readline()
    if not line.strip().isdigit():
        raise RuntimeError(f"a local server did not start (it said {line!r})")
    return int(line)
