"""Builds the extension and runs the tests on every supported CPython of this machine.

    python3 tests/matrix.py                          # every interpreter found
    python3 tests/matrix.py --list                   # only say what is found and what is missing
    python3 tests/matrix.py --only 3.13,3.14t --quick
    python3 tests/matrix.py --skip 3.11 -- -k shutdown -x
    python3 tests/matrix.py --only 3.14,3.14t --build # no tests: ready to measure with

Interpreters come from `SUREFOOT_PYTHONS="path:path"`, `python3.10` to `python3.14t` on PATH, pyenv, and
ready-built ones under the cache folder. One that is absent is named and is no failure. Everything is kept in
`target/matrix`, and a second run builds again only what changed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import environment
import interpreters
from interpreters import Interpreter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "target" / "matrix"
ALL = "not own"
QUICK = f"{ALL} and not chaos and not slow"

# All builds leave their library in the same place, so there is one at a time.
_building = threading.Lock()
_BUILD_LIMIT_S = 1800.0
_TEST_LIMIT_S = 3600.0

# What a wheel is made from.
_SOURCES = ("crates", "python", "Cargo.toml", "Cargo.lock", "pyproject.toml", "README.md", "LICENSE")


class StepFailedError(Exception):
    """Something before the tests failed; the text says what, and what it printed."""


@dataclass(frozen=True)
class Verdict:
    """How one interpreter did.

    Attributes:
        interpreter: Which one.
        ok: Whether the extension was built and no test failed.
        said: The counts, or why there are none.
        missing: Test requirements that cannot be had for this interpreter.
        took_s: How long it took, the build included.
    """

    interpreter: Interpreter
    ok: bool
    said: str
    missing: tuple[str, ...]
    took_s: float

    def __str__(self) -> str:
        """One line."""
        without = f", without {', '.join(self.missing)}" if self.missing else ""
        word = "ok    " if self.ok else "FAILED"
        who = f"{self.interpreter.tag:<6} {self.interpreter.version:<8}"
        return f"{who} {word} {self.said}{without}, {self.took_s:.0f} s"


def _project() -> dict[str, object]:
    """Reads pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return dict(tomllib.load(file))


def _requirements(*path: str) -> list[str]:
    """Returns one list of requirements of pyproject.toml."""
    found: object = _project()
    for key in path:
        assert isinstance(found, dict)
        found = found[key]
    assert isinstance(found, list)
    return [str(requirement) for requirement in found]


def _fingerprint(*also: str) -> str:
    """Returns a digest of everything a wheel is made from."""
    digest = hashlib.sha256("\0".join(also).encode())
    for source in (ROOT / name for name in _SOURCES):
        for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if file.is_file() and file.suffix not in {".so", ".pyc"}:
                digest.update(f"\0{file.relative_to(ROOT)}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _stamped(stamp: Path, fingerprint: str) -> bool:
    """Whether a step was done already for exactly this input."""
    return stamp.exists() and stamp.read_text(encoding="utf-8") == fingerprint


def _logged(command: Sequence[str | Path], log: Path, limit_s: float, **variables: str) -> int | None:
    """Runs a command with its output in a file.

    Returns:
        Its exit status; None if it was still running at the limit and was killed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    misleading = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    kept = {name: value for name, value in os.environ.items() if name not in misleading}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=kept | variables,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            process.kill()
            process.wait()


def _tail(log: Path, lines: int = 60) -> str:
    """Returns the end of a log, and where the rest is."""
    text = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([*text[-lines:], f"(all of it: {log.relative_to(ROOT)})"])


def _maturin() -> Path:
    """Returns maturin, from an environment of its own."""
    try:
        python = environment.create(WORK / "tools")
        environment.install(python, *_requirements("build-system", "requires"))
    except environment.EnvironmentFailedError as error:
        raise StepFailedError(f"maturin could not be installed:\n{error}") from error
    return python.with_name("maturin")


def _build(interpreter: Interpreter, python: Path, maturin: Path) -> None:
    """Builds a release wheel and installs it, unless the same one is installed already."""
    folder = WORK / interpreter.tag
    stamp = folder / "wheel.stamp"
    fingerprint = _fingerprint(interpreter.version, str(interpreter.executable))
    if _stamped(stamp, fingerprint):
        return
    stamp.unlink(missing_ok=True)
    wheels = folder / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    command: list[str | Path] = [
        maturin,
        "build",
        "--release",
        "--compatibility",
        "linux",
        "-i",
        python,
        "--out",
        wheels,
    ]
    log = folder / "build.txt"
    # One target folder for all: what does not name PyO3 is compiled once. Not the developer's own, where
    # every change of interpreter would have PyO3 compiled anew.
    if _logged(command, log, _BUILD_LIMIT_S, CARGO_TARGET_DIR=str(WORK / "cargo")) != 0:
        raise StepFailedError(f"the extension does not build:\n{_tail(log)}")
    try:
        environment.install(
            python, *map(str, wheels.glob("*.whl")), options=["--force-reinstall", "--no-deps"]
        )
    except environment.EnvironmentFailedError as error:
        raise StepFailedError(f"the wheel cannot be installed:\n{error}") from error
    stamp.write_text(fingerprint, encoding="utf-8")


def _install_requirements(interpreter: Interpreter, python: Path) -> tuple[str, ...]:
    """Installs what the tests need, and returns what cannot be had as a wheel for this interpreter."""
    stamp = WORK / interpreter.tag / "requirements.stamp"
    requirements = _requirements("dependency-groups", "test")
    fingerprint = "\n".join(requirements)
    if _stamped(stamp, fingerprint):
        return ()
    missing = []
    for requirement in requirements:
        try:
            environment.install(python, requirement, options=["--only-binary", ":all:"])
        except environment.EnvironmentFailedError as error:
            if requirement.startswith("pytest"):
                raise StepFailedError(f"{requirement} cannot be installed:\n{error}") from error
            missing.append(requirement)
    if not missing:
        stamp.write_text(fingerprint, encoding="utf-8")
    return tuple(missing)


def _counts(report: Path) -> str:
    """Reads the counts from pytest's XML report."""
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in suites:
        for kind in totals:
            totals[kind] += int(suite.get(kind, "0"))
    passed = totals["tests"] - totals["failures"] - totals["errors"] - totals["skipped"]
    return f"{passed} passed, {totals['failures'] + totals['errors']} failed, {totals['skipped']} skipped"


def _test(interpreter: Interpreter, python: Path, pytest_args: Sequence[str]) -> tuple[bool, str]:
    """Runs pytest; returns whether all is well, and the counts."""
    folder = WORK / interpreter.tag
    report, log = folder / "pytest.xml", folder / "pytest.txt"
    report.unlink(missing_ok=True)
    command: list[str | Path] = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
        "-o",
        "junit_family=xunit1",  # the tests record what they measured
        *pytest_args,
    ]
    status = _logged(command, log, _TEST_LIMIT_S)
    if status == 0:
        return True, _counts(report)
    print(_tail(log), flush=True)
    if status is None:
        return False, f"still running after {_TEST_LIMIT_S:.0f} s"
    with contextlib.suppress(OSError, ElementTree.ParseError):
        return False, _counts(report)
    return False, f"pytest ended with status {status}"


