"""Run a piece of Python in a process of its own, with a time limit.

Whatever may hang, crash or end the interpreter is tested here: the parent survives it, shows what the child
printed, and on a hang lets faulthandler write every thread's stack before the child is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass

LIMIT_S = 90.0


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"

    @property
    def lines(self) -> list[str]:
        """What it printed, by line."""
        return self.out.split("\n")[:-1]


class Child:
    """A running child; `with` makes sure that it is gone at the end."""

    def __init__(
        self, code: str, *parts: str, env: dict[str, str] | None = None, flags: tuple[str, ...] = ()
    ) -> None:
        source = "\n".join(textwrap.dedent(part) for part in (*parts, code))
        self.source = source
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-W", "ignore", *flags, "-c", source],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(env or {})},
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def read_line(self) -> str:
        """The next line that the child prints: how it says that it got somewhere."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def ended(self, limit_s: float = LIMIT_S) -> Ended:
        """Wait for the end; fail with all that is known when it does not come."""
        try:
            out, err = self.process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            try:
                out, err = self.process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                out, err = self.process.communicate()
            hang = Ended(self.process.returncode, out, err)
            raise AssertionError(
                f"the child hung for {limit_s} s\n{hang}\n--- source\n{self.source}"
            ) from None
        return Ended(self.process.returncode, out, err)


def run(
    code: str,
    *parts: str,
    limit_s: float = LIMIT_S,
    env: dict[str, str] | None = None,
    flags: tuple[str, ...] = (),
) -> Ended:
    """Run `parts` and `code`, joined, to the end, whatever the end is."""
    with Child(code, *parts, env=env, flags=flags) as child:
        return child.ended(limit_s)


def run_clean(
    code: str,
    *parts: str,
    limit_s: float = LIMIT_S,
    env: dict[str, str] | None = None,
    flags: tuple[str, ...] = (),
) -> Ended:
    """Run it and require the exit code 0 and nothing on stderr."""
    end = run(code, *parts, limit_s=limit_s, env=env, flags=flags)
    assert end.code == 0, str(end)
    assert end.err == "", str(end)
    return end
