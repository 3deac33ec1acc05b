"""The command ``surefoot profile``: a program as it is, measured."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass

from surefoot.launch.program import CannotOpenError, Program

USAGE = "surefoot profile [OPTIONS] (script.py | -m module | -c code) [ARGS]..."
HELP = f"""Run a Python program as it is; say what its threads did, what limits it, which number to change.

Usage: {USAGE}

The program's output and exit code are its own; the summary goes to the standard error when it ends. Processes
that it starts are not measured.

Options:
      --json <FILE>   Write the record to FILE as JSON
      --html <FILE>   Write a report to FILE
      --trace <FILE>  Write limit, workers and shares over time to FILE, for chrome://tracing or Perfetto
  -q, --quiet         No summary
  -h, --help          Print help
"""


class UsageError(Exception):
    """The words are wrong; the text says how."""


@dataclass(frozen=True)
class Wanted:
    """What the words ask for; ``files`` by option, with absolute paths."""

    program: Program
    files: dict[str, str]
    is_quiet: bool


def read(words: list[str]) -> Wanted | None:
    """Read the words after ``surefoot profile``; ``None`` if they ask for help.

    Raises:
        UsageError: They make no sense.
    """
    rest = list(words)
    files: dict[str, str] = {}
    is_quiet = False
    while rest and rest[0].startswith("-"):
        name, equals, value = rest[0].partition("=")
        if name in ("-h", "--help"):
            return None
        if name in ("-q", "--quiet") and not equals:
            is_quiet = True
            del rest[0]
        elif name in ("--json", "--html", "--trace"):
            if not equals and len(rest) < 2:
                raise UsageError(f"{name} needs a value")
            files[name] = _checked(name, value if equals else rest[1])
            del rest[: 1 if equals else 2]
        elif name == "--":
            del rest[0]
            break
        elif rest[0] == "-" or rest[0][:2] in ("-m", "-c"):
            break
        else:
            raise UsageError(f"unknown option {rest[0]!r}")
    program = Program.of_words(rest)
    if program is None:
        raise UsageError("no program: name a script, -m and a module, or -c and code")
    return Wanted(program, files, is_quiet)


def _checked(name: str, path: str) -> str:
    """Find out now, not when the program has run for hours."""
    path = os.path.abspath(path)
    folder = os.path.dirname(path)
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{name}: {folder} is no folder that can be written to")
    if os.path.isdir(path) or (os.path.exists(path) and not os.access(path, os.W_OK)):
        raise UsageError(f"{name}: {path} cannot be written to")
    return path


def main(words: list[str]) -> int:
    """Run ``surefoot profile`` with these words; the program's own exit, exceptions and all, passes through.

    Returns:
        0 if the program ran to its end, 2 for wrong words or a script that is not there.
    """
    try:
        wanted = read(words)
    except UsageError as error:
        print(f"surefoot profile: {error}\nUsage: {USAGE}", file=sys.stderr)
        return 2
    if wanted is None:
        print(HELP, end="")
        return 0
    if os.environ.get("SUREFOOT_DISABLE") != "1":
        from surefoot.profile.at_exit import tell_at_exit

        tell_at_exit(wanted.files, is_quiet=wanted.is_quiet)
    try:
        wanted.program.run()
    except CannotOpenError as error:
        with contextlib.suppress(ImportError):
            from surefoot.profile.at_exit import keep_silent

            keep_silent()
        print(f"surefoot profile: {error}", file=sys.stderr)
        return 2
    return 0