def run_one(interpreter: Interpreter, maturin: Path, pytest_args: Sequence[str] | None) -> Verdict:
    """Builds, installs and tests with one interpreter.

    Args:
        interpreter: Which one.
        maturin: The program that builds wheels.
        pytest_args: For pytest; None to run no tests.

    Returns:
        How it did.
    """
    start = time.monotonic()
    missing: tuple[str, ...] = ()
    try:
        python = environment.create(WORK / interpreter.tag / "environment", interpreter.executable)
        missing = _install_requirements(interpreter, python)
        with _building:
            _build(interpreter, python, maturin)
        ok, said = (True, "built") if pytest_args is None else _test(interpreter, python, pytest_args)
    except (StepFailedError, environment.EnvironmentFailedError) as error:
        print(error, flush=True)
        ok, said = False, str(error).splitlines()[0].rstrip(":")
    return Verdict(interpreter, ok, said, missing, time.monotonic() - start)


def _choose(only: Iterable[str], skip: Iterable[str]) -> tuple[list[Interpreter], list[str]]:
    """Returns one interpreter for each wanted tag, and the tags that have none."""
    interpreters.unpack_archives()
    found = interpreters.find()
    wanted = [tag for tag in interpreters.TAGS if tag in set(only or interpreters.TAGS) - set(skip)]
    return [found[tag][0] for tag in wanted if tag in found], [tag for tag in wanted if tag not in found]


def _tags(text: str) -> list[str]:
    """Parses `3.13,3.14t`."""
    tags = [tag for tag in text.split(",") if tag]
    for tag in tags:
        if tag not in interpreters.TAGS:
            raise argparse.ArgumentTypeError(f"{tag!r} is none of {', '.join(interpreters.TAGS)}")
    return tags


def main() -> int:
    """Runs the matrix and prints one line per interpreter."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=_tags, default=[], metavar="TAGS", help="such as 3.13,3.14t")
    parser.add_argument("--skip", type=_tags, default=[], metavar="TAGS", help="such as 3.11")
    parser.add_argument("--quick", action="store_true", help=f"only tests that are {QUICK!r}")
    parser.add_argument(
        "--jobs", type=int, default=3, help="interpreters at a time (default 3: the tests mostly wait)"
    )
    parser.add_argument("--build", action="store_true", help="build and install, run no tests")
    parser.add_argument("--list", action="store_true", help="only say what is found")
    parser.add_argument("pytest_args", nargs="*", metavar="-- pytest arguments", help="by default: tests")
    options = parser.parse_args()

    chosen, absent = _choose(options.only, options.skip)
    for interpreter in chosen:
        print(f"{interpreter.tag:<6} {interpreter.version:<8} {interpreter.executable}")
    for tag in absent:
        print(f"{tag:<6} missing: no such interpreter was found; name it in SUREFOOT_PYTHONS")
    if options.list or not chosen:
        return 0
    try:
        maturin = _maturin()
    except StepFailedError as error:
        print(error, file=sys.stderr)
        return 1
    pytest_args = ["-m", QUICK if options.quick else ALL, *options.pytest_args]

    def run(interpreter: Interpreter) -> Verdict:
        print(f"-- {interpreter.tag}: building{'' if options.build else ' and testing'}", flush=True)
        verdict = run_one(interpreter, maturin, None if options.build else pytest_args)
        print(verdict, flush=True)
        return verdict

    with ThreadPoolExecutor(options.jobs) as pool:
        verdicts = list(pool.map(run, chosen))
    print("\nMatrix:", *verdicts, *(f"{tag:<6} missing" for tag in absent), sep="\n")
    return 0 if all(verdict.ok for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
