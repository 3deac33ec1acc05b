"""The harness's child: runs one suite in this process and writes every outcome to a file, as JSON lines.

Each line is flushed before the next test begins, so that after a hang or a crash the file still names the
test that was running.
"""

from __future__ import annotations

import _thread
import argparse
import concurrent.futures
import faulthandler
import gc
import importlib
import inspect
import json
import pkgutil
import re
import sys
import threading
import time
import unittest
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from suites import SUITES, Suite
from test import support

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


class OutcomeWriter(unittest.TestResult):
    """Writes an outcome per test, and calls threads left behind a failure, as CPython's own runner can."""

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self._out = out
        self._threads_before = 0

    def write(self, **line: object) -> None:
        self._out.write(json.dumps(line) + "\n")
        self._out.flush()

    def _outcome(self, test: unittest.TestCase, outcome: str, detail: str = "") -> None:
        self.write(id=test.id(), outcome=outcome, detail=detail)

    def startTest(self, test):
        super().startTest(test)
        support.environment_altered = False
        self._threads_before = _thread._count()
        self._outcome(test, "started")

    def addSuccess(self, test):
        super().addSuccess(test)
        # CPython's clean-up calls the environment altered if a thread is still on its way out at its first
        # look (tests close a loop without waiting for its pool), and then gives it a second.
        if support.environment_altered and _thread._count() > self._threads_before:
            self._outcome(test, "failed", "the test left threads behind")
        else:
            self._outcome(test, "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._outcome(test, "failed", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self._outcome(test, "failed", self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._outcome(test, "failed", f"{subtest}\n{self._exc_info_to_string(err, test)}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._outcome(test, "skipped", reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._outcome(test, "passed", "expected failure")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._outcome(test, "failed", "unexpected success")


def module_name(suite: Suite) -> str:
    """Returns the module of a suite: the whole package where it is still a single module."""
    name = f"test.{suite.package}"
    return f"{name}.{suite.module}" if hasattr(importlib.import_module(name), "__path__") else name


def ids(tests: unittest.TestSuite) -> list[str]:
    """Lists the tests of a suite of suites."""
    nested = [ids(test) if isinstance(test, unittest.TestSuite) else [test.id()] for test in tests]
    return [test_id for group in nested for test_id in group]


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    """Imports the test modules of a package, which may be a module itself."""
    yield package
    for finder, name, _ in pkgutil.iter_modules(getattr(package, "__path__", [])):
        if not name.startswith("test_"):
            continue
        try:
            yield importlib.import_module(f"{package.__name__}.{name}")
        except ImportError:
            # Interpreters may come with a part of the `test` package only: what a module of no interest to us
            # imports may be lacking.
            source = Path(finder.path, f"{name}.py").read_text(encoding="utf-8")
            if re.search(r"^class (ThreadPool|FutureTests)", source, re.MULTILINE):
                raise


def inventory(package_name: str) -> list[str]:
    """Lists every thread-pool or future test that a package of CPython holds, to find what no suite names."""
    classes = {
        member
        for module in _modules(importlib.import_module(f"test.{package_name}"))
        for name, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, unittest.TestCase) and (name.startswith("ThreadPool") or name == "FutureTests")
    }
    loader = unittest.TestLoader()
    return sorted(test_id for cls in classes for test_id in ids(loader.loadTestsFromTestCase(cls)))


def forgotten_late(before: int) -> list[threading.Thread]:
    """Lists ended threads that are still referred to; one that has just ended is, by itself, for a moment."""
    deadline = time.monotonic() + 30
    while True:
        gc.collect()
        left = [thread for thread in threading._dangling if not thread.is_alive()]
        if len(threading._dangling) <= before or not left:
            return []
        if time.monotonic() > deadline:
            return left
        del left
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outcomes", type=Path)
    parser.add_argument("--suite", choices=SUITES)
    parser.add_argument("--inventory", metavar="PACKAGE")
    parser.add_argument("--list", action="store_true", help="only list the tests of the suite")
    parser.add_argument("--limit-s", type=float, default=240.0)
    options = parser.parse_args()
    faulthandler.dump_traceback_later(options.limit_s, exit=True)
    with options.outcomes.open("w", encoding="utf-8") as out:
        writer = OutcomeWriter(out)
        executor_type = concurrent.futures.ThreadPoolExecutor
        writer.write(
            executor=[f"{cls.__module__}.{cls.__qualname__}" for cls in executor_type.__mro__],
            future=[f"{cls.__module__}.{cls.__qualname__}" for cls in concurrent.futures.Future.__mro__],
        )
        if options.inventory:
            for test_id in inventory(options.inventory):
                writer.write(id=test_id, outcome="listed", detail="")
            return
        suite = SUITES[options.suite]
        loader = unittest.TestLoader()
        loader.testNamePatterns = list(suite.patterns)
        tests = loader.loadTestsFromName(module_name(suite))
        if options.list:
            for test_id in ids(tests):
                writer.write(id=test_id, outcome="listed", detail="")
        else:
            before = len(threading._dangling)
            tests.run(writer)
            del tests
            # Up to 3.10 CPython's tests look for this themselves, after each test.
            left = forgotten_late(before)
            if left:
                detail = f"something still refers to {len(left)} threads that have ended, such as {left[0]}"
                writer.write(id="suite.threads_are_forgotten", outcome="failed", detail=detail)
        if loader.errors:
            sys.exit("\n".join(loader.errors))


if __name__ == "__main__":
    main()
