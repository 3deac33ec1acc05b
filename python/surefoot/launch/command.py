"""The command ``surefoot run``: reads its words, prepares the process, runs the program."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import Any

from surefoot.launch.program import CannotOpenError, Program

USAGE = "surefoot run [OPTIONS] (script.py | -m module | -c code) [ARGS]..."
HELP = f"""Run a Python program as it is, with every ThreadPoolExecutor that it makes adaptive.

Usage: {USAGE}

The program's output and exit code are its own. Its thread pools, and those of the libraries that it uses,
find their own size; `max_workers` is the most they may have. Processes that it starts are not changed.

Options:
      --controller <NAME>  Who decides: knee, paper or fixed [default: knee]
      --max-workers <N>    The most workers of every pool, whatever the program says; a pool of one stays so
      --no-install         Leave the default executors of asyncio and anyio to themselves
      --report <FILE>      Write a report to FILE when the program ends: FILE.html or FILE.json
      --observe            Change nothing: only measure, for --report
  -h, --help               Print help

SUREFOOT_DISABLE=1 in the environment runs the program with nothing changed and nothing measured.
"""

CONTROLLERS = ("knee", "paper", "fixed")
SUFFIXES = (".html", ".json")


class UsageError(Exception):
    """The words are wrong; the text says how."""


@dataclass(frozen=True)
class Wanted:
    """What the words ask for."""

    program: Program
    options: dict[str, Any] = field(default_factory=dict)
    max_workers: int | None = None
    installs: bool = True
    report: str | None = None
    observes: bool = False


def read(words: list[str]) -> Wanted | None:
    """Read the words after ``surefoot run``; ``None`` if they ask for help.

    Raises:
        UsageError: They make no sense.
    """
    rest = list(words)
    given: dict[str, Any] = {}
    while rest and rest[0].startswith("-"):
        name, equals, value = rest[0].partition("=")
        if name in ("-h", "--help"):
            return None
        if name in ("--observe", "--no-install"):
            if equals:
                raise UsageError(f"{name} takes no value")
            given[name] = True
            del rest[0]
        elif name in ("--controller", "--max-workers", "--report"):
            if not equals and len(rest) < 2:
                raise UsageError(f"{name} needs a value")
            given[name] = value if equals else rest[1]
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
    controller = given.get("--controller")
    if controller is not None and controller not in CONTROLLERS:
        raise UsageError(f"--controller is one of {', '.join(CONTROLLERS)}, not {controller!r}")
    report = given.get("--report")
    if report is not None:
        _check_report(report)
    observes = "--observe" in given
    if observes and report is None:
        raise UsageError("--observe measures for a report: give --report FILE.html or FILE.json")
    if observes and ("--controller" in given or "--max-workers" in given):
        raise UsageError("--observe changes nothing: it takes neither --controller nor --max-workers")
    return Wanted(
        program,
        options={} if controller is None else {"controller": controller},
        max_workers=_workers(given.get("--max-workers")),
        installs="--no-install" not in given,
        report=None if report is None else os.path.abspath(report),
        observes=observes,
    )


def _workers(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--max-workers is a whole number from 1 on, not {text!r}")
    return int(text)


def _check_report(path: str) -> None:
    """Find out now, not when the program has run for hours."""
    if not path.endswith(SUFFIXES):
        raise UsageError(f"--report takes a name that ends in {' or '.join(SUFFIXES)}, not {path!r}")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.access(folder, os.W_OK):
        raise UsageError(f"--report: {folder} is no folder that can be written to")
    if os.path.isdir(path) or (os.path.exists(path) and not os.access(path, os.W_OK)):
        raise UsageError(f"--report: {path} cannot be written to")


def main(words: list[str]) -> int:
    """Run ``surefoot run`` with these words; the program's own exit, exceptions and all, passes through.

    Returns:
        0 if the program ran to its end, 2 for wrong words or a script that is not there.
    """
    try:
        wanted = read(words)
    except UsageError as error:
        print(f"surefoot run: {error}\nUsage: {USAGE}", file=sys.stderr)
        return 2
    if wanted is None:
        print(HELP, end="")
        return 0
    if os.environ.get("SUREFOOT_DISABLE") != "1":
        _prepare(wanted)
    try:
        wanted.program.run()
    except CannotOpenError as error:
        if wanted.report is not None:
            from surefoot.profile.at_exit import keep_silent

            keep_silent()
        print(f"surefoot run: {error}", file=sys.stderr)
        return 2
    return 0


def _prepare(wanted: Wanted) -> None:
    from surefoot import executor

    if not executor.is_native:
        print(f"surefoot: {executor._reason}: the program runs as it is", file=sys.stderr)
        return
    if wanted.report is not None:
        # Before anything is replaced: what it imports is to be the standard library's own class.
        from surefoot.profile.at_exit import tell_at_exit

        kind = "--html" if wanted.report.endswith(".html") else "--json"
        tell_at_exit({kind: wanted.report}, is_quiet=True)
    if not wanted.observes:
        from surefoot.launch.replacement import replace

        replace(wanted.options, wanted.max_workers)
        if wanted.installs:
            from surefoot.launch.budget import install_with_asyncio

            install_with_asyncio(wanted.options)
