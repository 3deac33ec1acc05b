"""Runs a how-to page as its reader would.

The convention: after the title may stand `<!-- requires: fastapi, program:redis-server -->`. The page's
```python blocks, in order, are one program, run in an empty folder; one that starts with `# file: NAME` is
written to that file instead, as is a ```toml block that does. The ```console blocks hold `$ command` lines,
which one shell runs afterwards in the same folder; their other lines show output. What is not to be run is
```text.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from debian import program

LIMIT_S = 60.0
LANGUAGES = frozenset({"python", "toml", "console", "text"})

_REQUIRES = re.compile(r"^<!-- requires: (.*?) -->$", re.MULTILINE)
_FILE = re.compile(r"# file: (\S+)\n")


class PageFailedError(AssertionError):
    """What a page says does not work, or it breaks the convention."""


@dataclass(frozen=True)
class Block:
    """A fenced block and the line of the page that its text starts at."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Page:
    """What there is to run on a page."""

    requires: tuple[str, ...]
    files: dict[str, str]
    program: str
    commands: tuple[str, ...]


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    found: list[Block] = []
    language, start, lines = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        if language is None:
            if line.startswith("```"):
                language, start, lines = line[3:].strip(), number + 1, []
        elif line == "```":
            found.append(Block(language, "".join(f"{each}\n" for each in lines), start))
            language = None
        else:
            lines.append(line)
    if language is not None:
        raise PageFailedError(f"the block before line {start} does not end")
    return found


def read(text: str) -> Page:
    """Return what there is to run; the program's lines keep their numbers on the page."""
    requires = [name.strip() for each in _REQUIRES.findall(text) for name in each.split(",")]
    files: dict[str, str] = {}
    code = ""
    commands: list[str] = []
    for block in blocks(text):
        named = _FILE.match(block.text)
        if block.language not in LANGUAGES:
            raise PageFailedError(f"line {block.line}: a block is one of {', '.join(sorted(LANGUAGES))}")
        if block.language in {"python", "toml"} and named:
            files[named[1]] = block.text
        elif block.language == "python":
            code += "\n" * (block.line - 1 - code.count("\n")) + block.text
        elif block.language == "console":
            commands += [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
    if not (files or code or commands):
        raise PageFailedError("nothing on this page is run")
    return Page(tuple(requires), files, code, tuple(commands))


def missing(page: Page) -> list[str]:
    """Return what the page requires and this environment has not."""
    return [name for name in page.requires if not _is_here(name)]


def _is_here(name: str) -> bool:
    if name.startswith("program:"):
        return program(name.removeprefix("program:")) is not None
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # The parent of a dotted name.
        return False


def run(page: Page, folder: Path, limit_s: float = LIMIT_S) -> None:
    """Run a page's program and then its commands in an empty folder.

    Raises:
        PageFailedError: With what was printed.
    """
    for name, text in page.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    if page.program:
        (folder / "page.py").write_text(page.program, "utf-8")
        _run([sys.executable, "page.py"], folder, limit_s)
    if page.commands:
        _run(["sh", "-exc", "\n".join(page.commands)], folder, limit_s)


def _run(command: list[str], folder: Path, limit_s: float) -> None:
    misleading = {"PYTHONPATH", "PYTHONHOME"}
    kept = {name: value for name, value in os.environ.items() if name not in misleading}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**kept, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=limit_s)
        how = f"exit code {process.returncode}"
    except subprocess.TimeoutExpired:
        _end(process)
        said, _ = process.communicate()
        how = f"still running after {limit_s:g} s"
    finally:
        _end(process)
    if process.returncode != 0:
        raise PageFailedError(f"{' '.join(command)}: {how}\n{said}")


def _end(process: subprocess.Popen[str]) -> None:
    """End the command and what it left running: the session is its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
