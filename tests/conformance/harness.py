"""Runs CPython's own tests against our executor, each suite in a fresh process of a throwaway environment."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from differences import DIFFERENCES
from suites import SUITES

import interpreters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).resolve().parent

SUITE_LIMIT_S = 240.0
"""For a suite that takes 15 s: reached by a hang alone."""

LIMIT_MARGIN_S = 20.0
"""How long before the end of its time a suite writes every thread's stack and gives up."""

# The single-module suite of 3.10 passes on these versions when the standard class is tested: so they may
# borrow it where their own is missing.
_MAY_BORROW = {("3.11", "test_concurrent_futures"): "3.10", ("3.12", "test_concurrent_futures"): "3.10"}


class SuiteMissingError(Exception):
    """This interpreter came without the suite, and no other one can lend it."""


@dataclass
class Report:
    """What one suite said.

    Attributes:
        suite: Its name in `SUITES`.
        executor: The names of the tested executor class and of its bases.
        future: The same of the future class.
        passed: Ids of tests that passed.
        skipped: Ids of tests that CPython itself skips here, with its reason.
        differences: Ids of tests that failed as `DIFFERENCES` says.
        failures: Ids of tests that should have passed, with what they said; the process itself may be one.
        stale: Ids of tests that passed although `DIFFERENCES` says otherwise.
    """

    suite: str
    executor: list[str] = field(default_factory=list)
    future: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether something ran and nothing is wrong."""
        return bool(self.passed) and not self.failures and not self.stale

    def __str__(self) -> str:
        """One line of counts."""
        counts = f"{len(self.passed)} passed, {len(self.skipped)} skipped by CPython"
        if self.differences:
            counts += f", {len(self.differences)} deliberate differences"
        if self.failures:
            counts += f", {len(self.failures)} FAILED"
        if self.stale:
            counts += f", {len(self.stale)} STALE DIFFERENCES"
        return f"{self.suite}: {counts}"

    def explain(self) -> str:
        """Returns everything that is wrong, in full."""
        parts = [str(self)]
        parts += [f"FAILED {test}\n{detail}" for test, detail in self.failures.items()]
        parts += [f"STALE {test}: listed as a difference, but it passes" for test in self.stale]
        if not self.passed:
            parts.append("no test passed at all")
        return "\n\n".join(parts)


def short_id(test_id: str) -> str:
    """Returns `Class.test` of a full id, which is the same in every version of CPython."""
    return ".".join(test_id.split(".")[-2:])


def lenders(package: str) -> list[Path]:
    """Finds who provides a part of the `test` package to the running interpreter.

    Args:
        package: Such as `test_asyncio`.

    Returns:
        Nothing where the interpreter has it itself; else the files to borrow from another one.

    Raises:
        SuiteMissingError: Nobody has it.
    """
    own = interpreters.probe(Path(sys.executable))
    if own is None or own.tests is None:
        raise SuiteMissingError("this interpreter has no `test` package")
    if importlib.util.find_spec(f"test.{package}"):
        return []
    found = interpreters.find()
    tags = [own.tag]
    if (own.tag, package) in _MAY_BORROW:
        tags.append(_MAY_BORROW[own.tag, package])
    for other in (other for tag in tags for other in found.get(tag, [])):
        for name in (package, f"{package}.py"):
            if other.tests and (other.tests / name).exists():
                # Tests of a later patch release use what its `test.support` brought.
                support = [other.tests / "support"] if other.tag == own.tag else []
                return [other.tests / name, *support]
    raise SuiteMissingError(
        f"CPython {own.version} came without test.{package}, and no CPython {' or '.join(tags)} "
        "was found to borrow it from"
    )


class Environment:
    """A virtual environment whose every process begins with the swap.

    It imports the same `surefoot` as the running interpreter, whose own environment is left alone.

    Attributes:
        python: Its interpreter.
        missing: Parts of CPython's `test` package that cannot be had here, and why.
    """

    def __init__(self, folder: Path) -> None:
        """Makes the environment in an empty folder."""
        # Without pip, so that it works on Debian without python3-venv too.
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", folder],
            check=True,
            capture_output=True,
            timeout=120,
        )
        self.python = folder / "bin" / "python"
        self._borrowed = folder / "borrowed"
        self._borrowed.mkdir()
        (site_packages,) = folder.glob("lib/python3*/site-packages")
        lines = [str(HERE / "swap")]
        spec = importlib.util.find_spec("surefoot")
        if spec is not None and spec.origin is not None:
            lines.append(str(Path(spec.origin).parents[1]))
        self.missing: dict[str, str] = {}
        for package in sorted({suite.package for suite in SUITES.values()}):
            try:
                for source in lenders(package):
                    (self._borrowed / source.name).symlink_to(source)
            except SuiteMissingError as error:
                self.missing[package] = str(error)
        lines.append("import os; os.environ.get('SUREFOOT_TEST_SWAP') and __import__('surefoot_swap')")
        (site_packages / "surefoot_swap.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def variables(self, swap: str) -> dict[str, str]:
        """Returns the environment variables of a process that has `swap` in."""
        misleading = ("PYTHON", "SUREFOOT_DISABLE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(misleading)}
        return kept | {
            "SUREFOOT_TEST_SWAP": swap,
            "SUREFOOT_TEST_BORROWED": str(self._borrowed),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def child(
        self, swap: str, *arguments: str, limit_s: float = SUITE_LIMIT_S
    ) -> tuple[list[Mapping[str, str]], str]:
        """Runs `suite_child.py`.

        Args:
            swap: What stands in the standard class's place.
            arguments: For the child.
            limit_s: After which it and its children are killed.

        Returns:
            The lines it wrote, and how it ended: empty when it ended well.
        """
        with tempfile.TemporaryDirectory() as scratch:
            outcomes = Path(scratch) / "outcomes.jsonl"
            command: list[str | Path] = [
                self.python,
                HERE / "suite_child.py",
                outcomes,
                "--limit-s",
                str(limit_s - LIMIT_MARGIN_S),
            ]
            process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                cwd=scratch,
                env=self.variables(swap),
                start_new_session=True,
            )
            try:
                said, _ = process.communicate(timeout=limit_s)
                ending = (
                    ""
                    if process.returncode == 0
                    else f"ended with status {process.returncode}\n{said[-8000:]}"
                )
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                said, _ = process.communicate()
                ending = f"still running after {limit_s:.0f} s\n{said[-8000:]}"
            written = outcomes.read_text(encoding="utf-8") if outcomes.exists() else ""
            return [json.loads(line) for line in written.splitlines()], ending

    def run(self, name: str, swap: str = "surefoot", limit_s: float = SUITE_LIMIT_S) -> Report:
        """Runs one suite.

        Args:
            name: Of `SUITES`.
            swap: What stands in the standard class's place; `DIFFERENCES` counts for `surefoot` alone.
            limit_s: After which it is killed.

        Returns:
            What it said.

        Raises:
            SuiteMissingError: The interpreter came without it.
        """
        if SUITES[name].package in self.missing:
            raise SuiteMissingError(self.missing[SUITES[name].package])
        lines, ending = self.child(swap, "--suite", name, limit_s=limit_s)
        return reduce(name, lines, ending, DIFFERENCES if swap == "surefoot" else {})

    def _listed(self, package: str, *arguments: str) -> set[str]:
        if package in self.missing:
            raise SuiteMissingError(self.missing[package])
        lines, ending = self.child("standard", *arguments)
        if ending:
            raise RuntimeError(ending)
        return {short_id(line["id"]) for line in lines if line.get("outcome") == "listed"}

    def inventory(self, package: str) -> set[str]:
        """Lists, as short ids, every thread-pool and future test that a package holds."""
        return self._listed(package, "--inventory", package)

    def selection(self, name: str) -> set[str]:
        """Lists, as short ids, the tests that a suite runs."""
        return self._listed(SUITES[name].package, "--suite", name, "--list")


def reduce(name: str, lines: list[Mapping[str, str]], ending: str, differences: Mapping[str, str]) -> Report:
    """Turns the child's lines into a report; the worst outcome of a test counts."""
    report = Report(name)
    outcomes: dict[str, tuple[str, str]] = {}
    for line in lines:
        if "executor" in line:
            report.executor, report.future = list(line["executor"]), list(line["future"])
        elif outcomes.get(line["id"], ("", ""))[0] != "failed":
            outcomes[line["id"]] = line["outcome"], line["detail"]
    for test, (outcome, detail) in outcomes.items():
        listed = short_id(test) in differences
        if outcome == "skipped":
            report.skipped[test] = detail
        elif outcome == "passed":
            (report.stale if listed else report.passed).append(test)
        elif outcome == "failed" and listed:
            report.differences.append(test)
        else:
            report.failures[test] = detail or "it never ended"
    if ending:
        report.failures["the process itself"] = ending
    return report


@contextmanager
def environment() -> Iterator[Environment]:
    """Makes a throwaway environment for the running interpreter."""
    with tempfile.TemporaryDirectory(prefix="surefoot-conformance-") as folder:
        yield Environment(Path(folder) / "environment")
